"""Idle and absolute ends, to the second, checked by us and never left to the table's TTL."""

from __future__ import annotations

import re

import pytest

from cognito_session import Active, Refreshed, Rejected, SessionPolicy
from managed.scene import by_hand, sealed, session_rows
from support.stack import cookie_of, done

READ, WRITE = "GetItem", "UpdateItem"
both = pytest.mark.parametrize("kind", ["sealed", "token"])


def begun(app, kind="sealed", **settings):
    """A clock moved by hand, a manager with this policy on it, and a cookie that has been seen."""
    clock = by_hand(app)
    keywords = {"policy": SessionPolicy(**settings), "clock": clock}
    manager = sealed(app, **keywords) if kind == "sealed" else app.manager(**keywords)
    cookie = cookie_of(manager.establish(app.sign_in(app.user())))
    assert isinstance(manager.resolve(cookie), Active)
    app.stack.clear_calls()
    return clock, manager, cookie


def passing(app, clock, seconds):
    """Time passes for the manager and for Cognito."""
    clock.advance(seconds)
    app.stack.advance(seconds)


def max_age(me):
    """The Max-Age of the session's Set-Cookie."""
    return int(re.search(r"Max-Age=(\d+)", me.set_cookies[0])[1])


@both
def test_the_idle_end(app, kind):
    """One second before it: served. At it and one second after: rejected, unwritten, with the row still in the table."""
    clock, manager, cookie = begun(app, kind, idle_seconds=300)
    clock.advance(299)
    assert isinstance(manager.resolve(cookie, extend=False), Active)
    done(app.stack)
    for _ in range(2):
        clock.advance(1)
        assert manager.resolve(cookie) == Rejected("idle_timeout")
        assert done(app.stack) == [READ]
    assert session_rows(app)[0]["state"] == "active"


@both
def test_the_absolute_end(app, kind):
    """The same at the absolute end, however busy the session is."""
    clock, manager, cookie = begun(app, kind, idle_seconds=100, absolute_seconds=300)
    for _ in range(5):
        clock.advance(50)
        assert isinstance(manager.resolve(cookie), Active)
    clock.advance(49)
    assert isinstance(manager.resolve(cookie), Active)
    for _ in range(2):
        clock.advance(1)
        assert manager.resolve(cookie).reason in {"absolute_timeout", "idle_timeout"}
    assert session_rows(app)[0]["state"] == "active"


@both
def test_the_absolute_end_alone(app, kind):
    """Without an idle end there is the absolute one, and nothing slides."""
    clock, manager, cookie = begun(app, kind, idle_seconds=None, absolute_seconds=300)
    clock.advance(299)
    assert isinstance(manager.resolve(cookie), Active)
    assert done(app.stack) == [READ]
    for _ in range(2):
        clock.advance(1)
        assert manager.resolve(cookie) == Rejected("absolute_timeout")


def test_an_ended_session_is_not_refreshed(app):
    """Past its end with an expired token too: one read and no call to Cognito."""
    clock, manager, cookie = begun(app, idle_seconds=None, absolute_seconds=900)
    passing(app, clock, 900)
    assert manager.resolve(cookie) == Rejected("absolute_timeout")
    assert done(app.stack) == [READ]


def test_use_slides_the_idle_end(app):
    """Used again and again a session outlives its idle span many times over; left alone it ends one span after its last use."""
    clock, manager, cookie = begun(app, idle_seconds=60)
    for _ in range(9):
        clock.advance(59)
        assert isinstance(manager.resolve(cookie), Active)
    clock.advance(60)
    assert manager.resolve(cookie) == Rejected("idle_timeout")


def test_sliding_writes_once_in_a_tenth_of_the_span(app):
    """A request each second for 100 s of a span of 200 s: one read each, and five writes, 20 s apart."""
    clock, manager, cookie = begun(app, idle_seconds=200)
    written = []
    for second in range(1, 101):
        clock.advance(1)
        assert isinstance(manager.resolve(cookie), Active)
        spent = done(app.stack)
        assert spent in ([READ], [READ, WRITE])
        if WRITE in spent:
            written.append(second)
    assert written == [20, 40, 60, 80, 100]


def test_a_poll_does_not_extend(app):
    """With extend=False nothing is ever written, and the session ends as if nobody had asked."""
    clock, manager, cookie = begun(app, idle_seconds=200)
    for _ in range(19):
        clock.advance(10)
        assert isinstance(manager.resolve(cookie, extend=False), Active)
        assert done(app.stack) == [READ]
    clock.advance(10)
    assert manager.resolve(cookie, extend=False) == Rejected("idle_timeout")


@both
def test_a_poll_that_refreshes_does_not_extend(app, kind):
    """Also where a poll brings the session a new token, the idle end stays where it was; an ordinary refresh moves it."""
    clock, manager, cookie = begun(app, kind, idle_seconds=2000)
    ends = [session_rows(app)[0]["idle_exp"]]
    for extend in (False, True):
        passing(app, clock, 620)
        outcome = manager.resolve(cookie, extend=extend)
        assert isinstance(outcome, Refreshed)
        cookie = cookie_of(outcome.session)
        ends.append(session_rows(app)[0]["idle_exp"])
    assert ends == [ends[0], ends[0], clock.now() + 2000]


def test_sliding_stops_at_the_absolute_end(app):
    """The idle end never slides beyond the absolute one, and where it stands there nothing is written any more."""
    clock, manager, cookie = begun(app, idle_seconds=200, absolute_seconds=300)
    clock.advance(150)
    assert isinstance(manager.resolve(cookie), Active)
    assert done(app.stack) == [READ, WRITE]
    clock.advance(149)
    assert isinstance(manager.resolve(cookie), Active)
    assert done(app.stack) == [READ]
    (row,) = session_rows(app)
    assert row["idle_exp"] == row["abs_exp"]


@both
def test_a_refresh_never_extends_the_absolute_end(app, kind):
    """Refreshed many times, the session ends when it was going to, and each cookie is to live exactly until then."""
    clock, manager, cookie = begun(app, kind, idle_seconds=None, absolute_seconds=2000)
    (row,) = session_rows(app)
    end = row["abs_exp"]
    assert end == clock.now() + 2000
    for _ in range(3):
        passing(app, clock, 620)
        outcome = manager.resolve(cookie)
        assert isinstance(outcome, Refreshed)
        assert max_age(outcome.session) == outcome.session.session_expires_at - clock.now() == end - clock.now()
        cookie = cookie_of(outcome.session)
    (row,) = session_rows(app)
    assert (row["abs_exp"], row["ttl"]) == (end, end)
    passing(app, clock, end - clock.now() - 1)
    assert isinstance(manager.resolve(cookie), Active)
    passing(app, clock, 1)
    assert manager.resolve(cookie) == Rejected("absolute_timeout")


def test_max_age_of_a_new_session(alone):
    """A new cookie lives until the absolute end, or the refresh token's, whichever comes first."""
    for settings, seconds in (
        ({}, 7 * 86_400),
        ({"absolute_seconds": 3600}, 3600),
        ({"absolute_seconds": None}, 30 * 86_400),
        ({"absolute_seconds": 60 * 86_400, "refresh_token_days": 10}, 10 * 86_400),
    ):
        manager = sealed(alone, policy=SessionPolicy(**settings), clock=by_hand(alone))
        assert max_age(manager.establish(alone.sign_in(alone.user()))) == seconds
