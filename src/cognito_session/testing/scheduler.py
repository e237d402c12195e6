"""Two requests, one step at a time: each stops before every call it makes and goes on when it is its turn.

1. Only one of the two runs at any moment, so that an order of turns decides everything: a turn is from the beginning to the
   first call, from one call to the next, or from the last one to the end.
2. Who waits lets the other go on; that is no choice but how waiting works.
3. Nothing here waits for time to pass. A request that neither calls nor ends is given up after some real seconds.
The two are told apart by a context variable, which threads of an event loop and of the asynchronous driver inherit.
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
    """A turn: who had it, for which call, and who else could have had it (None: nobody)."""

    actor: int
    call: Call
    other: int | None


class Scheduler:
    """Where every call of an attached manager passes; open unless a ScheduledRun is set."""

    def __init__(self) -> None:
        self.stage: ScheduledRun | None = None

    def step(self, call: Call) -> bool:
        """Wait for one's turn, if this is one of two requests on a stage; whether it is."""
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
    """Plays two pieces of work; `order` says whose turns are the first ones, rule 2 and the last one's momentum the rest."""

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
        """From the beginning to the end of both. Raises TimeoutError for work that gets stuck, ValueError for a wrong order."""
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
        """Until it is this actor's turn to make this call."""
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
        except BaseException as error:  # noqa: BLE001 - handed to whoever looks at the result
            self.errors[actor] = error
        finally:
            with self._changed:
                self._ended.add(actor)
                self._changed.notify_all()

    def _settle(self, actor: int) -> None:
        """Until the actor stands before a call or has ended."""
        with self._changed:
            settled = self._changed.wait_for(lambda: self._waiting[actor] or actor in self._ended, _STUCK_SECONDS)
        if not settled:
            raise TimeoutError(
                f"interleave: request {actor} neither called DynamoDB or Cognito nor ended within {_STUCK_SECONDS:.0f} seconds;"
                " does it wait for the other one, by a lock of its own?"
            )

    def _grant(self, ready: list[int]) -> int:
        if len(self.decisions) >= _MOST_STEPS:
            raise TimeoutError(f"interleave: the two requests have not ended after {_MOST_STEPS} calls")
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
                raise ValueError(f"interleave: the order gives turn {turn} to request {wanted}, which has ended")
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
    """What work returned; a coroutine is run to its end first."""
    from inspect import iscoroutine

    if not iscoroutine(value):
        return value
    import asyncio

    return asyncio.run(value)
