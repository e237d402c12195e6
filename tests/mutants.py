"""`make mutants`: changes the security code in small ways and runs the tests on each change; writes docs/security/mutants.md.

A mutant that every test accepts is a survivor. It fails the run, unless tests/survivors.toml says why no test can or should
notice it, or only the wording of a message differs. mutmut makes and runs the mutants of each part in a copy of the tree, on
the tests of that part. What the unit tests leave without an explanation runs once more on the journeys over HTTP. A run
takes the mutants whose number ends in one of `--digits`, by default every mutant, and goes on where the last one stopped.
After tests were added, `--survivors` runs those again that no test noticed in the run before, and reports on the whole.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
MUTMUT = str(Path(sys.executable).with_name("mutmut"))
REPORT = ROOT / "docs" / "security" / "mutants.md"
EXPLAINED = ROOT / "tests" / "survivors.toml"
WORDING = "only the wording of a message differs"
UNTESTED = ("survived", "no tests", "suspicious")
"""mutmut's words for a mutant that no test noticed. A timeout is a test that noticed."""
NOT_RUN = ("not checked", "skipped")


class Part(NamedTuple):
    """Files whose mutants run on the same tests, in a copy of the tree of their own."""

    name: str
    mutated: tuple[str, ...]
    tests: tuple[str, ...]

    @property
    def copy(self) -> Path:
        """The copy of the tree that mutmut works in. It keeps mutmut's results from one run to the next."""
        return ROOT / ".mutants" / self.name


CORE = ("core/*.py", "drivers/*.py", "http/csrf.py")
"""Globs, whose star takes folders along."""
TRANSPORT = tuple(f"aws/transport/{name}.py" for name in ("interface", "open", "curl", "botocore"))
PARTS = (
    Part("units", CORE, ("tests/core", "tests/drivers", "tests/test_given.py", "tests/web/test_csrf.py")),
    Part("signin", ("signin/*.py",), ("tests/signin",)),
    Part("transport", TRANSPORT, ("tests/aws/test_wire.py", "tests/aws/test_wire_botocore.py", "tests/aws/test_tls.py")),
)
JOURNEYS = Part("journeys", CORE, ("tests/managed", "tests/signin", "tests/stores"))
"""What is left of the units: seconds for each mutant, so that only those run that no unit test noticed."""
SOURCE_READERS = (
    "tests/core/test_partition.py::test_the_table_is_what_botocore_says",
    "tests/web/test_csrf.py::test_each_check_matters",
    "tests/signin/test_frames.py",
    "tests/aws/test_wire.py::test_importing_the_wire_is_cheap",
    "tests/aws/test_wire.py::test_a_pycurl_without_a_name_for_retry_after_still_works",
)
"""Tests that read the source, its frames or its imports, which mutmut adds to."""
ALSO_COPIED = (
    *("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "Makefile"),
    *("docs", "requirements", "bench", "examples"),
)
SHOW = """
import json, sys
from mutmut.mutation.diff_apply import get_diff_for_mutant
print(json.dumps({name: get_diff_for_mutant(name) for name in json.load(sys.stdin)}))
"""


class Measured(NamedTuple):
    """How many mutants were run, and what became of those."""

    run: int
    noticed: int
    explained: int
    open: int


class Survivor(NamedTuple):
    """A mutant that no test noticed: its name, and the lines that it removes and adds."""

    name: str
    was: str
    now: str

    @property
    def function(self) -> str:
        """Module and function, like `core.commit.Commit._lost`."""
        return function_of(self.name)


def main() -> int:
    """The command; 1 where a survivor is not explained."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--digits", default="0123456789", help="last digits of the mutants to run, like 05 for a fifth of them")
    parser.add_argument("--only", default="*", help="glob of mutants, like cognito_session.core.commit.*")
    parser.add_argument("--children", type=int, default=2, help="mutants at a time")
    parser.add_argument("--survivors", action="store_true", help="run again what survived the run before")
    parser.add_argument("--report", type=Path, default=REPORT)
    arguments = parser.parse_args()
    found = measure(
        arguments.digits, arguments.only, arguments.report, survivors=arguments.survivors, children=arguments.children
    )
    return 1 if found.open or not found.run else 0


def measure(
    digits: str = "0123456789", only: str = "*", to: Path = REPORT, *, survivors: bool = False, children: int = 2
) -> Measured:
    """Run the mutants, and write the report `to` a file."""
    began = time.monotonic()
    reasons, known = explanations(), 0
    statuses: dict[str, str] = {}
    open_ones: dict[str, Survivor] = {}
    explained: Counter[str] = Counter()
    for part in PARTS:
        prepare(part)
        before = results(part, digits, only, run=False)
        names = [name for name, status in before.items() if status in (UNTESTED if survivors else NOT_RUN)]
        run(part, names if before else [f"{only}__mutmut_*[{digits}]"], children)
        found = results(part, digits, only)
        statuses |= found
        known += len(results(part, "0123456789", "*", run=False))
        for survivor in shown(part, [name for name, status in found.items() if status in UNTESTED]):
            reason = why(survivor, reasons)
            if reason is None:
                open_ones[survivor.name] = survivor
            else:
                explained[reason] += 1
    if not statuses:
        print("no mutant was run: read mutmut's messages above")
        return Measured(0, 0, 0, 0)
    on_journeys = sorted(name for name in open_ones if covers(JOURNEYS, name))
    prepare(JOURNEYS)
    run(JOURNEYS, on_journeys, children)
    noticed_later = {name for name, status in results(JOURNEYS).items() if name in open_ones and status not in UNTESTED}
    statuses |= dict.fromkeys(noticed_later, "killed")
    left = [open_ones[name] for name in sorted(open_ones.keys() - noticed_later)]
    minutes = round((time.monotonic() - began) / 60)
    to.write_text(report(statuses, explained, left, minutes, known), encoding="utf-8")
    for survivor in left:
        print(f"{survivor.name}\n  - {survivor.was}\n  + {survivor.now}")
    print(f"{to.name} written: {len(statuses)} mutants, {len(left)} survivors without an explanation")
    noticed = sum(status not in UNTESTED for status in statuses.values())
    return Measured(len(statuses), noticed, explained.total(), len(left))


def prepare(part: Part) -> None:
    """Bring the copy of the tree up to date; files that did not change keep their time, and mutmut its results of them."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    wanted = {name for name in listed.split("\0") if name and (ROOT / name).is_file()}
    for name in wanted:
        source, target = ROOT / name, part.copy / name
        if not target.is_file() or target.read_bytes() != source.read_bytes():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    for stale in [*(part.copy / "src").rglob("*.py"), *(part.copy / "tests").rglob("*.py")]:
        if stale.relative_to(part.copy).as_posix() not in wanted:
            stale.unlink()
    (part.copy / "setup.cfg").write_text(settings(part), encoding="utf-8")


def settings(part: Part) -> str:
    """Mutmut's settings. Lines that no test runs are changed as well: they count as survivors."""
    several = {
        "only_mutate": [f"src/cognito_session/{each}" for each in part.mutated],
        "do_not_mutate": ["src/cognito_session/core/partition_table.py"],
        "also_copy": ALSO_COPIED,
        "pytest_add_cli_args_test_selection": part.tests,
        "pytest_add_cli_args": ["-p", "no:cacheprovider", *(f"--deselect={test}" for test in SOURCE_READERS)],
    }
    lines = [f"{name} =\n    " + "\n    ".join(values) for name, values in several.items()]
    single = "source_paths = src\nuse_git_change_detection = false\ntrack_dependencies = false"
    return f"[mutmut]\n{single}\n" + "\n".join(lines) + "\n"


def run(part: Part, names: list[str], children: int) -> None:
    """Run the mutants of these names or globs."""
    if names:
        subprocess.run([MUTMUT, "run", "--max-children", str(children), *names], cwd=part.copy, check=True)


def covers(part: Part, name: str) -> bool:
    """Whether the mutant lies in a file of this part."""
    return any(fnmatch(module_of(name).replace(".", "/") + ".py", each) for each in part.mutated)


def results(part: Part, digits: str = "0123456789", only: str = "*", *, run: bool = True) -> dict[str, str]:
    """The status of each mutant by its name; `run`: of those alone that were run."""
    command = [MUTMUT, "results", "--all", "true"]
    output = subprocess.run(command, cwd=part.copy, check=True, capture_output=True, text=True).stdout
    lines = re.findall(r"^\s*(\S+__mutmut_\d+): (.+)$", output, re.MULTILINE)
    return {
        name: status
        for name, status in lines
        if name[-1] in digits and fnmatch(name, only + "*") and not (run and status in NOT_RUN)
    }


def shown(part: Part, names: list[str]) -> list[Survivor]:
    """The changes that these mutants make."""
    asked = subprocess.run(
        [sys.executable, "-c", SHOW], cwd=part.copy, input=json.dumps(names), check=True, capture_output=True, text=True
    )
    return [survivor(name, diff) for name, diff in json.loads(asked.stdout.splitlines()[-1]).items()]


def survivor(name: str, diff: str) -> Survivor:
    """The removed and the added lines of a unified diff."""
    body = diff.partition("\n@@")[2].splitlines()[1:]
    was = " ".join(line[1:].strip() for line in body if line.startswith("-"))
    now = " ".join(line[1:].strip() for line in body if line.startswith("+"))
    return Survivor(name, was, now)


def explanations() -> list[dict[str, str]]:
    """The entries of tests/survivors.toml: `where` and `was` or `now` are regular expressions, `why` is the reason."""
    return tomllib.loads(EXPLAINED.read_text()).get("survivor", [])


def why(survivor: Survivor, reasons: Iterable[dict[str, str]]) -> str | None:
    """The reason why no test notices this mutant, or None."""
    for entry in reasons:
        fits = re.search(entry["where"], survivor.function) and re.search(entry.get("was", ""), survivor.was)
        if fits and re.search(entry.get("now", ""), survivor.now):
            return entry["why"]
    if survivor.was != survivor.now and without_wording(survivor.was) == without_wording(survivor.now):
        return WORDING
    return None


def without_wording(line: str) -> str:
    """The line with every text of more than one word replaced by one mark. Words of the protocol hold no blank.

    Texts of one word are matched as well, so that what stands between two of them is not taken for a text.
    """
    return re.sub(r"""f?"[^"]*"|(?<!\w)'[^']*'""", lambda text: "TEXT" if " " in text[0] else text[0], line)


def function_of(name: str) -> str:
    """`cognito_session.core.commit.xǁCommitǁ_lost__mutmut_3` as `core.commit.Commit._lost`."""
    module, _, function = name.removeprefix("cognito_session.").rpartition("__mutmut_")[0].rpartition(".")
    return f"{module}.{function.removeprefix('x_').removeprefix('xǁ').replace('ǁ', '.')}"


def module_of(name: str) -> str:
    """`cognito_session.core.commit.xǁCommitǁ_lost__mutmut_3` as `core.commit`."""
    return name.removeprefix("cognito_session.").rpartition("__mutmut_")[0].rpartition(".")[0]


def report(statuses: dict[str, str], explained: Counter[str], open_ones: list[Survivor], minutes: int, known: int) -> str:
    """The text of docs/security/mutants.md."""
    by_file: dict[str, Counter[str]] = defaultdict(Counter)
    for name, status in statuses.items():
        module = module_of(name)
        by_file[module]["noticed" if status not in UNTESTED else "survived"] += 1
    share = "all mutants" if len(statuses) == known else f"{len(statuses):,} of {known:,} mutants"
    lines = [
        "# Mutants",
        "",
        "Which small changes of the code the tests notice, and why they need not notice the others. Written by `make mutants`,",
        f"over {share} of `core/`, `drivers/`, `signin/`, `http/csrf.py` and `aws/transport/`. A run that leaves a",
        f"survivor without an explanation fails. It took {minutes} minutes.",
        "",
        (
            f"{len(statuses):,} mutants, {sum(found['noticed'] for found in by_file.values()):,} noticed by a test,"
            f" {sum(explained.values()):,} explained, {len(open_ones):,} open."
        ),
        "",
        "| module | mutants | noticed | survived |",
        "| --- | --- | --- | --- |",
    ]
    for module, found in sorted(by_file.items()):
        lines.append(f"| `{module}` | {found.total()} | {found['noticed']} | {found['survived']} |")
    lines += ["", "## Survivors and their reasons", "", "| reason | mutants |", "| --- | --- |"]
    lines += [f"| {reason} | {count} |" for reason, count in explained.most_common()]
    if open_ones:
        lines += ["", "## Survivors without an explanation", "", "| function | was | is |", "| --- | --- | --- |"]
        lines += [f"| `{each.function}` | {cell(each.was)} | {cell(each.now)} |" for each in open_ones]
    return "\n".join(lines) + "\n"


def cell(text: str) -> str:
    """Code in a cell of a table."""
    return "`" + text.replace("|", "\\|").replace("`", "'") + "`"


if __name__ == "__main__":
    sys.exit(main())
