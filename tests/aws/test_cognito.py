"""CognitoProvider against the stack: what each answer means, what is known of a lost one, and that one call is one call."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import boto3
import pytest

from cognito_session.aws.client_secret import ClientSecret, secret_hash
from cognito_session.aws.token_refresh import CognitoProvider
from cognito_session.aws.transport import botocore as wire_botocore
from cognito_session.aws.transport.interface import ServiceError
from cognito_session.aws.transport.open import open_wire
from cognito_session.core.crypto.access_token import parse
from cognito_session.core.errors import ConfigurationError, ProviderUnavailable, SessionUnavailable
from cognito_session.core.policy import CALL_LIMIT_SECONDS
from cognito_session.core.protocol.ports import (
    DEVICE_REFUSED,
    TOO_LATE,
    DeviceConfirmation,
    NewTokens,
    PoolRefusal,
    RefreshDenied,
    RefreshRequest,
)
from cognito_session.testing.clock import ManualClock
from support.stack import PASSWORD, closed_port, make_app

GET_TOKENS = "GetTokensFromRefreshToken"
DEAD = "dead"
WRONG = "0" * 40


class PoolContext:
    """A user who has signed in, and a provider to refresh with."""

    def __init__(self, stack: Any, wire: Any, **settings: Any) -> None:
        self.stack = stack
        self.app = make_app(stack, **settings)
        self.pool = self.app.pool
        self.clock = ManualClock()
        self.user = self.app.user()
        self.tokens = self.app.sign_in(self.user)
        self.token = self.tokens["RefreshToken"]
        self.provider = self.provider_on(wire)
        stack.clear_calls()

    def provider_on(self, wire: Any, **other: Any) -> CognitoProvider:
        """A provider with the app's client, or with `other` settings."""
        named = {"client_id": self.pool.client_id, "client_secret": self.pool.client_secret, "clock": self.clock} | other
        return CognitoProvider(lambda: wire, **named | {"client_secret": ClientSecret(named["client_secret"])})

    def request(self, refresh_token: str | None = None, *, device_key: str | None = None) -> RefreshRequest:
        """A refresh request that may be sent for the next two seconds."""
        before = self.clock.monotonic() + 2
        return RefreshRequest(refresh_token or self.token, self.user.username, device_key, before)

    def refresh(self, refresh_token: str | None = None, **request: Any) -> NewTokens | RefreshDenied:
        """One refresh."""
        return self.provider.refresh(self.request(refresh_token, **request))

    def sent(self) -> list[tuple[str, bool]]:
        """Each call that Cognito saw: its operation, and whether it was carried out."""
        return [(call.operation, call.worked) for call in self.stack.calls("cognito")]


@pytest.fixture
def desk(stack, wire):
    """A public client without rotation."""
    return PoolContext(stack, wire)


@pytest.fixture
def rotating(stack, wire):
    """A public client that rotates with no grace."""
    return PoolContext(stack, wire, rotation_grace_seconds=0)


@pytest.fixture
def confidential(stack, wire):
    """A client with a secret, without rotation."""
    return PoolContext(stack, wire, client_secret=True)


def sub_of(desk, text):
    """The user of an access token of the desk's pool."""
    return parse(text, desk.app.manager().context.rules).sub


# --- tokens


def test_without_rotation_the_refresh_token_stays(desk):
    """A new access token of the same user and no refresh token; the old one works again; each time one call."""
    for _ in range(2):
        answer = desk.refresh()
        assert answer.refresh_token is None
        assert answer.access_token != desk.tokens["AccessToken"]
        assert sub_of(desk, answer.access_token) == desk.user.sub
    assert desk.sent() == [(GET_TOKENS, True)] * 2


def test_with_rotation_the_refresh_token_changes(rotating):
    """A new access and a new refresh token, which is the one that works from then on."""
    first = rotating.refresh()
    second = rotating.refresh(first.refresh_token)
    assert len({rotating.token, first.refresh_token, second.refresh_token}) == 3
    assert rotating.refresh(first.refresh_token) == RefreshDenied(DEAD, "RefreshTokenReuseException")
    assert rotating.sent() == [(GET_TOKENS, True)] * 3


@pytest.mark.parametrize("grace", [None, 60])
def test_a_confidential_client_shows_its_secret(stack, wire, grace):
    """With the right secret a refresh works, with rotation and without."""
    desk = PoolContext(stack, wire, client_secret=True, rotation_grace_seconds=grace)
    assert isinstance(desk.refresh(), NewTokens)
    assert desk.sent() == [(GET_TOKENS, True)]


def test_a_secret_that_takes_its_time(stack, wire):
    """Read when the lease is nearly over, a refresh is not sent any more: its answer would come to a session of another's."""
    desk = PoolContext(stack, wire, client_secret=True)

    def slow():
        desk.clock.advance(3)
        return desk.pool.client_secret

    provider = CognitoProvider(lambda: wire, client_id=desk.pool.client_id, client_secret=ClientSecret(slow), clock=desk.clock)
    with pytest.raises(ProviderUnavailable) as caught:
        provider.refresh(desk.request())
    assert (caught.value.sent, caught.value.reason) == (False, TOO_LATE)
    assert desk.sent() == []


@pytest.mark.parametrize("call", ["refresh", "revoke"])
def test_a_secret_that_cannot_be_read(desk, wire, call):
    """Nothing was sent and no token is called dead; a configuration error stays one."""
    for fault, raised in ((SessionUnavailable("away"), ProviderUnavailable), (ConfigurationError("ARN"), ConfigurationError)):

        def failing(fault=fault):
            raise fault

        provider = CognitoProvider(lambda: wire, client_id="c", client_secret=ClientSecret(failing), clock=desk.clock)
        with pytest.raises(raised) as caught:
            provider.refresh(desk.request()) if call == "refresh" else provider.revoke("r")
        assert getattr(caught.value, "sent", False) is False
    assert desk.sent() == []
    assert "hidden" in repr(ClientSecret("canary"))


@pytest.mark.parametrize("secret", [WRONG, "short", None])
def test_a_wrong_secret_is_the_operators(confidential, wire, secret):
    """A wrong or missing client secret: a ConfigurationError that names CLIENT_SECRET; no token is called dead."""
    provider = confidential.provider_on(wire, client_secret=secret)
    with pytest.raises(ConfigurationError, match="CLIENT_SECRET") as caught:
        provider.refresh(confidential.request())
    assert confidential.pool.client_secret not in str(caught.value)
    assert isinstance(confidential.refresh(), NewTokens)


def test_an_unknown_client_is_the_operators(desk, wire):
    """A client that does not exist: a ConfigurationError that names CLIENT_ID."""
    with pytest.raises(ConfigurationError, match="CLIENT_ID"):
        desk.provider_on(wire, client_id="nobody").refresh(desk.request())


def test_a_remembered_device_must_be_named(stack, wire):
    """With the device's key a refresh works; with a wrong one or without one the token is dead, for different reasons."""
    desk = PoolContext(stack, wire, device_tracking=True)
    device = desk.tokens["NewDeviceMetadata"]["DeviceKey"]
    stack.cognito("ConfirmDevice", AccessToken=desk.tokens["AccessToken"], DeviceKey=device)
    assert isinstance(desk.refresh(device_key=device), NewTokens)
    assert desk.refresh(device_key=device + "x") == RefreshDenied(DEAD, DEVICE_REFUSED)
    assert desk.refresh() == RefreshDenied(DEAD, "NotAuthorizedException")
    assert len(desk.sent()) == 3


def confirmation_of(desk):
    """The ConfirmDevice of the desk's sign-in."""
    key = desk.tokens["NewDeviceMetadata"]["DeviceKey"]
    return DeviceConfirmation(desk.tokens["AccessToken"], key, "AQ==", "Ag==", "a browser")


def test_a_device_is_confirmed_once(stack, wire):
    """ConfirmDevice, and the same again where its answer was lost: confirmed either way; then forgotten, and once more."""
    desk = PoolContext(stack, wire, device_tracking=True)
    asked = confirmation_of(desk)
    for _ in range(2):
        assert desk.provider.confirm_device(asked) is None
    assert isinstance(desk.refresh(device_key=asked.device_key), NewTokens)
    for _ in range(2):
        desk.provider.forget_device(asked.access_token, asked.device_key)
    assert desk.refresh(device_key=asked.device_key) == RefreshDenied(DEAD, DEVICE_REFUSED)


@pytest.mark.parametrize("kind", ["throttle", "error500", "drop_before", "drop_after"])
def test_an_outage_of_a_device_call_is_no_refusal(stack, wire, kind):
    """Throttled, failed and lost: ProviderUnavailable, and sent once."""
    desk = PoolContext(stack, wire, device_tracking=True)
    asked = confirmation_of(desk)
    for operation, call in (
        ("ConfirmDevice", lambda: desk.provider.confirm_device(asked)),
        ("ForgetDevice", lambda: desk.provider.forget_device(asked.access_token, asked.device_key)),
    ):
        stack.fault(operation, kind)
        with pytest.raises(ProviderUnavailable):
            call()
    assert [operation for operation, _ in desk.sent()] == ["ConfirmDevice", "ForgetDevice"]


def test_a_device_call_that_cognito_refuses(stack, wire):
    """A refusal of ConfirmDevice is an answer; one of ForgetDevice is an error that names its code and no token."""
    desk = PoolContext(stack, wire, device_tracking=True)
    asked = confirmation_of(desk)._replace(access_token="canary")
    refusal = desk.provider.confirm_device(asked)
    assert isinstance(refusal, PoolRefusal)
    with pytest.raises(ProviderUnavailable, match=refusal.code) as caught:
        desk.provider.forget_device("canary", asked.device_key)
    assert "canary" not in str(caught.value)


# --- verdicts


def revoked(desk):
    """Revoked by RevokeToken."""
    desk.stack.revoke(desk.pool, desk.token)


def expired(desk):
    """As old as refresh tokens get."""
    desk.stack.advance(30 * 86_400 + 1)


def disabled(desk):
    """The user is disabled."""
    desk.stack.disable_user(desk.pool, desk.user.username)


def deleted(desk):
    """The user is gone."""
    desk.stack.delete_user(desk.pool, desk.user.username)


def signed_out(desk):
    """The user is signed out everywhere."""
    desk.stack.sign_out_user(desk.pool, desk.user.username)


def another_clients(desk):
    """Issued to another app client of the pool."""
    other = desk.stack.create_client(desk.pool)
    desk.token = desk.stack.sign_in(other, desk.user.username, PASSWORD)["RefreshToken"]


def garbage(desk):
    """Nothing that Cognito ever issued."""
    desk.token = "garbage"


@pytest.mark.parametrize("fate", [revoked, expired, disabled, deleted, signed_out, another_clients, garbage])
def test_a_dead_token_is_a_verdict(desk, fate):
    """Revoked, expired, user disabled, gone or signed out, foreign, garbage: RefreshDenied("dead"), after one call."""
    fate(desk)
    answer = desk.refresh()
    assert isinstance(answer, RefreshDenied)
    assert answer.verdict == DEAD
    assert desk.sent() == [(GET_TOKENS, True)]


class Refusing:
    """A wire on which Cognito refuses every call in one way."""

    def __init__(self, code: str, message: str = "", status: int = 400, retry_after: int | None = None) -> None:
        self.error = ServiceError("cognito-idp.X", code, status, message=message, retry_after=retry_after)
        self.calls: list[tuple[str, dict[str, Any], dict[str, Any]]] = []

    def call(self, service: str, operation: str, payload: dict[str, Any], **options: Any) -> dict[str, Any]:
        self.calls.append((operation, payload, options))
        raise self.error


def refused(wire, *, device_key=None, client_secret=None):
    """What a provider makes of that wire."""
    clock = ManualClock()
    provider = CognitoProvider(lambda: wire, client_id="c1", client_secret=ClientSecret(client_secret), clock=clock)
    return provider.refresh(RefreshRequest("very-secret", "alice", device_key, clock.monotonic() + 2))


@pytest.mark.parametrize(
    ("code", "message", "verdict"),
    [
        ("RefreshTokenReuseException", "", DEAD),
        ("UserNotFoundException", "User does not exist.", DEAD),
        ("NotAuthorizedException", "Refresh Token has been revoked", DEAD),
        ("NotAuthorizedException", "Refresh Token has expired", DEAD),
        ("NotAuthorizedException", "User is disabled.", DEAD),
        ("NotAuthorizedException", "Invalid Refresh Token", DEAD),
        ("NotAuthorizedException", "Invalid Refresh Token.", DEAD),
    ],
)
def test_the_words_of_a_refusal(code, message, verdict):
    """What these codes and sentences say is known: a verdict after one call."""
    wire = Refusing(code, message)
    assert refused(wire) == RefreshDenied(verdict, code)
    assert len(wire.calls) == 1


@pytest.mark.parametrize("message", ["", "Not today", "Incorrect username or password.", "Access to this pool is restricted"])
def test_words_that_refuse_every_token_are_the_operators(message):
    """A sentence that is not known, and that a token which cannot exist is refused with as well."""
    with pytest.raises(ConfigurationError, match="every refresh"):
        refused(Refusing("NotAuthorizedException", message))


@pytest.mark.parametrize("message", ["Invalid Refresh Token", "Invalid Refresh Token."])
def test_a_device_that_cognito_does_not_accept(message):
    """An "Invalid Refresh Token" of a record with a device key is told apart: the token is dead because of the device."""
    assert refused(Refusing("NotAuthorizedException", message), device_key="d") == RefreshDenied(DEAD, DEVICE_REFUSED)


@pytest.mark.parametrize("message", ["Refresh Token has been revoked", "User is disabled."])
def test_a_device_makes_nothing_else_doubtful(message):
    """What is plainly dead is dead with a device key too."""
    assert refused(Refusing("NotAuthorizedException", message), device_key="d") == RefreshDenied(DEAD, "NotAuthorizedException")


@pytest.mark.parametrize(
    "message",
    [
        "Unable to verify secret hash for client c1",
        "Client c1 is configured with secret but SECRET_HASH was not received",
        "Invalid client secret",
        "SecretHash does not match for the client: c1",
        "Secret_hash mismatch",
        "Client c1 is configured for secret but secret was not received",
    ],
)
@pytest.mark.parametrize("code", ["NotAuthorizedException", "InvalidParameterException", "UnauthorizedException"])
@pytest.mark.parametrize("call", ["refresh", "revoke", "older"])
def test_the_words_of_a_wrong_secret(code, message, call):
    """Every way Cognito speaks of the secret is a ConfigurationError, which never ends a session; found out by one call."""
    wire, clock = Refusing(code, message), ManualClock()
    on = Older(wire) if call == "older" else wire
    provider = CognitoProvider(lambda: on, client_id="c1", client_secret=ClientSecret("s"), clock=clock)
    with pytest.raises(ConfigurationError, match="CLIENT_SECRET"):
        provider.revoke("t") if call == "revoke" else provider.refresh(
            RefreshRequest("t", "alice", None, clock.monotonic() + 2)
        )
    assert len(wire.calls) == 1


def test_a_revocation_that_is_refused_in_unknown_words_is_not_done():
    """Only a token that is known to be dead needs no revocation: anything else is told, not taken for success."""
    clock = ManualClock()
    for message, raised in (
        ("Refresh Token has been revoked", None),
        ("Invalid Refresh Token", None),
        ("No", ProviderUnavailable),
    ):
        wire = Refusing("NotAuthorizedException", message)
        provider = CognitoProvider(lambda wire=wire: wire, client_id="c1", client_secret=ClientSecret(None), clock=clock)
        with pytest.raises(raised) if raised else nullcontext():
            provider.revoke("t")


@pytest.mark.parametrize(
    "code",
    ["ResourceNotFoundException", "InvalidParameterException", "ValidationException", "OperationNotEnabledException"],
)
def test_a_wrong_setup_is_the_operators(code):
    """A missing client or a flow that is not allowed: ConfigurationError."""
    with pytest.raises(ConfigurationError, match="CLIENT_ID"):
        refused(Refusing(code, "secret text"))


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("TooManyRequestsException", 400),
        ("LimitExceededException", 400),
        ("InternalErrorException", 500),
        ("HTTP503", 503),
        ("HTTP200", 200),
        ("ForbiddenException", 403),
        ("UserLambdaValidationException", 400),
        ("SomethingNewException", 400),
    ],
)
def test_everything_else_is_an_outage(code, status):
    """Throttling, 5xx and unknown codes: ProviderUnavailable that was answered, with Cognito's Retry-After."""
    with pytest.raises(ProviderUnavailable) as caught:
        refused(Refusing(code, "secret text", status, retry_after=7))
    assert (caught.value.sent, caught.value.retry_after) == (True, 7)
    assert "secret" not in str(caught.value)


def test_how_the_call_is_sent():
    """Unsigned, once, cut at the protocol's limit, with the device key where there is one and no word more."""
    wire = Refusing("RefreshTokenReuseException")
    refused(wire)
    refused(wire, device_key="d", client_secret="s")
    plain = {"RefreshToken": "very-secret", "ClientId": "c1"}
    assert [payload for _, payload, _ in wire.calls] == [plain, {**plain, "ClientSecret": "s", "DeviceKey": "d"}]
    for _, _, options in wire.calls:
        assert options == {"timeout_seconds": CALL_LIMIT_SECONDS, "signed": False, "once": True}


@pytest.mark.parametrize("answer", [{}, {"AuthenticationResult": None}, {"AuthenticationResult": {}}, {"ChallengeName": "X"}])
def test_an_answer_without_a_token_is_an_outage(answer):
    """A 200 that brings no access token is no success and no verdict."""

    class Answering:
        def call(self, *_: Any, **__: Any) -> dict[str, Any]:
            return answer

    with pytest.raises(ProviderUnavailable) as caught:
        refused(Answering())
    assert caught.value.sent is True


@pytest.mark.parametrize("access", [None, "", 7, "x" * 20_000], ids=["none", "empty", "number", "too long"])
def test_a_rotated_token_counts_whatever_is_beside_it(access):
    """The new refresh token has no other copy: it is returned even with an unusable access token."""

    class Answering:
        def call(self, *_: Any, **__: Any) -> dict[str, Any]:
            return {"AuthenticationResult": {"AccessToken": access, "RefreshToken": "rt-2"}}

    assert refused(Answering()).refresh_token == "rt-2"


# --- what is known of a lost call


@pytest.mark.parametrize("kind", ["throttle", "error500"])
def test_told_no(rotating, kind):
    """Throttled or broken: sent, answered, not done; one call, and the token still works."""
    rotating.stack.fault(GET_TOKENS, kind)
    with pytest.raises(ProviderUnavailable) as caught:
        rotating.refresh()
    assert caught.value.sent is True
    assert rotating.sent() == [(GET_TOKENS, False)]
    assert isinstance(rotating.refresh(), NewTokens)


@pytest.mark.parametrize(("kind", "worked"), [("drop_before", False), ("drop_after", True)])
def test_told_nothing(rotating, kind, worked):
    """A dropped connection: the call may have been done, and it is not sent again."""
    rotating.refresh(rotating.app.sign_in(rotating.user)["RefreshToken"])  # a warm connection would tempt to a resend
    rotating.stack.clear_calls()
    rotating.stack.fault(GET_TOKENS, kind)
    with pytest.raises(ProviderUnavailable) as caught:
        rotating.refresh()
    assert caught.value.sent is None
    assert rotating.sent() == [(GET_TOKENS, worked)]
    assert isinstance(rotating.refresh(), RefreshDenied) is worked


@pytest.mark.parametrize(("kind", "worked"), [("hang", False), ("hang_after", True)])
def test_waited_in_vain(rotating, monkeypatch, kind, worked):
    """A hanging call ends at the limit; it may have been done."""
    rotating.refresh(rotating.app.sign_in(rotating.user)["RefreshToken"])  # makes botocore's client, which takes longer
    rotating.stack.clear_calls()
    monkeypatch.setattr("cognito_session.aws.token_refresh.CALL_LIMIT_SECONDS", 0.3)
    rotating.stack.fault(GET_TOKENS, kind, ms=1000)
    with pytest.raises(ProviderUnavailable) as caught:
        rotating.refresh()
    assert caught.value.sent is None
    assert rotating.sent() == [(GET_TOKENS, worked)]


@pytest.mark.parametrize("kind", ["curl", "botocore"])
def test_never_left(stack, kind):
    """Connection refused: it provably never left, so the caller may try once more."""
    environ = {**stack.environment(), "AWS_ENDPOINT_URL": f"http://127.0.0.1:{closed_port()}"}
    session = boto3.Session("test", "test", region_name=stack.region) if kind == "botocore" else None
    with pytest.raises(ProviderUnavailable) as caught:
        refused(open_wire(environ=environ, boto3_session=session))
    assert caught.value.sent is False


# --- if GetTokensFromRefreshToken is unsupported


class Older:
    """A wire to a Cognito that does not know GetTokensFromRefreshToken yet."""

    def __init__(self, wire: Any, code: str = "UnknownOperationException") -> None:
        self.wire = wire
        self.code = code
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def call(self, service: str, operation: str, payload: dict[str, Any], **options: Any) -> dict[str, Any]:
        self.calls.append((operation, payload))
        if operation == GET_TOKENS:
            raise ServiceError(f"{service}.{operation}", self.code, 400)
        assert options == {"timeout_seconds": CALL_LIMIT_SECONDS, "signed": False, "once": True}
        return self.wire.call(service, operation, payload, **options)


@pytest.mark.parametrize("code", ["UnknownOperationException", "HTTP404"])
def test_the_older_operation_steps_in(confidential, wire, code):
    """InitiateAuth with SECRET_HASH over the user's name refreshes; from then on the missing operation is not tried."""
    older = Older(wire, code)
    provider = confidential.provider_on(older)
    for _ in range(2):
        assert sub_of(confidential, provider.refresh(confidential.request()).access_token) == confidential.user.sub
    assert [operation for operation, _ in older.calls] == [GET_TOKENS, "InitiateAuth", "InitiateAuth"]
    assert confidential.sent() == [("InitiateAuth", True)] * 2
    shown = older.calls[1][1]["AuthParameters"]
    assert shown["SECRET_HASH"] == confidential.pool.secret_hash(confidential.user.username)


def test_the_older_operation_steps_in_for_an_older_botocore(confidential, monkeypatch):
    """boto3 before 1.38 does not know GetTokensFromRefreshToken: InitiateAuth refreshes, and nothing was sent before it."""
    known = wire_botocore.xform_name
    monkeypatch.setattr(wire_botocore, "xform_name", lambda name: "not_there" if name == GET_TOKENS else known(name))
    session = boto3.Session("test", "test", region_name=confidential.stack.region)
    provider = confidential.provider_on(open_wire(environ=confidential.stack.environment(), boto3_session=session))
    for _ in range(2):
        assert sub_of(confidential, provider.refresh(confidential.request()).access_token) == confidential.user.sub
    assert [operation for operation, _ in confidential.sent()] == ["InitiateAuth"] * 2


def test_the_older_operation_for_a_public_client(desk, wire):
    """Without a secret none is shown."""
    older = Older(wire)
    assert isinstance(desk.provider_on(older).refresh(desk.request()), NewTokens)
    assert older.calls[-1][1]["AuthParameters"] == {"REFRESH_TOKEN": desk.token}


def test_the_older_operation_names_the_device(stack, wire):
    """DEVICE_KEY goes along."""
    desk = PoolContext(stack, wire, device_tracking=True)
    device = desk.tokens["NewDeviceMetadata"]["DeviceKey"]
    stack.cognito("ConfirmDevice", AccessToken=desk.tokens["AccessToken"], DeviceKey=device)
    assert isinstance(desk.provider_on(Older(wire)).refresh(desk.request(device_key=device)), NewTokens)


def test_the_older_operation_with_a_wrong_secret(confidential, wire):
    """A hash that Cognito does not accept is the operator's, not the user's."""
    provider = confidential.provider_on(Older(wire), client_secret=WRONG)
    with pytest.raises(ConfigurationError, match="CLIENT_SECRET"):
        provider.refresh(confidential.request())


def test_the_older_operation_needs_a_name(confidential, wire):
    """A confidential client's hash is made over the user's name: without one, a ConfigurationError and no call."""
    request = confidential.request()._replace(username=None)
    with pytest.raises(ConfigurationError, match="username"):
        confidential.provider_on(Older(wire)).refresh(request)
    assert confidential.sent() == []


def test_the_older_operation_is_off_where_tokens_rotate(rotating, wire):
    """An app client that rotates does not allow InitiateAuth: the operator's error, and the token lives on."""
    with pytest.raises(ConfigurationError, match="GetTokensFromRefreshToken"):
        rotating.provider_on(Older(wire)).refresh(rotating.request())
    assert isinstance(rotating.refresh(), NewTokens)


def test_a_proxy_that_knows_no_page_for_a_moment(rotating, wire):
    """A 404 that the older operation does not make good proves nothing: the next refresh is as ever."""
    older = Older(wire, "HTTP404")
    provider = rotating.provider_on(older)
    with pytest.raises(ConfigurationError):
        provider.refresh(rotating.request())
    older.wire, older.call = wire, wire.call
    assert isinstance(provider.refresh(rotating.request()), NewTokens)


def test_the_older_operation_comes_too_late(desk, wire):
    """Where the first attempt used the lease up, the second is not sent."""

    class Slow(Older):
        def call(self, *arguments: Any, **options: Any) -> dict[str, Any]:
            desk.clock.advance(3)
            return super().call(*arguments, **options)

    provider = desk.provider_on(Slow(wire))
    with pytest.raises(ProviderUnavailable) as caught:
        provider.refresh(desk.request())
    assert (caught.value.sent, caught.value.reason) == (False, TOO_LATE)
    assert desk.sent() == []
    with pytest.raises(ProviderUnavailable):
        provider.refresh(desk.request()._replace(send_before=desk.clock.monotonic() - 1))
    assert desk.sent() == []


def test_the_hash_is_cognitos():
    """HMAC-SHA256 over name and client id under the secret, in base64: the value that OpenSSL computes."""
    assert secret_hash("alice", "client", "secret") == "RTsve+FQ659UKyESgvLg9GYmZEL+QjzQsW/OjL77/b0="


# --- revoke


def test_revoked_is_dead(desk):
    """A revoked token no longer refreshes; revoking it again, or an unknown one, is not an error."""
    for token in (desk.token, desk.token, "garbage"):
        assert desk.provider.revoke(token) is None
    assert desk.refresh() == RefreshDenied(DEAD, "NotAuthorizedException")
    assert [operation for operation, _ in desk.sent()] == ["RevokeToken"] * 3 + [GET_TOKENS]


def test_revoking_with_a_secret(confidential, wire):
    """A confidential client shows its secret; a wrong one is a ConfigurationError and revokes nothing."""
    with pytest.raises(ConfigurationError, match="CLIENT_SECRET"):
        confidential.provider_on(wire, client_secret=WRONG).revoke(confidential.token)
    assert isinstance(confidential.refresh(), NewTokens)
    confidential.provider.revoke(confidential.token)
    assert isinstance(confidential.refresh(), RefreshDenied)


def test_revoking_where_it_is_turned_off(stack, wire):
    """Without EnableTokenRevocation: a ConfigurationError that says where to turn it on."""
    desk = PoolContext(stack, wire, token_revocation=False)
    with pytest.raises(ConfigurationError, match="EnableTokenRevocation"):
        desk.provider.revoke(desk.token)


@pytest.mark.parametrize("kind", ["throttle", "error500", "drop_before"])
def test_revoking_may_fail(desk, kind):
    """An outage while revoking is a ProviderUnavailable."""
    desk.stack.fault("RevokeToken", kind, times=None)
    with pytest.raises(ProviderUnavailable):
        desk.provider.revoke(desk.token)


def test_nothing_secret_shows(confidential):
    """Neither provider nor request nor answer print a token or a secret."""
    request = confidential.request(device_key="device-secret")
    shown = repr(confidential.provider) + repr(request) + repr(confidential.refresh())
    for secret in (confidential.pool.client_secret, confidential.token, "device-secret", "eyJ"):
        assert secret not in shown
