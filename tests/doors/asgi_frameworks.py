"""The application as Litestar's, Quart's and Sanic's, each below our ASGI middleware: they answer every exception."""

# Annotations are not postponed in this file: Litestar reads those of its handlers.

import itertools
from pathlib import Path
from typing import Any

import litestar
import quart
import sanic
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream

from cognito_session.web import asgi, establish
from doors.page import GUARDS, LOGIN, ROUTES, Said, Site, say
from doors.wires import Ask
from doors.wires import asgi as through_asgi

__all__ = ["litestar_door", "quart_door", "sanic_door"]

_COUNT = itertools.count(1)


async def _said(site: Site, scope: Any, path: str, body: bytes) -> Said:
    """What is said at this path to whoever asks by this scope. Raises SessionError."""
    visit, need = asgi.request_session_of(scope, site.async_manager), ROUTES[path][0]
    if path == "/sign-in":
        await establish.aestablish(visit, site.box.tokens)
    if path == "/sign-out":
        await establish.asign_out(visit)
    me = None
    if need == "optional":
        me = await visit.asession()
    elif need is not None:
        me = await visit.arequired()
        me.require(**GUARDS.get(need, {}))
    return say(site, path, me, body.decode())


def _around(site: Site, application: Any, *, lifespan: bool = False) -> Ask:
    ours = asgi.CognitoSessionMiddleware(application, site.async_manager, login_path=LOGIN)
    return through_asgi(ours, lifespan=lifespan)


def litestar_door(site: Site) -> Ask:
    """Route handlers that are coroutines."""
    handlers = [_litestar_handler(site, path) for path in ROUTES]
    return _around(site, litestar.Litestar(handlers, openapi_config=None, logging_config=None))


def _litestar_handler(site: Site, path: str) -> Any:
    method = ROUTES[path][1]

    async def answer(request: litestar.Request[Any, Any, Any]) -> litestar.Response[Any]:
        said = await _said(site, request.scope, path, await request.body())
        if said.missing:
            raise litestar.exceptions.NotFoundException
        headers = said.headers | ({"Location": said.location} if said.location else {})
        content_type = headers.pop("Content-Type", None)
        if said.parts:
            return Stream(iter(said.parts), status_code=said.status, headers=headers, media_type=content_type)
        return litestar.Response(said.body, status_code=said.status, headers=headers, media_type=content_type)

    methods = ["GET", "HEAD"] if method == "GET" else [method]
    return HTTPRouteHandler(path, http_method=methods, status_code=200)(answer)


def quart_door(site: Site) -> Ask:
    """Views that are coroutines."""
    application = quart.Quart("doors", root_path=str(Path(__file__).parent))
    for path, (_, method) in ROUTES.items():
        application.add_url_rule(path, path, _quart_view(site, path), methods=[method])
    return _around(site, application)


def _quart_view(site: Site, path: str) -> Any:
    async def view() -> Any:
        said = await _said(site, quart.request.scope, path, await quart.request.get_data(as_text=False))
        if said.missing:
            quart.abort(404)
        if said.location:
            return quart.redirect(said.location, said.status)
        return quart.Response(_parts(said) if said.parts else said.body, said.status, said.headers)

    return view


async def _parts(said: Said) -> Any:
    for part in said.parts:
        yield part.encode()


def sanic_door(site: Site) -> Ask:
    """Handlers that are coroutines."""
    application = sanic.Sanic(f"doors{next(_COUNT)}", configure_logging=False)
    for path, (_, method) in ROUTES.items():
        methods = ["GET", "HEAD"] if method == "GET" else [method]
        application.add_route(_sanic_handler(site, path), path, methods=methods, name=path[1:].replace("-", "_"))
    return _around(site, application, lifespan=True)


def _sanic_handler(site: Site, path: str) -> Any:
    async def answer(request: sanic.Request) -> Any:
        said = await _said(site, request.transport.scope, path, request.body)  # type: ignore[attr-defined]
        if said.missing:
            raise sanic.NotFound
        headers = said.headers | ({"Location": said.location} if said.location else {})
        content_type = headers.pop("Content-Type", None)
        if said.parts:
            response = await request.respond(status=said.status, headers=headers, content_type=content_type)
            for part in said.parts:
                await response.send(part)
            return None
        return sanic.HTTPResponse(said.body, said.status, headers, content_type)

    return answer
