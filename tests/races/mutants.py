"""The protocol with one rule taken out: each must lose something that the search can see.

A mutant patches one function of the flow for the time of a search. The simpler rules (protocol.md: Why the rules are not
simpler) are here, and every rule whose reason is a race.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from cognito_session.core.errors import StoreUnavailable
from cognito_session.core.protocol import writes
from cognito_session.core.protocol.commit import Commit
from cognito_session.core.protocol.conditions import Change, WriteKind
from cognito_session.core.protocol.refresh import RefreshAttempt
from cognito_session.core.protocol.resolve import Resolution
from cognito_session.core.protocol.session import Reason, Rejected
from cognito_session.core.protocol.steps import Flow, Write, ask
from cognito_session.core.protocol.unrevoked_tokens import revoke_token
from races.pool_model import PoolRules
from races.world import Scenario, Stage

A, B = PoolRules(), PoolRules(semantics="B")
LOSSY = PoolRules(grace=0)
OFF = PoolRules(rotation=False)


class Mutant(NamedTuple):
    """A rule taken out, and the scenario that misses it."""

    name: str
    change: Callable[[], Any]
    scenario: Scenario


@contextmanager
def patched(owner: Any, name: str, value: Any) -> Iterator[None]:
    """The attribute replaced, and put back."""
    kept = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, kept)


def revoke_whenever_the_commit_failed() -> Any:
    """My commit was refused, so my fresh token goes: one lost answer kills a live session."""

    def lost(self: Commit, found: Any, leased: Any, new: Any) -> Flow[Any]:
        yield from revoke_token(new.stored_refresh)
        return None if found is not None and not found.ended else Rejected(Reason.SESSION_ENDED)

    return patched(Commit, "_lost", lost)


def forget_my_own_commit() -> Any:
    """A commit whose answer was lost is not recognised as mine, and its token is revoked as if it had lost."""

    def commit(self: Commit, new: Any) -> Flow[Any]:
        change = self._change(self.leased, new)
        applied, found = yield from self._written(change)
        if applied:
            return found
        yield from revoke_token(new.stored_refresh)
        return None

    return patched(Commit, "_commit", commit)


def give_up_on_an_error_that_is_no_outage() -> Any:
    """A commit answered with AccessDenied or the like is raised at once, and the only copy of the new token goes with it."""
    original = Commit._pause

    def pause(self: Commit, delay: float, fault: Exception | None) -> Flow[None]:
        if fault is not None and not isinstance(fault, StoreUnavailable):
            raise fault
        yield from original(self, delay, fault)

    return patched(Commit, "_pause", pause)


def end_on_any_refusal() -> Any:
    """Every refusal is a verdict at once: a slow sibling may hold the good token."""

    def verdict(self: RefreshAttempt, leased: Any, lease: Any, denied: Any) -> Flow[Any]:
        now = self.context.now()
        yield from ask(Write(writes.end(leased, WriteKind.VERDICT, Reason.REFRESH_DENIED, now=now)))
        return Rejected(Reason.REFRESH_DENIED)

    return patched(RefreshAttempt, "_verdict", verdict)


def conclude_from_unknown_words() -> Any:
    """A refusal in unknown words is a verdict: while the operator's fault lasts every session that refreshes is ended."""
    original = RefreshAttempt._verdict

    def verdict(self: RefreshAttempt, leased: Any, lease: Any, denied: Any) -> Flow[Any]:
        return (yield from original(self, leased, lease, denied._replace(verdict="dead")))

    return patched(RefreshAttempt, "_verdict", verdict)


def reject_after_some_refusals() -> Any:
    """Unknown words are borne with for a time only: a fault that lasts longer rejects everybody."""
    original = RefreshAttempt._verdict

    def verdict(self: RefreshAttempt, leased: Any, lease: Any, denied: Any) -> Flow[Any]:
        if denied.verdict == "unknown" and lease.n > 1:
            return Rejected(Reason.REFRESH_DENIED)
        return (yield from original(self, leased, lease, denied))

    return patched(RefreshAttempt, "_verdict", verdict)


def send_without_looking_at_the_clock() -> Any:
    """A worker that was frozen after it took the lease calls all the same."""
    return patched(Stage, "guard", False)


def decide_again_without_looking() -> Any:
    """Waiters serve what they find without another look: another sign-in's token among it."""
    from races import pool_model

    def look(self: Resolution) -> Flow[Any]:
        if self.first_read:
            return (yield from original(self))
        from cognito_session.core.protocol.generation import CookieGeneration
        from cognito_session.core.protocol.record import SessionKey, SessionRecord
        from cognito_session.core.protocol.steps import Load

        key = SessionKey(self.credential.sub, self.credential.sid)
        row = yield from ask(Load(key))
        record = SessionRecord.from_row(key, row or {"sub": pool_model.SUB, "token": "none"})
        return (yield from self._decide(record, CookieGeneration.PREVIOUS))

    original = Resolution._look
    return patched(Resolution, "_look", look)


def one_previous_jti() -> Any:
    """The outgoing token replaces all before it: a lost response and two tabs look like theft."""

    def previous(record: Any, now: int, *, presented_current: bool) -> tuple[dict[str, Any], set[str]]:
        gone = {"jti_old", "gen_old", "old_until"}
        return {"jti_prev": frozenset({record.jti_cur}), "prev_exp": record.access_exp, "gen_prev": record.generation}, gone

    return patched(writes, "_previous", previous)


def cap_on_attempts() -> Any:
    """After two leases of a generation nobody may try again: a permanent 503."""
    original = writes.acquire

    def acquire(record: Any, **keywords: Any) -> Change:
        change = original(record, **keywords)
        if record.lease_n >= 2:
            return change._replace(when=(*change.when, writes.equals("never", True)))
        return change

    return patched(writes, "acquire", acquire)


def without(*dropped: tuple[WriteKind, str]) -> frozenset[tuple[WriteKind, str]]:
    return frozenset(dropped)


FOREIGN = without(*((move, name) for move in (WriteKind.ACQUIRE, WriteKind.COMMIT) for name in ("sid", "token", "token_hash")))

RULES = (
    Mutant("revoke whenever the commit failed", revoke_whenever_the_commit_failed, Scenario("freeze", A, freeze=1, ticks=10)),
    Mutant("do not recognise my own commit", forget_my_own_commit, Scenario("loss", A, loss=1)),
    Mutant(
        "give up on an error that is no outage",
        give_up_on_an_error_that_is_no_outage,
        Scenario("refused write, no grace", LOSSY, refuse=1, survives=True),
    ),
    Mutant(
        "conclude from unknown words",
        conclude_from_unknown_words,
        Scenario("fault", PoolRules(fault=(0, 10), experiment=False), ticks=10),
    ),
    Mutant(
        "bear with unknown words for a time only",
        reject_after_some_refusals,
        Scenario("fault", PoolRules(fault=(0, 10), experiment=False), ticks=10),
    ),
    Mutant("end the session on any refusal", end_on_any_refusal, Scenario("loss, grace 0", LOSSY, freeze=1, survives=True)),
    Mutant("send without looking at the clock", send_without_looking_at_the_clock, Scenario("freeze", B, freeze=1, ticks=10)),
    Mutant("decide again without looking", decide_again_without_looking, Scenario("sign-in", A, others=("sign-in",))),
    Mutant("one previous jti instead of a set", one_previous_jti, Scenario("short tokens", PoolRules(life=12), ticks=14)),
    Mutant("a permanent cap on attempts", cap_on_attempts, Scenario("three crashes", A, requests=3, crash=2, loss=0, ticks=14)),
)
"""Each rule with the scenario in which its absence shows."""

CLAUSES = (
    (Scenario("no lease", A, dropped_clauses=without((WriteKind.ACQUIRE, "lease")))),
    (
        Scenario(
            "commit without token",
            OFF,
            foreign_token=True,
            others=("foreign-set",),
            dropped_clauses=without((WriteKind.COMMIT, "token")),
        )
    ),
    (Scenario("neither sid nor token", A, others=("sign-in",), dropped_clauses=FOREIGN)),
    (
        Scenario(
            "commit fenced on the lease alone",
            A,
            freeze=1,
            dropped_clauses=without(
                (WriteKind.COMMIT, "sid"), (WriteKind.COMMIT, "token"), (WriteKind.COMMIT, "gen"), (WriteKind.COMMIT, "state")
            ),
        )
    ),
)
"""Clauses whose absence the search sees by itself."""
