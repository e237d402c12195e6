"""Mistakes of Flask and WSGI authors: each marked line must be refused, and no other."""

from __future__ import annotations

import flask

from cognito_session import SessionManager
from cognito_session.web.flask import CognitoSession, current_session, establish, session_required
from cognito_session.web.wsgi import CognitoSessionMiddleware, request_session_of

manager = SessionManager.from_env()
app = flask.Flask(__name__)
CognitoSession(manager)  # refused
CognitoSession(app, login="/login")  # refused
CognitoSessionMiddleware(manager, manager)  # refused
CognitoSessionMiddleware(app.wsgi_app)  # refused


@session_required(groups=["admin"])  # refused
def unknown_guard() -> str:
    """A guard that does not exist."""
    return ""


@session_required(max_age="300")  # refused
def wrong_guard() -> str:
    """A guard of the wrong type."""
    return ""


@session_required
def order(number: int) -> str:
    """Keeps its parameters."""
    return str(number)


order("seven")  # refused
order()  # refused
print(current_session().sub)  # refused
print(establish({}).email)  # refused
print(request_session_of({}).session().sub)  # refused
