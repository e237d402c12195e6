"""A WebSocket on an ASGI server whose session has been ended: when it is looked at again, and how it is closed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from cognito_session import ConfigurationError
from cognito_session.testing import ManualClock
from cognito_session.web import socket_watch
from cognito_session.web.asgi import CognitoSessionMiddleware, request_session_of
from managed.scene import ring, rows
from support.stack import cookie_of, done, make_app

CLOSED = {"type": "websocket.close", "code": 4401, "reason": "session_ended"}
LEFT = {"type": "websocket.disconnect", "code": 4401, "reason": "session_ended"}


@pytest.fixture
def app(stack):
    """A table with a sort key."""
    return make_app(stack, sort_key="sid")


class Socket:
    """One open connection: the client's messages, the timer's turns, and what was sent and received."""

    def __init__(self, app: Any, clock: ManualClock, manager: Any, cookie: str, monkeypatch: Any, *, asks: bool = True) -> None:
        self.app, self.clock, self.manager = app, clock, manager
        self.client: asyncio.Queue[Any] = asyncio.Queue()
        self.sent: list[Any] = []
        self.received: list[Any] = []
        self.pauses: list[float] = []
        self._turn = asyncio.Semaphore(0)
        self._asks = asks
        monkeypatch.setattr(socket_watch, "pause", self._pause)
        headers = [(b"host", b"app.example"), (b"origin", b"https://app.example"), (b"cookie", cookie.encode())]
        scope = {"type": "websocket", "path": "/live", "query_string": b"", "headers": headers}
        self.client.put_nowait({"type": "websocket.connect"})
        middleware = CognitoSessionMiddleware(self._application, manager)
        self.task = asyncio.ensure_future(middleware(scope, self.client.get, self._send))

    async def _application(self, scope: Any, receive: Any, send: Any) -> None:
        if self._asks:
            await request_session_of(scope).arequired()
        await receive()
        await send({"type": "websocket.accept"})
        while True:
            message = await receive()
            self.received.append(message)
            if message["type"] == "websocket.disconnect":
                return
            await send({"type": "websocket.send", "text": "echo"})

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await self._turn.acquire()

    async def _send(self, message: Any) -> None:
        self.sent.append(message)

    async def until(self, condition: Any) -> None:
        """Wait until it holds."""
        async with asyncio.timeout(20):
            while not condition():  # noqa: ASYNC110 - the condition is about lists that other tasks fill
                await asyncio.sleep(0.005)

    async def open(self) -> Socket:
        """Accepted, the timer waiting."""
        await self.until(lambda: self.pauses)
        self.app.stack.clear_calls()
        return self

    async def tick(self, seconds: float = 30) -> None:
        """Let the timer run out once, at a later time, and wait until it waits again or has ended."""
        self.clock.advance(seconds)
        count = len(self.pauses)
        self._turn.release()
        await self.until(lambda: len(self.pauses) > count or self.task.done())

    async def say(self) -> None:
        """A message of the client's, and the application's answer or end."""
        count = len(self.received)
        self.client.put_nowait({"type": "websocket.receive", "text": "x"})
        await self.until(lambda: len(self.received) > count)
        await asyncio.sleep(0)

    async def leave(self) -> None:
        """The client goes."""
        self.client.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await asyncio.wait_for(self.task, 20)


@pytest.fixture
def make(app, monkeypatch):
    """Open a connection; the asking session and its manager are on it."""

    async def opened(*, asks: bool = True, **keywords: Any) -> Socket:
        clock = ManualClock(app.stack.clock.now())
        manager = app.async_manager(clock=clock, **keywords)
        me = await manager.establish(app.sign_in(app.user()))
        socket = Socket(app, clock, manager, cookie_of(me), monkeypatch, asks=asks)
        socket.me = me
        return await socket.open()

    return opened


async def test_an_idle_connection_is_closed(make, app):
    """By the timer, without a message: 4401, the application is told the client has left, and its task ends."""
    socket = await make()
    await socket.manager.revoke(socket.me.sub, socket.me.sid)
    await socket.tick()
    await asyncio.wait_for(socket.task, 20)
    assert socket.sent == [{"type": "websocket.accept", "headers": []}, CLOSED]
    assert socket.received == [LEFT]
    assert socket.pauses[0] == 30


async def test_a_busy_connection_is_closed_by_its_next_message(make, app):
    """The message of a session that has ended does not reach the application, and no answer reaches the client."""
    socket = await make()
    await socket.manager.revoke(socket.me.sub, socket.me.sid)
    await socket.say()
    assert socket.received[-1]["type"] == "websocket.receive"  # within the interval
    socket.clock.advance(30)
    await socket.say()
    await asyncio.wait_for(socket.task, 20)
    assert socket.received[-1] == LEFT
    assert socket.sent[-1] == CLOSED
    assert socket.sent.count(CLOSED) == 1


async def test_a_live_session_costs_one_read_an_interval(make, app):
    """However many messages: one consistent read, no write, and an access token that expires closes nothing."""
    socket = await make()
    for _ in range(3):
        await socket.say()
    assert done(app.stack) == []
    await socket.tick()
    for _ in range(3):
        await socket.say()
    assert done(app.stack) == ["GetItem"]
    before = app.stack.clock.now()
    app.expire()
    await socket.tick(app.stack.clock.now() - before)
    assert CLOSED not in socket.sent
    await socket.leave()
    assert done(app.stack) == ["GetItem"]


async def test_an_outage_is_no_denial(make, app):
    """The connection stays, and is looked at again one interval later."""
    socket = await make()
    await socket.manager.revoke(socket.me.sub, socket.me.sid)
    app.stack.fault("GetItem", "error500", times=None)
    await socket.tick()
    assert CLOSED not in socket.sent
    app.stack.clear_faults()
    await socket.tick()
    await asyncio.wait_for(socket.task, 20)
    assert socket.sent[-1] == CLOSED


async def test_an_outage_does_not_extend_the_absolute_end(make, app):
    """The end of the session is known from the handshake: the connection closes without a look at the table."""
    socket = await make()
    app.stack.fault("GetItem", "error500", times=None)
    await socket.tick(socket.me.session_expires_at - socket.clock.now())
    await asyncio.wait_for(socket.task, 20)
    assert socket.sent[-1] == CLOSED
    assert done(app.stack) == []


@pytest.mark.parametrize(
    ("change", "reason"), [({"username": "mallory"}, "tampered_record"), ({"gen": "many"}, "unreadable_record")]
)
async def test_a_row_that_cannot_be_believed_ends_the_connection(make, app, change, reason):
    """The client may connect again, and its handshake decides; a writer of the table keeps no connection open."""
    socket = await make(cookie="sealed", cookie_name=None, session_keys=ring(1))
    (row,) = [row for row in rows(app) if row.get("sid") == socket.me.sid]
    app.stack.dynamodb().put_item(app.table, row | change)
    await socket.tick()
    await asyncio.wait_for(socket.task, 20)
    assert socket.sent[-1] == {"type": "websocket.close", "code": 1013, "reason": reason}
    assert socket.received[-1] == {"type": "websocket.disconnect", "code": 1013, "reason": reason}


async def test_a_connection_that_asked_for_no_session_is_left_alone(make, app):
    """Public sockets are read for nobody."""
    socket = await make(asks=False)
    await socket.tick()
    await socket.say()
    assert done(app.stack) == []
    await socket.leave()


async def test_the_interval_is_a_setting(make, app):
    """In seconds, for the timer and for messages."""
    socket = await make(websocket_recheck_seconds=5)
    assert socket.pauses[0] == 5
    await socket.manager.revoke(socket.me.sub, socket.me.sid)
    await socket.tick(4)
    assert CLOSED not in socket.sent
    await socket.tick(1)
    await asyncio.wait_for(socket.task, 20)
    assert socket.sent[-1] == CLOSED
    for wrong in (-1, "30", True, float("nan")):
        with pytest.raises(ConfigurationError, match="websocket_recheck_seconds"):
            app.async_manager(websocket_recheck_seconds=wrong)
