"""Lambda events of every form: the library reads the request that the test describes, with the peculiarities of each form."""

from __future__ import annotations

import base64
import json

import pytest

from cognito_session import SessionManager
from cognito_session.http.csrf import CsrfVerdict
from cognito_session.testing.events import FORMS
from cognito_session.web.aws_lambda.event import Form, form_of, request_of

HTTP = ("http-v2", "http-v1", "rest", "function-url", "alb", "alb-multi")
CONNECTS = ("websocket-connect", "authorizer-websocket")
KINDS = {
    "http-v2": Form.V2,
    "http-v1": Form.V1,
    "rest": Form.V1,
    "function-url": Form.V2,
    "alb": Form.ALB,
    "alb-multi": Form.ALB_MULTI,
    "websocket-connect": Form.CONNECT,
    "websocket-message": Form.MESSAGE,
    "authorizer-rest": Form.V1,
    "authorizer-http": Form.V2,
    "authorizer-websocket": Form.CONNECT,
}


@pytest.fixture
def attached(cognito, sessions):
    """An attached manager."""
    return cognito.attach(sessions)


@pytest.mark.parametrize("form", KINDS)
def test_the_library_knows_each_form(cognito, attached, form):
    """The library recognizes every event by its own fields, and each is plain JSON."""
    event = cognito.event(form)
    assert form_of(event) is KINDS[form]
    assert json.loads(json.dumps(event)) == event


@pytest.mark.parametrize("form", HTTP)
def test_what_is_asked_is_what_is_read(cognito, attached, form):
    """Method, path, query with repeated and encoded values, headers and cookies survive in each form."""
    event = cognito.event(
        form,
        method="put",
        path="/orders/7?a=1",
        query={"b": ["2", "3 &"]},
        headers={"X-Trace": "t", "Accept": "text/html"},
        cookies={"theme": "dark"},
    )
    asked = request_of(event)
    assert (asked.method, asked.path) == ("PUT", "/orders/7")
    values = [asked.parameters(name) for name in ("a", "b")]
    assert values == [["1"], ["2", "3 &"]] if form != "alb" else values[0] == ["1"]
    assert (asked.header("x-trace"), asked.header("accept"), asked.header("host")) == ("t", "text/html", "app.example")
    pairs = dict.fromkeys(pair for header in asked.cookie_headers for pair in header.split("; "))
    assert [pair.partition("=")[0] for pair in pairs] == ["__Host-session", "theme"]


def test_where_cookies_go(cognito, attached):
    """Payload 2.0 has cookies in a list and in no header; the other forms have a header in varying case."""
    made = {form: cognito.event(form, cookies="a=1; b=2") for form in HTTP}
    for form in ("http-v2", "function-url"):
        assert made[form]["cookies"] == ["a=1", "b=2"]
        assert not [name for name in made[form]["headers"] if name.lower() == "cookie"]
    assert made["rest"]["headers"]["Cookie"] == made["http-v1"]["headers"]["cookie"] == "a=1; b=2"
    assert made["rest"]["multiValueHeaders"]["Cookie"] == ["a=1; b=2"]
    assert (made["alb"]["headers"]["cookie"], "multiValueHeaders" in made["alb"]) == ("a=1; b=2", False)
    assert (made["alb-multi"]["multiValueHeaders"]["cookie"], "headers" in made["alb-multi"]) == (["a=1; b=2"], False)


@pytest.mark.parametrize("form", HTTP)
def test_bodies(cognito, attached, form):
    """Text is unchanged, a mapping is JSON with its content type, bytes are base64."""
    text = cognito.event(form, method="POST", body="a=1")
    made = cognito.event(form, method="POST", body={"a": 1})
    raw = cognito.event(form, method="POST", body=b"\xff\x00")
    assert (text["body"], text["isBase64Encoded"]) == ("a=1", False)
    assert json.loads(made["body"]) == {"a": 1}
    assert request_of(made).header("content-type") == "application/json"
    assert (base64.b64decode(raw["body"]), raw["isBase64Encoded"]) == (b"\xff\x00", True)


@pytest.mark.parametrize("form", [*HTTP, "authorizer-rest", "authorizer-http"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_what_changes_something_comes_from_our_own_pages(cognito, attached, form, method):
    """By default the CSRF check passes; it fails from another site, or without the headers of a browser."""
    verdicts = {
        site: attached.engine.csrf.verdict(request_of(cognito.event(form, method=method, site=site)))
        for site in ("same-origin", "none", "same-site", "cross-site", None)
    }
    assert verdicts == {
        "same-origin": CsrfVerdict.PASSES,
        "none": CsrfVerdict.PASSES,
        "same-site": CsrfVerdict.REFUSED,
        "cross-site": CsrfVerdict.REFUSED,
        None: CsrfVerdict.SILENT,
    }


@pytest.mark.parametrize("form", HTTP)
def test_origin_alone_is_right_too(cognito, attached, form):
    """A browser without Sec-Fetch-Site passes by its Origin."""
    event = cognito.event(form, method="POST")
    for source in (event.get("headers"), event.get("multiValueHeaders")):
        for name in [name for name in source or {} if name.lower() == "sec-fetch-site"]:
            del source[name]
    assert request_of(event).header("sec-fetch-site") is None
    assert attached.engine.csrf.verdict(request_of(event)) is CsrfVerdict.PASSES


@pytest.mark.parametrize("form", CONNECTS)
def test_a_handshake_says_its_origin(cognito, attached, form):
    """Browsers always send Origin (RFC 6455 10.2), from other sites too."""
    assert request_of(cognito.event(form)).header("origin") == "https://app.example"
    assert request_of(cognito.event(form, site="cross-site")).header("origin") == "https://elsewhere.example"
    assert request_of(cognito.event(form, site=None)).header("origin") is None


def test_safe_methods_say_nothing_unless_asked(cognito, attached):
    """A GET from the application's own pages has no Origin, as in browsers; from elsewhere it has Sec-Fetch-Site."""
    own = request_of(cognito.event("rest"))
    other = request_of(cognito.event("rest", site="cross-site"))
    assert (own.header("origin"), own.header("sec-fetch-site")) == (None, None)
    assert (other.header("origin"), other.header("sec-fetch-site")) == (None, "cross-site")


@pytest.mark.parametrize("form", ["authorizer-rest", "authorizer-token", "authorizer-http", "authorizer-websocket"])
def test_authorizers_admit_the_signed_in(cognito, attached, form):
    """The library's own authorizer admits the user with the event of each form, and no user without a session."""
    authorize = attached.authorizer(any_group=["staff"])
    answer = authorize(cognito.event(form, groups=["staff"]), cognito.context)
    assert answer["context"]["username"] == "alice"
    assert answer.get("isAuthorized") is True or answer["policyDocument"]["Statement"][0]["Effect"] == "Allow"
    refused = cognito.event(form, groups=["night"])
    answer = authorize(refused, cognito.context)
    assert answer.get("isAuthorized") is False or answer["policyDocument"]["Statement"][0]["Effect"] == "Deny"


def test_a_message_is_its_connections(cognito, environ):
    """Later WebSocket events have no headers; the authorizer's context identifies the user."""
    told = cognito.attach(SessionManager.from_env(environ=environ, websocket_api=True))
    handler = told.protect(lambda event, context, me: {"statusCode": 200, "body": me.username})
    event = cognito.event("websocket-message", manager=told, user="bob", body={"say": "hello"})
    assert "headers" not in event
    assert handler(event, cognito.context)["body"] == "bob"
    assert "authorizer" not in cognito.event("websocket-message", user="carol", signed_in=False)["requestContext"]


def test_an_unknown_form_is_an_error(cognito, attached):
    """The message names the forms."""
    with pytest.raises(ValueError, match="http-v2"):
        cognito.event("http-v3")
    assert len(FORMS) == 12


def test_events_are_apart(cognito, attached):
    """Each event is new, with its own request id, at the time of the test's clock."""
    first = cognito.event("http-v2", groups=["staff"])
    cognito.advance(60)
    second = cognito.event("http-v2")
    assert first["requestContext"]["requestId"] != second["requestContext"]["requestId"]
    assert second["requestContext"]["timeEpoch"] - first["requestContext"]["timeEpoch"] == 60_000
    first["headers"]["host"] = "changed"
    assert second["headers"]["host"] == "app.example"
