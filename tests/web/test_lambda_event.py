"""Lambda events: where cookies come in, and the form in which several of them go out."""

from __future__ import annotations

import copy
import json

import pytest

from cognito_session.core.errors import ConfigurationError
from cognito_session.web.lambda_event import Form, answer, cookie_headers, form_of, with_session_headers

CONTEXT_V1 = {"resourcePath": "/", "httpMethod": "GET", "stage": "prod"}
CONTEXT_V2 = {"http": {"method": "GET", "path": "/"}, "stage": "$default"}


def v1(**more: object) -> dict:
    """A REST API event."""
    headers = {"Accept": "*/*"}
    shape = {"resource": "/", "path": "/", "httpMethod": "GET", "headers": headers, "multiValueHeaders": {"Accept": ["*/*"]}}
    return {**shape, "requestContext": CONTEXT_V1, "body": None, **more}


def v2(**more: object) -> dict:
    """An HTTP API or Function URL event."""
    return {"version": "2.0", "rawPath": "/", "headers": {"accept": "*/*"}, "requestContext": CONTEXT_V2, **more}


# --- forms

SHAPES = [
    ("REST", v1(), Form.V1),
    ("REST with version", v1(version="1.0"), Form.V1),
    ("REST, console test", v1(headers=None, multiValueHeaders=None), Form.V1),
    ("REST without multi-value headers", {"headers": {}, "requestContext": CONTEXT_V1}, Form.V1),
    ("REST with multi-value headers only", {"multiValueHeaders": {}, "requestContext": CONTEXT_V1}, Form.V1),
    ("HTTP", v2(), Form.V2),
    ("HTTP with cookies", v2(cookies=["a=1"]), Form.V2),
    ("HTTP without headers", {"version": "2.0", "requestContext": CONTEXT_V2}, Form.V2),
]


@pytest.mark.parametrize(("event", "form"), [shape[1:] for shape in SHAPES], ids=[shape[0] for shape in SHAPES])
def test_an_event_has_a_form(event, form):
    """Both payload formats are told apart by what they always have."""
    assert form_of(event) is form


UNKNOWN = {
    "none": None,
    "text": "{}",
    "list": [v2()],
    "empty": {},
    "SQS": {"Records": [{"eventSource": "aws:sqs", "body": "x"}]},
    "scheduled": {"version": "0", "source": "aws.events", "detail": {}},
    "version alone": {"version": "2.0", "headers": {}},
    "headers alone": {"headers": {"Cookie": "token=x"}},
    "context alone": {"requestContext": CONTEXT_V1},
    "WebSocket message": {"requestContext": {"eventType": "MESSAGE", "connectionId": "c"}, "body": "x"},
    "direct call": {"token": "x"},
}


@pytest.mark.parametrize("event", UNKNOWN.values(), ids=UNKNOWN)
def test_an_event_of_no_known_shape_names_the_known_ones(event):
    """Anything else is a ConfigurationError that says which shapes are expected, and nothing of what came."""
    with pytest.raises(ConfigurationError, match=r"REST event.*HTTP API or Function URL event") as caught:
        form_of(event)
    assert "token=x" not in str(caught.value)


# --- cookies in

COOKIES_IN = [
    ("REST, both kinds of header", v1(headers={"Cookie": "a=1"}, multiValueHeaders={"Cookie": ["a=1"]}), ["a=1", "a=1"]),
    ("REST, single", v1(headers={"Cookie": "a=1; b=2"}), ["a=1; b=2"]),
    ("REST, several", v1(multiValueHeaders={"Cookie": ["a=1", "b=2"]}), ["a=1", "b=2"]),
    ("REST, several as text", v1(multiValueHeaders={"Cookie": "a=1"}), ["a=1"]),
    ("REST, single as list", v1(headers={"Cookie": ["a=1", "b=2"]}), ["a=1", "b=2"]),
    ("HTTP, cookies array", v2(cookies=["a=1", "b=2"]), ["a=1", "b=2"]),
    ("HTTP, cookies as text", v2(cookies="a=1"), ["a=1"]),
    ("HTTP, header too", v2(headers={"cookie": "a=1"}, cookies=["b=2"]), ["a=1", "b=2"]),
    ("lower case", v1(headers={"cookie": "a=1"}), ["a=1"]),
    ("upper case", v1(headers={"COOKIE": "a=1"}), ["a=1"]),
    ("mixed case", v1(headers={"cOOkIe": "a=1"}), ["a=1"]),
    ("two cases", v1(headers={"cookie": "a=1", "Cookie": "b=2"}), ["a=1", "b=2"]),
    ("tuple", v2(cookies=("a=1",)), ["a=1"]),
    ("other headers", v1(headers={"Set-Cookie": "x", "Cookie2": "x", "X-Cookie": "x", "Authorization": "x"}), []),
    ("forwarded headers", v1(headers={"X-Forwarded-Cookie": "token=EVIL"}), []),
    ("query", v2(queryStringParameters={"cookie": "token=EVIL"}, rawQueryString="cookie=x"), []),
    ("null headers", v1(headers=None, multiValueHeaders=None), []),
    ("null cookies", v2(cookies=None), []),
    ("null values", v1(headers={"Cookie": None}, multiValueHeaders={"Cookie": None}), []),
    ("null within", v1(multiValueHeaders={"Cookie": [None, "a=1", 7]}), ["a=1"]),
    ("numbers", v2(cookies=7, headers={"cookie": 7}), []),
    ("bytes", v2(cookies=[b"a=1"]), []),
    ("mapping", v2(cookies={"a": "1"}), []),
    ("headers of another type", v1(headers="Cookie: a=1", multiValueHeaders=["Cookie"]), []),
    ("names of another type", v1(headers={7: "a=1", None: "b=2", "Cookie": "c=3"}), ["c=3"]),
    ("nothing", {}, []),
]


@pytest.mark.parametrize(("event", "found"), [case[1:] for case in COOKIES_IN], ids=[case[0] for case in COOKIES_IN])
def test_cookies_are_found_where_a_form_puts_them(event, found):
    """Header in any case, list or text, cookies array; rubbish is passed over; the event is not changed."""
    before = copy.deepcopy(event)
    assert cookie_headers(event) == found
    assert event == before


# --- answers

ONE, TWO = "token=a; Path=/", "other=b; Path=/"


def set_cookies(form: Form, response: dict) -> list[str]:
    """Every Set-Cookie value that would reach the browser: of a name in both maps of payload 1.0 only the list is sent."""
    single = [value for name, value in response.get("headers", {}).items() if name.lower() == "set-cookie"]
    many = [v for name, values in response.get("multiValueHeaders", {}).items() if name.lower() == "set-cookie" for v in values]
    if form is Form.V2:
        return [*response.get("cookies", []), *single]
    return many or single


def header(response: dict, wanted: str) -> list[str]:
    """Every value of a header, wherever it stands."""
    single = [value for name, value in response.get("headers", {}).items() if name.lower() == wanted]
    return single + [v for name, vs in response.get("multiValueHeaders", {}).items() if name.lower() == wanted for v in vs]


@pytest.mark.parametrize("form", Form)
def test_an_answer_is_json_and_not_to_be_kept(form):
    """Status, JSON body, no-store and Vary; no cookie field where there is no cookie."""
    made = answer(form, 201, {"a": [1]}, {"X-Own": "x"}, ())
    assert (made["statusCode"], json.loads(made["body"])) == (201, {"a": [1]})
    assert made["headers"] == {
        "Content-Type": "application/json",
        "X-Own": "x",
        "Cache-Control": "no-store",
        "Vary": "Cookie",
    }
    assert made.keys() == {"statusCode", "headers", "body"}


@pytest.mark.parametrize(("body", "text"), [("plain", "plain"), (None, "null"), ([], "[]"), ("", "")])
def test_a_text_body_is_sent_as_it_is(body, text):
    """Whoever has made the body is not encoded a second time."""
    assert answer(Form.V2, 200, body, {}, ())["body"] == text


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("cookies", [[ONE], [ONE, TWO]], ids=["one", "two"])
def test_several_cookies_survive(form, cookies):
    """All cookies reach the browser, in order, in the field that this form sends them from."""
    made = answer(form, 200, {}, {}, cookies)
    assert set_cookies(form, made) == cookies
    assert made["cookies" if form is Form.V2 else "multiValueHeaders"] == (
        cookies if form is Form.V2 else {"Set-Cookie": cookies}
    )


EXISTING = [
    ("V1 single", Form.V1, {"headers": {"Set-Cookie": TWO}}),
    ("V1 single, lower case", Form.V1, {"headers": {"set-cookie": TWO}}),
    ("V1 many", Form.V1, {"multiValueHeaders": {"Set-Cookie": [TWO]}}),
    ("V1 many, lower case", Form.V1, {"multiValueHeaders": {"set-cookie": [TWO]}}),
    ("V2 array", Form.V2, {"cookies": [TWO]}),
    ("V2 header", Form.V2, {"headers": {"Set-Cookie": TWO}}),
]


@pytest.mark.parametrize(("form", "own"), [case[1:] for case in EXISTING], ids=[case[0] for case in EXISTING])
@pytest.mark.parametrize("cookies", [[], [ONE], [ONE, "third=c"]], ids=["none", "one", "two"])
def test_the_handler_s_own_cookies_are_kept(form, own, cookies):
    """Cookies that the handler sets in any place go out beside ours, each once, and its answer object is not changed."""
    response = {"statusCode": 200, "body": "", **own}
    before = copy.deepcopy(response)
    made = with_session_headers(form, response, cookies)
    assert sorted(set_cookies(form, made)) == sorted([TWO, *cookies])
    assert response == before


def test_both_places_of_payload_1_are_merged():
    """A name in both maps loses its single value at API Gateway: it is moved to the list."""
    response = {"statusCode": 200, "headers": {"Set-Cookie": "x=1"}, "multiValueHeaders": {"set-cookie": ["y=2"]}}
    made = with_session_headers(Form.V1, response, [ONE])
    assert made["multiValueHeaders"] == {"set-cookie": ["y=2", "x=1", ONE]}
    assert "Set-Cookie" not in made["headers"]


CACHING = [
    # what the handler said, whether a cookie is set, what goes out
    (None, False, "no-store"),
    (None, True, "no-store"),
    ("", False, "no-store"),
    ("public, max-age=60", False, "no-store"),
    ("max-age=60", False, "no-store"),
    ("no-cache", False, "no-store"),
    ("private, max-age=60", False, "private, max-age=60"),
    ("max-age=60, Private", False, "max-age=60, Private"),
    ('private="x-header"', False, 'private="x-header"'),
    ("no-store", False, "no-store"),
    ("NO-STORE", False, "NO-STORE"),
    ("x-private", False, "no-store"),
    ("public, s-maxage=1", True, "no-store"),
    ("private, max-age=60", True, "no-store"),
]


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize(("said", "cookie", "sent"), CACHING)
@pytest.mark.parametrize("name", ["Cache-Control", "cache-control", "CACHE-CONTROL"])
def test_no_shared_cache_keeps_what_a_session_decided(form, name, said, cookie, sent):
    """no-store, unless the handler was as strict itself and no cookie is set; one header of the name, never two."""
    own = {} if said is None else {name: said}
    made = with_session_headers(form, {"statusCode": 200, "headers": own}, [ONE] if cookie else [])
    assert header(made, "cache-control") == [sent]


@pytest.mark.parametrize(
    ("said", "sent"), [(["public"], "no-store"), (["public", "max-age=1"], "no-store"), (["private"], "private")]
)
@pytest.mark.parametrize("beside", [{}, {"X-Many": ["1", "2"]}], ids=["alone", "beside others"])
def test_caching_said_in_lists_is_heard(beside, said, sent):
    """Header lists are read like headers, and nothing permissive stays in either."""
    response = {"statusCode": 200, "headers": {}, "multiValueHeaders": {"cache-control": said, **beside}}
    assert header(with_session_headers(Form.V1, response, []), "cache-control") == [sent]


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize(
    ("said", "sent"),
    [
        (None, "Cookie"),
        ("", "Cookie"),
        ("Accept", "Accept, Cookie"),
        ("Accept, Origin", "Accept, Origin, Cookie"),
        ("Cookie", "Cookie"),
        ("accept, cookie", "accept, cookie"),
        ("*", "*"),
        ("Accept,COOKIE", "Accept,COOKIE"),
        ("X-Cookie", "X-Cookie, Cookie"),
    ],
)
@pytest.mark.parametrize("name", ["Vary", "vary"])
def test_vary_names_the_cookie(form, name, said, sent):
    """Cookie joins what the handler varies by, once, and one header of the name goes out."""
    own = {} if said is None else {name: said}
    made = with_session_headers(form, {"statusCode": 200, "headers": own}, [])
    assert header(made, "vary") == [sent]


def test_vary_said_in_lists_is_merged():
    """Values in multiValueHeaders are not lost when Cookie joins them."""
    response = {"statusCode": 200, "multiValueHeaders": {"Vary": ["Accept", "Origin"], "X-Many": ["1", "2"]}}
    made = with_session_headers(Form.V1, response, [])
    assert header(made, "vary") == ["Accept, Origin, Cookie"]
    assert made["multiValueHeaders"] == {"X-Many": ["1", "2"]}


PLAIN = [("text", "hello", "hello"), ("mapping", {"a": 1}, '{"a": 1}'), ("list", [1], "[1]"), ("none", None, "null")]


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize(("response", "body"), [case[1:] for case in PLAIN], ids=[case[0] for case in PLAIN])
def test_an_answer_without_status_is_completed(form, response, body):
    """What API Gateway would have inferred is spelled out, so that cookies can be added."""
    made = with_session_headers(form, response, [ONE])
    assert (made["statusCode"], made["body"]) == (200, body)
    assert made["headers"]["Content-Type"] == "application/json"
    assert set_cookies(form, made) == [ONE]


def test_vary_alone_in_lists_is_moved_whole():
    """The list that Vary leaves empty does not go out as it was."""
    made = with_session_headers(Form.V1, {"statusCode": 200, "multiValueHeaders": {"Vary": ["Accept"]}}, [])
    assert header(made, "vary") == ["Accept, Cookie"]


def test_the_rest_of_an_answer_is_untouched():
    """Status, body, encoding flag and other headers stay as the handler made them."""
    response = {"statusCode": 404, "headers": {"X-A": "1"}, "body": "eA==", "isBase64Encoded": True, "x": 1}
    made = with_session_headers(Form.V2, response, [ONE])
    assert {name: made[name] for name in ("statusCode", "body", "isBase64Encoded", "x")} == {
        "statusCode": 404,
        "body": "eA==",
        "isBase64Encoded": True,
        "x": 1,
    }
    assert made["headers"]["X-A"] == "1"


@pytest.mark.parametrize("form", Form)
def test_null_headers_in_an_answer_are_none(form):
    """A handler that answers with null fields is understood."""
    response = {"statusCode": 204, "headers": None, "multiValueHeaders": None, "cookies": None}
    assert set_cookies(form, with_session_headers(form, response, [ONE])) == [ONE]
