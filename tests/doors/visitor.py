"""Somebody's browser at a door: it has cookies, says where its requests come from, and keeps what it is sent."""

from __future__ import annotations

import json
from typing import Any, NamedTuple, Self

from doors.page import Box, Site
from doors.wires import Ask
from managed.scene import NAME
from support.stack import App, cookie_of
from web.gateways import Answer, Call

__all__ = ["PAGE", "SCRIPT", "Visitor", "attributes", "body_of", "caching", "seen", "session_lines"]

SCRIPT = (("Sec-Fetch-Mode", "cors"), ("Sec-Fetch-Site", "same-origin"), ("Accept", "*/*"))
PAGE = (("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Site", "same-origin"), ("Accept", "text/html"))


class Visitor:
    """`cookies` are the Cookie headers that it sends."""

    def __init__(self, site: Site, door: str, ask: Ask) -> None:
        self.site, self.door = site, door
        self._ask = ask
        self.cookies: tuple[str, ...] = ()
        self.user: Any = None

    @property
    def app(self) -> App:
        return self.site.app

    @property
    def box(self) -> Box:
        return self.site.box

    def sign_in(self, *groups: str) -> Self:
        """As somebody new, past the door; the session has been used once."""
        self.user = self.app.user(groups=groups)
        cookie = cookie_of(self.site.manager.establish(self.app.sign_in(self.user)))
        assert self.site.manager.resolve(cookie).session.set_cookies == ()
        self.cookies = (cookie,)
        self.app.stack.clear_calls()
        return self

    def sign_in_long_ago(self, *groups: str) -> Self:
        """The same, and the access token has expired since."""
        self.sign_in(*groups)
        self.app.expire()
        return self

    def ask(self, path: str, method: str = "GET", *, headers: Any = SCRIPT, query: str = "", body: bytes = b"") -> Answer:
        """One request; its answer is not kept."""
        return self._ask(Call(method, path, query, tuple(headers), self.cookies, body))

    def keep(self, answer: Answer) -> Answer:
        """Take the session's cookie of an answer, as a browser does."""
        for line in session_lines(answer):
            self.cookies = () if "max-age=0" in attributes(line) else (line.partition(";")[0],)
        return answer


def session_lines(answer: Answer) -> list[str]:
    """The Set-Cookie values of the session."""
    return [line for line in answer.cookies if line.startswith(f"{NAME}=")]


def attributes(line: str) -> list[str]:
    """What a Set-Cookie value says beside name and value: in any order and case (RFC 6265 5.2), as frameworks write it."""
    return sorted(part.strip().lower() for part in line.split(";")[1:])


def caching(answer: Answer) -> tuple[list[str], list[str]]:
    """Cache-Control and Vary."""
    return answer.values("cache-control"), answer.values("vary")


def body_of(answer: Answer) -> Any:
    """The JSON of an answer."""
    return json.loads(answer.body)


class Seen(NamedTuple):
    """An answer without what is the door's own: the order and case of headers, the words of its redirects and 404s.

    The type of a body that is not there is the door's own as well.
    """

    status: int
    headers: dict[str, list[str]]
    cookies: list[tuple[str, list[str]]]
    body: str


def seen(answer: Answer, username: str = "") -> Seen:
    """What can be compared; the user's name, a cookie's value and its age to the second differ from visit to visit."""
    names = ["location", "cache-control", "vary", "retry-after", "content-security-policy", "www-authenticate"]
    own_words = answer.status in (302, 404)
    names += [] if own_words or not answer.body else ["content-type"]
    headers = {name: values for name in names if (values := answer.values(name))}
    cookies = sorted((line.partition("=")[0], _ageless(line)) for line in answer.cookies)
    return Seen(answer.status, headers, cookies, "" if own_words else answer.body.decode().replace(username or "-", "-"))


def _ageless(line: str) -> list[str]:
    return ["max-age" if part.startswith("max-age=") and part != "max-age=0" else part for part in attributes(line)]
