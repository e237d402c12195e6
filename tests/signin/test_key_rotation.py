"""The pool begins to sign with a new key right after the key set was fetched: not known yet is not denied."""

from __future__ import annotations

import pytest

from cognito_session import Active
from cognito_session.core.errors import KeysUnavailable
from cognito_session.core.steps import Keys, Sleep
from cognito_session.signin.outcome import Established
from signin.counter import Counter
from support.stack import done, make_app


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def counter(stack, request):
    """A site with its own sign-in pages, whose key set was fetched three seconds before the pool changed its keys."""
    app = make_app(stack, sort_key="sid", client_secret=request.param)
    counter = Counter(app, asynchronous=request.param)
    counter.sign_in(app.user().username)
    stack.advance(3)
    stack.rotate_keys(app.pool)
    stack.clear_calls()
    return counter


def test_a_sign_in_with_a_password(counter):
    """Cognito's own answer: the key set is fetched again at once, the session begins, nothing is revoked."""
    counter.jar.clear()
    assert isinstance(counter.sign_in(counter.app.user().username), Established)
    assert "RevokeToken" not in done(counter.app.stack)


def test_tokens_of_the_callers_wait(stack):
    """`establish` takes tokens from anywhere: 503 within the cooldown, the same tokens work after it, none is revoked."""
    app = make_app(stack, sort_key="sid")
    manager = app.manager()
    manager.establish(app.sign_in(app.user()))
    stack.advance(3)
    stack.rotate_keys(app.pool)
    tokens = app.sign_in(app.user())
    stack.clear_calls()
    with pytest.raises(KeysUnavailable) as caught:
        manager.establish(tokens)
    assert 1 <= caught.value.retry_after <= 7
    assert done(stack) == []
    stack.advance(caught.value.retry_after)
    assert manager.establish(tokens).sub


def test_a_token_cookie_waits(stack):
    """A cookie with a token of the new key is a 503 that says how long, then it is served."""
    app = make_app(stack, sort_key="sid")
    other = app.manager()
    manager = app.manager()
    manager.establish(app.sign_in(app.user()))
    stack.advance(3)
    stack.rotate_keys(app.pool)
    (line,) = other.establish(app.sign_in(app.user())).set_cookies
    cookie = line.partition(";")[0]
    with pytest.raises(KeysUnavailable) as caught:
        manager.resolve(cookie)
    stack.advance(caught.value.retry_after)
    assert isinstance(manager.resolve(cookie), Active)


def test_a_refresh_is_kept(stack):
    """A refresh whose token has the new key is committed and served as soon as the key is known; one call in all."""
    app = make_app(stack, sort_key="sid")
    manager = app.manager()
    (line,) = manager.establish(app.sign_in(app.user())).set_cookies
    cookie = line.partition(";")[0]
    stack.advance(3600)
    manager.ports.keys.keys("made-up")
    stack.rotate_keys(app.pool)
    stack.clear_calls()
    with pytest.raises(KeysUnavailable):
        manager.resolve(cookie)
    stack.advance(11)
    assert isinstance(manager.resolve(cookie), Active)
    assert stack.count("GetTokensFromRefreshToken") == 1


def test_the_steps_say_where_a_token_came_from():
    """Only an answer of Cognito's may shorten the cooldown; a question says so."""
    assert Keys("k").from_cognito is False
    assert Keys("k", from_cognito=True).from_cognito is True
    assert Sleep(1, holding=True).holding
