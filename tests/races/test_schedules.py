"""Every order of the protocol's steps, under faults and every reading of Cognito: nothing is lost, stuck or served wrongly.

This is the reduced form; `make prove` searches all scenarios to the end.
"""

from __future__ import annotations

import pytest

from races.explore import search
from races.mutants import CLAUSES, RULES
from races.scenarios import short

LIMIT = 4_000


@pytest.mark.parametrize("scenario", list(short()), ids=lambda scenario: f"{scenario.name} ({scenario.rules})")
def test_no_schedule_breaks_an_invariant(scenario):
    """No searched schedule loses, resurrects, sticks, falsely accuses or serves the wrong token."""
    found = search(scenario, limit=LIMIT)
    assert found.violation is None, found.violation
    assert found.states > 1


@pytest.mark.parametrize("mutant", RULES, ids=lambda mutant: mutant.name)
def test_a_rule_taken_out_is_missed(mutant):
    """The search finds a schedule that breaks the protocol without this rule, and none with it."""
    assert search(mutant.scenario, limit=LIMIT).violation is None
    with mutant.change():
        assert search(mutant.scenario, limit=60_000).violation is not None


@pytest.mark.parametrize("scenario", CLAUSES, ids=lambda scenario: scenario.name)
def test_a_clause_taken_out_is_missed(scenario):
    """The search finds a schedule that breaks the protocol without these clauses."""
    assert search(scenario, limit=60_000).violation is not None
