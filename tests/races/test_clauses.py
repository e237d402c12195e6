"""Every clause of every condition has an event that only it stands against."""

from __future__ import annotations

from itertools import product

import pytest

from cognito_session.ops.migration import _FENCE
from races.sample_rows import CREATE_MEANWHILE, MEANWHILE, STATES, WRITES, Meanwhile, Write

CASES = [(write, clause.name) for write in WRITES for clause in write.build(write.row).when]


def _meanwhile(write: Write, clause: str) -> Meanwhile:
    return CREATE_MEANWHILE if write.name == "create" else MEANWHILE[clause]


@pytest.mark.parametrize("write", WRITES, ids=lambda write: write.name)
def test_an_undisturbed_write_is_applied(write):
    """Each write is allowed on the row it was made from."""
    assert write.build(write.row).allowed_on(write.row)


@pytest.mark.parametrize(("write", "clause"), CASES, ids=lambda value: getattr(value, "name", value))
def test_each_clause_alone_stops_the_event_it_is_for(write, clause):
    """With the clause the disturbed write is refused; without it the same write would be applied."""
    change = write.build(write.row)
    disturbed = _meanwhile(write, clause).happens(write.row)
    assert not change.allowed_on(disturbed)
    mutant = change._replace(when=tuple(kept for kept in change.when if kept.name != clause))
    assert mutant.allowed_on(disturbed)


@pytest.mark.parametrize("write", [w for w in WRITES if w.name != "create"], ids=lambda write: write.name)
def test_no_write_but_create_makes_a_row(write):
    """On a missing row every write is refused: no ghost of a deleted session."""
    assert not write.build(write.row).allowed_on(None)


@pytest.mark.parametrize("write", WRITES, ids=lambda write: write.name)
def test_the_migration_sees_every_write(write):
    """A write of a worker while its row is being moved changes what the migration compares, so it is moved too."""
    before, after = write.row, write.build(write.row).applied_to(write.row)
    assert any(before.get(name) != after.get(name) for name in _FENCE)


def test_a_tombstone_is_never_written_over():
    """No write made from any live state is allowed on the tombstone that the session has become."""
    for write, (name, row) in product(WRITES, STATES.items()):
        if row is not None and name not in ("no row", "ended") and write.name != "create":
            assert not write.build(row).allowed_on(STATES["ended"]), (write.name, name)
