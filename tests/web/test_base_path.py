"""base_path.py: what a browser is told to ask for, where the application's address has a path."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import flask
import pytest

from cognito_session import SessionManager
from cognito_session.http.base_path import base_path_of, below
from cognito_session.web.flask import CognitoSession, session_required
from managed.scene import ring

STAGE = "https://abc123.execute-api.eu-central-1.amazonaws.com/prod"


@pytest.mark.parametrize(
    ("address", "path"),
    [
        (None, ""),
        ("https://app.example", ""),
        ("https://app.example/", ""),
        ("http://localhost:8000", ""),
        ("https://app.example/prod", "/prod"),
        ("https://app.example/prod/", "/prod"),
        ("https://[::1]:8000/a/b?x=/y#/z", "/a/b"),
    ],
)
def test_the_base_path_of_an_address(address, path):
    """What follows the host, without a slash at its end, query or fragment."""
    assert base_path_of(address) == path


@pytest.mark.parametrize(
    ("base", "path", "found"),
    [
        ("", "/login", "/login"),
        ("", "https://login.example/", "https://login.example/"),
        ("/prod", "/login", "/prod/login"),
        ("/prod", "/", "/prod/"),
        ("/prod", "/prod/login?a=b", "/prod/login?a=b"),
        ("/prod", "/prod", "/prod"),
        ("/prod", "/prod?a=/b", "/prod?a=/b"),
        ("/prod", "/products/7", "/prod/products/7"),
        ("/prod", "//evil.example", "/prod//evil.example"),
        ("/prod", "https://login.example/prod", "https://login.example/prod"),
    ],
)
def test_a_path_below_it(base, path, found):
    """Put before what is not below it already; a whole address stays."""
    assert below(base, path) == found


@pytest.fixture
def manager(cognito):
    """Of an application on a REST API's own domain."""
    environ = {
        "USER_POOL_ID": "eu-central-1_TestPool1",
        "CLIENT_ID": "client",
        "SESSION_TABLE": "sessions",
        "SORT_KEY": "sid",
        "SESSION_KEYS": ring(1),
        "COGNITO_DOMAIN": "https://login.example",
        "APP_BASE_URL": STAGE,
    }
    return cognito.attach(SessionManager.from_env(environ=environ))


def location(answer):
    """Where an answer of a function sends the browser."""
    assert answer["statusCode"] == 303
    return (answer.get("headers") or {}).get("Location") or answer["multiValueHeaders"]["Location"][0]


def test_there_and_back_on_a_rest_api_s_own_domain(cognito, manager):
    """The function sees no stage, the browser must: on the way to sign in, back from it, and after sign-out."""
    login = manager.managed_login()
    page = {"sec-fetch-mode": "navigate"}

    @manager.protect(login_path="/login")
    def orders(event, context, me):
        return {"statusCode": 200, "body": me.sub}

    asked = cognito.event("rest", path="/orders/7", query={"a": "b"}, headers=page, signed_in=False)
    assert asked["path"] == "/orders/7"
    to_sign_in = urlsplit(location(orders(asked, cognito.context)))
    assert to_sign_in.path == "/prod/login"
    assert parse_qs(to_sign_in.query) == {"return_to": ["/prod/orders/7?a=b"]}
    started = login.start(cognito.event("rest", path="/login", query=parse_qs(to_sign_in.query), headers=page, signed_in=False))
    cognito.keep(started)
    assert parse_qs(urlsplit(location(started)).query)["redirect_uri"] == [f"{STAGE}/auth/callback"]
    back = cognito.authorize(location(started)).partition("/prod")[2]
    answer = login.callback(cognito.event("rest", path=back, headers=page, signed_in=False))
    cognito.keep(answer)
    assert location(answer) == "/prod/orders/7?a=b"
    gone = cognito.event("rest", path=back, headers=page)
    assert location(login.callback(gone)) == "/prod/"
    elsewhere = cognito.event("rest", method="POST", path="/sign-out", headers=page)
    assert location(login.sign_out(elsewhere, where="elsewhere")) == "/prod/"


def test_a_return_to_of_the_application_s_own(cognito, manager):
    """`start(return_to=...)` and `after_sign_in` are paths as the application knows them."""
    login = manager.managed_login(after_sign_in="/home")
    for return_to, found in (("/orders", "/prod/orders"), (None, "/prod/home"), ("//evil.example", "/prod/home")):
        started = login.start(cognito.event("rest", path="/login", signed_in=False), return_to=return_to)
        cognito.keep(started)
        back = cognito.authorize(location(started)).partition("/prod")[2]
        assert location(login.callback(cognito.event("rest", path=back, signed_in=False))) == found


def test_a_page_s_link_to_sign_in(cognito, manager):
    """Where nothing came back that could be used, the page leads to sign-in below the stage."""
    asked = cognito.event("rest", path="/auth/callback", headers={"sec-fetch-mode": "navigate"}, signed_in=False)
    answer = manager.managed_login().callback(asked)
    assert answer["statusCode"] == 400
    assert 'href="/prod/login"' in answer["body"]


def test_an_application_that_is_mounted_there(cognito, manager):
    """Below SCRIPT_NAME the path is whole already: nothing is put before it twice."""
    app = flask.Flask(__name__)
    CognitoSession(app, manager, login_path="/login")

    @app.get("/orders")
    @session_required
    def orders():
        return "orders"

    asked = app.test_client().get("/orders", headers={"sec-fetch-mode": "navigate"}, environ_overrides={"SCRIPT_NAME": "/prod"})
    assert asked.headers["Location"] == "/prod/login?return_to=/prod/orders"
