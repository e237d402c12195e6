"""The one application that stands behind every door: which paths need whom, and what is said there.

A door obtains the session in its own idiom and hands it over; what is said is the same everywhere. `Said` is put into the
door's own response; `missing` is the door's own way to say that there is nothing.
"""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from cognito_session import SessionForbidden, current_session

__all__ = ["ADMINS", "LOGIN", "ROUTES", "Box", "Said", "say"]

LOGIN: Final = "/login"
ADMINS: Final = ["admins"]
ROUTES: Final = {
    # path: (who is needed, method)
    "/public": (None, "GET"),
    "/me": ("required", "GET"),
    "/maybe": ("optional", "GET"),
    "/redirect": ("required", "GET"),
    "/missing": ("required", "GET"),
    "/change": ("required", "POST"),
    "/admins": ("admins", "GET"),
    "/recent": ("recent", "GET"),
    "/boom": ("required", "GET"),
    "/own-cookie": ("required", "GET"),
    "/private": ("required", "GET"),
    "/sign-in": (None, "POST"),
    "/sign-out": (None, "POST"),
}
MAX_AGE: Final = 3000
GUARDS: Final[dict[str, dict[str, Any]]] = {"admins": {"any_group": ADMINS}, "recent": {"max_age": MAX_AGE}}


class Box:
    """What the next sign-in signs in with."""

    tokens: Any = None


class Said(NamedTuple):
    """What the application answers; `missing`: in the door's own way."""

    status: int
    headers: dict[str, str]
    body: str
    missing: bool = False


def say(path: str, me: Any) -> Said:
    """What is said at this path to this session, or to nobody."""
    if ROUTES[path][0] is not None:
        assert current_session() == me, "current_session() is the session being served"
    as_json = {"Content-Type": "application/json"}
    name = json.dumps({"username": None if me is None else me.username})
    if path == "/redirect":
        return Said(302, {"Location": "/elsewhere", "Content-Type": "text/plain"}, "")
    if path == "/missing":
        return Said(404, {}, "", missing=True)
    if path == "/boom":
        raise SessionForbidden("not today", reason="forbidden")
    if path == "/own-cookie":
        return Said(200, {**as_json, "Set-Cookie": "theme=dark; Path=/"}, name)
    if path == "/private":
        return Said(200, {**as_json, "Cache-Control": "private, max-age=60", "Vary": "Accept-Encoding"}, name)
    if path == "/public":
        return Said(200, {**as_json, "Cache-Control": "public, max-age=60"}, name)
    return Said(200, as_json, name)
