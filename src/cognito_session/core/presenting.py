"""What the browser is handed: the cookie of a session's current generation."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cognito_session.core.credential import SealedCredential
from cognito_session.core.vault import seal_cookie

if TYPE_CHECKING:
    from cognito_session.core.case import Case
    from cognito_session.core.outcome import Session
    from cognito_session.core.steps import Flow

__all__ = ["with_cookie"]


def with_cookie(case: Case, session: Session, generation: int) -> Flow[Session]:
    """The session, telling the browser to keep its current cookie until the session's absolute end."""
    now = case.now()
    end = session.session_expires_at
    last = case.policy.absolute_end(now) if end is None else end
    value = session.access_token
    if case.sealed_cookie:
        value = yield from seal_cookie(case, SealedCredential(session.sub, session.sid, generation))
    return replace(session, set_cookies=(case.cookie.set_line(value, max_age_seconds=last - now),))
