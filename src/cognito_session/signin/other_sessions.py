"""Ending a user's other sessions after a change of the account, which has happened already whatever the store answers now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cognito_session.core.errors import ConfigurationError, SessionUnavailable
from cognito_session.core.protocol.devices import revoke_all
from cognito_session.core.protocol.steps import Flow, Report, ask

if TYPE_CHECKING:
    from cognito_session.core.protocol.context import FlowContext

__all__ = ["others_ended"]


def others_ended(context: FlowContext, sub: str, *, keep: str | None = None, changed_at: int | None = None) -> Flow[int | None]:
    """How many sessions ended; None where that is not certain, which is reported as `others_not_signed_out`."""
    try:
        return (yield from revoke_all(context, sub, keep=keep, changed_at=changed_at))
    except (SessionUnavailable, ConfigurationError) as error:
        yield from ask(Report("others_not_signed_out", sub, keep, error.reason))
        return None
