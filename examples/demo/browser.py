"""A browser, as far as a journey through the app needs one: requests over HTTP, and a jar for each host.

It follows no redirect by itself, and says of each request what a real one would: that it is a page the person wants, sent
from a page of the same site.
"""

import http.client
import json
import threading
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode, urlsplit

__all__ = ["Browser", "Reply"]


@dataclass(frozen=True, slots=True)
class Reply:
    """What was answered; `set_cookies` are the Set-Cookie values, `location` where a redirect leads."""

    status: int
    body: str
    location: str
    set_cookies: tuple[str, ...] = field(repr=False)

    def cookie_line(self, name: str) -> str | None:
        """The Set-Cookie value of a cookie."""
        return next((line for line in self.set_cookies if line.startswith(f"{name}=")), None)

    def json(self) -> dict[str, Any]:
        """The body's object; {} where it is none."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    def fields(self) -> dict[str, str]:
        """What the page's hidden fields hold, by name."""
        parser = _Fields()
        parser.feed(self.body)
        return parser.found


class Browser:
    """Safe to share between threads. `agent` is its User-Agent."""

    def __init__(self, home: str, agent: str = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0") -> None:
        self.home = home
        self._agent = agent
        self._jars: dict[str, dict[str, str]] = {}
        self._lock = threading.Lock()

    def get(self, address: str) -> Reply:
        """A page: of the home site where it is a path."""
        return self._request("GET", address, {"Sec-Fetch-Mode": "navigate", "Accept": "text/html"}, None)

    def ask(self, address: str) -> Reply:
        """What a script asks for."""
        return self._request("GET", address, {"Sec-Fetch-Mode": "cors", "Accept": "*/*"}, None)

    def post(self, address: str, **fields: str) -> Reply:
        """A form, sent from a page of the same site."""
        own = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-Site": "same-origin",
        }
        return self._request("POST", address, {**own, "Accept": "text/html"}, urlencode(fields))

    def cookie(self, name: str) -> str | None:
        """A cookie of the home site."""
        return self._jar(urlsplit(self.home).hostname or "").get(name)

    def keep(self, name: str, value: str) -> None:
        """Put a cookie into the home site's jar."""
        self._jar(urlsplit(self.home).hostname or "")[name] = value

    def _request(self, method: str, address: str, headers: Mapping[str, str], body: str | None) -> Reply:
        url = urlsplit(self.home + address if address.startswith("/") else address)
        target = url.path + (f"?{url.query}" if url.query else "")
        jar = self._jar(url.hostname or "")
        with self._lock:
            cookies = "; ".join(f"{name}={value}" for name, value in jar.items())
        sent = {"Host": url.netloc, "User-Agent": self._agent, **headers, **({"Cookie": cookies} if cookies else {})}
        with closing(http.client.HTTPConnection("127.0.0.1", url.port or 80, timeout=30)) as connection:
            connection.request(method, target, body, sent)
            response = connection.getresponse()
            lines = tuple(response.headers.get_all("Set-Cookie") or ())
            reply = Reply(response.status, response.read().decode(), response.getheader("Location") or "", lines)
        self._keep(jar, lines)
        return reply

    def _jar(self, host: str) -> dict[str, str]:
        with self._lock:
            return self._jars.setdefault(host, {})

    def _keep(self, jar: dict[str, str], lines: tuple[str, ...]) -> None:
        with self._lock:
            for line in lines:
                name, _, rest = line.partition("=")
                if "max-age=0" in line.lower():
                    jar.pop(name, None)
                else:
                    jar[name] = rest.partition(";")[0]


class _Fields(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "input" and given.get("type") == "hidden" and given.get("name"):
            self.found[given["name"] or ""] = given.get("value") or ""
