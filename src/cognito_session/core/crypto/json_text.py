"""JSON text in, value out; an error that says so and holds nothing of the text.

Python's own errors carry it whole, in `doc` (JSONDecodeError) or `object` (UnicodeDecodeError), and so does every error that
is chained to one: the claims, rows and secrets in it would go wherever errors are collected.
"""

from __future__ import annotations

import json
from typing import Any

__all__ = ["NotJson", "is_unicode", "read_json"]


class NotJson(ValueError):
    """Not JSON, not UTF-8, or nested deeper than Python's recursion goes."""


def read_json(text: str | bytes, **hooks: Any) -> Any:
    """The value; `hooks` are those of json.loads. Raises NotJson, chained to nothing."""
    try:
        return json.loads(text if isinstance(text, str) else text.decode("utf-8"), **hooks)
    except (ValueError, RecursionError):
        pass
    raise NotJson("expected JSON in UTF-8, not too deeply nested")


def is_unicode(text: str) -> bool:
    """Whether it has no lone surrogates: JSON's escapes can spell them, and no store, log or call can encode them."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)
