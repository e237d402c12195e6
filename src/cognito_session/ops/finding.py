"""Finding: one observation about a setup, and the action that corrects it. Never holds a secret."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

__all__ = ["Finding"]


class Finding(NamedTuple):
    """A problem, a difference that still works, or a note.

    `correction` is the operation and payload of the call that corrects it, if there is one.
    """

    level: Literal["problem", "difference", "note"]
    what: str
    fix: str
    correction: tuple[str, dict[str, Any]] | None = None

    def __str__(self) -> str:
        return f"{self.level}: {self.what.removesuffix('.')}. {self.fix}"
