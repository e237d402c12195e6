"""Many workers at every expiry of one session: one refresh call, everybody served, nobody refused.

Each worker is a thread of a real process and follows the newest cookie that it was given, as a browser's tab would.
"""

from __future__ import annotations

from contextlib import ExitStack

from cognito_session.local.request_log import LoggedRequest
from crashes.points import GET_TOKENS
from crashes.report import CrashReport, Progress
from crashes.site import Site

__all__ = ["expire_under"]


def expire_under(site: Site, report: CrashReport, progress: Progress, *, expiries: int, processes: int, threads: int) -> None:
    """Let one session's token run out so many times while all workers ask at once.

    Between two expiries one of them asks again, as browsers do: that is the request that marks the new cookie as seen.
    """
    browser = site.sign_in()
    with ExitStack() as ends:
        workers = [site.crew.worker() for _ in range(processes)]
        for worker in workers:
            ends.callback(worker.kill)
        cookies = [[browser.cookie] * threads for _ in workers]
        for number in range(expiries):
            site.expire()
            site.stack.clear_calls()
            for worker, kept in zip(workers, cookies, strict=True):
                worker.begin("resolve", *kept)
            for place, worker in enumerate(workers):
                assert worker.stands() is None
                for thread, answer in enumerate(worker.answers):
                    cookies[place][thread] = answer.cookie or cookies[place][thread]
                    if answer.end == "rejected":
                        report.wrong("crowd_refused", answer.reason)
                    elif not answer.served:
                        report.wrong("crowd_unserved", answer.end, answer.reason)
            _count(site.settled(), report)
            browser.cookie = cookies[number % processes][number % threads]
            if not site.ask(browser).served:
                report.wrong("crowd_refused", "the request after an expiry")
            report.expiries += 1
            report.crowd_requests += processes * threads
            progress(f"expiries under {processes * threads} workers", number + 1, expiries)
    report.crowd = processes * threads
    report.refresh_calls_per_expiry = report.refresh_calls / report.expiries


def _count(calls: list[LoggedRequest], report: CrashReport) -> None:
    refreshes = [call for call in calls if call.operation == GET_TOKENS]
    report.refresh_calls += len(refreshes)
    for call in refreshes:
        if call.status != 200:
            report.wrong("refreshes_refused", call.error)
