"""One embedded stack for the whole run, and an app on it: a user pool, a table of its own, users who sign in.

`shared_stack` starts the stack when a test first wants one and stops it when the run ends. Pools are shared by their
settings, because a signing key takes a moment to make; tables and users are made anew, so that no test meets another.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from cognito_session.core.protocol.record import USER_SID
from cognito_session.local.request_log import LoggedRequest
from cognito_session.local.stack import LocalStack, Pool, User
from cognito_session.manager import AsyncSessionManager, SessionManager

__all__ = [
    "COOKIE",
    "PASSWORD",
    "App",
    "Program",
    "closed_port",
    "cookie_of",
    "done",
    "event_v1",
    "event_v2",
    "eventually",
    "fresh",
    "in_thread",
    "joined",
    "make_app",
    "make_pool",
    "programs",
    "shared_stack",
]

PASSWORD = "Password1!"
COOKIE = "token"
LIFE_SECONDS = 600
_STACK: pytest.StashKey[LocalStack] = pytest.StashKey()
_pools: dict[Any, Pool] = {}
_numbers = count(1)


def shared_stack(config: pytest.Config) -> LocalStack:
    """The run's stack; started by the first who asks."""
    if _STACK not in config.stash:
        config.stash[_STACK] = stack = LocalStack.start()
        config.add_cleanup(stack.stop)
    return config.stash[_STACK]


def fresh(stack: LocalStack) -> Iterator[LocalStack]:
    """The stack for one test: nothing called yet, and no trouble or rule left behind. The body of a fixture."""
    stack.clear_calls()
    yield stack
    stack.clear_faults()
    stack.set_rules(semantics="A", reuse_kills_family=False, revoke_scope="family", origin_jti_changes=False, words={})


@dataclass(frozen=True)
class App:
    """A pool with one app client, and a table of its own."""

    stack: LocalStack
    pool: Pool
    table: str
    partition_key: str = "sub"
    sort_key: str | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What an operator of this app sets."""
        keys = {"PARTITION_KEY": self.partition_key, **({"SORT_KEY": self.sort_key} if self.sort_key else {})}
        return {**self.pool.environment(), "SESSION_TABLE": self.table, **keys}

    def manager(self, **keywords: Any) -> SessionManager:
        """A SessionManager with a token cookie that lives by the stack's clock."""
        return SessionManager.from_env(**self._keywords(keywords))

    def async_manager(self, **keywords: Any) -> AsyncSessionManager:
        """The asynchronous one."""
        return AsyncSessionManager.from_env(**self._keywords(keywords))

    def _keywords(self, keywords: dict[str, Any]) -> dict[str, Any]:
        common = {"environ": self.environment, "cookie": "token", "cookie_name": COOKIE, "clock": self.stack.clock}
        return {**common, **keywords}

    def user(self, **settings: Any) -> User:
        """A new user."""
        return self.stack.create_user(self.pool, f"user-{next(_numbers)}", PASSWORD, **settings)

    def sign_in(self, user: User) -> dict[str, Any]:
        """Cognito's AuthenticationResult of a sign-in."""
        return self.stack.sign_in(self.pool, user.username, PASSWORD)

    def seed_row(self, user: User, tokens: dict[str, Any]) -> dict[str, Any]:
        """What the seed's sign-in code writes: three attributes, over whatever was there."""
        row = {self.partition_key: user.sub, "token": tokens["RefreshToken"], "timestamp": int(self.stack.clock.now())}
        self.stack.dynamodb().put_item(self.table, row)
        return row

    def foreign_update(self, user: User, tokens: dict[str, Any]) -> None:
        """Other sign-in code: it only sets `token`."""
        self.stack.dynamodb().call(
            "UpdateItem",
            TableName=self.table,
            Key={self.partition_key: {"S": user.sub}},
            UpdateExpression="SET #t = :t",
            ExpressionAttributeNames={"#t": "token"},
            ExpressionAttributeValues={":t": {"S": tokens["RefreshToken"]}},
        )

    def row(self, user: User) -> dict[str, Any] | None:
        """The row of the user's session, whatever its sort key; not the one of what is known of the user."""
        rows = [row for row in self.stack.dynamodb().scan(self.table) if row[self.partition_key] == user.sub]
        rows = [row for row in rows if row.get(self.sort_key or "") != USER_SID]
        assert len(rows) < 2
        return rows[0] if rows else None

    def expire(self) -> None:
        """Let every access token issued so far run out."""
        self.stack.advance(LIFE_SECONDS + 1)


def make_pool(stack: LocalStack, **settings: Any) -> Pool:
    """A pool with these settings of `create_pool`, made once; its access tokens live LIFE_SECONDS unless they say else."""
    key = (stack.url, *sorted(settings.items()))
    if key not in _pools:
        _pools[key] = stack.create_pool(**{"access_token_seconds": LIFE_SECONDS, **settings})
    return _pools[key]


def make_app(stack: LocalStack, *, partition_key: str = "sub", sort_key: str | None = None, **settings: Any) -> App:
    """An app with a table of its own, on a pool that others may use too."""
    pool = make_pool(stack, **settings)
    table = stack.create_table(f"sessions-{next(_numbers)}", partition_key=partition_key, sort_key=sort_key)
    return App(stack, pool, table, partition_key, sort_key)


def done(stack: LocalStack, *, keys: bool = False) -> list[str]:
    """The operations that succeeded since the log was last cleared, in order of arrival, and clear it.

    Key fetches are left out unless `keys`.
    """
    calls = stack.calls()
    stack.clear_calls()
    return [call.operation for call in calls if _succeeded(call) and (keys or call.service != "jwks")]


def _succeeded(call: LoggedRequest) -> bool:
    return call.status == 200


def cookie_of(me: Any) -> str:
    """The Cookie header of a browser that has stored what the session's Set-Cookie says."""
    (line,) = me.set_cookies
    return str(line).partition(";")[0]


def event_v1(*cookies: str) -> dict[str, Any]:
    """An API Gateway REST event with these Cookie headers."""
    return {
        "resource": "/",
        "path": "/",
        "httpMethod": "GET",
        "headers": {"Host": "app.example", **({"Cookie": cookies[-1]} if cookies else {})},
        "multiValueHeaders": {"Host": ["app.example"], **({"Cookie": list(cookies)} if cookies else {})},
        "requestContext": {"stage": "prod", "httpMethod": "GET"},
    }


def event_v2(*cookies: str) -> dict[str, Any]:
    """An API Gateway HTTP API event, where every cookie is an element of its own."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/",
        "headers": {"host": "app.example"},
        "cookies": [pair.strip() for header in cookies for pair in header.split(";")],
        "requestContext": {"http": {"method": "GET", "path": "/"}},
        "isBase64Encoded": False,
    }


def closed_port() -> int:
    """A loopback port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    """What the condition gives as soon as it is true, or when the time is over."""
    deadline = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return found


@dataclass
class Pending:
    """A call that runs in a thread."""

    thread: threading.Thread
    outcome: list[Any]

    def result(self, seconds: float = 20.0) -> Any:
        """What it returned; raises what it raised, and AssertionError where it is not done in time."""
        self.thread.join(seconds)
        assert not self.thread.is_alive(), "the call hangs"
        (value,) = self.outcome
        if isinstance(value, BaseException):
            raise value
        return value


def in_thread(work: Callable[..., Any], *arguments: Any, **keywords: Any) -> Pending:
    """Begin a call in a thread of its own."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append(work(*arguments, **keywords))
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return Pending(thread, outcome)


def joined(calls: list[Pending]) -> list[Any]:
    """What each call returned or raised."""
    found: list[Any] = []
    for call in calls:
        try:
            found.append(call.result())
        except Exception as error:
            found.append(error)
    return found


class Program:
    """A Python program in a process of its own that says lines and is told lines."""

    def __init__(self, script: str, *arguments: str, environment: dict[str, str] | None = None, seconds: float = 40.0) -> None:
        paths = os.pathsep.join(path for path in sys.path if path)
        plain = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", f"import signal; signal.alarm({int(seconds)})\n{script}", *arguments],
            env={**plain, **(environment or {}), "PYTHONPATH": paths},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._seconds = seconds

    def tell(self, line: str) -> None:
        """Write it one line."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def hear(self) -> str:
        """Its next line; a program that hangs is ended by its own alarm."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def finish(self) -> str:
        """What else it says until it ends. Raises AssertionError with its last words where it fails."""
        try:
            said, errors = self._process.communicate(timeout=self._seconds + 5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            said, errors = self._process.communicate()
        assert self._process.returncode == 0, f"exit {self._process.returncode}: {errors[-2000:]}"
        return said.strip()

    def end(self) -> None:
        """End it, whatever it is doing."""
        self._process.kill()
        self._process.communicate()


@contextmanager
def programs(many: list[Program]) -> Iterator[list[Program]]:
    """Programs of which none outlives the block."""
    try:
        yield many
    finally:
        for program in many:
            program.end()
