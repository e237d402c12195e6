"""Somebody's browser at a door: it has cookies, says where its requests come from, and keeps what it is sent."""

from __future__ import annotations

import json
from typing import Any

from doors.wires import Ask
from managed.scene import ring
from support.stack import cookie_of
from web.gateways import Answer, Call

__all__ = ["NAME", "Visitor"]

NAME = "__Host-session"
SCRIPT = (("Sec-Fetch-Mode", "cors"), ("Sec-Fetch-Site", "same-origin"), ("Accept", "*/*"))
PAGE = (("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Site", "same-origin"), ("Accept", "text/html"))


class Visitor:
    """`cookies` are the Cookie headers that it sends."""

    def __init__(self, app: Any, box: Any, ask: Ask, *, door: str) -> None:
        self.app, self.box, self.door = app, box, door
        self._ask = ask
        self.cookies: tuple[str, ...] = ()
        self.user: Any = None

    def sign_in(self, *groups: str) -> Visitor:
        """As somebody, past the door."""
        self.user = self.app.user(groups=groups)
        self.cookies = (self.new_cookie(),)
        self.app.stack.clear_calls()
        return self

    def new_cookie(self) -> str:
        """The cookie of a new session of this user, seen once by another worker."""
        manager = self.app.manager(cookie="sealed", cookie_name=None, session_keys=ring(1))
        cookie = cookie_of(manager.establish(self.app.sign_in(self.user)))
        manager.resolve(cookie)
        return cookie

    def ask(self, path: str, method: str = "GET", *, headers: Any = SCRIPT, query: str = "") -> Answer:
        """One request; its answer is not kept."""
        return self._ask(Call(method, path, query, tuple(headers), self.cookies))

    def keep(self, answer: Answer) -> Answer:
        """Take the session's cookie of an answer."""
        for line in session_lines(answer):
            value = line.partition(";")[0]
            self.cookies = () if "max-age=0" in line.lower() else (value,)
        return answer


def session_lines(answer: Answer) -> list[str]:
    """The Set-Cookie values of the session."""
    return [line for line in answer.cookies if line.startswith(f"{NAME}=")]


def attributes(line: str) -> list[str]:
    """What a Set-Cookie value says beside name, value and age: in any order and case (RFC 6265 5.2), as frameworks write it."""
    return sorted(part.lower() for part in line.split("; ")[1:] if not part.lower().startswith(("max-age=", "expires=")))


def caching(answer: Answer) -> tuple[list[str], list[str]]:
    """Cache-Control and Vary."""
    return answer.values("cache-control"), answer.values("vary")


def body_of(answer: Answer) -> Any:
    """The JSON of an answer."""
    return json.loads(answer.body)
