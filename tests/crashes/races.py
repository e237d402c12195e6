"""A logout in a race with two workers that refresh the same session: whoever is first, the logout wins.

Three rounds of four are led step by step: before every step all three processes stand still, and one of them, drawn at
random, takes one step. In the fourth they just start together, a few milliseconds apart.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import Literal

from crashes.answer import Answer
from crashes.crew import Worker
from crashes.report import CrashReport, Progress
from crashes.site import Browser, Site

__all__ = ["race_logouts"]

Scope = Literal["token", "family"]

_EVERY_STEP = ("before",)
_MOST_STEPS = 400
_MOST_BEFORE = 8


def race_logouts(site: Site, rounds: int, report: CrashReport, progress: Progress) -> None:
    """Race so many times, each with a session of its own and always the same three processes.

    Both readings of what Cognito's RevokeToken does to the other tokens of a sign-in take turns.
    """
    workers = [site.crew.worker() for _ in range(3)]
    for number in range(rounds):
        scope: Scope = "family" if number // 4 % 2 else "token"
        site.stack.set_rules(revoke_scope=scope)
        browser = site.sign_in()
        site.expire()
        if number % 4 == 3:
            answers = _start_together(workers, browser.cookie)
        else:
            answers = _step_by_step(workers, browser.cookie, report)
        _judge(site, browser, answers, scope, report)
        report.races += 1
        progress(f"logout races, {site.name}", number + 1, rounds)
    site.stack.set_rules(revoke_scope="family")
    for worker in workers:
        worker.kill()


def _step_by_step(workers: list[Worker], cookie: str, report: CrashReport) -> list[Answer]:
    """Draw who takes the next step, and before the race how many steps the others take before the logout is written."""
    places: dict[Worker, str | None] = {}
    for worker, work in zip(workers, ("sign_out", "resolve", "resolve"), strict=True):
        worker.begin(work, cookie, stops=_EVERY_STEP)
        places[worker] = worker.stands()
    logging_out, first, second = workers
    others = _drawn(_MOST_BEFORE + 1)
    for _ in range(_MOST_STEPS):
        standing = [worker for worker, at in places.items() if at is not None]
        if not standing:
            return [worker.answers[0] for worker in workers]
        if places[logging_out] == "before logout" and others > 0 and len(standing) > 1:
            standing.remove(logging_out)
        worker = standing[_drawn(len(standing))]
        if places[worker] == "before logout":
            report.race_at.update(places[each] or "done" for each in (first, second))
        others -= worker is not logging_out
        worker.go(_EVERY_STEP)
        places[worker] = worker.stands()
    raise AssertionError("a race does not come to its end")


def _drawn(number: int) -> int:
    """One of 0 to number - 1."""
    return int.from_bytes(os.urandom(4), "big") % number


def _start_together(workers: list[Worker], cookie: str) -> list[Answer]:
    for place in _shuffled(3):
        workers[place].begin("resolve" if place else "sign_out", cookie)
        time.sleep(_drawn(12_000) / 1_000_000)
    return [worker.finish() for worker in workers]


def _shuffled(number: int) -> list[int]:
    return sorted(range(number), key=lambda _: _drawn(2**32))


def _judge(site: Site, browser: Browser, answers: list[Answer], scope: Scope, report: CrashReport) -> None:
    """Once the logout is acknowledged and all have ended, nothing is left with which the session could go on."""
    logout, first, second = answers
    report.race_ends[f"{first.end} {first.reason}".strip()] += 1
    seen = (site.name, *((each.end, each.reason) for each in answers))
    for answer in (first, second):
        if answer.end in ("broken", "misconfigured"):
            report.wrong("race_wrong", *seen)
    if logout.end != "signed out":
        report.wrong("unacknowledged", *seen)
        return
    row = site.row(browser)
    if "token" in row or row.get("state") != "ended":
        report.wrong("resurrections", *seen, "a row", row.get("state"), row.get("gen"))
    for cookie in {browser.cookie, first.cookie or browser.cookie, second.cookie or browser.cookie}:
        later = site.ask(replace(browser, cookie=cookie))
        if later.end != "rejected":
            report.wrong("resurrections", *seen, "a cookie", later.end, later.reason)
    received = {*first.tokens, *second.tokens}
    # A token that was rotated away is in nobody's hands; where tokens are revoked one by one it lives until its grace ends.
    spent = scope == "token" and received - {browser.refresh_token}
    for token in received if spent else received | {browser.refresh_token}:
        if site.usable(token):
            report.wrong("tokens_left", *seen, scope)
