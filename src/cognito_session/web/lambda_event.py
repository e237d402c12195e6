"""Lambda events: the Cookie headers in, the answer in the event's own form out.

API Gateway's REST (payload 1.0) and HTTP (payload 2.0, also Function URLs) events differ in where cookies come in and
where Set-Cookie must go so that several survive. Headers may be in any case, lists or null. Never reads X-Forwarded-*.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from cognito_session.core.errors import ConfigurationError
from cognito_session.web.request import Request
from cognito_session.web.response import cache_control, vary

if TYPE_CHECKING:
    from cognito_session.web.response import Response

__all__ = ["Form", "answer", "cookie_headers", "cookies_in", "form_of", "request_of", "respond", "with_session_headers"]

_SHAPES: Final = (
    "an API Gateway REST event (payload 1.0: headers, multiValueHeaders, requestContext), an HTTP API or Function URL event"
    ' (version "2.0", headers, cookies, requestContext)'
)


class Form(Enum):
    """How an answer must be spelled."""

    V1 = "1.0"
    V2 = "2.0"


def form_of(event: Any) -> Form:
    """The event's form. Raises ConfigurationError that names the shapes for anything else."""
    if isinstance(event, Mapping):
        if event.get("version") == "2.0" and "requestContext" in event:
            return Form.V2
        if isinstance(event.get("requestContext"), Mapping) and "elb" in event["requestContext"]:
            raise ConfigurationError(f"the event is a load balancer's, which this version does not answer: expected {_SHAPES}")
        if "requestContext" in event and ("headers" in event or "multiValueHeaders" in event):
            return Form.V1
    raise ConfigurationError(f"the event has no known shape: expected {_SHAPES}")


def cookie_headers(event: Mapping[str, Any]) -> list[str]:
    """Every Cookie header of the event, wherever its form puts them."""
    found: list[str] = []
    for source in (event.get("headers"), event.get("multiValueHeaders")):
        if isinstance(source, Mapping):
            for name, value in source.items():
                if isinstance(name, str) and name.lower() == "cookie":
                    found += _texts(value)
    return found + _texts(event.get("cookies"))


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Sequence):
        return [item for item in value if isinstance(item, str)]
    return []


def request_of(event: Mapping[str, Any]) -> Request:
    """The event as a Request. An event that does not say its method counts as one that changes something."""
    context = event.get("requestContext")
    http = context.get("http") if isinstance(context, Mapping) else None
    http = http if isinstance(http, Mapping) else {}
    method = http.get("method") or event.get("httpMethod") or (context or {}).get("httpMethod")
    path = event.get("rawPath") or event.get("path") or http.get("path")
    headers = _headers(event)
    cookies = cookie_headers(event)
    if cookies:
        headers["cookie"] = tuple(cookies)
    return Request(_text(method).upper(), _text(path) or "/", _query(event), headers)


def _headers(event: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Headers by lower-case name; where both forms name one, the form that keeps every value wins."""
    found: dict[str, tuple[str, ...]] = {}
    for source in (event.get("headers"), event.get("multiValueHeaders")):
        if isinstance(source, Mapping):
            found |= {
                name.lower(): values
                for name, value in source.items()
                if isinstance(name, str) and (values := tuple(_texts(value)))
            }
    return found


def _query(event: Mapping[str, Any]) -> str:
    """The query as text. API Gateway decodes the parameters of payload 1.0, which are spelled out again."""
    raw = event.get("rawQueryString")
    if isinstance(raw, str):
        return raw
    source = event.get("multiValueQueryStringParameters") or event.get("queryStringParameters")
    if not isinstance(source, Mapping) or not source:
        return ""
    from urllib.parse import urlencode

    return urlencode([(name, value) for name, values in source.items() for value in _texts(values)])


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def respond(form: Form, response: Response) -> dict[str, Any]:
    """A Response of ours in the event's form."""
    made = {"statusCode": response.status, "headers": dict(response.headers), "body": response.body}
    return with_session_headers(form, made, response.cookies)


def answer(form: Form, status: int, body: Any, headers: Mapping[str, str], cookies: Sequence[str]) -> dict[str, Any]:
    """A JSON answer in the event's form, with every Set-Cookie value in it."""
    text = body if isinstance(body, str) else json.dumps(body)
    response = {"statusCode": status, "headers": {"Content-Type": "application/json", **headers}, "body": text}
    return with_session_headers(form, response, cookies)


def with_session_headers(form: Form, response: Any, cookies: Sequence[str]) -> dict[str, Any]:
    """A handler's answer plus cookies, `Cache-Control: no-store` and `Vary: Cookie` (RFC 9111 5.2.2.5, RFC 9110 12.5.5).

    What the handler said of caching stays where it is at least as strict (`private`, `no-store`) and no cookie is set.
    """
    complete = _complete(response)
    headers = dict(complete.get("headers") or {})
    many = {name: list(values) for name, values in (complete.get("multiValueHeaders") or {}).items()}
    said = _find(headers, many, "cache-control")
    if (wanted := cache_control(said, sets_cookie=bool(cookies))) != said:
        _drop(headers, many, "cache-control")
        headers["Cache-Control"] = wanted
    said = _find(headers, many, "vary")
    if (wanted := vary(said)) != said:
        _drop(headers, many, "vary")
        headers["Vary"] = wanted
    complete["headers"] = headers
    if cookies and form is Form.V2:
        complete["cookies"] = [*(complete.get("cookies") or []), *cookies]
    elif cookies:
        _add_cookies(headers, many, cookies)
    if many or "multiValueHeaders" in complete:
        complete["multiValueHeaders"] = many
    return complete


def cookies_in(response: Any) -> list[str]:
    """The Set-Cookie values that a handler's answer already has, wherever it put them."""
    if not isinstance(response, Mapping):
        return []
    found = _texts(response.get("cookies") or ())
    for source in (response.get("headers"), response.get("multiValueHeaders")):
        if isinstance(source, Mapping):
            found += [text for name, value in source.items() if str(name).lower() == "set-cookie" for text in _texts(value)]
    return found


def _add_cookies(headers: dict[str, Any], many: dict[str, list[Any]], cookies: Sequence[str]) -> None:
    """Payload 1.0 sends one value of `headers`, all of `multiValueHeaders`; of a name in both only the latter survives."""
    single = _pop(headers, "set-cookie")
    name = next((name for name in many if name.lower() == "set-cookie"), "Set-Cookie")
    many[name] = [*many.get(name, []), *([single] if single is not None else []), *cookies]


def _complete(response: Any) -> dict[str, Any]:
    """API Gateway infers status 200 and JSON for an answer without statusCode; with cookies to add, so must we."""
    if isinstance(response, Mapping) and "statusCode" in response:
        return dict(response)
    body = response if isinstance(response, str) else json.dumps(response)
    return {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": body}


def _find(headers: Mapping[str, Any], many: Mapping[str, list[Any]], wanted: str) -> str:
    values = [str(value) for name, value in headers.items() if name.lower() == wanted]
    values += [str(value) for name, several in many.items() if name.lower() == wanted for value in several]
    return ", ".join(values)


def _drop(headers: dict[str, Any], many: dict[str, list[Any]], wanted: str) -> None:
    for mapping in (headers, many):
        _pop(mapping, wanted)


def _pop(mapping: dict[str, Any], wanted: str) -> Any:
    found = None
    for name in [name for name in mapping if name.lower() == wanted]:
        found = mapping.pop(name)
    return found
