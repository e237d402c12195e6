"""What is done after a response has begun: no cookie and no caching header can follow it, and the log says so.

Annotations are not postponed in this file: FastAPI reads those of endpoints.
"""

import django
import flask
import pytest
from django.conf import settings
from django.http import StreamingHttpResponse
from django.test import RequestFactory
from fastapi import BackgroundTasks, FastAPI, Request
from fastapi.responses import StreamingResponse

from cognito_session import AsyncSessionManager, SessionManager
from cognito_session.testing.environment import set_defaults
from cognito_session.web.django import CognitoSessionMiddleware
from cognito_session.web.fastapi import CognitoAuth
from cognito_session.web.flask import CognitoSession, current_session
from cognito_session.web.starlette import session_of
from managed.scene import NAME, Reports

if not settings.configured:
    settings.configure(LOGGING_CONFIG=None, SECRET_KEY="django's own")
    django.setup()


@pytest.fixture
def events():
    """What `on_event` was told."""
    return Reports()


def attached(cognito, events, kind):
    """A manager of this kind in the test kit's world."""
    environ: dict[str, str] = {}
    set_defaults(environ, SORT_KEY="sid")
    return cognito.attach(kind.from_env(environ=environ, on_event=events))


@pytest.fixture
def sessions(cognito, events):
    """A synchronous manager."""
    return attached(cognito, events, SessionManager)


@pytest.fixture
def fastapi_client(cognito, events):
    """A signed-in browser of an application with endpoints that ask, sign in and sign out too late, and one that does not."""
    sessions = attached(cognito, events, AsyncSessionManager)
    auth, api = CognitoAuth(sessions), FastAPI()
    auth.init_app(api)

    @api.get("/in-time")
    async def in_time(request: Request) -> StreamingResponse:
        await session_of(request)

        async def parts():
            yield (await session_of(request)).username

        return StreamingResponse(parts())

    @api.get("/stream")
    async def stream(request: Request) -> StreamingResponse:
        async def parts():
            yield "I am "
            yield (await session_of(request)).username

        return StreamingResponse(parts())

    @api.get("/task")
    async def task(request: Request, tasks: BackgroundTasks) -> None:
        tasks.add_task(session_of, request)

    @api.get("/sign-in")
    async def sign_in(request: Request, tasks: BackgroundTasks) -> None:
        tasks.add_task(auth.establish, request, cognito.tokens())

    @api.get("/sign-out")
    async def sign_out(request: Request, tasks: BackgroundTasks) -> None:
        tasks.add_task(auth.sign_out, request)

    return cognito.client(api)


def told(events) -> list[str]:
    """The events that tell of something done too late."""
    return [report.event for report in events if report.event in ("asked_too_late", "cookie_not_sent")]


@pytest.mark.parametrize("path", ["/stream", "/task"])
def test_asking_too_late_is_reported_and_costs_no_session(cognito, events, fastapi_client, caplog, path):
    """The refreshed cookie of such a request is lost; the next request is sent it, and the log names the remedy."""
    cognito.expire()
    response = fastapi_client.get(path)
    assert (response.status_code, response.headers.get("set-cookie")) == (200, None)
    assert told(events) == ["asked_too_late"]
    assert "asked_too_late: the response had begun" in caplog.text
    response = fastapi_client.get("/in-time")
    assert (response.text, NAME in response.headers["set-cookie"]) == ("alice", True)


def test_asking_in_time_is_not_reported(cognito, events, fastapi_client):
    """A body may ask again what the endpoint has asked before."""
    cognito.expire()
    response = fastapi_client.get("/in-time")
    assert (response.text, response.headers["cache-control"], NAME in response.headers["set-cookie"]) == (
        "alice",
        "no-store",
        True,
    )
    assert told(events) == []


@pytest.mark.parametrize("path", ["/sign-in", "/sign-out"])
def test_a_cookie_that_comes_too_late_is_reported(events, fastapi_client, path):
    """Signing in or out in a background task leaves the browser with the cookie that it had."""
    assert fastapi_client.get(path).status_code == 200
    assert told(events) == ["cookie_not_sent"]


def test_a_stream_of_flask(cognito, events, sessions):
    """The same below WSGI."""
    app = flask.Flask(__name__)
    CognitoSession(app, sessions)

    @app.get("/stream")
    def stream():
        return flask.Response(flask.stream_with_context(current_session().username for _ in range(2)))

    assert cognito.client(app).get("/stream").text == "alicealice"
    assert told(events) == ["asked_too_late"]


def test_a_stream_of_django(cognito, events, sessions, monkeypatch):
    """The same below Django's middleware."""
    monkeypatch.setattr(settings, "COGNITO_SESSION", {"MANAGER": sessions}, raising=False)
    cognito.sign_in()

    def view(request):
        return StreamingHttpResponse(request.cognito_session.username for _ in range(2))

    request = RequestFactory().get("/", headers={"cookie": cognito.cookie_header})
    response = CognitoSessionMiddleware(view)(request)
    assert (b"".join(response), told(events)) == (b"alicealice", ["asked_too_late"])
