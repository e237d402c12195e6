"""Starlette's TestClient as a browser of an https site, whichever of its two HTTP libraries is installed."""

from __future__ import annotations

import warnings
from typing import Any

from starlette.exceptions import StarletteDeprecationWarning

with warnings.catch_warnings():
    # Without httpx2 it falls back to httpx and says so while it is imported.
    warnings.simplefilter("ignore", StarletteDeprecationWarning)
    from starlette.testclient import TestClient, WebSocketDenialResponse

__all__ = ["OURS", "SITE", "TestClient", "WebSocketDenialResponse", "client_of", "cookies_in"]

SITE = "https://testserver"
OURS = {"origin": SITE}
"""The header of a request that comes from one of our own pages."""


def client_of(application: Any, cookie: str | None = None, **settings: Any) -> TestClient:
    """A browser of the application that brings this Cookie header and follows no redirect."""
    headers = {"cookie": cookie} if cookie else {}
    return TestClient(application, base_url=SITE, headers=headers, follow_redirects=False, **settings)


def cookies_in(response: Any) -> list[str]:
    """The Set-Cookie values of a response."""
    return list(response.headers.get_list("set-cookie"))
