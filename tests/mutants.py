"""`make mutants`: changes the security code in small ways and runs the tests on each change; writes docs/security/mutants.md.

A mutant that every test accepts is a survivor. It fails the run, unless tests/survivors.toml says why no test can or should
notice it, or only the wording of a message differs. mutmut makes and runs the mutants; its settings are in pyproject.toml. A
run takes the mutants whose number ends in one of `--digits`, by default every mutant. After tests were added, `--survivors`
runs those again that no test noticed in the run before, and reports on the whole of it.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
MUTMUT = str(Path(sys.executable).with_name("mutmut"))
REPORT = ROOT / "docs" / "security" / "mutants.md"
EXPLAINED = ROOT / "tests" / "survivors.toml"
WORDING = "only the wording of a message differs"
UNTESTED = ("survived", "no tests", "suspicious")
"""mutmut's words for a mutant that no test noticed. A timeout is a test that noticed."""


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
    parser.add_argument("--only", default="*", help="glob of mutants, like cognito_session.core.protocol.commit.*")
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
    names = [f"{only}__mutmut_*[{digits}]"]
    if survivors:
        names = [name for name, status in results(digits, only).items() if status in UNTESTED]
    if names:
        subprocess.run([MUTMUT, "run", "--max-children", str(children), *names], cwd=ROOT, check=False)
    known, statuses = len(results("0123456789", "*", run=False)), results(digits, only)
    if not statuses:
        print("no mutant was run: read mutmut's messages above")
        return Measured(0, 0, 0, 0)
    os.chdir(ROOT)  # mutmut's own functions read its settings and its files there
    reasons = explanations()
    explained: Counter[str] = Counter()
    open_ones = []
    for name in sorted(name for name, status in statuses.items() if status in UNTESTED):
        survivor = shown(name)
        reason = why(survivor, reasons)
        if reason is None:
            open_ones.append(survivor)
        else:
            explained[reason] += 1
    minutes = round((time.monotonic() - began) / 60)
    to.write_text(report(statuses, explained, open_ones, minutes, known), encoding="utf-8")
    for survivor in open_ones:
        print(f"{survivor.name}\n  - {survivor.was}\n  + {survivor.now}")
    print(f"{to.name} written: {len(statuses)} mutants, {len(open_ones)} survivors without an explanation")
    noticed = sum(status not in UNTESTED for status in statuses.values())
    return Measured(len(statuses), noticed, explained.total(), len(open_ones))


def results(digits: str, only: str, *, run: bool = True) -> dict[str, str]:
    """The status of each mutant by its name; `run`: of those alone that were run."""
    output = subprocess.run([MUTMUT, "results", "--all", "true"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    lines = re.findall(r"^\s*(\S+__mutmut_\d+): (.+)$", output, re.MULTILINE)
    chosen = re.compile(only.replace(".", r"\.").replace("*", ".*"))
    return {
        name: status
        for name, status in lines
        if name[-1] in digits and chosen.match(name) and not (run and status in ("not checked", "skipped"))
    }


def shown(name: str) -> Survivor:
    """The change that a mutant makes. Asked in this process: the command would load mutmut for each."""
    from mutmut.mutation.diff_apply import get_diff_for_mutant  # installed by `make mutants` alone

    body = get_diff_for_mutant(name).partition("\n@@")[2].splitlines()[1:]
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
    """The line with every text of more than one word replaced by one mark. Words of the protocol hold no blank."""
    return re.sub(r'f?"(?:XX)?[^"]* [^"]*"', "TEXT", line)


def function_of(name: str) -> str:
    """`cognito_session.core.protocol.commit.xǁCommitǁ_lost__mutmut_3` as `core.commit.Commit._lost`."""
    module, _, function = name.removeprefix("cognito_session.").rpartition("__mutmut_")[0].rpartition(".")
    return f"{module}.{function.removeprefix('x_').removeprefix('xǁ').replace('ǁ', '.')}"


def report(statuses: dict[str, str], explained: Counter[str], open_ones: list[Survivor], minutes: int, known: int) -> str:
    """The text of docs/security/mutants.md."""
    by_file: dict[str, Counter[str]] = defaultdict(Counter)
    for name, status in statuses.items():
        module = ".".join(function_of(name).split(".")[:2])
        by_file[module]["noticed" if status not in UNTESTED else "survived"] += 1
    share = "all mutants" if len(statuses) == known else f"{len(statuses):,} of {known:,} mutants"
    lines = [
        "# Mutants",
        "",
        "Which small changes of the code the unit tests notice, and why they need not notice the others. Written by `make",
        f"mutants`, over {share} of `core/`, `drivers/` and `http/csrf.py`. A run that leaves a survivor without an",
        f"explanation fails. Its last part took {minutes} minutes.",
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
