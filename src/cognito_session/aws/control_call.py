"""ControlCalls: whether an unrecognized refusal is about one refresh token or about the app client.

If Cognito refuses a refresh with an unknown message, the same call is sent once with a refresh token that cannot exist. The
same message again means that Cognito refuses every call: the setup is wrong, and no session may end. Another message means
that Cognito refuses the first token.

1. At most one control call in 15 minutes for an app client and process (its manager), however many refusals arrive.
2. Only a message that a control call has tested may end sessions, and only until the next one. A fault that begins after a
   control call brings an untested message, which concludes nothing.
3. A message that once meant a wrong setup ends no session for a day: while a fault is repaired, some of Cognito's servers
   still have it.
4. A control call that fails concludes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from cognito_session.aws.transport.interface import NotSent
from cognito_session.core.errors import ConfigurationError
from cognito_session.core.secret import Secret, plain
from cognito_session.fork import ProcessLock

if TYPE_CHECKING:
    from collections.abc import Callable

    from cognito_session.aws.transport.interface import ServiceError
    from cognito_session.core.protocol.ports import Clock

__all__ = ["EVERY_SECONDS", "Cause", "ControlCalls", "impossible_token", "log_control_call", "refuses_all"]
__all__ += ["with_impossible_token"]

EVERY_SECONDS: Final = 15 * 60
_REMEMBERED_SECONDS: Final = 24 * 3600
_MAX_REMEMBERED: Final = 100

Cause = Literal["client", "token", "token, just tested", "unknown"]
"""The cause of a refusal. "just tested" means that the control call was sent for this refusal."""


class ControlCalls:
    """The control calls of one process for one app client, under one clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = ProcessLock()
        self._made_at = float("-inf")
        self._control: str | None = None
        self._tested: str | None = None
        self._setup_faults: dict[str, float] = {}

    def judge(self, words: str, send: Callable[[], str | None]) -> Cause:
        """The cause of a refusal with this message, in its comparable form.

        `send` sends the control call. It returns the message of its refusal, or None if the call was not refused like a
        token. A NotSent that it raises does not count as a control call.
        """
        with self._lock:
            now = self._clock.monotonic()
            if self._setup_faults.get(words, float("-inf")) > now - _REMEMBERED_SECONDS:
                return "client"
            if now - self._made_at < EVERY_SECONDS:
                return self._known(words, now)
            before, self._made_at = self._made_at, now  # other threads do not wait: for them the cause is still unknown
            self._control = self._tested = None
        return self._control_call(words, send, before)

    def _known(self, words: str, now: float) -> Cause:
        if words == self._control:
            self._remember(words, now)
            return "client"
        return "token" if words == self._tested else "unknown"

    def _control_call(self, words: str, send: Callable[[], str | None], before: float) -> Cause:
        try:
            control = send()
        except NotSent:
            with self._lock:
                self._made_at = before
            return "unknown"
        with self._lock:
            self._control = control
            if control is None:
                return "unknown"
            if control == words:
                self._remember(words, self._clock.monotonic())
                return "client"
            self._tested = words
            return "token, just tested"

    def _remember(self, words: str, now: float) -> None:
        if len(self._setup_faults) >= _MAX_REMEMBERED:
            self._setup_faults.pop(next(iter(self._setup_faults)))
        self._setup_faults[words] = now


def with_impossible_token(payload: dict[str, Any]) -> dict[str, Any]:
    """The payload of GetTokensFromRefreshToken or InitiateAuth, with a refresh token that cannot exist."""
    if "RefreshToken" in payload:
        return {**payload, "RefreshToken": impossible_token(payload["RefreshToken"])}
    parameters = payload["AuthParameters"]
    return {**payload, "AuthParameters": {**parameters, "REFRESH_TOKEN": impossible_token(parameters["REFRESH_TOKEN"])}}


def impossible_token(token: str | Secret[str]) -> str:
    """A refresh token that cannot exist, in the same form, so that Cognito's checks before decryption have the same result.

    A real one is a JWE of five parts (RFC 7516 7.1). The header, which all share, is kept; the rest is zeros.
    """
    header, dot, rest = str(plain(token)).partition(".")
    return header + dot + _zeros(rest) if dot else _zeros(header)


def _zeros(text: str) -> str:
    return "".join("." if character == "." else "A" for character in text)


def log_control_call(error: ServiceError, cause: Cause) -> None:
    """Log a control call, so at most one line in 15 minutes. The message is unknown to the library and worth a report."""
    import logging

    told = {"client": "the same message", "token, just tested": "another message"}.get(cause, "no such refusal")
    logging.getLogger("cognito_session").warning(
        "refresh_refused: Cognito refused a refresh with a message that this version does not know; a refresh token that does"
        " not exist brought %s; %s: %s; request id %s",
        told,
        error.code,
        " ".join(error.message.split())[:300],
        error.request_id or "unknown",
    )


def refuses_all(error: ServiceError) -> ConfigurationError:
    """The error for a wrong setup. It quotes Cognito's message, which names no user: a nonexistent token brought the same."""
    return ConfigurationError(
        f"Cognito refuses every refresh of this app client ({error.code}), even of a token that does not exist: check"
        " CLIENT_ID, CLIENT_SECRET and the app client's settings (Cognito console: App clients). No session is ended."
        f" AWS says: {error.message}"
    )
