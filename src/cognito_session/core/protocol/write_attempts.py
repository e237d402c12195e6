"""How a flow writes when the store fails or another worker changes the row (protocol.md: General rules).

`repeated` is the one loop that repeats a write. Its pauses grow and end before the worker is stopped. A store that refuses
every write is asked four times; the last refusal is raised unchanged, because it names the cause. `write_quietly` is for
writes whose failure changes no answer: a returned lease, a mark of use, a moved idle end.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from math import inf
from typing import TYPE_CHECKING, Final, TypeVar

from cognito_session.core.errors import ConfigurationError, LeaseBusy, SessionError, SessionUnavailable, StoreUnavailable
from cognito_session.core.policy import PATIENCE_SECONDS
from cognito_session.core.protocol.context import next_delay
from cognito_session.core.protocol.steps import Flow, Report, Sleep, Write, ask

if TYPE_CHECKING:
    from cognito_session.core.protocol.conditions import Change, Written
    from cognito_session.core.protocol.context import FlowContext

__all__ = ["Again", "reason_of", "repeated", "report_failure", "write_quietly"]

A = TypeVar("A")

_PAUSES: Final = (0.1, 0.3, 0.9)
"""Seconds after the first, second and third fault; a fourth fault is raised."""
_ROUNDS: Final = 20
"""How often a row that keeps changing is read again: a refresh or a sign-in in between changes it once or twice."""
_SURE_ROUNDS: Final = 3
"""Rounds that are not counted against patience: a worker that was frozen for longer still has to look again."""
_LASTING: Final = frozenset({"unreadable_record", "tampered_record"})
"""Reading again repairs no row."""
_RESERVE_SECONDS: Final = 1
"""What is left of the worker's time for the response."""


class Again(Enum):
    """The answer of an attempt that another writer got in the way of: read again, then try again."""

    AGAIN = "again"


def repeated(context: FlowContext, attempt: Callable[[], Flow[A | Again]], *, busy: str) -> Flow[A]:
    """The first answer of `attempt` that is not AGAIN. An attempt reads what its write is conditioned on.

    Raises the StoreUnavailable of the fourth fault, and LeaseBusy with the text `busy` where other writers got in between 20
    times or for 12 seconds; both earlier where the worker's time runs out.
    """
    last = inf if context.deadline is None else context.deadline - _RESERVE_SECONDS
    give_up = min(last, context.clock.monotonic() + PATIENCE_SECONDS)
    faults, rounds, delay = 0, 0, 0.0
    while True:
        try:
            answer = yield from attempt()
        except StoreUnavailable as fault:
            if faults == len(_PAUSES) or fault.repeated or fault.reason in _LASTING:
                fault.repeated = True
                raise
            pause, faults = _PAUSES[faults] * _jitter(context), faults + 1
            yield from _wait(context, pause, give_up, fault)
            continue
        if not isinstance(answer, Again):
            return answer
        rounds, delay = rounds + 1, next_delay(delay, context.entropy)
        stop = LeaseBusy(busy)
        if rounds == _ROUNDS:
            raise stop
        yield from _wait(context, delay, give_up if rounds >= _SURE_ROUNDS else last, stop)


def _wait(context: FlowContext, seconds: float, give_up: float, otherwise: SessionUnavailable) -> Flow[None]:
    if context.clock.monotonic() + seconds > give_up:
        if isinstance(otherwise, StoreUnavailable):
            otherwise.repeated = True
        raise otherwise
    yield from ask(Sleep(seconds))


def _jitter(context: FlowContext) -> float:
    """Between a half and the whole, so that workers that failed together do not come back together."""
    return 0.5 + int.from_bytes(context.entropy(4), "big") / 2**33


def write_quietly(change: Change, sid: str | None) -> Flow[Written | None]:
    """Write once; the request goes on whatever comes of it. None where it is not known whether the write was applied."""
    try:
        return (yield from ask(Write(change)))
    except StoreUnavailable:
        return None
    except Exception as error:  # noqa: BLE001 - reported; it must not change the outcome of a request
        yield from report_failure(error, change.key.sub, sid, change.kind.value)
        return None


def report_failure(error: Exception, sub: str, sid: str | None, what: str) -> Flow[None]:
    """Tell the operator of a failure that the user does not notice.

    `what` names the write. The text of an error that is not the library's own is left out: it may quote a secret.
    """
    event = "misconfigured" if isinstance(error, ConfigurationError) else "write_failed"
    detail = str(error) if isinstance(error, SessionError) else type(error).__name__
    yield from ask(Report(event, sub, sid, f"{what}: {detail}"))


def reason_of(error: Exception) -> str:
    """The reason of an error of the library's own, the kind of any other: its text may quote a secret."""
    return error.reason if isinstance(error, SessionError) else type(error).__name__
