"""ControlCalls: whether a refusal that nobody understands is about one refresh token or about the app client.

Where Cognito refuses a refresh with an unknown sentence, the same call is sent once with a refresh token that cannot
exist. The same sentence again means that every call is refused: the operator's fault, and no session may end. Another
sentence means that the first token is what Cognito refuses.

1. At most one experiment in 15 minutes for an app client and process (its manager), however many refusals arrive.
2. Only a sentence that an experiment was made for may end sessions, and only until the next one. A fault that begins
   after an experiment brings a sentence that was not tested; it concludes nothing.
3. A sentence that was once the operator's fault ends no session for a day: while a fault is repaired, some of Cognito's
   servers still have it.
4. An experiment that fails concludes nothing, ever.
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

__all__ = ["EVERY_SECONDS", "ControlCalls", "Finding", "impossible_token", "log_control_call", "refuses_all"]
__all__ += ["with_impossible_token"]

EVERY_SECONDS: Final = 15 * 60
_REMEMBERED_SECONDS: Final = 24 * 3600
_MAX_REMEMBERED: Final = 100

Finding = Literal["client", "token", "token, just tested", "unknown"]
"""What is at fault. "just tested": the experiment was made for this very refusal."""


class ControlCalls:
    """The experiments of one process with one app client, under one clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = ProcessLock()
        self._made_at = float("-inf")
        self._control: str | None = None
        self._tested: str | None = None
        self._operators: dict[str, float] = {}

    def judge(self, words: str, send: Callable[[], str | None]) -> Finding:
        """What a refusal in these words is about.

        `send` makes the experiment: the words of the control call's refusal, or None where it was not refused as a token is.
        It raises NotSent where the call provably never left, which does not count.
        """
        with self._lock:
            now = self._clock.monotonic()
            if self._operators.get(words, float("-inf")) > now - _REMEMBERED_SECONDS:
                return "client"
            if now - self._made_at < EVERY_SECONDS:
                return self._known(words, now)
            before, self._made_at = self._made_at, now  # others do not wait: for them nothing is known yet
            self._control = self._tested = None
        return self._experiment(words, send, before)

    def _known(self, words: str, now: float) -> Finding:
        if words == self._control:
            self._remember(words, now)
            return "client"
        return "token" if words == self._tested else "unknown"

    def _experiment(self, words: str, send: Callable[[], str | None], before: float) -> Finding:
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
        if len(self._operators) >= _MAX_REMEMBERED:
            self._operators.pop(next(iter(self._operators)))
        self._operators[words] = now


def with_impossible_token(payload: dict[str, Any]) -> dict[str, Any]:
    """The payload of GetTokensFromRefreshToken or InitiateAuth with a refresh token that cannot exist in place of its own."""
    if "RefreshToken" in payload:
        return {**payload, "RefreshToken": impossible_token(payload["RefreshToken"])}
    parameters = payload["AuthParameters"]
    return {**payload, "AuthParameters": {**parameters, "REFRESH_TOKEN": impossible_token(parameters["REFRESH_TOKEN"])}}


def impossible_token(token: str | Secret[str]) -> str:
    """A refresh token of the same form that cannot exist: what Cognito checks before it opens a token stays the same.

    A real one is a JWE of five parts (RFC 7516 7.1). Its header is kept, which is the same for all; the rest is zeros.
    """
    header, dot, rest = str(plain(token)).partition(".")
    return header + dot + _zeros(rest) if dot else _zeros(header)


def _zeros(text: str) -> str:
    return "".join("." if character == "." else "A" for character in text)


def log_control_call(error: ServiceError, finding: Finding) -> None:
    """One line for each experiment, so at most one in 15 minutes: the message is unknown to the library and worth a report."""
    import logging

    told = {"client": "the same message", "token, just tested": "another message"}.get(finding, "no such refusal")
    logging.getLogger("cognito_session").warning(
        "refresh_refused: Cognito refused a refresh with a message that this version does not know; a refresh token that does"
        " not exist brought %s; %s: %s; request id %s",
        told,
        error.code,
        " ".join(error.message.split())[:300],
        error.request_id or "unknown",
    )


def refuses_all(error: ServiceError) -> ConfigurationError:
    """The operator's fault. Cognito's sentence is repeated: it names no user, being the same for a token of none."""
    return ConfigurationError(
        f"Cognito refuses every refresh of this app client ({error.code}), even of a token that does not exist: check"
        " CLIENT_ID, CLIENT_SECRET and the app client's settings (Cognito console: App clients). No session is ended."
        f" AWS says: {error.message}"
    )
