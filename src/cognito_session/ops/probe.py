"""Probe: finds out the behaviour of refresh tokens that Amazon does not document, with a test user at a real user pool.

The protocol is safe with every result. The probe reports the result, and whether the library knows the messages with which
Cognito refuses. Each sign-in is revoked at the end. The refresh calls are the library's own.
https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-refresh-token.html
"""

from __future__ import annotations

from os import urandom
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cognito_session.aws.client_secret import ClientSecret
from cognito_session.aws.control_call import impossible_token
from cognito_session.aws.refusal_messages import comparable_form
from cognito_session.aws.token_refresh import CognitoProvider
from cognito_session.aws.transport.interface import ServiceError
from cognito_session.aws.user_pool import CognitoUserPool
from cognito_session.core.crypto.access_token import unverified_claims
from cognito_session.core.errors import ConfigurationError, SessionError
from cognito_session.core.protocol.device_tracking import device_verifier, new_device_secret
from cognito_session.core.protocol.ports import DeviceConfirmation, NewTokens, PoolRefusal, RefreshRequest
from cognito_session.ops.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from cognito_session.aws.transport.interface import Wire
    from cognito_session.configuration import Configuration
    from cognito_session.core.protocol.ports import Clock

__all__ = ["Probe"]

_SECONDS_TO_SEND: Final = 30.0
_BEYOND_GRACE_SECONDS: Final = 3
_WRONG_SECRET: Final = "0" * 51
"""As long as a real secret, so that it is not malformed."""


class _RefreshResult(NamedTuple):
    """The result of one refresh: new tokens, or Cognito's code and message and how the library reads them.

    `by_control_call`: the message is not known, and the library sent a control call to judge it.
    """

    tokens: NewTokens | None
    code: str = ""
    message: str = ""
    taken_for: str = ""
    by_control_call: bool = False

    def __repr__(self) -> str:
        return f"_RefreshResult({self.code!r}, {self.taken_for!r})"


class _RecordingWire:
    """A wire that records error answers."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.errors: list[ServiceError] = []

    def clear(self) -> None:
        """Drop the recorded errors."""
        self.errors = []

    def call(self, service: str, operation: str, payload: Mapping[str, Any], **how: Any) -> dict[str, Any]:
        """See aws.transport.interface.Wire."""
        try:
            return self._wire.call(service, operation, payload, **how)
        except ServiceError as error:
            self.errors.append(error)
            raise

    def get(self, url: str, **how: Any) -> bytes:
        """See aws.transport.interface.Wire."""
        return self._wire.get(url, **how)

    def post_form(self, url: str, fields: Mapping[str, str], **how: Any) -> tuple[int, bytes]:
        """See aws.transport.interface.Wire."""
        return self._wire.post_form(url, fields, **how)


class Probe:
    """Probes one app client. The test user must have no second factor; the app client needs ALLOW_USER_PASSWORD_AUTH.

    `grace_seconds` is the app client's; None if rotation is off or the grace is not known. `sleep` waits that many seconds.
    """

    def __init__(
        self, wire: Wire, names: Configuration, *, grace_seconds: int | None, clock: Clock, sleep: Callable[[float], None]
    ) -> None:
        self._wire = _RecordingWire(wire)
        self._names = names
        self._grace_seconds = grace_seconds
        self._clock = clock
        self._sleep = sleep
        self._device_key: str | None = None

    def ask(self, username: str, password: str) -> Iterator[Finding]:
        """Yield one finding after another. Raises ConfigurationError if the user cannot be signed in."""
        for question in (self._one_refresh, self._second_use, self._after_revocation, self._wrong_setup):
            began = self._sign_in(username, password)
            try:
                yield from question(began)
            finally:
                self._forget_device(began["AccessToken"])
                self._revoke(began["RefreshToken"])

    # --- questions

    def _one_refresh(self, began: dict[str, Any]) -> Iterator[Finding]:
        told = self._refresh(began["RefreshToken"])
        if told.tokens is None:
            yield _problem(f"a fresh refresh token was refused: {told.code}: {told.message}")
            return
        before, after = unverified_claims(began["AccessToken"]), unverified_claims(told.tokens.access_token)
        rotated = told.tokens.refresh_token not in (None, began["RefreshToken"])
        yield _fact("a refresh brings a new refresh token" if rotated else "a refresh brings no new refresh token")
        if after.get("origin_jti") is None:
            yield _problem("access tokens carry no origin_jti: turn on EnableTokenRevocation")
        elif after["origin_jti"] == before.get("origin_jti"):
            yield _fact("origin_jti survives a refresh")
        else:
            yield _fact("origin_jti changes at a refresh: a row of other sign-in code signs its user out once")
        kept = after.get("auth_time") == before.get("auth_time")
        yield _fact("auth_time survives a refresh" if kept else "auth_time changes at a refresh; sessions keep the sign-in's")

    def _second_use(self, began: dict[str, Any]) -> Iterator[Finding]:
        """Use the old token twice, as after a crash, then the tokens of both uses, then the old token after its grace."""
        old = began["RefreshToken"]
        first = self._refresh(old)
        if first.tokens is None or first.tokens.refresh_token in (None, old):
            yield _fact("a refresh token stays usable, used or not")
            return
        second = self._refresh(old)
        if second.tokens is None:
            yield _fact(f"a second use at once is refused ({second.code}): a worker's death can end a session (401)")
            yield from _known(second, "dead", "a used refresh token")
        elif second.tokens.refresh_token == first.tokens.refresh_token:
            yield _fact("a second use within the grace brings the same new token")
        else:
            lives = self._refresh(first.tokens.refresh_token or "").tokens is not None
            yield _fact(
                "a second use within the grace brings another token, and the first one stays valid"
                if lives
                else "a second use within the grace brings another token, and the first one is dead"
            )
        yield from self._late_use(old, (second.tokens or first.tokens).refresh_token or "")

    def _late_use(self, old: str, newest: str) -> Iterator[Finding]:
        if self._grace_seconds is None:
            yield Finding("note", "a use after the grace was not tried", "Its length is not known: see the app client above.")
            return
        self._sleep(self._grace_seconds + _BEYOND_GRACE_SECONDS)
        late = self._refresh(old)
        if late.tokens is not None:
            yield _problem(f"a refresh token is still usable {_BEYOND_GRACE_SECONDS} s after its grace")
            return
        yield from _known(late, "dead", "a use after the grace")
        lives = self._refresh(newest).tokens is not None
        yield _fact(f"a use after the grace {'ends nothing else' if lives else 'ends the newest token too'}")

    def _after_revocation(self, began: dict[str, Any]) -> Iterator[Finding]:
        self._revoke(began["RefreshToken"])
        told = self._refresh(began["RefreshToken"])
        if told.tokens is not None:
            yield _problem("a revoked refresh token is still usable")
        else:
            yield from _known(told, "dead", "a revoked token")

    def _wrong_setup(self, began: dict[str, Any]) -> Iterator[Finding]:
        """Whether the control call tells a wrong setup from a dead token."""
        token = began["RefreshToken"]
        nowhere = self._refresh(impossible_token(token))
        yield from _known(nowhere, "dead", "a token that does not exist")
        if self._names.client_secret is None:
            return
        wrong = self._refresh(token, _WRONG_SECRET)
        yield from _known(wrong, "misconfigured", "a wrong client secret")
        control = self._refresh(impossible_token(token), _WRONG_SECRET)
        if comparable_form(wrong.message, self._names.client_id) == comparable_form(control.message, self._names.client_id):
            yield _fact("with a wrong client secret a token that does not exist is refused with the same message")
        else:
            fix = "Report it: the control call takes such a fault for a dead token if its message is not known."
            said = f"with a wrong client secret a token that does not exist is refused with another message: {control.message}"
            yield Finding("difference", said, fix)
        lives = self._refresh(token).tokens is not None
        yield (
            _fact("a wrong client secret does not end the session")
            if lives
            else _problem("a wrong client secret ends the session")
        )

    # --- the library's own calls

    def _sign_in(self, username: str, password: str) -> dict[str, Any]:
        secret = ClientSecret(self._names.client_secret)
        pool = CognitoUserPool(lambda: self._wire, client_id=self._names.client_id, client_secret=secret)
        parameters = {"USERNAME": username, "PASSWORD": password}
        payload = {"AuthFlow": "USER_PASSWORD_AUTH", "ClientId": self._names.client_id, "AuthParameters": parameters}
        answer = pool.call("InitiateAuth", payload)
        result = {} if isinstance(answer, PoolRefusal) else answer.get("AuthenticationResult") or {}
        if not (isinstance(result.get("AccessToken"), str) and isinstance(result.get("RefreshToken"), str)):
            raise ConfigurationError(
                "the test user cannot be signed in: expected a user with this password and no second factor"
            )
        self._confirm_device(result)
        return dict(result)

    def _confirm_device(self, result: Mapping[str, Any]) -> None:
        """Confirm the device. If the user pool tracks devices, no refresh succeeds before that."""
        new = result.get("NewDeviceMetadata") or {}
        self._device_key = new.get("DeviceKey")
        if self._device_key is not None:
            secret = new_device_secret(urandom, self._device_key, str(new.get("DeviceGroupKey") or ""))
            salt, _, verifier = device_verifier(urandom, secret).partition(":")
            self._provider(None).confirm_device(
                DeviceConfirmation(result["AccessToken"], self._device_key, salt, verifier, "cognito-session doctor")
            )

    def _forget_device(self, access_token: str) -> None:
        try:
            if self._device_key is not None:
                self._provider(None).forget_device(access_token, self._device_key)
        except SessionError:  # a device without a token is useless
            return

    def _refresh(self, refresh_token: str, client_secret: str | None = None) -> _RefreshResult:
        provider = self._provider(client_secret or self._names.client_secret)
        request = RefreshRequest(refresh_token, None, self._device_key, self._clock.monotonic() + _SECONDS_TO_SEND)
        self._wire.clear()
        try:
            found = provider.refresh(request)
        except ConfigurationError:
            return self._told("misconfigured")
        return _RefreshResult(found) if isinstance(found, NewTokens) else self._told(found.verdict)

    def _told(self, taken_for: str) -> _RefreshResult:
        errors = self._wire.errors
        if not errors:
            return _RefreshResult(None, taken_for=taken_for)
        return _RefreshResult(None, errors[0].code, errors[0].message, taken_for, by_control_call=len(errors) > 1)

    def _revoke(self, refresh_token: str) -> None:
        try:
            self._provider(self._names.client_secret).revoke(refresh_token)
        except SessionError:  # it ends by itself, and the findings are kept
            return

    def _provider(self, client_secret: str | None) -> CognitoProvider:
        return CognitoProvider(
            lambda: self._wire, client_id=self._names.client_id, client_secret=ClientSecret(client_secret), clock=self._clock
        )


def _fact(what: str) -> Finding:
    return Finding("note", what, "The protocol holds under it.")


def _problem(what: str) -> Finding:
    return Finding("problem", what, "Sessions are not safe on this app client: report it with this output.")


def _known(told: _RefreshResult, wanted: str, what: str) -> Iterator[Finding]:
    """Whether the library reads Cognito's refusal correctly. Shows the message, which holds nothing of the token."""
    said = f"{what} is refused with {told.code}: {told.message}"
    if told.taken_for == wanted and not told.by_control_call:
        yield _fact(said)
    elif told.taken_for == wanted:
        fix = "Report it: until it is known, a control call judges such a refusal, at most once in 15 minutes."
        yield Finding("difference", f"{said}, which the library does not know and takes for {wanted} by a control call", fix)
    else:
        fix = "Report it: until it is known, such a session gets 503 or 500 until its end; none is rejected."
        yield Finding("difference", f"{said}, which the library takes for {told.taken_for or 'success'}", fix)
