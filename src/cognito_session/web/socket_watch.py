"""A WebSocket on an ASGI server whose session has been ended is closed: by its next message, and by a timer while it is idle.

1. The session that the application asked for is read again, once per `websocket_recheck_seconds`, by one consistent read;
   nothing is written and nothing refreshed. An access token that has expired closes nothing: the session still lives.
2. Only a denial closes. A store that does not answer is asked again one interval later.
3. The code is 4401 (RFC 6455 7.4.2: 4000 to 4999 are the application's). The application is told as if the client had left.
4. Whether a check is due is the manager's clock's question; `pause` only wakes an idle connection. Under trio there is no
   timer: messages in either direction are what checks.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from cognito_session.core.errors import SessionError, TokenError
from cognito_session.core.protocol.authenticity import rejection_of
from cognito_session.core.protocol.devices import is_live
from cognito_session.core.protocol.record import SessionKey, SessionRecord
from cognito_session.core.protocol.steps import Flow, Load, ask
from cognito_session.drivers import aio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from cognito_session.core.protocol.context import FlowContext
    from cognito_session.web.request_session import RequestSession

__all__ = ["SESSION_ENDED", "SocketWatch", "pause", "still_lives"]

SESSION_ENDED: Final = 4401
"""The close code of a connection whose session has been ended."""
TRY_AGAIN_LATER: Final = 1013
"""The close code of a connection whose row does not prove what it says (registry of RFC 6455 7.4)."""
_NOT_BELIEVED: Final = frozenset({"tampered_record", "unreadable_record"})

Message = dict[str, Any]
pause: Callable[[float], Awaitable[object]] = asyncio.sleep
"""How the timer waits."""


def still_lives(context: FlowContext, sub: str, sid: str) -> Flow[bool]:
    """Whether this session has not been ended; one consistent read. Raises SessionUnavailable and TokenError."""
    key = SessionKey(sub, sid)
    row = yield from ask(Load(key))
    record = None if row is None else SessionRecord.from_row(key, row)
    if record is None or record.foreign_token or record.sid != sid or not is_live(record, context.now()):
        return False
    return (yield from rejection_of(context, record)) is None


class SocketWatch:
    """One connection's: `receive` and `send` for the application, and the timer between `start` and `stop`."""

    def __init__(
        self,
        request_session: RequestSession,
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        self._request_session = request_session
        self._receive = receive
        self._send = send
        self._interval = request_session.engine.websocket_recheck_seconds
        self._checked_at = request_session.context.clock.monotonic()
        self._ended = asyncio.Event()
        self._disconnected: Message = {}
        self._pending: asyncio.Future[Any] | None = None
        self._timer: asyncio.Task[None] | None = None
        self.closed: bool = False
        """Whether either side has closed the connection."""

    async def receive(self) -> Any:
        """The client's next message, or the end of the connection where its session has ended."""
        if self._timer is None:
            message = await self._receive()
        else:
            message = await self._first_of_message_and_end()
        if message["type"] == "websocket.receive":
            await self._check_if_due()
        elif message["type"] == "websocket.disconnect":
            self.closed = True
        return self._disconnected if self._ended.is_set() else message

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Pass a message of the application on, unless the session has ended."""
        if message["type"] == "websocket.send":
            await self._check_if_due()
        elif message["type"] in ("websocket.close", "websocket.http.response.start"):
            self.closed = True
        if self._ended.is_set():
            return
        await self._send(message)
        if message["type"] == "websocket.accept":
            self._start()

    async def stop(self) -> None:
        """End the timer; the application has returned."""
        tasks = [task for task in (self._timer, self._pending) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.gather(*tasks, return_exceptions=True)  # a client that has left is no fault

    def _start(self) -> None:
        if not aio.is_under_trio():
            self._timer = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        while not self.closed:
            await pause(self._interval)
            await self._check_if_due()

    async def _first_of_message_and_end(self) -> Any:
        """A message that is on its way when the wait is cancelled is kept for the next call."""
        if self._pending is None:
            self._pending = asyncio.ensure_future(self._receive())
        end = asyncio.ensure_future(self._ended.wait())
        try:
            await asyncio.wait((self._pending, end), return_when=asyncio.FIRST_COMPLETED)
        finally:
            end.cancel()
        if not self._pending.done():
            return self._disconnected
        message, self._pending = self._pending.result(), None
        return message

    async def _check_if_due(self) -> None:
        """Close where the session has ended. Two checks at once read once: the first takes the interval."""
        me, now = self._request_session.found, self._request_session.context.clock.monotonic()
        if me is None or self.closed or now - self._checked_at < self._interval:
            return
        self._checked_at = now
        context = self._request_session.engine.context
        if me.session_expires_at is not None and context.now() >= me.session_expires_at:
            await self._close(SESSION_ENDED, "session_ended")  # known from the handshake: an outage does not extend it
            return
        try:
            if not await self._request_session.engine.arun(still_lives(context, me.sub, me.sid)):
                await self._close(SESSION_ENDED, "session_ended")
        except SessionError as error:
            # An outage is no denial. A row that cannot be believed ends the connection: the next handshake decides.
            if error.reason in _NOT_BELIEVED:
                await self._close(TRY_AGAIN_LATER, error.reason)
        except TokenError:
            return

    async def _close(self, code: int, reason: str) -> None:
        if not self.closed:
            self.closed = True
            self._disconnected = {"type": "websocket.disconnect", "code": code, "reason": reason}
            await self._send({"type": "websocket.close", "code": code, "reason": reason})
            self._ended.set()
