"""Benign browsers are never taken for thieves, and thieves are always noticed."""

from __future__ import annotations

from races.browsers import run


def test_no_benign_schedule_raises_an_alarm_and_every_theft_is_noticed():
    """Parallel tabs, lost and reordered responses and dying workers are not reuse; a copied cookie used later is."""
    tally = run(300, 60)
    assert tally.false_alarms == []
    assert tally.lost == []
    assert tally.refreshes > 300
    assert tally.thefts_noticed == 60
