"""A device's label, such as "Firefox on Windows": made from a User-Agent header, stored in the row, shown to the user.

Nothing is decided by a label. Its sources, a header and a row of the table, are not trusted: the alphabet has no `<`, `>`, `&`,
quotes and control characters, so that a page that does not escape a label shows no markup.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["MAX_LABEL_CHARS", "clean_label", "device_label"]

MAX_LABEL_CHARS: Final = 60
_OTHERS: Final = re.compile(r"[^A-Za-z0-9 ._/(),:;+-]+")
_MAX_READ: Final = 1_000
"""How much of a text is looked at: a header may be long."""
_BROWSERS: Final = (
    *(("Edg", "Edge"), ("OPR/", "Opera"), ("SamsungBrowser", "Samsung Internet"), ("Firefox/", "Firefox")),
    *(("FxiOS", "Firefox"), ("CriOS", "Chrome"), ("Chrome/", "Chrome"), ("Safari/", "Safari")),
)
_SYSTEMS: Final = (
    *(("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows")),
    *(("Mac OS X", "macOS"), ("CrOS", "ChromeOS"), ("Linux", "Linux")),
)


def device_label(user_agent: str | None) -> str | None:
    """The label, at most 60 characters of a fixed alphabet; None without a header."""
    if not user_agent:
        return None
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), None)
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), None)
    if browser and system:
        return f"{browser} on {system}"
    return browser or system or clean_label(user_agent)


def clean_label(text: str | None) -> str | None:
    """At most 60 ASCII letters, digits, blanks and `._/(),:;+-`; None where nothing is left."""
    return _OTHERS.sub("", (text or "")[:_MAX_READ])[:MAX_LABEL_CHARS].strip() or None
