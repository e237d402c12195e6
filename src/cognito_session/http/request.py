"""Request: the form into which every adapter converts a request before anything is decided.

Header names are lower-case and every header keeps all its values. A header that must come once and came twice is no single
value any more. Nothing is trusted: X-Forwarded-For is read for what is logged, and only where the application says how many
proxies are its own; no other header of the kind is read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["SAFE_METHODS", "Request", "headers_of"]

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110 9.2.1). TRACE is not among them: no application needs it."""

_MAX_PARAMETERS: Final = 100
_ADDRESS: Final = re.compile(r"[0-9A-Fa-f:.]{2,45}(?:%[0-9A-Za-z]{1,15})?|\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{1,5})?")
_PURPOSES: Final = ("sec-purpose", "purpose", "x-purpose", "x-moz")
"""Headers by which a browser announces a prefetch: the standard one, Chrome's, Safari's and Firefox's older ones."""


class Request(NamedTuple):
    """One request. `path` is as a browser sends it, without the query; `query` is what follows the question mark.

    `path` is the one that routes are found by. `outer_path` is the one that the gateway was asked for, where an event has both:
    a REST API takes its stage off `path`. Elsewhere it is empty.
    `client` is the address at the connection's other end, which may be a proxy's, as the server or gateway says it; "" where it
    does not.

    `names_ambiguous`: "_" and "-" in a header's name could not be told apart (WSGI), so that a script may have sent a header
    that only browsers may set, such as Sec-Fetch-Site, under the name Sec_Fetch_Site.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, tuple[str, ...]]
    outer_path: str = ""
    client: str = ""
    names_ambiguous: bool = False

    def __repr__(self) -> str:
        return f"Request({self.method!r}, {self.path!r}, query and {len(self.headers)} headers hidden)"

    def header(self, name: str) -> str | None:
        """The header's value, several of them joined by ", " (RFC 9110 5.3); None where it is absent."""
        values = self.headers.get(name)
        return None if values is None else ", ".join(values)

    def client_address(self, trusted_proxies: int) -> str:
        """The client's address, as far as it can be believed: behind so many proxies of the operator's own, the entry of
        X-Forwarded-For that the outermost of them wrote. Anybody can write the entries before it. "" where it is not known.
        """
        if not trusted_proxies:
            return _address(self.client)
        entries = [entry.strip() for value in self.headers.get("x-forwarded-for", ()) for entry in value.split(",")]
        return _address(entries[-trusted_proxies]) if len(entries) >= trusted_proxies else ""

    @property
    def cookie_headers(self) -> tuple[str, ...]:
        """Every Cookie header."""
        return self.headers.get("cookie", ())

    @property
    def is_safe(self) -> bool:
        """Whether the method promises to change nothing."""
        return self.method in SAFE_METHODS

    @property
    def is_preflight(self) -> bool:
        """Whether a browser asks if another request would be allowed (Fetch 4.8, CORS-preflight request).

        An OPTIONS request with Origin and Access-Control-Request-Method, without cookies, credentials or a body. Any client can
        send one, so it proves nothing.
        """
        if self.method != "OPTIONS" or "origin" not in self.headers or "access-control-request-method" not in self.headers:
            return False
        if self.headers.keys() & {"cookie", "authorization", "transfer-encoding"}:
            return False
        return self.header("content-length") in (None, "", "0")

    @property
    def is_prefetch(self) -> bool:
        """Whether the browser fetches or renders ahead of a navigation that may never come (Sec-Purpose, HTML 7.5.2)."""
        said = " ".join(self.header(name) or "" for name in _PURPOSES).lower()
        return any(purpose in said for purpose in ("prefetch", "prerender", "preview"))

    @property
    def is_navigation(self) -> bool:
        """Whether a person looks at what comes back: a page in the browser, not a script's or a program's call.

        Browsers say so in Sec-Fetch-Mode (W3C Fetch Metadata); older ones by asking for HTML.
        """
        mode = self.header("sec-fetch-mode")
        if mode is not None:
            return mode == "navigate"
        if (self.header("x-requested-with") or "").lower() == "xmlhttprequest":
            return False
        return "text/html" in (self.header("accept") or "").lower()

    def parameters(self, name: str) -> list[str]:
        """Every value of a query parameter, decoded; at most the first hundred parameters are looked at."""
        from urllib.parse import parse_qsl

        try:
            pairs = parse_qsl(self.query, keep_blank_values=True, max_num_fields=_MAX_PARAMETERS)
        except ValueError:
            return []
        return [value for found, value in pairs if found == name]


def _address(text: object) -> str:
    """An IP address, with a port where it has one; "" for anything else."""
    return text if isinstance(text, str) and _ADDRESS.fullmatch(text) else ""


def headers_of(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """Headers by lower-case name, each with all its values in order.

    In time that grows with their number: some servers set no limit to the headers of a request.
    """
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name.lower(), []).append(value)
    return {name: tuple(values) for name, values in found.items()}
