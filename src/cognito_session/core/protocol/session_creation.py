"""Creates the row of a new session and ends the sessions beyond `max_sessions` (protocol.md: Sign in).

A late duplicate of a sign-in, or one from before "sign out everywhere", creates nothing.
Under `max_sessions` sign-ins are ordered by a counter in the user's row, never by the clocks of the workers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cognito_session.core.errors import ConfigurationError, SessionUnavailable, StoreUnavailable
from cognito_session.core.protocol.authenticity import idle_coded, row_coded
from cognito_session.core.protocol.conditions import Change, Comparison, WriteKind, as_read, either
from cognito_session.core.protocol.devices import live_and_readable, live_records
from cognito_session.core.protocol.record import ACTIVE, USER_SID, Row, SessionKey, SessionRecord
from cognito_session.core.protocol.sealing import current_keyring
from cognito_session.core.protocol.session import Reason, Rejected
from cognito_session.core.protocol.sign_out import end_now, revoke_stored
from cognito_session.core.protocol.steps import Flow, Load, LoadAll, Report, Write, WriteAll, ask
from cognito_session.core.protocol.unrevoked_tokens import revoke_kept_tokens, user_row_end
from cognito_session.core.protocol.write_attempts import Again, repeated

if TYPE_CHECKING:
    from cognito_session.core.crypto.keyring import Keyring
    from cognito_session.core.protocol.context import FlowContext

__all__ = ["create_session_row", "evict_surplus"]

_BUSY: Final = "other sign-ins of this user kept getting in between"


def create_session_row(context: FlowContext, creation: Change) -> Flow[Rejected | None]:
    """None where the row of `creation` stands; Rejected where it may not. Raises SessionUnavailable."""
    ring = yield from current_keyring(context)
    if context.one_row_per_user:
        return (yield from _create_single_row(context, _proved(context, ring, creation)))
    return (yield from repeated(context, _Creation(context, creation, ring).attempt, busy=_BUSY))


def _proved(context: FlowContext, ring: Keyring | None, creation: Change) -> Change:
    """The new row with its codes."""
    return row_coded(context, ring, idle_coded(context, ring, creation, creation.key.sid))


def _create_single_row(context: FlowContext, creation: Change) -> Flow[Rejected | None]:
    """In a table without sort key: the row is replaced, if `not_before` on it allows, which is carried over.

    So is what the row remembers to be revoked (unrevoked_tokens.py).
    """
    displaced: SessionRecord | None = None

    def attempt() -> Flow[Rejected | Again | None]:
        nonlocal displaced
        before = SessionRecord.from_row(creation.key, (yield from ask(Load(creation.key))) or {})
        if before.not_before is not None and before.not_before >= creation.put["auth_time"]:
            return Rejected(Reason.SIGNED_OUT)
        carried = {"not_before": before.not_before, "unrevoked": before.unrevoked or None}
        when = (*creation.when, *(as_read(name, value) for name, value in carried.items()))
        kept = {name: value for name, value in carried.items() if value is not None}
        displaced = before if before.sid != creation.key.sid else displaced
        written = yield from ask(Write(creation._replace(when=when, put={**creation.put, **kept})))
        if written.applied:
            yield from _revoke_displaced(context, creation, SessionRecord.from_row(creation.key, written.found or {}))
            if before.unrevoked:
                yield from revoke_kept_tokens(context, before)
            return None
        if written.found is not None and written.found.get("sid") == creation.key.sid:
            if displaced is not None:  # by an earlier attempt, whose answer was lost
                yield from _revoke_displaced(context, creation, displaced)
            return _own_or_ended(creation, written.found)
        return Again.AGAIN

    return (yield from repeated(context, attempt, busy=_BUSY))


class _Creation:
    """The attempts of one sign-in at its transaction. `uncertain`: an earlier one may have been applied."""

    __slots__ = ("context", "creation", "ring", "uncertain", "user")

    def __init__(self, context: FlowContext, creation: Change, ring: Keyring | None) -> None:
        self.context = context
        self.creation = creation
        self.ring = ring
        self.user = SessionKey(creation.key.sub, USER_SID)
        self.uncertain = False

    def attempt(self) -> Flow[Rejected | Again | None]:
        """None where the row stands, Rejected, or AGAIN where another sign-in got in between."""
        # An earlier transaction may have been applied and its response lost: its row tells.
        if self.uncertain and (found := (yield from ask(Load(self.creation.key)))) is not None:
            return _own_or_ended(self.creation, found)
        row = (yield from ask(Load(self.user))) or {}
        keeper = SessionRecord.from_row(self.user, row)
        # The user has signed out everywhere since this sign-in.
        if keeper.not_before is not None and keeper.not_before >= self.creation.put["auth_time"]:
            return Rejected(Reason.SIGNED_OUT)
        changes = yield from self._changes(row)
        if isinstance(changes, Rejected):
            return changes
        self.uncertain = True
        landed = yield from ask(WriteAll(changes))
        if not landed:
            found = yield from ask(Load(self.creation.key))
            return Again.AGAIN if found is None else _own_or_ended(self.creation, found)
        if keeper.unrevoked:
            yield from revoke_kept_tokens(self.context, keeper)
        return None

    def _changes(self, row: Row) -> Flow[tuple[Change, Change] | Rejected]:
        """The guard on the user's row and the new row; under `max_sessions` both carry the sign-in's number."""
        context, creation = self.context, self.creation
        allowed = either(
            "not_before", Comparison("not_before", "absent"), Comparison("not_before", "<", creation.put["auth_time"])
        )
        most, count = context.policy.max_sessions, _sign_ins(row)
        if most is None:
            return Change(WriteKind.CREATE, self.user, (allowed,)), _proved(context, self.ring, creation)
        if context.policy.on_max_sessions == "refuse" and len((yield from live_records(context, creation.key.sub))) >= most:
            return Rejected(Reason.TOO_MANY_SESSIONS)
        number = 1 + (count if count is not None else (yield from _highest_number(creation.key.sub)))
        put = {"sign_ins": number, "ttl": user_row_end(context)}
        guard = Change(WriteKind.CREATE, self.user, (allowed, as_read("sign_ins", count)), put=put)
        return guard, _proved(context, self.ring, creation._replace(put={**creation.put, "sign_in": number}))


def _sign_ins(row: Row) -> int | None:
    count = row.get("sign_ins")
    if count is None or type(count) is int:
        return count
    raise StoreUnavailable("session row: attribute sign_ins: expected a whole number", reason="unreadable_record")


def _highest_number(sub: str) -> Flow[int]:
    """Where the user's row is gone (its TTL, a restored backup), the count goes on from the sessions' own numbers."""
    rows = yield from ask(LoadAll(sub))
    return max((n for row in rows if type(n := row.get("sign_in")) is int), default=0)


def evict_surplus(context: FlowContext, own: SessionKey) -> Flow[None]:
    """End the oldest sessions beyond `max_sessions`, never this sign-in's own.

    They are listed again where one of them changed meanwhile. The last sign-in sees all sessions, so at rest there are never
    too many.
    """
    most = context.policy.max_sessions
    if most is None or context.one_row_per_user or context.policy.on_max_sessions != "evict":
        return

    def attempt() -> Flow[Again | None]:
        newest_first = sorted((yield from live_and_readable(context, own.sub)), key=_age, reverse=True)
        answer: Again | None = None
        for record in newest_first[most:]:
            if record.sid != own.sid and not (yield from end_now(context, record, Reason.SIGNED_OUT)):
                answer = Again.AGAIN
        return answer

    try:
        yield from repeated(context, attempt, busy="this user's sessions kept changing while the oldest were being ended")
    except (SessionUnavailable, ConfigurationError) as error:  # the new row stands, whatever the store refuses now
        yield from ask(Report("surplus_not_ended", own.sub, own.sid, error.reason))


def _age(record: SessionRecord) -> tuple[int, int, str]:
    """Greater for the newer: by the sign-in's number, not by clocks. Rows from before there were numbers come before."""
    return (record.sign_in or 0, record.created_at or 0, record.sid or "")


def _revoke_displaced(context: FlowContext, creation: Change, record: SessionRecord) -> Flow[None]:
    """The replaced session's tokens, where our own code wrote the row: foreign code may have stored this very sign-in's."""
    if record.token is not None and not record.foreign_token and record.sid != creation.key.sid:
        yield from revoke_stored(context, record, record.token)


def _own_or_ended(creation: Change, found: Row) -> Rejected | None:
    """A row of this very session is there: ours, its answer lost; or a duplicate's, perhaps ended since."""
    same = found.get("jti_cur") == creation.put["jti_cur"] and found.get("state") == ACTIVE
    return None if same else Rejected(Reason.SESSION_ENDED)
