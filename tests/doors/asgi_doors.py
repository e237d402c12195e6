"""The application below ASGI without a framework, and as Starlette's."""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from cognito_session import current_session
from cognito_session.web import asgi, establish, starlette
from doors.page import GUARDS, LOGIN, ROUTES, Said, Site, say
from doors.wires import Ask
from doors.wires import asgi as through_asgi

__all__ = ["as_starlette", "asgi_door", "starlette_door"]


def asgi_door(site: Site) -> Ask:
    """The visit in the scope is asked."""
    sessions = site.async_manager

    async def application(scope: Any, receive: Any, send: Any) -> None:
        path = scope["path"]
        me = await _who(site, asgi.request_session_of(scope, sessions), path)
        said = say(site, path, me, (await receive())["body"].decode())
        named = said.headers | ({"Location": said.location} if said.location else {})
        headers = [(name.lower().encode(), value.encode()) for name, value in named.items()]
        await send({"type": "http.response.start", "status": said.status, "headers": headers})
        for part in said.parts or (said.body,):
            await send({"type": "http.response.body", "body": part.encode(), "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    return through_asgi(asgi.CognitoSessionMiddleware(application, sessions, login_path=LOGIN))


async def _who(site: Site, visit: Any, path: str) -> Any:
    """The session that this path needs, where it needs one. Nobody is current before; asked twice, it is the same one."""
    need = ROUTES[path][0]
    assert current_session() is None
    if path == "/sign-in":
        await establish.aestablish(visit, site.box.tokens)
    if path == "/sign-out":
        await establish.asign_out(visit)
    if need in (None, "optional"):
        return await visit.asession() if need else None
    me = await visit.arequired()
    assert await visit.asession() is me
    me.require(**GUARDS.get(need, {}))
    return me


def starlette_door(site: Site) -> Ask:
    """Starlette's routes and middleware."""
    routes = [Route(path, _endpoint(site, path), methods=[method]) for path, (_, method) in ROUTES.items()]
    ours = Middleware(asgi.CognitoSessionMiddleware, sessions=site.async_manager, login_path=LOGIN)
    return through_asgi(Starlette(routes=routes, middleware=[ours]))


def _endpoint(site: Site, path: str) -> Any:
    need = ROUTES[path][0]

    async def endpoint(request: Any) -> Response:
        me = None
        if path == "/sign-in":
            await starlette.establish(request, site.box.tokens)
        elif path == "/sign-out":
            await starlette.sign_out(request)
        elif need == "optional":
            me = await starlette.session_of(request)
        elif need is not None:
            me = await starlette.required_session_of(request)
            assert await starlette.session_of(request) is me
            me.require(**GUARDS.get(need, {}))
        said = say(site, path, me, (await request.body()).decode())
        if said.missing:
            raise HTTPException(404)
        return as_starlette(said)

    return endpoint


def as_starlette(said: Said) -> Response:
    """What is said as a response of Starlette's, and so of FastAPI's."""
    if said.location:
        return RedirectResponse(said.location, said.status)
    if said.parts:
        return StreamingResponse(iter(said.parts), said.status, said.headers)
    return Response(said.body, said.status, said.headers)
