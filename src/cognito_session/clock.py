"""SystemClock: the machine's own clocks, the one place where real time comes in.

CLOCK_MONOTONIC belongs to a machine. A process that continues on another one, as a Lambda function does that SnapStart has
restored, can find it far behind what the process has read before. Then key sets and secrets would count as just fetched for as
long as that difference. So the reading goes on from the last one, by the time that the wall clock says has passed.
https://github.com/aws/aws-lambda-web-adapter/pull/569 https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html
"""

from __future__ import annotations

import time
from typing import Final

__all__ = ["SystemClock"]

_BACK_SECONDS: Final = 1.0
"""Readings of two threads can be noted in the wrong order, but not by so much."""


class SystemClock:
    """The machine's own clocks."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last = (float("-inf"), 0.0, 0.0)
        """The last reading of both clocks, and what is added. Replaced as a whole, so that no lock is needed."""

    def now(self) -> float:
        """Epoch seconds."""
        return time.time()  # noqa: TID251 - the one place where the real time comes in

    def monotonic(self) -> float:
        """Seconds of CLOCK_MONOTONIC; where that has gone back, the seconds that have passed are added to the last reading."""
        last, last_now, ahead = self._last
        read, now = time.monotonic(), self.now()
        if read < last - _BACK_SECONDS:
            ahead += last - read + max(0.0, now - last_now)
        self._last = read, now, ahead
        return read + ahead
