"""A manager that lives in the test kit, with one person signed in: what targets of front doors share. Made when first used.

What the targets do with it leaves nothing behind: the token stays valid, the row has been seen, the clock stands still.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from cognito_session import AsyncSessionManager, SessionManager
from cognito_session.http.csrf import Csrf
from cognito_session.testing.cognito import Cognito
from cognito_session.testing.events import FORMS
from managed.scene import ring

__all__ = ["COOKIE", "ENVIRONMENT", "LOGIN", "Kit", "kit"]

COOKIE = "__Host-session"
LOGIN = "/login"
ENVIRONMENT = {
    "USER_POOL_ID": "eu-central-1_TestPool1",
    "CLIENT_ID": "client",
    "SESSION_TABLE": "sessions",
    "SORT_KEY": "sid",
    "SESSION_KEYS": ring(2, 1),
    "COGNITO_DOMAIN": "https://login.example",
    "APP_BASE_URL": "https://app.example",
}


class Kit(NamedTuple):
    """`cookie` is the value of the signed-in browser's cookie, `events` an event of each form that brings it."""

    cognito: Cognito
    manager: SessionManager
    asynchronous: AsyncSessionManager
    cookie: str
    sub: str
    events: dict[str, dict[str, Any]]


@lru_cache(maxsize=1)
def kit() -> Kit:
    """The one of this run."""
    cognito = Cognito()
    csrf = Csrf(trusted_origins=["https://admin.example"], header_token=True)
    manager = cognito.attach(SessionManager.from_env(environ=ENVIRONMENT, csrf=csrf))
    asynchronous = cognito.attach(AsyncSessionManager.from_env(environ=ENVIRONMENT, csrf=csrf))
    query = {"a": "1", "b": ["2", "\u00e4"]}
    page = {"sec-fetch-mode": "navigate", "accept": "text/html"}
    events = {}
    for form in FORMS:
        for method in ("GET", "POST"):
            events[f"{method} {form}"] = cognito.event(
                form, method=method, path="/orders/7", query=query, cookies={"theme": "dark"}, manager=manager
            )
        events[f"stranger {form}"] = cognito.event(
            form, path="/orders/7", query=query, headers=page, signed_in=False, manager=manager
        )
    header = cognito.cookie_header
    found = manager.resolve(header)
    return Kit(cognito, manager, asynchronous, header.partition("=")[2], found.session.sub, events)
