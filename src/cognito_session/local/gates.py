"""Gates that hold requests until a test lets them go, so that races need no sleeps.

A gate stands before or after the work of an operation. A request that it holds goes on when it is released, even if
its client has gone meanwhile: that is the late work that a lease must survive. Nothing is held for longer than
HOLD_SECONDS. All of this runs on one event loop.
"""

import asyncio
import contextlib
from dataclasses import dataclass, field

__all__ = ["HOLD_SECONDS", "Gate", "Gates"]

HOLD_SECONDS = 60.0


@dataclass(eq=False)
class Gate:
    """Holds what matches. `times` None holds every request, a number only the first so many."""

    operation: str
    after: bool = False
    times: int | None = None
    caller: str | None = None
    _held: list[asyncio.Future[None]] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _open: bool = False

    def admits(self, operation: str, caller: str | None) -> bool:
        """Whether a request may pass without being held; a request that is to be held is counted."""
        if self._open or self.operation not in ("*", operation) or self.caller not in (None, caller) or self.times == 0:
            return True
        if self.times is not None:
            self.times -= 1
        return False

    async def hold(self) -> None:
        """Wait until released."""
        released: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._held.append(released)
        self._changed.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(released, HOLD_SECONDS)
        if released in self._held:
            self._held.remove(released)

    async def wait_for(self, count: int, seconds: float) -> int:
        """Wait until at least `count` requests are held, at most so many seconds; how many are."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while len(self._held) < count:
                    self._changed.clear()
                    await self._changed.wait()
        return len(self._held)

    def release(self, count: int | None = None) -> int:
        """Let the `count` longest held go; None lets all go and opens the gate for good. How many were let go."""
        self._open |= count is None
        gone = self._held[:count]
        del self._held[:count]
        for released in gone:
            if not released.done():
                released.set_result(None)
        return len(gone)


class Gates:
    """The gates in force, by number."""

    def __init__(self) -> None:
        self._gates: dict[int, Gate] = {}
        self._built = 0

    def add(self, gate: Gate) -> int:
        """Put a gate in force; its number."""
        self._built += 1
        self._gates[self._built] = gate
        return self._built

    def get(self, number: int) -> Gate:
        """The gate of this number. Raises KeyError."""
        return self._gates[number]

    async def pass_through(self, operation: str, caller: str | None, *, after: bool) -> None:
        """Wait at each gate that holds this request."""
        for gate in list(self._gates.values()):
            if gate.after == after and not gate.admits(operation, caller):
                await gate.hold()

    def clear(self) -> None:
        """Open and forget every gate."""
        for gate in self._gates.values():
            gate.release()
        self._gates.clear()
