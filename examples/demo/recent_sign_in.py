"""Asks for a recent sign-in before the page shows a form, so that the user does not fill in a form in vain.

The library asks again when the form arrives.
"""

from typing import Final

from cognito_session import Session, SessionForbidden
from examples.demo.pages import Response, page

__all__ = ["RECENT_SECONDS", "ask_to_sign_in_again", "ask_unless_recent"]

RECENT_SECONDS: Final = 300
"""Maximum age of the sign-in for account changes: the default of `SessionPolicy.recent_sign_in_seconds`."""


def ask_to_sign_in_again(me: Session, here: str, action: str, max_age_seconds: int = RECENT_SECONDS) -> Response:
    """403: a page that leads to sign-in and back to `here`. `action` starts its sentence: "A transfer"."""
    age = None if me.auth_time is None else me.served_at - me.auth_time
    return page(
        "recent_sign_in_required.html",
        me=me,
        here=here,
        status=403,
        age_seconds=age,
        max_age_seconds=max_age_seconds,
        action=action,
    )


def ask_unless_recent(me: Session, here: str, action: str, max_age_seconds: int = RECENT_SECONDS) -> Response | None:
    """The same page if the sign-in is older than `max_age_seconds`, else None."""
    try:
        me.require(max_age=max_age_seconds)
    except SessionForbidden:
        return ask_to_sign_in_again(me, here, action, max_age_seconds)
    return None
