"""A browser between an app and managed login, as far as a sign-in needs one: a jar for each, redirects followed by hand.

The app is a ManagedLogin asked with our own Request; Cognito is the local stack, asked over HTTP.
"""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx

from cognito_session.http.request import Request, headers_of
from managed.scene import ring
from support.stack import PASSWORD

__all__ = ["BASE_URL", "Site", "location", "own_path_of", "query_of"]

BASE_URL = "https://app.example"
NAVIGATION = (("sec-fetch-mode", "navigate"), ("user-agent", "Mozilla/5.0 (X11; Linux) Firefox/140.0"), ("host", "app.example"))


class Site:
    """An application with managed login, and one person's browser."""

    def __init__(self, app, *, asynchronous: bool = False, **keywords: Any) -> None:
        self.app = app
        self.jar: dict[str, str] = {}
        self.set_lines: list[str] = []
        self.cognito = httpx.Client(base_url=app.stack.url, follow_redirects=False)
        settings = {
            "cookie": "sealed",
            "cookie_name": None,
            "session_keys": ring(1),
            "cognito_domain": app.stack.url,
            "app_base_url": BASE_URL,
            **keywords,
        }
        self.manager = app.async_manager(**settings) if asynchronous else app.manager(**settings)
        self.login = self.manager.managed_login()
        self._asynchronous = asynchronous

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        self.cognito.close()

    def _run(self, answer: Any) -> Any:
        return asyncio.run(answer) if self._asynchronous else answer

    async def pause(self, seconds: float) -> None:
        """What the asynchronous manager does instead of waiting: the stack's clock goes on."""
        self.app.stack.advance(seconds)

    def request(self, method: str, path: str, *headers: tuple[str, str], jar: dict[str, str] | None = None) -> Request:
        """What the browser sends: its cookies of this site with it."""
        jar = self.jar if jar is None else jar
        cookies = [("cookie", "; ".join(f"{name}={value}" for name, value in jar.items()))] if jar else []
        bare, _, query = path.partition("?")
        return Request(method, bare, query, headers_of([*NAVIGATION, *headers, *cookies]))

    def keep(self, response: Any) -> Any:
        """Do with the Set-Cookie values what a browser does."""
        for line in response.cookies:
            self.set_lines.append(line)
            name, _, rest = line.partition("=")
            value = rest.partition(";")[0]
            if "Max-Age=0" in line:
                self.jar.pop(name, None)
            else:
                self.jar[name] = value
        return response

    def start(self, path: str = "/login", **keywords: Any) -> str:
        """Click on "sign in": the address at Cognito where the browser is sent."""
        response = self.keep(self._run(self.login.start(self.request("GET", path), **keywords)))
        assert response.status == 303
        return location(response)

    def sign_in_at_cognito(self, address: str, user: Any, password: str = PASSWORD) -> str:
        """Fill in managed login's form: the callback's address, with path and query only."""
        page = self.cognito.get(address)
        assert page.status_code == 200, page.text
        fields = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        posted = self.cognito.post("/login", data={**fields, "username": user.username, "password": password})
        assert posted.status_code == 302, posted.text
        return own_path_of(posted.headers["location"])

    def callback(self, path: str, *headers: tuple[str, str], method: str = "GET", jar: dict[str, str] | None = None) -> Any:
        """Come back from Cognito."""
        return self.keep(self._run(self.login.callback(self.request(method, path, *headers, jar=jar))))

    def sign_in(self, user: Any, **keywords: Any) -> Any:
        """The whole way; the callback's answer."""
        return self.callback(self.sign_in_at_cognito(self.start(**keywords), user))

    def sign_out(self, *headers: tuple[str, str], method: str = "POST", **keywords: Any) -> Any:
        """Press the button."""
        sent = headers or (("sec-fetch-site", "same-origin"),)
        return self.keep(self._run(self.login.sign_out(self.request(method, "/sign-out", *sent), **keywords)))

    def resolve(self) -> Any:
        """Who the app thinks is there."""
        header = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        return self._run(self.manager.resolve(header))

    def flows(self) -> list[str]:
        """The names of the cookies of sign-ins under way."""
        return [name for name in self.jar if "-flow-" in name]


def own_path_of(address: str) -> str:
    """Path and query of an address of the app."""
    assert address.startswith(BASE_URL + "/"), address
    return address.removeprefix(BASE_URL)


def location(response: Any) -> str:
    """Where an answer sends the browser."""
    return str(response.headers["Location"])


def query_of(address: str) -> dict[str, str]:
    """The query's parameters, each of which comes once."""
    found = parse_qs(urlsplit(address).query, strict_parsing=True)
    assert all(len(values) == 1 for values in found.values())
    return {name: values[0] for name, values in found.items()}


def with_query(path: str, **changes: str | None) -> str:
    """The path with some of its parameters changed, or left out."""
    bare, _, _ = path.partition("?")
    fields = {**query_of(path), **changes}
    return f"{bare}?{urlencode({name: value for name, value in fields.items() if value is not None})}"
