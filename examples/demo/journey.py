"""The journey of a session from sign-in to its end over HTTP. Each step checks its result and its calls to AWS.

Nothing sleeps: the steps move the clock of the stack and of the app. The stack counts the calls, so a step with the right
result and one call too many fails.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Final, TypeVar
from urllib.parse import parse_qs, urlsplit

from httpx import Request

from examples.demo.browser import Browser, Reply
from examples.demo.call_counts import CallCounts
from examples.demo.deployment import ACCESS_TOKEN_SECONDS, ALICE, BOB, Deployment
from examples.demo.signed_in_routes import MAX_AGE_SECONDS

__all__ = ["COOKIE", "PARALLEL", "Journey", "UnexpectedError"]

T = TypeVar("T")

COOKIE: Final = "__Host-session"
PARALLEL: Final = 50
_FLAGS: Final = frozenset({"HttpOnly", "Secure", "SameSite=Lax", "Path=/"})


class UnexpectedError(Exception):
    """A step did not give the expected result; the message names both."""


class Journey:
    """The steps. Each returns its result as text, or raises UnexpectedError."""

    def __init__(self, deployment: Deployment, browser: Browser) -> None:
        self._deployment = deployment
        self._meter = deployment.meter
        self._browser = browser
        self._kept = ""
        self._other = Browser(browser.home, "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0) Version/18.0 Mobile Safari/604.1")

    def steps(self) -> list[tuple[str, Callable[[], str]]]:
        """Titles and steps, in order."""
        return [
            ("open the site", self.open_the_site),
            ("wrong password", self.wrong_password),
            ("sign in by form", self.sign_in),
            ("first request", self.first_request),
            ("ordinary request", self.ordinary_request),
            ("time passes", self.time_passes),
            (f"{PARALLEL} requests at once", self.requests_at_once),
            ("the new cookie", self.new_cookie),
            ("a second device", self.second_device),
            ("sign out that device", self.end_the_other),
            ("a page for editors", self.editors),
            ("the same page for bob", self.not_for_bob),
            ("step up", self.step_up),
            ("sign out", self.sign_out),
            ("the old cookie again", self.denied),
        ]

    def open_the_site(self) -> str:
        """A request without a cookie makes no call to AWS."""
        reply, cost = self._measured(lambda: self._browser.get("/"))
        _expect(reply.status == HTTPStatus.OK and 'href="/login"' in reply.body, "a link to sign in", reply)
        return _checked("200", cost, reads=0, writes=0)

    def wrong_password(self) -> str:
        """A wrong password returns the form and no session."""
        reply, cost = self._measured(lambda: _sign_in_form(self._browser, ALICE.username, "not-this-one"))
        _expect(reply.status == HTTPStatus.UNAUTHORIZED and reply.set_cookie(COOKIE) is None, "401 and no cookie", reply)
        _expect('role="alert"' in reply.body, "a message on the page", reply)
        return _checked("401, a message, no cookie", cost, reads=0, writes=0, cognito=1)

    def sign_in(self) -> str:
        """The right password sets a cookie that scripts cannot read."""
        reply, cost = self._measured(lambda: _sign_in_form(self._browser, ALICE.username, ALICE.password))
        line = reply.set_cookie(COOKIE)
        _expect(reply.status == HTTPStatus.SEE_OTHER and line is not None, "303 and a cookie", reply)
        _expect(set((line or "").split("; ")) >= _FLAGS, f"a cookie with {', '.join(sorted(_FLAGS))}", reply)
        return _checked("303, HttpOnly Secure Lax cookie", cost, reads=3, writes=1, cognito=1)

    def first_request(self) -> str:
        """The first request is served, and the row records that the cookie arrived."""
        return self._served(reads=1, writes=1)

    def ordinary_request(self) -> str:
        """Every later request costs one read."""
        return self._served(reads=1, writes=0)

    def time_passes(self) -> str:
        """The clock of the stack and the app moves past the token's expiry."""
        self._deployment.stack.advance(ACCESS_TOKEN_SECONDS + 1)
        return f"{ACCESS_TOKEN_SECONDS + 1} s: the access token has expired"

    def requests_at_once(self) -> str:
        """All requests are served with a new cookie of the same session, and Cognito gets one refresh call."""
        old = self._browser.cookie(COOKIE)
        replies, cost = self._measured(self._all_at_once)
        served = sum(reply.status == HTTPStatus.OK and reply.json().get("username") == ALICE.username for reply in replies)
        _expect(served == PARALLEL, f"{PARALLEL} requests served", f"{served}")
        _expect(cost.cognito == 1, "1 refresh call", f"{cost.cognito}")
        changed = sum(old is not None and old not in (reply.set_cookie(COOKIE) or old) for reply in replies)
        _expect(changed == PARALLEL, "a new cookie in every response", f"{changed}")
        generations = {reply.json().get("generation") for reply in replies}
        _expect(generations == {2}, "generation 2", f"{generations}")
        return f"{served} served, {cost.cognito} refresh call to Cognito, a new cookie for each, generation 2"

    def new_cookie(self) -> str:
        """The new cookie works at once, and the row records that it arrived."""
        return self._served(reads=1, writes=1)

    def second_device(self) -> str:
        """Another browser signs in by managed login, and the list shows two sessions."""
        back = _managed_login(self._other, "/login", ALICE.password)
        _expect(back.status == HTTPStatus.SEE_OTHER and back.set_cookie(COOKIE) is not None, "303 and a cookie", back)
        page = self._browser.get("/devices")
        _expect("You have 2 sessions" in page.body and "iPhone" in page.body, "two devices listed", page)
        return "signed in by managed login; 2 devices listed"

    def end_the_other(self) -> str:
        """The first device ends the session of the second one, whose next request is refused."""
        sid = self._browser.get("/devices").hidden_fields().get("sid", "")
        reply, cost = self._measured(lambda: self._browser.post("/devices/sign-out", sid=sid))
        _expect(reply.location == "/devices?done=one", "the session ended", reply)
        denied = self._other.fetch("/status")
        _expect(denied.status == HTTPStatus.UNAUTHORIZED, "401 for the other device", denied)
        return _checked(f"the other is 401, {denied.json().get('reason')}", cost, reads=2, writes=1, cognito=1)

    def editors(self) -> str:
        """Alice is in the group and sees the page."""
        reply, cost = self._measured(lambda: self._browser.get("/editors"))
        _expect(reply.status == HTTPStatus.OK and "Drafts" in reply.body, "200 and the drafts", reply)
        return _checked("200", cost, reads=1, writes=0)

    def not_for_bob(self) -> str:
        """Bob is not, and the page names the group."""
        bob = Browser(self._browser.home)
        _sign_in_form(bob, BOB.username, BOB.password)
        reply = bob.get("/editors")
        _expect(
            reply.status == HTTPStatus.FORBIDDEN and "<code>editors</code>" in reply.body, "403 that names the group", reply
        )
        return "403, the page names the group"

    def step_up(self) -> str:
        """An important action needs a recent sign-in, and works after one."""
        self._deployment.stack.advance(MAX_AGE_SECONDS)
        stale = self._browser.get("/transfer")
        _expect(
            stale.status == HTTPStatus.FORBIDDEN and "/step-up?return_to=" in stale.body,
            "403 and a sign-in link",
            stale,
        )
        back = _managed_login(self._browser, "/step-up?return_to=/transfer", ALICE.password)
        _expect(back.location == "/transfer", "back at the transfer", back)
        _expect(self._browser.get("/transfer").status == HTTPStatus.OK, "the form", back)
        sent = self._browser.post("/transfer", marbles="3", to="bob")
        _expect(sent.location == "/transfer?sent=3", "the marbles sent", sent)
        return "403, the password again, 3 marbles sent"

    def sign_out(self) -> str:
        """Sign-out ends the row, Cognito's refresh token, and the cookie of managed login."""
        self._kept = self._browser.cookie(COOKIE) or ""
        reply, cost = self._measured(lambda: self._browser.post("/sign-out"))
        _expect(urlsplit(reply.location).path == "/logout", "a redirect to Cognito's sign-out", reply)
        _expect(self._browser.cookie(COOKIE) is None, "the cookie deleted", reply)
        _expect(self._browser.get(reply.location).location.startswith(self._browser.home), "a redirect to the site", reply)
        return _checked("303, cookie deleted", cost, reads=1, writes=1, cognito=1)

    def denied(self) -> str:
        """The old cookie is still authentic, but its session has ended."""
        self._browser.keep(COOKIE, self._kept)
        reply, cost = self._measured(lambda: self._browser.fetch("/status"))
        reason = reply.json().get("reason")
        _expect(reply.status == HTTPStatus.UNAUTHORIZED and reason == "session_ended", "401 session_ended", reply)
        _expect(reply.set_cookie(COOKIE) is None, "no cookie set", reply)
        return _checked(f"401, {reason}", cost, reads=1, writes=0)

    def _served(self, *, reads: int, writes: int) -> str:
        """One page with the browser's cookie, and exactly these calls."""
        reply, cost = self._measured(lambda: self._browser.fetch("/status"))
        _expect(reply.json().get("username") == ALICE.username, f"200 for {ALICE.username}", reply)
        _expect(reply.set_cookie(COOKIE) is None, "no new cookie", reply)
        return _checked(f"200, {ALICE.username}", cost, reads=reads, writes=writes)

    def _measured(self, act: Callable[[], T]) -> tuple[T, CallCounts]:
        """What was answered, and what the stack saw meanwhile."""
        mark = self._meter.mark()
        answered = act()
        return answered, self._meter.since(mark)

    def _all_at_once(self) -> list[Reply]:
        together = threading.Barrier(PARALLEL)
        # All carry the expired session's cookie: a browser sends the new one as soon as the first response has come.
        prepared = [self._browser.prepare("/status") for _ in range(PARALLEL)]

        def send(request: Request) -> Reply:
            together.wait(30)
            return self._browser.send(request)

        with ThreadPoolExecutor(PARALLEL) as threads:
            return list(threads.map(send, prepared))


def _sign_in_form(browser: Browser, username: str, password: str) -> Reply:
    return browser.post("/sign-in", username=username, password=password)


def _managed_login(browser: Browser, path: str, password: str) -> Reply:
    """Signs in on Cognito's page; returns the response of the callback."""
    there = browser.get(path).location
    _expect(browser.get(there).status == HTTPStatus.OK, "Cognito's sign-in page", there)
    asked = {name: values[0] for name, values in parse_qs(urlsplit(there).query).items()}
    origin = there.partition("/oauth2/")[0]
    back = browser.post(f"{origin}/login", **asked, username=ALICE.username, password=password)
    _expect(back.location.startswith(browser.home), "a redirect to the site", back)
    return browser.get(back.location)


def _checked(what: str, cost: CallCounts, *, reads: int, writes: int, cognito: int = 0) -> str:
    wanted = CallCounts(reads, writes, cognito, cost.key_sets, ())
    _expect(cost[:3] == wanted[:3], str(wanted), str(cost))
    return f"{what}: {cost}"


def _expect(condition: bool, wanted: str, seen: Reply | str) -> None:
    if not condition:
        shown = seen if isinstance(seen, str) else f"{seen.status} {seen.json().get('reason', '')}".strip()
        raise UnexpectedError(f"expected {wanted}, saw {shown}")
