"""Adoption: rows of other sign-in code get a session id, by one refresh each under the library's own lease."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cognito_session.core.crypto.credential import SealedCredential
from cognito_session.core.policy import PATIENCE_SECONDS
from cognito_session.core.protocol.record import USER_SID, SessionKey, SessionRecord
from cognito_session.core.protocol.refresh import Renewal
from cognito_session.drivers.sync import run

if TYPE_CHECKING:
    from collections.abc import Callable

    from cognito_session.core.protocol.context import FlowContext
    from cognito_session.drivers.sync import Ports

__all__ = ["adopter"]


def adopter(context: FlowContext, ports: Ports) -> Callable[[str], None]:
    """Refreshes a user's bare row of the one-row table under the library's own lease, which gives it a session id.

    Whoever holds an older token of that sign-in is healed at the next request. A token that Cognito calls dead ends the
    session. Raises SessionUnavailable and ConfigurationError.
    """
    context = context._replace(
        policy=replace(context.policy, accept_unsealed_rows=True)
    )  # what the operator asks for, spelled out

    def adopt(sub: str) -> None:
        key = SessionKey(sub, USER_SID)
        record = SessionRecord.from_row(key, ports.store.load(key) or {})
        if record.foreign_token and record.token is not None:
            nobody = SealedCredential(sub, "", 0)
            run(Renewal(context, nobody, context.clock.monotonic() + PATIENCE_SECONDS).run(record), ports)

    return adopt
