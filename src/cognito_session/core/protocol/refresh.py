"""Refresh: acquire the lease, call Cognito once, judge a refusal (protocol.md: Acquire, Call, Verdict).

The lease saves calls; safety comes from the commit's conditions and from never ending a session on a verdict that a
slow sibling may yet disprove.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cognito_session.core.crypto.credential import Credential, TokenCredential
from cognito_session.core.errors import (
    ConfigurationError,
    KeysUnavailable,
    ProviderUnavailable,
    StoreUnavailable,
    TokenError,
)
from cognito_session.core.policy import CALL_LIMIT_SECONDS, lease_seconds
from cognito_session.core.protocol import writes
from cognito_session.core.protocol.authenticity import rejection_of
from cognito_session.core.protocol.commit import Commit, Committed, holding_until
from cognito_session.core.protocol.conditions import WriteKind, equals
from cognito_session.core.protocol.ports import DEVICE_REFUSED, TOO_LATE, NewTokens, RefreshDenied, RefreshRequest
from cognito_session.core.protocol.record import SessionRecord
from cognito_session.core.protocol.sealing import current_keyring, open_secret, with_cookie
from cognito_session.core.protocol.served import session_of
from cognito_session.core.protocol.session import Outcome, Reason, Refreshed, Rejected
from cognito_session.core.protocol.steps import Flow, Refresh, Report, Write, ask
from cognito_session.core.protocol.write_attempts import write_quietly
from cognito_session.core.protocol.writes import Lease

if TYPE_CHECKING:
    from cognito_session.core.crypto.keyring import Keyring
    from cognito_session.core.protocol.context import FlowContext

__all__ = ["RefreshAttempt"]


class RefreshAttempt:
    """One attempt to give a record its next generation. `extend`: whether the idle end moves.

    `patience_until` and `deadline`, at which the worker is stopped, are monotonic instants.
    """

    __slots__ = ("context", "credential", "deadline", "extend", "patience_until")

    def __init__(
        self,
        context: FlowContext,
        credential: Credential,
        patience_until: float,
        *,
        extend: bool = True,
        deadline: float | None = None,
    ) -> None:
        self.deadline: float | None = deadline
        self.context: FlowContext = context
        self.extend: bool = extend
        self.credential: Credential = credential
        self.patience_until: float = patience_until

    def run(self, record: SessionRecord) -> Flow[Outcome | None]:
        """Refreshed, Rejected, or None where another worker holds the lease or the verdict is open.

        Raises ProviderUnavailable, StoreUnavailable, KeysUnavailable and ConfigurationError; none ends a session.
        """
        refresh_token = yield from self._opened(record)
        if isinstance(refresh_token, Rejected):
            return refresh_token
        ring = yield from current_keyring(self.context)  # before the call: no answer of Cognito waits for keys
        won = yield from self._acquire(record, ring)
        if isinstance(won, Rejected) or won is None:
            return won
        leased, lease = won
        answer = yield from self._call(leased, lease, refresh_token)
        if answer is None:
            return None
        if isinstance(answer, RefreshDenied):
            return (yield from self._verdict(leased, lease, answer))
        until = holding_until(self.patience_until, self.context.clock.monotonic(), self.deadline)
        commit = Commit(self.context, self.credential, leased, lease, ring=ring, until=until, extend=self.extend)
        kept = yield from commit.run(answer, refresh_token)
        return (yield from self._served(kept, ring)) if isinstance(kept, tuple) else kept

    def _opened(self, record: SessionRecord) -> Flow[str | Rejected]:
        """The refresh token in plain; one that was moved, cut or altered is refused and reported, the row untouched."""
        sid = record.sid or record.key.sid
        try:
            return (yield from open_secret(self.context, record.token or "", sub=record.key.sub, sid=sid, attribute="token"))
        except TokenError as error:
            yield from ask(Report("tampered", record.key.sub, record.sid, error.reason))
            return Rejected(Reason(error.reason))

    # --- protocol.md: Acquire

    def _acquire(self, record: SessionRecord, ring: Keyring | None) -> Flow[tuple[SessionRecord, Lease] | Rejected | None]:
        began = self.context.clock.monotonic()
        length = lease_seconds(1 if record.stale_marks else record.lease_n + 1)
        lease_id = self.context.fresh_id()
        change = writes.acquire(record, now=self.context.clock.now(), lease_id=lease_id, length=length)
        try:
            written = yield from ask(Write(change))
        except StoreUnavailable:  # the same write again: its own `lease_id` in the row tells that the first one was applied
            written = yield from ask(Write(change))
        if written.found is None:
            return Rejected(Reason.UNKNOWN_SESSION)
        row = change.applied_to(written.found) if written.applied else written.found
        leased = SessionRecord.from_row(record.key, row)
        if leased.lease_id == lease_id and leased.token == record.token:
            refused = yield from rejection_of(self.context, leased, ring)  # its attributes go into the next generation's code
            if refused is not None:
                return refused
            return leased, Lease(lease_id, leased.lease_n, began + length - CALL_LIMIT_SECONDS)
        if leased.ended and not leased.foreign_token:
            return Rejected(Reason.SESSION_ENDED)
        return None

    # --- protocol.md: Call

    def _call(self, leased: SessionRecord, lease: Lease, refresh_token: str) -> Flow[NewTokens | RefreshDenied | None]:
        """The answer of exactly one call, or None where its outcome is unknown: then the lease runs out by itself."""
        request = RefreshRequest(refresh_token, self._username(leased), self._device_key(leased), lease.send_before)
        try:
            try:
                return (yield from self._refresh(request))
            except ProviderUnavailable as fault:
                # Sent once more only if it never left: a second use of a rotated token is reuse to Cognito.
                if fault.sent is not False:
                    raise
            return (yield from self._refresh(request))
        except ProviderUnavailable as fault:
            # Cognito may have rotated the token: the lease stays, so that no other worker calls before it lapses.
            if fault.sent is None or fault.reason == TOO_LATE:
                return None
            yield from self._cool_down(leased, lease, fault.retry_after)
            raise
        except ConfigurationError:
            yield from self._cool_down(leased, lease, None)
            raise

    def _refresh(self, request: RefreshRequest) -> Flow[NewTokens | RefreshDenied]:
        return (yield from ask(Refresh(request)))

    def _username(self, leased: SessionRecord) -> str | None:
        """The name that SECRET_HASH is made over: the record's, or the one in the authentic token presented."""
        if leased.username is None and isinstance(self.credential, TokenCredential):
            return self.credential.token.username
        return leased.username

    def _device_key(self, leased: SessionRecord) -> str | None:
        """The record's, or the one in the authentic token presented: foreign code that replaced the token keeps no other."""
        if (leased.foreign_token or leased.device_key is None) and isinstance(self.credential, TokenCredential):
            return self.credential.token.device_key or leased.device_key
        return leased.device_key

    def _cool_down(self, leased: SessionRecord, lease: Lease, retry_after: int | None) -> Flow[None]:
        pause = max(retry_after or 0, writes.cool_down_seconds(lease.n))
        change = writes.release(leased, lease_id=lease.id, retry_at=self.context.instant_after(min(pause, 60)))
        yield from write_quietly(change, leased.sid)

    # --- protocol.md: Verdict

    def _verdict(self, leased: SessionRecord, lease: Lease, denied: RefreshDenied) -> Flow[Outcome | None]:
        now = self.context.now()
        if denied.verdict == "unknown":
            # Never a rejection, however long it lasts: a wrong setting would sign out every user.
            yield from ask(Report("refresh_refused", leased.key.sub, leased.sid, denied.code))
            yield from self._cool_down(leased, lease, None)
            raise ProviderUnavailable("Cognito refused a refresh with a message that this version does not know", sent=True)
        of_the_device = denied.code == DEVICE_REFUSED
        # An earlier lease may belong to a slow worker that holds the good token: time confirms or refutes this refusal.
        if lease.n > 1:
            reason = Reason.DEVICE_REFUSED if of_the_device else Reason.REFRESH_LOST
            yield from write_quietly(writes.suspect(leased, reason, lease_id=lease.id, now=now), leased.sid)
            return None
        mine = equals("lease_id", lease.id)
        reason = Reason.DEVICE_REFUSED if of_the_device else Reason.REFRESH_DENIED
        written = yield from ask(Write(writes.end(leased, WriteKind.VERDICT, reason, now=now, also=mine)))
        # The row has changed since the call, so the refusal concerns a token that it no longer holds.
        if not written.applied:
            return None
        yield from ask(Report("ended", leased.key.sub, leased.sid, denied.code))
        return Rejected(reason)

    # --- after the commit

    def _served(self, kept: Committed, ring: Keyring | None) -> Flow[Outcome]:
        """The committed session, if it belongs to this cookie and its signature was checked."""
        committed, new = kept
        access = new.access
        refused = yield from rejection_of(self.context, committed, ring)  # a writer of the table may have changed it meanwhile
        if refused is not None:
            return refused
        if not new.verified:
            raise KeysUnavailable("the new access token is stored; its signature cannot be checked just now")
        if committed.sid != self.credential.sid and committed.sid == access.origin_jti:
            return Rejected(Reason.DISPLACED)
        session = yield from session_of(self.context, committed, access, sid="")
        return Refreshed((yield from with_cookie(self.context, session, committed.generation)))
