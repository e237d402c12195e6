"""Every error this package raises.

Two rules. Denied is a value (`Rejected`), unknown is an exception: an outage never looks like a refusal.
No message, argument or repr holds a token, a cookie or a claim's value; it says what was expected and what to do.

SessionError                              .status, .reason, .retry_after, .respond()
|- SessionRequired      401               raised by the web layer only; carries the reason
|- SessionForbidden     403               a guard said no
|   |- StaleSignIn                        the sign-in is too long ago: signing in again helps
|- SessionConflict      409               the session's data changed since it was read; nothing was written
|- SessionUnavailable   503               could not find out: Retry-After, cookie untouched
|   |- StoreUnavailable, ProviderUnavailable, KeysUnavailable, LeaseBusy
|- ConfigurationError   500               (also ValueError) set up wrong; never ends a session
|   |- ExpiredOnArrival
|- TokenError                             not authentic; stays inside the core
|   |- MalformedToken, UnknownKey, InvalidSignature, InvalidClaim
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cognito_session.core.current_request import note_error
from cognito_session.core.security_headers import SECURITY_HEADERS

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "ConfigurationError",
    "ExpiredOnArrival",
    "InvalidClaim",
    "InvalidSignature",
    "KeysUnavailable",
    "LeaseBusy",
    "MalformedToken",
    "ProviderUnavailable",
    "SessionConflict",
    "SessionError",
    "SessionForbidden",
    "SessionRequired",
    "SessionUnavailable",
    "StaleSignIn",
    "StoreUnavailable",
    "TokenError",
    "UnknownKey",
]


class SessionError(Exception):
    """Root of the tree. `.status` is its HTTP status, `.reason` a stable machine-readable word."""

    status: int = 500
    default_reason: str = "error"

    def __init__(self, message: str = "", *, reason: str | None = None, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.reason: str = reason or self.default_reason
        self.retry_after = retry_after
        self.responder: Callable[[SessionError], Any] | None = None
        note_error(self)

    def __reduce__(self) -> tuple[Any, ...]:
        """For pickle and copy: the responder stays, because it holds the request. Constructors differ, so none is called."""
        return _restored, (type(self), self.args, {**self.__dict__, "responder": None})

    def public_body(self) -> dict[str, str]:
        """What a client may be told: the reason, never the message (it may name infrastructure)."""
        return {"error": _PUBLIC_ERRORS.get(self.status, "error"), "reason": self.reason}

    def public_headers(self) -> dict[str, str]:
        """Headers of the answer; RFC 9111 5.2.2.5 (no-store) and RFC 9110 10.2.3 (Retry-After)."""
        headers = {"Content-Type": "application/json", **SECURITY_HEADERS}
        if self.retry_after is not None:
            headers["Retry-After"] = str(self.retry_after)
        return headers

    def respond(self) -> Any:
        """The answer to send, in the form of the event that was being served.

        Without an event, in API Gateway's payload 2.0 form. Never touches a cookie.
        """
        if self.responder is not None:
            return self.responder(self)
        return {"statusCode": self.status, "headers": self.public_headers(), "body": json.dumps(self.public_body())}


def _restored(kind: type[SessionError], arguments: tuple[Any, ...], state: dict[str, Any]) -> SessionError:
    """The error out of a pickle."""
    error = kind.__new__(kind, *arguments)
    error.__dict__.update(state)
    return error


_PUBLIC_ERRORS = {401: "unauthorized", 403: "forbidden", 409: "conflict", 500: "misconfigured", 503: "unavailable"}


class SessionRequired(SessionError):
    """No usable session: 401. `.reason` says why (see `Reason`)."""

    status = 401
    default_reason = "no_cookie"


class SessionForbidden(SessionError):
    """A session is there and a guard said no: 403."""

    status = 403
    default_reason = "forbidden"


class StaleSignIn(SessionForbidden):
    """The sign-in is more than `max_age` seconds ago, and this action needs a recent one. Signing in again helps."""

    default_reason = "stale_sign_in"

    def __init__(self, max_age: float) -> None:
        super().__init__(f"this action needs a sign-in of the last {max_age:g} seconds: sign in again")
        self.max_age = max_age

    def public_headers(self) -> dict[str, str]:
        """With the challenge that tells a program what to do (RFC 9470, 3); a 403 may carry it too (RFC 9110, 11.6.1)."""
        challenge = f'Bearer error="insufficient_user_authentication", max_age="{int(self.max_age)}"'
        return {**super().public_headers(), "WWW-Authenticate": challenge}


class SessionConflict(SessionError):
    """Another request changed the session's data since it was read: 409. Read it again, then repeat the change."""

    status = 409
    default_reason = "conflict"


class SessionUnavailable(SessionError):
    """Could not find out: 503 with Retry-After in seconds. The cookie and the record are untouched."""

    status = 503
    default_reason = "unavailable"

    def __init__(self, message: str = "", *, reason: str | None = None, retry_after: int | None = None) -> None:
        super().__init__(message, reason=reason, retry_after=1 if retry_after is None else retry_after)


class StoreUnavailable(SessionUnavailable):
    """The session store did not answer, or its answer was lost: a write may or may not have been applied.

    `.repeated` says that the call was repeated already, as often as it is worth.
    """

    default_reason = "store_unavailable"
    repeated = False


class ProviderUnavailable(SessionUnavailable):
    """Cognito did not give a usable answer.

    `.sent` is False where the request provably never left, True where Cognito answered that it was not done
    (throttling, 5xx), None where that is not known.
    """

    default_reason = "provider_unavailable"

    def __init__(
        self, message: str = "", *, sent: bool | None = None, reason: str | None = None, retry_after: int | None = None
    ) -> None:
        super().__init__(message, reason=reason, retry_after=retry_after)
        self.sent = sent


class KeysUnavailable(SessionUnavailable):
    """The user pool's signing keys could not be fetched, so a signature can be neither accepted nor refused."""

    default_reason = "keys_unavailable"


class LeaseBusy(SessionUnavailable):
    """Another worker is refreshing this session and patience ended."""

    default_reason = "lease_busy"


class ConfigurationError(SessionError, ValueError):
    """Something is set up wrong. Names the setting and says where its value is found. Never ends a session."""

    status = 500
    default_reason = "configuration"


class ExpiredOnArrival(ConfigurationError):
    """Cognito's tokens of a sign-in had expired when they arrived: this machine's clock is ahead."""

    def __init__(self, ahead_seconds: int) -> None:
        super().__init__(
            "the tokens of a sign-in had expired when they arrived from Cognito: this machine's clock is about"
            f" {ahead_seconds} seconds ahead of Cognito's. Set the clock, for example by NTP"
        )


_CLAIM_REASONS = {"iss": "wrong_issuer", "client_id": "wrong_client", "token_use": "wrong_token_use"}


class TokenError(SessionError):
    """A token is not authentic. Stays inside the core, where it becomes a `Rejected`."""

    status = 401
    default_reason = "invalid_token"


class MalformedToken(TokenError):
    """Not a compact RS256 JWS of JSON objects in the allowed sizes (RFC 7515, RFC 8725)."""

    default_reason = "malformed_token"


class UnknownKey(TokenError):
    """No key of the configured issuer has the token's `kid`."""

    default_reason = "unknown_key"


class InvalidSignature(TokenError):
    """The signature does not verify under the key that the token names."""

    default_reason = "invalid_signature"


class InvalidClaim(TokenError):
    """A claim is missing, has the wrong type, or names another user, client or pool. `.claim` names it."""

    default_reason = "invalid_claim"

    def __init__(self, claim: str, expected: str) -> None:
        super().__init__(f"claim {claim}: expected {expected}", reason=_CLAIM_REASONS.get(claim))
        self.claim = claim
