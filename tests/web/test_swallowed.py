"""Frameworks that answer every exception themselves: a SessionError below our middleware is the answer that it stands for."""

# Annotations are not postponed in this file: Litestar reads those of its handlers.

import asyncio
import logging
from pathlib import Path
from typing import Any

import bottle
import falcon
import falcon.asgi
import flask
import litestar
import pytest
import quart
from starlette.applications import Starlette
from starlette.routing import Route

from cognito_session import ConfigurationError, SessionForbidden, SessionRequired, SessionUnavailable
from cognito_session.core.errors import KeysUnavailable
from cognito_session.web import asgi, wsgi
from doors import wires
from managed.scene import sealed
from web.gateways import Call

ERRORS = {
    401: (SessionRequired("x"), {"error": "unauthorized", "reason": "no_cookie"}),
    403: (SessionForbidden("x", reason="group_required"), {"error": "forbidden", "reason": "group_required"}),
    503: (SessionUnavailable("x"), {"error": "unavailable", "reason": "unavailable"}),
    500: (ConfigurationError("x"), {"error": "misconfigured", "reason": "configuration"}),
}


def fail(status: int) -> str:
    """What a handler does: raise a new error of this kind."""
    error = ERRORS[status][0]
    raise type(error)(str(error), reason=error.reason)


def deal_with_it() -> None:
    """What a handler may do first: catch a SessionError and go on."""
    try:
        fail(401)
    except SessionRequired:
        return


def unrelated() -> str:
    """A fault of the application's own, after it has dealt with ours."""
    deal_with_it()
    raise RuntimeError("the application's own fault")


def quietly(name: str) -> None:
    logging.getLogger(name).disabled = True


def litestar_application(view: Any) -> Any:
    @litestar.get("/me")
    async def me() -> str:
        return view()

    return litestar.Litestar([me], openapi_config=None, logging_config=None)


def litestar_sync_application(view: Any) -> Any:
    @litestar.get("/me", sync_to_thread=True)
    def me() -> str:
        return view()

    return litestar.Litestar([me], openapi_config=None, logging_config=None)


def quart_application(view: Any) -> Any:
    application = quart.Quart("swallowed", root_path=str(Path(__file__).parent))
    application.add_url_rule("/me", "me", view)  # a plain function: Quart runs it in a thread
    return application


def falcon_asgi_application(view: Any) -> Any:
    quietly("falcon")

    class Resource:
        async def on_get(self, _req: Any, _resp: Any) -> None:
            view()

    application = falcon.asgi.App()
    application.add_route("/me", Resource())
    return application


def starlette_application(view: Any) -> Any:
    async def me(_request: Any) -> Any:
        return view()

    return Starlette(routes=[Route("/me", me)])


def bottle_application(view: Any) -> Any:
    application = bottle.Bottle()
    application.route("/me", "GET", view)
    return application


def bottle_generator_application(view: Any) -> Any:
    application = bottle.Bottle()

    def me() -> Any:
        yield view()

    application.route("/me", "GET", me)
    return application


def falcon_application(view: Any) -> Any:
    quietly("falcon")

    class Resource:
        def on_get(self, _req: Any, _resp: Any) -> None:
            view()

    application = falcon.App()
    application.add_route("/me", Resource())
    return application


def flask_application(view: Any) -> Any:
    """Below the plain middleware, without the extension."""
    application = flask.Flask("swallowed", root_path=str(Path(__file__).parent))
    application.add_url_rule("/me", "me", view)
    return application


ASGI = {
    "litestar": litestar_application,
    "litestar, sync": litestar_sync_application,
    "quart, sync": quart_application,
    "falcon.asgi": falcon_asgi_application,
    "starlette, wrapped": starlette_application,
}
WSGI = {
    "bottle": bottle_application,
    "bottle, generator": bottle_generator_application,
    "falcon": falcon_application,
    "flask": flask_application,
}


@pytest.fixture(params=[*ASGI, *WSGI])
def ask(request, app):
    """Ask an application of each kind below our middleware, whose view is given."""
    sessions, name = sealed(app), request.param

    def ask_it(view: Any, *, headers: Any = ()) -> Any:
        call = Call("GET", "/me", headers=headers)
        if name in ASGI:
            return wires.asgi(asgi.CognitoSessionMiddleware(ASGI[name](view), sessions, login_path="/login"))(call)
        return wires.wsgi(wsgi.CognitoSessionMiddleware(WSGI[name](view), sessions, login_path="/login"))(call)

    return ask_it


@pytest.mark.parametrize("status", ERRORS)
def test_an_error_of_a_handler_is_the_answer_it_stands_for(ask, status):
    """401, 403, 503 and 500 with our body, not the framework's 500; 503 says when to try again."""
    answer = ask(lambda: fail(status))
    assert (answer.status, bottle.json_loads(answer.body)) == (status, ERRORS[status][1])
    assert answer.values("cache-control") == ["no-store"]
    assert answer.values("retry-after") == (["1"] if status == 503 else [])


def test_a_person_is_sent_to_sign_in(ask):
    """A page navigation without a session becomes a redirect."""
    answer = ask(lambda: fail(401), headers=(("Sec-Fetch-Mode", "navigate"),))
    assert (answer.status, answer.values("location")) == (303, ["/login?return_to=/me"])


def test_a_fault_of_the_applications_own_stays_what_it_is(ask):
    """It is no refusal, although the application has met and dealt with one before."""
    try:
        answer = ask(unrelated)
    except RuntimeError:  # Starlette's middleware sends its 500 and raises the error again
        return
    assert answer.status == 500
    assert b"unauthorized" not in answer.body


def test_errors_inside_the_package_are_not_taken_for_the_answer(ask):
    """An error that a part of ours made and dealt with is not the request's."""

    def view() -> Any:
        KeysUnavailable("never raised")
        raise RuntimeError("the application's own fault")

    try:
        answer = ask(view)
    except RuntimeError:
        return
    assert answer.status == 500
    assert b"unavailable" not in answer.body


@pytest.mark.parametrize("kind", ["litestar", "quart"])
@pytest.mark.parametrize("accept", [False, True], ids=["before accept", "after accept"])
@pytest.mark.parametrize(("status", "code"), [(401, 1008), (403, 1008), (503, 1013), (500, 1011)])
def test_a_websocket_is_closed_with_our_code(app, kind, accept, status, code):
    """Litestar closes with 4500 and Quart with 1000, which says nothing: the code and the reason are ours."""
    if kind == "litestar":

        @litestar.websocket("/ws")
        async def ws(socket: litestar.WebSocket[Any, Any, Any]) -> None:
            if accept:
                await socket.accept()
            fail(status)

        application: Any = litestar.Litestar([ws], openapi_config=None, logging_config=None)
    else:
        application = quart.Quart("swallowed", root_path=str(Path(__file__).parent))

        @application.websocket("/ws")
        async def ws() -> None:
            if accept:
                await quart.websocket.accept()
            fail(status)

    sent: list[Any] = []
    received = iter([{"type": "websocket.connect"}])
    over = asyncio.Event()

    async def receive() -> Any:
        for message in received:
            return message
        await over.wait()  # as a server does; some versions of Quart wait for it
        return {"type": "websocket.disconnect", "code": 1005}

    async def send(message: Any) -> None:
        sent.append(message)
        if message["type"] == "websocket.close":
            over.set()

    scope = {
        "type": "websocket",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "wss",
        "server": ("app.example.test", 443),
        "client": ("127.0.0.1", 5000),
        "root_path": "",
        "path": "/ws",
        "raw_path": b"/ws",
        "query_string": b"",
        "subprotocols": [],
        "headers": [(b"host", b"app.example.test")],
    }
    ours = asgi.CognitoSessionMiddleware(application, sealed(app))
    asyncio.run(asyncio.wait_for(ours(scope, receive, send), 20))
    closed = sent[-1]
    assert [message["type"] for message in sent] == (["websocket.accept"] if accept else []) + ["websocket.close"]
    assert (closed["code"], closed["reason"]) == (code, ERRORS[status][1]["reason"])
