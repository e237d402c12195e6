"""CORS preflights and events that are no requests: neither can carry a session, and neither may open a way around one."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import flask
import pytest
from aws_lambda_powertools.event_handler import (
    ALBResolver,
    APIGatewayHttpResolver,
    APIGatewayRestResolver,
    CORSConfig,
    LambdaFunctionUrlResolver,
    Response,
)
from fastapi import Depends, FastAPI
from starlette.middleware.cors import CORSMiddleware

from cognito_session import ConfigurationError
from cognito_session.http.request import Request
from cognito_session.web import asgi, wsgi
from cognito_session.web.fastapi import CognitoAuth
from cognito_session.web.flask import CognitoSession, session_required
from cognito_session.web.powertools import session_middleware
from doors import wires
from managed.scene import sealed
from support.stack import cookie_of
from web.gateways import GATEWAYS, Call

SHOP = "https://shop.example"
ASKED = (("Origin", SHOP), ("Access-Control-Request-Method", "GET"), ("Sec-Fetch-Mode", "cors"))
PREFLIGHT = Call("OPTIONS", "/me", headers=ASKED)
RESOLVERS = {
    "rest": APIGatewayRestResolver,
    "http-v1": APIGatewayRestResolver,
    "http-v2": APIGatewayHttpResolver,
    "function-url": LambdaFunctionUrlResolver,
    "alb": ALBResolver,
    "alb-multi": ALBResolver,
}
CORS = {"access-control-allow-origin": SHOP, "access-control-allow-methods": "GET"}


@pytest.fixture
def manager(app):
    """A synchronous manager with a sealed cookie."""
    return sealed(app)


def powertools(name, ours, *, cors=True):
    """A Powertools application with our middleware before every route, or without."""
    router = RESOLVERS[name](cors=CORSConfig(allow_origin=SHOP, max_age=600, allow_credentials=True) if cors else None)
    if ours is not None:
        router.use(middlewares=[ours])
    ran = []

    @router.get("/me")
    def me() -> Any:
        ran.append("me")
        return {}

    @router.route("/both", method=["GET", "OPTIONS"])
    def both() -> Any:
        ran.append(router.context["session"])
        return Response(200, "text/plain", "a secret", headers={"X-Own": "1"})

    return lambda call: GATEWAYS[name].answer(router.resolve(GATEWAYS[name].event(call), None)), ran


@pytest.mark.parametrize("name", RESOLVERS)
@pytest.mark.parametrize("optional", [False, True], ids=["required", "optional"])
def test_powertools_answers_a_preflight_as_without_us(manager, name, optional):
    """The middleware used globally with CORSConfig: the same answer to the letter, and no route has run."""
    ask, ran = powertools(name, session_middleware(manager, optional=optional))
    without, _ = powertools(name, None)
    assert ask(PREFLIGHT) == without(PREFLIGHT)
    assert (ask(PREFLIGHT).status, ask(PREFLIGHT).values("access-control-allow-origin"), ran) == (204, [SHOP], [])


@pytest.mark.parametrize("name", RESOLVERS)
def test_powertools_answers_an_unknown_path_as_without_us(manager, name):
    """404 for every method, signed in or not; a known path stays 401."""
    ask, _ = powertools(name, session_middleware(manager))
    without, _ = powertools(name, None)
    for method in ("GET", "POST", "OPTIONS", "DELETE"):
        call = Call(method, "/nowhere", headers=(("Sec-Fetch-Site", "cross-site"),))
        assert ask(call) == without(call)
    assert ask(Call("GET", "/nowhere")).status == 404
    assert ask(Call("GET", "/me")).status == 401
    plain, _ = powertools(name, session_middleware(manager), cors=False)
    assert plain(PREFLIGHT).status == 404


@pytest.mark.parametrize("name", RESOLVERS)
def test_a_powertools_route_of_its_own_meets_a_preflight_without_a_session(manager, name):
    """A route with OPTIONS among its methods runs, and what it says to nobody has no body; an ordinary OPTIONS is a 401."""
    ask, ran = powertools(name, session_middleware(manager))
    answer = ask(PREFLIGHT._replace(path="/both"))
    assert (answer.status, answer.values("x-own"), answer.body, ran) == (200, ["1"], b"", [None])
    assert ask(Call("OPTIONS", "/both")).status == 401
    assert ask(PREFLIGHT._replace(path="/both", body=b"x")).status in (200, 401)
    assert len(ran) <= 2


def protected(manager, handler, *, asynchronous, **keywords):
    """A protected handler of either kind."""

    async def coroutine(event: Any, context: Any, me: Any) -> Any:
        return handler(event, context, me)

    return manager.protect(coroutine if asynchronous else handler, **keywords)


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("name", GATEWAYS)
def test_protect_lets_a_preflight_through(manager, name, asynchronous):
    """The handler is called with None and its headers go out untouched."""
    seen = []

    def handler(event: Any, context: Any, me: Any) -> Any:
        seen.append(me)
        return {"statusCode": 204, "headers": dict(CORS), "body": "", "isBase64Encoded": False}

    function = protected(manager, handler, asynchronous=asynchronous)
    event = GATEWAYS[name].event(PREFLIGHT)
    assert function(event, None) == handler(event, None, None)
    assert seen == [None, None]


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_a_forged_preflight_reads_nothing(manager, asynchronous):
    """A handler that ignores method and session keeps its answer's body; one that uses the session is answered 401."""
    event = GATEWAYS["http-v2"].event(PREFLIGHT)
    careless = protected(manager, lambda *_: {"statusCode": 200, "body": "a secret"}, asynchronous=asynchronous)
    inferred = protected(manager, lambda *_: {"secret": 1}, asynchronous=asynchronous)
    using = protected(manager, lambda _event, _context, me: {"statusCode": 200, "body": me.sub}, asynchronous=asynchronous)
    assert careless(event, None) == {"statusCode": 200, "body": ""}
    assert inferred(event, None) == {"statusCode": 200, "body": ""}
    assert using(event, None)["statusCode"] == 401


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_a_flood_of_preflights_fills_no_log(manager, asynchronous, caplog):
    """Anybody can send preflights: a handler that uses the session has one traceback a minute in the log."""
    event = GATEWAYS["http-v2"].event(PREFLIGHT)
    using = protected(manager, lambda _event, _context, me: {"statusCode": 200, "body": me.sub}, asynchronous=asynchronous)
    for _ in range(20):
        assert using(event, None)["statusCode"] == 401
    lines = [each for each in caplog.records if "preflight" in each.getMessage()]
    assert len(lines) == 1
    assert lines[0].exc_info is not None


NOT_PREFLIGHTS = {
    "no Origin": PREFLIGHT._replace(headers=ASKED[1:]),
    "no requested method": PREFLIGHT._replace(headers=ASKED[:1]),
    "GET": PREFLIGHT._replace(method="GET"),
    "POST": PREFLIGHT._replace(method="POST"),
    "a cookie": PREFLIGHT._replace(cookies=("a=b",)),
    "credentials": PREFLIGHT._replace(headers=(*ASKED, ("Authorization", "Bearer x"))),
    "a body": PREFLIGHT._replace(headers=(*ASKED, ("Content-Length", "3")), body=b"a=b"),
}


@pytest.mark.parametrize("call", NOT_PREFLIGHTS.values(), ids=NOT_PREFLIGHTS)
@pytest.mark.parametrize("name", GATEWAYS)
def test_what_is_no_preflight_needs_a_session(manager, name, call):
    """An ordinary OPTIONS request, and whatever no browser sends as a preflight, is refused as before."""
    called = []
    function = manager.protect(lambda *_: called.append(1))
    assert function(GATEWAYS[name].event(call), None)["statusCode"] in (401, 403)
    assert called == []


def test_an_options_request_of_a_user_is_served_with_the_session(app, manager):
    """With the cookie it is a request like any other."""
    cookie = cookie_of(manager.establish(app.sign_in(app.user())))
    function = manager.protect(lambda _event, _context, me: {"statusCode": 200, "body": me.username})
    assert function(GATEWAYS["http-v2"].event(PREFLIGHT._replace(cookies=(cookie,))), None)["body"]


# --- other adapters: the framework's own CORS support answers


@pytest.mark.parametrize("outside", [True, False], ids=["CORS outside", "CORS inside"])
def test_fastapi_s_cors_middleware_answers(manager, outside):
    """On either side of our middleware; the guarded route stays 401."""
    application, auth = FastAPI(), CognitoAuth(manager)

    @application.get("/me", dependencies=[Depends(auth.required)])
    async def me() -> str:
        raise AssertionError("unreachable: nobody is signed in")

    adders = [
        lambda: auth.init_app(application),
        lambda: application.add_middleware(CORSMiddleware, allow_origins=[SHOP], allow_credentials=True),
    ]
    for add in adders if outside else reversed(adders):
        add()
    ask = wires.asgi(application)
    answer = ask(PREFLIGHT)
    assert (answer.status, answer.values("access-control-allow-origin"), answer.cookies) == (200, [SHOP], [])
    assert ask(PREFLIGHT._replace(method="GET")).status == 401


def test_flask_s_own_answer_to_options(manager):
    """Views below `session_required` are not called for it; the view stays 401."""
    application = flask.Flask(__name__)
    CognitoSession(application, manager)

    @application.get("/me")
    @session_required
    def me() -> str:
        raise AssertionError("unreachable: nobody is signed in")

    @application.after_request
    def cors(response: flask.Response) -> flask.Response:
        response.headers.update(CORS)
        return response

    ask = wires.wsgi(application)
    answer = ask(PREFLIGHT)
    assert (answer.status, answer.values("access-control-allow-origin"), answer.cookies) == (200, [SHOP], [])
    assert ask(PREFLIGHT._replace(method="GET")).status == 401


def test_asgi_and_wsgi_applications_answer_themselves(manager):
    """Our middleware refuses no OPTIONS request; nothing is added to the answer."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        headers = [(name.encode(), value.encode()) for name, value in CORS.items()]
        await send({"type": "http.response.start", "status": 204, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    def wsgi_application(environ: Any, start_response: Any) -> Any:
        start_response("204 No Content", list(CORS.items()))
        return []

    for ask in (
        wires.asgi(asgi.CognitoSessionMiddleware(application, manager)),
        wires.wsgi(wsgi.CognitoSessionMiddleware(wsgi_application, manager)),
    ):
        assert ask(PREFLIGHT) == (204, list(CORS.items()), b"")


# --- events that are no requests


OTHER_EVENTS = {
    "schedule": {"version": "0", "id": "1", "detail-type": "Scheduled Event", "source": "aws.events", "detail": {}},
    "warm-up plugin": {"source": "serverless-plugin-warmup"},
    "warmer": {"warmer": True, "concurrency": 3},
    "SQS": {"Records": [{"messageId": "1", "body": "{}", "eventSource": "aws:sqs"}]},
    "S3": {"Records": [{"eventSource": "aws:s3", "s3": {}}]},
    "empty": {},
    "list": [1, 2],
    "text": "ping",
    "nothing": None,
}


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("event", OTHER_EVENTS.values(), ids=OTHER_EVENTS)
def test_other_events_have_a_function_of_their_own(manager, event, asynchronous):
    """It gets event and context and its answer is passed on as it is; the protected handler never sees such an event."""
    called = []

    def other(event: Any, context: Any) -> Any:
        return {"warm": event, "context": context}

    async def other_coroutine(event: Any, context: Any) -> Any:
        return other(event, context)

    function = protected(
        manager, lambda *_: called.append(1), asynchronous=asynchronous, other_events=other_coroutine if asynchronous else other
    )
    assert function(event, "context") == {"warm": event, "context": "context"}
    if asynchronous:
        assert asyncio.run(function.aio(event, "context")) == {"warm": event, "context": "context"}
    assert called == []


@pytest.mark.parametrize("event", OTHER_EVENTS.values(), ids=OTHER_EVENTS)
def test_without_such_a_function_the_error_names_it(manager, event):
    """The event still raises before the handler, and the message says what to do."""
    with pytest.raises(ConfigurationError, match=r"known shape|other_events"):
        manager.protect(lambda *_: None)(event, None)


REQUESTS = {
    "Lambda@Edge": {"Records": [{"cf": {"request": {}}}]},
    "VPC Lattice 1": {"raw_path": "/", "method": "GET", "headers": {}},
    "VPC Lattice 2": {"version": "2.0", "path": "/", "requestContext": {"serviceArn": "arn:y"}},
    "no context": {"headers": {}, "httpMethod": "GET", "path": "/"},
    "authorizer": {"type": "TOKEN", "methodArn": "arn:x", "authorizationToken": "x"},
    "half a request": {"source": "serverless-plugin-warmup", "requestContext": {}},
    "AppSync": {"arguments": {"source": "aws.events"}, "identity": None, "source": None, "info": {"fieldName": "x"}},
    "AppSync in batches": [{"arguments": {}, "source": {}, "info": {"fieldName": "x"}}],
    "REST API, passthrough template": {
        "body-json": {"source": "aws.events"},
        "params": {},
        "stage-variables": {},
        "context": {},
    },
    "S3 Object Lambda": {"getObjectContext": {}, "userRequest": {"url": "https://x.example", "headers": {}}},
}


@pytest.mark.parametrize("event", REQUESTS.values(), ids=REQUESTS)
def test_what_looks_like_a_request_never_passes_for_another_event(manager, event):
    """A client shapes such an event: it is an error as before, and the function for other events does not run."""
    called = []
    with pytest.raises(ConfigurationError):
        manager.protect(lambda *_: None, other_events=lambda *_: called.append(1))(event, None)
    assert called == []


@pytest.mark.parametrize("name", GATEWAYS)
def test_a_request_is_served_by_the_handler(manager, name):
    """A function for other events changes nothing for requests."""
    function = manager.protect(lambda *_: None, other_events=lambda *_: json.dumps("never"))
    assert GATEWAYS[name].answer(function(GATEWAYS[name].event(Call()), None)).status == 401


def test_other_events_is_a_function(manager):
    """Anything else is refused when it is said."""
    with pytest.raises(ConfigurationError, match="other_events"):
        manager.protect(other_events=True)


@pytest.mark.parametrize("route", [lambda: None, lambda event: None, lambda event, context: None])
def test_protect_refuses_a_function_of_a_router(manager, route):
    """Above a router's own decorator the router calls the function itself, without a session: refused at decoration."""
    with pytest.raises(ConfigurationError, match="must take event, context and the session"):
        manager.protect(route)
    manager.protect(lambda *_: None)
    manager.protect(lambda event, context, me, more=None: None)


def test_a_preflight_is_told_by_its_headers():
    """Fetch 4.8; an empty Content-Length is none."""
    headers = {"origin": (SHOP,), "access-control-request-method": ("GET",), "content-length": ("0",)}
    assert Request("OPTIONS", "/", "", headers).is_preflight
    assert not Request("OPTIONS", "/", "", {**headers, "content-length": ("1",)}).is_preflight
    assert not Request("OPTIONS", "/", "", {**headers, "transfer-encoding": ("chunked",)}).is_preflight
