"""Notices: the lines in the log of what a flow could not find out, was refused by AWS, or found suspicious.

1. One line for each 503 and each reported event of note, whichever adapter or manager ran the flow; a fault that the flow
   coped with has its line too. An outage must not be found out from users.
2. A line says the reason, AWS's code, sentence and request id, and holds no token, cookie or typed value.
3. At most one line a minute for each reason and code. The next line says how many were left out.
Time is the wall clock of the ports: another clock may stand still while a function is frozen. There is no lock, which a
fork could leave locked: a race may cost an exact count.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from cognito_session.core.errors import ConfigurationError, SessionUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cognito_session.core.protocol.steps import Report

__all__ = ["Notices"]

PAUSE_SECONDS: Final = 60
_MOST_KEYS: Final = 200
_MOST_CHARS: Final = 1_000
_MOST_A_SECOND: Final = 10
_ROUTINE: Final = frozenset({"established", "ended", "refreshed"})
"""Events of sessions that do what they should."""
_SECRETS: Final = (
    re.compile(r"(?i)\bvalue '.*' at '"),  # Cognito quotes what it refuses: "Value 'hunter2' at 'password' failed to ..."
    re.compile(r"[A-Za-z0-9_+/=.~-]{100,}"),  # a token; no ARN has so long a part
)
_REDACTED: Final = ("value '...' at '", "...")


class Notices:
    """One manager's notices; `tell_*` write to the logger `cognito_session`."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], tuple[float, int]] = {}
        self._admitted: dict[tuple[str, str], tuple[int, int]] = {}

    def admits(self, event: Report, now: float) -> bool:
        """Whether this event, which a stranger can cause at will, is told: ten a second of each limit_key are."""
        key, second = event.limit_key, int(now)
        began, count = self._admitted.get(key, (second, 0))
        if began == second and count >= _MOST_A_SECOND:
            told = self._told.get(key)
            if told is not None:
                self._told[key] = told[0], told[1] + 1
            return False
        if len(self._admitted) >= _MOST_KEYS:
            self._admitted.clear()
        self._admitted[key] = second, count + 1 if began == second else 1
        return True

    def tell_raised(self, error: Exception, faults: list[Exception], now: float) -> None:
        """A flow ended with `error` at `now` (epoch seconds); `faults` are those it was told on its way."""
        if isinstance(error, SessionUnavailable):
            self._tell(error.reason, "503", error, faults, now)
        elif isinstance(error, ConfigurationError) and error in faults:  # AWS refused it; one of ours is the caller's to see
            self._tell(error.reason, "500", error, faults, now)

    def tell_coped(self, faults: list[Exception], now: float) -> None:
        """A flow was answered although it was told these faults."""
        for error in faults:
            if isinstance(error, SessionUnavailable | ConfigurationError):
                self._tell(error.reason, "the request was answered all the same", error, [], now)

    def tell_event(self, event: Report, faults: list[Exception], now: float) -> None:
        """A reported event. What is routine has no line; the faults that led to any other are told with it, and so told."""
        if event.event in _ROUTINE:
            return
        named = (("user", event.sub), ("session", event.sid), ("from", event.address))
        who = "".join(f", {name} {value}" for name, value in named if value)
        aws = _from_aws(faults[-1:])
        key = event.limit_key if event.limited else (event.event, aws.get("code", ""))
        self._write(key, f"{event.event}{who}{_listed(event.detail, aws)}", now)
        faults.clear()

    def is_due(self, what: str, now: float) -> bool:
        """Whether another event may write a line about `what` at `now`: one a minute."""
        return self._left_out((what, ""), now) is not None

    def _tell(self, reason: str, what: str, error: Exception, faults: list[Exception], now: float) -> None:
        aws = _from_aws([error, *reversed(faults)])
        self._write((reason, aws.get("code", "")), f"{reason}: {what}{_listed(str(error), aws)}", now)

    def _write(self, key: tuple[str, str], line: str, now: float) -> None:
        left_out = self._left_out(key, now)
        if left_out is None:
            return
        import logging

        more = f" ({left_out} more like it were not logged)" if left_out else ""
        logging.getLogger("cognito_session").warning("%s%s", _fit(line), more)

    def _left_out(self, key: tuple[str, str], now: float) -> int | None:
        """How many lines of this kind were left out since the last one; None where this one is left out as well."""
        told_at, left_out = self._told.get(key, (float("-inf"), 0))
        if 0 <= now - told_at < PAUSE_SECONDS:
            self._told[key] = told_at, left_out + 1
            return None
        if len(self._told) >= _MOST_KEYS:
            self._told.clear()
        self._told[key] = now, 0
        return left_out


def _listed(message: str, aws: dict[str, str]) -> str:
    """The message, and what AWS said where the message does not say it already."""
    parts = [message] if message else []
    parts += [f"{name} {value}" for name, value in aws.items() if value not in message]
    return "".join(f"; {part}" if number else f": {part}" for number, part in enumerate(parts))


def _from_aws(errors: list[Exception]) -> dict[str, str]:
    """Code, sentence and request id of the first error in the chains of causes that knows a code."""
    for error in errors:
        for cause in _chain(error):
            code = getattr(cause, "code", None)
            if isinstance(code, str) and code:
                found: dict[str, Any] = {"code": code, "AWS:": getattr(cause, "message", "")}
                found["request id"] = getattr(cause, "request_id", "")
                return {name: value for name, value in found.items() if isinstance(value, str) and value}
    return {}


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(10):
        if error is None:
            return
        yield error
        error = error.__cause__


def _fit(line: str) -> str:
    """One line, printable, short, without what may be a secret."""
    line = "".join(char if char.isprintable() else " " for char in line[: 4 * _MOST_CHARS])
    for pattern, shown in zip(_SECRETS, _REDACTED, strict=True):
        line = pattern.sub(shown, line)
    return line if len(line) <= _MOST_CHARS else line[:_MOST_CHARS] + "..."
