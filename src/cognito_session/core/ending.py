"""The certain end of one session: tombstone first, then the tokens revoked at the provider (PROTOCOL, step 7).

A logout names no generation: it wins over whatever refresh got in between, or is refused and repeated on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cognito_session.core import writes
from cognito_session.core.errors import ConfigurationError, LeaseBusy, SessionUnavailable, StoreUnavailable, TokenError
from cognito_session.core.identify import identify
from cognito_session.core.lookup import find_row
from cognito_session.core.outcome import Reason, Rejected
from cognito_session.core.record import SessionRecord
from cognito_session.core.standing import Standing, standing_of
from cognito_session.core.steps import Flow, Report, Revoke, Write, ask
from cognito_session.core.vault import open_secret

if TYPE_CHECKING:
    from cognito_session.core.case import Case
    from cognito_session.core.cookie import CookieHeaders
    from cognito_session.core.credential import Credential

__all__ = ["end_now", "end_presented", "log_out", "revoke_quietly", "revoke_stored"]

_REVOKE_ATTEMPTS: Final = 2
_ROUNDS: Final = 20
"""How often a row that keeps changing is read again: a refresh in between changes it once or twice."""


def log_out(case: Case, headers: CookieHeaders) -> Flow[Rejected | None]:
    """End the session that the cookie is for and revoke its tokens; None when it has ended.

    Rejected says that the cookie stood for no session, which is as signed out as can be. Raises SessionUnavailable
    where the session may still be alive.
    """
    credential = yield from identify(case, headers)
    if isinstance(credential, Rejected):
        return credential
    return (yield from end_presented(case, credential))


def end_presented(case: Case, credential: Credential) -> Flow[Rejected | None]:
    """End the session that an authentic credential is for; as log_out."""
    for _ in range(_ROUNDS):
        found = yield from find_row(case, credential)
        if found is None:
            return Rejected(Reason.UNKNOWN_SESSION)
        record = SessionRecord.from_row(*found)
        if standing_of(credential, record) is Standing.DISPLACED:
            return Rejected(Reason.DISPLACED)
        if record.token is None or (record.ended and not record.bare):
            return Rejected(Reason.SESSION_ENDED)
        if (yield from end_now(case, record, Reason.SESSION_ENDED)):
            return None
    raise LeaseBusy("the session kept changing while it was being ended")


def end_now(case: Case, record: SessionRecord, reason: Reason) -> Flow[bool]:
    """Turn the record into a tombstone and revoke its token; False where it has changed and must be read again."""
    change = writes.log_out(record, reason, now=case.now())
    try:
        written = yield from ask(Write(change))
    except StoreUnavailable:
        written = yield from ask(Write(change))
    if not written.applied or written.found is None:
        return False
    yield from ask(Report("ended", record.key.sub, record.sid, reason.value))
    yield from revoke_stored(case, record, written.found["token"])
    return True


def revoke_stored(case: Case, record: SessionRecord, stored: str) -> Flow[None]:
    """Revoke a refresh token as it was stored; one that does not open can only be reported."""
    sid = record.sid or record.key.sid
    try:
        refresh_token = yield from open_secret(case, stored, sub=record.key.sub, sid=sid, attribute="token")
    except (TokenError, SessionUnavailable, ConfigurationError) as error:
        yield from ask(Report("revoke_failed", record.key.sub, record.sid, error.reason))
        return
    yield from revoke_quietly(record, refresh_token)


def revoke_quietly(record: SessionRecord, refresh_token: str) -> Flow[None]:
    """Revoke at the provider. The session has ended here in any case, so a failure is only reported."""
    for _ in range(_REVOKE_ATTEMPTS):
        try:
            yield from ask(Revoke(refresh_token))
        except SessionUnavailable:
            continue
        except ConfigurationError:
            break
        else:
            return
    yield from ask(Report("revoke_failed", record.key.sub, record.sid))
