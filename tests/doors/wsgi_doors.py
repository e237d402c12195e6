"""The application below WSGI without a framework, and as Flask's with views of either kind."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import Any

import flask

from cognito_session import current_session
from cognito_session.web import establish, wsgi
from cognito_session.web import flask as ours
from doors.lambda_doors import Build
from doors.page import GUARDS, LOGIN, ROUTES, Said, Site, say
from doors.wires import Ask
from doors.wires import wsgi as through_wsgi

__all__ = ["flask_door", "wsgi_door"]


def wsgi_door(site: Site) -> Ask:
    """The visit in the environ is asked."""
    sessions = site.manager

    def application(environ: Any, start_response: Any) -> Any:
        path = environ["PATH_INFO"]
        me = _who(site, wsgi.request_session_of(environ, sessions), path)
        said = say(site, path, me, environ["wsgi.input"].read().decode())
        headers = said.headers | ({"Location": said.location} if said.location else {})
        start_response(f"{said.status} {HTTPStatus(said.status).phrase}", list(headers.items()))
        return [part.encode() for part in said.parts or (said.body,)]

    return through_wsgi(wsgi.CognitoSessionMiddleware(application, sessions, login_path=LOGIN))


def _who(site: Site, visit: Any, path: str) -> Any:
    """The session that this path needs, where it needs one. Nobody is current before; asked twice, it is the same one."""
    need = ROUTES[path][0]
    assert current_session() is None
    if path == "/sign-in":
        establish.establish(visit, site.box.tokens)
    if path == "/sign-out":
        establish.sign_out(visit)
    if need in (None, "optional"):
        return visit.session() if need else None
    me = visit.required()
    assert visit.session() is me
    me.require(**GUARDS.get(need, {}))
    return me


def flask_door(*, asynchronous: bool) -> Build:
    """The extension, its decorator on views of one kind."""

    def build(site: Site) -> Ask:
        application = flask.Flask("doors", root_path=str(Path(__file__).parent))
        ours.CognitoSession(application, site.async_manager if asynchronous else site.manager, login_path=LOGIN)
        for path, (need, method) in ROUTES.items():
            view = _view(site, path, asynchronous=asynchronous)
            guarded = view if need in (None, "optional") else ours.session_required(**GUARDS.get(need, {}))(view)
            application.add_url_rule(path, path, guarded, methods=[method])
        return through_wsgi(application)

    return build


def _view(site: Site, path: str, *, asynchronous: bool) -> Any:
    need = ROUTES[path][0]

    def view() -> flask.Response:
        if path == "/sign-in":
            ours.establish(site.box.tokens)
        if path == "/sign-out":
            ours.sign_out()
        me = ours.current_session() if need is not None else None
        return _respond(say(site, path, me, flask.request.get_data(as_text=True)))

    async def coroutine() -> flask.Response:
        return view()

    return coroutine if asynchronous else view


def _respond(said: Said) -> Any:
    if said.missing:
        flask.abort(404)
    if said.location:
        return flask.redirect(said.location, said.status)
    return flask.Response(iter(said.parts) if said.parts else said.body, said.status, said.headers)
