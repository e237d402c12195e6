"""Bytes that look random and are the same in every run, so that a failing test fails again.

For tests only: the count determines the bytes.
"""

from __future__ import annotations

from hashlib import sha256
from threading import Lock

__all__ = ["CountedBytes"]


class CountedBytes:
    """The entropy of a test: the nth call returns the nth bytes."""

    def __init__(self) -> None:
        self.count: int = 0
        self._lock = Lock()

    def __call__(self, size: int) -> bytes:
        """This many bytes."""
        with self._lock:
            self.count += 1
            count = self.count
        made = b"".join(sha256(f"{count}.{part}".encode()).digest() for part in range(-(-size // 32)))
        return made[:size]

    def uuid(self) -> str:
        """Bytes in the form of a UUID, like Cognito's ids."""
        text = self(16).hex()
        return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
