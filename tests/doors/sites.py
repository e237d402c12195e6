"""The same application behind each front door, written as that door's users write it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import django
import flask
from aws_lambda_powertools.event_handler import ALBResolver, APIGatewayHttpResolver, APIGatewayRestResolver
from aws_lambda_powertools.event_handler import Response as PowertoolsResponse
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from django.conf import settings as django_settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import Http404, HttpResponse
from django.test import override_settings
from django.urls import path as django_path
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi import Response as FastAPIResponse
from mangum import Mangum
from starlette.applications import Starlette
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.middleware import Middleware
from starlette.responses import Response as StarletteResponse
from starlette.routing import Route

from cognito_session.web import asgi, wsgi
from cognito_session.web import django as django_door
from cognito_session.web import establish as turns
from cognito_session.web import flask as flask_door
from cognito_session.web import starlette as starlette_door
from cognito_session.web.fastapi import CognitoAuth
from cognito_session.web.lambda_event import cookie_headers, request_of
from cognito_session.web.powertools import session_middleware
from doors.page import GUARDS, LOGIN, ROUTES, Box, Said, say
from doors.wires import Ask, gateway
from doors.wires import asgi as through_asgi
from doors.wires import wsgi as through_wsgi
from support.stack import in_thread

__all__ = ["DOORS"]

if not django_settings.configured:
    django_settings.configure(LOGGING_CONFIG=None, SECRET_KEY="django's own")
    django.setup()


# --- Lambda


def _lambda_answer(said: Said) -> dict[str, Any]:
    return {"statusCode": said.status, "headers": dict(said.headers), "body": said.body, "isBase64Encoded": False}


def _public(event: Any) -> dict[str, Any]:
    """Not protected, so the form is the function's own matter: a load balancer with multi-value headers wants lists."""
    answer = _lambda_answer(say("/public", None))
    if event["requestContext"].get("elb") and "multiValueHeaders" in event:
        answer["multiValueHeaders"] = {name: [value] for name, value in answer.pop("headers").items()}
    return answer


def _lambda_handler(sessions: Any, box: Box, *, asynchronous: bool) -> Any:
    """One function for all routes, each protected as its need says."""

    def route(path: str) -> Any:
        need = ROUTES[path][0]

        def handler(event: Any, context: Any, me: Any) -> Any:
            if path == "/sign-in":
                new = sessions.establish(box.tokens, cookie_header=cookie_headers(event))
                return {
                    "statusCode": 200,
                    "headers": {"Content-Type": "text/plain"},
                    "cookies": list(new.set_cookies),
                    "body": "",
                }
            if path == "/sign-out":
                gone = sessions.sign_out(cookie_headers(event))
                return {"statusCode": 200, "headers": {}, "cookies": list(gone), "body": ""}
            if me is not None:
                me.require(**GUARDS.get(need, {}))
            return _lambda_answer(say(path, me))

        async def coroutine(event: Any, context: Any, me: Any) -> Any:
            return handler(event, context, me)

        if path == "/public":
            return lambda event, context=None: _public(event)
        optional = need in (None, "optional")
        return sessions.protect(coroutine if asynchronous else handler, optional=optional, login_path=LOGIN)

    handlers = {path: route(path) for path in ROUTES}
    return lambda event, context=None: handlers[request_of(event).path](event, context)


def lambda_door(form: str, *, asynchronous: bool = False) -> Any:
    """`protect` behind a gateway."""
    return lambda app, sessions, box: gateway(form, _lambda_handler(sessions(), box, asynchronous=asynchronous))


def powertools_door(form: str, resolver: Any) -> Any:
    """Powertools' event handler with our middleware on each route."""

    def build(app: Any, sessions: Any, box: Box) -> Ask:
        manager, router = sessions(), resolver()

        def route(path: str, need: str | None, method: str) -> None:
            wanted = [session_middleware(manager, optional=need in (None, "optional"), login_path=LOGIN)]

            @router.route(path, method=[method], middlewares=[] if path == "/public" else wanted)
            def answer() -> Any:
                event = router.current_event.raw_event
                if path in ("/sign-in", "/sign-out"):
                    headers = cookie_headers(event)
                    lines = (
                        manager.establish(box.tokens, cookie_header=headers).set_cookies
                        if path == "/sign-in"
                        else manager.sign_out(headers)
                    )
                    return PowertoolsResponse(200, "text/plain", "", headers={"Set-Cookie": list(lines)})
                me = router.context.get("session") if path != "/public" else None
                if me is not None:
                    me.require(**GUARDS.get(need or "", {}))
                said = say(path, me)
                if said.missing:
                    raise NotFoundError
                return PowertoolsResponse(said.status, said.headers.pop("Content-Type", None), said.body, headers=said.headers)

        for path, (need, method) in ROUTES.items():
            route(path, need, method)
        return gateway(form, lambda event, context: router.resolve(event, context or SimpleNamespace()))

    return build


# --- ASGI


def asgi_door(app: Any, sessions: Any, box: Box) -> Ask:
    """No framework: the visit in the scope."""
    manager = app.async_manager(**SEALED)

    async def application(scope: Any, receive: Any, send: Any) -> None:
        path = scope["path"]
        visit = asgi.visit_of(scope, manager)
        need, me = ROUTES[path][0], None
        if path == "/sign-in":
            await turns.aestablish(visit, box.tokens)
        elif path == "/sign-out":
            await turns.asign_out(visit)
        elif need == "optional":
            me = await visit.asession()
        elif need is not None:
            me = await visit.arequired()
            me.require(**GUARDS.get(need, {}))
        said = say(path, me)
        headers = [(name.lower().encode(), value.encode()) for name, value in said.headers.items()]
        await send({"type": "http.response.start", "status": said.status, "headers": headers})
        await send({"type": "http.response.body", "body": said.body.encode()})

    return through_asgi(asgi.CognitoSessionMiddleware(application, manager, login_path=LOGIN))


def starlette_app(app: Any, sessions: Any, box: Box) -> Ask:
    """Starlette's routes and middleware."""
    manager = app.async_manager(**SEALED)

    def endpoint(path: str, need: str | None) -> Any:
        async def answer(request: Any) -> Any:
            me = None
            if path == "/sign-in":
                await starlette_door.establish(request, box.tokens)
            elif path == "/sign-out":
                await starlette_door.sign_out(request)
            elif need == "optional":
                me = await starlette_door.session_of(request)
            elif need is not None:
                me = await starlette_door.required_session_of(request)
                me.require(**GUARDS.get(need, {}))
            said = say(path, me)
            if said.missing:
                raise StarletteHTTPException(404)
            return StarletteResponse(said.body, said.status, said.headers)

        return answer

    routes = [Route(path, endpoint(path, need), methods=[method]) for path, (need, method) in ROUTES.items()]
    middleware = [Middleware(asgi.CognitoSessionMiddleware, sessions=manager, login_path=LOGIN)]
    return through_asgi(Starlette(routes=routes, middleware=middleware))


def _fastapi(app: Any, box: Box, *, asynchronous: bool) -> FastAPI:
    auth = CognitoAuth(app.async_manager(**SEALED), login_path=LOGIN)
    site = FastAPI()
    auth.init_app(site)

    async def nobody() -> None:
        return None

    guards: dict[str | None, Any] = {None: nobody, "optional": auth.optional, "required": auth.required}
    guards |= {name: auth.require(**wanted) for name, wanted in GUARDS.items()}

    def answer(path: str, me: Any) -> FastAPIResponse:
        said = say(path, me)
        if said.missing:
            raise HTTPException(404)
        return FastAPIResponse(said.body, said.status, said.headers)

    def add(path: str, need: str | None, method: str) -> None:
        who = Annotated[Any, Depends(guards[need])]

        async def coroutine(request: Request, me: who) -> Any:  # type: ignore[valid-type]
            if path == "/sign-in":
                await auth.establish(request, box.tokens)
            if path == "/sign-out":
                await auth.sign_out(request)
            return answer(path, me)

        def plain(me: who) -> Any:  # type: ignore[valid-type]
            return answer(path, me)

        for function in (coroutine, plain):
            function.__annotations__["me"] = who
        coroutine.__annotations__["request"] = Request
        turning = path in ("/sign-in", "/sign-out")
        site.add_api_route(path, coroutine if asynchronous or turning else plain, methods=[method], response_model=None)

    for path, (need, method) in ROUTES.items():
        add(path, need, method)
    return site


def fastapi_door(*, asynchronous: bool) -> Any:
    """FastAPI's dependencies, with endpoints of one kind."""
    return lambda app, sessions, box: through_asgi(_fastapi(app, box, asynchronous=asynchronous))


def _with_a_loop(site: FastAPI, event: Any, context: Any) -> Any:
    """Mangum takes the thread's loop when it is made, and leaves one behind where there is none."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        return Mangum(site, lifespan="off")(event, context)
    finally:
        loop.close()


def mangum_door(form: str) -> Any:
    """The FastAPI application, unchanged, in Lambda."""

    def build(app: Any, sessions: Any, box: Box) -> Ask:
        site = _fastapi(app, box, asynchronous=True)

        def in_a_loop(event: Any, context: Any) -> Any:
            """In a thread of its own with a loop of its own: Lambda's main thread has one, ours is pytest's."""
            return in_thread(_with_a_loop, site, event, context).result()

        return gateway(form, in_a_loop, SimpleNamespace())

    return build


# --- WSGI


def wsgi_door(app: Any, sessions: Any, box: Box) -> Ask:
    """No framework: the visit in the environ."""
    manager = sessions()

    def application(environ: Any, start_response: Any) -> Any:
        path = environ["PATH_INFO"]
        visit = wsgi.visit_of(environ, manager)
        need, me = ROUTES[path][0], None
        if path == "/sign-in":
            turns.establish(visit, box.tokens)
        elif path == "/sign-out":
            turns.sign_out(visit)
        elif need == "optional":
            me = visit.session()
        elif need is not None:
            me = visit.required()
            me.require(**GUARDS.get(need, {}))
        said = say(path, me)
        start_response(f"{said.status} Said", list(said.headers.items()))
        return [said.body.encode()]

    return through_wsgi(wsgi.CognitoSessionMiddleware(application, manager, login_path=LOGIN))


def flask_site(*, asynchronous: bool) -> Any:
    """Flask's decorators, on views of one kind."""

    def build(app: Any, sessions: Any, box: Box) -> Ask:
        site = flask.Flask("doors", root_path=str(Path(__file__).parent))
        flask_door.CognitoSession(site, sessions(), login_path=LOGIN)

        def add(path: str, need: str | None, method: str) -> None:
            def view() -> Any:
                me = None
                if path == "/sign-in":
                    flask_door.establish(box.tokens)
                elif path == "/sign-out":
                    flask_door.sign_out()
                elif need is not None:
                    me = flask_door.current_session()
                said = say(path, me)
                if said.missing:
                    flask.abort(404)
                return flask.Response(said.body, said.status, said.headers)

            async def coroutine() -> Any:
                return view()

            chosen: Callable[[], Any] = coroutine if asynchronous else view
            if need not in (None, "optional"):
                chosen = flask_door.session_required(**GUARDS.get(need, {}))(chosen)
            site.add_url_rule(path, path, chosen, methods=[method])

        for path, (need, method) in ROUTES.items():
            add(path, need, method)
        return through_wsgi(site)

    return build


# --- Django


def django_site(*, asynchronous: bool) -> Any:
    """Django's decorators below its WSGI or ASGI handler."""

    def build(app: Any, sessions: Any, box: Box) -> Ask:
        manager = sessions()

        def finished(path: str, me: Any) -> HttpResponse:
            said = say(path, me)
            if said.missing:
                raise Http404
            response = HttpResponse(said.body, status=said.status)
            for name, value in said.headers.items():
                if name == "Set-Cookie":
                    response.set_cookie("theme", "dark")
                else:
                    response[name] = value
            return response

        def view_of(path: str, need: str | None) -> Any:
            def view(request: Any) -> HttpResponse:
                if path == "/sign-in":
                    django_door.establish(request, box.tokens)
                if path == "/sign-out":
                    django_door.sign_out(request)
                return finished(path, None if need is None else request.cognito_session)

            async def coroutine(request: Any) -> HttpResponse:
                if path == "/sign-in":
                    await django_door.aestablish(request, box.tokens)
                if path == "/sign-out":
                    await django_door.asign_out(request)
                return finished(path, None if need is None else await request.acognito_session())

            chosen = coroutine if asynchronous else view
            return chosen if need in (None, "optional") else django_door.session_required(**GUARDS.get(need, {}))(chosen)

        urls = [django_path(path[1:], view_of(path, need)) for path, (need, _) in ROUTES.items()]
        changed = override_settings(
            ROOT_URLCONF=type("urls", (), {"urlpatterns": urls, "__hash__": object.__hash__}),
            MIDDLEWARE=["cognito_session.web.django.CognitoSessionMiddleware"],
            COGNITO_SESSION={"MANAGER": manager, "LOGIN_PATH": LOGIN},
            ALLOWED_HOSTS=["*"],
        )
        with changed:
            through = through_asgi(get_asgi_application()) if asynchronous else through_wsgi(get_wsgi_application())
        lock, inside = threading.Lock(), []

        def ask(call: Any) -> Any:
            """Settings belong to the process: the first of parallel requests changes them, the last one changes them back."""
            with lock:
                if not inside:
                    changed.enable()
                inside.append(call)
            try:
                return through(call)
            finally:
                with lock:
                    inside.pop()
                    if not inside:
                        changed.disable()

        return ask

    return build


SEALED: dict[str, Any] = {"cookie": "sealed", "cookie_name": None}

LAMBDA_FORMS = ("rest", "http-v1", "http-v2", "function-url", "alb", "alb-multi")
DOORS: dict[str, Any] = {
    **{f"lambda {form}, sync": lambda_door(form) for form in LAMBDA_FORMS},
    **{f"lambda {form}, async": lambda_door(form, asynchronous=True) for form in ("rest", "http-v2", "alb")},
    "powertools rest": powertools_door("rest", APIGatewayRestResolver),
    "powertools http-v2": powertools_door("http-v2", APIGatewayHttpResolver),
    "powertools alb": powertools_door("alb", ALBResolver),
    "asgi": asgi_door,
    "starlette": starlette_app,
    "fastapi, sync": fastapi_door(asynchronous=False),
    "fastapi, async": fastapi_door(asynchronous=True),
    "mangum http-v2": mangum_door("http-v2"),
    "mangum rest": mangum_door("rest"),
    "wsgi": wsgi_door,
    "flask, sync": flask_site(asynchronous=False),
    "flask, async": flask_site(asynchronous=True),
    "django, sync": django_site(asynchronous=False),
    "django, async": django_site(asynchronous=True),
}
"""Name -> a function of (app, a maker of its SessionManager, box) that gives a way to ask."""
