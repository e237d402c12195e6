"""What the project says is plain technical English: constructions that readers stumble over are kept out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
KEPT_OUT = {
    "say who: a user, a client, an attacker": r"\b(?!nobody\")(somebody|nobody|whoever|whomever)\b",
    "say again": r"\banew\b",
    "say available, current or cached": r"\b(at hand|to be had)\b",
    "say repair, correct or change": r"\bmend(s|ed|ing)?\b",
    "say means, represents or is": r"\bstands? for\b",
    "say for which user or by which caller": r"\bin whose name\b",
    "begin a new sentence": r"\bof which\b",
    "say adapter or integration": r"\bfront doors?\b",
    "name the caller or the user": r"\bwho asks\b",
    "say Server configuration error": r"\bnot set up right\b",
    "say Sign in again": r"\bbegin anew\b",
}
PAGES = sorted(
    path
    for pattern in (
        "*.md",
        "docs/**/*.md",
        "src/**/*.py",
        "examples/**/*.py",
        "src/**/*.jinja",
        "examples/**/*.html",
        "bench/**/*.py",
    )
    for path in ROOT.glob(pattern)
    if path.name not in ("mutants.md", "api.md")
)
"""Not tests: what a test says to an attacker's ear is data. mutants.md quotes code as it was, api.md the docstrings."""


def faults_in(text: str) -> list[str]:
    """Each line that says what another word says better, with that word."""
    return [
        f"{number}: {line.strip()[:100]!r}: {instead}"
        for number, line in enumerate(text.splitlines(), 1)
        for instead, pattern in KEPT_OUT.items()
        if re.search(pattern, line, re.IGNORECASE)
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_plain_words(page):
    """No page, docstring, comment or message uses a construction of the list."""
    assert faults_in(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("line", ["Whoever reads it", "# nobody asks", "stands for a user", "Begin anew", "a table of which"])
def test_the_list_bites(line):
    """Each of these is found, whatever its case and wherever it stands."""
    assert faults_in(line)


@pytest.mark.parametrize("line", ["recommend a setting", "amended", "the standard forms", "newly made"])
def test_other_words_are_let_through(line):
    """A word that only contains one of the list is none."""
    assert faults_in(line) == []
