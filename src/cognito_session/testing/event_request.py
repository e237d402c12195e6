"""EventRequest: one request of a browser, from which `events` builds a Lambda event.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from cognito_session.http.url_escaping import escaped_path

__all__ = ["Body", "EventRequest", "Query", "Site", "event_request"]

Query = str | Mapping[str, str | Sequence[str]] | None
Body = str | bytes | Mapping[str, Any] | None
"""Text as it stands, bytes as base64, a mapping as JSON."""

Site = Literal["same-origin", "same-site", "cross-site", "none"] | None
"""Sec-Fetch-Site: "same-origin", "same-site", "cross-site" or "none"; None for a caller that is no browser."""

_ELSEWHERE: Final = {"same-site": "https://other.{host}", "cross-site": "https://elsewhere.example"}
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class EventRequest(NamedTuple):
    """A request. Header names are lower-case; `cookie` is the Cookie header, "" for none; `at` is in epoch seconds."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    cookie: str
    body: Body
    at: float
    request_id: str
    sub: str = ""
    sid: str = ""

    def __repr__(self) -> str:
        return f"EventRequest({self.method!r}, {self.path!r})"

    @property
    def host(self) -> str:
        """The Host header."""
        return self.headers["host"]

    @property
    def text(self) -> str | None:
        """The body in the form of an event."""
        if isinstance(self.body, bytes):
            return b64encode(self.body).decode("ascii")
        return self.body if isinstance(self.body, str | None) else json.dumps(dict(self.body))

    @property
    def parameters(self) -> dict[str, list[str]]:
        """The decoded query parameters, each with all its values."""
        found: dict[str, list[str]] = {}
        for name, value in parse_qsl(self.query, keep_blank_values=True):
            found.setdefault(name, []).append(value)
        return found

    @property
    def decoded_path(self) -> str:
        """The path as HTTP APIs deliver it."""
        return unquote(self.path)

    @property
    def all_headers(self) -> dict[str, str]:
        """The headers, cookies included."""
        return {**self.headers, **({"cookie": self.cookie} if self.cookie else {})}


def event_request(
    *,
    origin: str,
    method: str,
    path: str,
    query: Query,
    headers: Mapping[str, str],
    site: Site,
    body: Body,
    cookie: str,
    at: float,
    request_id: str,
    handshake: bool = False,
) -> EventRequest:
    """A request as a browser on a page of `site` sends it. `path` can be a whole address with its own query.

    Requests that change something, and a WebSocket `handshake`, have Sec-Fetch-Site and Origin. Other requests have them only
    from another `site`. `headers` are added last and take precedence.
    """
    address = urlsplit(path)
    host = urlsplit(origin).netloc
    sent = {"host": host, "user-agent": "Mozilla/5.0 (cognito_session.testing)", "accept": "*/*"}
    if isinstance(body, Mapping):
        sent["content-type"] = "application/json"
    sent |= _provenance("POST" if handshake else method.upper(), site, origin, host)
    sent |= {name.lower(): value for name, value in headers.items()}
    given = query if isinstance(query, str) else urlencode(query or {}, doseq=True)
    whole = "&".join(part for part in (address.query, given) if part)
    return EventRequest(
        method.upper(), escaped_path(address.path, decoded=False) or "/", whole, sent, cookie, body, at, request_id
    )


def _provenance(method: str, site: Site, origin: str, host: str) -> dict[str, str]:
    if site is None or (method in _SAFE and site == "same-origin"):
        return {}
    page = _ELSEWHERE.get(site, "").format(host=host) or origin
    without_origin = method in ("GET", "HEAD") or site == "none"
    return {"sec-fetch-site": site} | ({} if without_origin else {"origin": page})
