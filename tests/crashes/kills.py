"""Workers killed or frozen at a point, and what becomes of the session that they were working on.

Trials go in batches, because an expiry is everybody's: so many workers, each with a session of its own, are led to the
same point; then all are killed, the clock moves past their leases, and a fault-free client asks with each one's cookie. A
session that lives goes on to the next trial, so it has to survive all that came before as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

from cognito_session.core.policy import CLOCK_TOLERANCE_SECONDS, LEASE_SECONDS
from crashes.answer import Answer
from crashes.crew import Worker
from crashes.points import Point
from crashes.report import CrashReport
from crashes.site import LIFE_SECONDS, Browser, Site

__all__ = ["freeze_at", "kill_at"]

_BATCH = 25
_FROZEN_BATCH = 8
"""Small, so that what a frozen worker has under way is answered within its real time limit."""
_PAST_THE_LEASE = LEASE_SECONDS + CLOCK_TOLERANCE_SECONDS + 1


def kill_at(site: Site, point: Point, times: int, report: CrashReport) -> None:
    """Kill so many workers at the point and count what the next request gets.

    What a killed worker has under way is done at once in every other batch, and only after the next worker's refresh in the
    rest.
    """
    for number, size in enumerate(_batches(times, _BATCH)):
        late = number % 2 == 1
        with _standing(site, point, size) as (pairs, release):
            for worker, _ in pairs:
                worker.kill()
            if not late:
                release()
            site.stack.advance(_PAST_THE_LEASE)
            healed = [(browser, site.heal(browser)) for _, browser in pairs]
            release()
        for (browser, answer), later in zip(healed, site.live_on([browser for browser, _ in healed]), strict=True):
            _judge_kill(site, point, browser, (answer, later), report)
        report.trials += size
        report.kills[site.name] += size


def _judge_kill(site: Site, point: Point, browser: Browser, answers: tuple[Answer, Answer], report: CrashReport) -> None:
    """By the answer to the next request and by the one after the next expiry."""
    row = site.row(browser)
    seen = (site.name, point.name, *(f"{each.end} {each.reason}" for each in answers), row.get("state"), row.get("reason"))
    ends = {each.end for each in answers}
    if "unavailable" in ends:
        report.wrong("stuck", *seen)
    elif point.ends:
        if set(answers) != {Answer("rejected", "session_ended")} or "token" in row:
            report.wrong("undone_logouts", *seen)
    elif ends == {"served"}:
        site.give_back(browser)
    elif site.grace != 0:
        report.wrong("lost", *seen)
    elif answers[0].end == "rejected":
        report.clear_401 += 1
        report.clear_401_at[f"{point.name}: {answers[0].reason}"] += 1
    else:
        report.wrong("lost_without_reason", *seen)


def freeze_at(site: Site, point: Point, times: int, report: CrashReport) -> None:
    """Freeze so many workers at the point, let another one refresh when their lease has run out, and thaw them.

    Every other batch stays frozen until the token that the other worker got has expired as well.
    """
    for number, size in enumerate(_batches(times, _FROZEN_BATCH)):
        with _standing(site, point, size) as (pairs, release):
            for worker, _ in pairs:
                worker.freeze()
            site.stack.advance(_PAST_THE_LEASE)
            between = [site.heal(browser) for _, browser in pairs]
            release()
            if number % 2:
                site.stack.advance(LIFE_SECONDS + 1)
            for worker, _ in pairs:
                worker.thaw()
                if point.held is None:
                    worker.go()
            thawed = [worker.finish() for worker, _ in pairs]
        later = [site.heal(browser) for _, browser in pairs]
        latest = site.live_on([browser for _, browser in pairs])
        for (worker, browser), *answers in zip(pairs, between, thawed, later, latest, strict=True):
            _judge_freeze(site, point, browser, answers, report)
            worker.kill()
        report.freezes += size


def _judge_freeze(site: Site, point: Point, browser: Browser, answers: list[Answer], report: CrashReport) -> None:
    """By what the other worker answered meanwhile, the thawed one, the next request and the one after the next expiry."""
    row = site.row(browser)
    seen = (site.name, point.name, *(f"{each.end} {each.reason}" for each in answers), row.get("state"), row.get("reason"))
    _, thawed, *later = answers
    ends = {each.end for each in later}
    report.freeze_ends[f"{thawed.end} {thawed.reason}".strip()] += 1
    if thawed.end not in ("served", "unavailable", "rejected", "signed out"):
        report.wrong("freeze_wrong", *seen)
    if "unavailable" in ends:
        report.wrong("stuck", *seen)
    elif point.ends:
        if ends != {"rejected"} or "token" in row:
            report.wrong("undone_logouts", *seen)
    elif ends == {"served"}:
        if thawed.end == "rejected" and site.grace != 0:
            report.wrong("freeze_refused", *seen)
        site.give_back(browser)
    elif site.grace != 0:
        report.wrong("freeze_lost", *seen)


def _batches(times: int, most: int) -> list[int]:
    """Batch sizes that add up; at least two batches where there are two trials."""
    size = min(most, max(1, (times + 1) // 2))
    full, rest = divmod(times, size)
    return [size] * full + [rest] * (rest > 0)


@contextmanager
def _standing(site: Site, point: Point, size: int) -> Iterator[tuple[list[tuple[Worker, Browser]], Callable[[], object]]]:
    """Workers that stand at the point, each with the browser it works for, and what lets go of what they have under way."""
    browsers = site.take(size)
    site.expire()
    if point.fresh or point.ends:
        for browser in browsers:  # a valid cookie that nobody has presented yet
            site.ask(browser)
    site.stack.clear_calls()
    workers = [site.crew.worker() for _ in browsers]
    for worker, browser in zip(workers, browsers, strict=True):
        worker.begin(point.work, browser.cookie, stops=(point.stop,))
    for worker in workers:
        at = worker.stands()
        assert at == point.stop, f"a worker came to {at or worker.answers}, not to {point.stop}"
    held = site.stack.gate(point.held, times=size) if point.held else None
    with held or nullcontext():
        if held:
            for worker in workers:
                worker.go()
            held.wait_for(size)

        def release() -> None:
            if held:
                held.release()
                site.settled()

        yield list(zip(workers, browsers, strict=True)), release
