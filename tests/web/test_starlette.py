"""Starlette with the middleware: the session where its users look for it, cookies on whatever they return or raise."""

from __future__ import annotations

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket

from cognito_session import SessionForbidden, current_session
from cognito_session.http.request import Request as OurRequest
from cognito_session.http.response import Response, redirect
from cognito_session.web.adapted_request import adapt
from cognito_session.web.starlette import (
    CognitoSessionMiddleware,
    request_of,
    required_session_of,
    respond,
    session_of,
    sign_out,
)
from support.stack import COOKIE, cookie_of, fresh, make_app, shared_stack
from support.starlette_client import OURS, SITE, WebSocketDenialResponse, client_of, cookies_in

GET_TOKENS = "GetTokensFromRefreshToken"


@pytest.fixture
def stack(request):
    """The stack."""
    yield from fresh(shared_stack(request.config))


@pytest.fixture
def app(stack):
    """A pool and a table of one row per user."""
    return make_app(stack)


@pytest.fixture(params=["async", "sync"])
def sessions(app, request):
    """A manager of either kind."""
    return app.async_manager() if request.param == "async" else app.manager()


@pytest.fixture
def cookie(app):
    """The cookie of a session that has been used."""
    manager = app.manager()
    me = cookie_of(manager.establish(app.sign_in(app.user())))
    assert manager.resolve(me).session.set_cookies == ()
    app.stack.clear_calls()
    return me


async def name(request: Request) -> JSONResponse:
    """Who is asking, or nobody."""
    me = await session_of(request)
    return JSONResponse({"sub": me and me.sub})


async def mine(request: Request) -> JSONResponse:
    """For people who are signed in."""
    me = await required_session_of(request)
    return JSONResponse({"sub": me.sub, "same": current_session() is me})


async def forbidden(request: Request) -> None:
    me = await required_session_of(request)
    me.require(any_group=["admin"])


async def broken(request: Request) -> None:
    await session_of(request)
    raise KeyError("bug")


async def live(socket: WebSocket) -> None:
    me = await required_session_of(socket)
    await socket.accept()
    await socket.send_text(me.sub)
    await socket.close()


def routes() -> list:
    """What is asked for here."""
    pages = [name, mine, forbidden, broken]
    return [*(Route(f"/{page.__name__}", page) for page in pages), WebSocketRoute("/live", live)]


def starlette_app(sessions, *more, **settings) -> Starlette:
    """The application with our middleware, and `more` inside of it."""
    ours = Middleware(CognitoSessionMiddleware, sessions, login_path="/login")
    return Starlette(routes=routes(), middleware=[ours, *more], **settings)


@pytest.fixture
def client(sessions, cookie):
    """A browser that is signed in."""
    return client_of(starlette_app(sessions), cookie)


def test_an_unhandled_error_is_the_application_s(app, sessions, cookie):
    """Starlette's error middleware stands outside ours: its 500 goes out without the cookie, which the next request gets."""
    app.expire()
    client = client_of(starlette_app(sessions), cookie, raise_server_exceptions=False)
    response = client.get("/broken")
    assert (response.status_code, response.text, cookies_in(response)) == (500, "Internal Server Error", [])
    assert len(cookies_in(client.get("/mine"))) == 1
    assert app.stack.count(GET_TOKENS) == 1


def test_wrapped_as_a_whole_even_that_error_brings_it(app, sessions, cookie):
    """Around the whole application the middleware also reaches the 500 of an unhandled error, and the error goes on."""
    whole = CognitoSessionMiddleware(Starlette(routes=routes()), sessions)
    app.expire()
    response = client_of(whole, cookie, raise_server_exceptions=False).get("/broken")
    assert (response.status_code, len(cookies_in(response))) == (500, 1)
    with pytest.raises(KeyError, match="bug"):
        client_of(whole, cookie).get("/broken")


def test_below_starlette_s_own_middlewares(app, sessions, cookie):
    """BaseHTTPMiddleware runs the rest in a task of its own: session, current_session and cookie come through it."""

    class Plain(BaseHTTPMiddleware):
        async def dispatch(self, request, call_next):
            before = await session_of(request)
            response = await call_next(request)
            response.headers["x-same"] = str(before is current_session())
            return response

    app.expire()
    response = client_of(starlette_app(sessions, Middleware(Plain)), cookie).get("/mine")
    assert (response.json()["same"], response.headers["x-same"], len(cookies_in(response))) == (True, "True", 1)
    assert app.stack.count(GET_TOKENS) == 1
    response = client_of(starlette_app(sessions, Middleware(Plain))).get("/forbidden")
    assert response.status_code == 401


def test_sign_out_deletes_the_cookie_in_any_case(app, sessions, cookie):
    """While the table fails signing out is a 503 that says so, and this browser holds the session no more."""

    async def leave(request: Request) -> None:
        await sign_out(request)

    application = Starlette(
        routes=[Route("/out", leave, methods=["POST"])], middleware=[Middleware(CognitoSessionMiddleware, sessions)]
    )
    app.stack.fault("*", "error500", times=None)
    response = client_of(application, cookie).post("/out", headers=OURS)
    assert response.status_code == 503
    assert cookies_in(response) == [f"{COOKIE}=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax"]


def test_a_mounted_application(app, sessions, cookie):
    """Below a Mount the same session is found, and the way back from sign-in is the whole path."""
    ours = Middleware(CognitoSessionMiddleware, sessions, login_path="/login")
    application = Starlette(routes=[Mount("/area", routes=routes())], middleware=[ours])
    assert client_of(application, cookie).get("/area/mine").status_code == 200
    response = client_of(application).get("/area/mine", headers={"accept": "text/html"})
    assert response.headers["location"] == "/login?return_to=/area/mine"


def test_two_applications_with_two_managers(app, cookie):
    """In one process, under one roof: each application has its own cookie and knows nothing of the other's."""
    staff = app.async_manager(cookie_name="staff")
    member = cookie_of(app.manager(cookie_name="staff").establish(app.sign_in(app.user())))
    both = Starlette(routes=[Mount("/a", starlette_app(app.async_manager())), Mount("/b", starlette_app(staff))])
    subs = [client_of(both, sent).get(f"/{side}/name").json()["sub"] for sent in (cookie, member) for side in "ab"]
    assert [sub is None for sub in subs] == [False, True, True, False]


def test_a_websocket(app, client, cookie):
    """A socket knows its user, takes the refreshed cookie along, and is refused to strangers and to other sites."""
    app.expire()
    with client.websocket_connect("/live", headers=OURS) as socket:
        assert socket.receive_text()
        assert [header for header, _ in socket.extra_headers] == [b"set-cookie"]
    with (
        pytest.raises(WebSocketDenialResponse) as refused,
        client.websocket_connect("/live", headers={"origin": "https://evil.example"}),
    ):
        pass
    assert (refused.value.status_code, refused.value.json()["reason"]) == (403, "cross_site")
    with pytest.raises(WebSocketDenialResponse) as refused, client.websocket_connect("/live", headers={"cookie": "token=no"}):
        pass
    assert refused.value.status_code == 401


def test_an_own_answer_to_a_refusal(sessions):
    """An application's own exception handler for our errors goes first."""

    async def own(request: Request, error: Exception) -> PlainTextResponse:
        return PlainTextResponse(f"no: {error.reason}", 418)

    async def refused(request: Request) -> None:
        raise SessionForbidden("x", reason="scope_required")

    ours = Middleware(CognitoSessionMiddleware, sessions)
    application = Starlette(routes=[Route("/", refused)], middleware=[ours], exception_handlers={SessionForbidden: own})
    response = client_of(application).get("/")
    assert (response.status_code, response.text) == (418, "no: scope_required")


async def test_a_request_and_a_response_in_starlette_s_form():
    """What managed login needs of Starlette: the request as ours, our response as Starlette's with every Set-Cookie its own."""
    headers = [(b"host", b"app.example"), (b"cookie", b"a=1"), (b"cookie", b"b=2")]
    native = Request(
        {"type": "http", "method": "GET", "path": "/a b", "raw_path": b"/a%20b", "query_string": b"c=d", "headers": headers}
    )
    assert request_of(native) == OurRequest("GET", "/a%20b", "c=d", {"host": ("app.example",), "cookie": ("a=1", "b=2")})
    door = adapt(native)
    assert door.request == request_of(native)
    sent = door.respond(redirect("/next", cookies=("a=1; Path=/", "b=2; Path=/")))
    assert (sent.status_code, sent.headers["location"]) == (303, "/next")
    assert sent.headers.getlist("set-cookie") == ["a=1; Path=/", "b=2; Path=/"]
    page = respond(Response(403, {"Content-Type": "text/html; charset=utf-8"}, "<p>caf\xe9</p>"))
    assert (page.headers["content-type"], page.body) == ("text/html; charset=utf-8", b"<p>caf\xc3\xa9</p>")


async def test_on_httpx_s_own_transport(app, cookie):
    """Served within the caller's own task, the middleware leaves no session behind in it."""
    transport = httpx.ASGITransport(app=starlette_app(app.async_manager()))
    async with httpx.AsyncClient(transport=transport, base_url=SITE) as client:
        response = await client.get("/mine", headers={"cookie": cookie})
    assert response.json()["same"] is True
    assert current_session() is None
