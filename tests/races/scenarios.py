"""What is searched: kinds of trouble times readings of Cognito. The long form goes through all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from races.pool_model import PoolRules
from races.world import Scenario

OFF = PoolRules(rotation=False)
READINGS = (
    OFF,
    *(
        PoolRules(semantics=semantics, revoke=revoke, reuse_kills=kills)
        for semantics, revoke, kills in product("ABC", ("token", "family"), (False, True))
    ),
)
"""Every combination of Cognito's unknowns with a grace of 60 seconds, and rotation off."""
LOSSY = tuple(PoolRules(grace=0, reuse_kills=kills) for kills in (False, True))

BENIGN = (
    Scenario("two requests"),
    Scenario("three requests", requests=3),
    Scenario("in the refresh window", life_left=60),
    Scenario("clocks four seconds apart", skews=(2, -2, 0)),
    Scenario("logout", others=("logout",)),
    Scenario("second sign-in", others=("sign-in",)),
    Scenario("sign out everywhere", others=("sign out everywhere",)),
    Scenario("sign out everywhere and second sign-in", requests=1, others=("sign out everywhere", "sign-in")),
    Scenario("foreign sign-in replaces the row", others=("foreign-put",)),
    Scenario("foreign sign-in sets the token", others=("foreign-set",)),
    Scenario("foreign row", foreign_token=True),
    Scenario("foreign row, logout", foreign_token=True, others=("logout",)),
    Scenario("foreign row, foreign sign-in replaces it", foreign_token=True, others=("foreign-put",)),
    Scenario("foreign row, foreign sign-in sets the token", foreign_token=True, others=("foreign-set",)),
    Scenario("foreign row, our sign-in", foreign_token=True, others=("sign-in",)),
    Scenario("logout and second sign-in", others=("logout", "sign-in")),
    Scenario("logout and foreign sign-in", others=("logout", "foreign-set")),
)
FAULTY = (
    Scenario("crash", crash=1),
    Scenario("lost answer", loss=1),
    Scenario("late request", slow=1),
    Scenario("frozen worker", freeze=1, ticks=10),
    Scenario("crash in the window", crash=1, life_left=60),
    Scenario("lost answer and crash", loss=1, crash=1),
    Scenario("logout, crash", others=("logout",), crash=1),
    Scenario("logout, lost answer", others=("logout",), loss=1),
    Scenario("logout, frozen worker", others=("logout",), freeze=1, ticks=10),
    Scenario("sign out everywhere, lost answer", others=("sign out everywhere",), loss=1),
    Scenario("sign out everywhere and second sign-in, crash", requests=1, others=("sign out everywhere", "sign-in"), crash=1),
    Scenario("second sign-in, crash", others=("sign-in",), crash=1),
    Scenario("second sign-in, frozen worker", others=("sign-in",), freeze=1, ticks=10),
    Scenario("foreign put, frozen worker", others=("foreign-put",), freeze=1, ticks=10),
    Scenario("foreign set, lost answer", others=("foreign-set",), loss=1),
    Scenario("foreign row, lost answer", foreign_token=True, loss=1),
    Scenario("foreign row, frozen worker", foreign_token=True, freeze=1, ticks=10),
    Scenario("foreign row, logout, crash", foreign_token=True, others=("logout",), crash=1),
    Scenario("foreign row, foreign set, crash", foreign_token=True, others=("foreign-set",), crash=1),
    Scenario("skew, crash", skews=(2, -2, 0), crash=1),
)
REFUSED = (
    Scenario("refused write", refuse=1),
    Scenario("refused write in the window", refuse=1, life_left=60),
    Scenario("three refused writes", refuse=3, ticks=10),
    Scenario("refused write, logout", others=("logout",), refuse=1),
    Scenario("foreign row, refused write", foreign_token=True, refuse=1),
)
"""A write is answered with an error that is no outage. Nothing is lost by it under any grace."""
FAULT = (0, 10)
JUDGED = tuple(
    Scenario(f"{name}, experiment {'works' if works else 'fails'}", replace(rules, experiment=works), **more)
    for works in (True, False)
    for rules in (PoolRules(grace=0), OFF)
    for name, rules, more in (
        ("the operator's fault", replace(rules, fault=FAULT), {"ticks": 10}),
        ("the operator's fault in the window", replace(rules, fault=FAULT), {"ticks": 10, "life_left": 60}),
        ("the operator's fault, foreign row", replace(rules, fault=FAULT), {"ticks": 10, "foreign_token": True}),
        ("the operator's fault, logout", replace(rules, fault=FAULT), {"ticks": 10, "others": ("logout",)}),
        (
            "a dead token in unknown words",
            replace(rules, known_words=False),
            {"others": ("revoked elsewhere",), "survives": False},
        ),
        (
            "a dead token in unknown words, lost answer",
            replace(rules, known_words=False),
            {"others": ("revoked elsewhere",), "survives": False, "loss": 1},
        ),
    )
)
"""Refusals that nobody understands: the operator's fault loses nobody, and a dead token ends where an experiment can tell."""
HARD = (
    Scenario("three crashes", crash=3, ticks=14),
    Scenario("three lost answers", loss=3, ticks=12),
    Scenario("crash, lost answer, frozen worker", crash=1, loss=1, freeze=1, ticks=12),
    Scenario("three requests, crash, lost answer", requests=3, crash=1, loss=1, ticks=10),
    Scenario("three requests, frozen worker", requests=3, freeze=1, ticks=10),
    Scenario("logout, lost answer, frozen worker", others=("logout",), loss=1, freeze=1, ticks=10),
)


def short() -> Iterator[Scenario]:
    """A form for every commit: all kinds of trouble under one reading, the single faults under three."""
    readings = (OFF, PoolRules(), PoolRules(semantics="B", revoke="token", reuse_kills=True))
    for scenario in (*BENIGN, *FAULTY):
        yield replace(scenario, rules=PoolRules(semantics="B"))
    for scenario, rules in product(FAULTY[:4], readings):
        yield replace(scenario, rules=rules)
    for scenario in REFUSED:
        yield replace(scenario, rules=LOSSY[1])
    yield from JUDGED
    for rules in LOSSY:
        yield replace(FAULTY[0], rules=rules, survives=False)


def long() -> Iterator[Scenario]:
    """Everything under every reading."""
    for scenario, rules in product((*BENIGN, *FAULTY), READINGS):
        yield replace(scenario, rules=rules)
    for scenario, rules in product(HARD, (OFF, PoolRules(), PoolRules(semantics="B"), PoolRules(semantics="C"))):
        yield replace(scenario, rules=rules)
    yield from JUDGED
    for scenario, rules in product(REFUSED, (*READINGS, *LOSSY)):
        yield replace(scenario, rules=rules)
    for scenario, rules in product((*FAULTY, *HARD), LOSSY):
        yield replace(scenario, rules=rules, survives=False)
    for scenario in (*BENIGN, *FAULTY[:4]):
        yield replace(
            scenario,
            rules=PoolRules(origin_changes=True),
            survives=not (scenario.foreign_token or any(kind.startswith("foreign") for kind in scenario.others)),
        )
