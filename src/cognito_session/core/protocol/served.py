"""The session that a request is served with, and the mark that it leaves in its row (protocol.md: Seen)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cognito_session.core.protocol import writes
from cognito_session.core.protocol.authenticity import cannot_prove, idle_coded
from cognito_session.core.protocol.data import data_of
from cognito_session.core.protocol.sealing import current_keyring
from cognito_session.core.protocol.session import Session
from cognito_session.core.protocol.write_attempts import write_quietly

if TYPE_CHECKING:
    from cognito_session.core.crypto.access_token import AccessToken
    from cognito_session.core.protocol.context import FlowContext
    from cognito_session.core.protocol.record import SessionRecord
    from cognito_session.core.protocol.steps import Flow

__all__ = ["mark_seen", "session_of"]


def session_of(context: FlowContext, record: SessionRecord, token: AccessToken, *, sid: str) -> Flow[Session]:
    """The Session of this record and token. `sid` is used where the record has none. Raises as data_of does."""
    # What a foreign row says of its sign-in and its end belongs to the session before it.
    return Session.of(
        token,
        sid=record.sid or sid,
        auth_time=None if record.foreign_token else record.auth_time,
        expires_at=None if record.foreign_token else record.abs_exp,
        now=context.now(),
        alarm=context.alarm,
        data=(yield from data_of(context, record)),
        data_version=record.data_version,
    )


def mark_seen(context: FlowContext, record: SessionRecord, *, extend: bool) -> Flow[None]:
    """Mark the current generation as seen and, with `extend`, move the idle end. A failed write changes no answer."""
    now, policy = context.now(), context.policy
    # A worker without keys cannot write the idle code: its write would make the row unreadable for workers with keys.
    extends = extend and not cannot_prove(context, record)
    slides = extends and policy.slides(now, record.idle_exp, record.abs_exp)
    idle_exp = policy.idle_end(now, record.abs_exp) if slides else None
    if record.seen_at is None:
        change = writes.mark_seen(record, now=now, idle_exp=idle_exp)
    elif idle_exp is not None:
        change = writes.touch(record, now=now, idle_exp=idle_exp)
    else:
        return
    if idle_exp is not None:
        change = idle_coded(context, (yield from current_keyring(context)), change, record.sid)
    yield from write_quietly(change, record.sid)
