"""The ASGI middleware, message by message: what the suite of all doors does not ask for. Errors, WebSockets, cancellation."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from collections import Counter
from typing import Any, NamedTuple

import pytest

from cognito_session import (
    ConfigurationError,
    Session,
    SessionConflict,
    SessionForbidden,
    SessionRequired,
    SessionUnavailable,
    current_session,
)
from cognito_session.http.csrf import Csrf
from cognito_session.web.asgi import CognitoSessionMiddleware, request_of, request_session_of
from cognito_session.web.aws_lambda import event as lambda_event
from support.sealing_keys import ring
from support.stack import COOKIE, cookie_of, done, fresh, make_app, shared_stack

GET_TOKENS = "GetTokensFromRefreshToken"
WRITE = "UpdateItem"
KEYS = ring(1)
OURS = "https://app.example"
PAGE = {"sec-fetch-mode": "navigate", "accept": "text/html"}


@pytest.fixture
def stack(request):
    """The stack."""
    yield from fresh(shared_stack(request.config))


@pytest.fixture
def app(stack):
    """A pool and a table of one row per user, with rotation and no grace: the hardest setting."""
    return make_app(stack, rotation_grace_seconds=0)


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


class Reply(NamedTuple):
    """What one connection was sent."""

    messages: list[Any]

    @property
    def start(self) -> Any:
        return self.messages[0]

    @property
    def status(self) -> int:
        return self.start["status"]

    def all(self, name: str) -> list[str]:
        return [value.decode("latin-1") for found, value in self.start.get("headers", ()) if found == name.encode()]

    def one(self, name: str) -> str:
        (value,) = self.all(name)
        return value

    @property
    def cookies(self) -> list[str]:
        return self.all("set-cookie")

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages[1:])

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def scope_of(path: str = "/", *, method: str = "GET", **headers: str) -> dict[str, Any]:
    """The scope of a request; header names with underscores."""
    sent = {"host": "app.example", **headers}
    pairs = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in sent.items()]
    raw, _, query = path.partition("?")
    return {"type": "http", "method": method, "path": raw, "query_string": query.encode(), "headers": pairs}


def socket_of(*, extensions: Any = None, **headers: str) -> dict[str, Any]:
    """The scope of a WebSocket handshake."""
    scope = {name: value for name, value in scope_of("/live", **headers).items() if name != "method"}
    return {**scope, "type": "websocket", "extensions": extensions}


async def ask(app: Any, scope: dict[str, Any], *, receive: Any = None) -> Reply:
    """Serve one connection."""
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    async def nothing() -> Any:
        return {"type": "websocket.connect" if scope["type"] == "websocket" else "http.request"}

    await app(scope, receive or nothing, send)
    return Reply(messages)


def answering(status: int = 200, headers: Any = (), chunks: Any = (b"ok",), *, asks: Any = None) -> Any:
    """An application that asks for its session by `asks(visit)` and then answers."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if asks is not None:
            await asks(request_session_of(scope))
        pairs = [(name.encode(), value.encode()) for name, value in headers]
        await send({"type": "http.response.start", "status": status, "headers": pairs})
        for index, chunk in enumerate(chunks):
            await send({"type": "http.response.body", "body": chunk, "more_body": index < len(chunks) - 1})

    return application


def raising(error: BaseException, *, asks: Any = None) -> Any:
    """An application that asks, if it does, and then raises."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if asks is not None:
            await asks(request_session_of(scope))
        raise error

    return application


async def session(visit: Any) -> Session | None:
    """Ask for the session."""
    return await visit.asession()


async def required(visit: Any) -> Session:
    """Ask for a session that must be there."""
    return await visit.arequired()


async def never(scope: Any, receive: Any, send: Any) -> None:
    """An application that must not be reached."""
    raise AssertionError("called")


async def test_lifespan_and_unknown_kinds_pass_through(sessions):
    """What is neither a request nor a WebSocket reaches the application as it came."""
    seen = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope, await receive()))
        await send({"type": "lifespan.startup.complete"})

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    reply = await ask(CognitoSessionMiddleware(application, sessions), {"type": "lifespan"}, receive=receive)
    assert seen == [({"type": "lifespan"}, {"type": "lifespan.startup"})]
    assert reply.messages == [{"type": "lifespan.startup.complete"}]


# --- What somebody asks for


async def test_headers_of_caching_in_any_spelling_become_one_of_each_name(sessions, cookie):
    """Vary that comes twice, in two spellings, goes out once with all names; Cache-Control is replaced in any spelling."""
    said = [("Cache-Control", "public"), ("Vary", "Accept"), ("vary", "Origin")]
    middleware = CognitoSessionMiddleware(answering(headers=said, asks=session), sessions)
    reply = await ask(middleware, scope_of(cookie=cookie))
    names = [name.lower() for name, _ in reply.start["headers"]]
    assert (names.count(b"cache-control"), names.count(b"vary")) == (1, 1)
    assert (reply.one("cache-control"), reply.one("vary")) == ("no-store", "Accept, Origin, Cookie")


async def test_a_cookie_that_the_application_sets_itself_is_newer(app, sessions, cookie):
    """Where the application has set a cookie of our name (a sign-in's answer), the refreshed one stays away."""
    app.expire()
    own = [("set-cookie", f"{COOKIE}=new; Path=/"), ("cache-control", "private")]
    reply = await ask(CognitoSessionMiddleware(answering(headers=own, asks=session), sessions), scope_of(cookie=cookie))
    assert reply.cookies == [f"{COOKIE}=new; Path=/"]
    assert reply.one("cache-control") == "no-store"


async def test_a_sign_in_through_the_visit_wins_over_the_refresh(app, sessions, cookie):
    """What `visit.send` was given goes out in place of the cookie that the request's old session would have got."""
    app.expire()

    async def asks(visit: Any) -> None:
        await visit.asession()
        visit.send([f"{COOKIE}=signed-in; Path=/", "other=1"])

    reply = await ask(CognitoSessionMiddleware(answering(asks=asks), sessions), scope_of(cookie=cookie))
    assert reply.cookies == [f"{COOKIE}=signed-in; Path=/", "other=1"]


async def test_a_lost_cookie_is_sent_again(app, sessions, cookie):
    """An unhandled error takes the response away, not the session: the next request is sent the same new cookie."""
    app.expire()
    with pytest.raises(KeyError):
        await ask(CognitoSessionMiddleware(raising(KeyError("bug"), asks=session), sessions), scope_of(cookie=cookie))
    reply = await ask(CognitoSessionMiddleware(answering(asks=required), sessions), scope_of(cookie=cookie))
    assert [line.partition("=")[0] for line in reply.cookies] == [COOKIE]
    assert app.stack.count(GET_TOKENS) == 1


async def test_fifty_requests_at_expiry_are_one_refresh(app, sessions, cookie):
    """50 at once: one refresh call, all served, every one sent the same cookie."""
    app.expire()
    middleware = CognitoSessionMiddleware(answering(asks=required), sessions)
    replies = await asyncio.wait_for(asyncio.gather(*(ask(middleware, scope_of(cookie=cookie)) for _ in range(50))), 40)
    assert Counter(reply.status for reply in replies) == {200: 50}
    assert len({reply.one("set-cookie").partition(";")[0] for reply in replies}) == 1
    assert app.stack.count(GET_TOKENS) == 1


@pytest.mark.parametrize("after", [False, True], ids=["before the work", "after the work"])
async def test_a_cancelled_request_still_commits(app, cookie, after):
    """The server cancels the request during the refresh: the rotated token is stored, the next request needs no second one."""
    middleware = CognitoSessionMiddleware(answering(asks=required), app.async_manager())
    app.expire()
    with app.stack.gate(GET_TOKENS, after=after) as gate:
        request = asyncio.create_task(ask(middleware, scope_of(cookie=cookie)))
        await asyncio.to_thread(gate.wait_for, 1)
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
    reply = await ask(middleware, scope_of(cookie=cookie))
    assert (reply.status, len(reply.cookies)) == (200, 1)
    spent = Counter(done(app.stack))
    assert (spent[GET_TOKENS], spent[WRITE], spent["RevokeToken"]) == (1, 2, 0)


# --- Errors


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (SessionRequired("x", reason="idle_timeout"), 401),
        (SessionForbidden("x", reason="stale_sign_in"), 403),
        (SessionConflict("x"), 409),
        (SessionUnavailable("x", retry_after=7), 503),
    ],
    ids=["401", "403", "409", "503"],
)
async def test_a_session_error_is_answered(app, sessions, cookie, error, status):
    """A program gets JSON with the reason, no cookie cleared, and the cookie of a session that was refreshed before."""
    app.expire()
    reply = await ask(CognitoSessionMiddleware(raising(error, asks=session), sessions), scope_of(cookie=cookie))
    assert (reply.status, reply.json["reason"]) == (status, error.reason)
    assert reply.all("retry-after") == (["7"] if status == 503 else [])
    assert (reply.one("cache-control"), reply.one("vary")) == ("no-store", "Cookie")
    assert [line.partition("=")[0] for line in reply.cookies] == [COOKIE]
    assert int(reply.one("content-length")) == len(reply.body)


async def test_the_way_back_without_a_raw_path(sessions):
    """Where a server gives no `raw_path`, the path of the way back is escaped again."""
    middleware = CognitoSessionMiddleware(answering(asks=required), sessions, login_path="/login")
    scope = {**scope_of("/caf\xe9/a b?x=1&y=%20", **PAGE), "raw_path": None}
    reply = await ask(middleware, scope)
    assert (reply.status, reply.one("location")) == (303, "/login?return_to=/caf%25C3%25A9/a%2520b%3Fx%3D1%26y%3D%2520")


async def test_what_is_set_up_wrong_is_logged_and_not_shown(sessions, caplog):
    """A ConfigurationError is a 500 for the visitor and a sentence in the operator's log."""
    with caplog.at_level(logging.ERROR, "cognito_session"):
        reply = await ask(CognitoSessionMiddleware(raising(ConfigurationError("TABLE: name it")), sessions), scope_of())
    assert (reply.status, reply.json) == (500, {"error": "misconfigured", "reason": "configuration"})
    assert "TABLE: name it" in caplog.text


async def test_any_other_exception_passes_through(sessions):
    """A bug in the application reaches the server as it is, and nothing has been sent in its place."""
    sent = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request"}

    with pytest.raises(KeyError, match="bug"):
        await CognitoSessionMiddleware(raising(KeyError("bug")), sessions)(scope_of(), receive, send)
    assert sent == []


async def test_once_a_response_has_begun_an_error_cannot_become_another(sessions):
    """A SessionError in the middle of a response is raised on: the server cuts the response short."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise SessionRequired("late")

    with pytest.raises(SessionRequired):
        await ask(CognitoSessionMiddleware(application, sessions), scope_of())


# --- Cross-site requests


@pytest.mark.parametrize(
    ("path", "raw", "passes"),
    [
        ("/hooks/stripe", b"/hooks/stripe", True),
        ("/hooks/stripe", None, True),
        ("/hooks/../admin", b"/hooks/../admin", False),
        ("/hooks/a/../admin", b"/hooks/a/%2e%2e/admin", False),
        ("/admin", b"/admin", False),
    ],
)
async def test_an_exempt_path_is_the_one_that_was_sent(app, path, raw, passes):
    """Exemptions go by the path as sent, escapes and all, so that none reaches another route."""
    manager = app.async_manager(csrf=Csrf(exempt=["/hooks/*"]))
    scope = {**scope_of(path, method="POST"), "raw_path": raw}
    assert (await ask(CognitoSessionMiddleware(answering() if passes else never, manager), scope)).status == (
        200 if passes else 403
    )


async def test_a_header_token_speaks_for_an_old_browser(app):
    """With neither header the session's own token in X-CSRF-Token passes; the question was asked, so it is no-store."""
    manager = app.async_manager(csrf=Csrf(header_token=True), session_keys=KEYS)
    me = await manager.establish(app.sign_in(app.user()))
    token = await manager.csrf_token(me)
    middleware = CognitoSessionMiddleware(answering(), manager)
    reply = await ask(middleware, scope_of(method="POST", cookie=cookie_of(me), x_csrf_token=token))
    assert (reply.status, reply.one("cache-control")) == (200, "no-store")
    reply = await ask(middleware, scope_of(method="POST", cookie=cookie_of(me), x_csrf_token="x" + token[1:]))
    assert reply.status == 403


# --- WebSockets


async def accepting(scope: Any, receive: Any, send: Any) -> None:
    """An application that asks who opens the socket, accepts it and says so."""
    me = await request_session_of(scope).arequired()
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept", "headers": [(b"x-own", b"1")]})
    await send({"type": "websocket.send", "text": me.sub})


async def test_a_handshake_brings_its_session_and_takes_the_cookie_along(app, sessions, cookie):
    """A WebSocket knows its user; a refresh at the handshake puts the new cookie on the accepting response."""
    app.expire()
    reply = await ask(CognitoSessionMiddleware(accepting, sessions), socket_of(cookie=cookie, origin=OURS))
    assert [message["type"] for message in reply.messages] == ["websocket.accept", "websocket.send"]
    assert [name for name, _ in reply.start["headers"]] == [b"x-own", b"set-cookie"]
    assert reply.cookies[0].startswith(f"{COOKIE}=")


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ({}, True),
        ({"origin": OURS}, True),
        ({"origin": OURS, "sec_fetch_site": "same-origin"}, True),
        ({"origin": "https://trusted.example", "sec_fetch_site": "cross-site"}, True),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "null"}, False),
        ({"origin": "http://app.example"}, False),
        ({"origin": "https://app.example.evil.example"}, False),
        ({"origin": "https://evil.example", "sec_fetch_site": "same-origin"}, False),
        ({"origin": OURS, "sec_fetch_site": "cross-site"}, False),
        ({"sec_fetch_site": "same-site"}, False),
        ({"sec_fetch_site": "cross-site"}, False),
    ],
)
async def test_a_page_of_another_site_opens_no_socket(app, stack, cookie, headers, passes):
    """A foreign handshake, once taken, is closed with 1008 and asks nobody; ours, a trusted one and a program's pass."""
    manager = app.async_manager(csrf=Csrf(trusted_origins=["https://trusted.example"]))
    taken = []

    async def receive() -> Any:
        taken.append("websocket.connect")
        return {"type": "websocket.connect"}

    middleware = CognitoSessionMiddleware(accepting if passes else never, manager)
    reply = await ask(middleware, socket_of(cookie=cookie, **headers), receive=receive)
    assert taken == ["websocket.connect"]
    if passes:
        assert reply.start["type"] == "websocket.accept"
    else:
        assert reply.messages == [{"type": "websocket.close", "code": 1008, "reason": "cross_site"}]
        assert stack.calls() == []


@pytest.mark.parametrize("cross_site", [True, False])
async def test_a_refused_handshake_is_answered_where_the_server_can(sessions, cross_site):
    """With the extension `websocket.http.response` the refusal is an ordinary response with status and reason."""
    extensions = {"websocket.http.response": {}}
    headers = {"origin": "https://evil.example"} if cross_site else {}
    reply = await ask(CognitoSessionMiddleware(accepting, sessions), socket_of(extensions=extensions, **headers))
    assert [message["type"] for message in reply.messages] == ["websocket.http.response.start", "websocket.http.response.body"]
    assert (reply.status, reply.json["reason"]) == ((403, "cross_site") if cross_site else (401, "no_cookie"))


@pytest.mark.parametrize(
    ("error", "code"),
    [(SessionRequired("x"), 1008), (SessionUnavailable("x"), 1013), (ConfigurationError("x"), 1011)],
    ids=["401", "503", "500"],
)
@pytest.mark.parametrize("accepted", [False, True], ids=["before", "after accepting"])
async def test_a_session_error_closes_the_socket(sessions, accepted, error, code):
    """RefreshDenied, try again later, and set up wrong have a close code each, before and after the socket was accepted."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if accepted:
            await send({"type": "websocket.accept"})
        raise error

    extensions = {"websocket.http.response": {}} if accepted else None
    reply = await ask(CognitoSessionMiddleware(application, sessions), socket_of(extensions=extensions))
    assert reply.messages[-1] == {"type": "websocket.close", "code": code, "reason": error.reason}
    assert len(reply.messages) == 1 + accepted


async def test_a_closed_socket_is_not_closed_again(sessions):
    """A SessionError after the application has closed the socket is raised on."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.close", "code": 1000})
        raise SessionRequired("late")

    with pytest.raises(SessionRequired):
        await ask(CognitoSessionMiddleware(application, sessions), socket_of())


async def test_an_application_s_own_denial_carries_the_session_s_headers(app, sessions, cookie):
    """An application that answers a handshake by a response of its own sends the refreshed cookie with it, uncached."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await request_session_of(scope).asession()
        await send({"type": "websocket.http.response.start", "status": 409, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b""})

    app.expire()
    reply = await ask(CognitoSessionMiddleware(application, sessions), socket_of(cookie=cookie))
    assert (reply.status, len(reply.cookies), reply.one("cache-control")) == (409, 1, "no-store")


# --- current_session, and several managers


async def test_current_session_reaches_threads_and_tasks(sessions, cookie):
    """Nobody before somebody has asked, the session afterwards, in a thread and in tasks of both; nobody outside."""
    seen = []

    async def asks(visit: Any) -> None:
        seen.append(current_session())
        await asyncio.create_task(visit.asession())
        seen.append(current_session())
        seen.append(await asyncio.to_thread(current_session))
        seen.append(await asyncio.create_task(asyncio.to_thread(current_session)))

    await ask(CognitoSessionMiddleware(answering(asks=asks), sessions), scope_of(cookie=cookie))
    assert seen[0] is None
    assert isinstance(seen[1], Session)
    assert seen[1:] == [seen[1]] * 3
    assert current_session() is None


async def test_two_managers_around_one_application(app, cookie):
    """Each has its own cookie, visit and refresh; current_session() is the innermost that was asked."""
    people, staff = app.async_manager(), app.async_manager(cookie_name="staff")
    me = await staff.establish(app.sign_in(app.user()))
    app.expire()
    seen = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        first = await request_session_of(scope, people).arequired()
        seen.append(current_session() is first)
        second = await request_session_of(scope, staff).arequired()
        seen.append(current_session() is second)
        seen.append(first.sub != second.sub)
        with pytest.raises(ConfigurationError, match="several"):
            request_session_of(scope)
        await answering()(scope, receive, send)

    outer = CognitoSessionMiddleware(CognitoSessionMiddleware(application, staff), people)
    reply = await ask(outer, scope_of(cookie=f"{cookie}; {cookie_of(me)}"))
    assert seen == [True, True, True]
    assert sorted(line.partition("=")[0] for line in reply.cookies) == ["staff", COOKIE]
    assert (reply.one("cache-control"), reply.one("vary")) == ("no-store", "Cookie")


async def test_each_of_two_managers_checks(app):
    """A page that only one of two managers trusts changes nothing: both are asked."""
    trusting, strict = app.async_manager(csrf=Csrf(trusted_origins=["https://t.example"])), app.async_manager()
    for inner, outer in ((trusting, strict), (strict, trusting)):
        nested = CognitoSessionMiddleware(CognitoSessionMiddleware(never, inner), outer)
        assert (await ask(nested, scope_of(method="POST", origin="https://t.example"))).status == 403


async def test_the_same_manager_twice_is_once(app, sessions, cookie):
    """A middleware of a mounted application steps aside where its manager is already there: one visit, one cookie."""
    app.expire()
    nested = CognitoSessionMiddleware(CognitoSessionMiddleware(answering(asks=required), sessions), sessions)
    reply = await ask(nested, scope_of(cookie=cookie))
    assert (reply.status, len(reply.cookies), len(reply.all("vary"))) == (200, 1, 1)


async def test_a_scope_key_of_one_s_own(sessions):
    """`scope_key` says where the visit is put, and where it is found."""
    seen = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        seen.append(request_session_of(scope, sessions, scope_key="mine").engine)
        with pytest.raises(ConfigurationError, match="CognitoSessionMiddleware"):
            request_session_of(scope, sessions)
        await answering()(scope, receive, send)

    await ask(CognitoSessionMiddleware(application, sessions, scope_key="mine"), scope_of())
    assert seen == [sessions.engine]


def test_without_the_middleware_it_says_what_to_do(sessions):
    """A scope that no middleware has seen is a ConfigurationError that names it."""
    with pytest.raises(ConfigurationError, match="add_middleware"):
        request_session_of(scope_of(), sessions)


# --- Odds and ends


def test_a_scope_as_a_request():
    """Method, path as it was sent, query and headers, each value kept, bytes read as latin-1."""
    scope = {**scope_of("/a b?x=1", method="PUT", accept="caf\xe9"), "raw_path": b"/a%20b?x=1"}
    scope["headers"] += [(b"cookie", b"a=1"), (b"Cookie", b"b=2")]
    request = request_of(scope)
    assert request[:3] == ("PUT", "/a%20b", "x=1")
    assert request.cookie_headers == ("a=1", "b=2")
    assert request.header("accept") == "caf\xe9"
    assert request_of({**scope, "raw_path": b"/a%2fb"}).path == "/a%2fb"
    assert request_of({**scope, "raw_path": None}).path == "/a%20b"
    assert request_of({**scope, "query_string": "a=\xf8&b=%zz".encode()}).query == "a=%C3%B8&b=%zz"  # as a program sends it
    assert request_of(socket_of()).method == "GET"


async def test_time_left_comes_from_the_lambda_context(app, cookie, monkeypatch):
    """Below an adapter that hands on Lambda's context a refresh is not begun where too little time is left."""
    monkeypatch.setattr(lambda_event, "_warned", [True])

    class Context:
        def get_remaining_time_in_millis(self) -> int:
            return 3_000

    app.expire()
    middleware = CognitoSessionMiddleware(answering(asks=session), app.async_manager())
    reply = await ask(middleware, {**scope_of(cookie=cookie), "aws.context": Context()})
    assert (reply.status, app.stack.count(GET_TOKENS)) == (503, 0)


async def test_no_secret_is_shown(app, cookie):
    """Neither the middleware's repr nor its visit's holds a cookie."""
    middleware = CognitoSessionMiddleware(answering(), app.async_manager())
    scope = scope_of(cookie=cookie)
    await ask(middleware, scope)
    assert cookie.partition("=")[2] not in repr(middleware) + repr(request_session_of(scope))


def test_it_knows_no_framework():
    """Importing the middleware loads neither a framework nor asyncio."""
    program = (
        "import sys, cognito_session.web.asgi; print(sorted({'starlette', 'fastapi', 'asyncio', 'anyio'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.strip() == "[]"


async def test_a_client_that_hangs_up_is_served_to_the_end(app, cookie):
    """A server that only says http.disconnect lets the refresh finish; the application answers into the void."""
    app.expire()
    answered = asyncio.Event()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await request_session_of(scope).arequired()
        assert (await receive())["type"] == "http.disconnect"
        await answering()(scope, receive, send)
        answered.set()

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    await ask(CognitoSessionMiddleware(application, app.async_manager()), scope_of(cookie=cookie), receive=receive)
    assert answered.is_set()
    assert app.stack.count(WRITE) == 2
