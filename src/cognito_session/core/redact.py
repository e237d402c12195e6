"""A repr that names every field of a NamedTuple and shows no secret.

The core's values are NamedTuples: a cold start makes some twenty of these classes, and each costs a seventh of a
dataclass. A NamedTuple's own repr shows everything.
"""

from __future__ import annotations

from typing import Any

__all__ = ["redacted_repr"]


def redacted_repr(value: Any, *secrets: str) -> str:
    """The repr of a NamedTuple whose fields `secrets` show only whether they are there."""
    shown = (f"{name}={_show(found, secret=name in secrets)}" for name, found in zip(value._fields, value, strict=True))
    return f"{type(value).__name__}({', '.join(shown)})"


def _show(value: object, *, secret: bool) -> str:
    return "..." if secret and value is not None else repr(value)
