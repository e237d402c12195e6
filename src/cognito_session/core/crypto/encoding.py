"""The encodings of tokens and stored values: base64url (RFC 7515 2) and JSON (RFC 8259), read strictly.

Base64url has one canonical, unpadded spelling for each value; every other spelling is refused. A JSON error never quotes the
text: Python's own errors carry it in `doc` (JSONDecodeError) or `object` (UnicodeDecodeError), also when they are chained.
"""

from __future__ import annotations

import json
from binascii import a2b_base64, b2a_base64
from typing import Any, Final

__all__ = ["NotJson", "canonical_base64url", "is_unicode", "read_json", "to_base64url"]

_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
_TO_STANDARD: Final = bytes.maketrans(b"-_+/", b"+/!!")
"""Maps the standard alphabet's + and / to a character outside both. Every request decodes, so base64's wrappers are avoided."""


def to_base64url(raw: bytes) -> str:
    """These bytes in base64url without padding."""
    return b2a_base64(raw, newline=False).translate(_TO_URL).rstrip(b"=").decode("ascii")


def canonical_base64url(text: str) -> bytes | None:
    """The decoded bytes; None for a text that is not their canonical base64url spelling."""
    try:
        standard = text.encode("ascii").translate(_TO_STANDARD)
        decoded = a2b_base64(standard + b"=" * (-len(standard) % 4))
    except ValueError:
        return None
    return decoded if b2a_base64(decoded, newline=False).rstrip(b"=") == standard else None


class NotJson(ValueError):
    """Not JSON, not UTF-8, or nested deeper than Python's recursion limit."""


def read_json(text: str | bytes, **hooks: Any) -> Any:
    """The parsed value; `hooks` are those of json.loads. Raises NotJson, chained to nothing."""
    try:
        return json.loads(text if isinstance(text, str) else text.decode("utf-8"), **hooks)
    except (ValueError, RecursionError):
        pass
    # Raised outside of the except block: a chained error would carry the text.
    raise NotJson("expected JSON in UTF-8, not too deeply nested")


def is_unicode(text: str) -> bool:
    """Whether the text has no lone surrogates, which JSON escapes can spell and no store, log or call can encode."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)
