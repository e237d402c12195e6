"""What users' type checkers say: programs for every front door pass, and each of their likely mistakes is refused.

Both checkers read the files beside this one as any user's code, the package as an installed one. A line that must be refused
ends in `# refused`, or in `# refused by mypy` or `# refused by pyright` where only one of them sees it, or sees it there.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
FILES = sorted(path.name for path in HERE.glob("*_*.py") if path.name.startswith(("accepted_", "refused_")))
_MARK = re.compile(r"# refused(?: by (mypy|pyright))?(?: #.*)?$")


def _run(*command: str) -> str:
    """What a checker says. It reads no other settings than ours and starts no server."""
    environment = {name: value for name, value in os.environ.items() if name not in ("MYPYPATH", "PYTHONPATH")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode in (0, 1), done.stderr + done.stdout
    return done.stdout


@lru_cache(maxsize=1)
def mypy() -> dict[str, set[tuple[int, str]]]:
    """Lines and texts of errors, by file: `mypy --strict`."""
    settings = ("--config-file", str(HERE / "mypy.ini"), "--cache-dir", str(ROOT / ".mypy_cache" / "users"))
    said = _run(sys.executable, "-m", "mypy", *settings, "--no-error-summary", *(str(HERE / name) for name in FILES))
    found: dict[str, set[tuple[int, str]]] = {}
    for line in said.splitlines():
        name, number, text = re.fullmatch(r"(.+?):(\d+): (.*)", line).groups()
        if not text.startswith("note:"):
            found.setdefault(Path(name).name, set()).add((int(number), text))
    return found


@lru_cache(maxsize=1)
def pyright() -> dict[str, set[tuple[int, str]]]:
    """Lines and texts of errors, by file: pyright in strict mode."""
    program = Path(sys.executable).with_name("basedpyright")
    settings = ("--project", str(HERE / "pyrightconfig.json"), "--pythonpath", sys.executable)
    said = json.loads(_run(str(program), *settings, "--outputjson"))
    assert said["summary"]["filesAnalyzed"] == len(FILES)
    found: dict[str, set[tuple[int, str]]] = {}
    for each in said["generalDiagnostics"]:
        text = f"{each['severity']}: {each['message']} ({each.get('rule')})"
        found.setdefault(Path(each["file"]).name, set()).add((each["range"]["start"]["line"] + 1, text))
    return found


def marked(name: str, checker: str) -> set[int]:
    """The lines of a file that this checker must refuse."""
    lines = enumerate((HERE / name).read_text(encoding="utf-8").splitlines(), start=1)
    marks = ((number, _MARK.search(line)) for number, line in lines)
    return {number for number, mark in marks if mark is not None and mark[1] in (None, checker)}


@pytest.mark.parametrize("checker", [mypy, pyright], ids=["mypy", "pyright"])
@pytest.mark.parametrize("name", FILES)
def test_the_checker_says_what_users_should_hear(name, checker):
    """No error in a program that is right, and one in each marked line of a wrong one, and in no other."""
    found = checker().get(name, set())
    expected = marked(name, checker.__name__)
    extra = sorted(error for error in found if error[0] not in expected)
    assert extra == []
    assert sorted(expected - {number for number, _ in found}) == []


def test_every_wrong_program_has_its_mistakes_marked():
    """A file of mistakes has some, a right one none: otherwise the test above would claim nothing."""
    for name in FILES:
        assert bool(marked(name, "mypy")) == bool(marked(name, "pyright")) == name.startswith("refused_")
    assert {name.partition("_")[0] for name in FILES} == {"accepted", "refused"}
    assert {name.partition("_")[2] for name in FILES if "accepted" in name} == {
        name.partition("_")[2] for name in FILES if "refused" in name
    }
