"""`make prove`: the long form of the proof, with a progress bar; writes docs/proof.md and fails where a figure is off.

Five parts: every schedule of the scheduler's scenarios, every clause and rule taken out, random browsers and thieves, real
processes killed and frozen on the embedded stack, and small changes of the security code, which the tests must notice
(mutants.py). The last takes hours, so it can be left out.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from crashes import trials  # noqa: E402 - the path comes first
from mutants import measure  # noqa: E402
from races import adversary, browsers, many_scenarios, scenarios, tracked  # noqa: E402
from races.explore import search  # noqa: E402
from races.many import ManyScenario  # noqa: E402
from races.many_mutants import MANY_CLAUSES, MANY_RULES  # noqa: E402
from races.mutants import CLAUSES, RULES  # noqa: E402
from races.sample_rows import CREATE_MEANWHILE, MEANWHILE, WRITES  # noqa: E402

LIMIT = 200_000
"""Distinct states of one scenario, so that the whole takes about 40 minutes on two cores."""


class Figure(NamedTuple):
    """One line of the report."""

    what: str
    measured: str
    expected: str
    holds: bool


def main() -> int:
    """Run all parts and write the report; 1 where a figure differs from what is expected."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=int, default=LIMIT, help="most distinct states searched in one scenario")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the real-process trials (1.0 is the full number)")
    parser.add_argument("--only-schedules", action="store_true", help="search only, and replace that section of the report")
    parser.add_argument("--report", type=Path, default=HERE.parent / "docs" / "proof.md")
    parser.add_argument("--digits", default="0123456789", help="last digits of the mutants of the code to run, like 05")
    parser.add_argument("--without-mutants", action="store_true", help="leave out the mutants of the code")
    arguments = parser.parse_args()
    began = time.monotonic()
    if arguments.only_schedules:
        figures = list(schedules(arguments.limit))
        for figure in figures:
            print(f"{figure.what}: {figure.measured}")
        replace_section(arguments.report, "Schedules", figures)
        return 0 if all(figure.holds for figure in figures) else 1
    sections = {
        "Schedules": list(schedules(arguments.limit)),
        "Clauses and rules taken out": list(mutants()),
        "Browsers and thieves": list(random_browsers()),
        "Real processes": list(real_processes(arguments.scale)),
    }
    if not arguments.without_mutants:
        sections["Mutants of the code"] = list(mutants_of_the_code(arguments.digits))
    arguments.report.write_text(page(sections, time.monotonic() - began), encoding="utf-8")
    failed = [figure for figures in sections.values() for figure in figures if not figure.holds]
    for figure in failed:
        print(f"differs: {figure.what}: {figure.measured}, expected {figure.expected}", file=sys.stderr)
    print(f"{arguments.report.name} written: {'everything holds' if not failed else f'{len(failed)} figures differ'}")
    return 1 if failed else 0


def schedules(limit: int) -> Iterable[Figure]:
    """Search every scenario under every reading of Cognito."""
    everything = [*scenarios.long(), *many_scenarios.long(), *tracked.long(), *adversary.long()]
    states = finals = 0
    violations, cut = [], Counter[str]()
    for found in in_parallel(partial(search, limit=limit), everything, "schedules", "scenario"):
        states += found.states
        finals += found.finals
        if found.violation is not None:
            violations.append(found.violation)
            print(found.violation, file=sys.stderr)
        elif not found.whole:
            cut[found.scenario.name] += 1
    whole = len(everything) - cut.total() - len(violations)
    yield Figure("scenarios", f"{len(everything)}, {whole} of them searched to the end", "", holds=True)
    several = sum(isinstance(scenario, ManyScenario) for scenario in everything)
    yield Figure("of these with several sessions of a user, clocks or keyrings", str(several), "", holds=True)
    yield Figure(f"cut, because they have more than {limit:,} distinct states", told_cut(cut), "", holds=True)
    yield Figure("distinct states", f"{states:,}", "at least 1,000,000", states >= 1_000_000)
    yield Figure("final worlds visited by a fault-free client", f"{finals:,}", "more than 0", finals > 0)
    yield Figure("violations", str(len(violations)), "0", not violations)


def told_cut(cut: Counter[str]) -> str:
    """Names of the scenarios that were cut, each with the number of readings of Cognito under which it was."""
    return "; ".join(f"{name} ({times})" for name, times in sorted(cut.items())) or "none"


def in_parallel(work: Callable[[Any], Any], items: Iterable[Any], what: str, unit: str) -> Iterable[Any]:
    """The results of `work` on each item, by a process for each core."""
    items = list(items)
    with ProcessPoolExecutor() as processes:
        yield from tqdm(processes.map(work, items), desc=what, unit=unit, total=len(items))


def mutants() -> Iterable[Figure]:
    """Take out each clause and each rule; something must break."""
    for write in tqdm(WRITES, desc="clauses", unit="write"):
        change, total, caught = write.build(write.row), 0, list[str]()
        for clause in change.when:
            meanwhile = CREATE_MEANWHILE if write.name == "create" else MEANWHILE[clause.name]
            disturbed = meanwhile.happens(write.row)
            mutant = change._replace(when=tuple(kept for kept in change.when if kept is not clause))
            total += 1
            if not change.allowed_on(disturbed) and mutant.allowed_on(disturbed):
                caught.append(clause.name)
        names = ", ".join(caught)
        yield Figure(f"{write.name}: clauses whose mutant lets a wrong write through", names, "all", total == len(caught))
    for mutant in tqdm([*RULES, *MANY_RULES, *tracked.TRACKED_RULES, *adversary.ADVERSARY_RULES], desc="rules", unit="rule"):
        with mutant.change():
            violation = search(mutant.scenario, limit=200_000).violation
        yield Figure(f"without the rule: {mutant.name}", first_line(violation), "a violation", violation is not None)
    for scenario in tqdm([*CLAUSES, *MANY_CLAUSES], desc="clauses in the search", unit="clause"):
        violation = search(scenario, limit=200_000).violation
        yield Figure(f"without the clause: {scenario.name}", first_line(violation), "a violation", violation is not None)


def first_line(violation: str | None) -> str:
    """The violation without its schedule."""
    return "none" if violation is None else violation.partition("\n")[0].partition("): ")[2]


def random_browsers() -> Iterable[Figure]:
    """10,000 benign schedules and 1,000 thefts."""
    benign, thefts, step = 10_000, 1_000, 500
    false_alarms = lost = noticed = requests = 0
    bursts = partial(browsers.run, step, thefts * step // benign)
    for tally in in_parallel(bursts, range(0, benign, step), "browsers", f"{step} schedules"):
        false_alarms += len(tally.false_alarms)
        lost += len(tally.lost)
        noticed += tally.thefts_noticed
        requests += tally.requests
    yield Figure("benign schedules", f"{benign:,} with {requests:,} requests", "", holds=True)
    yield Figure("false reuse alarms", str(false_alarms), "0", false_alarms == 0)
    yield Figure("benign sessions lost", str(lost), "0", lost == 0)
    yield Figure("thefts noticed", f"{noticed:,} of {thefts:,}", "all", noticed == thefts)


def real_processes(scale: float) -> Iterable[Figure]:
    """Workers killed, frozen and raced on the embedded stack."""
    bars: dict[str, tqdm] = {}

    def progress(what: str, done: int, total: int) -> None:
        bar = bars.get(what)
        if bar is None:
            bar = bars[what] = tqdm(total=total, desc=what, unit="trial")
        bar.update(done - bar.n)
        if done >= total:
            bar.close()

    full = {"points": 100, "freezes": 20, "races": 1_000, "expiries": 50, "sessions": 1_000}
    report = trials.run(**{part: max(1, round(times * scale)) for part, times in full.items()}, progress=progress)
    for figure in report.figures:
        expected = "" if figure.expected is None else str(figure.expected)
        yield Figure(figure.says, told(figure.value), expected, figure.right)
    for line in report.evidence:
        print(line, file=sys.stderr)


def mutants_of_the_code(digits: str) -> Iterable[Figure]:
    """Small changes of the security code, with a report of their own."""
    found = measure(digits)
    yield Figure("mutants", f"{found.run:,}", "2,000 or more", found.run >= 2_000)
    yield Figure("noticed by a test", f"{found.noticed:,}", "", holds=True)
    yield Figure("explained in [Mutants](security/mutants.md)", f"{found.explained:,}", "", holds=True)
    yield Figure("neither noticed nor explained", f"{found.open:,}", "0", found.open == 0)


def told(value: object) -> str:
    """A figure in words."""
    if isinstance(value, dict):
        return ", ".join(f"{name}: {round(times, 1) if isinstance(times, float) else times}" for name, times in value.items())
    return str(value)


def page(sections: dict[str, list[Figure]], seconds: float) -> str:
    """The report as Markdown."""
    lines = [
        "# Proof",
        "",
        f"Written by `make prove` in {seconds / 60:.0f} minutes on {os.cpu_count()} cores. Rerun it: a scenario is searched to",
        "the end, or named below as cut. A cut search explores in a mixed order: it has tried every first move, and three",
        "moves of four go on from the newest world. The random parts are seeded; what is measured on real processes varies in",
        "time, not in outcome.",
        "",
        "The actors of a scenario are requests that different workers serve. Scenarios with several sessions of a user add the",
        "table with two keys and its transaction, `max_sessions`, `save_data`, polls, sealed cookies, a keyring that is being",
        "rolled out, tokens whose life ends during a request, throttles, and clocks that differ by up to the tolerance.",
        "Scenarios named after a writer add an attacker who changes a row of the table at any moment.",
        "",
        "What the model leaves open is listed in the README under what cannot be saved: a crash with a grace of 0, no",
        "request within the grace after a crash under rotation, a request that Cognito handles later than a lease and the",
        "clock tolerance (8 s) while the newest token supersedes its siblings.",
        "",
    ]
    for title, figures in sections.items():
        lines += section(title, figures)
    return "\n".join(lines)


def section(title: str, figures: list[Figure]) -> list[str]:
    """One part of the report."""
    head = [f"## {title}", "", "| | measured | expected | |", "| --- | --- | --- | --- |"]
    rows = [f"| {f.what} | {f.measured} | {f.expected} | {'holds' if f.holds else '**differs**'} |" for f in figures]
    return [*head, *rows, ""]


def replace_section(report: Path, title: str, figures: list[Figure]) -> None:
    """Write one part of the report again, and of a new one that part alone."""
    written = report.read_text(encoding="utf-8") if report.exists() else f"# Proof\n\n## {title}\n"
    before, _, rest = written.partition(f"## {title}\n")
    after = rest.partition("\n## ")[2]
    report.write_text(before + "\n".join(section(title, figures)) + f"\n## {after}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
