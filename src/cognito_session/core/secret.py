"""Secret: a password, code, token or key on its way to the call that sends it.

1. It shows nothing: not in repr, str, format or an f-string, and `json` and `pickle` refuse it. Error trackers show the repr
   of local variables.
2. `reveal` gives the value. Only what sends, seals, hashes or parses the value calls it, and within one expression.
3. It compares in constant time, with another Secret or with the plain value.
Applications pass and receive plain values: the public methods wrap what they are given (argument_checks.py).
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any, Generic, NoReturn, Self, TypeVar

__all__ = ["Secret", "plain", "secret"]

T = TypeVar("T")

_SHOWN = "Secret(...)"


class Secret(Generic[T]):
    """A value that hides itself: a text, bytes, or a structure that holds such."""

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        self._value = value

    def reveal(self) -> T:
        """The value, for the call that needs it. Do not keep it in a variable."""
        return self._value

    def __repr__(self) -> str:
        return _SHOWN

    def __str__(self) -> str:
        return _SHOWN

    def __format__(self, spec: str) -> str:
        return format(_SHOWN, spec)

    def __eq__(self, other: object) -> bool:
        mine, theirs = _bytes(self._value), _bytes(other._value if isinstance(other, Secret) else other)
        if mine is None or theirs is None:
            return bool(self._value == (other._value if isinstance(other, Secret) else other))
        return hmac.compare_digest(mine, theirs)

    def __hash__(self) -> int:
        return hash(self._value)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:  # dataclasses.asdict copies every value
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret is not pickled: it would leave the process in plain text")


def secret(value: Any) -> Any:
    """`value` as a Secret; None and what is one already as they are."""
    return value if value is None or isinstance(value, Secret) else Secret(value)


def plain(value: Any) -> Any:
    """`value` with each Secret in it revealed, in mappings and lists as well: for the call that sends it."""
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list) else value


def _bytes(value: object) -> bytes | None:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    return value if isinstance(value, bytes) else None
