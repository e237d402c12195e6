"""Every reason has its page, and every page its reason."""

from __future__ import annotations

import re
from pathlib import Path

import cognito_session
from cognito_session.core.protocol.session import Reason
from cognito_session.signin.outcome import Refusal

ERRORS = Path(__file__).parents[2] / "docs" / "errors"
SOURCE = Path(cognito_session.__file__).parent
INTERNAL = {"error", "invalid_token", "too_late"}
"""Words that never leave the package: a base class's default, and reasons that become another one on the way."""


def reasons_in_code() -> set[str]:
    """The words that errors, rejections, refusals and stops of the callback are given in the source."""
    found = {reason.value for reason in Reason} | {refusal.value for refusal in Refusal}
    for path in SOURCE.rglob("*.py"):
        if not {"local", "testing"} & set(path.relative_to(SOURCE).parts):
            text = path.read_text(encoding="utf-8")
            found |= set(re.findall(r'\breason="([a-z_]+)"', text)) | set(re.findall(r'default_reason = "([a-z_]+)"', text))
    callback = (SOURCE / "signin" / "callback.py").read_text(encoding="utf-8")
    return (found | set(re.findall(r'^    "([a-z_]+)": \(\d', callback, re.MULTILINE))) - INTERNAL


def test_every_reason_has_a_page_and_every_page_a_reason():
    """The two sets are the same: nobody is told a word that is explained nowhere."""
    pages = {page.stem for page in ERRORS.glob("*.md")} - {"README"}
    assert len(pages) > 50
    assert pages == reasons_in_code()


def test_the_index_lists_every_page():
    """The table of the index names each page once."""
    listed = re.findall(r"\[`([a-z_]+)`\]\(([a-z_]+)\.md\)", (ERRORS / "README.md").read_text(encoding="utf-8"))
    assert [name for name, _ in listed] == sorted(page.stem for page in ERRORS.glob("*.md") if page.stem != "README")
    assert all(name == target for name, target in listed)


def test_every_page_says_what_to_do():
    """Meaning, causes and a way out, on each."""
    for page in ERRORS.glob("*.md"):
        if page.stem != "README":
            text = page.read_text(encoding="utf-8")
            assert text.startswith(f"# `{page.stem}`")
            assert "## How it comes about" in text
            assert "## What to do" in text
