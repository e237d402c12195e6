"""The one application that stands behind every door: which paths need whom, and what is said there.

A door obtains the session in its own idiom and hands it over; what is said is the same everywhere. `Said` is put into the
door's own response: its own redirect, its own way to say that there is nothing, its own stream.
"""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from cognito_session import AsyncSessionManager, SessionForbidden, SessionManager, current_session
from support.stack import App

__all__ = ["ADMINS", "CACHED", "GUARDS", "LOGIN", "MAX_AGE", "PARTS", "ROUTES", "TRUSTED", "Box", "Said", "Site", "say"]

LOGIN: Final = "/login"
ADMINS: Final = "admins"
TRUSTED: Final = "https://admin.example.test"
"""An origin whose pages may change something here."""
ROUTES: Final[dict[str, tuple[str | None, str]]] = {
    # path: (who is needed, method); what answers GET answers HEAD
    "/public": (None, "GET"),
    "/me": ("required", "GET"),
    "/maybe": ("optional", "GET"),
    "/redirect": ("required", "GET"),
    "/missing": ("required", "GET"),
    "/change": ("required", "POST"),
    "/admins": ("admins", "GET"),
    "/recent": ("recent", "GET"),
    "/stream": ("required", "GET"),
    "/boom": ("required", "GET"),
    "/failed": ("required", "GET"),
    "/own-cookie": ("required", "GET"),
    "/private": ("required", "GET"),
    "/cached": ("required", "GET"),
    "/sign-in": (None, "POST"),
    "/sign-out": (None, "POST"),
    "/by-hand": (None, "POST"),
}
MAX_AGE: Final = 300
GUARDS: Final[dict[str | None, dict[str, Any]]] = {"admins": {"any_group": [ADMINS]}, "recent": {"max_age": MAX_AGE}}
PARTS: Final = ("one ", "after ", "another")
"""What is streamed."""

CACHED: Final = {
    "Cache-Control": 'private="Set-Cookie", max-age=60',
    "CDN-Cache-Control": "max-age=600",
    "Surrogate-Control": "max-age=600",
    "X-Accel-Expires": "600",
}
"""What lets shared caches keep an answer."""

_JSON: Final = {"Content-Type": "application/json"}
_TEXT: Final = {"Content-Type": "text/plain"}


class Box:
    """What the next sign-in signs in with, and everything that was changed."""

    tokens: Any = None
    presented: str | None = None
    """The cookie that /by-hand gives to the manager."""

    def __init__(self) -> None:
        self.changes: list[str] = []


class Site(NamedTuple):
    """What the application is made of, whatever the door: one table, one manager of each kind."""

    app: App
    manager: SessionManager
    async_manager: AsyncSessionManager
    box: Box


class Said(NamedTuple):
    """What the application answers. Of `location`, `missing` and `parts` each door has its own way to say it."""

    status: int
    headers: dict[str, str]
    body: str = ""
    location: str | None = None
    missing: bool = False
    parts: tuple[str, ...] = ()


def say(site: Site, path: str, me: Any, body: str = "") -> Said:
    """What is said at this path to this session, or to nobody; `body` is what was posted."""
    if ROUTES[path][0] is not None:
        assert current_session() == me, "current_session() is the session being served"
    name = json.dumps({"username": None if me is None else me.username})
    if path == "/change":
        site.box.changes.append(body)
    if path == "/boom":
        raise SessionForbidden("not today", reason="not_today")
    if path == "/by-hand":
        return Said(200, _JSON | _by_hand(site, body), name)
    return {
        "/redirect": Said(302, {}, location="/elsewhere"),
        "/missing": Said(404, {}, missing=True),
        "/failed": Said(500, _JSON, name),
        "/stream": Said(200, _TEXT, "".join(PARTS), parts=PARTS),
        "/own-cookie": Said(200, _JSON | {"Set-Cookie": "theme=dark; Path=/"}, name),
        "/private": Said(200, _JSON | {"Cache-Control": "private, max-age=60", "Vary": "Accept-Encoding"}, name),
        "/cached": Said(200, _JSON | CACHED, name),
        "/public": Said(200, _JSON | {"Cache-Control": "public, max-age=60", "CDN-Cache-Control": "max-age=600"}, name),
    }.get(path, Said(200, _JSON, name))


def _by_hand(site: Site, wish: str) -> dict[str, str]:
    """Call the manager itself, and send its cookie only where that is wished."""
    call, _, sent = wish.partition(" ")
    if call == "sign_out":
        made = site.manager.sign_out(site.box.presented)
    elif call == "resolve":
        made = site.manager.resolve(site.box.presented).session.set_cookies
    elif call == "establish":
        made = site.manager.establish(site.box.tokens).set_cookies
    else:
        made = ()
    return {"Set-Cookie": made[0]} if sent else {}
