"""Site: an app on the stack, its visitors, a fault-free client, and a crew of workers.

The client lives in this process and on the stack's clock; where it would wait, it moves that clock instead. So it must not
be used while workers run free, whose leases would lapse.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from typing import Any, Self

from cognito_session import SessionManager, SessionPolicy
from cognito_session.core.protocol.record import SessionKey
from cognito_session.local.request_log import LoggedRequest
from cognito_session.local.stack import CallRefusedError, LocalStack
from crashes.answer import Answer, ask
from crashes.crew import Crew
from crashes.make import Make

__all__ = ["LIFE_SECONDS", "Browser", "Site"]

LIFE_SECONDS = 600
_PASSWORD = "Password1!"
_TRIES = 5
_SAFE_GRACE_SECONDS = 13
_WEEK_SECONDS = 7 * 86_400
_numbers = count(1)


@dataclass
class Browser:
    """A visitor: the cookie held at present, which session it is for, and the refresh token of the sign-in."""

    cookie: str
    sub: str
    sid: str
    refresh_token: str = field(repr=False)
    since: float

    def keep(self, answer: Answer) -> Answer:
        """Store the cookie that an answer sets."""
        self.cookie = answer.cookie or self.cookie
        return answer


class Site:
    """An app with a pool and a table of its own. `grace` None: refresh tokens do not rotate. `make`: how it is built."""

    def __init__(
        self,
        stack: LocalStack,
        grace: int | None,
        *,
        sort_key: str | None = None,
        client_secret: bool = False,
        make: Make | None = None,
    ) -> None:
        self.stack = stack
        self.grace = grace
        self.make = make or Make()
        self.name = ", ".join(["rotation off" if grace is None else f"grace {grace}", *self.make.words])
        self.pool = stack.create_pool(
            access_token_seconds=LIFE_SECONDS, rotation_grace_seconds=grace, client_secret=client_secret
        )
        self.sort_key = sort_key
        self.table = stack.create_table(f"crashes-{next(_numbers)}", sort_key=sort_key)
        self.client = self.manager()
        self._user: tuple[str, str] | None = None
        self._idle: list[Browser] = []

    @property
    def environment(self) -> dict[str, str]:
        """What an operator of this app sets."""
        keys = {"PARTITION_KEY": "sub", **({"SORT_KEY": self.sort_key} if self.sort_key else {})}
        return self.make.environment({**self.pool.environment(), "SESSION_TABLE": self.table, **keys})

    @property
    def policy(self) -> dict[str, Any]:
        """The settings of SessionPolicy."""
        lossy = self.grace is not None and self.grace < _SAFE_GRACE_SECONDS
        limits = {"idle_seconds": None, "absolute_seconds": None}  # the clock is moved by days and weeks
        return {"rotation_grace_seconds": self.grace, "allow_lossy_rotation": lossy, **limits}

    def manager(self, **environment: str) -> SessionManager:
        """A manager in this process that moves the clock where it would wait; `environment` is laid over the app's."""
        made = SessionManager.from_env(
            environ={**self.environment, **environment},
            cookie=self.make.cookie,
            cookie_name="token",
            clock=self.stack.clock,
            policy=SessionPolicy(**self.policy),
        )
        made.ports = made.ports._replace(sleep=self.stack.advance)
        return made

    @cached_property
    def crew(self) -> Crew:
        """The workers of this app, begun when first wanted."""
        (browser,) = self.take(1)
        self.give_back(browser)
        return Crew(self.environment, self.stack.clock_path, self.policy, browser.cookie, self.make)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if "crew" in self.__dict__:
            self.crew.close()

    # --- visitors

    def sign_in(self) -> Browser:
        """A new session. Where a user has one row, of a new user."""
        if self._user is None or self.sort_key is None:
            name = f"user-{next(_numbers)}"
            self._user = name, self.stack.create_user(self.pool, name, _PASSWORD).sub
        tokens = self.stack.sign_in(self.pool, self._user[0], _PASSWORD)
        me = self.client.establish(tokens)
        return Browser(me.set_cookies[0].partition(";")[0], me.sub, me.sid, tokens["RefreshToken"], self.stack.clock.now())

    def take(self, number: int) -> list[Browser]:
        """So many visitors with a live session, those that were given back first."""
        now = self.stack.clock.now()
        young = [browser for browser in self._idle if now - browser.since < _WEEK_SECONDS]
        taken, self._idle = young[:number], young[number:]
        return taken + [self.sign_in() for _ in range(number - len(taken))]

    def give_back(self, browser: Browser) -> None:
        """This visitor's session is alive and may be used again."""
        self._idle.append(browser)

    def expire(self) -> None:
        """Let every access token issued so far run out."""
        self.stack.advance(LIFE_SECONDS + 1)

    # --- the client

    def ask(self, browser: Browser, manager: SessionManager | None = None) -> Answer:
        """One request; the browser keeps the cookie that it is given."""
        return browser.keep(ask((manager or self.client).resolve, browser.cookie))

    def heal(self, browser: Browser) -> Answer:
        """As ask, repeated after a 503 as Retry-After says, five tries in all: "unavailable" in the end means stuck."""
        answer = self.ask(browser)
        for _ in range(_TRIES - 1):
            if answer.end != "unavailable":
                break
            self.stack.advance(3)
            answer = self.ask(browser)
        return answer

    def live_on(self, browsers: list[Browser]) -> list[Answer]:
        """What each gets when its token has expired once more: a session whose refresh token is dead shows only then."""
        self.expire()
        return [self.heal(browser) for browser in browsers]

    def sign_out(self, browser: Browser) -> Answer:
        """Sign the visitor out."""
        return ask(self.client.sign_out, browser.cookie)

    # --- what is left behind

    def row(self, browser: Browser) -> dict[str, Any]:
        """The session's row, {} where there is none."""
        if self.make.file is not None:
            return self.client.ports.store.load(SessionKey(browser.sub, browser.sid)) or {}
        key = {"sub": browser.sub} | ({self.sort_key: browser.sid} if self.sort_key else {})
        return self.stack.dynamodb().get_item(self.table, key) or {}

    def usable(self, refresh_token: str) -> bool:
        """Whether Cognito still takes this refresh token; it is spent by asking."""
        with suppress(CallRefusedError):
            return bool(self.stack.refresh(self.pool, refresh_token))
        return False

    def settled(self, seconds: float = 10.0) -> list[LoggedRequest]:
        """Every call, once all have come to their end; the log is then empty."""
        end = time.monotonic() + seconds
        while True:
            calls = self.stack.calls()
            if all(call.finished for call in calls):
                self.stack.clear_calls()
                return calls
            assert time.monotonic() < end, "a request does not come to its end"
            time.sleep(0.002)
