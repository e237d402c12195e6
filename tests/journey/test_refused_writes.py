"""Cognito has rotated the refresh token and the table refuses the commit with an error that is no outage: nothing is lost."""

from __future__ import annotations

import asyncio

import pytest

from cognito_session import Active, ConfigurationError, Refreshed
from managed.scene import ring
from support.stack import cookie_of, eventually, make_app

ACQUIRE, COMMIT = "UpdateItem", "UpdateItem"
CODES = [
    "AccessDeniedException",
    "UnrecognizedClientException",
    "InvalidSignatureException",
    "IncompleteSignatureException",
    "MissingAuthenticationTokenException",
    "MissingAuthenticationToken",
    "SerializationException",
    "KMSAccessDeniedException",
    "KMSDisabledException",
    "ItemCollectionSizeLimitExceededException",
    "ResourceNotFoundException",
    "ValidationException",
    "ExpiredTokenException",
    "ThrottlingException",
    "ACodeOfNextYear",
]


def expired_session(stack, **settings):
    """A manager and the cookie of a session whose token has expired; rotation on, with no grace at all."""
    app = make_app(stack, rotation_grace_seconds=0)
    manager = app.manager(**settings)
    cookie = cookie_of(manager.establish(app.sign_in(app.user())))
    assert isinstance(manager.resolve(cookie), Active)
    stack.advance(3601)
    stack.clear_calls()
    return manager, cookie


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("after", [False, True], ids=["not written", "written all the same"])
def test_one_refused_commit_costs_nothing(stack, code, after):
    """Served with the new token after one refresh call; half a minute and an hour later the session is there."""
    manager, cookie = expired_session(stack)
    stack.refuse(COMMIT, code, "told", skip=1, after=after)
    outcome = manager.resolve(cookie)
    assert isinstance(outcome, Refreshed)
    assert stack.count("GetTokensFromRefreshToken") == 1
    fresh = cookie_of(outcome.session)
    for seconds in (90, 3600):
        stack.advance(seconds)
        assert isinstance(manager.resolve(fresh), Active)


@pytest.mark.parametrize("seals", [False, True], ids=["plain", "sealed"])
def test_several_refused_commits_cost_nothing(stack, seals):
    """Five in a row, as while a role is being repaired; with a sealed cookie and sealed secrets too."""
    settings = {"cookie": "sealed", "cookie_name": None, "session_keys": ring(1)} if seals else {}
    manager, cookie = expired_session(stack, **settings)
    stack.refuse(COMMIT, "AccessDeniedException", "told", skip=1, times=5)
    assert isinstance(manager.resolve(cookie), Refreshed)
    assert stack.count("UpdateItem") == 7


def test_the_asynchronous_manager_holds_the_token_too(stack):
    """Also when nobody waits for the answer any more."""
    app = make_app(stack, rotation_grace_seconds=0)
    cookie = cookie_of(app.manager().establish(app.sign_in(app.user())))
    stack.advance(3601)
    stack.clear_calls()

    async def cancelled(manager):
        stack.refuse(COMMIT, "AccessDeniedException", "told", skip=1, times=3)
        task = asyncio.create_task(manager.resolve(cookie))
        await asyncio.to_thread(eventually, lambda: stack.count("UpdateItem") >= 3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(eventually, lambda: stack.count("UpdateItem") >= 5)
        return await manager.resolve(cookie)

    assert isinstance(asyncio.run(cancelled(app.async_manager())), Active)
    assert stack.count("GetTokensFromRefreshToken") == 1


def test_a_refused_lease_is_told_and_costs_no_call(stack):
    """Before the call nothing can be lost: the operator's error at once, and no refresh."""
    manager, cookie = expired_session(stack)
    stack.refuse(ACQUIRE, "AccessDeniedException", "told")
    with pytest.raises(ConfigurationError, match="AccessDenied"):
        manager.resolve(cookie)
    assert stack.count("GetTokensFromRefreshToken") == 0
    assert isinstance(manager.resolve(cookie), Refreshed)
