"""resolve(): the protocol of a session, from a Cookie header to an outcome (protocol.md: Look, Decide, Wait).

1. Nothing is looked up, written or sent because of a claim whose signature or seal has not been checked.
2. A denial is a value, and "could not find out" is an exception. Only a denial ends a session.
3. No rejection clears a cookie.
4. Every write is conditioned on the row and the token as read (writes.py).
5. From Acquire to Commit nothing cancels from outside (the drivers), and no yield stands inside a `finally`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cognito_session.core.crypto.credential import Credential, TokenCredential
from cognito_session.core.errors import LeaseBusy, SessionUnavailable
from cognito_session.core.policy import CALL_LIMIT_SECONDS, CLOCK_TOLERANCE_SECONDS, LEASE_SECONDS, PATIENCE_SECONDS
from cognito_session.core.protocol import writes
from cognito_session.core.protocol.authenticate import identify, stored_token
from cognito_session.core.protocol.authenticity import rejection_of
from cognito_session.core.protocol.conditions import WriteKind, equals
from cognito_session.core.protocol.context import next_delay, refresh_window
from cognito_session.core.protocol.device_tracking import confirm_pending
from cognito_session.core.protocol.generation import CookieGeneration, Previous, cookie_generation, denial_of, judge_previous
from cognito_session.core.protocol.record import Row, SessionKey, SessionRecord
from cognito_session.core.protocol.refresh import RefreshAttempt
from cognito_session.core.protocol.row_search import find_row
from cognito_session.core.protocol.sealing import with_cookie
from cognito_session.core.protocol.served import mark_seen, session_of
from cognito_session.core.protocol.session import Active, Outcome, Reason, Rejected
from cognito_session.core.protocol.sign_out import revoke_stored
from cognito_session.core.protocol.steps import Flow, Load, Report, Sleep, Write, ask
from cognito_session.core.protocol.unrevoked_tokens import revoke_kept_tokens_of
from cognito_session.core.protocol.write_attempts import report_failure

if TYPE_CHECKING:
    from cognito_session.core.cookie import CookieHeaders
    from cognito_session.core.crypto.access_token import AccessToken
    from cognito_session.core.protocol.context import FlowContext

__all__ = ["Resolution", "resolve"]


def resolve(
    context: FlowContext, headers: CookieHeaders, *, deadline: float | None = None, extend: bool = True
) -> Flow[Outcome]:
    """The session of a request. `deadline` is the monotonic instant at which this worker is stopped. A poll passes
    `extend=False`, which leaves the idle end where it is.

    Raises SessionUnavailable (503) and ConfigurationError (500).
    """
    arrived = context.now()
    credential = yield from identify(context, headers)
    if isinstance(credential, Rejected):
        return credential
    return (yield from Resolution(context, credential, arrived, deadline, extend=extend).run())


class Resolution:
    """One request: it looks, decides, refreshes or waits until it is served or denied."""

    __slots__ = (
        "arrived",
        "context",
        "credential",
        "deadline",
        "delay",
        "extend",
        "first_read",
        "key",
        "patience_until",
        "until",
    )

    def __init__(
        self, context: FlowContext, credential: Credential, arrived: int, deadline: float | None, *, extend: bool
    ) -> None:
        self.context: FlowContext = context
        self.credential: Credential = credential
        self.arrived: int = arrived
        self.deadline: float | None = deadline
        self.extend: bool = extend
        self.first_read: bool = True
        self.key: SessionKey | None = None
        self.patience_until: float | None = None
        self.delay: float = 0.0
        self.until: int = 0

    def run(self) -> Flow[Outcome]:
        """Look until the request is served or denied. Patience limits the pauses in between."""
        while True:
            outcome = yield from self._look()
            if outcome is not None and self._still_true(outcome):
                return outcome
            self.first_read = False
            yield from self._pause()

    def _still_true(self, outcome: Outcome) -> bool:
        """Whether the token is still fresh: the store, the keys, Cognito or a frozen worker may have delayed this request."""
        return not isinstance(outcome, Active) or self.context.clock.now() < outcome.session.token_expires_at

    # --- protocol.md: Look

    def _look(self) -> Flow[Outcome | None]:
        found = yield from self._read()
        if found is None:
            return Rejected(Reason.UNKNOWN_SESSION)
        record = SessionRecord.from_row(*found)
        # A row without a session only takes rights away, so it needs no proof (protocol.md: Authenticity).
        if record.holds_session:
            refused = yield from rejection_of(self.context, record)
            if refused is not None:
                return refused
        return (yield from self._judge(record))

    def _judge(self, record: SessionRecord) -> Flow[Outcome | None]:
        """What the credential's place in the record's history allows."""
        generation = cookie_generation(self.credential, record)
        # Tested before the tombstone: a foreign sign-in over a tombstone is a new session (protocol.md: Foreign rows).
        if generation is CookieGeneration.FOREIGN:
            if record.token is None:
                return Rejected(Reason.UNKNOWN_SESSION)
            return (yield from self._decide(record, generation))
        refusal = denial_of(record, generation, self.context.now())
        if refusal is not None:
            # The worker that ended the session could not revoke its token; this one may hold the key (protocol.md: Log out).
            if record.ended and record.unrevoked:
                yield from revoke_kept_tokens_of(self.context, record)
            return refusal
        # A successor of this generation was presented, so its cookie was replaced long ago (protocol.md: Reuse).
        if generation is CookieGeneration.OLDER:
            return (yield from self._reuse(record))
        if generation is CookieGeneration.PREVIOUS:
            judgement = judge_previous(self.credential, record, self.arrived)
            if judgement is Previous.REJECT:
                return Rejected(Reason.SUPERSEDED)
            if judgement is Previous.REUSE:
                return (yield from self._reuse(record))
        return (yield from self._decide(record, generation))

    def _read(self) -> Flow[tuple[SessionKey, Row] | None]:
        """The row, searched for at the first read and read by its key from then on."""
        if self.key is None:
            found = yield from find_row(self.context, self.credential)
            self.key = found[0] if found is not None else None
            return found
        row = yield from ask(Load(self.key))
        return None if row is None else (self.key, row)

    def _reuse(self, record: SessionRecord) -> Flow[Outcome]:
        """Reject the request and, unless the policy only rejects, end the session (protocol.md: Reuse)."""
        # While this request waited, the row moved on beneath its cookie: that is a slow request, not a thief.
        if not self.first_read:
            return Rejected(Reason.SUPERSEDED)
        yield from ask(Report("reuse", record.key.sub, record.sid))
        # The policy may trade detection of a thief for safety from false alarms.
        if self.context.policy.on_reuse == "reject":
            return Rejected(Reason.REUSE)
        change = writes.end(record, WriteKind.REUSE, Reason.REUSE, now=self.context.now())
        written = yield from ask(Write(change))
        # Revoke only what this write ended: if another write came between, the token may belong to a live session.
        if written.applied and record.token is not None:
            yield from revoke_stored(self.context, record, record.token)
        return Rejected(Reason.REUSE)

    # --- protocol.md: Decide

    def _decide(self, record: SessionRecord, generation: CookieGeneration) -> Flow[Outcome | None]:
        now = self.context.clock.now()
        issued_at, expires_at = self._lifetime(record, generation)
        self.until = expires_at
        valid = now < expires_at
        due = expires_at - now <= refresh_window(record.sid or record.key.sid, expires_at - issued_at)
        if valid and not due:
            return (yield from self._serve(record, generation))
        # Cognito refuses to refresh for an unconfirmed device, and that refusal would end the session (protocol.md: Devices).
        if valid and record.device_pending is not None:
            return (yield from self._serve(record, generation, due=True))
        # Marks that were made for a token that foreign code has replaced say nothing of the new one.
        if not record.stale_marks:
            if record.suspect_at is not None:
                return (yield from self._under_suspicion(record, generation))
            if record.retry_at is not None and now < record.retry_at:
                return (yield from self._cooling(record, generation, retry_at=record.retry_at))
        # Another worker calls Cognito; a second call could look like reuse. Without a valid token, wait (protocol.md: Wait).
        if record.lease_is_live(now):
            return (yield from self._serve(record, generation, due=True)) if valid else None
        # A worker that is stopped between call and commit loses the only copy of a rotated token (protocol.md: Decide).
        if not self._time_to_refresh():
            if valid:
                return (yield from self._serve(record, generation, due=True))
            raise SessionUnavailable(
                "not enough of the function's time left to refresh: give the function a timeout of 10 seconds or more",
                reason="function_timeout",
            )
        return (yield from self._renew(record, generation))

    def _valid(self) -> bool:
        """Whether the token that serves this request is fresh; asked again after every wait."""
        return self.context.clock.now() < self.until

    def _lifetime(self, record: SessionRecord, generation: CookieGeneration) -> tuple[int, int]:
        """Issue and expiry of the token that serves this request."""
        if isinstance(self.credential, TokenCredential) and generation in (CookieGeneration.CURRENT, CookieGeneration.FOREIGN):
            return self.credential.token.issued_at, self.credential.token.expires_at
        expires_at = record.access_exp or 0
        return record.access_iat or expires_at, expires_at

    def _time_to_refresh(self) -> bool:
        return self.deadline is None or self.deadline - self.context.clock.monotonic() >= CALL_LIMIT_SECONDS + 2

    def _under_suspicion(self, record: SessionRecord, generation: CookieGeneration) -> Flow[Outcome | None]:
        """Time confirms an unconfirmed verdict, unless a slower worker commits meanwhile (protocol.md: Verdict)."""
        now = self.context.now()
        # By now every lease that could hold the good token has ended, so the refusal is certain.
        if now - (record.suspect_at or 0) > LEASE_SECONDS + CLOCK_TOLERANCE_SECONDS:
            unchanged = equals("suspect_at", record.suspect_at)
            reason = Reason.DEVICE_REFUSED if record.reason == Reason.DEVICE_REFUSED else Reason.REFRESH_LOST
            change = writes.end(record, WriteKind.VERDICT, reason, now=now, also=unchanged)
            try:
                written = yield from ask(Write(change))
            except Exception as error:  # a token that is still valid is served, as while the verdict was open
                if not self._valid():
                    raise
                yield from report_failure(error, record.key.sub, record.sid, change.kind.value)
                return (yield from self._serve(record, generation, due=True))
            if not written.applied:
                return None
            yield from ask(Report("ended", record.key.sub, record.sid, reason.value))
            return Rejected(reason)
        return (yield from self._serve(record, generation, due=True)) if self._valid() else None

    def _cooling(self, record: SessionRecord, generation: CookieGeneration, *, retry_at: int) -> Flow[Outcome | None]:
        now = self.context.now()
        if self._valid():
            return (yield from self._serve(record, generation, due=True))
        raise SessionUnavailable("Cognito did not refresh this session a moment ago", retry_after=max(1, retry_at - now))

    # --- serve

    def _serve(self, record: SessionRecord, generation: CookieGeneration, *, due: bool = False) -> Flow[Outcome]:
        """Serve a valid token. An older cookie is healed with the current one, unless a newer one is `due`."""
        if isinstance(self.credential, TokenCredential) and generation in (CookieGeneration.CURRENT, CookieGeneration.FOREIGN):
            if generation is CookieGeneration.CURRENT:
                yield from self._after_serving(record, self.credential.token)
            return Active((yield from session_of(self.context, record, self.credential.token, sid=self.credential.sid)))
        token = yield from stored_token(self.context, record)
        session = yield from session_of(self.context, record, token, sid=self.credential.sid)
        if due or generation is CookieGeneration.CURRENT:
            if generation is CookieGeneration.CURRENT:
                yield from self._after_serving(record, token)
            return Active(session)
        return Active((yield from with_cookie(self.context, session, record.generation)))

    def _after_serving(self, record: SessionRecord, token: AccessToken) -> Flow[None]:
        """The writes that a request with the current generation causes."""
        yield from mark_seen(self.context, record, extend=self.extend)
        if record.device_pending is not None and self._time_to_refresh():
            yield from confirm_pending(self.context, record, token)

    # --- refresh.py implements Acquire, Call and Verdict; commit.py implements Commit

    def _renew(self, record: SessionRecord, generation: CookieGeneration) -> Flow[Outcome | None]:
        """Refresh under a lease. Without the lease, a request with a valid token is served at once; others wait."""
        renewal = RefreshAttempt(self.context, self.credential, self._patience(), extend=self.extend, deadline=self.deadline)
        try:
            outcome = yield from renewal.run(record)
        except SessionUnavailable:
            if not self._valid():
                raise
            outcome = None
        except Exception as error:  # a token that is still valid is served, whatever the refresh ahead of time met
            yield from report_failure(error, record.key.sub, record.sid, "refresh")
            if not self._valid():
                raise
            outcome = None
        if isinstance(outcome, Active):
            yield from revoke_kept_tokens_of(self.context, record)
            return outcome
        if outcome is None and self._valid():
            return (yield from self._serve(record, generation, due=True))
        return outcome

    def _patience(self) -> float:
        """The monotonic instant at which waiting ends: 12 s after it began, 1 s before the worker is stopped."""
        if self.patience_until is None:
            self.patience_until = self.context.clock.monotonic() + PATIENCE_SECONDS
            if self.deadline is not None:
                self.patience_until = min(self.patience_until, self.deadline - 1)
        return self.patience_until

    def _pause(self) -> Flow[None]:
        """Wait before the next look (protocol.md: Wait). Raises LeaseBusy when patience is over."""
        if self.context.clock.monotonic() >= self._patience():
            raise LeaseBusy("another worker is refreshing this session and did not finish in time")
        self.delay = next_delay(self.delay, self.context.entropy)
        yield from ask(Sleep(self.delay))
