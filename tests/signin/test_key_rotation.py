"""The pool begins to sign with a new key right after the key set was fetched: not known yet is not denied."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from cognito_session import Active, Refreshed, Rejected, SessionPolicy
from cognito_session.core.errors import KeysUnavailable
from cognito_session.core.protocol.steps import Keys, Sleep
from cognito_session.signin.outcome import Established
from signin.counter import Counter
from support.stack import done, make_app
from support.tokens import Issuer


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
    """A refresh whose token has the new key is committed and served at once, whatever key id was looked for; one call."""
    app = make_app(stack, sort_key="sid")
    manager = app.manager()
    (line,) = manager.establish(app.sign_in(app.user())).set_cookies
    cookie = line.partition(";")[0]
    stack.advance(3600)
    manager.ports.keys.keys("made-up")
    stack.rotate_keys(app.pool)
    stack.clear_calls()
    assert isinstance(manager.resolve(cookie), Refreshed)
    assert stack.count("GetTokensFromRefreshToken") == 1


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def refreshing(stack, request):
    """A session whose refreshed token will have a new key that the worker does not know; grace 0. Its manager and cookie."""
    app = make_app(stack, sort_key="sid", rotation_grace_seconds=0)
    policy = SessionPolicy(rotation_grace_seconds=0, allow_lossy_rotation=True)
    manager = (app.async_manager if request.param else app.manager)(policy=policy)
    (line,) = app.manager(policy=policy).establish(app.sign_in(app.user())).set_cookies
    stack.advance(3600)
    return manager, line.partition(";")[0], app


def resolved(manager, cookie):
    """The outcome, whichever kind the manager is."""
    found = manager.resolve(cookie)
    return asyncio.run(found) if asyncio.iscoroutine(found) else found


@pytest.mark.parametrize("count", [1, 30])
def test_junk_in_cookies_does_not_cost_a_refreshed_session(stack, refreshing, count):
    """Tokens under made-up keys use up the cookies' budget, then Cognito begins to sign with a new key: served at once."""
    manager, cookie, app = refreshing
    stack.advance(0.5)
    for number in range(count):
        junk = f"token={Issuer(kid=f'junk-{number}').access_token()}" if number < 3 else f"token={JUNK}"
        with suppress(KeysUnavailable):
            assert isinstance(resolved(manager, junk), Rejected)
    stack.rotate_keys(app.pool)
    stack.clear_calls()
    assert isinstance(resolved(manager, cookie), Refreshed)
    assert stack.count("GetTokensFromRefreshToken") == 1
    assert stack.count("jwks") == 1


def test_a_refreshed_token_under_a_key_that_is_not_published_is_kept(stack, refreshing):
    """Cognito signs with a key that its key set does not hold yet: committed, 503 until it can be verified, then served.

    The only copy of the rotated refresh token is not lost, and no stranger's token can spend the fetches for its key.
    """
    manager, cookie, app = refreshing
    keys, late = manager.ports.keys, Late(manager.ports.keys)
    manager.ports = manager.ports._replace(keys=late)
    resolved(manager, "token=" + JUNK)
    stack.rotate_keys(app.pool)
    stack.clear_calls()
    for _ in range(3):
        with pytest.raises(KeysUnavailable):
            resolved(manager, cookie)
        stack.advance(1)
    assert stack.count("GetTokensFromRefreshToken") == 1
    assert "RevokeToken" not in done(stack)
    manager.ports = manager.ports._replace(keys=keys)
    with suppress(KeysUnavailable):
        resolved(manager, "token=" + JUNK)
    assert isinstance(resolved(manager, cookie), Active | Refreshed)
    assert "GetTokensFromRefreshToken" not in done(stack)


def test_a_sign_in_under_a_key_that_is_not_published_is_no_denial(stack):
    """A sign-in of ours is answered 503, not as tokens of another pool; the next one succeeds."""
    app = make_app(stack, sort_key="sid")
    counter = Counter(app)
    counter.sign_in(app.user().username)
    manager = counter.manager
    keys = manager.ports.keys
    manager.ports = manager.ports._replace(keys=Late(keys))
    stack.rotate_keys(app.pool)
    with pytest.raises(KeysUnavailable):
        counter.sign_in(app.user().username)
    manager.ports = manager.ports._replace(keys=keys)
    stack.advance(1)
    assert isinstance(counter.sign_in(app.user().username), Established)


def test_a_withdrawn_key_is_refused_within_a_day(stack):
    """A token cookie under a key that Cognito no longer publishes is served until the key set's maximum age, then rejected."""
    app = make_app(stack, sort_key="sid", access_token_seconds=86_400)
    manager = app.manager(policy=SessionPolicy(key_set_max_age_seconds=7200))
    (line,) = manager.establish(app.sign_in(app.user())).set_cookies
    cookie = line.partition(";")[0]
    stack.rotate_keys(app.pool)
    stack.withdraw_keys(app.pool)
    stack.advance(7199 * 0.75 - 1)
    assert isinstance(manager.resolve(cookie), Active)
    stack.advance(7200)
    assert manager.resolve(cookie) == Rejected("unknown_key")


class Late:
    """A KeySource port that publishes nothing newer than what is at hand, as a cache at the edge that lags."""

    def __init__(self, keys) -> None:
        self._found = keys.keys(None)

    def keys(self, _missing_kid):
        """What was published before."""
        return self._found


JUNK = Issuer(kid="junk").access_token()


def test_the_steps_say_where_a_token_came_from():
    """Only an answer of Cognito's may shorten the cooldown; a question says so."""
    assert Keys("k").from_cognito is False
    assert Keys("k", from_cognito=True).from_cognito is True
    assert Sleep(1, holding=True).holding
