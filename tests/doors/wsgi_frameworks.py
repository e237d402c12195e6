"""The application as Bottle's and Falcon's, each below our WSGI middleware: they answer every exception themselves."""

from __future__ import annotations

import logging
from typing import Any

import bottle
import falcon

from cognito_session.web import establish, wsgi
from doors.page import GUARDS, LOGIN, ROUTES, Said, Site, say
from doors.wires import Ask
from doors.wires import wsgi as through_wsgi

__all__ = ["bottle_door", "falcon_door"]

logging.getLogger("falcon").disabled = True  # it writes each exception that it catches to the error stream


def _said(site: Site, environ: Any, path: str, body: bytes) -> Said:
    """What is said at this path to whoever asks by this environ. Raises SessionError."""
    visit, need = wsgi.request_session_of(environ, site.manager), ROUTES[path][0]
    if path == "/sign-in":
        establish.establish(visit, site.box.tokens)
    if path == "/sign-out":
        establish.sign_out(visit)
    me = None
    if need == "optional":
        me = visit.session()
    elif need is not None:
        me = visit.required()
        me.require(**GUARDS.get(need, {}))
    return say(site, path, me, body.decode())


def _around(site: Site, application: Any) -> Ask:
    return through_wsgi(wsgi.CognitoSessionMiddleware(application, site.manager, login_path=LOGIN))


def bottle_door(site: Site) -> Ask:
    """Route callbacks."""
    application = bottle.Bottle()
    for path, (_, method) in ROUTES.items():
        application.route(path, method, _bottle_callback(site, path))
    return _around(site, application)


def _bottle_callback(site: Site, path: str) -> Any:
    def answer() -> Any:
        said = _said(site, bottle.request.environ, path, bottle.request.body.read())
        if said.missing:
            bottle.abort(404)
        headers = said.headers | ({"Location": said.location} if said.location else {})
        return bottle.HTTPResponse([part.encode() for part in said.parts] or said.body, said.status, **headers)

    return answer


def falcon_door(site: Site) -> Ask:
    """Resources with responders."""
    application = falcon.App()
    for path, (_, method) in ROUTES.items():
        application.add_route(path, _resource(site, path, method))
    return _around(site, application)


def _resource(site: Site, path: str, method: str) -> Any:
    class Resource:
        """One path."""

    def answer(_self: Any, req: Any, resp: Any) -> None:
        said = _said(site, req.env, path, req.bounded_stream.read())
        if said.missing:
            resp.status = 404  # falcon.HTTPNotFound says Vary: Accept as well, which no other door does
            return
        resp.status = said.status
        for name, value in said.headers.items():
            resp.append_header(name, value) if name == "Set-Cookie" else resp.set_header(name, value)
        if said.location:
            resp.set_header("Location", said.location)
        if said.parts:
            resp.stream = (part.encode() for part in said.parts)
        else:
            resp.text = said.body

    for each in ["GET", "HEAD"] if method == "GET" else [method]:
        setattr(Resource, f"on_{each.lower()}", answer)
    return Resource()
