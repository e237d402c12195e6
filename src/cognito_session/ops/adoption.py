"""Adoption: rows of other sign-in code get a session id, by one refresh each under the library's own lease."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cognito_session.core.credential import SealedCredential
from cognito_session.core.policy import PATIENCE_SECONDS
from cognito_session.core.record import USER_SID, SessionKey, SessionRecord
from cognito_session.core.renewal import Renewal
from cognito_session.drivers.sync import run

if TYPE_CHECKING:
    from collections.abc import Callable

    from cognito_session.core.case import Case
    from cognito_session.drivers.sync import Ports

__all__ = ["adopter"]


def adopter(case: Case, ports: Ports) -> Callable[[str], None]:
    """Refreshes a user's bare row of the one-row table under the library's own lease, which gives it a session id.

    Whoever holds an older token of that sign-in is healed at the next request. A token that Cognito calls dead ends the
    session. Raises SessionUnavailable and ConfigurationError.
    """
    case = case._replace(policy=replace(case.policy, accept_unsealed_rows=True))  # what the operator asks for, spelled out

    def adopt(sub: str) -> None:
        key = SessionKey(sub, USER_SID)
        record = SessionRecord.from_row(key, ports.store.load(key) or {})
        if record.bare and record.token is not None:
            nobody = SealedCredential(sub, "", 0)
            run(Renewal(case, nobody, case.clock.monotonic() + PATIENCE_SECONDS).run(record), ports)

    return adopt
