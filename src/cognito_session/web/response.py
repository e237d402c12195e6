"""Response: an answer of ours before a front door puts it into its own form.

What depends on the session's cookie or sets one is nobody else's: `Cache-Control: no-store` and `Vary: Cookie` are added
here, for the answers of applications too (RFC 9111 5.2.2.5, RFC 9110 12.5.5).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["Response", "cache_control", "cookie_name", "json_response", "lacking", "redirect", "vary"]


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
    headers = {"Location": location, "Cache-Control": "no-store", "Vary": "Cookie", "Referrer-Policy": "no-referrer"}
    return Response(303, headers, "", cookies)


def json_response(status: int, body: object, *, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer that nobody may store."""
    own = {"Content-Type": "application/json", "Cache-Control": "no-store", "Vary": "Cookie"}
    return Response(status, {**own, **(headers or {})}, json.dumps(body))


def cache_control(said: str | None, *, sets_cookie: bool) -> str:
    """What an answer that depends on the cookie must say: `no-store`, or the application's own word where that is as strict."""
    if not said:
        return "no-store"
    directives = {part.strip().lower().partition("=")[0] for part in said.split(",")}
    kept = "no-store" in directives or ("private" in directives and not sets_cookie)
    return said if kept else "no-store"


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
