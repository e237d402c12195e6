"""The protocol document: each section that the code cites exists, and each section that names a module is cited by it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "protocol.md"
CITATION = re.compile(r"protocol\.md: ([A-Z][A-Za-z]*(?:(?:,? |\n)[A-Za-z]+)*)")
SECTIONS = re.findall(r"^## (.+)$", PAGE.read_text(), re.MULTILINE)
SOURCES = sorted(path for folder in ("src", "tests") for path in (ROOT / folder).rglob("*.py"))


def citations() -> list[tuple[str, str]]:
    """Every cited section with the file that cites it."""
    found = []
    for path in SOURCES:
        for names in CITATION.findall(path.read_text()):
            found += [(name, path.relative_to(ROOT).as_posix()) for name in names.replace("\n", " ").split(", ")]
    return found


def test_the_code_cites_the_protocol() -> None:
    """The citations are found at all: a changed form would leave nothing to compare."""
    assert len({path for _, path in citations() if path.startswith("src/")}) >= 10


@pytest.mark.parametrize(("section", "path"), citations())
def test_each_cited_section_exists(section: str, path: str) -> None:
    """A citation names a section of docs/protocol.md."""
    assert section in SECTIONS, path


def test_each_module_that_the_page_names_exists() -> None:
    """A section's line of modules names files of the package."""
    named = re.findall(r"`((?:core|aws)(?:/\w+)+\.py)`", PAGE.read_text())
    assert named
    assert [name for name in named if not (ROOT / "src" / "cognito_session" / name).is_file()] == []


def test_nothing_cites_a_step_by_number() -> None:
    """Sections have names; a number would change its meaning when a section is added."""
    numbered = re.compile(r"PROTOCOL, (?:step|rule)")
    assert [path.name for path in SOURCES if path != Path(__file__) and numbered.search(path.read_text())] == []


def test_each_step_of_a_refresh_is_cited() -> None:
    """Each step that a refresh goes through is a section of its own, and the code that implements it cites it."""
    steps = {
        "Look",
        "Decide",
        "Acquire",
        "Call",
        "Release",
        "Commit",
        "Keep",
        "Wait",
        "Verdict",
        "Reuse",
        "Seen",
        "Foreign rows",
    }
    assert steps <= set(SECTIONS)
    assert steps - {name for name, path in citations() if path.startswith("src/")} == set()
