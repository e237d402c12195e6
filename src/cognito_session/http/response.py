"""Response: a response of this library before an adapter converts it; and what every response about a session must carry.

No cache may give another user a response that depends on the session's cookie or sets one. `complete` is the one place that
decides its Set-Cookie values, Cache-Control and Vary (RFC 9111 5.2.2.5, RFC 9110 12.5.5); each adapter applies the result.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from cognito_session.core.security_headers import SECURITY_HEADERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "Completion",
    "Response",
    "cache_control",
    "complete",
    "cookie_name",
    "json_response",
    "overrules_cache_control",
    "redirect",
]

_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_OTHER_CACHE_FIELDS: Final = frozenset({"edge-control", "surrogate-control", "x-accel-expires", "x-litespeed-cache-control"})


class Response(NamedTuple):
    """Status, headers, body text and Set-Cookie values. Each Set-Cookie value becomes a header of its own."""

    status: int
    headers: Mapping[str, str]
    body: str = ""
    cookies: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Response({self.status}, {len(self.cookies)} cookies hidden)"


class Completion(NamedTuple):
    """What the headers of a response need. `cookies` are the Set-Cookie values to add, each as a header of its own.

    `cache_control` and `vary` replace the application's values. `sets_cookie`: whether a cookie of ours was due.
    """

    cookies: tuple[str, ...]
    cache_control: str
    vary: str
    sets_cookie: bool

    def removes(self, name: str) -> bool:
        """Whether the application's headers of this name go: they are replaced, or overrule Cache-Control."""
        return name.lower() in ("cache-control", "vary") or overrules_cache_control(name)


def complete(headers: Iterable[tuple[str, str]], cookies: Iterable[str]) -> Completion:
    """What a response with these headers, Set-Cookie included, needs to depend on the session and to set `cookies`.

    A cookie that the application sets itself is newer than ours of the same name, so ours is left out.
    """
    said: dict[str, list[str]] = {"set-cookie": [], "cache-control": [], "vary": []}
    for name, value in headers:
        said.get(name.lower(), []).append(value)
    due, present = tuple(cookies), {cookie_name(line) for line in said["set-cookie"]}
    return Completion(
        tuple(line for line in due if cookie_name(line) not in present),
        cache_control(", ".join(said["cache-control"]), sets_cookie=bool(due)),
        _vary(", ".join(said["vary"])),
        sets_cookie=bool(due),
    )


def redirect(location: str, *, cookies: tuple[str, ...] = ()) -> Response:
    """303 See Other: whatever the method was, the browser goes on with GET (RFC 9110 15.4.4)."""
    return Response(303, {"Location": location, **SECURITY_HEADERS}, "", cookies)


def json_response(status: int, body: object, *, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON response that no cache may store."""
    return Response(status, {"Content-Type": "application/json", **SECURITY_HEADERS, **(headers or {})}, json.dumps(body))


def cache_control(said: str | None, *, sets_cookie: bool) -> str:
    """Cache-Control of a response that depends on the cookie: `no-store`, or the application's value if that is as strict."""
    if not said:
        return "no-store"
    # `private="Set-Cookie"` keeps that field alone private, and a cache that knows `must-understand` ignores `no-store` beside
    # it (RFC 9111 5.2.2.7, 5.2.2.3).
    directives = {part.strip().lower() for part in _QUOTED.sub("", said).split(",")}
    forbids = "no-store" in directives and "must-understand" not in directives
    return said if forbids or ("private" in directives and not sets_cookie) else "no-store"


def overrules_cache_control(name: str) -> bool:
    """Whether caches follow this header in place of Cache-Control: a response with no-store must not have it.

    CDN-Cache-Control and those made after it (RFC 9213 2.2), Surrogate-Control (Fastly, Varnish), Edge-Control (Akamai) and
    X-Accel-Expires (nginx).
    """
    lower = name.lower()
    return lower in _OTHER_CACHE_FIELDS or lower.endswith("cdn-cache-control")


def _vary(said: str) -> str:
    """The Vary header with Cookie in it."""
    if not said.strip():
        return "Cookie"
    names = {part.strip().lower() for part in said.split(",")}
    return said if names & {"cookie", "*"} else f"{said}, Cookie"


def cookie_name(line: str) -> str:
    """The name in a Set-Cookie value."""
    return line.partition("=")[0].strip()
