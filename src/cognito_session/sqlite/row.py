"""A session row as JSON text and back, faithful in value and in type.

Rule: a set is `{"$set": [...]}`, and a mapping that could be mistaken for a marker is `{"$map": {...}}`; nothing else is
marked. Text is kept in ASCII escapes, so that even a lone surrogate survives. Messages never hold what a row holds.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from cognito_session.core.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cognito_session.core.protocol.record import Row

__all__ = ["from_text", "to_text"]

_SET: Final = "$set"
_MAP: Final = "$map"


def to_text(row: Mapping[str, Any]) -> str:
    """The row's attributes as JSON. Raises TypeError for a value of a type that rows do not have."""
    return json.dumps(_plain(row), separators=(",", ":"))


def from_text(text: object) -> Row:
    """The attributes of a stored row. Raises StoreUnavailable where it is not one."""
    try:
        found = json.loads(text if isinstance(text, str) else "")
        row = {name: _value(item) for name, item in found.items()} if isinstance(found, dict) else None
    except (ValueError, TypeError, AttributeError, RecursionError):
        row = None
    if row is None:  # out here, because a JSONDecodeError carries the whole row, and a chained one still does
        raise StoreUnavailable("session row: expected attributes in JSON", reason="unreadable_record")
    return row


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {_name(name): _marked(value) for name, value in row.items()}


def _marked(value: Any) -> Any:
    match value:
        case None | str() | bool() | int() | float():
            return value
        case frozenset():
            return {_SET: sorted(_name(item) for item in value)}
        case list():
            return [_marked(item) for item in value]
        case dict():
            plain = _plain(value)
            return {_MAP: plain} if plain.keys() in ({_SET}, {_MAP}) else plain
    raise TypeError(f"session row: no place for {type(value).__name__}")


def _name(name: Any) -> str:
    if isinstance(name, str):
        return name
    raise TypeError(f"session row: expected text for a name or a member of a set, not {type(name).__name__}")


def _value(found: Any) -> Any:
    if isinstance(found, list):
        return [_value(item) for item in found]
    if not isinstance(found, dict):
        return found
    if found.keys() == {_SET}:
        return frozenset(found[_SET])
    return {name: _value(item) for name, item in (found[_MAP] if found.keys() == {_MAP} else found).items()}
