"""Clocks of machines that are not set right."""

from __future__ import annotations

__all__ = ["OtherClock"]


class OtherClock:
    """A clock that differs from the stack's by some seconds."""

    def __init__(self, clock, ahead_seconds: float) -> None:
        self._clock = clock
        self._ahead_seconds = ahead_seconds

    def now(self) -> float:
        """Epoch seconds."""
        return self._clock.now() + self._ahead_seconds

    def monotonic(self) -> float:
        """As the stack's."""
        return self._clock.monotonic()
