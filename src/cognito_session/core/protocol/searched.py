"""Searched: which tokens a worker has looked for in their user's rows, and where each was found.

A search reads all rows of a user. An authentic token whose session is gone may be presented at every request, so a worker
searches once for each token. Bounded: the oldest answers are forgotten. A forgotten answer costs one more search.
"""

from __future__ import annotations

from typing import Final

__all__ = ["Searched"]

_MOST: Final = 4_096


class Searched:
    """Answers by (`sub`, `jti`): the session id of the row that knows the token, or None. One dictionary, no lock needed."""

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], str | None] = {}

    def __repr__(self) -> str:
        return f"Searched({len(self._found)} tokens)"

    def __contains__(self, token: tuple[str, str]) -> bool:
        return token in self._found

    def sid_of(self, token: tuple[str, str]) -> str | None:
        """Where the token was found; None where it was not, or was not looked for."""
        return self._found.get(token)

    def note(self, token: tuple[str, str], sid: str | None) -> None:
        """Remember the answer of a search that read all rows."""
        while len(self._found) >= _MOST:
            self._found.pop(next(iter(self._found), token), None)
        self._found[token] = sid

    def clear(self) -> None:
        """As in a new process."""
        self._found.clear()
