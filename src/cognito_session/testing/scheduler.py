"""Runs two requests one step at a time: each stops before every call and continues on its turn.

1. Only one of the two runs at any moment, so that the order of turns determines everything. A turn lasts from the start to
the first call, from one call to the next, or from the last call to the end.
2. A request that waits yields to the other one; the order cannot change that.
3. Nothing here waits for time to pass. A request that neither calls nor ends is abandoned after some real seconds.
A context variable identifies the request. The threads of an event loop and of the asynchronous driver inherit it.
"""

from __future__ import annotations

from collections import deque
from contextvars import ContextVar, copy_context
from threading import Condition, Thread
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cognito_session.testing.call_log import Call

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["PAUSE", "ScheduledRun", "Scheduler", "Turn"]

PAUSE: Final = "pause"
"""The operation of a request that waits."""
_START: Final = Call("clock", "start")

_STUCK_SECONDS: Final = 10.0
_MOST_STEPS: Final = 2000
_actor: ContextVar[int | None] = ContextVar("cognito_session.testing.actor", default=None)


class Turn(NamedTuple):
    """A turn: the request, its call, and the other request that could have had the turn (None: no other)."""

    actor: int
    call: Call
    other: int | None


class Scheduler:
    """Every call of an attached manager passes through it; it is open unless a ScheduledRun is set."""

    def __init__(self) -> None:
        self.stage: ScheduledRun | None = None

    def step(self, call: Call) -> bool:
        """Wait for the turn of the current request; False if it is not part of a scheduled run."""
        stage, actor = self.stage, _actor.get()
        if stage is None or actor is None:
            return False
        stage.wait(actor, call)
        return True


class _Ticket:
    """One call that waits for its turn."""

    __slots__ = ("call", "granted")

    def __init__(self, call: Call) -> None:
        self.call = call
        self.granted = False


class ScheduledRun:
    """Runs two callables. `order` determines the first turns; then the last request continues, subject to rule 2."""

    def __init__(self, works: tuple[Callable[[], Any], Callable[[], Any]], order: Sequence[int]) -> None:
        self.decisions: list[Turn] = []
        self.results: dict[int, Any] = {}
        self.errors: dict[int, BaseException] = {}
        self._works: dict[int, Callable[[], Any]] = dict(zip((1, 2), works, strict=True))
        self._order = deque(order)
        self._waiting: dict[int, deque[_Ticket]] = {1: deque(), 2: deque()}
        self._ended: set[int] = set()
        self._open = False
        self._changed = Condition()

    def play(self) -> None:
        """Run both to the end. Raises TimeoutError for stuck work, ValueError for a wrong order."""
        threads = [Thread(target=copy_context().run, args=(self._perform, actor), daemon=True) for actor in (1, 2)]
        try:
            for actor, thread in zip((1, 2), threads, strict=True):
                thread.start()
                self._settle(actor)
            while ready := [actor for actor in (1, 2) if self._waiting[actor]]:
                self._settle(self._grant(ready))
        finally:
            self._let_go()
            for thread in threads:
                if thread.ident is not None:
                    thread.join(_STUCK_SECONDS)

    def wait(self, actor: int, call: Call) -> None:
        """Wait until this request can make this call."""
        ticket = _Ticket(call)
        with self._changed:
            self._waiting[actor].append(ticket)
            self._changed.notify_all()
            self._changed.wait_for(lambda: ticket.granted or self._open)

    def _perform(self, actor: int) -> None:
        _actor.set(actor)
        self.wait(actor, _START)
        try:
            self.results[actor] = _finished(self._works[actor]())
        except BaseException as error:  # noqa: BLE001 - Run raises it when the test reads the result
            self.errors[actor] = error
        finally:
            with self._changed:
                self._ended.add(actor)
                self._changed.notify_all()

    def _settle(self, actor: int) -> None:
        """Wait until the request stops before a call or has ended."""
        with self._changed:
            settled = self._changed.wait_for(lambda: self._waiting[actor] or actor in self._ended, _STUCK_SECONDS)
        if not settled:
            raise TimeoutError(
                f"interleave: request {actor} made no call and did not end within {_STUCK_SECONDS:.0f} seconds;"
                " check whether a lock makes it wait for the other request"
            )

    def _grant(self, ready: list[int]) -> int:
        if len(self.decisions) >= _MOST_STEPS:
            raise TimeoutError(f"interleave: the requests have not ended after {_MOST_STEPS} calls")
        actor = self._chosen(ready)
        other = next((each for each in ready if each != actor), None)
        with self._changed:
            ticket = self._waiting[actor].popleft()
            self.decisions.append(Turn(actor, ticket.call, other))
            ticket.granted = True
            self._changed.notify_all()
        return actor

    def _chosen(self, ready: list[int]) -> int:
        if self._order:
            wanted = self._order.popleft()
            if wanted not in ready:
                turn = len(self.decisions) + 1
                raise ValueError(f"order: turn {turn} is for request {wanted}, which has ended")
            return wanted
        last = self.decisions[-1].actor if self.decisions else 1
        goes_on = last in ready and self._waiting[last][0].call.operation != PAUSE
        others = [actor for actor in ready if actor != last]
        return last if goes_on or not others else others[0]

    def _let_go(self) -> None:
        with self._changed:
            self._open = True
            self._changed.notify_all()


def _finished(value: Any) -> Any:
    """The return value of a callable; a coroutine is run to its end first."""
    from inspect import iscoroutine

    if not iscoroutine(value):
        return value
    import asyncio

    return asyncio.run(value)
