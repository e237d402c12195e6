"""A recent sign-in: what an action that a stolen session must not do asks for (OWASP ASVS 5.0, 7.5.1 and 7.5.2).

The sign-in's age counts from the record's `auth_time`, which no refresh moves, to now by this worker's clock, so that a
session that a handler has kept for hours counts as what it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cognito_session.core.errors import StaleSignIn
from cognito_session.core.protocol.session import is_recent

if TYPE_CHECKING:
    from cognito_session.core.protocol.context import FlowContext
    from cognito_session.core.protocol.session import Session

__all__ = ["is_stale", "stale_sign_in"]


def stale_sign_in(context: FlowContext, me: Session) -> StaleSignIn | None:
    """The refusal for a session whose sign-in is too long ago; None where it is recent, or the policy asks for none."""
    most = context.policy.recent_sign_in_seconds
    if most is None or is_recent(me.auth_time, context.now(), most):
        return None
    return StaleSignIn(most)


def is_stale(context: FlowContext, me: Session) -> bool:
    """Whether the session's sign-in is too long ago."""
    return stale_sign_in(context, me) is not None
