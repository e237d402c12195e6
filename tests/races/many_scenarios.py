"""What is searched with several sessions of a user: which workers meet, under which faults."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from cognito_session.core.policy import SessionPolicy
from races.many import ManyScenario, Role
from races.pool_model import PoolRules

ONE = SessionPolicy(max_sessions=1)
TWO = SessionPolicy(max_sessions=2)
REFUSE = SessionPolicy(max_sessions=1, on_max_sessions="refuse")
IDLE = SessionPolicy(idle_seconds=2 * 3600)
S1, S2 = Role("sign-in", "s1"), Role("sign-in", "s2", skew=-2)
EVERYONE = Role("everywhere")

SIGN_INS = (
    ManyScenario("one session: two sign-ins, clocks apart", roles=(S1, S2), life_left=900, policy=ONE),
    ManyScenario(
        "one session: the old one is presented to a worker 2 s behind",
        roles=(S2._replace(presented="s0"),),
        life_left=900,
        policy=ONE,
    ),
    ManyScenario("one session: the old one refreshes meanwhile", roles=(Role("request"), S1), policy=ONE),
    ManyScenario("two sessions: two sign-ins and a request", roles=(S1, S2, Role("request")), policy=TWO),
    ManyScenario("at most one, refused: two sign-ins", roles=(S1, S2), there=(), policy=REFUSE),
)
EVERYWHERE = tuple(
    ManyScenario(f"sign out everywhere by a worker {skew:+} s, a sign-in before and one after", life_left=900, roles=roles)
    for skew in (-2, 0, 2)
    for roles in [(Role("everywhere", skew=skew), Role("sign-in", "s1"), Role("sign-in", "s2", at=12))]
)
ELSEWHERE = tuple(
    ManyScenario(
        f"sign out elsewhere by a worker {skew:+} s, a sign-in before and one after",
        life_left=900,
        there=("s0", "s3"),
        roles=(Role("elsewhere", skew=skew), Role("sign-in", "s1"), Role("sign-in", "s2", at=6)),
    )
    for skew in (-2, 0, 2)
)
GUARDED = tuple(
    ManyScenario(f"sign out everywhere, {name}: a sign-in", life_left=900, there=(), policy=policy, roles=(EVERYONE, S1))
    for name, policy in (("one session", ONE), ("at most one, refused", REFUSE))
)
ENDS = (
    ManyScenario("two keys: sign-out and refresh", roles=(Role("logout"), Role("request"))),
    ManyScenario("two keys: two sessions, one ends", there=("s0", "s1"), roles=(Role("logout"), Role("request", "s1"))),
    *EVERYWHERE,
    *ELSEWHERE,
    *GUARDED,
)
SEALED = (
    ManyScenario("sealed: two requests", sealed=True, sealed_cookie=True, roles=(Role("request"), Role("request", skew=2))),
    ManyScenario("sealed: sign-out and refresh", sealed=True, sealed_cookie=True, roles=(Role("logout"), Role("request"))),
    ManyScenario("key roll-out: sign-out on an older worker", sealed=True, life_left=900, roles=(Role("logout", ring=0),)),
    ManyScenario(
        "key roll-out: everywhere on an older worker",
        sealed=True,
        sealed_cookie=True,
        there=("s0", "s1"),
        life_left=900,
        roles=(Role("everywhere", ring=0), Role("request", "s1")),
    ),
    ManyScenario(
        "key roll-out: the oldest ends on an older worker",
        sealed=True,
        life_left=900,
        policy=ONE,
        roles=(Role("sign-in", "s1", ring=0), Role("request")),
    ),
    ManyScenario(
        "key roll-out, one row: sign-in over it", sealed=True, one_row=True, life_left=900, roles=(S1._replace(ring=0),)
    ),
    ManyScenario(
        "key roll-out: requests of both", sealed=True, sealed_cookie=True, roles=(Role("request", ring=0), Role("request"))
    ),
)
DATA = (
    ManyScenario("two saves", life_left=900, roles=(Role("save"), Role("save", skew=2))),
    ManyScenario("a save and a refresh", roles=(Role("save"), Role("request"))),
    ManyScenario("polls and a refresh", policy=IDLE, roles=(Role("poll"), Role("poll", skew=2))),
    ManyScenario("a poll in the window", policy=IDLE, life_left=60, roles=(Role("poll"), Role("logout"))),
)
LAST_SECONDS = tuple(
    ManyScenario(f"{left} s of life left", life_left=left, roles=(Role("request"), Role("request", skew=1)))
    for left in (1, 2, 3)
)
BENIGN = (*SIGN_INS, *ENDS, *SEALED, *DATA, *LAST_SECONDS)
FAULTS = ({"loss": 1}, {"crash": 1}, {"freeze": 1, "ticks": 10}, {"slow": 1}, {"throttle": 1})
OFF, ROTATING = PoolRules(rotation=False), PoolRules(semantics="B")


def faulty(scenario: ManyScenario, faults: dict[str, int]) -> ManyScenario:
    """The scenario with a fault of one kind."""
    return replace(scenario, name=f"{scenario.name}, {next(iter(faults))}", **faults)


def readings(faults: dict[str, int]) -> tuple[PoolRules, ...]:
    """Rotation off and on. Where the newest token supersedes its siblings a late request loses the session (docs/proof.md)."""
    return (OFF, PoolRules() if "slow" in faults else ROTATING)


def short() -> Iterator[ManyScenario]:
    """For every commit: all of them, and one kind of fault each in turn."""
    for number, scenario in enumerate(BENIGN):
        yield replace(scenario, rules=ROTATING)
        yield replace(faulty(scenario, FAULTS[number % 3]), rules=OFF if number % 2 else ROTATING)
    for scenario, faults in product(LAST_SECONDS[1:2], FAULTS[2:]):
        yield replace(faulty(scenario, faults), rules=readings(faults)[1])


def long() -> Iterator[ManyScenario]:
    """All of them with every kind of fault, with rotation and without."""
    for scenario in BENIGN:
        for faults in ({}, *FAULTS):
            for rules in readings(faults):
                yield replace(faulty(scenario, faults) if faults else scenario, rules=rules)
