"""What the browser is handed: the cookie of a session's current generation."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cognito_session.core.crypto.credential import SealedCredential
from cognito_session.core.protocol.sealing import seal_cookie

if TYPE_CHECKING:
    from cognito_session.core.protocol.context import FlowContext
    from cognito_session.core.protocol.session import Session
    from cognito_session.core.protocol.steps import Flow

__all__ = ["with_cookie"]


def with_cookie(context: FlowContext, session: Session, generation: int) -> Flow[Session]:
    """The session, telling the browser to keep its current cookie until the session's absolute end."""
    now = context.now()
    end = session.session_expires_at
    last = context.policy.absolute_end(now) if end is None else end
    value = session.access_token
    if context.sealed_cookie:
        value = yield from seal_cookie(context, SealedCredential(session.sub, session.sid, generation))
    return replace(session, set_cookies=(context.cookie.set_line(value, max_age_seconds=last - now),))
