"""What users write is accepted by mypy --strict and by pyright in strict mode, and their mistakes are refused.

pyright is basedpyright, a fork that needs no download of its own, with the rules of pyright alone.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SOURCE = HERE.parents[1] / "src"
ACCEPTED, REFUSED = HERE / "accepted.py", HERE / "refused.py"
NOT_THEIRS = {
    # Findings about libraries that say less of themselves than pyright's strict mode wants to know, not about our users' code.
    *("reportMissingTypeStubs", "reportUnknownMemberType", "reportUnknownArgumentType", "reportUnknownVariableType"),
    *("reportUntypedFunctionDecorator", "reportUnusedExpression", "reportUnknownParameterType"),
}


def marked(path: Path) -> set[int]:
    """The lines that say they are refused."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return {number for number, line in enumerate(lines, 1) if line.endswith("# refused")}


@pytest.fixture(scope="module")
def found_by_mypy(tmp_path_factory):
    """File name -> lines with an error, of mypy --strict."""
    cache = str(tmp_path_factory.mktemp("mypy"))
    command = [sys.executable, "-m", "mypy", "--strict", "--python-version", "3.11", "--cache-dir", cache, "--no-error-summary"]
    command += ["--config-file", os.devnull, "--disable-error-code", "import-untyped", "--follow-imports", "silent"]
    done = subprocess.run(
        [*command, str(ACCEPTED), str(REFUSED)],
        env={**os.environ, "MYPYPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    errors = re.findall(r"^(?:.*/)?(\w+\.py):(\d+): error", done.stdout, re.MULTILINE)
    return done.stdout, lines_by_file(errors)


@pytest.fixture(scope="module")
def found_by_pyright(tmp_path_factory):
    """File name -> lines with an error, of pyright in strict mode."""
    folder = tmp_path_factory.mktemp("pyright")
    settings = {
        "include": [str(ACCEPTED), str(REFUSED)],
        "extraPaths": [str(SOURCE)],
        "typeCheckingMode": "strict",
        "pythonVersion": "3.11",
        **dict.fromkeys(NOT_THEIRS, "none"),
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    command = [sys.executable, "-m", "basedpyright", "--outputjson", "--pythonpath", sys.executable, "-p", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    report = json.loads(done.stdout)
    wrong = [found for found in report["generalDiagnostics"] if found["severity"] == "error"]
    errors = [(Path(found["file"]).name, str(found["range"]["start"]["line"] + 1)) for found in wrong]
    assert report["summary"]["filesAnalyzed"] >= 2
    return "\n".join(f"{found['file']}:{found['range']['start']['line'] + 1}: {found['message']}" for found in wrong), (
        lines_by_file(errors)
    )


def lines_by_file(errors: list[tuple[str, str]]) -> dict[str, set[int]]:
    """The lines of each file."""
    found: dict[str, set[int]] = {}
    for name, line in errors:
        found.setdefault(name, set()).add(int(line))
    return found


@pytest.fixture(params=["mypy", "pyright"])
def found(request):
    """What one of the two checkers says."""
    return request.getfixturevalue(f"found_by_{request.param}")


def test_what_users_write_is_accepted(found):
    """Every front door, the outcomes by match, and the kit: no error."""
    said, errors = found
    assert errors.get(ACCEPTED.name, set()) == set(), said


def test_mistakes_are_refused(found):
    """Exactly the marked lines: a checker that says nothing, or complains of more, fails."""
    said, errors = found
    assert len(marked(REFUSED)) >= 15
    assert errors.get(REFUSED.name, set()) == marked(REFUSED), said
