"""The certain end of one session: tombstone first, then the tokens revoked at the provider (protocol.md: Log out).

A logout names no generation: it wins over whatever refresh got in between, or is refused and repeated on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cognito_session.core.errors import ConfigurationError, SessionUnavailable, TokenError
from cognito_session.core.protocol import writes
from cognito_session.core.protocol.authenticate import identify
from cognito_session.core.protocol.device_tracking import forget_device
from cognito_session.core.protocol.generation import CookieGeneration, cookie_generation
from cognito_session.core.protocol.record import TOKEN_COOKIE, SessionRecord
from cognito_session.core.protocol.row_search import find_row
from cognito_session.core.protocol.sealing import open_secret
from cognito_session.core.protocol.session import Reason, Rejected
from cognito_session.core.protocol.steps import Flow, Report, Write, ask
from cognito_session.core.protocol.unrevoked_tokens import keep_unrevoked, revoke_token
from cognito_session.core.protocol.write_attempts import Again, repeated

if TYPE_CHECKING:
    from cognito_session.core.cookie import CookieHeaders
    from cognito_session.core.crypto.credential import Credential
    from cognito_session.core.protocol.conditions import Change, Written
    from cognito_session.core.protocol.context import FlowContext
    from cognito_session.core.protocol.record import Row

__all__ = ["end_now", "end_presented", "log_out", "revoke_new", "revoke_stored"]

_BUSY: Final = "the session kept changing while it was being ended"


def log_out(context: FlowContext, headers: CookieHeaders) -> Flow[Rejected | None]:
    """End the session that the cookie is for and revoke its tokens; None when it has ended.

    Rejected means that the cookie has no live session, so the user is signed out. Raises SessionUnavailable where the
    session may still be alive.
    """
    credential = yield from identify(context, headers)
    if isinstance(credential, Rejected):
        return credential
    return (yield from end_presented(context, credential, forget=True))


def end_presented(context: FlowContext, credential: Credential, *, forget: bool = False) -> Flow[Rejected | None]:
    """End the session that an authentic credential is for; as log_out. `forget`: and its device, as the policy says."""

    def attempt() -> Flow[Rejected | Again | None]:
        found = yield from find_row(context, credential)
        if found is None:
            return Rejected(Reason.UNKNOWN_SESSION)
        record = SessionRecord.from_row(*found)
        if not record.foreign_token and (record.cookie_kind or TOKEN_COOKIE) != context.cookie_kind:
            return Rejected(Reason.WRONG_COOKIE_KIND)
        if cookie_generation(credential, record) is CookieGeneration.DISPLACED:
            return Rejected(Reason.DISPLACED)
        if record.token is None or (record.ended and not record.foreign_token):
            return Rejected(Reason.SESSION_ENDED)
        return None if (yield from end_now(context, record, Reason.SESSION_ENDED, forget=forget)) else Again.AGAIN

    return (yield from repeated(context, attempt, busy=_BUSY))


def end_now(context: FlowContext, record: SessionRecord, reason: Reason, *, forget: bool = False) -> Flow[bool]:
    """Turn the record into a tombstone and revoke its token; False where it has changed and must be read again.

    Raises StoreUnavailable where the store refuses the write several times.
    """
    change = writes.log_out(record, reason, now=context.now())

    def attempt() -> Flow[Written | Again]:
        return (yield from ask(Write(change)))

    written = yield from repeated(context, attempt, busy=_BUSY)
    if not (written.applied or _is_mine(change, written.found)):
        return False
    yield from ask(Report("ended", record.key.sub, record.sid, reason.value))
    if forget:  # first: Cognito does not take an access token whose refresh token was revoked
        yield from forget_device(context, record)
    yield from revoke_stored(context, record, record.token or "")
    return True


def _is_mine(change: Change, found: Row | None) -> bool:
    """Whether the tombstone found is this write's, its first answer lost: then the token is still to be revoked."""
    if found is None or "token" in found:
        return False
    return all(found.get(name) == change.put[name] for name in ("state", "reason", "ended_at"))


def revoke_stored(context: FlowContext, record: SessionRecord, stored: str) -> Flow[None]:
    """Revoke a refresh token as it was stored. Where that fails, a sealed one is kept for a worker that can, and reported."""
    sid = record.sid or record.key.sid
    try:
        # A plain token of a row from before there were keys is revoked: this takes rights away, whichever code wrote it.
        plain = record.row_code is None
        refresh_token = yield from open_secret(context, stored, sub=record.key.sub, sid=sid, attribute="token", plain=plain)
    except (SessionUnavailable, ConfigurationError) as error:
        yield from _not_revoked(context, record, stored, error.reason)
        return
    except TokenError as error:
        yield from ask(Report("revoke_failed", record.key.sub, record.sid, error.reason))
        return
    reason = yield from revoke_token(refresh_token)
    if reason is not None:
        yield from _not_revoked(context, record, stored, reason)


def _not_revoked(context: FlowContext, record: SessionRecord, stored: str, reason: str) -> Flow[None]:
    kept = yield from keep_unrevoked(context, record, stored)
    told = f"{reason}: kept sealed, to be revoked by the next worker that can" if kept else reason
    yield from ask(Report("revoke_failed", record.key.sub, record.sid, told))


def revoke_new(context: FlowContext, record: SessionRecord, refresh_token: str, stored: str, *, sid: str) -> Flow[None]:
    """Revoke a refresh token that no row holds; `stored` is its text as it would have been stored under `sid`.

    The session has ended or was displaced in any case. Where that fails, a sealed one is kept, and reported.
    """
    reason = yield from revoke_token(refresh_token)
    if reason is not None:
        yield from _not_revoked(context, record._replace(sid=sid), stored, reason)
