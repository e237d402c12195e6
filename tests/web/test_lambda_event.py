"""Lambda events: their forms, where cookies come in, and the form in which several of them go out."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import quote, unquote

import pytest

from cognito_session import SessionRequired
from cognito_session.core.errors import ConfigurationError
from cognito_session.http.request import headers_of
from cognito_session.http.response import redirect
from cognito_session.signin.return_to import safe_return_to
from cognito_session.web.aws_lambda.event import Form, cookie_headers, form_of, request_of
from cognito_session.web.aws_lambda.response import answer, cookies_in, respond, set_cookie_spellings, with_session_headers
from managed.scene import NAME, sealed
from support.stack import COOKIE, cookie_of, make_app, shared_stack
from web.gateways import GATEWAYS, HOST, Call, RefusedError, WebSocketApi

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
    ("load balancer", {"headers": {}, "requestContext": {"elb": {"targetGroupArn": "arn:x"}}}, Form.ALB),
    ("load balancer, lists", {"multiValueHeaders": {}, "requestContext": {"elb": {}}}, Form.ALB_MULTI),
    ("load balancer, null", {"multiValueHeaders": None, "headers": None, "requestContext": {"elb": {}}}, Form.ALB),
    ("WebSocket handshake", {"headers": {}, "requestContext": {"eventType": "CONNECT", "connectionId": "c"}}, Form.CONNECT),
    ("WebSocket message", {"requestContext": {"eventType": "MESSAGE", "connectionId": "c"}, "body": "x"}, Form.MESSAGE),
    ("WebSocket end", {"headers": {}, "requestContext": {"eventType": "DISCONNECT", "connectionId": "c"}}, Form.MESSAGE),
    *(
        (name, gateway.event(Call()), form)
        for (name, gateway), form in zip(
            GATEWAYS.items(),
            [
                Form.V1,
                Form.V1,
                Form.V2,
                Form.V2,
                Form.ALB,
                Form.ALB_MULTI,
            ],
            strict=True,
        )
    ),
]


@pytest.mark.parametrize(("event", "form"), [shape[1:] for shape in SHAPES], ids=[shape[0] for shape in SHAPES])
def test_an_event_has_a_form(event, form):
    """Forms are told apart by what their events always have."""
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
    "WebSocket event of another type": {"requestContext": {"eventType": ["MESSAGE"]}, "body": "x"},
    "Lambda@Edge": {"Records": [{"cf": {"request": {"headers": {"cookie": [{"key": "Cookie", "value": "token=x"}]}}}}]},
    "VPC Lattice 1": {"raw_path": "/", "method": "GET", "headers": {"cookie": "token=x"}, "is_base64_encoded": False},
    "VPC Lattice 2": {
        "version": "2.0",
        "path": "/",
        "method": "GET",
        "headers": {"cookie": ["token=x"]},
        "requestContext": {"serviceNetworkArn": "arn:x", "serviceArn": "arn:y"},
    },
    "direct call": {"token": "x"},
}


@pytest.mark.parametrize("event", UNKNOWN.values(), ids=UNKNOWN)
def test_an_event_of_no_known_shape_names_the_known_ones(event):
    """Anything else is a ConfigurationError that says which shapes are expected, and nothing of what came."""
    shapes = r"REST event.*HTTP API or Function URL event.*load balancer's.*WebSocket API's"
    with pytest.raises(ConfigurationError, match=shapes) as caught:
        form_of(event)
    assert "token=x" not in str(caught.value)


@pytest.mark.parametrize(
    ("event", "name"), [("Lambda@Edge", "Lambda@Edge"), ("VPC Lattice 1", "VPC Lattice"), ("VPC Lattice 2", "VPC Lattice")]
)
def test_what_is_not_served_is_refused_by_name(event, name):
    """Whoever puts the library behind CloudFront's or Lattice's functions is told that, not sent looking for a field."""
    with pytest.raises(ConfigurationError, match=f"{name}'s, which is not served"):
        form_of(UNKNOWN[event])


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


# --- requests

TRICKY = ["plain", "a b", "a+b", "ä€𝄞", "a&b=c", "a=b", "%2F", "/x?y#z", "", "100%", "'\"<>"]
ONE_VALUE = {"alb"}
"""Gateways that keep the last value of a name only."""


@pytest.mark.parametrize("name", GATEWAYS)
@pytest.mark.parametrize("value", TRICKY)
def test_a_query_arrives_as_it_was_sent(name, value):
    """API Gateway decodes parameters, a load balancer does not, payload 2.0 has the query as it stands: one result."""
    query = f"q={quote(value, safe='')}&{quote('na me', safe='')}=x"
    request = request_of(GATEWAYS[name].event(Call(query=query)))
    assert request.parameters("q") == [value]
    assert request.parameters("na me") == ["x"]
    assert request.parameters("absent") == []


@pytest.mark.parametrize("name", GATEWAYS)
def test_a_blank_spelled_as_plus_stays_one(name):
    """Forms send blanks as "+"."""
    assert request_of(GATEWAYS[name].event(Call(query="q=a+b"))).parameters("q") == ["a b"]


@pytest.mark.parametrize("name", GATEWAYS)
def test_a_parameter_that_comes_twice(name):
    """Both values, in order, wherever the gateway passes both on."""
    found = request_of(GATEWAYS[name].event(Call(query="q=1&q=2"))).parameters("q")
    assert found == (["2"] if name in ONE_VALUE else ["1", "2"])


@pytest.mark.parametrize("name", GATEWAYS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "get"])
def test_method_path_and_headers(name, method):
    """Method in capitals, path without query, header names in lower case."""
    call = Call(method=method, path="/a/b", query="c=d", headers=(("X-One", "1"), ("ORIGIN", "https://a.test")))
    request = request_of(GATEWAYS[name].event(call))
    assert (request.method, request.path) == (method.upper(), "/a/b")
    assert {key: request.header(key) for key in ("x-one", "origin", "host", "x-none")} == {
        "x-one": "1",
        "origin": "https://a.test",
        "host": HOST,
        "x-none": None,
    }


@pytest.mark.parametrize("name", GATEWAYS)
def test_a_header_that_comes_twice_is_no_single_value(name):
    """Two Origins, in whatever spelling, are both seen where the gateway passes both on: neither can hide the other."""
    call = Call(headers=(("Origin", "https://evil.test"), ("origin", f"https://{HOST}")))
    seen = request_of(GATEWAYS[name].event(call)).header("origin")
    both = f"https://evil.test, https://{HOST}"
    assert seen.replace(",https", ", https") == (f"https://{HOST}" if name in ONE_VALUE else both)


def test_an_event_that_does_not_say_its_method_counts_as_unsafe():
    """Nothing is guessed in favour of the caller."""
    request = request_of({"headers": {}, "requestContext": {}})
    assert (request.method, request.is_safe, request.path, request.query) == ("", False, "/", "")


ODD = {
    "nothing": {},
    "nulls": dict.fromkeys(
        ("headers", "multiValueHeaders", "cookies", "requestContext", "rawQueryString", "path", "httpMethod")
    ),
    "numbers": dict.fromkeys(
        ("headers", "multiValueHeaders", "cookies", "requestContext", "rawPath", "queryStringParameters"), 7
    ),
    "texts": dict.fromkeys(("headers", "multiValueHeaders", "requestContext", "queryStringParameters"), "x"),
    "lists": {name: ["x"] for name in ("headers", "multiValueHeaders", "requestContext", "queryStringParameters", "rawPath")},
    "odd values": {
        "headers": {"Host": 7, 8: "x", "X": ["a", None]},
        "queryStringParameters": {"a": None, 7: "x", "b": [1, "c"]},
    },
    "odd http": {"requestContext": {"http": "GET", "elb": None}, "queryStringParameters": {"a": "%zz", "\udc00": "\udc00"}},
    "surrogates": {"queryStringParameters": {"a": "\udc00"}, "headers": {"\udc00": "\udc00"}},
}


@pytest.mark.parametrize("event", ODD.values(), ids=ODD)
def test_an_odd_event_is_read_without_an_exception(event):
    """Whatever stands where text should be is passed over, and the event is not changed."""
    before = copy.deepcopy(event)
    request = request_of(event)
    assert (request.cookie_headers, request.header("host"), request.parameters("z")) == ((), None, [])
    assert event == before


# --- the session's cookie, wherever it is put: 7 forms, 12 placements


class Placement(NamedTuple):
    """Where the cookie is: a request that has it there, what is done to the event then, and what comes of it."""

    call: Call
    change: Callable[[dict], None] | None = None
    reason: str | None = None
    """Of the rejection; None where the cookie is to be found."""
    lost: frozenset[str] = frozenset()
    """Gateways that do not pass the cookie on."""


def elsewhere(event: dict, pair: str) -> None:
    """The cookie in every place that any form knows, at once."""
    is_load_balancer_s = "elb" in event["requestContext"]  # whose form is told by which of the two maps there is
    if "headers" in event or not is_load_balancer_s:
        event["headers"] = {**(event.get("headers") or {}), "Cookie": pair, "COOKIE": f"b=1; {pair}"}
    if "multiValueHeaders" in event or not is_load_balancer_s:
        event["multiValueHeaders"] = {**(event.get("multiValueHeaders") or {}), "cookie": [f"a=1; {pair}", pair]}
    event["cookies"] = [*event.get("cookies", []), pair]


def no_text(event: dict) -> None:
    """What is no text where the cookie should be."""
    if event.get("headers") is not None:
        event["headers"] = {**event["headers"], "cookie": None, "Cookie": 7}
    if event.get("multiValueHeaders") is not None:
        event["multiValueHeaders"] = {**event["multiValueHeaders"], "cookie": None, "Cookie": [None, 7, {"a": 1}]}
    event["cookies"] = [None, 7, ["token=x"]]


def spelled(event: dict) -> None:
    """Header names as some proxy spells them."""
    for place in ("headers", "multiValueHeaders"):
        if event.get(place):
            event[place] = {"".join(map(str.swapcase, name)): value for name, value in event[place].items()}


def placements(name: str, pair: str) -> dict[str, Placement]:
    """The twelve; `pair` is name=value of a live session."""
    forged = f"{name}={'x' * 40}"
    crowd = tuple(f"cookie-{number}=value-{number}" for number in range(400))
    return {
        "single header": Placement(Call(cookies=(pair,))),
        "several headers": Placement(Call(cookies=("a=1", pair, "b=2")), lost=frozenset({"alb"})),
        "several in one": Placement(Call(cookies=(f"a=1; {pair}; b=2",))),
        "mixed case": Placement(Call(cookies=(pair,)), spelled),
        "twice, and a forged one": Placement(Call(cookies=(f"{forged}; {pair}; {pair}",))),
        "beside JSON": Placement(Call(cookies=(f'x={{"a":1}}; {pair}; y=["b",2]; z={{}}',))),
        "quoted": Placement(Call(cookies=(f'{name}="{pair.partition("=")[2]}"',)), reason="malformed_cookie"),
        "empty": Placement(Call(cookies=(f"{name}=; ; =; a",)), reason="malformed_cookie"),
        "among 400": Placement(Call(cookies=("; ".join((*crowd[:200], pair, *crowd[200:])),))),
        "names that only look like it": Placement(
            Call(cookies=(f"x{pair}; {name}x=1; {name} =1; {pair.swapcase()}",)), reason="no_cookie"
        ),
        "everywhere at once": Placement(Call(), lambda event: elsewhere(event, pair)),
        "no text": Placement(Call(), no_text, reason="no_cookie"),
    }


PLACES = list(placements(COOKIE, f"{COOKIE}=x"))


@pytest.fixture(scope="module")
def served(request):
    """A manager of each kind of cookie, and a live session's cookie."""
    app = make_app(shared_stack(request.config), sort_key="sid")
    made = {}
    for kind, manager in (("token", app.manager()), ("sealed", sealed(app))):
        made[kind] = manager, cookie_of(manager.establish(app.sign_in(app.user())))
    return made


@pytest.mark.parametrize("kind", ["token", "sealed"])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", [*GATEWAYS, "websocket"])
def test_the_cookie_in_each_place_of_each_form(served, name, place, kind):
    """The right value or the right rejection, and never an exception."""
    manager, pair = served[kind]
    found = placements(COOKIE if kind == "token" else NAME, pair)[place]
    event = WebSocketApi().connect_event(found.call) if name == "websocket" else GATEWAYS[name].event(found.call)
    if found.change is not None:
        found.change(event)
    handler = manager.protect(lambda _event, _context, me: {"statusCode": 200, "body": me.sub})
    given = handler(event, None)
    reply = WebSocketApi().handshake(given) if name == "websocket" else GATEWAYS[name].answer(given)
    reason = "no_cookie" if name in found.lost else found.reason
    if reason is None:
        assert reply.status == (101 if name == "websocket" else 200)
        assert name == "websocket" or reply.body.decode() == manager.resolve(pair).session.sub
    else:
        assert reply.status == 401
        assert json.loads(reply.body)["reason"] == reason


# --- answers

ONE, TWO, THREE = "token=a; Path=/", "other=b; Expires=Wed, 21 Oct 2026 07:28:00 GMT", "third=c; HttpOnly"
DOORS = {name: (gateway, form_of(gateway.event(Call()))) for name, gateway in GATEWAYS.items()}


@pytest.fixture(params=DOORS)
def door(request):
    """A gateway, and the form that its events have."""
    return DOORS[request.param]


def test_an_answer_is_json_and_not_to_be_kept(door):
    """Status, JSON body, no-store and Vary; no cookie where there is none."""
    gateway, form = door
    reply = gateway.answer(answer(form, 201, {"a": [1]}, {"X-Own": "x"}, ()))
    assert (reply.status, json.loads(reply.body)) == (201, {"a": [1]})
    assert sorted(reply.headers) == [
        ("Cache-Control", "no-store"),
        ("Content-Type", "application/json"),
        ("Vary", "Cookie"),
        ("X-Own", "x"),
    ]


@pytest.mark.parametrize(("body", "text"), [("plain", "plain"), (None, "null"), ([], "[]"), ("", "")])
def test_a_text_body_is_sent_as_it_is(body, text):
    """Whoever has made the body is not encoded a second time."""
    assert answer(Form.V2, 200, body, {}, ())["body"] == text


@pytest.mark.parametrize("cookies", [[], [ONE], [ONE, TWO], [ONE, TWO, THREE]], ids=len)
def test_several_cookies_survive(door, cookies):
    """All cookies reach the browser, each once and in order."""
    gateway, form = door
    assert gateway.answer(answer(form, 200, {}, {}, cookies)).cookies == cookies


def test_a_redirect_and_an_error_carry_cookies(door):
    """What has no body has its cookies all the same."""
    gateway, form = door
    reply = gateway.answer(respond(form, redirect("/next", cookies=(ONE, TWO))))
    assert (reply.status, reply.values("location"), reply.cookies, reply.body) == (303, ["/next"], [ONE, TWO], b"")
    reply = gateway.answer(with_session_headers(form, {"statusCode": 500, "body": "x"}, [ONE, TWO]))
    assert (reply.status, reply.cookies, reply.values("cache-control")) == (500, [ONE, TWO], ["no-store"])


OWN = {
    "single": {"headers": {"Set-Cookie": TWO}},
    "single, lower case": {"headers": {"set-cookie": TWO}},
    "two spellings": {"headers": {"set-cookie": TWO, "Set-Cookie": THREE}},
    "list": {"multiValueHeaders": {"Set-Cookie": [TWO, THREE]}},
    "list, lower case": {"multiValueHeaders": {"set-cookie": [TWO]}},
    "list as text": {"multiValueHeaders": {"set-cookie": TWO}},
    "array": {"cookies": [TWO, THREE]},
    "single and list": {"headers": {"Set-Cookie": TWO}, "multiValueHeaders": {"set-cookie": [THREE]}},
    "single and array": {"headers": {"Set-Cookie": TWO}, "cookies": [THREE]},
    "list in headers": {"headers": {"Set-Cookie": [TWO, THREE]}},
}


@pytest.mark.parametrize("own", OWN.values(), ids=OWN)
@pytest.mark.parametrize("cookies", [[], [ONE], [ONE, "fourth=d"]], ids=len)
def test_the_handler_s_own_cookies_are_kept(door, own, cookies):
    """Cookies that the handler put in any place, this form's or not, go out beside ours, each once; its object is untouched."""
    gateway, form = door
    given = {"statusCode": 200, "body": "", **own}
    before = copy.deepcopy(given)
    assert sorted(cookies_in(given)) == sorted(line for line in (TWO, THREE) if line in str(own))
    reply = gateway.answer(with_session_headers(form, given, cookies))
    assert sorted(reply.cookies) == sorted([*cookies_in(given), *cookies])
    assert given == before


@pytest.mark.parametrize("given", [None, "text", [ONE], {}, {"headers": None, "cookies": None, "multiValueHeaders": None}])
def test_an_answer_without_cookies_has_none(given):
    """Whatever a handler returns is looked through without an exception."""
    assert cookies_in(given) == []


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
    ('private="x-header"', False, "no-store"),  # it keeps that header alone private (RFC 9111 5.2.2.7)
    ('max-age=60, private="a, no-store, private"', False, "no-store"),
    ("must-understand, no-store, max-age=60", False, "no-store"),
    ("no-store", False, "no-store"),
    ("NO-STORE", False, "NO-STORE"),
    ("x-private", False, "no-store"),
    ("public, s-maxage=1", True, "no-store"),
    ("private, max-age=60", True, "no-store"),
]


@pytest.mark.parametrize(("said", "cookie", "sent"), CACHING)
@pytest.mark.parametrize("name", ["Cache-Control", "cache-control", "CACHE-CONTROL"])
def test_no_shared_cache_keeps_what_a_session_decided(door, name, said, cookie, sent):
    """no-store, unless the handler was as strict itself and no cookie is set; one header of the name, never two."""
    gateway, form = door
    own = {} if said is None else {name: said}
    made = with_session_headers(form, {"statusCode": 200, "headers": own}, [ONE] if cookie else [])
    assert gateway.answer(made).values("cache-control") == [sent]


@pytest.mark.parametrize(
    ("said", "sent"), [(["public"], "no-store"), (["public", "max-age=1"], "no-store"), (["private"], "private")]
)
@pytest.mark.parametrize("beside", [{}, {"X-Many": ["1", "2"]}], ids=["alone", "beside others"])
@pytest.mark.parametrize("name", ["rest", "http-v1", "alb", "alb-multi"])
def test_caching_said_in_lists_is_heard(name, beside, said, sent):
    """Header lists are read like headers, and nothing permissive stays in either."""
    gateway, form = DOORS[name]
    given = {"statusCode": 200, "headers": {}, "multiValueHeaders": {"cache-control": said, **beside}}
    assert gateway.answer(with_session_headers(form, given, [])).values("cache-control") == [sent]


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
def test_vary_names_the_cookie(door, name, said, sent):
    """Cookie joins what the handler varies by, once, and one header of the name goes out."""
    gateway, form = door
    own = {} if said is None else {name: said}
    assert gateway.answer(with_session_headers(form, {"statusCode": 200, "headers": own}, [])).values("vary") == [sent]


@pytest.mark.parametrize("many", [{"Vary": ["Accept", "Origin"], "X-Many": ["1", "2"]}, {"vary": ["Accept", "Origin"]}])
@pytest.mark.parametrize("name", ["rest", "http-v1", "alb", "alb-multi"])
def test_vary_said_in_lists_is_merged(name, many):
    """Values in multiValueHeaders are not lost when Cookie joins them."""
    gateway, form = DOORS[name]
    reply = gateway.answer(with_session_headers(form, {"statusCode": 200, "multiValueHeaders": many}, []))
    assert reply.values("vary") == ["Accept, Origin, Cookie"]
    assert ", ".join(reply.values("x-many")) == ("1, 2" if "X-Many" in many else "")


PLAIN = [("text", "hello", "hello"), ("mapping", {"a": 1}, '{"a": 1}'), ("list", [1], "[1]"), ("none", None, "null")]


@pytest.mark.parametrize(("given", "body"), [case[1:] for case in PLAIN], ids=[case[0] for case in PLAIN])
def test_an_answer_without_status_is_completed(door, given, body):
    """What API Gateway would have inferred is spelled out, so that cookies can be added."""
    gateway, form = door
    reply = gateway.answer(with_session_headers(form, given, [ONE]))
    assert (reply.status, reply.body.decode(), reply.cookies) == (200, body, [ONE])
    assert reply.values("content-type") == ["application/json"]


def test_an_encoded_body_is_untouched(door):
    """Bytes in base64 arrive as the bytes they are, and so do status and other headers."""
    gateway, form = door
    image = bytes(range(256))
    given = {
        "statusCode": 404,
        "headers": {"X-A": "1", "Content-Type": "image/png"},
        "body": base64.b64encode(image).decode(),
        "isBase64Encoded": True,
    }
    made = with_session_headers(form, given, [ONE, TWO])
    assert (made["body"], made["isBase64Encoded"]) == (given["body"], True)
    reply = gateway.answer(made)
    assert (reply.status, reply.body, reply.values("x-a"), reply.cookies) == (404, image, ["1"], [ONE, TWO])


def test_null_headers_in_an_answer_are_none(door):
    """A handler that answers with null fields is understood."""
    gateway, form = door
    given = {"statusCode": 204, "headers": None, "multiValueHeaders": None, "cookies": None}
    assert gateway.answer(with_session_headers(form, given, [ONE])).cookies == [ONE]


# --- what each form loses


def test_a_name_in_both_maps_of_payload_1_loses_its_single_value():
    """So cookies are in one of them only, and an answer has no field that a REST API would refuse."""
    given = {"statusCode": 200, "headers": {"Set-Cookie": "x=1"}, "multiValueHeaders": {"set-cookie": ["y=2"]}}
    assert GATEWAYS["rest"].answer({**given, "multiValueHeaders": {"set-cookie": ["y=2"]}}).cookies == ["y=2"]
    made = with_session_headers(Form.V1, given, [ONE])
    assert made["multiValueHeaders"] == {"Set-Cookie": ["x=1", "y=2", ONE]}
    assert "Set-Cookie" not in made["headers"]
    with pytest.raises(RefusedError, match="unknown fields"):
        GATEWAYS["rest"].answer({"statusCode": 200, "cookies": [ONE]})
    assert "cookies" not in with_session_headers(Form.V1, {"statusCode": 200, "cookies": [TWO]}, [ONE])


def test_a_load_balancer_with_lists_reads_nothing_else():
    """Every header of the handler is in the lists, and a status description and the encoding are there."""
    given = {"statusCode": 302, "headers": {"Location": "/x", "Content-Length": 0, "X-None": None}, "body": ""}
    made = with_session_headers(Form.ALB_MULTI, given, [ONE, TWO])
    assert "headers" not in made
    assert made["multiValueHeaders"]["Set-Cookie"] == [ONE, TWO]
    assert (made["statusDescription"], made["isBase64Encoded"]) == ("302 Found", False)
    reply = GATEWAYS["alb-multi"].answer(made)
    assert (reply.values("location"), reply.values("content-length"), reply.values("x-none")) == (["/x"], ["0"], [])


def test_a_load_balancer_without_lists_gets_each_cookie_under_a_spelling_of_its_own():
    """One value a name, and names differ by case: 300 cookies are 300 headers; lists of the handler's are joined."""
    cookies = [f"c{number}=1" for number in range(300)]
    given = {"statusCode": 200, "headers": {"X-A": "1"}, "multiValueHeaders": {"Link": ["a", "b"], "x-a": ["2"]}}
    made = with_session_headers(Form.ALB, given, cookies)
    assert "multiValueHeaders" not in made
    reply = GATEWAYS["alb"].answer(made)
    assert reply.cookies == cookies
    assert (reply.values("link"), reply.values("x-a")) == (["a, b"], ["2"])


def test_there_are_512_spellings():
    """The usual one first, none twice."""
    spellings = list(set_cookie_spellings())
    assert spellings[0] == "Set-Cookie"
    assert len(set(spellings)) == len(spellings) == 512
    assert {spelling.lower() for spelling in spellings} == {"set-cookie"}


def test_a_status_description_of_the_handler_s_own_is_kept():
    """And a status that has no name is described by its number."""
    own = {"statusCode": 200, "statusDescription": "200 Fine"}
    assert with_session_headers(Form.ALB, own, [])["statusDescription"] == "200 Fine"
    assert with_session_headers(Form.ALB, {"statusCode": 299}, [])["statusDescription"] == "299 "


@pytest.mark.parametrize("form", [Form.CONNECT, Form.MESSAGE])
def test_a_websocket_s_answer_is_left_alone(form):
    """No header of it reaches the browser: none is added, and a sub-protocol that the handler chose stays."""
    given = {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "chat"}}
    assert with_session_headers(form, given, [ONE]) == given
    assert with_session_headers(form, "hello", [ONE])["statusCode"] == 200


# --- through protect: refresh, sign-in and the handler's own cookies together

OWN_PLACES = {
    "rest": lambda lines: {"multiValueHeaders": {"Set-Cookie": lines}},
    "http-v1": lambda lines: {"multiValueHeaders": {"set-cookie": lines}},
    "http-v2": lambda lines: {"cookies": lines},
    "function-url": lambda lines: {"cookies": lines},
    "alb": lambda lines: {"headers": {"Set-Cookie": lines[0], "set-cookie": lines[1]}},
    "alb-multi": lambda lines: {"multiValueHeaders": {"Set-Cookie": lines}},
}


def answers_of(kind, lines, name):
    """A handler's answer of some kind with cookies of its own, in its gateway's form; refusals are raised."""
    own = OWN_PLACES[name](lines)
    headers = {**own.get("headers", {}), **({"Location": "/next"} if kind == "redirect" else {})}
    status = {"page": 200, "redirect": 303, "error": 500, "empty": 204}[kind]
    return {"statusCode": status, **own, "headers": headers, "body": ""}


@pytest.mark.parametrize("kind", ["page", "redirect", "error", "empty"])
@pytest.mark.parametrize("name", GATEWAYS)
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_a_refresh_and_the_handler_s_own_cookies_all_arrive(app, name, kind, asynchronous):
    """After the token's expiry the new session cookie goes out beside two of the handler's, whatever it answers."""
    manager, gateway = sealed(app), GATEWAYS[name]
    old = cookie_of(manager.establish(app.sign_in(app.user())))
    app.expire()

    def handler(event, context, me):
        return answers_of(kind, [TWO, THREE], name)

    async def coroutine(event, context, me):
        return answers_of(kind, [TWO, THREE], name)

    protected = manager.protect(coroutine if asynchronous else handler)
    reply = gateway.answer(protected(gateway.event(Call(cookies=(old,))), None))
    assert reply.status == {"page": 200, "redirect": 303, "error": 500, "empty": 204}[kind]
    (ours,) = [line for line in reply.cookies if line.startswith(f"{NAME}=")]
    assert [line for line in reply.cookies if line != ours] == [TWO, THREE]
    assert ours.endswith("; Path=/; HttpOnly; Secure; SameSite=Lax")
    assert manager.resolve(ours.partition(";")[0]).session.set_cookies == ()
    assert (reply.values("cache-control"), reply.values("vary")) == (["no-store"], ["Cookie"])


@pytest.mark.parametrize("name", GATEWAYS)
def test_a_401_of_the_handler_after_a_refresh_still_carries_the_cookie(app, name):
    """The handler refuses a session that was refreshed a moment ago: the browser needs the new cookie all the same."""
    error = SessionRequired("again", reason="stale_sign_in")
    manager, gateway = app.manager(), GATEWAYS[name]
    old = cookie_of(manager.establish(app.sign_in(app.user())))
    app.expire()

    def handler(event, context, me):
        raise error

    reply = gateway.answer(manager.protect(handler)(gateway.event(Call(cookies=(old,))), None))
    assert (reply.status, json.loads(reply.body)["reason"]) == (error.status, error.reason)
    (line,) = reply.cookies
    assert manager.resolve(line.partition(";")[0]).session.set_cookies == ()


ODD_PATHS = {
    "/orders/M%C3%BCller": "/orders/M%C3%BCller",
    "/files/my%20report.pdf": "/files/my%20report.pdf",
    "/a%3Fb/%23c": "/a%3Fb/%23c",
    "/100%25": "/100%25",
    "/a%2525": "/a%2525",
    "/plain/~x:@!$&'()*+,;=": "/plain/~x:@!$&'()*+,;=",
}


@pytest.mark.parametrize("name", GATEWAYS)
@pytest.mark.parametrize("path", ODD_PATHS)
def test_the_path_is_as_the_browser_sent_it(name, path):
    """HTTP APIs deliver it decoded, the others as it was sent: it is one and the same path to routes, exemptions and
    redirects.
    """
    assert request_of(GATEWAYS[name].event(Call(path=path))).path == ODD_PATHS[path]


@pytest.mark.parametrize("name", GATEWAYS)
@pytest.mark.parametrize("path", ODD_PATHS)
def test_the_way_back_survives_any_path(app, name, path):
    """Signed out at such a page: the redirect brings its path back, and the sign-in keeps it letter by letter."""
    call = Call(path=path, headers=(("Sec-Fetch-Mode", "navigate"),))
    handler = app.manager().protect(lambda *_: None, login_path="/login")
    (location,) = GATEWAYS[name].answer(handler(GATEWAYS[name].event(call), None)).values("location")
    back = unquote(location.partition("?return_to=")[2])
    assert safe_return_to(back) == back == path


@pytest.mark.parametrize(
    ("outer", "path", "found"),
    [
        ("/v1/v1/users", "/v1/users", "/v1/v1/users"),
        ("/v1/users", "/users", "/v1/users"),
        ("/v1/users", "/v1/users", "/v1/users"),
        ("/v1/v1/users", "/v1/v1/users", "/v1/v1/users"),
        ("/prod/v1/users", "/v1/users", "/v1/users"),
        ("/v1/v1/M%C3%BCller", "/v1/M%C3%BCller", "/v1/v1/M%C3%BCller"),
    ],
    ids=["stage and route alike", "stage", "mapped path", "mapped path and route alike", "CloudFront", "non-ASCII"],
)
def test_a_stage_that_is_named_like_a_route(app, outer, path, found):
    """The event's `path` lacks a REST API's stage, and has a custom domain's mapping: requestContext.path tells which it is."""
    event = GATEWAYS["rest"].event(Call(path=path, headers=(("Sec-Fetch-Mode", "navigate"),)))
    event["requestContext"]["path"] = outer
    manager = app.manager(app_base_url="https://api.example/v1")
    answer = manager.protect(lambda *_: None, login_path="/login")(event, None)
    (location,) = GATEWAYS["rest"].answer(answer).values("location")
    assert location == f"/v1/login?return_to={quote(found)}"


@pytest.mark.parametrize("name", ["a", "cookie"])
def test_very_many_headers_of_one_name(name):
    """One name a hundred thousand times: servers without a limit hand it over, and every value is kept in order."""
    values = [str(number) for number in range(100_000)]
    found = headers_of((name, value) for value in values)
    assert found == {name: tuple(values)}
