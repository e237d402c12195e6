"""Clocks that a test advances.

`ManualClock` stands still until it is advanced. `SharedClock` is real time plus an offset in a small file, so that several
processes (the local stack, workers, the test) share one time. Both have `.now()` in epoch seconds and `.monotonic()` in
seconds. Time never runs backwards, unless a test returns to a `mark` to repeat a moment. The module captures the real time
functions at import: import it before a process replaces `time.time` by a `SharedClock`.
"""

import os
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

__all__ = ["ManualClock", "SharedClock"]

_real_now = time.time  # noqa: TID251 - this module captures the real time functions
_real_monotonic = time.monotonic
_OFFSET = struct.Struct("<d")


class ManualClock:
    """A clock of one process that moves only with `advance`."""

    def __init__(self, now: float = 1_700_000_000.0, monotonic: float = 1_000.0) -> None:
        self._now = now
        self._monotonic = monotonic
        self._lock = threading.Lock()

    def now(self) -> float:
        """Epoch seconds."""
        return self._now

    def monotonic(self) -> float:
        """Seconds since an arbitrary instant."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Move both readings forward. Raises ValueError for a negative span."""
        _forward_only(seconds)
        with self._lock:
            self._now += seconds
            self._monotonic += seconds

    def mark(self) -> Callable[[], None]:
        """A function that restores the current time; it can be called repeatedly."""
        now, monotonic = self._now, self._monotonic

        def restore() -> None:
            with self._lock:
                self._now, self._monotonic = now, monotonic

        return restore

    def __repr__(self) -> str:
        return f"ManualClock(now={self._now}, monotonic={self._monotonic})"


class SharedClock:
    """Real time plus an offset in a file: every process that opens the same path has the same time.

    A missing or empty file means an offset of zero. A reading costs one system call and takes no lock.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path: Path = Path(path)
        self._lock = threading.Lock()  # a file lock does not exclude other threads of the process
        self._file: int | None = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @property
    def offset(self) -> float:
        """Seconds by which this clock is ahead of real time."""
        stored = os.pread(self._descriptor(), _OFFSET.size, 0)
        return float(_OFFSET.unpack(stored)[0]) if len(stored) == _OFFSET.size else 0.0

    def now(self) -> float:
        """Epoch seconds, advanced."""
        return _real_now() + self.offset

    def monotonic(self) -> float:
        """Seconds since an arbitrary instant, advanced."""
        return _real_monotonic() + self.offset

    def advance(self, seconds: float) -> None:
        """Advance the clock of every process. Raises ValueError for a negative span."""
        _forward_only(seconds)
        import fcntl  # POSIX only; ManualClock works everywhere

        file = self._descriptor()
        with self._lock:
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                os.pwrite(file, _OFFSET.pack(self.offset + seconds), 0)
            finally:
                fcntl.flock(file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the file; the offset remains in it. Closing twice is harmless."""
        with self._lock:
            file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"SharedClock({str(self.path)!r})"

    def _descriptor(self) -> int:
        if self._file is None:
            raise ValueError("the SharedClock is closed: open another one with the same path")
        return self._file


def _forward_only(seconds: float) -> None:
    if not seconds >= 0:
        raise ValueError(f"advance: expected zero or more seconds, not {seconds!r}")
