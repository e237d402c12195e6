"""Log: entries in order of arrival, readable as a sequence. The kit logs calls, the local stack logs requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar, overload

__all__ = ["Log"]

T = TypeVar("T")


class Log(Sequence[T], Generic[T]):
    """The entries so far, oldest first."""

    def __init__(self) -> None:
        self._entries: list[T] = []

    def add(self, entry: T) -> None:
        """Add an entry."""
        self._entries.append(entry)

    def clear(self) -> None:
        """Remove all entries."""
        self._entries.clear()

    def replace(self, entries: Sequence[T]) -> None:
        """Replace all entries."""
        self._entries[:] = entries

    @overload
    def __getitem__(self, index: int) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...

    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        return self._entries[index]

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._entries!r})"
