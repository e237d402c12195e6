"""What the tests of managed sessions share: rings of keys, managers with sealed cookies, rows as they are stored."""

from __future__ import annotations

import math
from typing import Any

from cognito_session.testing.clock import ManualClock
from support.sealing_keys import ring

__all__ = ["NAME", "Reports", "by_hand", "ring", "rows", "sealed", "session_rows", "value_of"]

NAME = "__Host-session"


def sealed(app, keys: str | None = None, **keywords: Any):
    """A manager with the sealed cookie under its usual name."""
    return app.manager(**{"cookie": "sealed", "cookie_name": None, "session_keys": keys or ring(1), **keywords})


def by_hand(app) -> ManualClock:
    """A clock that stands where the stack's is and moves only by hand, so that a second can be hit."""
    return ManualClock(float(math.ceil(app.stack.clock.now())))


def value_of(cookie: str) -> str:
    """The value in a Cookie header of one cookie."""
    return cookie.partition("=")[2]


def rows(app) -> list[dict[str, Any]]:
    """Every row of the app's table."""
    return app.stack.dynamodb().scan(app.table)


def session_rows(app, user=None) -> list[dict[str, Any]]:
    """The rows of sessions, of one user or of all; not what is known of the users themselves."""
    return [row for row in rows(app) if row.get("sid") != "#user" and (user is None or row["sub"] == user.sub)]


class Reports(list):
    """What `on_event` was told."""

    def __call__(self, report) -> None:
        self.append(report)

    def named(self, event: str) -> list[Any]:
        """The reports of one event."""
        return [report for report in self if report.event == event]
