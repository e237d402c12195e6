"""The ASGI middleware: gives each request a RequestSession and completes each response. Knows no framework.

1. The session is resolved when the application asks: a public page is served in an outage, and its response is unchanged.
2. Requests that change something, and WebSocket handshakes, are checked for their origin before the application runs.
3. Cookies and caching headers join the message that begins the response: of a page, a redirect, an error or a stream.
4. An unhandled SessionError becomes its response, also if a framework has turned it into a 500 (caught_errors.py). Any other
   exception passes through.
https://asgi.readthedocs.io/en/latest/specs/www.html
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from cognito_session.argument_checks import check_login_path, check_manager
from cognito_session.core.errors import ConfigurationError
from cognito_session.http.caught_errors import noting
from cognito_session.http.csrf import csrf_refusal
from cognito_session.http.error_response import refusal, session_error_of
from cognito_session.http.request import Request, headers_of
from cognito_session.http.response import complete
from cognito_session.http.url_escaping import escaped_path, sent_query
from cognito_session.web.aws_lambda.event import remaining_seconds
from cognito_session.web.current import serving_lazily
from cognito_session.web.request_session import RequestSession

if TYPE_CHECKING:
    from cognito_session.core.errors import SessionError
    from cognito_session.engine import AnySessionManager
    from cognito_session.http.caught_errors import Noted
    from cognito_session.http.response import Response

__all__ = ["ASGIApp", "CognitoSessionMiddleware", "Message", "Receive", "Scope", "Send", "request_of", "request_session_of"]

Scope = MutableMapping[str, Any]
"""A connection's scope (https://asgi.readthedocs.io/en/latest/specs/main.html)."""
Message = MutableMapping[str, Any]
"""One event that is received or sent."""
Receive = Callable[[], Awaitable[Message]]
"""Returns the next event from the server."""
Send = Callable[[Message], Awaitable[None]]
"""Sends an event to the server."""
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
"""An ASGI 3 application."""
Pairs = list[tuple[bytes, bytes]]

_SCOPE_KEY: Final = "cognito_session"
_POLICY_VIOLATION, _INTERNAL_ERROR, _TRY_AGAIN_LATER = 1008, 1011, 1013
"""WebSocket close codes (RFC 6455 7.4.1 and its registry)."""


class CognitoSessionMiddleware:
    """Sessions for any ASGI application: `CognitoSessionMiddleware(app, sessions)`, or a framework's `add_middleware`.

    `login_path`: where a person without a session is sent who asked for a page. Several of them, each with a manager of its
    own, may stand around one application: each checks what changes something, so name trusted origins in all of them. One
    around a mounted application whose manager is already there steps aside.

    Any other exception is handled outside of this middleware. If Starlette's error middleware handles it, the 500 has no cookie
    that was due: the next response has it. To have the cookie on the 500 too, wrap the whole application.
    """

    def __init__(
        self,
        app: ASGIApp,
        sessions: AnySessionManager,
        *,
        login_path: str | None = None,
        scope_key: str = _SCOPE_KEY,
    ) -> None:
        self.app = app
        self.sessions: AnySessionManager = check_manager("sessions", sessions)
        self.login_path: str | None = check_login_path("login_path", login_path)
        self.scope_key = scope_key

    def __repr__(self) -> str:
        return f"CognitoSessionMiddleware({self.sessions!r})"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        request_sessions = scope.get(self.scope_key, ())
        if scope["type"] not in ("http", "websocket") or any(
            request_session.engine is self.sessions.engine for request_session in request_sessions
        ):
            await self.app(scope, receive, send)
            return
        request_session = RequestSession(
            self.sessions.engine, request_of(scope), remaining_seconds=remaining_seconds(scope.get("aws.context"))
        )
        # Written into the scope itself, as Starlette's own middlewares do: with a copy, an outer middleware would not see what
        # the router writes there (the route, for metrics).
        scope[self.scope_key] = (request_session, *request_sessions)
        with serving_lazily(request_session), noting() as noted:
            if scope["type"] == "websocket":
                await self._watched(request_session, scope, receive, send, noted)
            else:
                await self._serve(
                    request_session, scope, receive, _Sender(send, request_session, scope, noted, self.login_path)
                )

    async def _watched(self, request_session: RequestSession, scope: Scope, receive: Receive, send: Send, noted: Noted) -> None:
        """A connection outlives its handshake: its session is looked at again."""
        from cognito_session.web.socket_watch import SocketWatch

        watch = SocketWatch(request_session, receive, send)
        try:
            await self._serve(
                request_session, scope, watch.receive, _Sender(watch.send, request_session, scope, noted, self.login_path)
            )
        finally:
            await watch.stop()

    async def _serve(self, request_session: RequestSession, scope: Scope, receive: Receive, sender: _Sender) -> None:
        try:
            await self._admit(request_session, scope, receive)
            await self.app(scope, receive, sender.send)
        except Exception as error:
            if sender.has_answered(error):
                return
            refused = session_error_of(error)
            if refused is None or sender.over or (sender.begun and scope["type"] == "http"):
                raise
            await sender.refuse(refused)

    async def _admit(self, request_session: RequestSession, scope: Scope, receive: Receive) -> None:
        """Refuse what may not reach the application. Raises SessionForbidden."""
        if scope["type"] == "http":
            await request_session.acheck_csrf()
        elif not self.sessions.engine.csrf.admits_handshake(request_session.request):
            await receive()  # the handshake may be answered only once it has been taken
            await request_session.atell_cross_site()
            raise csrf_refusal()


def request_session_of(
    scope: Scope, sessions: AnySessionManager | None = None, *, scope_key: str = _SCOPE_KEY
) -> RequestSession:
    """The connection's RequestSession for this manager, which may be left out where there is only one.

    Raises ConfigurationError where no middleware has made one.
    """
    found: list[RequestSession] = [
        request_session
        for request_session in scope.get(scope_key, ())
        if sessions is None or request_session.engine is sessions.engine
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigurationError("several session managers serve this application: say which one is meant")
    raise ConfigurationError(
        "no CognitoSessionMiddleware of this manager stands around the application: add it"
        " (app.add_middleware(CognitoSessionMiddleware, sessions), or CognitoAuth(sessions).init_app(app))"
    )


def request_of(scope: Scope) -> Request:
    """The scope of a request or of a WebSocket handshake (which is a GET) as a Request.

    Below an adapter that hands on Lambda's event (Mangum) the cookies are taken from there: the adapter joins several
    Cookie headers with commas, which no cookie parser takes apart again.
    """
    headers = headers_of((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
    client = str((scope.get("client") or ("",))[0])
    event, path, outer = scope.get("aws.event"), "", ""
    if event is not None:
        from cognito_session.web.aws_lambda.event import client_of, cookie_headers, outer_path, sent_path

        # Mangum passes the event's path on as it is: decoded or not, as the gateway left it.
        path, outer, client = sent_path(event, scope["path"]), outer_path(event), client_of(event)
        if "cookie" in headers:
            headers["cookie"] = tuple(cookie_headers(event)) or headers["cookie"]
    query = sent_query(scope.get("query_string", b""))
    return Request(scope.get("method", "GET"), path or _path(scope), query, headers, outer, client)


def _path(scope: Scope) -> str:
    """The path as the browser sent it. If the server does not give it, the decoded path is escaped again."""
    raw: bytes | None = scope.get("raw_path")
    if raw:
        return escaped_path(raw.partition(b"?")[0], decoded=False)
    return escaped_path(scope["path"], decoded=True)


class _Sender:
    """Sends the messages of one connection; the one that begins the response gets what the session needs."""

    def __init__(self, send: Send, request_session: RequestSession, scope: Scope, noted: Noted, login_path: str | None) -> None:
        self.begun = self.over = False
        self.answered: SessionError | None = None
        """The error that was answered in place of the framework's 500."""
        self._noted = noted
        self._login_path = login_path
        self._send = send
        self._request_session = request_session
        self._is_http = scope["type"] == "http"
        self._may_deny = "websocket.http.response" in (scope.get("extensions") or {})

    def has_answered(self, error: BaseException | None) -> bool:
        """Whether this exception is the error that has been answered, or one that was raised because of it.

        A mounted application raises the error again behind its 500; the exception handlers of the outer application, which
        see that an answer has begun, make a RuntimeError of it.
        """
        while error is not None and error is not self.answered:
            error = error.__cause__
        return error is not None

    async def send(self, message: Message) -> None:
        """Pass a message of the application on, unless it belongs to a 500 that a SessionError was made into."""
        if self.answered is None and not self.over and _is_failure(message) and not (self._is_http and self.begun):
            self.answered = self._noted.swallowed
            if self.answered is not None:
                await self.refuse(self.answered)
        if self.answered is None:
            await self._pass(message)

    async def _pass(self, message: Message) -> None:
        kind = message["type"]
        self.over = self.over or kind in ("websocket.close", "websocket.http.response.start")
        if kind in ("http.response.start", "websocket.accept", "websocket.http.response.start"):
            self.begun = True
            message = self._completed(kind, message)
        await self._send(message)

    async def refuse(self, error: SessionError) -> None:
        """Send the response to the error, or close a WebSocket that cannot have a response."""
        base_path = self._request_session.engine.base_path
        response = refusal(self._request_session.request, error, login_path=self._login_path, base_path=base_path)
        if self._is_http:
            await self._respond("http.response", response)
        elif self._may_deny and not self.begun:
            await self._respond("websocket.http.response", response)
        else:
            await self._pass({"type": "websocket.close", "code": _close_code(error), "reason": error.reason})

    async def _respond(self, kind: str, response: Response) -> None:
        body = response.body.encode()
        headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.headers.items()]
        headers.append((b"content-length", str(len(body)).encode("latin-1")))
        await self._pass({"type": f"{kind}.start", "status": response.status, "headers": headers})
        await self._pass({"type": f"{kind}.body", "body": body})

    def _completed(self, kind: str, message: Message) -> Message:
        """The message that begins the response, with what the session needs. A handshake is cached nowhere."""
        pairs: Pairs = []
        if self._request_session.consulted or self._request_session.has_noted:
            pairs = [(bytes(name), bytes(value)) for name, value in message.get("headers") or ()]
            message = {**message, "headers": pairs}  # Sanic's headers can be read only once
        said = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in pairs)
        if kind == "http.response.start":
            needed = self._request_session.complete("ASGI", message["status"], said)
        else:  # the application may ask after its handshake too
            needed = complete(said, self._request_session.cookies) if self._request_session.consulted else None
        if needed is None:
            return message
        ours = [("set-cookie", line) for line in needed.cookies]
        if kind != "websocket.accept":
            pairs = [(name, value) for name, value in pairs if not needed.removes(name.decode("latin-1"))]
            ours = [("cache-control", needed.cache_control), ("vary", needed.vary), *ours]
        return {**message, "headers": pairs + [(name.encode(), value.encode("latin-1")) for name, value in ours]}


def _is_failure(message: Message) -> bool:
    """Whether a framework may say by it that a handler has failed. Litestar closes a WebSocket with 4500, Quart with 1000."""
    if message["type"] in ("http.response.start", "websocket.http.response.start"):
        return bool(message["status"] == HTTPStatus.INTERNAL_SERVER_ERROR)
    return bool(message["type"] == "websocket.close")


def _close_code(error: SessionError) -> int:
    return {500: _INTERNAL_ERROR, 503: _TRY_AGAIN_LATER}.get(error.status, _POLICY_VIOLATION)
