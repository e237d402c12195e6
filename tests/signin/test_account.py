"""What signed-in users do to their own account: an authenticator app, a passkey; each by the session's access token."""

from __future__ import annotations

import json
from urllib.parse import unquote

import pytest

from cognito_session import ConfigurationError
from cognito_session.core.errors import ProviderUnavailable
from cognito_session.core.protocol.ports import PoolRefusal
from cognito_session.signin.outcome import Done, PasskeyOptions, TotpSecret
from signin.counter import Counter, Watching, refused
from support.stack import make_app


@pytest.fixture(params=[False, True], ids=["public client, sync", "confidential client, async"])
def counter(stack, request):
    """A site where second factors are optional, for both kinds of client and of manager."""
    app = make_app(stack, sort_key="sid", client_secret=request.param, mfa="OPTIONAL")
    return Counter(app, asynchronous=request.param)


@pytest.fixture
def user(counter):
    """A user of that site."""
    return counter.app.user()


@pytest.fixture
def me(counter, user):
    """The user's session."""
    session = counter.arrived(counter.sign_in(user.username), user)
    counter.calls()
    return session


# --- an authenticator app


def test_an_authenticator_app_is_taken_into_use(counter, user, me):
    """Secret, first code, and from then on it is asked for at each sign-in; until then it is not."""
    stack, elsewhere = counter.app.stack, Counter(counter.app)
    shown = counter.do("begin_totp", me, account_name="anna@b.example")
    assert isinstance(shown, TotpSecret)
    assert unquote(shown.otpauth_uri).startswith("otpauth://totp/Shop:anna@b.example?secret=")
    elsewhere.arrived(elsewhere.sign_in(user.username), user)
    counter.calls()
    assert counter.do("confirm_totp", me, f"{(int(stack.totp(shown.secret)) + 1) % 10**6:06}") == refused("wrong_code")
    assert counter.do("confirm_totp", me, stack.totp(shown.secret)) == Done()
    assert counter.calls() == ["VerifySoftwareToken", "VerifySoftwareToken", "SetUserMFAPreference"]
    elsewhere.challenged("SOFTWARE_TOKEN_MFA", elsewhere.sign_in(user.username))
    elsewhere.arrived(elsewhere.answer(stack.totp(shown.secret)), user)


def test_the_user_name_is_shown_where_no_other_is_given(counter, user, me):
    """The app's entry names the site and the user."""
    assert f"Shop:{user.username}?" in counter.do("begin_totp", me).otpauth_uri


@pytest.mark.parametrize("odd", [None, "", [], 7, "x", "1" * 9, "1" * 100_000])
def test_what_cannot_be_a_code_never_leaves(counter, me, odd):
    """Missing, repeated and oversized fields: wrong_code, and no call."""
    assert counter.do("confirm_totp", me, odd) == refused("wrong_code")
    assert counter.calls() == []


@pytest.mark.parametrize("fault", ["throttle", "error500"])
def test_a_short_outage_after_the_first_code(counter, user, me, fault):
    """The code is taken already, so that the setting is asked for once more where it was not done."""
    secret = counter.do("begin_totp", me).secret
    counter.app.stack.fault("SetUserMFAPreference", fault)
    assert counter.do("confirm_totp", me, counter.app.stack.totp(secret)) == Done()
    for operation, arguments in (("begin_totp", ()), ("confirm_totp", (counter.app.stack.totp(secret),))):
        counter.app.stack.fault("AssociateSoftwareToken", fault)
        counter.app.stack.fault("VerifySoftwareToken", fault)
        with pytest.raises(ProviderUnavailable):
            counter.do(operation, me, *arguments)


# --- a passkey


class Registering(Watching):
    """A user pool that registers passkeys, or answers with `instead`. The local stack makes none."""

    instead = None

    def call(self, operation, payload):
        self.payloads.append((operation, payload))
        if self.instead is not None:
            return self.instead
        return {"CredentialCreationOptions": OPTIONS} if operation == "StartWebAuthnRegistration" else {}


OPTIONS = {"challenge": "Y2hhbGxlbmdl", "rp": {"id": "shop.example"}, "pubKeyCredParams": [{"type": "public-key", "alg": -7}]}
CREDENTIAL = {"id": "passkey", "type": "public-key", "response": {"attestationObject": "b2Jq", "clientDataJSON": "anNvbg"}}


@pytest.fixture
def pool(counter):
    """That user pool, before the real one."""
    pool = Registering(counter.manager.ports.user_pool)
    counter.manager.ports = counter.manager.ports._replace(user_pool=pool)
    return pool


def test_a_passkey_is_registered(counter, me, pool):
    """Cognito's options go to the page as JSON text, the browser's credential back as JSON, both by the access token."""
    shown = counter.do("begin_passkey", me)
    assert isinstance(shown, PasskeyOptions)
    assert json.loads(shown.credential_creation) == OPTIONS
    assert counter.do("complete_passkey", me, json.dumps(CREDENTIAL)) == Done()
    token = {"AccessToken": me.access_token}
    assert pool.payloads == [
        ("StartWebAuthnRegistration", token),
        ("CompleteWebAuthnRegistration", {**token, "Credential": CREDENTIAL}),
    ]


@pytest.mark.parametrize("odd", [None, "", "{", "[]", "7", ["{}"], "{" + " " * 100_000 + "}", "[" * 9_000])
def test_what_cannot_be_a_credential_never_leaves(counter, me, pool, odd):
    """Anything but the text of a JSON object of ordinary size is refused here."""
    assert counter.do("complete_passkey", me, odd) == refused("invalid_input")
    assert pool.payloads == []


@pytest.mark.parametrize(
    ("refusal", "reason"),
    [
        (PoolRefusal("WebAuthnChallengeNotFoundException"), "challenge_expired"),
        (PoolRefusal("WebAuthnOriginNotAllowedException"), "invalid_input"),
        (PoolRefusal("WebAuthnRelyingPartyMismatchException"), "invalid_input"),
        (PoolRefusal("WebAuthnClientMismatchException"), "invalid_input"),
        (PoolRefusal("WebAuthnCredentialNotSupportedException"), "invalid_input"),
        (PoolRefusal("LimitExceededException"), "too_many_attempts"),
        (PoolRefusal("NotAuthorizedException", "Access Token has been revoked"), "sign_in_again"),
        (PoolRefusal("UserNotFoundException"), "sign_in_again"),
        (PoolRefusal("PasswordResetRequiredException"), "sign_in_again"),
        (PoolRefusal("SomethingNewException"), "refused"),
    ],
    ids=lambda given: getattr(given, "code", given),
)
def test_what_a_refusal_means(counter, me, pool, refusal, reason):
    """Each operation of a signed-in user tells the same reason for the same refusal."""
    pool.instead = refusal
    operations = [("begin_passkey", ()), ("complete_passkey", ("{}",)), ("begin_totp", ()), ("confirm_totp", ("123456",))]
    answers = [counter.do(operation, me, *arguments) for operation, arguments in operations]
    assert answers == [refused(reason)] * 4


@pytest.mark.parametrize("operation", ["begin_passkey", "begin_totp"])
def test_an_answer_without_what_was_asked_for(counter, me, pool, operation):
    """Could not find out."""
    pool.instead = {}
    with pytest.raises(ProviderUnavailable):
        counter.do(operation, me)


def test_a_pool_without_passkeys_says_so(counter, me):
    """The local stack knows no registration: a ConfigurationError, not a refusal of the user's."""
    with pytest.raises(ConfigurationError, match="StartWebAuthnRegistration"):
        counter.do("begin_passkey", me)
