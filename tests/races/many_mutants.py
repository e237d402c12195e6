"""The protocol of several sessions with one rule taken out: each must break something that the search can see."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from cognito_session.core.protocol import devices, establish, session_creation
from cognito_session.core.protocol import resolve as flow
from cognito_session.core.protocol import sign_out as ending
from cognito_session.core.protocol.conditions import WriteKind
from cognito_session.core.protocol.resolve import Resolution
from cognito_session.core.protocol.session import Reason
from cognito_session.core.protocol.steps import Flow
from races.many import ManyScenario, Role
from races.many_scenarios import IDLE, ONE, REFUSE, S1, S2, TWO
from races.mutants import Mutant, patched, without

__all__ = ["MANY_CLAUSES", "MANY_RULES"]


def evict_by_clocks() -> Any:
    """The oldest by the clocks of the workers that made them: a sign-in may be older than itself, and ends on arrival."""

    def evict(case: Any, own: Any) -> Flow[None]:
        records = yield from devices.live_records(case, own.sub)
        newest_first = sorted(records, key=lambda record: (record.created_at or 0, record.sid or ""), reverse=True)
        for record in newest_first[case.policy.max_sessions :]:
            yield from ending.end_now(case, record, Reason.SIGNED_OUT)

    return patched(establish, "evict_surplus", evict)


def list_once() -> Any:
    """A session that refreshed between the listing and its end lives on."""

    def evict(case: Any, own: Any) -> Flow[None]:
        newest_first = sorted((yield from devices.live_records(case, own.sub)), key=session_creation._age, reverse=True)
        for record in newest_first[case.policy.max_sessions :]:
            yield from ending.end_now(case, record, Reason.SIGNED_OUT)

    return patched(establish, "evict_surplus", evict)


def evict_any() -> Any:
    """Any session but the sign-in's own makes room, not the oldest."""
    return patched(session_creation, "_age", lambda record: (record.sid == "s0", 0, record.sid or ""))


def bar_sign_ins_elsewhere() -> Any:
    """Ending the others refuses the sign-ins of before, as everywhere does: who repeats it keeps the owner out."""

    def revoke_all(case: Any, sub: str, *, keep: str | None = None) -> Flow[int]:
        yield from devices._refuse_sign_ins(case, sub, up_to=case.now() + 2)
        return (yield from original(case, sub, keep=keep))

    original = devices.revoke_all
    return patched(devices, "revoke_all", revoke_all)


@contextmanager
def judge_freshness_once() -> Iterator[None]:
    """What was fresh when the request arrived is served, however long the worker was held up since."""
    with patched(Resolution, "_still_true", lambda self, outcome: True), patched(Resolution, "_valid", _fresh_on_arrival):
        yield


def _fresh_on_arrival(self: Resolution) -> bool:
    return self.arrived < self.until


def trust_the_clock_of_the_sign_out() -> Any:
    """Sign out everywhere by a worker that is behind: a sign-in from before lands behind it."""
    return patched(devices, "CLOCK_TOLERANCE_SECONDS", 0)


def forget_what_was_not_revoked() -> Any:
    """A worker without the newer key reports the token that it cannot revoke, and nobody remembers it."""

    def keep_unrevoked(case: Any, record: Any, stored: str) -> Flow[bool]:
        return False
        yield

    return patched(ending, "keep_unrevoked", keep_unrevoked)


def spare_the_token_of_a_lost_end() -> Any:
    """A tombstone whose answer was lost is not recognised as one's own, and its token is never revoked."""
    return patched(ending, "_is_mine", lambda change, found: False)


def polls_extend() -> Any:
    """A poll keeps the session from becoming idle."""
    original = flow.resolve
    return patched(flow, "resolve", lambda case, headers, extend=True: original(case, headers))


_BEHIND = (Role("everywhere", skew=-2), Role("sign-in", "s1"))
_ONE = ManyScenario("one session", life_left=900, policy=ONE)
_OLDER = ManyScenario("an older worker", life_left=900, sealed=True)

MANY_RULES = (
    Mutant("order sign-ins by a counter", evict_by_clocks, replace(_ONE, roles=(S1, S2))),
    Mutant("the oldest makes room", evict_any, replace(_ONE, policy=TWO, roles=(S1, S2))),
    Mutant(
        "elsewhere refuses no sign-in",
        bar_sign_ins_elsewhere,
        ManyScenario("elsewhere", life_left=900, there=("s0", "s3"), roles=(Role("elsewhere"), S1)),
    ),
    Mutant("list again until nothing is over", list_once, replace(_ONE, life_left=-1, roles=(Role("request"), S1))),
    Mutant(
        "judge freshness after every wait: a frozen worker",
        judge_freshness_once,
        ManyScenario("3 s of life left", life_left=3, freeze=1, ticks=10, roles=(Role("request"),)),
    ),
    Mutant(
        "judge freshness after every wait: a hanging write",
        judge_freshness_once,
        ManyScenario("1 s of life left", life_left=1, roles=(Role("request"), Role("request", skew=1)), freeze=1),
    ),
    Mutant(
        "count the clock tolerance on the safe side",
        trust_the_clock_of_the_sign_out,
        ManyScenario("everywhere, 2 s behind", life_left=900, roles=_BEHIND),
    ),
    Mutant("remember what was not revoked", forget_what_was_not_revoked, replace(_OLDER, roles=(Role("logout", ring=0),))),
    Mutant(
        "know one's own tombstone",
        spare_the_token_of_a_lost_end,
        ManyScenario("sign-out", life_left=900, loss=1, roles=(Role("logout"),)),
    ),
    Mutant("a poll extends nothing", polls_extend, ManyScenario("poll", life_left=60, policy=IDLE, roles=(Role("poll"),))),
)
"""Each rule with the scenario in which its absence shows."""

MANY_CLAUSES = (
    ManyScenario(
        "data without its version",
        life_left=900,
        roles=(Role("save"), Role("save", skew=2)),
        dropped_clauses=without((WriteKind.SAVE_DATA, "data_version")),
    ),
    ManyScenario(
        "sign-ins without the counter",
        life_left=900,
        there=(),
        policy=REFUSE,
        roles=(S1, S2),
        dropped_clauses=without((WriteKind.CREATE, "sign_ins")),
    ),
    ManyScenario(
        "a sign-in without not_before",
        life_left=900,
        roles=(Role("everywhere"), S1),
        dropped_clauses=without((WriteKind.CREATE, "not_before")),
    ),
    ManyScenario(
        "a sign-in in the refuse mode without not_before",
        life_left=900,
        there=(),
        policy=REFUSE,
        roles=(Role("everywhere"), S1),
        dropped_clauses=without((WriteKind.CREATE, "not_before")),
    ),
)
"""Clauses whose absence the search sees by itself."""
