"""The sample app: one Lambda handler that signs users in, serves them, and signs them out.

Everything that keeps the session is `sessions`; the rest is pages. Two rules of its own: whatever changes something is a
POST, and a POST from another site is refused.
"""

import base64
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Final, Protocol
from urllib.parse import parse_qs

from cognito_session import Session, SessionManager, SessionUnavailable
from cognito_session.aws.wire import WireError
from cognito_session.local.demo.pages import plain, session_page, sign_in_page
from cognito_session.local.demo.password import PasswordSignIn, WrongPasswordError
from cognito_session.local.gateway import Handler

__all__ = ["Observer", "sample_app"]

Event = Mapping[str, Any]
Answer = dict[str, Any]
Routes = dict[tuple[str, str], Handler]

_STATIC: Final = {"/app.js": "text/javascript; charset=utf-8", "/app.css": "text/css; charset=utf-8"}
_TRY_AGAIN: Final = "The sign-in service did not answer. Please try again in a moment."
_WRONG: Final = "This user name and password do not belong together. Please try again."


class Observer(Protocol):
    """What the page shows beside the session: how things stand behind the scenes."""

    def now(self) -> float:
        """Epoch seconds."""

    def generation(self, me: Session) -> int:
        """Which generation of tokens the session's row holds; the first is 1."""

    def refresh_calls(self) -> int:
        """How many refresh calls Cognito has seen."""


def sample_app(sessions: SessionManager, passwords: PasswordSignIn, observer: Observer) -> Handler:
    """The handler `(event, context)`."""
    routes = {**_served(sessions, observer), **_doors(sessions, passwords)}

    def handler(event: Event, context: Any) -> Any:
        method, path = event["requestContext"]["http"]["method"], event["rawPath"]
        if method == "GET" and path in _STATIC:
            return plain(200, _static(path), kind=_STATIC[path])
        route = routes.get((method, path))
        if route is None:
            return plain(404, "There is nothing here.")
        if method == "POST" and not _from_here(event):
            return plain(403, "This request came from another site.")
        return route(dict(event), context)

    return handler


def _served(sessions: SessionManager, observer: Observer) -> Routes:
    """What a session is for: a page for everyone, and one endpoint that needs it."""

    def home(_event: Event, _context: Any, me: Session | None) -> Answer:
        return session_page(me) if me else sign_in_page()

    @sessions.protect
    def status(_event: Event, _context: Any, me: Session) -> Any:
        return me.respond(
            200,
            {
                "username": me.username,
                "token": str(me.claims["jti"])[:8],
                "lives": me.token_expires_at - int(me.claims["iat"]),
                "expires_in": round(me.token_expires_at - observer.now(), 1),
                "generation": observer.generation(me),
                "refresh_calls": observer.refresh_calls(),
            },
        )

    return {("GET", "/"): sessions.protect(home, optional=True), ("GET", "/status"): status}


def _doors(sessions: SessionManager, passwords: PasswordSignIn) -> Routes:
    """Where a session begins and ends."""

    def sign_in(event: Event, _context: Any) -> Answer:
        form = _form(event)
        username = form.get("username", "")
        try:
            me = sessions.establish(passwords.tokens(username, form.get("password", "")))
        except WrongPasswordError:
            return sign_in_page(_WRONG, username=username, status=401)
        except (WireError, SessionUnavailable):
            return sign_in_page(_TRY_AGAIN, username=username, status=503)
        return _to_home(me.set_cookies)

    def sign_out(event: Event, _context: Any) -> Any:
        try:
            return _to_home(sessions.sign_out(event.get("cookies")))
        except SessionUnavailable as error:
            return error.respond()

    return {("POST", "/sign-in"): sign_in, ("POST", "/sign-out"): sign_out}


def _to_home(cookies: tuple[str, ...]) -> Answer:
    headers = {"Location": "/", "Cache-Control": "no-store"}
    return {"statusCode": 303, "headers": headers, "cookies": list(cookies), "body": ""}


def _form(event: Event) -> dict[str, str]:
    """The fields of an HTML form; API Gateway hands them over as base64."""
    body = event.get("body", "")
    text = base64.b64decode(body).decode(errors="replace") if event["isBase64Encoded"] else body
    return {name: values[0] for name, values in parse_qs(text).items()}


def _from_here(event: Event) -> bool:
    """Whether the request came from a page of ours: browsers say so in one of two headers, or both."""
    headers = event["headers"]
    site = headers.get("sec-fetch-site")
    if site is not None:
        return bool(site == "same-origin")
    host = headers.get("host")
    return headers.get("origin") in (f"http://{host}", f"https://{host}")


def _static(path: str) -> str:
    return files(__package__).joinpath(path.removeprefix("/")).read_text(encoding="utf-8")
