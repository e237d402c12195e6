"""Every order of the protocol's steps, under faults and every reading of Cognito: nothing is lost, stuck or served wrongly.

This is the reduced form: searches are cut at LIMIT worlds. `make prove` searches further, and docs/proof.md names the scenarios
that it cuts.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from races import explore
from races.adversary import ADVERSARY_RULES
from races.adversary import short as short_of_adversary
from races.explore import search
from races.many_mutants import MANY_CLAUSES, MANY_RULES
from races.many_scenarios import short as short_of_many
from races.mutants import CLAUSES, RULES, patched
from races.scenarios import short
from races.tracked import TRACKED_RULES
from races.tracked import short as short_of_tracked

LIMIT = 3_000


@pytest.mark.parametrize(
    "scenario",
    [*short(), *short_of_many(), *short_of_tracked(), *short_of_adversary()],
    ids=lambda scenario: f"{scenario.name} ({scenario.rules})",
)
def test_no_schedule_breaks_an_invariant(scenario):
    """No searched schedule loses, resurrects, sticks, falsely accuses or serves the wrong token."""
    found = search(scenario, limit=LIMIT)
    assert found.violation is None, found.violation
    assert found.states > 1


@pytest.mark.parametrize("mutant", [*RULES, *MANY_RULES, *TRACKED_RULES, *ADVERSARY_RULES], ids=lambda mutant: mutant.name)
def test_a_rule_taken_out_is_missed(mutant):
    """The search finds a schedule that breaks the protocol without this rule, and none with it."""
    assert search(mutant.scenario, limit=LIMIT).violation is None
    with mutant.change():
        assert search(mutant.scenario, limit=60_000).violation is not None


@pytest.mark.parametrize("scenario", [*CLAUSES, *MANY_CLAUSES], ids=lambda scenario: scenario.name)
def test_a_clause_taken_out_is_missed(scenario):
    """The search finds a schedule that breaks the protocol without these clauses."""
    assert search(scenario, limit=60_000).violation is not None


def test_a_search_that_is_cut_has_tried_every_first_move():
    """Of a search cut early, the schedules begin with each of the first moves, not with one of them."""
    scenario = next(iter(short()))
    stage = scenario.stage()
    first = stage.first_world()
    tried = set()
    step = stage.step

    def noted(world, index, variant):
        if world is first or world.key() == first.key():
            tried.add((index, variant))
        return step(world, index, variant)

    stage.step = noted
    assert not search(replace(scenario, crash=1), limit=60, stage=stage).whole
    assert tried == set(stage.moves(first))


def test_a_search_to_the_end_is_the_same_in_every_order():
    """Depth first or mixed: the same worlds are found."""
    scenario = next(iter(short()))
    found = search(scenario)
    assert found.whole
    with patched(explore, "DEPTH_FIRST", 1.0):
        assert search(scenario).states == found.states
