"""client(app): the framework's own test client, signed in over https, chosen by what the application is."""

from __future__ import annotations

import asyncio
from typing import Annotated

import pytest


@pytest.fixture(params=["sync", "async"])
def manager(request, cognito):
    """An attached manager of either kind."""
    return cognito.attach(request.getfixturevalue("sessions" if request.param == "sync" else "async_sessions"))


def fastapi_app(manager):
    from fastapi import Depends, FastAPI

    from cognito_session import Session
    from cognito_session.web.fastapi import CognitoAuth

    auth, app = CognitoAuth(manager), FastAPI()
    auth.init_app(app)

    async def who(me):
        return me.username

    async def read(me):
        return me.username

    async def write(me):
        return me.username

    for function, method in ((read, app.get), (write, app.post)):
        function.__annotations__["me"] = Annotated[Session, Depends(auth.required)]
        method("/")(function)
    app.state.auth = auth
    return app


def starlette_app(manager):
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    from cognito_session.web.asgi import CognitoSessionMiddleware, request_session_of

    async def home(request):
        return PlainTextResponse((await request_session_of(request.scope).arequired()).username)

    app = Starlette(routes=[Route("/", home, methods=["GET", "POST"])])
    app.add_middleware(CognitoSessionMiddleware, sessions=manager)
    return app


def asgi_app(manager):
    from cognito_session.web.asgi import CognitoSessionMiddleware, request_session_of

    async def plain(scope, receive, send):
        me = await request_session_of(scope).arequired()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": me.username.encode()})

    return CognitoSessionMiddleware(plain, manager)


def flask_app(manager):
    from flask import Flask

    from cognito_session.web.flask import CognitoSession, current_session, session_required

    app = Flask("shop")
    app.config["COGNITO_SESSION_MANAGER"] = manager
    CognitoSession().init_app(app)

    @app.route("/", methods=["GET", "POST"])
    @session_required
    def home():
        return current_session().username

    return app


APPS = {"fastapi": fastapi_app, "starlette": starlette_app, "asgi": asgi_app, "flask": flask_app}


@pytest.fixture(params=APPS)
def app(request, manager):
    """An application of each framework, over a manager of either kind."""
    return APPS[request.param](manager)


def text(response):
    return (response.get_data(as_text=True) if hasattr(response, "get_data") else response.text).strip('"')


def test_signed_in_and_not(cognito, app):
    """One line gives a client whose requests have the session; without signing in they are refused."""
    response = cognito.client(app, groups=["staff"]).get("/")
    assert (response.status_code, text(response)) == (200, "alice")
    assert cognito.client(app, signed_in=False).get("/").status_code == 401
    assert text(cognito.client(app, user="bob").get("/")) == "bob"


def test_a_form_is_sent_from_our_own_page(cognito, app):
    """A POST passes the CSRF check; from another site it does not."""
    client = cognito.client(app)
    assert client.post("/").status_code == 200
    assert client.post("/", headers={"sec-fetch-site": "cross-site"}).status_code == 403


def test_the_client_keeps_the_new_cookie(cognito, app):
    """After an expiry the answer replaces the cookie: one is sent from then on, and it is served without another refresh."""
    client = cognito.client(app)
    assert client.get("/").status_code == 200
    cognito.expire()
    response = client.get("/")
    assert response.status_code == 200
    cognito.keep(response)
    cognito.advance(120)
    cognito.calls.clear()
    assert client.get("/").status_code == 200
    assert (cognito.calls.reads, cognito.calls.cognito) == (1, 0)
    before = cognito.cookie_header
    assert text(cognito.client(app).get("/")) == "alice"
    assert cognito.cookie_header == before


def test_an_outage_reaches_the_application(cognito, app):
    """A 503 while DynamoDB is down does not log the user out."""
    client = cognito.client(app)
    cognito.fail("dynamodb")
    assert client.get("/").status_code == 503
    cognito.heal()
    assert client.get("/").status_code == 200


def test_two_requests_of_an_application_meet(cognito, app):
    """The interleaver steps requests through a framework's client as well: one refresh in every order.

    Each run creates its clients again, with the initial cookie.
    """

    def ask():
        return cognito.client(app).get("/").status_code

    cognito.rotation(grace_seconds=0)
    assert ask() == 200
    cognito.expire()
    cognito.calls.clear()
    runs = 0
    for run in cognito.interleavings(ask, ask, limit=12):
        assert (run.first, run.second, cognito.calls.cognito) == (200, 200, 1), run
        runs += 1
    assert runs == 12


def test_a_dependency_is_overridden(cognito, sessions):
    """session() in FastAPI's dependency_overrides: no manager, no cookie."""
    app = fastapi_app(sessions)
    app.dependency_overrides[app.state.auth.optional] = lambda: cognito.session("carol")
    cognito.attach(sessions)
    response = cognito.client(app, signed_in=False).get("/")
    assert (response.status_code, text(response), len(cognito.calls)) == (200, "carol", 0)


DJANGO = """
import asyncio, django, pytest, sys
from django.conf import settings
from cognito_session import SessionManager
from cognito_session.testing import Cognito
from cognito_session.testing.environment import set_defaults
environ = {}
set_defaults(environ, SORT_KEY="sid")
sessions = SessionManager.from_env(environ=environ)
settings.configure(
    SECRET_KEY="x" * 50, ROOT_URLCONF=__name__, ALLOWED_HOSTS=["testserver"],
    MIDDLEWARE=["cognito_session.web.django.CognitoSessionMiddleware"], COGNITO_SESSION={"MANAGER": sessions},
)
django.setup()
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.test import Client
from django.urls import path
from cognito_session.web.django import session_required

@session_required
def home(request):
    return HttpResponse(request.cognito_session.username)

@session_required
async def ahome(request):
    return HttpResponse((await request.acognito_session()).username)

urlpatterns = [path("", home), path("a", ahome)]

with Cognito() as cognito:
    cognito.attach(sessions)
    for app in (get_wsgi_application(), Client):
        client = cognito.client(app, groups=["staff"])
        assert (client.get("/").status_code, client.get("/").content) == (200, b"alice")
        assert client.post("/").status_code == 200
        assert client.post("/", headers={"sec-fetch-site": "cross-site"}).status_code == 403
        cognito.expire()
        response = client.get("/")
        cognito.keep(response)
        assert response.wsgi_request.is_secure()
        cognito.advance(120)
        cognito.calls.clear()
        assert client.get("/").content == b"alice"
        assert cognito.calls.cognito == 0
        assert cognito.client(app, signed_in=False).get("/").status_code == 401
    client = cognito.client(get_asgi_application(), user="bob")
    async def ask():
        response = await client.get("/a")
        return response.status_code, response.content
    assert asyncio.run(ask()) == (200, b"bob")
print("done")
"""


def test_django(tmp_path):
    """Django's client, sync and async, in a process of its own, because its settings are the process's."""
    import subprocess
    import sys

    program = tmp_path / "site_in_tests.py"
    program.write_text(DJANGO)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", program.stem],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


def test_what_is_no_application(cognito, sessions):
    """An error that names the frameworks."""
    cognito.attach(sessions)
    with pytest.raises(TypeError, match="Starlette, FastAPI, Flask or Django, not dict"):
        cognito.client({})
    assert not asyncio.iscoroutinefunction(cognito.client)


def test_a_websocket_brings_the_cookies(cognito, manager):
    """Opened by its path, it goes to the application's own host over TLS, and brings home the cookie of a refresh."""
    from fastapi import WebSocket

    app = fastapi_app(manager)

    async def live(socket, me):
        await socket.accept()
        await socket.send_text(me.username)
        await socket.close()

    live.__annotations__ |= {"socket": WebSocket, "me": fastapi_guard(app)}
    app.websocket("/live")(live)
    client = cognito.client(app)
    cognito.expire()
    with client.websocket_connect("/live") as socket:
        assert socket.receive_text() == "alice"
        assert [name for name, _ in socket.extra_headers] == [b"set-cookie"]


def fastapi_guard(app):
    """The annotation of a parameter that needs a session."""
    from fastapi import Depends

    from cognito_session import Session

    return Annotated[Session, Depends(app.state.auth.required)]
