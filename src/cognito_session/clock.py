"""SystemClock: the machine's own clocks, the one place where real time comes in."""

from __future__ import annotations

import time

__all__ = ["SystemClock"]


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> float:
        """Epoch seconds."""
        return time.time()  # noqa: TID251 - the one place where the real time comes in

    def monotonic(self) -> float:
        """Seconds of CLOCK_MONOTONIC."""
        return time.monotonic()
