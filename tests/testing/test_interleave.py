"""Interleaved runs: every order of two requests runs once, each from the same state, and races show."""

from __future__ import annotations

import threading
from itertools import pairwise

import pytest

from cognito_session import Active, SessionConflict
from cognito_session.core.protocol.conditions import Change
from cognito_session.testing import scheduler


def served(sessions, header):
    return isinstance(sessions.resolve(header), Active)


@pytest.fixture
def header(cognito, sessions):
    """The cookie of a session of an attached manager after one request; the call log is empty."""
    cognito.attach(sessions)
    header = cognito.sign_in("alice", groups=["staff"]).cookie_header
    assert served(sessions, header)
    cognito.calls.clear()
    return header


def test_every_order_once(cognito, sessions, header):
    """Two requests with one call each have two turns each, and so six orders."""
    works = (lambda: served(sessions, header),) * 2
    runs = list(cognito.interleavings(*works, switches=None))
    assert sorted(run.order for run in runs) == ["1122", "1212", "1221", "2112", "2121", "2211"]
    assert all(run.first is run.second is True for run in runs)


def test_the_simplest_orders_come_first_and_a_limit_holds(cognito, sessions, header):
    """Orders without interruption come first, then one, then two; never more than the limit."""

    def thrice():
        return [served(sessions, header) for _ in range(3)]

    orders = [run.order for run in cognito.interleavings(thrice, thrice)]
    interrupted = [sum(a != b for a, b in pairwise(order)) for order in orders]
    assert orders[:2] == ["11112222", "22221111"]
    assert interrupted == sorted(interrupted)
    assert (max(interrupted), len(orders)) == (3, len(set(orders)))
    assert [run.order for run in cognito.interleavings(thrice, thrice, limit=4)] == orders[:4]


def test_an_expiry_met_by_two_requests(cognito, handler):
    """Rotation without grace, the hardest setting: in every order there is one refresh, and both requests are served."""
    cognito.rotation(grace_seconds=0)
    event = cognito.event("http-v2", groups=["staff"])
    handler(event, cognito.context)
    cognito.expire()
    cognito.calls.clear()
    played = 0
    for run in cognito.interleavings(lambda: handler(event, cognito.context), lambda: handler(event, cognito.context)):
        assert run.first["statusCode"] == run.second["statusCode"] == 200, run
        assert cognito.calls.cognito == 1, run
        played += 1
    assert played > 10


def test_a_sign_out_meets_a_refresh(cognito, sessions, header):
    """In every order the session has ended after both, and none of its refresh tokens works."""
    cognito.rotation(grace_seconds=60)
    cognito.expire()
    outcomes = set()
    for run in cognito.interleavings(lambda: served(sessions, header), lambda: sessions.sign_out(header)):
        assert len(run.second) == 1, run
        outcomes.add(run.first)
        assert sessions.resolve(header).reason == "session_ended", run
        (pool,) = cognito._state.pools.values()
        assert all(pool.refresh(token).code == "NotAuthorizedException" for token in [*pool.state.tokens]), run
    assert outcomes == {True, False}


def test_a_store_without_conditions_is_found_out(cognito, sessions, header, monkeypatch):
    """With unconditional writes, two requests both refresh and one is refused: the orders show it."""
    monkeypatch.setattr(Change, "allowed_on", lambda *_: True)
    cognito.rotation(grace_seconds=0)
    cognito.expire()
    works = (lambda: served(sessions, header),) * 2
    assert any(cognito.calls.cognito > 1 for _ in cognito.interleavings(*works))


def test_a_race_in_the_application(cognito, sessions, header):
    """A handler that reads, calls and then books sells one seat twice: an order shows it, and shows it again."""
    booked: list[str] = []

    def book():
        free = not booked
        me = sessions.resolve(header).session
        if free:
            booked.append(me.username)
        return free

    runs = list(cognito.interleavings(book, book, before=booked.clear))
    failing = [run for run in runs if run.first and run.second]
    assert 0 < len(failing) < len(runs)
    again = cognito.interleave(book, book, order=failing[0].order)
    assert (again.first, again.second, booked) == (True, True, ["alice", "alice"])
    assert again.steps == failing[0].steps


def test_data_saved_by_two_requests(cognito, sessions, header):
    """Optimistic versions hold in every order: both save, or one gets a conflict and nothing of it is stored."""
    told = set()

    def save(name):
        me = sessions.resolve(header).session
        try:
            sessions.save_data(me, {**me.data, name: 1})
        except SessionConflict:
            return False
        return True

    for run in cognito.interleavings(lambda: save("a"), lambda: save("b")):
        stored = sessions.resolve(header).session.data
        assert set(stored) == {name for name, saved in (("a", run.first), ("b", run.second)) if saved}, run
        told.add((run.first, run.second))
    assert told == {(True, True), (True, False), (False, True)}


def test_each_run_begins_anew(cognito, sessions, header):
    """Clock, rows, tokens, calls, faults, browsers and reports are in their initial state."""
    cognito.rotation(grace_seconds=0)
    cognito.expire()
    cognito.lose_answer("cognito")
    began, seen = cognito.clock.now(), []

    def look():
        counts = len(cognito.calls), len(cognito.reports), cognito.context.aws_request_id
        seen.append((cognito.clock.now(), cognito.cookie_header, *counts))

    def change():
        cognito.keep(["x=1; Path=/"])
        return sessions.sign_out(header)

    runs = cognito.interleavings(lambda: served(sessions, header), change, before=look)
    steps = set()
    for run in runs:
        steps.update(run.steps)
        assert "lost" in {call.ending for call in cognito.calls}
    assert {"1 cognito GetTokensFromRefreshToken refresh", "1 clock pause", "2 dynamodb UpdateItem logout"} <= steps
    assert len(seen) > 10
    assert set(seen) == {(began, header, 0, 0, seen[0][-1])}
    assert (cognito.clock.now(), cognito.cookie_header, len(cognito.calls), len(cognito.reports)) == (began, header, 0, 0)


def test_a_run_may_sign_somebody_in(cognito, sessions):
    """The kit undoes what a run does to browsers: each run signs in again, and its event has a cookie."""
    cognito.attach(sessions)
    handler = sessions.protect(lambda event, context, me: {"statusCode": 200, "body": me.username})

    def ask():
        own = handler(cognito.event("http-v2", groups=["staff"]), cognito.context)["body"]
        return own, handler(cognito.event("http-v2", user="bob"), cognito.context)["body"]

    runs = [(run.first, run.second) for run in cognito.interleavings(ask, ask)]
    assert set(runs) == {(("alice", "bob"), ("alice", "bob"))}
    assert len(runs) > 3
    assert (cognito._named, cognito._browser.username) == ({}, "")


def test_waiting_lets_the_other_go_on(cognito, sessions, header):
    """A request that waits for a lease yields, so the holder can commit first."""
    cognito.expire()
    run = cognito.interleave(lambda: served(sessions, header), lambda: served(sessions, header), order="111222")
    assert (run.first, run.second) == (True, True)
    assert "2 clock pause" in run.steps
    assert cognito.calls.cognito == 1


def test_coroutines_meet_as_well(cognito, async_sessions, header):
    """Each coroutine runs on its own event loop; the asynchronous driver's threads are scheduled too."""
    cognito.attach(async_sessions)
    cognito.rotation(grace_seconds=0)
    cognito.expire()

    async def ask():
        return (await async_sessions.resolve(header)).session.username

    cognito.calls.clear()
    orders = []
    for run in cognito.interleavings(ask, ask):
        assert run.first == run.second == "alice", run
        assert cognito.calls.cognito == 1, run
        orders.append(run.order)
    assert len(set(orders)) == len(orders) > 10


def test_orders_are_the_same_every_time(cognito, sessions, header):
    """Two explorations give the same runs."""
    cognito.expire()
    works = (lambda: served(sessions, header),) * 2
    first, second = ([(run.order, run.steps) for run in cognito.interleavings(*works)] for _ in range(2))
    assert first == second
    assert len(first) > 10


def test_what_a_request_raises_is_raised_by_its_result(cognito, sessions, header):
    """The other request's result is available all the same."""

    def fails():
        served(sessions, header)
        raise KeyError("bug")

    run = cognito.interleave(fails, lambda: served(sessions, header))
    with pytest.raises(KeyError, match="bug"):
        run.first  # noqa: B018 - reading it is the test
    assert run.second is True
    assert repr(run) == "Run(order='1122')"


def test_requests_that_wait_for_each_other_are_given_up(cognito, sessions, header, monkeypatch):
    """A lock that the application holds across a call is an error that says so, and the threads end."""
    monkeypatch.setattr(scheduler, "_STUCK_SECONDS", 0.3)
    lock = threading.Lock()

    def locked():
        with lock:
            return served(sessions, header)

    before = threading.active_count()
    with pytest.raises(TimeoutError, match="request 2 made no call"):
        cognito.interleave(locked, locked, order="12")
    assert threading.active_count() == before
    assert cognito.interleave(lambda: served(sessions, header), lambda: None).first is True


def test_orders_that_cannot_be(cognito, sessions, header):
    """Other digits, turns of an ended request, and a run within a run are errors."""

    def ask():
        return served(sessions, header)

    with pytest.raises(ValueError, match="1122"):
        cognito.interleave(ask, ask, order="13")
    with pytest.raises(ValueError, match="turn 3 is for request 1, which has ended"):
        cognito.interleave(ask, ask, order="111")
    run = cognito.interleave(lambda: cognito.interleave(ask, ask), ask)
    with pytest.raises(ValueError, match="another run is in progress"):
        run.first  # noqa: B018 - reading it is the test
