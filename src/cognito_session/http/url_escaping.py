"""The text of an address: how a browser spells a path, a query and a fragment.

A server or a gateway may hand over a path decoded, and a link may hold characters that no request line carries. This module
spells both as a browser sends them (WHATWG URL, https://url.spec.whatwg.org/#percent-encoded-bytes).
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["MAX_RETURN_TO_CHARS", "as_browsers_spell", "escaped_path", "sent_query"]

MAX_RETURN_TO_CHARS: Final = 2048
"""The longest way back, spelled as a browser sends it. Several sign-ins at once each keep one in a cookie."""

_IN_A_PATH: Final = "/:@!$&'()*+,;=~"
"""Characters that a path holds unescaped (RFC 3986 3.3), besides letters, digits and `_.-`."""
_SENT_IN_A_PATH: Final = _IN_A_PATH + "%[]|"
"""What a browser leaves alone in a path besides: escapes, and three characters that it does not escape."""

# What a browser escapes, but for control characters and backslashes: the caller decides about those, and must see them.
_KEPT: Final = r"\x00-\x1f\x7f\\"
_PATH: Final = re.compile(rf"[^!$-;=@A-Z\[\]_a-z|~{_KEPT}]+")
_QUERY: Final = re.compile(rf"[^!#-&(-;=?-_a-z{{|}}~`{_KEPT}]+")
_FRAGMENT: Final = re.compile(rf"[^!#-;=?-_a-z{{|}}~{_KEPT}]+")


def escaped_path(path: str | bytes, *, decoded: bool) -> str:
    """A path as a browser sends it.

    `decoded`: the server has decoded the path, so that a percent sign in it is one. Otherwise escapes stay as they are.
    """
    from urllib.parse import quote_from_bytes

    sent = path if isinstance(path, bytes) else path.encode("utf-8", "replace")
    return quote_from_bytes(sent, safe=_IN_A_PATH if decoded else _SENT_IN_A_PATH)


def sent_query(query: bytes) -> str:
    """A query as a browser sends it, from the bytes of the request line. Programs leave non-ASCII characters unescaped."""
    text = query.decode("latin-1")
    return text if text.isascii() else "".join(each if each < "\x80" else f"%{ord(each):02X}" for each in text)


def as_browsers_spell(address: str) -> str:
    """A path with its query and fragment, in which spaces, quotes and non-ASCII characters are escaped.

    Control characters and backslashes stay: a browser drops or reinterprets them.
    """
    before, hash_mark, fragment = address.partition("#")
    path, question_mark, query = before.partition("?")
    return _PATH.sub(_escape, path) + question_mark + _QUERY.sub(_escape, query) + hash_mark + _FRAGMENT.sub(_escape, fragment)


def _escape(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "replace"))
