"""Finding: one thing that is not as it should be, with what to do about it. Never holds a secret."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

__all__ = ["Finding"]


class Finding(NamedTuple):
    """A problem, a difference that works all the same, or a note.

    `mend` is the operation and payload that put it right, where a call can.
    """

    level: Literal["problem", "difference", "note"]
    what: str
    fix: str
    mend: tuple[str, dict[str, Any]] | None = None

    def __str__(self) -> str:
        return f"{self.level}: {self.what.removesuffix('.')}. {self.fix}"
