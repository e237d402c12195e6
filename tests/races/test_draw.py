"""The drawing in the docs is the one that the code makes."""

from __future__ import annotations

from pathlib import Path

from races.draw import page, transitions


def test_the_page_is_current():
    """docs/states.md is what the writes draw now."""
    assert Path(__file__).parents[2].joinpath("docs", "states.md").read_text(encoding="utf-8") == page()


def test_ended_is_absorbing():
    """No write of a session leads out of ended; a new sign-in of another session replaces the row."""
    assert {(write, end) for start, write, end in transitions() if start == "ended"} <= {("create", "active")}
