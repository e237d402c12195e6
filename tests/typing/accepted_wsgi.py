"""Programs of Flask and WSGI authors."""

from __future__ import annotations

from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

import flask

from cognito_session import Session, SessionManager
from cognito_session.web.flask import (
    CognitoSession,
    current_session,
    establish,
    session_manager,
    session_required,
    sign_out,
)
from cognito_session.web.wsgi import CognitoSessionMiddleware, request_session_of

manager = SessionManager.from_env()
login = manager.managed_login()
sessions = CognitoSession(login_path="/login")
app = flask.Flask(__name__)
sessions.init_app(app)
CognitoSession(app, manager)


@app.get("/")
def home() -> str:
    """With or without a session."""
    me: Session | None = current_session()
    return me.username if me else "stranger"


@app.get("/orders/<int:number>")
@session_required
def order(number: int) -> str:
    """With a session."""
    return str(number)


@app.get("/admin")
@session_required(any_group=["admin"], max_age=300)
async def admin() -> dict[str, str]:
    """With a guard, in an async view."""
    return {"hello": "admin"}


@app.post("/sign-in")
def begin() -> str:
    """Begin and end."""
    me = establish({"AccessToken": "x"})
    me.require(all_groups=("staff",))
    sign_out()
    return me.sub + repr(session_manager())


@app.get("/login")
def start() -> flask.Response:
    """Managed login in Flask."""
    answer: flask.Response = login.start(flask.request)
    return answer


plain_number: str = order(7)


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """An application without a framework."""
    me = request_session_of(environ, manager).session()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"nobody" if me is None else me.sub.encode()]


wrapped = CognitoSessionMiddleware(application, manager, login_path="/login")
app.wsgi_app = CognitoSessionMiddleware(app.wsgi_app, manager)  # type: ignore[method-assign] # Flask's way to wrap it
