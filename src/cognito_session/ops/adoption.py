"""Adoption: rows of other sign-in code get a session id, by one refresh each under the library's own lease."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cognito_session.core.crypto.credential import SealedCredential
from cognito_session.core.policy import PATIENCE_SECONDS
from cognito_session.core.protocol.record import USER_SID, SessionKey, SessionRecord
from cognito_session.core.protocol.refresh import RefreshAttempt
from cognito_session.drivers.sync import run

if TYPE_CHECKING:
    from collections.abc import Callable

    from cognito_session.core.protocol.context import FlowContext
    from cognito_session.drivers.sync import Ports

__all__ = ["adopter"]


def adopter(context: FlowContext, ports: Ports) -> Callable[[str], None]:
    """Returns a function that refreshes a user's foreign row in a table with one row per user. This gives it a session id.

    It holds the library's own lease. A browser with an older token of that sign-in gets the new one at its next request. A
    token that Cognito calls dead ends the session. The function raises SessionUnavailable and ConfigurationError.
    """
    context = context._replace(policy=replace(context.policy, accept_unsealed_rows=True))  # the operator asks for exactly this

    def adopt(sub: str) -> None:
        key = SessionKey(sub, USER_SID)
        record = SessionRecord.from_row(key, ports.store.load(key) or {})
        if record.foreign_token and record.token is not None:
            no_session = SealedCredential(sub, "", 0)
            run(RefreshAttempt(context, no_session, context.clock.monotonic() + PATIENCE_SECONDS).run(record), ports)

    return adopt
