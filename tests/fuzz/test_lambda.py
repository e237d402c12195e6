"""Lambda: events of every form with anything in any place, and whatever a function may answer."""

from __future__ import annotations

import json

from hypothesis import strategies as st

from cognito_session import SessionError, SessionForbidden, SessionManager
from cognito_session.core.errors import ConfigurationError
from cognito_session.http.request import Request
from cognito_session.web.aws_lambda.event import Form, cookie_headers, form_of, request_of
from cognito_session.web.aws_lambda.response import cookies_in, with_session_headers
from fuzz.harness import fuzz
from fuzz.kit import LOGIN, kit
from fuzz.shapes import JSON, TEXTS, one_in, replaced, spelled

NAMES = one_in(
    3,
    TEXTS,
    st.sampled_from(
        [
            *("headers", "multiValueHeaders", "cookies", "requestContext", "http", "elb", "eventType", "httpMethod", "method"),
            *("rawPath", "path", "rawQueryString", "queryStringParameters", "multiValueQueryStringParameters", "version"),
            *("Cookie", "cookie", "COOKIE", "Origin", "sec-fetch-site", "accept", "Records", "raw_path", "serviceArn", "type"),
        ]
    ),
)
STRANGERS = [
    {"Records": [{"cf": {"request": {"headers": {"cookie": [{"key": "Cookie", "value": "a=1"}]}}}}]},
    {"raw_path": "/", "method": "GET", "headers": {}, "requestContext": {"serviceNetworkArn": "arn:x"}},
    {"Records": [{"eventSource": "aws:sqs"}]},
    {},
]


@st.composite
def _events(draw: st.DrawFn):
    """An event of any form as AWS sends it, or with one to three places of it changed."""
    known = kit().events
    event = draw(one_in(12, st.sampled_from(STRANGERS), st.sampled_from(sorted(known)).map(known.get)))
    return draw(one_in(4, st.just(event), replaced(st.just(event), NAMES)))


def read(event):
    """The event's form and request; None where it has no known shape."""
    try:
        form = form_of(event)
    except ConfigurationError:
        return None
    return form, request_of(event)


@fuzz(sees={form.name for form in Form} | {"no shape"}, event=one_in(20, JSON, _events()))
def test_any_event_is_a_request_or_is_refused_by_name(event):
    """Every event is read as a Request whose parts have their types, or refused as one of no known shape."""
    found = read(event)
    if found is None:
        return "no shape"
    form, request = found
    assert type(request) is Request
    assert all(type(part) is str for part in request[:3])
    assert all(type(name) is str and name == name.lower() for name in request.headers)
    assert all(values and type(values) is tuple and {type(v) for v in values} == {str} for values in request.headers.values())
    assert list(request.cookie_headers) == cookie_headers(event)
    assert all(type(text) is str for text in request.parameters("a"))
    return form.name


ANSWERS = one_in(
    4,
    JSON,
    replaced(
        st.sampled_from(
            [
                {"statusCode": 200, "headers": {"Content-Type": "text/plain", "set-cookie": "a=1"}, "body": "x"},
                {"statusCode": 200, "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"], "Vary": ["Accept"]}, "body": ""},
                {"statusCode": 404, "cookies": ["a=1", "b=2"], "headers": {"Cache-Control": "private"}},
                {"statusCode": "302", "headers": {"Location": "/", "Set-Cookie": "a=1"}, "isBase64Encoded": False},
                {"ok": True},
            ]
        ),
        one_in(
            4, TEXTS, st.sampled_from(["statusCode", "headers", "multiValueHeaders", "cookies", "body", "Set-Cookie", "vary"])
        ),
    ),
)


def sent(form: Form, answer) -> list[str]:
    """The Set-Cookie values that reach the browser of an answer in this form, by AWS's pages."""
    single = [(name, value) for name, value in (answer.get("headers") or {}).items() if name.lower() == "set-cookie"]
    many = [
        (n, v) for n, values in (answer.get("multiValueHeaders") or {}).items() if n.lower() == "set-cookie" for v in values
    ]
    match form:
        case Form.V2:
            return list(answer.get("cookies", []))
        case Form.ALB:
            return [value for _, value in single]
        case Form.ALB_MULTI:
            return [value for _, value in many]
        case Form.V1:
            return [value for _, value in (many or single)]
    return []


@fuzz(
    sees={"sent", "not to be had"},
    rarely={"malformed"},
    form=st.sampled_from(list(Form)),
    answer=ANSWERS,
    cookies=st.lists(st.sampled_from(["__Host-session=x; Path=/", "y=; Max-Age=0"]), max_size=2, unique=True),
)
def test_any_answer_goes_out_with_every_cookie(form, answer, cookies):
    """Whatever JSON a function answers: its cookies and ours reach the browser, or it is told that its answer is none."""
    own = cookies_in(answer)
    try:
        made = with_session_headers(form, answer, cookies)
    except ConfigurationError:
        return "malformed"
    assert json.loads(spelled(made)) == json.loads(json.dumps(made))
    if form in (Form.CONNECT, Form.MESSAGE):
        return "not to be had"
    assert sent(form, made) == [*own, *cookies]
    return "sent"


def brought(event) -> bool:
    """Whether the event holds the cookie, or is a message whose connection was opened with it."""
    if form_of(event) is Form.MESSAGE:
        return event["requestContext"]["authorizer"]["sub"] == kit().sub
    return kit().cookie in "".join(cookie_headers(event))


@fuzz(
    sees={"served", "refused 403", "refused 303", "no shape"},
    rarely={"nobody", "refused 401", "refused 500"},
    event=_events(),
    answer=one_in(3, ANSWERS, st.just({"statusCode": 200, "body": "served"})),
    optional=st.booleans(),
    forbids=one_in(4, st.just(True), st.just(False)),
)
def test_a_protected_function_answers_every_event(event, answer, optional, forbids):
    """Every event ends in an answer that is JSON; nobody is served who did not bring the cookie."""
    called = []

    def function(_event, _context, me):
        called.append(me)
        if forbids:
            raise SessionForbidden
        return answer

    protected = SessionManager.protect(kit().manager, function, optional=optional, login_path=LOGIN)
    try:
        made = protected(event)
    except ConfigurationError:
        assert read(event) is None
        return "no shape"
    assert json.loads(json.dumps(made)) is not None
    if called and called[0] is not None:
        assert called[0].sub == kit().sub
        assert brought(event)
    if not called or forbids or made["statusCode"] == 500:
        assert made["statusCode"] in (303, 401, 403, 500)
        return f"refused {made['statusCode']}"
    return "served" if called[0] is not None else "nobody"


@fuzz(sees={"raises", "allows", "denies"}, event=_events(), simple=st.booleans(), groups=st.sampled_from([None, ["admin"]]))
def test_an_authorizer_answers_every_event_or_raises_what_the_gateway_knows(event, simple, groups):
    """An authorizer's answer is a policy or a yes or no with a flat context; everything else is a SessionError."""
    from cognito_session.web.aws_lambda.authorizer import authorizer

    try:
        made = authorizer(kit().manager.engine, any_group=groups, simple=simple)(event)
    except SessionError:
        return "raises"
    assert all(type(value) in (str, int, bool) for value in made["context"].values())
    allowed = made.get("isAuthorized")
    if allowed is None:
        (statement,) = made["policyDocument"]["Statement"]
        assert statement["Resource"].startswith("arn:")
        allowed = statement["Effect"] == "Allow"
    if allowed:
        assert groups is None
        assert kit().cookie in spelled(event)
    return "allows" if allowed else "denies"
