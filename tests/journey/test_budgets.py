"""What a request costs, counted where it is paid: in the call log of DynamoDB and Cognito."""

from __future__ import annotations

from collections import Counter

import pytest

from cognito_session import Active, Refreshed, SessionUnavailable
from cognito_session.core.errors import ProviderUnavailable
from support.stack import cookie_of, done, eventually, in_thread, joined, make_app

GET_TOKENS = "GetTokensFromRefreshToken"
READ, WRITE, CREATE = "GetItem", "UpdateItem", "PutItem"
LIST, TRANSACTION = "Query", "TransactWriteItems"
CALLS_OF_THE_TABLE = {READ, WRITE, CREATE, LIST, TRANSACTION}
WORKERS = 24

layouts = pytest.mark.parametrize("sort_key", [None, "sid"], ids=["one row", "two keys"])


@pytest.fixture
def opened(stack):
    """An app whose tokens rotate with no grace."""

    def open_app(sort_key=None):
        return make_app(stack, sort_key=sort_key, rotation_grace_seconds=0)

    return open_app


def begun(app, manager):
    """A new session's cookie, the log cleared."""
    cookie = cookie_of(manager.establish(app.sign_in(app.user())))
    app.stack.clear_calls()
    return cookie


@layouts
def test_a_sign_in_is_one_read_and_one_write(stack, opened, sort_key):
    """What is known of the user is read, then the row is written under it: as one transaction where they are two rows.

    In a table with a sort key the user's sessions are listed after each sign-in (`max_sessions`), and once before the first,
    where no sign-in has been counted yet.
    """
    app = opened(sort_key)
    manager, user = app.manager(), app.user()
    manager.establish(app.sign_in(user))
    assert done(stack) == ([READ, LIST, TRANSACTION, LIST] if sort_key else [READ, CREATE])
    stack.clear_calls()
    manager.establish(app.sign_in(user))
    assert [call for call in done(stack) if call in CALLS_OF_THE_TABLE] == (
        [READ, TRANSACTION, LIST] if sort_key else [READ, CREATE]
    )


@layouts
def test_an_ordinary_request_is_one_read(stack, opened, sort_key):
    """The first request adds the one write that marks the cookie as seen; every other is one read, and nothing else."""
    app = opened(sort_key)
    manager = app.manager()
    cookie = begun(app, manager)
    assert isinstance(manager.resolve(cookie), Active)
    assert done(stack) == [READ, WRITE]
    for _ in range(5):
        assert isinstance(manager.resolve(cookie), Active)
        assert done(stack) == [READ]


@layouts
def test_an_expiry_is_one_call_and_two_writes(stack, opened, sort_key):
    """One worker: read, acquire, refresh, commit; the next request marks the new cookie; then one read again."""
    app = opened(sort_key)
    manager = app.manager()
    cookie = begun(app, manager)
    manager.resolve(cookie)
    app.expire()
    stack.clear_calls()
    new = cookie_of(manager.resolve(cookie).session)
    assert done(stack) == [READ, WRITE, GET_TOKENS, WRITE]
    manager.resolve(new)
    assert done(stack) == [READ, WRITE]
    manager.resolve(new)
    assert done(stack) == [READ]


@layouts
def test_an_expiry_costs_the_same_for_any_number_of_workers(stack, opened, sort_key):
    """24 workers at once: one refresh call, two successful writes, and who is not the one only reads."""
    app = opened(sort_key)
    manager = app.manager()
    cookie = begun(app, manager)
    manager.resolve(cookie)
    app.expire()
    stack.clear_calls()
    found = joined([in_thread(manager.resolve, cookie) for _ in range(WORKERS)])
    assert Counter(type(outcome) for outcome in found) == {Refreshed: 1, Active: WORKERS - 1}
    assert len({outcome.session.access_token for outcome in found}) == 1
    spent = Counter(done(stack))
    assert (spent.pop(GET_TOKENS), spent.pop(WRITE)) == (1, 2)
    assert set(spent) == {READ}


def test_who_sees_a_live_lease_does_not_try_to_take_it(stack, opened):
    """While one worker refreshes, those that come later only read, until the new tokens are there."""
    app = opened()
    manager = app.manager()
    cookie = begun(app, manager)
    app.expire()
    with stack.gate(GET_TOKENS) as gate:
        first = in_thread(manager.resolve, cookie)
        gate.wait_for(1)
        stack.clear_calls()
        others = [in_thread(manager.resolve, cookie) for _ in range(8)]
        assert eventually(lambda: stack.count(READ) >= 24)
        assert stack.count(WRITE) == 0
    assert isinstance(first.result(), Refreshed)
    assert {type(outcome) for outcome in joined(others)} == {Active}


def test_the_refresh_window_costs_no_more(stack, opened):
    """Many workers in the last minute of a token: one refresh ahead, everybody served at once, losers without a cookie."""
    app = opened()
    manager = app.manager()
    cookie = begun(app, manager)
    manager.resolve(cookie)
    stack.advance(575)
    stack.clear_calls()
    with stack.gate(GET_TOKENS) as gate:
        first = in_thread(manager.resolve, cookie)
        gate.wait_for(1)
        others = joined([in_thread(manager.resolve, cookie) for _ in range(8)])
        assert all(isinstance(outcome, Active) and not outcome.session.set_cookies for outcome in others)
    assert isinstance(first.result(), Refreshed)
    assert Counter(done(stack)) == {READ: 9, WRITE: 2, GET_TOKENS: 1}


def test_a_faulty_refresh_is_at_most_one_more_call(stack, opened):
    """Cognito stumbles once: one more call by a later attempt, and nobody is signed out."""
    app = opened()
    manager = app.manager()
    cookie = begun(app, manager)
    app.expire()
    stack.fault(GET_TOKENS, "throttle")
    stumbled = joined([in_thread(manager.resolve, cookie) for _ in range(8)])
    assert {type(outcome) for outcome in stumbled} <= {Refreshed, Active, ProviderUnavailable, SessionUnavailable}
    stack.advance(3)
    served = joined([in_thread(manager.resolve, cookie) for _ in range(8)])
    assert {type(outcome) for outcome in served} <= {Refreshed, Active}
    assert stack.count(GET_TOKENS) == 2


def test_a_refusal_costs_one_read(stack, opened):
    """An ended session costs a read each time and never a write or a call to Cognito."""
    app = opened()
    manager = app.manager()
    cookie = begun(app, manager)
    manager.sign_out(cookie)
    assert done(stack) == [READ, WRITE, "RevokeToken"]
    app.expire()
    for _ in range(3):
        assert manager.resolve(cookie).reason == "session_ended"
        assert done(stack) == [READ]


def test_the_key_set_is_fetched_once(stack, opened):
    """However many requests and users, a worker fetches the key set once."""
    app = opened()
    manager = app.manager()
    for _ in range(3):
        manager.resolve(cookie_of(manager.establish(app.sign_in(app.user()))))
    app.expire()
    assert stack.count("jwks") == 1
