"""A browser, as far as a journey through the app needs one: requests over HTTP, and one cookie that it keeps."""

import http.client
import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

__all__ = ["Browser", "Reply"]


@dataclass(frozen=True, slots=True)
class Reply:
    """What the app answered; `cookie` is "name=value" of a Set-Cookie, `cookie_line` all of it."""

    status: int
    body: str
    cookie_line: str | None

    @property
    def cookie(self) -> str | None:
        """The pair that a browser would keep."""
        return None if self.cookie_line is None else self.cookie_line.partition(";")[0]

    def json(self) -> dict[str, Any]:
        """The body's object; {} where it is none."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


class Browser:
    """Talks to one origin. Safe to share between threads: only `keep` changes it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.cookie: str | None = None

    def get(self, path: str) -> Reply:
        """One page."""
        return self._request("GET", path, {}, None)

    def post(self, path: str, **fields: str) -> Reply:
        """One form, sent from the app's own page."""
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"http://127.0.0.1:{self._port}"}
        return self._request("POST", path, headers, urlencode(fields))

    def keep(self, cookie: str | None) -> None:
        """Send this cookie from now on."""
        self.cookie = cookie

    def _request(self, method: str, path: str, headers: Mapping[str, str], body: str | None) -> Reply:
        sent = {**headers, **({"Cookie": self.cookie} if self.cookie else {})}
        with closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)) as connection:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            return Reply(response.status, response.read().decode(), response.getheader("Set-Cookie"))
