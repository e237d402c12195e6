"""The guides' examples run: each page's files are written to a folder of their own and its tests pass there."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

DOCS = Path(__file__).parents[2] / "docs"
README = DOCS.parent / "README.md"
GUIDES = [*sorted(DOCS.glob("guides/*.md")), DOCS / "testing.md"]
PAGES = [*sorted(DOCS.rglob("*.md")), README, DOCS.parent / "CONTRIBUTING.md", DOCS.parent / "CHANGELOG.md"]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"# (\w+\.py)\n")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


class Example(NamedTuple):
    """One fenced block of Python: the file it is, if its first line names one."""

    name: str | None
    code: str


def examples(page: Path) -> list[Example]:
    """The Python blocks of a page, in order."""
    found = []
    for match in BLOCK.finditer(page.read_text(encoding="utf-8")):
        named = NAMED.match(match[1])
        found.append(Example(named[1] if named else None, match[1]))
    return found


def folder_of(page: Path, folder: Path) -> list[str]:
    """Write the page's files; which there are."""
    files: dict[str, str] = {}
    for name, code in examples(page):
        if name is not None:
            files[name] = files.get(name, "") + code
    for name, code in files.items():
        (folder / name).write_text(code, encoding="utf-8")
    # Mangum asks for an event loop that is not there yet, which Python 3.12 and 3.13 warn of.
    mangums = "ignore:There is no current event loop:DeprecationWarning"
    (folder / "pytest.ini").write_text(
        f"[pytest]\ncognito_session_environment = true\nfilterwarnings =\n    error\n    {mangums}\n", encoding="utf-8"
    )
    return sorted(files)


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.stem)
def test_a_guides_example_passes_its_own_tests(page, tmp_path):
    """As a reader would copy it: the application and its tests, run by pytest with the kit."""
    files = folder_of(page, tmp_path)
    assert "test_app.py" in files
    wanted = len(re.findall(r"^def test_", (tmp_path / "test_app.py").read_text(encoding="utf-8"), re.MULTILINE))
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "COGNITO_", "PYTEST_"))}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:asyncio",
        "--rootdir",
        str(tmp_path),
        str(tmp_path),
    ]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**plain, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) >= wanted > 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS.parent)))
def test_every_example_is_python(page):
    """No block with a typing mistake."""
    for _, code in examples(page):
        ast.parse(code)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS.parent)))
def test_every_link_leads_somewhere(page):
    """Links to other pages and files of the project exist."""
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize(
    "module",
    [
        *("aws_lambda.event", "aws_lambda.authorizer", "aws_lambda.websocket"),
        *("powertools", "asgi", "starlette", "fastapi", "flask", "django", "wsgi"),
    ],
)
def test_every_adapter_has_a_guide(module):
    """Each module of `web` through which a request arrives has its page."""
    page = DOCS / "guides" / f"{module.removesuffix('.event').rpartition('.')[2].removeprefix('aws_')}.md"
    assert page in GUIDES
    from importlib.util import find_spec

    assert find_spec(f"cognito_session.web.{module}") is not None
