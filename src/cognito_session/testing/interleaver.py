"""Runs two concurrent requests in every order: one Run per order, each from the same initial state.

The orders come by the number of interruptions: none, then one, then two. Two interruptions find nearly every race (Musuvathi
and Qadeer, "Iterative context bounding for systematic testing of multithreaded programs", PLDI 2007).
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from cognito_session.testing.scheduler import ScheduledRun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cognito_session.testing.scheduler import Scheduler, Turn

__all__ = ["Run", "interleavings", "play"]

Works = tuple["Callable[[], Any]", "Callable[[], Any]"]


class Run:
    """A run in one order. `order` is the sequence of turns, such as "112212"; pass it to `interleave` to repeat the run."""

    def __init__(self, stage: ScheduledRun) -> None:
        self._stage = stage
        self.decisions: tuple[Turn, ...] = tuple(stage.decisions)
        self.order: str = "".join(str(decision.actor) for decision in self.decisions)

    def __repr__(self) -> str:
        return f"Run(order={self.order!r})"

    @property
    def first(self) -> Any:
        """The result of the first request. Raises its exception."""
        return self._result(1)

    @property
    def second(self) -> Any:
        """The result of the second request. Raises its exception."""
        return self._result(2)

    @property
    def steps(self) -> tuple[str, ...]:
        """The turns in words, such as "1 dynamodb UpdateItem commit"."""
        return tuple(
            f"{made.actor} {made.call.service} {made.call.operation} {made.call.purpose}".rstrip() for made in self.decisions
        )

    def _result(self, actor: int) -> Any:
        if actor in self._stage.errors:
            raise self._stage.errors[actor]
        return self._stage.results[actor]


def play(scheduler: Scheduler, works: Works, order: str = "") -> Run:
    """Run one order. After its end, the request with the last turn continues. Raises ValueError and TimeoutError."""
    if not set(order) <= {"1", "2"}:
        raise ValueError('order: expected a text like "1122", with one digit per turn')
    if scheduler.stage is not None:
        raise ValueError("interleave: another run is in progress")
    scheduler.stage = stage = ScheduledRun(works, [int(turn) for turn in order])
    try:
        stage.play()
    finally:
        scheduler.stage = None
    return Run(stage)


def interleavings(
    scheduler: Scheduler, works: Works, *, restart: Callable[[], None], switches: int | None, limit: int
) -> Iterator[Run]:
    """Runs of all orders with at most `switches` interruptions (None: any number), at most `limit` of them."""
    waiting: deque[tuple[str, int]] = deque([("", 0)])
    for _ in range(limit):
        if not waiting:
            break
        order, interrupted = waiting.popleft()
        restart()
        run = play(scheduler, works, order)
        yield run
        if switches is None or interrupted < switches:
            later = range(len(order), len(run.decisions))
            others = ((at, run.decisions[at].other) for at in later)
            waiting.extend((run.order[:at] + str(other), interrupted + 1) for at, other in others if other is not None)
    restart()
