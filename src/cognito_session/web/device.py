"""A device's label: "Firefox on Windows", out of a User-Agent header, for a person who looks at a list of sessions.

A hint and nothing more: the header says what its sender likes, and nothing is decided by it.
"""

from __future__ import annotations

from typing import Final

__all__ = ["device_label"]

_BROWSERS: Final = (
    *(("Edg", "Edge"), ("OPR/", "Opera"), ("SamsungBrowser", "Samsung Internet"), ("Firefox/", "Firefox")),
    *(("FxiOS", "Firefox"), ("CriOS", "Chrome"), ("Chrome/", "Chrome"), ("Safari/", "Safari")),
)
_SYSTEMS: Final = (
    *(("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows")),
    *(("Mac OS X", "macOS"), ("CrOS", "ChromeOS"), ("Linux", "Linux")),
)
_MAX_CHARS: Final = 60


def device_label(user_agent: str | None) -> str | None:
    """The label, at most 60 printable characters; None without a header."""
    if not user_agent:
        return None
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), None)
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), None)
    if browser and system:
        return f"{browser} on {system}"
    plain = "".join(character for character in user_agent if character.isprintable())
    return browser or system or plain[:_MAX_CHARS] or None
