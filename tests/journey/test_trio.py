"""The asynchronous manager and the ASGI middleware under trio: the same journey, and nothing imported that is not needed."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from typing import Any

import httpx
import pytest
import trio
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.routing import Route

from cognito_session import Active, Refreshed, Rejected
from cognito_session.web.starlette import CognitoSessionMiddleware, required_session_of
from support.stack import cookie_of, done, eventually

GET_TOKENS = "GetTokensFromRefreshToken"


@pytest.fixture
def manager(rotating):
    """An asynchronous manager of an app that rotates with no grace."""
    return rotating.async_manager()


def test_the_same_journey(rotating, manager):
    """Signed in, served, refreshed and signed out on trio's loop."""

    async def journey() -> None:
        first = cookie_of(await manager.establish(rotating.sign_in(rotating.user())))
        assert isinstance(await manager.resolve(first), Active)
        rotating.expire()
        outcome = await manager.resolve(first)
        assert isinstance(outcome, Refreshed)
        second = cookie_of(outcome.session)
        await manager.sign_out(second)
        assert await manager.resolve(second) == Rejected("session_ended")

    trio.run(journey)


def test_an_application_below_the_middleware(rotating, manager):
    """A client asks a Starlette application: 401 without a session, 200 with one, one refresh for fifty requests at once."""

    async def me(request: Any) -> JSONResponse:
        return JSONResponse({"sub": (await required_session_of(request)).sub})

    application = Starlette(routes=[Route("/me", me)], middleware=[Middleware(CognitoSessionMiddleware, manager)])
    user = rotating.user()
    statuses: Counter[int] = Counter()

    async def ask(client: httpx.AsyncClient, cookie: str) -> None:
        statuses[(await client.get("/me", headers={"cookie": cookie})).status_code] += 1

    async def requests() -> None:
        cookie = cookie_of(await manager.establish(rotating.sign_in(user)))
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="https://app.example.test") as client:
            assert (await client.get("/me")).status_code == 401
            assert (await client.get("/me", headers={"cookie": cookie})).json() == {"sub": user.sub}
            rotating.expire()
            rotating.stack.clear_calls()
            async with trio.open_nursery() as nursery:
                for _ in range(50):
                    nursery.start_soon(ask, client, cookie)

    trio.run(requests)
    assert statuses == {200: 50}
    assert done(rotating.stack).count(GET_TOKENS) == 1


def test_a_cancelled_request_still_commits(rotating, manager):
    """The rotated token is written although nobody waits for the answer any more."""

    async def cancelled() -> str:
        cookie = cookie_of(await manager.establish(rotating.sign_in(rotating.user())))
        await manager.resolve(cookie)
        rotating.expire()
        with rotating.stack.gate(GET_TOKENS, after=True, times=1) as held:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(manager.resolve, cookie)
                await trio.to_thread.run_sync(held.wait_for, 1)
                nursery.cancel_scope.cancel()
            held.release()
        return cookie

    cookie = trio.run(cancelled)
    eventually(lambda: done(rotating.stack).count("UpdateItem") >= 2)
    outcome = trio.run(manager.resolve, cookie)
    assert isinstance(outcome, Active)
    assert done(rotating.stack).count(GET_TOKENS) <= 1


def test_a_loop_of_asyncio_around_trio_is_not_taken_for_it(rotating, manager):
    """In trio's guest mode a loop of asyncio runs as well: trio's task is the one that waits."""
    import asyncio

    async def guest() -> Any:
        return await manager.resolve(None)

    async def host() -> Any:
        loop, finished = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()
        trio.lowlevel.start_guest_run(
            guest,
            run_sync_soon_threadsafe=loop.call_soon_threadsafe,
            done_callback=lambda outcome: finished.set_result(outcome.unwrap()),
        )
        return await finished

    assert asyncio.run(host()) == Rejected("no_cookie")


def test_nothing_of_trio_is_loaded_under_asyncio():
    """Neither anyio nor sniffio nor trio, however a request ends."""
    program = """
import asyncio, sys
from cognito_session import AsyncSessionManager
manager = AsyncSessionManager.from_env(cookie="token", environ={
    "SESSION_TABLE": "sessions", "CLIENT_ID": "client", "USER_POOL_ID": "eu-central-1_AbC", "AWS_REGION": "eu-central-1"})
print(asyncio.run(manager.resolve(None)))
sys.exit(", ".join({"anyio", "sniffio", "trio"} & set(sys.modules)) or None)
"""
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert finished.returncode == 0, finished.stderr  # modules that should not be there
