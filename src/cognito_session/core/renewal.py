"""Renewal: acquire the lease, call Cognito once, commit (PROTOCOL, steps 2 to 4 and 6, and rows that are not ours).

The lease saves calls; safety comes from the commit's conditions and from never ending a session on a verdict that a
slow sibling may yet disprove. A token fetched and not committed is dropped silently, held, or revoked, by what won
instead: revoking a token that somebody else's commit holds too would kill a live session.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cognito_session.core import writes
from cognito_session.core.case import next_delay
from cognito_session.core.change import Change, Move, Written, equals
from cognito_session.core.credential import Credential, TokenCredential
from cognito_session.core.data import data_of
from cognito_session.core.ending import revoke_quietly
from cognito_session.core.errors import (
    ConfigurationError,
    KeysUnavailable,
    ProviderUnavailable,
    StoreUnavailable,
    TokenError,
)
from cognito_session.core.establish import session_id
from cognito_session.core.identify import authenticate
from cognito_session.core.outcome import Outcome, Reason, Refreshed, Rejected, Session
from cognito_session.core.policy import CALL_LIMIT_SECONDS, REFUSAL_PATIENCE_SECONDS, lease_seconds
from cognito_session.core.ports import TOO_LATE, Denied, NewTokens, RefreshRequest
from cognito_session.core.presenting import with_cookie
from cognito_session.core.record import Row, SessionRecord
from cognito_session.core.standing import Standing, standing_of
from cognito_session.core.steps import Flow, Refresh, Report, Sleep, Write, ask
from cognito_session.core.token import AccessToken, parse
from cognito_session.core.vault import open_secret, seal_secret
from cognito_session.core.writes import Generation, Lease

if TYPE_CHECKING:
    from cognito_session.core.case import Case

__all__ = ["Renewal"]

_COOL_DOWN_SECONDS: Final = (1, 2, 4, 8, 15, 30)


class Renewal:
    """One attempt to give a record its next generation. `patience_until` is monotonic; `extend`: whether the idle end moves."""

    __slots__ = ("case", "credential", "extend", "patience_until")

    def __init__(self, case: Case, credential: Credential, patience_until: float, *, extend: bool = True) -> None:
        self.case = case
        self.extend = extend
        self.credential = credential
        self.patience_until = patience_until

    def run(self, record: SessionRecord) -> Flow[Outcome | None]:
        """Refreshed, Rejected, or None where somebody else has the lease or the verdict is open.

        Raises ProviderUnavailable, StoreUnavailable, KeysUnavailable and ConfigurationError; none ends a session.
        """
        refresh_token = yield from self._opened(record)
        if isinstance(refresh_token, Rejected):
            return refresh_token
        won = yield from self._acquire(record)
        if isinstance(won, Rejected) or won is None:
            return won
        leased, lease = won
        answer = yield from self._call(leased, lease, refresh_token)
        if answer is None:
            return None
        if isinstance(answer, Denied):
            return (yield from self._verdict(leased, lease, answer))
        return (yield from self._keep(leased, lease, answer, refresh_token))

    def _opened(self, record: SessionRecord) -> Flow[str | Rejected]:
        """The refresh token in plain; one that was moved, cut or altered is refused and reported, the row untouched."""
        sid = record.sid or record.key.sid
        try:
            return (yield from open_secret(self.case, record.token or "", sub=record.key.sub, sid=sid, attribute="token"))
        except TokenError as error:
            yield from ask(Report("tampered", record.key.sub, record.sid, error.reason))
            return Rejected(Reason(error.reason))

    # --- step 2

    def _acquire(self, record: SessionRecord) -> Flow[tuple[SessionRecord, Lease] | Rejected | None]:
        began = self.case.clock.monotonic()
        length = lease_seconds(1 if record.stale_marks else record.lease_n + 1)
        lease_id = self.case.fresh_id()
        change = writes.acquire(record, now=self.case.clock.now(), lease_id=lease_id, length=length)
        try:
            written = yield from ask(Write(change))
        except StoreUnavailable:
            written = yield from ask(Write(change))
        if written.found is None:
            return Rejected(Reason.UNKNOWN_SESSION)
        row = change.applied_to(written.found) if written.applied else written.found
        leased = SessionRecord.from_row(record.key, row)
        if leased.lease_id == lease_id and leased.token == record.token:
            return leased, Lease(lease_id, leased.lease_n, began + length - CALL_LIMIT_SECONDS)
        if leased.ended and not leased.bare:
            return Rejected(Reason.SESSION_ENDED)
        return None

    # --- step 3

    def _call(self, leased: SessionRecord, lease: Lease, refresh_token: str) -> Flow[NewTokens | Denied | None]:
        """The answer of exactly one call, or None where its outcome is unknown: then the lease runs out by itself."""
        request = RefreshRequest(refresh_token, self._username(leased), leased.device_key, lease.send_before)
        try:
            try:
                return (yield from self._refresh(request))
            except ProviderUnavailable as fault:
                if fault.sent is not False:
                    raise
            return (yield from self._refresh(request))
        except ProviderUnavailable as fault:
            if fault.sent is None or fault.reason == TOO_LATE:
                return None
            yield from self._cool_down(leased, lease, fault.retry_after)
            raise
        except ConfigurationError:
            yield from self._cool_down(leased, lease, None)
            raise

    def _refresh(self, request: RefreshRequest) -> Flow[NewTokens | Denied]:
        return (yield from ask(Refresh(request)))

    def _username(self, leased: SessionRecord) -> str | None:
        """The name that SECRET_HASH is made over: the record's, or the one in the authentic token presented."""
        if leased.username is None and isinstance(self.credential, TokenCredential):
            return self.credential.token.username
        return leased.username

    def _cool_down(self, leased: SessionRecord, lease: Lease, retry_after: int | None) -> Flow[None]:
        pause = max(retry_after or 0, _COOL_DOWN_SECONDS[min(lease.n, len(_COOL_DOWN_SECONDS)) - 1])
        change = writes.release(leased, lease_id=lease.id, retry_at=self.case.instant_after(min(pause, 60)))
        yield from self._write_quietly(change)

    def _write_quietly(self, change: Change) -> Flow[None]:
        """A write whose loss costs a wait and nothing else."""
        try:
            yield from ask(Write(change))
        except StoreUnavailable:
            return

    # --- step 6

    def _verdict(self, leased: SessionRecord, lease: Lease, denied: Denied) -> Flow[Outcome | None]:
        now = self.case.now()
        if denied.verdict == "unknown":
            first = leased.refused_at or now
            yield from ask(Report("refresh_refused", leased.key.sub, leased.sid, denied.code))
            retry_at = self.case.instant_after(_COOL_DOWN_SECONDS[min(lease.n, len(_COOL_DOWN_SECONDS)) - 1])
            change = writes.release(leased, lease_id=lease.id, retry_at=retry_at, refused_at=first)
            yield from self._write_quietly(change)
            if now - first > REFUSAL_PATIENCE_SECONDS:
                return Rejected(Reason.REFRESH_REFUSED)
            raise ProviderUnavailable("Cognito refused a refresh in words this version does not know", sent=True)
        if lease.n > 1:
            yield from self._write_quietly(writes.suspect(leased, lease_id=lease.id, now=now))
            return None
        mine = equals("lease_id", lease.id)
        written = yield from ask(Write(writes.end(leased, Move.VERDICT, Reason.REFRESH_DENIED, now=now, also=mine)))
        if not written.applied:
            return None
        yield from ask(Report("ended", leased.key.sub, leased.sid, denied.code))
        return Rejected(Reason.REFRESH_DENIED)

    # --- step 4

    def _keep(self, leased: SessionRecord, lease: Lease, tokens: NewTokens, spent: str) -> Flow[Outcome | None]:
        """Verify, commit, and serve what was committed."""
        access, verified = yield from self._examined(leased, lease, tokens)
        if not leased.bare and session_id(self.case, access.origin_jti) != leased.sid:
            yield from ask(Report("origin_changed", leased.key.sub, leased.sid))
        new = yield from self._sealed(leased, access, tokens.refresh_token or spent, verified=verified)
        outcome = yield from self._commit(leased, lease, new)
        if not isinstance(outcome, SessionRecord):
            return outcome
        if not verified:
            raise KeysUnavailable("the new access token is stored; its signature cannot be checked just now")
        return (yield from self._served(outcome, access))

    def _sealed(self, leased: SessionRecord, access: AccessToken, refresh_token: str, *, verified: bool) -> Flow[Generation]:
        """The new generation as it will be stored, bound to the row it goes into."""
        sub, sid = leased.key.sub, access.origin_jti if leased.bare else leased.sid or leased.key.sid
        stored_access = yield from seal_secret(self.case, access.text, sub=sub, sid=sid, attribute="access_token")
        stored_refresh = yield from seal_secret(self.case, refresh_token, sub=sub, sid=sid, attribute="token")
        return Generation(access, refresh_token, stored_access, stored_refresh, verified=verified)

    def _examined(self, leased: SessionRecord, lease: Lease, tokens: NewTokens) -> Flow[tuple[AccessToken, bool]]:
        """The new access token; unverified only where the keys are not to be had and TLS must vouch for it."""
        verified = True
        try:
            try:
                access: AccessToken = yield from authenticate(self.case, tokens.access_token)
            except KeysUnavailable:
                access, verified = parse(tokens.access_token, self.case.rules), False
        except TokenError as error:
            yield from self._cool_down(leased, lease, None)
            raise ProviderUnavailable("Cognito's refresh returned an access token that does not verify") from error
        if access.sub != leased.key.sub:
            yield from self._cool_down(leased, lease, None)
            raise ProviderUnavailable("Cognito's refresh returned another user's access token")
        return access, verified

    def _commit(self, leased: SessionRecord, lease: Lease, new: Generation) -> Flow[SessionRecord | Outcome | None]:
        """The committed record, or what follows from having lost; a write whose answer is lost is repeated."""
        delay = 0.0
        while True:
            change = self._commit_change(leased, lease, new)
            written = yield from self._write_or_none(change)
            if written is not None:
                if written.applied:
                    return SessionRecord.from_row(leased.key, change.applied_to(written.found))
                found = SessionRecord.from_row(leased.key, written.found) if written.found is not None else None
                if found is not None and found.last_op == lease.id and found.token == new.stored_refresh:
                    return found
                if found is not None and found.bare and found.token == leased.token:
                    leased = found
                elif found is None or not self._held_back(found, leased):
                    return (yield from self._lost(found, leased, new))
                elif found.lease_id is not None and not found.lease_is_live(self.case.clock.now()):
                    return None
            if self.case.clock.monotonic() >= self.patience_until:
                raise StoreUnavailable("the session store did not take the new tokens in time")
            delay = next_delay(delay, self.case.entropy)
            yield from ask(Sleep(delay, holding=True))

    def _write_or_none(self, change: Change) -> Flow[Written | None]:
        try:
            return (yield from ask(Write(change)))
        except StoreUnavailable:
            return None

    def _held_back(self, found: SessionRecord, leased: SessionRecord) -> bool:
        """Whether only a foreign lease stands between us and the commit: then the new token is held in memory."""
        same_session = not found.bare and not found.ended and found.sid == leased.sid
        return same_session and found.generation == leased.generation and found.lease_id is not None

    def _lost(self, found: SessionRecord | None, leased: SessionRecord, new: Generation) -> Flow[Outcome | None]:
        """Somebody else's write stands. Revoke only what no record can hold."""
        if found is not None and not found.bare and not found.ended:
            if found.sid in (leased.sid, new.access.origin_jti) and found.sid is not None:
                return None
            yield from revoke_quietly(leased, new.refresh_token)
            return Rejected(Reason.DISPLACED)
        yield from revoke_quietly(leased, new.refresh_token)
        if found is None:
            return Rejected(Reason.UNKNOWN_SESSION)
        return Rejected(Reason.DISPLACED if found.bare else Reason.SESSION_ENDED)

    def _commit_change(self, leased: SessionRecord, lease: Lease, new: Generation) -> Change:
        now = self.case.now()
        end = self.case.policy.absolute_end(now)
        adopted: Row = {"created_at": now, "abs_exp": end, "ttl": end, "username": new.access.username}
        adopted["auth_time"] = self._sign_in_time(new.access)
        moves = self.extend or leased.bare
        idle_exp = self.case.policy.idle_end(now, end if leased.bare else leased.abs_exp) if moves else None
        current = standing_of(self.credential, leased) is Standing.CURRENT
        same_origin = self._presenter_descends_from(new)
        jti = self.credential.token.jti if same_origin and isinstance(self.credential, TokenCredential) else None
        return writes.commit(
            leased,
            new,
            lease_id=lease.id,
            now=now,
            presented_jti=jti,
            adopted=adopted,
            presented_current=current,
            idle_exp=idle_exp,
        )

    def _sign_in_time(self, access: AccessToken) -> int:
        """When a bare row's user signed in: the earlier of two claims, because a refresh may reset it."""
        claims = [access.auth_time or access.issued_at]
        if isinstance(self.credential, TokenCredential) and self.credential.token.auth_time is not None:
            claims.append(self.credential.token.auth_time)
        return min(claims)

    def _presenter_descends_from(self, new: Generation) -> bool:
        return self.credential.sid == new.access.origin_jti

    def _served(self, committed: SessionRecord, access: AccessToken) -> Flow[Outcome]:
        if committed.sid != self.credential.sid and committed.sid == access.origin_jti:
            return Rejected(Reason.DISPLACED)
        auth_time, expires_at = committed.auth_time, committed.abs_exp
        session = Session.of(
            access,
            sid=committed.sid or "",
            auth_time=auth_time,
            expires_at=expires_at,
            now=self.case.now(),
            data=data_of(committed),
            data_version=committed.data_version,
        )
        return Refreshed((yield from with_cookie(self.case, session, committed.generation)))
