"""Make: how an app is built, as far as a crash could care: its cookie, its store, its manager."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from crashes.points import POINTS, WRITE, Point
from support.sealing_keys import ring

__all__ = ["Make"]

_KEYS = ring(1)


class Make(NamedTuple):
    """`file`: rows in this SQLite file instead of DynamoDB. `asynchronous`: the workers use an AsyncSessionManager."""

    sealed: bool = False
    file: Path | None = None
    asynchronous: bool = False

    @property
    def cookie(self) -> str:
        """The form of the cookie."""
        return "sealed" if self.sealed else "token"

    @property
    def words(self) -> list[str]:
        """What differs from the plain app."""
        kinds = {"sealed cookie": self.sealed, "SQLite": self.file is not None, "asynchronous": self.asynchronous}
        return [word for word, applies in kinds.items() if applies]

    @property
    def points(self) -> tuple[Point, ...]:
        """Where its workers can stop. A write to SQLite is never under way without its worker."""
        return POINTS if self.file is None else tuple(point for point in POINTS if point.held != WRITE)

    def environment(self, plain: Mapping[str, str]) -> dict[str, str]:
        """The environment of such an app."""
        found = dict(plain)
        if self.sealed:
            found["SESSION_KEYS"] = _KEYS
        if self.file is not None:
            for name in ("SESSION_TABLE", "PARTITION_KEY", "SORT_KEY"):
                found.pop(name, None)
            found["SESSION_STORE"] = f"sqlite:///{self.file}"
        return found
