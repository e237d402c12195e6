"""Many devices: a user's sessions as a list, and ends that are certain, for one, for all, for all but one.

Three ends differ in what they do to sign-ins. "Everywhere" refuses every sign-in made up to now: it sets the user's
`not_before` first, so that a sign-in in flight cannot land behind it. "Elsewhere" (all but one) ends the sessions that exist
and refuses no sign-in: a stolen session that repeats it must not keep the owner out. A changed password refuses sign-ins from
before the change, and none from then on. In a table with a sort key `not_before` is in the user's own row (`sid` "#user"); in
one without, on the single row itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cognito_session.core.device_label import clean_label
from cognito_session.core.errors import SessionError, StoreUnavailable
from cognito_session.core.policy import CLOCK_TOLERANCE_SECONDS
from cognito_session.core.protocol import writes
from cognito_session.core.protocol.authenticity import check_genuine, is_proved
from cognito_session.core.protocol.conditions import Change, Comparison, WriteKind, either
from cognito_session.core.protocol.record import ENDED, USER_SID, SessionKey, SessionRecord
from cognito_session.core.protocol.session import Reason
from cognito_session.core.protocol.sign_out import end_now
from cognito_session.core.protocol.steps import Flow, GlobalSignOut, Load, LoadAll, Report, Write, ask
from cognito_session.core.protocol.unrevoked_tokens import revoke_kept_tokens, user_row_end
from cognito_session.core.protocol.write_attempts import Again, repeated

if TYPE_CHECKING:
    from cognito_session.core.protocol.context import FlowContext

__all__ = ["SessionInfo", "revoke", "revoke_all", "sessions_of"]


class SessionInfo(NamedTuple):
    """One session of a user, without anything secret. Instants are epoch seconds."""

    sid: str
    device: str | None
    created_at: int | None
    last_seen_at: int | None
    expires_at: int | None
    current: bool


def sessions_of(context: FlowContext, sub: str, *, current: str | None = None) -> Flow[list[SessionInfo]]:
    """The user's live sessions, newest first; `current` is the session id of the request.

    Raises StoreUnavailable where a row cannot be read, or does not prove what it says.
    """
    records = yield from live_records(context, sub)
    for record in records:
        yield from check_genuine(context, record)
    found = [_info(record, current) for record in records]
    return sorted(found, key=lambda info: info.created_at or 0, reverse=True)


def live_records(context: FlowContext, sub: str) -> Flow[list[SessionRecord]]:
    """The records that a cookie could still be served from. Raises StoreUnavailable where a row cannot be read."""
    _, records, unreadable = yield from _user_live_and_unreadable(context, sub)
    if unreadable is not None:
        raise unreadable
    return records


def live_and_readable(context: FlowContext, sub: str) -> Flow[list[SessionRecord]]:
    """As live_records, without the rows that cannot be read: no request can be served from them."""
    _, records, _ = yield from _user_live_and_unreadable(context, sub)
    return records


def _user_live_and_unreadable(
    context: FlowContext, sub: str
) -> Flow[tuple[SessionRecord | None, list[SessionRecord], StoreUnavailable | None]]:
    """The row that remembers what is known of the user, the live records, and what is wrong with a row that cannot be read."""
    rows = yield from ask(LoadAll(sub))
    now, keeper, records, unreadable = context.now(), None, list[SessionRecord](), None
    for row in rows:
        sid = str(row.get("sid", ""))
        try:
            record = SessionRecord.from_row(SessionKey(sub, sid), row)
        except StoreUnavailable as error:
            unreadable = error
            continue
        if context.one_row_per_user or sid == USER_SID:
            keeper = record
        if sid != USER_SID and is_live(record, now):
            records.append(record)
    return keeper, records, unreadable


def is_live(record: SessionRecord, now: int) -> bool:
    """Whether the record is neither ended nor past one of its ends."""
    if record.token is None or (record.ended and not record.foreign_token):
        return False
    ends = [end for end in (record.idle_exp, record.abs_exp) if end is not None]
    return record.foreign_token or all(now < end for end in ends)


def _info(record: SessionRecord, current: str | None) -> SessionInfo:
    seen = [instant for instant in (record.seen_at, record.active_at) if instant is not None]
    return SessionInfo(
        sid=record.sid or "",
        device=clean_label(record.device),
        created_at=record.created_at,
        last_seen_at=max(seen, default=record.created_at),
        expires_at=record.abs_exp,
        current=record.sid is not None and record.sid == current,
    )


def revoke(context: FlowContext, sub: str, sid: str, reason: Reason = Reason.SESSION_ENDED) -> Flow[bool]:
    """End one session and revoke its tokens; False where there was none to end. Raises SessionUnavailable."""
    key = SessionKey(sub, sid)

    def attempt() -> Flow[bool | Again]:
        row = yield from ask(Load(key))
        record = None if row is None else SessionRecord.from_row(key, row)
        if record is None or record.token is None or (record.sid or sid) != sid or (record.ended and not record.foreign_token):
            return False
        return True if (yield from end_now(context, record, reason, forget=True)) else Again.AGAIN

    return (yield from repeated(context, attempt, busy="the session kept changing while it was being ended"))


def revoke_all(context: FlowContext, sub: str, *, keep: str | None = None, changed_at: int | None = None) -> Flow[int]:
    """End all sessions of the user, or all but `keep`; the number of sessions ended.

    `changed_at`: when the user's password changed (epoch seconds, this worker's clock, read before the change). Sign-ins from
    before are refused from now on, also with `keep`, and no later one is. Without it `keep` refuses no sign-in: a sign-in in
    flight lands, and is listed by `sessions_of`.

    Without `keep` Cognito's own tokens of the user are revoked as well (AdminUserGlobalSignOut), where the role allows it;
    where not, "global_sign_out_failed" is reported. Raises SessionUnavailable: then call again. No request is
    served from a row that cannot be read; all others are ended before StoreUnavailable reports it.
    """
    if changed_at is not None:
        yield from _refuse_sign_ins(context, sub, up_to=changed_at - CLOCK_TOLERANCE_SECONDS - 1)
    elif keep is None:
        yield from _refuse_sign_ins(context, sub, up_to=context.now() + CLOCK_TOLERANCE_SECONDS)
    everyone = _Everyone(context, sub, keep)
    unreadable = yield from repeated(context, everyone.attempt, busy="sessions kept changing while they were being ended")
    if keep is None:
        for username in everyone.usernames or {sub}:
            yield from _global_sign_out(sub, username)
    if unreadable is not None:
        raise unreadable
    return everyone.ended


class _Everyone:
    """The rounds of ending all sessions of a user but `keep`."""

    __slots__ = ("context", "ended", "keep", "sub", "usernames")

    def __init__(self, context: FlowContext, sub: str, keep: str | None) -> None:
        self.context = context
        self.sub = sub
        self.keep = keep
        self.ended = 0
        self.usernames: set[str] = set()

    def attempt(self) -> Flow[StoreUnavailable | Again | None]:
        """Read all and end all, until none is found alive. AGAIN where one changed meanwhile."""
        while True:
            keeper, records, unreadable = yield from _user_live_and_unreadable(self.context, self.sub)
            others = [record for record in records if self.keep is None or record.sid != self.keep]
            before = self.ended
            for record in others:
                # A row that was altered may name another user, whom Cognito would sign out everywhere.
                if self.keep is None and record.username is not None and (yield from is_proved(self.context, record)):
                    self.usernames.add(record.username)
                self.ended += yield from end_now(self.context, record, Reason.SIGNED_OUT, forget=True)
            if keeper is not None and keeper.unrevoked:
                yield from revoke_kept_tokens(self.context, keeper)
            if not others:
                return unreadable
            if self.ended - before < len(others):
                return Again.AGAIN


def _refuse_sign_ins(context: FlowContext, sub: str, *, up_to: int) -> Flow[None]:
    """Set `not_before`, which never goes back: no sign-in made up to that instant lands any more.

    A sign-in's instant is Cognito's (`auth_time`), `not_before` is this worker's, and the two clocks may differ by the
    tolerance. "Everywhere" adds it: no sign-in from before can land, and one up to four seconds later may be refused. A changed
    password subtracts it: no later sign-in is refused, and one up to five seconds before may land.
    """
    mark = {"not_before": up_to, "ttl": user_row_end(context)}
    later = either("not_before", Comparison("not_before", "absent"), Comparison("not_before", "<", up_to))

    def attempt() -> Flow[Again | None]:
        if not context.one_row_per_user:
            yield from ask(Write(Change(WriteKind.NOT_BEFORE, SessionKey(sub, USER_SID), (later,), put=mark)))
            return None
        key = SessionKey(sub, "")
        written = yield from ask(
            Write(Change(WriteKind.NOT_BEFORE, key, (writes.exists("sub"), later), put={"not_before": up_to}))
        )
        if written.applied or written.found is not None:
            return None
        tombstone = {"sub": sub, "sid": USER_SID, "state": ENDED, **mark}
        made = yield from ask(Write(Change(WriteKind.NOT_BEFORE, key, (writes.no_row(),), put=tombstone, replace=True)))
        return None if made.applied else Again.AGAIN

    yield from repeated(context, attempt, busy="the user's row kept changing")


def _global_sign_out(sub: str, username: str) -> Flow[None]:
    try:
        yield from ask(GlobalSignOut(username))
    except Exception as error:  # noqa: BLE001 - reported; every session has ended, whatever a provider raises
        detail = str(error) if isinstance(error, SessionError) else type(error).__name__
        yield from ask(Report("global_sign_out_failed", sub, None, detail))
