"""Guard: who may see a page, by the library's `protect`, and pages of this site's own for its refusals.

The library answers a refusal with a plain page of its own; a site that has its own look puts that in its place. Answers to
scripts, redirects to sign-in and cookies stay as they are.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from cognito_session import SessionManager
from cognito_session.local.gateway import Handler
from examples.demo import pages_refused
from examples.demo.journal import PANEL
from examples.demo.layout import Answer

__all__ = ["SIGN_IN", "Event", "Guard", "View"]

Event = Mapping[str, Any]
View = Callable[[Event, Any, Any], Answer]

SIGN_IN: Final = "/sign-in"


class Guard:
    """Doors for views `(event, context, me)`."""

    def __init__(self, sessions: SessionManager) -> None:
        self._sessions = sessions

    def anyone(self, view: View) -> Handler:
        """Called with the session, or with None."""
        return _in_our_look(self._sessions.protect(view, optional=True))

    def signed_in(self, view: View) -> Handler:
        """Called with a session; who has none is sent to sign in, and back here afterwards."""
        return _in_our_look(self._sessions.protect(view, login_path=SIGN_IN))


def _in_our_look(handler: Callable[..., Any]) -> Handler:
    def dressed(event: dict[str, Any], context: Any) -> Any:
        answer = handler(event, context)
        status, headers = answer["statusCode"], answer["headers"]
        is_page = str(headers.get("Content-Type", "")).startswith("text/html")
        if status not in pages_refused.KNOWN or not is_page or PANEL in answer["body"]:
            return answer
        ours = pages_refused.refused(status)
        kept = {name: value for name, value in headers.items() if name in ("Retry-After", "Cache-Control", "Vary")}
        return {**answer, "headers": {**ours["headers"], **kept}, "body": ours["body"]}

    return dressed
