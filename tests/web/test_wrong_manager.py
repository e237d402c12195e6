"""Every adapter refuses, when the application starts, what is not a session manager that was made."""

from __future__ import annotations

import flask
import pytest

from cognito_session import AsyncSessionManager, ConfigurationError, SessionManager
from cognito_session.web import asgi, wsgi
from cognito_session.web.fastapi import CognitoAuth
from cognito_session.web.flask import CognitoSession
from cognito_session.web.powertools import session_middleware
from cognito_session.web.settings import AdapterSettings

ADAPTERS = {
    "asgi": lambda value: asgi.CognitoSessionMiddleware(None, value),
    "fastapi": CognitoAuth,
    "wsgi": lambda value: wsgi.CognitoSessionMiddleware(None, value),
    "flask": lambda value: CognitoSession(flask.Flask(__name__), value),
    "powertools": session_middleware,
}


@pytest.mark.parametrize(
    "value",
    [SessionManager, AsyncSessionManager, object(), "sessions", {}],
    ids=["class", "asynchronous class", "object", "text", "mapping"],
)
@pytest.mark.parametrize("adapter", ADAPTERS)
def test_what_is_no_manager_is_refused_at_the_start(adapter, value):
    """A class, another object, a text: the error says what was expected."""
    with pytest.raises(ConfigurationError, match="expected a SessionManager or AsyncSessionManager"):
        ADAPTERS[adapter](value)


def test_a_setting_that_is_no_manager_is_refused():
    """Django's settings and Flask's config may also name a class, which is then made, but nothing else."""
    with pytest.raises(ConfigurationError, match="COGNITO_SESSION_MANAGER: expected a SessionManager"):
        AdapterSettings.of({"manager": object()}, spelled="COGNITO_SESSION_{}")
