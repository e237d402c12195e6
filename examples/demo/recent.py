"""A recent sign-in, asked for on the page already, so that nobody fills in a form for nothing."""

from typing import Final

from cognito_session import Session, SessionForbidden
from examples.demo import pages_refused
from examples.demo.layout import Answer

__all__ = ["RECENT_SECONDS", "not_recent", "stale"]

RECENT_SECONDS: Final = 300
"""How old a sign-in may be for changing the account: the policy's default (`SessionPolicy.recent_sign_in_seconds`)."""


def not_recent(me: Session, here: str, what: str, max_age_seconds: int = RECENT_SECONDS) -> Answer:
    """The page that leads to sign in again and back to `here`. `what` begins its sentence: "A transfer"."""
    age = None if me.auth_time is None else me.served_at - me.auth_time
    return pages_refused.stale_sign_in(me, age_seconds=age, max_age_seconds=max_age_seconds, here=here, what=what)


def stale(me: Session, here: str, what: str, max_age_seconds: int = RECENT_SECONDS) -> Answer | None:
    """That page for a session whose sign-in is too long ago; None for any other."""
    try:
        me.require(max_age=max_age_seconds)
    except SessionForbidden:
        return not_recent(me, here, what, max_age_seconds)
    return None
