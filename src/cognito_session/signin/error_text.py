"""told(): what the callback's address says about an error, made fit for the log and `on_event`.

Any site can send a browser to the callback with this text, so it is one line (no forged log lines, no terminal controls, no
text that runs backwards), short, without quotes of its own, and without anything long enough to be a token.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["told"]

_MAX_CHARS: Final = 300
_ERROR: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
"""OAuth's error codes are short words (RFC 6749 4.1.2.1)."""
_SECRET: Final = re.compile(r"[A-Za-z0-9_+/=.~-]{40,}")
"""A code, a token or a SAML assertion."""


def told(error: str, description: str | None) -> str:
    """`error: "description"`, as far as both can be shown."""
    code = error if _ERROR.fullmatch(error) else "unreadable"
    shown = "".join(char if char.isprintable() else " " for char in (description or "")[: 4 * _MAX_CHARS])
    line = _SECRET.sub("...", " ".join(shown.split())).replace('"', "'")
    if not line:
        return code
    return f'{code}: "{line if len(line) <= _MAX_CHARS else line[:_MAX_CHARS] + "..."}"'
