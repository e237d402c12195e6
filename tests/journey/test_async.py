"""AsyncSessionManager: the same journey on whatever event loop calls, and what becomes of a request nobody waits for."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from cognito_session import Active, ConfigurationError, Refreshed, Rejected, SessionUnavailable
from support.stack import cookie_of, done, eventually

GET_TOKENS = "GetTokensFromRefreshToken"
READ, WRITE = "GetItem", "UpdateItem"


@pytest.fixture
def manager(rotating):
    """An asynchronous manager of an app that rotates with no grace."""
    return rotating.async_manager()


@pytest.fixture
async def cookie(rotating, manager):
    """The cookie of a session that has been used."""
    me = await manager.establish(rotating.sign_in(rotating.user()))
    assert isinstance(await manager.resolve(cookie_of(me)), Active)
    rotating.stack.clear_calls()
    return cookie_of(me)


async def waited(held):
    """Wait in a thread until one request is held, so that the loop goes on."""
    await asyncio.to_thread(held.wait_for, 1)


async def test_the_same_journey(rotating, manager):
    """Signed in, served, refreshed, healed, signed out: the same calls as in synchronous code."""
    stack = rotating.stack
    me = await manager.establish(rotating.sign_in(rotating.user()))
    first = cookie_of(me)
    assert isinstance(await manager.resolve(first), Active)
    assert done(stack) == [READ, "PutItem", READ, WRITE]
    rotating.expire()
    outcome = await manager.resolve(first)
    assert isinstance(outcome, Refreshed)
    assert done(stack) == [READ, WRITE, GET_TOKENS, WRITE]
    second = cookie_of(outcome.session)
    assert cookie_of((await manager.resolve(first)).session) == second
    assert (await manager.resolve(second)).session.set_cookies == ()
    assert await manager.sign_out(second) == ("token=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax",)
    assert await manager.resolve(second) == Rejected("session_ended")


async def test_denials_and_outages(rotating, manager, cookie):
    """Denied is a value, don't-know a SessionUnavailable, a wrong sign-in a ConfigurationError, as in synchronous code."""
    assert await manager.resolve(None) == Rejected("no_cookie")
    assert await manager.resolve("token=EVIL") == Rejected("malformed_token")
    with pytest.raises(ConfigurationError):
        await manager.establish({"AccessToken": "x"})
    rotating.stack.fault(READ, "error500", times=None)
    with pytest.raises(SessionUnavailable):
        await manager.resolve(cookie)


@pytest.mark.parametrize("after", [False, True], ids=["before the work", "after the work"])
async def test_a_cancelled_request_still_commits(rotating, manager, cookie, after):
    """The client hangs up during the refresh: the new tokens are stored, and the next request needs no second refresh."""
    stack = rotating.stack
    rotating.expire()
    with stack.gate(GET_TOKENS, after=after) as gate:
        request = asyncio.create_task(manager.resolve(cookie))
        await waited(gate)
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
    outcome = await manager.resolve(cookie)
    assert isinstance(outcome, Active)
    assert outcome.session.cognito is not None
    spent = Counter(done(stack))
    assert (spent[GET_TOKENS], spent[WRITE], spent["RevokeToken"]) == (1, 2, 0)
    rotating.expire()
    assert isinstance(await manager.resolve(cookie_of(outcome.session)), Refreshed)


async def test_a_request_cancelled_at_the_commit(rotating, manager, cookie):
    """The same while the commit itself is under way."""
    stack = rotating.stack
    rotating.expire()
    with stack.gate(GET_TOKENS) as refresh:
        request = asyncio.create_task(manager.resolve(cookie))
        await waited(refresh)
        with stack.gate(WRITE, times=1) as commit:
            refresh.release()
            await waited(commit)
            request.cancel()
            with pytest.raises(asyncio.CancelledError):
                await request
    assert isinstance(await manager.resolve(cookie), Active)
    assert stack.count(GET_TOKENS) == 1


async def test_a_waiting_request_may_be_cancelled(rotating, manager, cookie):
    """Who only waits for another's refresh goes away at once and disturbs nobody."""
    stack = rotating.stack
    rotating.expire()
    with stack.gate(GET_TOKENS) as gate:
        first = asyncio.create_task(manager.resolve(cookie))
        await waited(gate)
        reads = stack.count(READ)
        second = asyncio.create_task(manager.resolve(cookie))
        assert await asyncio.to_thread(eventually, lambda: stack.count(READ) > reads)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
    assert isinstance(await first, Refreshed)
    assert stack.count(GET_TOKENS) == 1


async def test_fifty_at_once_are_one_refresh(rotating, manager, cookie):
    """50 requests gathered at expiry: one refresh call, two writes, 50 served."""
    rotating.expire()
    found = await asyncio.wait_for(asyncio.gather(*(manager.resolve(cookie) for _ in range(50))), 30)
    assert Counter(type(outcome) for outcome in found) == {Refreshed: 1, Active: 49}
    assert len({outcome.session.access_token for outcome in found}) == 1
    spent = Counter(done(rotating.stack))
    assert (spent[GET_TOKENS], spent[WRITE]) == (1, 2)


async def test_waiting_does_not_hold_the_loop(rotating, manager, cookie):
    """While a refresh is held the event loop turns, and other users are served."""
    other = await manager.establish(rotating.sign_in(rotating.user()))
    rotating.expire()
    fresh = await manager.establish(rotating.sign_in(rotating.user()))
    with rotating.stack.gate(GET_TOKENS, times=1) as gate:
        held = asyncio.create_task(manager.resolve(cookie))
        await waited(gate)
        assert isinstance(await asyncio.wait_for(manager.resolve(cookie_of(fresh)), 5), Active)
        assert isinstance(await asyncio.wait_for(manager.resolve(cookie_of(other)), 5), Refreshed)
        assert not held.done()
    assert isinstance(await held, Refreshed)


def test_one_loop_after_another(rotating):
    """Each asyncio.run has a loop of its own, as in a Lambda: one manager serves them all, on kept connections."""
    manager = rotating.async_manager()
    me = asyncio.run(manager.establish(rotating.sign_in(rotating.user())))
    cookie = cookie_of(me)
    for _ in range(5):
        rotating.expire()
        outcome = asyncio.run(manager.resolve(cookie))
        assert isinstance(outcome, Refreshed)
        cookie = cookie_of(outcome.session)
    asyncio.run(manager.sign_out(cookie))
    assert asyncio.run(manager.resolve(cookie)) == Rejected("session_ended")
    assert rotating.stack.count(GET_TOKENS) == 5


def test_a_loop_that_ends_during_a_refresh(rotating):
    """asyncio.run is left while a refresh is on its way: it is committed all the same."""
    manager = rotating.async_manager()
    cookie = cookie_of(asyncio.run(manager.establish(rotating.sign_in(rotating.user()))))
    rotating.expire()

    async def abandoned(gate):
        request = asyncio.create_task(manager.resolve(cookie))
        await waited(gate)
        assert not request.done()

    with rotating.stack.gate(GET_TOKENS) as gate:
        asyncio.run(abandoned(gate))
    assert isinstance(asyncio.run(manager.resolve(cookie)), Active)
    assert rotating.stack.count(GET_TOKENS) == 1
