"""The browser of the journey: an httpx client that keeps cookies, follows no redirect, and sends a browser's Fetch Metadata.

Browsers treat http://localhost as secure (W3C Secure Contexts), so this one sends Secure cookies there too.
"""

from dataclasses import dataclass
from html.parser import HTMLParser
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import urljoin

import httpx

__all__ = ["Browser", "Reply"]


@dataclass(frozen=True, slots=True)
class Reply:
    """A response as the journey checks it."""

    response: httpx.Response

    @property
    def status(self) -> int:
        """The status code."""
        return self.response.status_code

    @property
    def body(self) -> str:
        """The text of the body."""
        return self.response.text

    @property
    def location(self) -> str:
        """The target of a redirect; empty without one."""
        return str(self.response.headers.get("Location", ""))

    def set_cookie(self, name: str) -> str | None:
        """The Set-Cookie header of a cookie."""
        lines = self.response.headers.get_list("Set-Cookie")
        return next((line for line in lines if line.startswith(f"{name}=")), None)

    def json(self) -> dict[str, Any]:
        """The JSON object in the body; {} for any other body."""
        try:
            value = self.response.json()
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    def hidden_fields(self) -> dict[str, str]:
        """The values of the page's hidden fields, by name."""
        parser = _HiddenFields()
        parser.feed(self.body)
        return parser.found


class Browser:
    """Threads can share it. `home` is the address of the site, `agent` the User-Agent."""

    def __init__(self, home: str, agent: str = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0") -> None:
        self.home = home
        self._cookies = httpx.Cookies(CookieJar(DefaultCookiePolicy(secure_protocols=("https", "http"))))
        # No idle connection stays open, so there is nothing to close.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        self._client = httpx.Client(headers={"User-Agent": agent}, trust_env=False, timeout=30, limits=limits)

    def get(self, address: str) -> Reply:
        """Opens a page; a path is one of the home site."""
        return self._request("GET", address, {"Sec-Fetch-Mode": "navigate", "Accept": "text/html"})

    def fetch(self, address: str) -> Reply:
        """Sends the request of a script."""
        return self.send(self.prepare(address))

    def post(self, address: str, **fields: str) -> Reply:
        """Sends a form from a page of the same site."""
        headers = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "same-origin", "Accept": "text/html"}
        return self._request("POST", address, headers, fields)

    def cookie(self, name: str) -> str | None:
        """The value of a cookie of the home site."""
        host = httpx.URL(self.home).host
        found = (each.value for each in self._cookies.jar if each.name == name and each.domain.removesuffix(".local") == host)
        return next(found, None)

    def keep(self, name: str, value: str) -> None:
        """Puts a cookie back into the jar of the home site."""
        response = httpx.Response(200, headers={"Set-Cookie": f"{name}={value}; Path=/; Secure; HttpOnly"})
        response.request = httpx.Request("GET", self.home)
        self._cookies.extract_cookies(response)

    def prepare(self, address: str) -> httpx.Request:
        """The request of a script with the cookies of now, for `send`."""
        return self._build("GET", address, {"Sec-Fetch-Mode": "cors", "Accept": "*/*"})

    def _request(self, method: str, address: str, headers: dict[str, str], fields: dict[str, str] | None = None) -> Reply:
        return self.send(self._build(method, address, headers, fields))

    def _build(self, method: str, address: str, headers: dict[str, str], fields: dict[str, str] | None = None) -> httpx.Request:
        request = self._client.build_request(method, urljoin(self.home, address), headers=headers, data=fields)
        # The client's own jar would not send Secure cookies to http://localhost.
        self._cookies.set_cookie_header(request)
        return request

    def send(self, request: httpx.Request) -> Reply:
        """Sends a request, and keeps the cookies of the response."""
        response = self._client.send(request)
        self._cookies.extract_cookies(response)
        return Reply(response)


class _HiddenFields(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        name = attributes.get("name")
        if tag == "input" and attributes.get("type") == "hidden" and name:
            self.found[name] = attributes.get("value") or ""
