"""Commit: from Cognito's answer to a refresh to the committed record (protocol.md: Commit, Foreign rows).

Under rotation Cognito's answer holds the only copy of the new refresh token, so every failure of the write is repeated until
patience ends. If another write wins, it decides whether the new token is dropped, held or revoked: revoking a token that
another worker has committed would end a live session.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cognito_session.core.crypto.access_token import AccessToken, parse
from cognito_session.core.crypto.credential import Credential, TokenCredential
from cognito_session.core.errors import (
    InvalidClaim,
    InvalidSignature,
    ProviderUnavailable,
    SessionError,
    StoreUnavailable,
    TokenError,
)
from cognito_session.core.policy import CLOCK_TOLERANCE_SECONDS, LEASE_SECONDS
from cognito_session.core.protocol import writes
from cognito_session.core.protocol.authenticate import authenticate
from cognito_session.core.protocol.authenticity import idle_coded, row_coded
from cognito_session.core.protocol.conditions import Change
from cognito_session.core.protocol.context import next_delay
from cognito_session.core.protocol.establish import session_id
from cognito_session.core.protocol.generation import CookieGeneration, cookie_generation
from cognito_session.core.protocol.record import Row, SessionRecord
from cognito_session.core.protocol.sealing import sealed_with
from cognito_session.core.protocol.session import Outcome, Reason, Rejected
from cognito_session.core.protocol.sign_out import revoke_new
from cognito_session.core.protocol.steps import Flow, Report, Sleep, Write, ask
from cognito_session.core.protocol.write_attempts import write_quietly
from cognito_session.core.protocol.writes import Generation, Lease

if TYPE_CHECKING:
    from cognito_session.core.crypto.keyring import Keyring
    from cognito_session.core.protocol.context import FlowContext
    from cognito_session.core.protocol.ports import NewTokens

__all__ = ["Commit", "Committed", "holding_until"]

_LONGEST_PAUSE: Final = 1.0
_NOT_OURS: Final = frozenset({"iss", "client_id", "sub"})
"""Claims that make an access token another user's, client's or pool's: its refresh token does not belong in this row."""
Committed = tuple[SessionRecord, Generation]


class Commit:
    """One answered refresh on its way into the row that `lease` was taken on.

    `ring` is the keyring as read before the call, so that no answer waits for keys. `until` is the monotonic instant at which
    patience ends. `extend`: whether the idle end moves.
    """

    __slots__ = ("context", "credential", "extend", "lease", "leased", "ring", "until")

    def __init__(
        self,
        context: FlowContext,
        credential: Credential,
        leased: SessionRecord,
        lease: Lease,
        *,
        ring: Keyring | None,
        until: float,
        extend: bool,
    ) -> None:
        self.context: FlowContext = context
        self.credential: Credential = credential
        self.leased: SessionRecord = leased
        self.lease: Lease = lease
        self.ring: Keyring | None = ring
        self.until: float = until
        self.extend: bool = extend

    def run(self, tokens: NewTokens, spent: str) -> Flow[Committed | Outcome | None]:
        """The committed record and its generation, or what follows from having lost. `spent` is the token that was sent.

        Raises, when patience has ended, what the last write failed with; ProviderUnavailable or ConfigurationError for an
        access token that cannot be served, its refresh token kept in the row.
        """
        try:
            access, verified = yield from self._examined(tokens.access_token)
        except SessionError as error:
            yield from self._keep_refresh_token(error, tokens.refresh_token, spent)
            raise
        new = self._sealed(access, tokens.refresh_token or spent, verified=verified)
        outcome = yield from self._commit(new)
        if not self.leased.foreign_token and session_id(self.context, access.origin_jti) != self.leased.sid:
            yield from ask(Report("origin_changed", self.leased.key.sub, self.leased.sid))  # the hook may take its time
        return (outcome, new) if isinstance(outcome, SessionRecord) else outcome

    # --- the new access token

    def _examined(self, text: str) -> Flow[tuple[AccessToken, bool]]:
        """The new access token; unverified only where its key is not available and TLS must vouch for it.

        Raises ProviderUnavailable, or ConfigurationError where the app client's tokens lack what the library needs.
        """
        try:
            try:
                access: AccessToken = yield from authenticate(self.context, text, from_cognito=True, waits=False)
                verified = True
            except InvalidSignature:  # a key was found and refutes the token; TLS cannot vouch against that
                raise
            except Exception:  # noqa: BLE001 - whatever keeps the keys away: the token is stored, and verified before use
                access, verified = parse(text, self.context.rules), False
        except TokenError as error:
            raise ProviderUnavailable("Cognito's refresh returned an access token that does not verify") from error
        if access.sub != self.leased.key.sub:
            foreign = InvalidClaim("sub", "the user of the session")
            raise ProviderUnavailable("Cognito's refresh returned another user's access token") from foreign
        return access, verified

    def _keep_refresh_token(self, error: SessionError, refresh_token: str | None, spent: str) -> Flow[None]:
        """Store a rotated refresh token whose access token cannot be served: once the cause is gone, the session goes on."""
        leased, lease, cause = self.leased, self.lease, error.__cause__
        retry_at = self.context.instant_after(writes.cool_down_seconds(lease.n))
        # A token of another user, client or pool must not enter this row, and without rotation there is nothing to keep.
        foreign = isinstance(cause, InvalidClaim) and cause.claim in _NOT_OURS
        if foreign or refresh_token is None or refresh_token == spent:
            yield from write_quietly(writes.release(leased, lease_id=lease.id, retry_at=retry_at), leased.sid)
            return
        sub, sid = leased.key.sub, leased.sid or leased.key.sid
        ring = self.ring if leased.row_code is not None else None  # only a row with a code holds sealed tokens
        stored = sealed_with(self.context, ring, refresh_token, sub=sub, sid=sid, attribute="token")
        change = writes.keep_token(leased, stored, lease_id=lease.id, retry_at=retry_at)
        yield from self._written(row_coded(self.context, ring, change, leased))

    def _sealed(self, access: AccessToken, refresh_token: str, *, verified: bool) -> Generation:
        """The new generation as it will be stored, bound to the row it goes into."""
        leased = self.leased
        sub, sid = leased.key.sub, _sid_of(leased, access)
        stored_access = sealed_with(self.context, self.ring, access.text, sub=sub, sid=sid, attribute="access_token")
        stored_refresh = sealed_with(self.context, self.ring, refresh_token, sub=sub, sid=sid, attribute="token")
        return Generation(access, refresh_token, stored_access, stored_refresh, verified=verified)

    # --- the write

    def _commit(self, new: Generation) -> Flow[SessionRecord | Outcome | None]:
        """The committed record, or the result of a lost commit (protocol.md: Commit)."""
        leased, lease, delay = self.leased, self.lease, 0.0
        while True:
            applied, found = yield from self._written(self._change(leased, new))
            if applied:
                return found
            # This very write was applied, and its response was lost.
            if found is not None and found.last_op == lease.id and found.token == new.stored_refresh:
                return found
            # Foreign code touched the row and left the token that was spent: commit on the row as it is now.
            if found is not None and found.foreign_token and found.token == leased.token:
                leased = found
            # Only a lease of the same generation may end and let this commit through; anything else is final.
            elif found is None or not _held_back(found, leased):
                return (yield from self._lost(found, leased, new))
            # The other worker has lapsed: look again and take a new lease, which may spend the token of the row.
            elif found.lease_id is not None and not found.lease_is_live(self.context.clock.now()):
                return None
            delay = next_delay(delay, self.context.entropy)
            yield from self._pause(delay, None)

    def _written(self, change: Change) -> Flow[tuple[bool, SessionRecord | None]]:
        """Whether the write was applied, and the row after it or as it was found."""
        delay = 0.0
        while True:
            try:
                written = yield from ask(Write(change))
                row = change.applied_to(written.found) if written.applied else written.found
                return written.applied, None if row is None else SessionRecord.from_row(self.leased.key, row)
            # Also a failure that is no outage is repeated: an operator may repair a role or a key while the token is held.
            except Exception as error:  # noqa: BLE001 - raised when patience ends
                fault = error
            delay = min(max(2 * delay, next_delay(0.0, self.context.entropy)), _LONGEST_PAUSE)
            yield from self._pause(delay, fault)

    def _pause(self, delay: float, fault: Exception | None) -> Flow[None]:
        """Hold the token for `delay` seconds. Raises the last fault when patience is over."""
        left = self.until - self.context.clock.monotonic()
        if left > 0:
            yield from ask(Sleep(min(delay, left), holding=True))
            return
        shown = fault if isinstance(fault, SessionError) else type(fault).__name__
        detail = str(shown) if fault is not None else "another worker's lease did not end"
        yield from ask(Report("commit_failed", self.leased.key.sub, self.leased.sid, detail))
        if fault is not None and not isinstance(fault, StoreUnavailable):
            raise fault
        message = f"the session store did not take the new tokens in time: {detail}"
        if fault is None:
            raise StoreUnavailable(message)
        raise StoreUnavailable(message, reason=fault.reason, retry_after=fault.retry_after) from fault

    def _lost(self, found: SessionRecord | None, leased: SessionRecord, new: Generation) -> Flow[Outcome | None]:
        """Another write won (protocol.md: Commit). Revoke only a token that no record can hold."""
        if found is not None and not found.foreign_token and not found.ended:
            # The same session at a higher generation: its row may hold this very token, so revoking could end a live session.
            if found.sid in (leased.sid, new.access.origin_jti) and found.sid is not None:
                return None
            # Another sign-in took the row of this user: no record holds the new token any more.
            yield from self._revoke(leased, new)
            return Rejected(Reason.DISPLACED)
        # Ended, deleted or replaced by foreign code: a logout must leave no usable token behind.
        yield from self._revoke(leased, new)
        if found is None:
            return Rejected(Reason.UNKNOWN_SESSION)
        return Rejected(Reason.DISPLACED if found.foreign_token else Reason.SESSION_ENDED)

    def _revoke(self, leased: SessionRecord, new: Generation) -> Flow[None]:
        sid = _sid_of(leased, new.access)
        yield from revoke_new(self.context, leased, new.refresh_token, new.stored_refresh, sid=sid)

    def _change(self, leased: SessionRecord, new: Generation) -> Change:
        now = self.context.now()
        end = self.context.policy.absolute_end(now)
        adopted: Row = {"created_at": now, "abs_exp": end, "ttl": end, "username": new.access.username}
        adopted["auth_time"] = self._sign_in_time(new.access)
        if new.access.device_key is not None:
            adopted["device_key"] = new.access.device_key
        # An idle code beside no row code proves nothing: a worker without keys may have moved the idle end since.
        unproved = self.ring is not None and (leased.row_code is None or leased.idle_code is None)
        moves = self.extend or leased.foreign_token or unproved
        idle_exp = self.context.policy.idle_end(now, end if leased.foreign_token else leased.abs_exp) if moves else None
        current = cookie_generation(self.credential, leased) is CookieGeneration.CURRENT
        same_origin = self.credential.sid == new.access.origin_jti
        jti = self.credential.token.jti if same_origin and isinstance(self.credential, TokenCredential) else None
        change = writes.commit(
            leased,
            new,
            lease_id=self.lease.id,
            now=now,
            presented_jti=jti,
            adopted=adopted,
            presented_current=current,
            idle_exp=idle_exp,
        )
        if unproved and idle_exp is None:
            change = change._replace(drop=change.drop | {"idle_exp", "active_at"})
        if moves and (unproved or idle_exp is not None):
            change = idle_coded(self.context, self.ring, change, change.put.get("sid", leased.sid))
        return row_coded(self.context, self.ring, change, leased)

    def _sign_in_time(self, access: AccessToken) -> int:
        """When a foreign row's user signed in: the earlier of two claims, because a refresh may reset it."""
        claims = [access.auth_time or access.issued_at]
        if isinstance(self.credential, TokenCredential) and self.credential.token.auth_time is not None:
            claims.append(self.credential.token.auth_time)
        return min(claims)


def holding_until(patience_until: float, now: float, deadline: float | None) -> float:
    """The monotonic instant at which an answer that came at `now` is given up.

    Patience, but at least as long as the lease keeps other workers away: a request that had waited before it took the lease
    holds its token no shorter. Never beyond one second before the worker is stopped.
    """
    until = max(patience_until, now + LEASE_SECONDS + CLOCK_TOLERANCE_SECONDS)
    return until if deadline is None else min(until, deadline - 1)


def _sid_of(leased: SessionRecord, access: AccessToken) -> str:
    """The session id that the new tokens are sealed for."""
    return access.origin_jti if leased.foreign_token else leased.sid or leased.key.sid


def _held_back(found: SessionRecord, leased: SessionRecord) -> bool:
    """Whether only a foreign lease stands between us and the commit: then the new token is held in memory."""
    same_session = not found.foreign_token and not found.ended and found.sid == leased.sid
    return same_session and found.generation == leased.generation and found.lease_id is not None
