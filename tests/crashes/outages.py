"""Cognito and DynamoDB in trouble at each call of a request, and a wrong client secret: nobody is signed out by it."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple, get_args

from cognito_session.local.faults import ERRORS, FaultKind
from crashes.answer import Answer
from crashes.points import GET_TOKENS
from crashes.report import CrashReport, Progress
from crashes.site import LIFE_SECONDS, Browser, Site

__all__ = ["KINDS", "TROUBLED", "deploy_wrong_secret", "trouble"]

_MIXED = 50
_HANG_MS = 20


class Troubled(NamedTuple):
    """One call of a request: the operation, and how many calls of that operation come before it."""

    name: str
    operation: str
    skip: int = 0
    work: str = "resolve"
    fresh: bool = False


TROUBLED = (
    Troubled("load", "GetItem"),
    Troubled("acquire", "UpdateItem"),
    Troubled("refresh", GET_TOKENS),
    Troubled("commit", "UpdateItem", skip=1),
    Troubled("seen", "UpdateItem", fresh=True),
    Troubled("logout", "UpdateItem", work="sign_out"),
    Troubled("revoke", "RevokeToken", work="sign_out"),
)
# `error` answers with a code that a test names; what each code means is tried in tests/aws/test_codes.py.
KINDS: tuple[FaultKind, ...] = tuple(kind for kind in get_args(FaultKind) if kind != "latency" and kind not in ERRORS)


def trouble(site: Site, report: CrashReport, progress: Progress, *, hangs: bool) -> None:
    """Each kind of trouble at each call, once and for as long as the request lasts.

    `hangs`: what hangs once does so until the library's own limit of time; otherwise, and where every call hangs, the
    connection is closed after a moment.
    """
    cases = list(product(TROUBLED, KINDS, (1, None)))
    for number, (call, kind, times) in enumerate(cases):
        (browser,) = site.take(1)
        site.expire()
        if call.fresh or call.work == "sign_out":
            site.heal(browser)
        before = browser.cookie
        site.stack.clear_calls()
        site.stack.fault(call.operation, kind, times=times, skip=call.skip, ms=0 if hangs and times else _HANG_MS)
        answer = site.sign_out(browser) if call.work == "sign_out" else site.ask(browser)
        site.stack.clear_faults()
        site.stack.advance(9)  # past any lease and the first pause after a refusal
        seen = (site.name, call.name, kind, "once" if times else "throughout", answer.end, answer.reason)
        report.faults += 1
        if not any(made.fault for made in site.stack.calls()):
            report.wrong("faults_missed", *seen)
        report.fault_ends[f"{call.name}: {answer.end} {answer.reason}".strip()] += 1
        if answer.end not in ("served", "signed out", "unavailable"):
            report.wrong("fault_wrong", *seen)
        if answer.end != "served" and (answer.cookie is not None or browser.cookie != before):
            report.wrong("fault_cookies", *seen)
        _judge(site, call, browser, seen, report)
        progress(f"faults, {site.name}", number + 1, len(cases))


def _judge(site: Site, call: Troubled, browser: Browser, seen: tuple[str, ...], report: CrashReport) -> None:
    """The very next request heals, or the next logout logs out."""
    if call.work == "resolve":
        later = site.ask(browser)
        if later.served and site.live_on([browser])[0].served:
            site.give_back(browser)
        else:
            report.wrong("fault_unhealed", *seen, "later", later.end, later.reason)
        return
    if seen[-2] != "signed out":
        site.sign_out(browser)
    later = site.ask(browser)
    if later[:2] != ("rejected", "session_ended") or "token" in site.row(browser):
        report.wrong("fault_unhealed", *seen, "later", later.end, later.reason)


def deploy_wrong_secret(site: Site, sessions: int, report: CrashReport, progress: Progress) -> None:
    """Sessions meet a worker whose client secret is wrong: while valid, shortly before expiry, expired, and asking again.

    Then the right secret is back, and all are served.
    """
    wrong = site.manager(CLIENT_SECRET="0" * 51)
    for done in range(0, sessions, _MIXED):
        browsers = site.take(min(_MIXED, sessions - done))
        for wait, ends in (
            (0, ("served",)),
            (LIFE_SECONDS - 20, ("served",)),
            (30, ("misconfigured",)),
            (0, ("misconfigured", "unavailable")),
        ):
            site.stack.advance(wait)
            for browser in browsers:
                answer = site.ask(browser, wrong)
                if answer.end not in ends or answer.cookie:
                    report.wrong("bad_secret_wrong", answer.end, answer.reason, "expected", *ends)
        site.stack.advance(60)
        for browser in browsers:
            _judge_secret(site, browser, site.ask(browser), report)
        report.bad_secret_sessions += len(browsers)
        progress(f"wrong client secret, {site.name}", report.bad_secret_sessions, sessions)


def _judge_secret(site: Site, browser: Browser, answer: Answer, report: CrashReport) -> None:
    if answer.end == "rejected" or site.row(browser).get("state") != "active":
        report.wrong("ended_by_bad_secret", answer.end, answer.reason)
    if not answer.served:
        report.wrong("bad_secret_unhealed", answer.end, answer.reason)
