"""Response: an answer of ours before a front door puts it into its own form.

What depends on the session's cookie or sets one is nobody else's: `Cache-Control: no-store` and `Vary: Cookie` are added
here, for the answers of applications too (RFC 9111 5.2.2.5, RFC 9110 12.5.5).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from cognito_session.core.own_headers import OWN_HEADERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = [
    "Response",
    "cache_control",
    "cookie_name",
    "json_response",
    "lacking",
    "overrules_cache_control",
    "redirect",
    "vary",
]

_QUOTED: Final = re.compile(r'"[^"]*"')
_OTHER_CACHE_FIELDS: Final = frozenset({"edge-control", "surrogate-control", "x-accel-expires"})


class Response(NamedTuple):
    """Status, headers, body text, and the Set-Cookie values, each of which becomes a header of its own."""

    status: int
    headers: Mapping[str, str]
    body: str = ""
    cookies: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Response({self.status}, {len(self.cookies)} cookies hidden)"


def redirect(location: str, *, cookies: tuple[str, ...] = ()) -> Response:
    """303 See Other: whatever the method was, the browser goes on with GET (RFC 9110 15.4.4)."""
    return Response(303, {"Location": location, **OWN_HEADERS}, "", cookies)


def json_response(status: int, body: object, *, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer that nobody may store."""
    return Response(status, {"Content-Type": "application/json", **OWN_HEADERS, **(headers or {})}, json.dumps(body))


def cache_control(said: str | None, *, sets_cookie: bool) -> str:
    """What an answer that depends on the cookie must say: `no-store`, or the application's own word where that is as strict."""
    if not said:
        return "no-store"
    # `private="Set-Cookie"` keeps that field alone private, and a cache that knows `must-understand` ignores `no-store` beside
    # it (RFC 9111 5.2.2.7, 5.2.2.3).
    directives = {part.strip().lower() for part in _QUOTED.sub("", said).split(",")}
    forbids = "no-store" in directives and "must-understand" not in directives
    return said if forbids or ("private" in directives and not sets_cookie) else "no-store"


def overrules_cache_control(name: str) -> bool:
    """Whether caches follow this header in place of Cache-Control, so that an answer that nobody may store must not have it.

    CDN-Cache-Control and those made after it (RFC 9213 2.2), Surrogate-Control (Fastly, Varnish), Edge-Control (Akamai) and
    X-Accel-Expires (nginx).
    """
    lower = name.lower()
    return lower in _OTHER_CACHE_FIELDS or lower.endswith("cdn-cache-control")


def vary(said: str | None) -> str:
    """The Vary header with Cookie in it."""
    if said is None or not said.strip():
        return "Cookie"
    names = {part.strip().lower() for part in said.split(",")}
    return said if names & {"cookie", "*"} else f"{said}, Cookie"


def cookie_name(line: str) -> str:
    """The name in a Set-Cookie value."""
    return line.partition("=")[0].strip()


def lacking(cookies: Iterable[str], present: Sequence[str]) -> list[str]:
    """Those of our Set-Cookie values whose name the application has not set itself: what it set is newer."""
    names = {cookie_name(line) for line in present}
    return [line for line in cookies if cookie_name(line) not in names]
