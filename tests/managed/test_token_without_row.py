"""A token cookie whose session has no row: one read per request, and one search for each token and worker."""

from __future__ import annotations

import pytest

from cognito_session import Active, Refreshed, Rejected
from cognito_session.core.errors import StoreUnavailable
from cognito_session.core.protocol.context import Searched
from support.stack import cookie_of, done, make_app

GONE = Rejected("unknown_session")


@pytest.fixture
def app(stack):
    """A table with a sort key."""
    return make_app(stack, sort_key="sid", rotation_grace_seconds=0)


def without_row(app):
    """An authentic token of a user whose session has been deleted, as a cookie; another session of the same user stands."""
    user = app.user()
    app.manager().establish(app.sign_in(user))
    tokens = app.sign_in(user)
    return f"token={tokens['AccessToken']}", user


def test_the_search_is_made_once(app):
    """Twenty requests cost one GetItem each, and one Query between them, in each worker."""
    cookie, _ = without_row(app)
    for manager in (app.manager(), app.manager()):
        done(app.stack)
        assert [manager.resolve(cookie) for _ in range(20)] == [GONE] * 20
        assert done(app.stack) == ["GetItem", "Query", *["GetItem"] * 19]


def test_a_session_that_is_there_is_not_searched_for(app):
    """The row of the token's own session id is found by one GetItem."""
    manager = app.manager()
    cookie = cookie_of(manager.establish(app.sign_in(app.user())))
    done(app.stack)
    assert isinstance(manager.resolve(cookie), Active)
    assert "Query" not in done(app.stack)


def test_a_found_session_is_not_searched_for_again(app):
    """After Cognito has changed the origin the session is found by its jti, once; then by two reads."""
    app.stack.set_rules(origin_jti_changes=True)
    manager = app.manager()
    cookie = cookie_of(manager.establish(app.sign_in(app.user())))
    app.expire()
    outcome = manager.resolve(cookie)
    assert isinstance(outcome, Refreshed)
    cookie = cookie_of(outcome.session)
    done(app.stack)
    assert isinstance(manager.resolve(cookie), Active)
    assert [name for name in done(app.stack) if name != "UpdateItem"] == ["GetItem", "Query", "GetItem"]
    assert isinstance(manager.resolve(cookie), Active)
    assert done(app.stack) == ["GetItem", "GetItem"]
    manager.sign_out(cookie)
    assert manager.resolve(cookie) == Rejected("session_ended")


def test_a_search_that_failed_is_made_again(app):
    """What could not be found out is not remembered: 503, then the answer."""
    cookie, _ = without_row(app)
    manager = app.manager()
    app.stack.fault("Query", "error500", times=2)
    with pytest.raises(StoreUnavailable):
        manager.resolve(cookie)
    assert manager.resolve(cookie) == GONE
    app.stack.clear_faults()


def test_a_session_of_the_same_token_is_found_when_it_appears(app):
    """A search that found nothing does not hide a row under the token's own session id."""
    user = app.user()
    tokens = app.sign_in(user)
    manager = app.manager()
    assert manager.resolve(f"token={tokens['AccessToken']}") == GONE
    app.manager().establish(tokens)
    assert isinstance(manager.resolve(f"token={tokens['AccessToken']}"), Active)


def test_the_memory_is_bounded():
    """The oldest answers go first; 4,096 stay."""
    searched = Searched()
    for number in range(5_000):
        searched.note(("sub", f"jti-{number}"), None)
    assert ("sub", "jti-0") not in searched
    assert ("sub", "jti-904") in searched
    assert repr(searched) == "Searched(4096 tokens)"
    searched.clear()
    assert ("sub", "jti-4999") not in searched
