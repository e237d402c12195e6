"""docs/write-a-store.md: its store passes its own tests, and needs only public names."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "write-a-store.md"
FILES = dict(re.findall(r"^```python\n# (\w+\.py)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL))
PUBLIC = {"cognito_session", "cognito_session.store", "cognito_session.testing"}


def run_page(folder: Path, store: str) -> subprocess.CompletedProcess[str]:
    """Run the page's tests on a store, as a reader would."""
    for name, code in {**FILES, "my_store.py": store}.items():
        (folder / name).write_text(code, encoding="utf-8")
    # fewer rounds of races: the claim here is about the page, and SQLite writes each round to the disk
    fewer = "from cognito_session.testing import StoreContract\n\nStoreContract.threads, StoreContract.rounds = 4, 5\n"
    (folder / "conftest.py").write_text(fewer, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n", encoding="utf-8")
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    options = ("-q", "-x", "-p", "no:cacheprovider", "-p", "no:asyncio", "--rootdir", str(folder))
    command = [sys.executable, "-m", "pytest", *options, str(folder)]
    environment = {**plain, "PYTHONPATH": str(folder)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300)


def test_the_store_of_the_page_passes_the_contract(tmp_path):
    """A reader who copies the store and its tests sees all of them pass."""
    done = run_page(tmp_path, FILES["my_store.py"])
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 100


WRONG = {
    "one condition is enough for all changes": ("applied = all(", "applied = any("),
    "ignores conditions": ("applied = change.allowed_on(found)", "applied = True"),
    "loses the type of a set": ('return {"set": sorted(value)}', "return sorted(value)"),
    "writes a condition": ("if change.only_checks:", "if False:"),
}


@pytest.mark.parametrize(("right", "wrong"), WRONG.values(), ids=WRONG)
def test_a_reader_learns_of_a_mistake(right, wrong, tmp_path):
    """The contract refuses the page's store with one likely mistake in it."""
    assert right in FILES["my_store.py"]
    done = run_page(tmp_path, FILES["my_store.py"].replace(right, wrong))
    assert done.returncode == 1, done.stdout[-4000:]
    assert "failed" in done.stdout


def test_a_store_needs_only_public_names():
    """The page imports no private module of the package."""
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    imports = [node for code in blocks for node in ast.walk(ast.parse(code)) if isinstance(node, ast.ImportFrom)]
    assert {node.module for node in imports if node.module.startswith("cognito_session")} == PUBLIC


def test_the_page_names_at_most_five_files_to_read():
    """The table at its beginning is all that an author of a store reads."""
    table = re.search(r"^\| read \| for \|\n.*?\n\n", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)[0]
    assert 0 < len(table.strip().splitlines()) - 2 <= 5
