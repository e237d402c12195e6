"""The pages of docs/security/: what they name exists, every requirement has a status, and nothing is left out."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECURITY = ROOT / "docs" / "security"
PAGES = sorted(SECURITY.glob("*.md"))
INDEX = SECURITY / "README.md"
SOURCE = ROOT / "src" / "cognito_session"

STATUSES = {"met", "application", "operator", "Cognito", "not applicable", "not met"}
MARKED = {
    1: (
        "3.2.1 3.2.2 3.3.1 3.4.1 3.4.2 3.5.1 3.5.2 3.5.3 6.1.1 6.2.1 6.2.2 6.2.3 6.2.4 6.2.5 6.2.6 6.2.7 6.2.8 6.3.1 "
        "6.3.2 6.4.1 6.4.2 7.2.1 7.2.2 7.2.3 7.2.4 7.4.1 7.4.2 8.1.1 8.2.1 8.2.2 8.3.1 9.1.1 9.1.2 9.1.3 9.2.1 10.4.1 "
        "10.4.2 10.4.3 10.4.4 10.4.5 11.3.1 11.3.2 11.4.1 12.1.1 12.2.1 12.2.2 13.4.1 14.2.1 14.3.1 "
    ),
    2: (
        "3.3.2 3.3.3 3.3.4 3.4.3 3.4.4 3.4.5 3.4.6 3.5.4 3.5.5 3.7.1 3.7.2 6.1.2 6.1.3 6.2.9 6.2.10 6.2.11 6.2.12 6.3.3 "
        "6.3.4 6.4.3 6.4.4 6.5.1 6.5.2 6.5.3 6.5.4 6.5.5 6.6.1 6.6.2 6.6.3 6.8.1 6.8.2 6.8.3 6.8.4 7.1.1 7.1.2 7.1.3 "
        "7.3.1 7.3.2 7.4.3 7.4.4 7.4.5 7.5.1 7.5.2 7.6.1 7.6.2 8.1.2 8.2.3 8.4.1 9.2.2 9.2.3 9.2.4 10.1.1 10.1.2 10.2.1 "
        "10.2.2 10.3.1 10.3.2 10.3.3 10.3.4 10.4.6 10.4.7 10.4.8 10.4.9 10.4.10 10.4.11 10.5.1 10.5.2 10.5.3 10.5.4 "
        "10.5.5 10.6.1 10.6.2 10.7.1 10.7.2 10.7.3 11.1.1 11.1.2 11.2.1 11.2.2 11.2.3 11.3.3 11.4.2 11.4.3 11.4.4 11.5.1 "
        "11.6.1 12.1.2 12.1.3 12.3.1 12.3.2 12.3.3 12.3.4 13.1.1 13.2.1 13.2.2 13.2.3 13.2.4 13.2.5 13.3.1 13.3.2 13.4.2 "
        "13.4.3 13.4.4 13.4.5 14.1.1 14.1.2 14.2.2 14.2.3 14.2.4 14.3.2 14.3.3 16.1.1 16.2.1 16.2.2 16.2.3 16.2.4 16.2.5 "
        "16.3.1 16.3.2 16.3.3 16.3.4 16.4.1 16.4.2 16.4.3 16.5.1 16.5.2 16.5.3 "
    ),
    3: (
        "3.1.1 3.2.3 3.3.5 3.4.7 3.4.8 3.5.6 3.5.7 3.5.8 3.6.1 3.7.3 3.7.4 3.7.5 6.3.5 6.3.6 6.3.7 6.3.8 6.4.5 6.4.6 "
        "6.5.6 6.5.7 6.5.8 6.6.4 6.7.1 6.7.2 7.5.3 8.1.3 8.1.4 8.2.4 8.3.2 8.3.3 8.4.2 10.2.3 10.3.5 10.4.12 10.4.13 "
        "10.4.14 10.4.15 10.4.16 11.1.3 11.1.4 11.2.4 11.2.5 11.3.4 11.3.5 11.5.2 11.6.2 11.7.1 11.7.2 12.1.4 12.1.5 "
        "12.3.5 13.1.2 13.1.3 13.1.4 13.2.6 13.3.3 13.3.4 13.4.6 13.4.7 14.2.5 14.2.6 14.2.7 14.2.8 16.5.4 "
    ),
}
"""The ids that were marked first, by level. A page that loses one of them fails."""

NODE = re.compile(r"((?:tests|bench)/[\w/]+\.py)(?:::(test_\w+))?(\[)?")
FILE = re.compile(r"`((?:src|docs|tests|bench|requirements)/[\w./-]+?\.(?:py|md|txt|toml))`")
BARE = re.compile(r"`(test_\w+)`")
LINK = re.compile(r"\]\(([^)#\s]+)")
CRYPTOGRAPHY = {"cryptography", "hashlib", "hmac", "joserfc", "random", "secrets", "ssl"}


@cache
def names_in(path: Path) -> frozenset[str]:
    """The test functions of a file, those of classes too."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(each.name for each in ast.walk(tree) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))


@cache
def every_test() -> frozenset[str]:
    """The names of all tests."""
    return frozenset().union(*(names_in(path) for path in (ROOT / "tests").rglob("test_*.py")))


def cells(line: str) -> list[str]:
    """The cells of a table's line."""
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def requirements() -> list[list[str]]:
    """The lines of asvs.md that are about a requirement: id, level, status, note, evidence."""
    text = (SECURITY / "asvs.md").read_text(encoding="utf-8")
    return [cells(line) for line in text.splitlines() if re.match(r"\| \d+\.\d+\.\d+ \|", line)]


def missing(text: str) -> list[str]:
    """The files and tests that a page names and that are not there."""
    wanting = []
    for path, name, bracket in NODE.findall(text):
        if not (ROOT / path).is_file():
            wanting.append(path)
        elif bracket or (name and name not in names_in(ROOT / path)):
            wanting.append(f"{path}::{name}{bracket}")
    wanting += [path for path in FILE.findall(text) if not (ROOT / path).exists()]
    return wanting + [name for name in BARE.findall(text) if name not in every_test()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_and_test_that_is_named_exists(page):
    """Evidence that nobody can run is none: a test that was renamed or removed fails here."""
    assert missing(page.read_text(encoding="utf-8")) == []


def test_the_check_would_notice():
    """A file, a test, a parametrized id and a bare name that are not there are each found."""
    here = "tests/docs/test_security.py"
    assert missing(f"`{here}`, `{here}::test_the_check_would_notice`, `test_the_check_would_notice`") == []
    for wrong in ("tests/no/test_file.py::test_it", f"{here}::test_nowhere", f"{here}::test_the_check_would_notice[a]"):
        assert missing(f"`{wrong}`") == [wrong.partition("::")[0] if "/no/" in wrong else wrong.removesuffix("a]")]
    assert missing("`test_nowhere_at_all`") == ["test_nowhere_at_all"]
    assert missing("`src/cognito_session/nothing.py`") == ["src/cognito_session/nothing.py"]


def test_every_requirement_is_there_once():
    """Each id of the first marking has exactly one line, with its level; no other line has an id twice."""
    found = [(row[0], row[1]) for row in requirements()]
    assert len(found) == len(set(found))
    for level, ids in MARKED.items():
        assert set(ids.split()) <= {each for each, stated in found if stated == str(level)}
    assert sum(len(ids.split()) for ids in MARKED.values()) == 240


def test_every_requirement_has_a_status():
    """One of six. What is met has evidence; what is not met, or another's, has a reason in words."""
    for row in requirements():
        assert len(row) == 5, row
        ident, level, status, note, evidence = row
        assert level in ("1", "2", "3"), row
        assert status in STATUSES, row
        if status == "met":
            assert NODE.search(evidence) or LINK.search(evidence), f"{ident}: met by what?"
        elif status == "not met" or level in "12":
            assert len(note) >= 8, f"{ident}: why is it {status}?"


def test_the_counts_are_those_of_the_lines():
    """The table of counts at the head of the page says what the lines say."""
    text = (SECURITY / "asvs.md").read_text(encoding="utf-8")
    head = next(line for line in text.splitlines() if line.startswith("| level |"))
    statuses = cells(head)[1:]
    assert set(statuses) == STATUSES
    for level in "123":
        stated = cells(next(line for line in text.splitlines() if line.startswith(f"| {level} |")))[1:]
        assert [int(count) for count in stated] == [
            sum((row[1], row[2]) == (level, status) for row in requirements()) for status in statuses
        ], f"level {level}"


def test_no_text_of_owasp_s_is_quoted():
    """OWASP's sentences are under another licence: they all begin with the same two words."""
    assert not re.search(r"\bverify that\b", (SECURITY / "asvs.md").read_text(encoding="utf-8"), re.IGNORECASE)


def test_the_index_links_every_page():
    """Whoever reads docs/security/README.md finds each page of the folder, and no other."""
    linked = {target for target in LINK.findall(INDEX.read_text(encoding="utf-8")) if "/" not in target}
    pages = {page.name for page in PAGES} - {INDEX.name}
    assert linked == pages, "link each page from docs/security/README.md"


def anchors_of(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_into_a_page_meets_a_heading(page):
    """A link to a part of a page names a heading that it has."""
    for target, anchor in re.findall(r"\]\(([^)#\s]*)#([^)\s]+)\)", page.read_text(encoding="utf-8")):
        assert anchor in anchors_of(page.parent / target if target else page), f"{target}#{anchor}"


STANDARDS = {"RFC 9700": 20, "RFC 10017": 10, "RFC 8725": 12, "RFC 6265bis": 10}


@pytest.mark.parametrize(("standard", "least"), STANDARDS.items())
def test_every_section_of_a_standard_has_a_status(standard, least):
    """As in asvs.md: a status of the six; what is met has evidence, what is not has a reason."""
    text = (SECURITY / "standards.md").read_text(encoding="utf-8")
    part = text.partition(f"## {standard}:")[2].partition("\n## ")[0]
    rows = [cells(line) for line in part.splitlines() if re.match(r"\| \d", line)]
    assert len(rows) >= least
    for section, _, status, note, evidence in rows:
        assert status in STATUSES, section
        assert NODE.search(evidence) or LINK.search(evidence) if status == "met" else len(note) >= 8, section


def uses_cryptography(path: Path) -> bool:
    """Whether a file imports a module of cryptography, or takes random bytes."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import) and any(each.name.partition(".")[0] in CRYPTOGRAPHY for each in node.names):
            return True
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in CRYPTOGRAPHY:
            return True
        if isinstance(node, ast.ImportFrom) and any(each.name == "urandom" for each in node.names):
            return True
        if isinstance(node, ast.Attribute) and node.attr == "urandom":
            return True
    return False


def test_every_use_of_cryptography_is_in_the_inventory():
    """Each file that imports a cryptographic module is named in cryptography.md; the test kit and the stack are not shipped
    for production and left out.
    """
    text = (SECURITY / "cryptography.md").read_text(encoding="utf-8")
    used = {
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        if path.relative_to(SOURCE).parts[0] not in ("local", "testing") and uses_cryptography(path)
    }
    assert "core/crypto/aead.py" in used
    assert {each for each in used if f"`{each}`" not in text} == set()
