"""run(): every trial of this package against a stack of its own, as many of each as asked for.

report = run(points=100, freezes=10, races=1000, expiries=50, sessions=1000, progress=print)
assert not report.failures, report.evidence
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from cognito_session.local.stack import LocalStack
from crashes.crowd import expire_under
from crashes.kills import freeze_at, kill_at
from crashes.make import Make
from crashes.outages import deploy_wrong_secret, trouble
from crashes.races import race_logouts
from crashes.report import CrashReport, Progress
from crashes.site import Site

__all__ = ["CrashReport", "Progress", "run"]


def run(
    points: int,
    freezes: int,
    races: int,
    expiries: int,
    sessions: int,
    *,
    processes: int = 8,
    threads: int = 25,
    faults: bool = True,
    hangs: bool = True,
    progress: Progress = lambda _name, _done, _total: None,
) -> CrashReport:
    """Kill `points` workers at each point of each app, freeze `freezes`; the rest are totals. 0 leaves a part out.

    `hangs`: what hangs does so in earnest, see outages.trouble; it costs a minute and a half.
    """
    report = CrashReport()
    with ExitStack() as ends:
        stack = ends.enter_context(LocalStack.start())
        off, generous, strict = (
            ends.enter_context(Site(stack, grace, sort_key=sort_key))
            for grace, sort_key in ((None, None), (60, "sid"), (0, None))
        )
        folder = Path(ends.enter_context(TemporaryDirectory()))
        others = [
            ends.enter_context(Site(stack, grace, sort_key="sid", make=make))
            for number, make in enumerate(makes(folder))
            for grace in ((60,) if number else (None, 60))
        ]
        with _timed("kills", report):
            kill(off, generous, strict, *others, times=points, report=report, progress=progress)
        with _timed("freezes", report):
            freeze(off, generous, strict, *others, times=freezes, report=report, progress=progress)
        with _timed("faults", report):
            for site in (off, generous) if faults else ():
                trouble(site, report, progress, hangs=hangs)
        with _timed("races", report):
            for site, rounds in shares(races, [off, generous, *others]):
                race_logouts(site, rounds, report, progress)
        if expiries:
            with _timed("expiries", report):
                expire_under(strict, report, progress, expiries=expiries, processes=processes, threads=threads)
        if sessions:
            with _timed("secrets", report), Site(stack, 60, sort_key="sid", client_secret=True) as confidential:
                deploy_wrong_secret(confidential, sessions, report, progress)
    return report


def makes(folder: Path) -> list[Make]:
    """Every other way to build an app, with its SQLite files in the folder."""
    return [
        Make(sealed=True),
        Make(file=folder / "plain.db"),
        Make(sealed=True, file=folder / "sealed.db"),
        Make(asynchronous=True),
        Make(sealed=True, file=folder / "asynchronous.db", asynchronous=True),
    ]


def shares(total: int, sites: list[Site]) -> Iterator[tuple[Site, int]]:
    """The total in equal parts, the first ones larger by one where it does not come out even; no empty part."""
    each, rest = divmod(total, len(sites))
    for number, site in enumerate(sites):
        if each or number < rest:
            yield site, each + (number < rest)


def kill(*sites: Site, times: int, report: CrashReport, progress: Progress) -> None:
    """SIGKILL at every point of every site."""
    for site in sites:
        for number, point in enumerate(site.make.points if times else ()):
            kill_at(site, point, times, report)
            progress(f"SIGKILL, {site.name}", (number + 1) * times, len(site.make.points) * times)


def freeze(*sites: Site, times: int, report: CrashReport, progress: Progress) -> None:
    """SIGSTOP and SIGCONT at every point of every site."""
    for site in sites:
        for number, point in enumerate(site.make.points if times else ()):
            freeze_at(site, point, times, report)
            progress(f"SIGSTOP, {site.name}", (number + 1) * times, len(site.make.points) * times)


@contextmanager
def _timed(part: str, report: CrashReport) -> Iterator[None]:
    began = time.monotonic()
    yield
    report.seconds[part] = round(time.monotonic() - began, 1)
