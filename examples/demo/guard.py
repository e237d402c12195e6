"""Wraps each view in the library's `protect`, and shows this site's pages for the library's refusals.

The library answers a refusal with a plain page. This site replaces it with a page of its own look. JSON responses, redirects
to sign-in and cookies stay as they are.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from cognito_session import SessionManager
from cognito_session.local.gateway import Handler
from examples.demo.pages import PANEL, REFUSED, Response, refused

__all__ = ["SIGN_IN", "Event", "Guard", "Routes", "View"]

Event = Mapping[str, Any]
View = Callable[[Event, Any, Any], Response]
Routes = Mapping[tuple[str, str], Handler]
"""Handlers by method and path."""

SIGN_IN: Final = "/sign-in"


class Guard:
    """Makes handlers from views `(event, context, me)`."""

    def __init__(self, sessions: SessionManager) -> None:
        self._sessions = sessions

    def optional(self, view: View) -> Handler:
        """`me` is the session, or None without one."""
        return _with_own_pages(self._sessions.protect(view, optional=True))

    def required(self, view: View) -> Handler:
        """`me` is the session. A browser without one goes to the sign-in page, and returns afterwards."""
        return _with_own_pages(self._sessions.protect(view, login_path=SIGN_IN))


def _with_own_pages(handler: Callable[..., Any]) -> Handler:
    def wrapped(event: dict[str, Any], context: Any) -> Any:
        response = handler(event, context)
        status, headers = response["statusCode"], response["headers"]
        is_page = str(headers.get("Content-Type", "")).startswith("text/html")
        if status not in REFUSED or not is_page or PANEL in response["body"]:
            return response
        own = refused(status)
        kept = {name: value for name, value in headers.items() if name in ("Retry-After", "Cache-Control", "Vary")}
        return {**response, "headers": {**own["headers"], **kept}, "body": own["body"]}

    return wrapped
