"""A device's label: "Firefox on Windows", out of a User-Agent header, for a person who looks at a list of sessions.

A hint and nothing more: the header says what its sender likes, and nothing is decided by it. Its alphabet and its limit are
core/device_label.py's.
"""

from __future__ import annotations

from typing import Final

from cognito_session.core.device_label import clean_label

__all__ = ["device_label"]

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
