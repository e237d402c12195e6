"""The headers of everything that the package itself answers; `docs/security/headers.md` lists them."""

import json
from pathlib import Path

import pytest

from cognito_session import SessionRequired, SessionUnavailable
from cognito_session.core.security_headers import SECURITY_HEADERS
from cognito_session.http.error_page import page
from cognito_session.http.error_response import refusal
from cognito_session.http.request import Request
from cognito_session.http.response import json_response, redirect
from cognito_session.web.asgi import CognitoSessionMiddleware as AsgiMiddleware
from cognito_session.web.aws_lambda.event import Form
from cognito_session.web.aws_lambda.response import respond
from cognito_session.web.wsgi import CognitoSessionMiddleware as WsgiMiddleware

PAGE = {"sec-fetch-mode": ("navigate",), "accept": ("text/html",)}
WANTED = {
    "Cache-Control": "no-store",
    "Vary": "Cookie",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
POLICY = ("default-src 'none'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'")


def check(headers):
    """Each header is there, once."""
    found = {}
    for name, value in headers:
        if name.title() in {wanted.title() for wanted in WANTED} | {"Content-Security-Policy"}:
            assert name.lower() not in found
            found[name.lower()] = value
    for name, value in WANTED.items():
        assert found.get(name.lower()) == value, name
    assert all(rule in found["content-security-policy"] for rule in POLICY)


@pytest.mark.parametrize(
    "made",
    [
        redirect("/login"),
        json_response(403, {"error": "forbidden"}),
        page(401, "Title", "Text", link=("/login", "Sign in")),
        refusal(Request("GET", "/", "", PAGE), SessionRequired("x"), login_path="/login"),
        refusal(Request("GET", "/", "", PAGE), SessionRequired("x")),
        refusal(Request("POST", "/", "", {}), SessionUnavailable("x", retry_after=2)),
    ],
    ids=["redirect", "json", "page", "to sign in", "refused page", "refused json"],
)
def test_every_kind_of_answer_has_them(made):
    """Redirects, JSON and pages."""
    check(made.headers.items())


@pytest.mark.parametrize("form", [Form.V1, Form.V2, Form.ALB, Form.ALB_MULTI])
def test_in_every_form_of_event(form):
    """Also where values go into `multiValueHeaders`."""
    given = respond(form, json_response(401, {}))
    many = {name: values[0] for name, values in given.get("multiValueHeaders", {}).items()}
    check({**given.get("headers", {}), **many}.items())


def test_an_error_that_answers_for_itself():
    """`error.respond()` without an event."""
    check(SessionRequired("x").respond()["headers"].items())


def test_under_wsgi(app):
    """A refusal in front of any WSGI application."""
    sent = []
    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/", "HTTP_HOST": "app.example"}
    application = WsgiMiddleware(lambda *_: [], app.manager())
    body = b"".join(application(environ, lambda status, headers, *_: sent.append((status, headers))))
    assert json.loads(body)["reason"] == "cross_site"
    check(sent[0][1])


async def test_under_asgi(app):
    """A refusal in front of any ASGI application."""
    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": [(b"host", b"app.example")]}
    await AsgiMiddleware(None, app.async_manager())(scope, None, send)
    check([(name.decode(), value.decode()) for name, value in sent[0]["headers"]])


def test_the_page_about_them_names_each():
    """The documentation lists every header and its value."""
    text = (Path(__file__).parents[2] / "docs/security/headers.md").read_text()
    for name, value in SECURITY_HEADERS.items():
        assert f"`{name}: {value}`" in text
