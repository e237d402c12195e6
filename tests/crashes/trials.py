"""run(): every trial of this package against a stack of its own, as many of each as asked for.

report = run(points=100, freezes=10, races=1000, expiries=50, sessions=1000, progress=print)
assert not report.failures, report.evidence
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from cognito_session.local.stack import LocalStack
from crashes.crowd import expire_under
from crashes.kills import freeze_at, kill_at
from crashes.outages import deploy_wrong_secret, trouble
from crashes.points import POINTS
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
    """Kill `points` workers at each point in each pool, freeze `freezes`; the rest are totals. 0 leaves a part out.

    `hangs`: what hangs does so in earnest, see outages.trouble; it costs a minute and a half.
    """
    report = CrashReport()
    with ExitStack() as ends:
        stack = ends.enter_context(LocalStack.start())
        off, generous, strict = (
            ends.enter_context(Site(stack, grace, sort_key=sort_key))
            for grace, sort_key in ((None, None), (60, "sid"), (0, None))
        )
        with _timed("kills", report):
            kill(off, generous, strict, times=points, report=report, progress=progress)
        with _timed("freezes", report):
            freeze(off, generous, strict, times=freezes, report=report, progress=progress)
        with _timed("faults", report):
            for site in (off, generous) if faults else ():
                trouble(site, report, progress, hangs=hangs)
        with _timed("races", report):
            for site, rounds in ((off, races // 2), (generous, races - races // 2)):
                if rounds:
                    race_logouts(site, rounds, report, progress)
        if expiries:
            with _timed("expiries", report):
                expire_under(strict, report, progress, expiries=expiries, processes=processes, threads=threads)
        if sessions:
            with _timed("secrets", report), Site(stack, 60, sort_key="sid", client_secret=True) as confidential:
                deploy_wrong_secret(confidential, sessions, report, progress)
    return report


def kill(*sites: Site, times: int, report: CrashReport, progress: Progress) -> None:
    """SIGKILL at every point of every site."""
    for site in sites:
        for number, point in enumerate(POINTS if times else ()):
            kill_at(site, point, times, report)
            progress(f"SIGKILL, {site.name}", (number + 1) * times, len(POINTS) * times)


def freeze(*sites: Site, times: int, report: CrashReport, progress: Progress) -> None:
    """SIGSTOP and SIGCONT at every point of every site."""
    for site in sites:
        for number, point in enumerate(POINTS if times else ()):
            freeze_at(site, point, times, report)
            progress(f"SIGSTOP, {site.name}", (number + 1) * times, len(POINTS) * times)


@contextmanager
def _timed(part: str, report: CrashReport) -> Iterator[None]:
    began = time.monotonic()
    yield
    report.seconds[part] = round(time.monotonic() - began, 1)
