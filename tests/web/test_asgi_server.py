"""The ASGI middleware on a real server: WebSockets over a socket, opened, refreshed, refused, and closed."""

from __future__ import annotations

import socket
import threading
from typing import Any, NamedTuple

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, RejectConnection, RejectData, Request, TextMessage

from cognito_session.web.starlette import CognitoSessionMiddleware, required_session_of
from support.stack import COOKIE, cookie_of, done, fresh, make_app, shared_stack

SECONDS = 10


@pytest.fixture
def stack(request):
    """The stack."""
    yield from fresh(shared_stack(request.config))


@pytest.fixture
def app(stack):
    """A pool and a table of one row per user."""
    return make_app(stack)


async def live(connection: WebSocket) -> None:
    """Says who is there, and is over."""
    me = await required_session_of(connection)
    await connection.accept()
    await connection.send_text(me.sub)
    await connection.close()


@pytest.fixture(params=["wsproto", "websockets-sansio"])
def site(app, request):
    """The address of a server with the application behind the middleware, over each library; stopped afterwards."""
    api = Starlette(routes=[WebSocketRoute("/live", live)])
    api.add_middleware(CognitoSessionMiddleware, sessions=app.async_manager())
    server = uvicorn.Server(
        uvicorn.Config(api, port=0, ws=request.param, log_level="error", lifespan="off", timeout_graceful_shutdown=1)
    )
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    yield listener.getsockname()
    server.should_exit = True
    thread.join(SECONDS)
    assert not thread.is_alive()


class Told(NamedTuple):
    """What a handshake came to: 101 and messages, or another status and its body; the Set-Cookie values; the close code."""

    status: int
    cookies: list[str]
    text: str
    code: int | None = None


def opened(address: Any, **headers: str) -> Told:
    """Open a WebSocket as a browser does, and listen until it is over."""
    client, status, cookies, text, code = WSConnection(ConnectionType.CLIENT), 0, [], "", None
    extra = [(name.encode(), value.encode()) for name, value in headers.items()]
    with socket.create_connection(address, timeout=SECONDS) as wire:
        wire.sendall(client.send(Request(host="app.example", target="/live", extra_headers=extra)))
        while code is None:
            chunk = wire.recv(65_536)
            client.receive_data(chunk or None)
            for event in client.events():
                match event:
                    case AcceptConnection():
                        status, given = 101, event.extra_headers
                        cookies = [value.decode() for name, value in given if name.lower() == b"set-cookie"]
                    case RejectConnection():
                        status, given = event.status_code, event.headers
                        cookies = [value.decode() for name, value in given if name.lower() == b"set-cookie"]
                        if not event.has_body:
                            return Told(status, cookies, text)
                    case RejectData():
                        text += event.data.decode()
                        if event.body_finished:
                            return Told(status, cookies, text)
                    case TextMessage():
                        text += event.data
                    case CloseConnection():
                        code = event.code
            if not chunk:
                break
    return Told(status, cookies, text, code)


OWN = {"origin": "https://app.example"}


def test_who_is_signed_in_gets_through(app, site):
    """The session's own page opens the connection and hears who is there; a valid token costs one read and no cookie."""
    user = app.user()
    cookie = cookie_of(app.manager().establish(app.sign_in(user)))
    app.manager().resolve(cookie)
    app.stack.clear_calls()
    assert opened(site, cookie=cookie, **OWN) == Told(101, [], user.sub, 1000)
    assert done(app.stack) == ["GetItem"]


def test_a_refresh_on_the_way_in(app, site):
    """An expired token is refreshed, and the cookie goes out with the 101 of the handshake."""
    user = app.user()
    cookie = cookie_of(app.manager().establish(app.sign_in(user)))
    app.expire()
    told = opened(site, cookie=cookie, **OWN)
    assert (told.status, told.text) == (101, user.sub)
    (line,) = told.cookies
    assert line.startswith(f"{COOKIE}=")
    assert opened(site, cookie=line.partition(";")[0], **OWN) == Told(101, [], user.sub, 1000)


@pytest.mark.parametrize(
    ("headers", "status", "words"),
    [
        (OWN, 401, "no_cookie"),
        ({"cookie": f"{COOKIE}=forged", **OWN}, 401, "malformed_token"),
        ({"origin": "https://evil.example"}, 403, "cross_site"),
    ],
    ids=["no cookie", "forged", "cross-site"],
)
def test_who_is_refused(app, site, headers, status, words):
    """The handshake is answered with the status and the reason, and nothing is asked for it."""
    told = opened(site, **headers)
    assert (told.status, words in told.text, told.cookies) == (status, True, [])
    assert done(app.stack) == []


def test_a_page_of_another_site_cannot_use_the_cookie(app, site):
    """Browsers let any page open a WebSocket and send our cookie along: without our origin it is refused."""
    cookie = cookie_of(app.manager().establish(app.sign_in(app.user())))
    app.stack.clear_calls()
    assert opened(site, cookie=cookie, origin="https://evil.example").status == 403
    assert done(app.stack) == []


def test_an_outage(app, site):
    """DynamoDB is down: 503, and the cookie stays."""
    cookie = cookie_of(app.manager().establish(app.sign_in(app.user())))
    app.stack.fault("GetItem", "error500", times=None)
    told = opened(site, cookie=cookie, **OWN)
    assert (told.status, told.cookies) == (503, [])
