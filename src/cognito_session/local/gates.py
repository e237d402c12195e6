"""Gates hold requests until a test releases them, so that concurrency tests need no sleeps.

A gate is before or after the work of an operation. A released request continues even if its client is gone: a lease must
survive such late work. A gate holds no request longer than HOLD_SECONDS. Everything here runs on one event loop.
"""

import asyncio
import contextlib
from dataclasses import dataclass, field

__all__ = ["HOLD_SECONDS", "Gate", "Gates"]

HOLD_SECONDS = 60.0


@dataclass(eq=False)
class Gate:
    """Holds matching requests. `times` None: every request; a number: only the first ones."""

    operation: str
    after: bool = False
    times: int | None = None
    caller: str | None = None
    _held: list[asyncio.Future[None]] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _open: bool = False

    def admits(self, operation: str, caller: str | None) -> bool:
        """Whether a request passes without being held. A held request is counted."""
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
        """Wait, at most `seconds`, until the gate holds at least `count` requests; returns how many it holds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while len(self._held) < count:
                    self._changed.clear()
                    await self._changed.wait()
        return len(self._held)

    def release(self, count: int | None = None) -> int:
        """Release the `count` longest-held requests and return how many; None releases all and opens the gate for good."""
        self._open |= count is None
        gone = self._held[:count]
        del self._held[:count]
        for released in gone:
            if not released.done():
                released.set_result(None)
        return len(gone)


class Gates:
    """The active gates, by number."""

    def __init__(self) -> None:
        self._gates: dict[int, Gate] = {}
        self._built = 0

    def add(self, gate: Gate) -> int:
        """Add a gate; returns its number."""
        self._built += 1
        self._gates[self._built] = gate
        return self._built

    def get(self, number: int) -> Gate:
        """The gate with this number. Raises KeyError."""
        return self._gates[number]

    async def pass_through(self, operation: str, caller: str | None, *, after: bool) -> None:
        """Wait at each gate that holds this request."""
        for gate in list(self._gates.values()):
            if gate.after == after and not gate.admits(operation, caller):
                await gate.hold()

    def clear(self) -> None:
        """Open and remove every gate."""
        for gate in self._gates.values():
            gate.release()
        self._gates.clear()
