"""The journey of a session from sign-in to its end, over HTTP, each step checked against what it should cost.

Nothing sleeps: the clock of the stack and of the app is moved. What is measured is what the stack saw, so a step that
looks right and costs a call too many fails.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Final, TextIO

from cognito_session.local.demo.browser import Browser, Reply
from cognito_session.local.demo.world import ACCESS_TOKEN_SECONDS, PASSWORD, TABLE, USERNAME, World
from cognito_session.local.gateway import Gateway

__all__ = ["PARALLEL", "Journey", "UnexpectedError", "run"]

PARALLEL: Final = 50
_READS: Final = frozenset({"GetItem", "Query"})
_WRITES: Final = frozenset({"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"})


class UnexpectedError(Exception):
    """A step differs from what is expected; the message says how."""


def run(world: World, port: int, out: TextIO) -> int:
    """Go the whole way and print it; 0 when everything was as expected, 1 with the step that was not."""
    began = time.perf_counter()
    with Gateway(world.app(), port, clock=world.stack.clock) as gateway:
        print("cognito-session: one session, from sign-in to its end\n", file=out)
        print(f"  sample Lambda handler at {gateway.url}; rotation on, access tokens live {ACCESS_TOKEN_SECONDS} s\n", file=out)
        steps = Journey(world, Browser(gateway.port)).steps()
        for number, (title, step) in enumerate(steps, 1):
            if not _take(number, title, step, out):
                print(f"\nStep {number} of {len(steps)} ({title}) differs from what is expected.", file=out)
                return 1
    print(f"\nAll {len(steps)} steps as expected, in {time.perf_counter() - began:.1f} s.", file=out)
    return 0


def _take(number: int, title: str, step: Callable[[], str], out: TextIO) -> bool:
    began = time.perf_counter()
    try:
        measured, mark = step(), "✓"
    except (UnexpectedError, OSError) as error:
        measured, mark = str(error), "✗"
    spent = (time.perf_counter() - began) * 1000
    print(f"  {mark} {number:2}  {title:<24}{measured:<66}{spent:5.0f} ms", file=out, flush=True)
    return mark == "✓"


class Journey:
    """The steps; each returns what was measured, or raises UnexpectedError."""

    def __init__(self, world: World, browser: Browser) -> None:
        self._world = world
        self._browser = browser

    def steps(self) -> list[tuple[str, Callable[[], str]]]:
        """Title and step, in order."""
        return [
            ("open the page", self.open_the_page),
            ("wrong password", self.wrong_password),
            ("sign in", self.sign_in),
            ("first request", self.first_request),
            ("ordinary request", self.ordinary_request),
            ("time passes", self.time_passes),
            (f"{PARALLEL} requests at once", self.requests_at_once),
            ("new cookie", self.new_cookie),
            ("row removed", self.row_removed),
            ("same cookie again", self.denied),
        ]

    def open_the_page(self) -> str:
        """Without a cookie there is a form."""
        reply = self._browser.get("/")
        _expect(reply.status == HTTPStatus.OK and 'action="/sign-in"' in reply.body, "the sign-in form", reply)
        return "200, the sign-in form"

    def wrong_password(self) -> str:
        """A wrong password brings the form back, and no cookie."""
        reply = self._browser.post("/sign-in", username=USERNAME, password="not-this-one")  # noqa: S106 - the point
        _expect(reply.status == HTTPStatus.UNAUTHORIZED and reply.cookie is None, "401 and no cookie", reply)
        _expect('role="alert"' in reply.body, "a message on the page", reply)
        return "401, a message, no cookie"

    def sign_in(self) -> str:
        """The right one brings a cookie that scripts cannot read."""
        reply = self._browser.post("/sign-in", username=USERNAME, password=PASSWORD)
        _expect(reply.status == HTTPStatus.SEE_OTHER and reply.cookie is not None, "303 and a cookie", reply)
        wanted = {"HttpOnly", "Secure", "SameSite=Lax", "Path=/"}
        _expect(wanted <= set((reply.cookie_line or "").split("; ")), f"a cookie with {', '.join(sorted(wanted))}", reply)
        self._browser.keep(reply.cookie)
        return f"303, cookie of {len(reply.cookie or '')} bytes: HttpOnly, Secure, SameSite=Lax"

    def first_request(self) -> str:
        """Served; the row notes that the cookie has arrived."""
        return self._served(reads=1, writes=1)

    def ordinary_request(self) -> str:
        """From now on a request costs one read."""
        return self._served(reads=1, writes=0)

    def time_passes(self) -> str:
        """The clock of the stack and the app goes past the token's end."""
        self._world.stack.advance(ACCESS_TOKEN_SECONDS + 1)
        return f"{ACCESS_TOKEN_SECONDS + 1} s: the access token has expired"

    def requests_at_once(self) -> str:
        """All are served, with the same new cookie, for the price of one refresh."""
        old = self._browser.cookie
        self._world.stack.clear_calls()
        replies = self._all_at_once()
        served = sum(reply.status == HTTPStatus.OK and reply.json().get("username") == USERNAME for reply in replies)
        _expect(served == PARALLEL, f"{PARALLEL} requests served", f"{served}")
        refreshes = self._world.refresh_calls()
        _expect(refreshes == 1, "1 refresh call", f"{refreshes}")
        cookies = {reply.cookie for reply in replies}
        _expect(len(cookies) == 1 and not cookies & {old, None}, "one new cookie in all answers", f"{len(cookies)} kinds")
        self._browser.keep(cookies.pop())
        generations = {reply.json().get("generation") for reply in replies}
        _expect(generations == {2}, "generation 2", f"{generations}")
        return f"{served} served, {refreshes} refresh call to Cognito, cookie changed, generation 2"

    def new_cookie(self) -> str:
        """The new cookie serves at once; the row notes that it has arrived."""
        return self._served(reads=1, writes=1)

    def row_removed(self) -> str:
        """An operator deletes the session's row."""
        table = self._world.stack.dynamodb()
        rows = table.scan(TABLE)
        for row in rows:
            table.delete_item(TABLE, {"sub": row["sub"], "sid": row["sid"]})
        _expect(len(rows) == 1, "1 row in the table", f"{len(rows)}")
        return "1 row deleted from the table: the session is revoked"

    def denied(self) -> str:
        """The cookie's signature still holds, but it stands for nothing any more."""
        reply = self._browser.get("/status")
        reason = reply.json().get("reason")
        _expect(reply.status == HTTPStatus.UNAUTHORIZED and reason == "unknown_session", "401 unknown_session", reply)
        _expect(reply.cookie is None, "no cookie set", reply)
        return f"401, reason {reason}"

    def _served(self, *, reads: int, writes: int) -> str:
        """One request with the browser's cookie, and exactly these calls."""
        self._world.stack.clear_calls()
        reply = self._browser.get("/status")
        _expect(reply.status == HTTPStatus.OK and reply.json().get("username") == USERNAME, f"200 for {USERNAME}", reply)
        _expect(reply.cookie is None, "no new cookie", reply)
        calls = self._world.stack.calls()
        seen = tuple(sum(call.operation in kinds for call in calls) for kinds in (_READS, _WRITES))
        cognito = sum(call.service == "cognito" for call in calls)
        measured = f"{_count(seen[0], 'read')}, {_count(seen[1], 'write')}, {_count(cognito, 'call')} to Cognito"
        _expect((*seen, cognito) == (reads, writes, 0), f"{_count(reads, 'read')}, {_count(writes, 'write')}", measured)
        return f"200, {USERNAME}: {measured}"

    def _all_at_once(self) -> list[Reply]:
        together = threading.Barrier(PARALLEL)

        def request(_: int) -> Reply:
            together.wait(30)
            return self._browser.get("/status")

        with ThreadPoolExecutor(PARALLEL) as threads:
            return list(threads.map(request, range(PARALLEL)))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _expect(condition: bool, wanted: str, seen: Reply | str) -> None:
    if not condition:
        shown = seen if isinstance(seen, str) else f"{seen.status} {seen.json().get('reason', '')}".strip()
        raise UnexpectedError(f"expected {wanted}, saw {shown}")
