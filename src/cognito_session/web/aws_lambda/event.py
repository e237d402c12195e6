"""A Lambda event as a Request: its headers, cookies, path and query, wherever its form puts them.

Headers may be in any case, lists or null. API Gateway decodes query parameters, a load balancer does not. Everything that the
rest of the package needs of events is to be had here: forms are in lambda_form.py, answers in lambda_answer.py.
https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cognito_session.http.address import escaped_path
from cognito_session.http.request import Request, headers_of
from cognito_session.web.aws_lambda.form import Form, form_of
from cognito_session.web.aws_lambda.response import answer, cookies_in, respond, with_session_headers

__all__ = [
    "Form",
    "answer",
    "client_of",
    "cookie_headers",
    "cookies_in",
    "form_of",
    "outer_path",
    "request_of",
    "respond",
    "sent_path",
    "with_session_headers",
]


def request_of(event: Mapping[str, Any]) -> Request:
    """The event as a Request. An event that does not say its method counts as one that changes something.

    `path` is the one that routes are found by: of a REST API's own domain the stage is no part of it. A WebSocket API's
    handshake is a GET of "/" (RFC 6455 4.1); its messages have neither method nor headers.
    """
    context = _mapping(event.get("requestContext"))
    http = _mapping(context.get("http"))
    method = http.get("method") or event.get("httpMethod") or context.get("httpMethod")
    if method is None and context.get("eventType") == "CONNECT":
        method = "GET"
    path = _text(event.get("rawPath") or event.get("path") or http.get("path"))
    headers = _headers(event)
    cookies = cookie_headers(event)
    if cookies:
        headers["cookie"] = tuple(cookies)
    query = _query(event, decoded="elb" not in context)
    return Request(_text(method).upper(), sent_path(event, path) or "/", query, headers, outer_path(event), client_of(event))


def sent_path(event: Mapping[str, Any], path: str) -> str:
    """A path of the event as the browser sent it.

    HTTP APIs decode it, in payload 1.0 (`version` is "1.0") and 2.0. REST APIs, Function URLs and load balancers do not
    (https://github.com/middleapi/standard-server/pull/93 and https://github.com/fastify/aws-lambda-fastify/issues/169 have
    events).
    """
    domain = _text(_mapping(event.get("requestContext")).get("domainName"))
    decoded = event.get("version") in ("1.0", "2.0") and ".lambda-url." not in domain
    return escaped_path(path, decoded=decoded)


def client_of(event: Mapping[str, Any]) -> str:
    """The address that API Gateway or a Function URL was called from; "" for a load balancer's event, which has none."""
    context = _mapping(event.get("requestContext"))
    return _text(_mapping(context.get("http")).get("sourceIp") or _mapping(context.get("identity")).get("sourceIp"))


def outer_path(event: Mapping[str, Any]) -> str:
    """The path that API Gateway was asked for, a REST API's stage included; empty for events that do not say."""
    return sent_path(event, _text(_mapping(event.get("requestContext")).get("path")))


def cookie_headers(event: Mapping[str, Any]) -> list[str]:
    """Every Cookie header of the event, wherever its form puts them."""
    found: list[str] = []
    for source in (event.get("headers"), event.get("multiValueHeaders")):
        for name, value in _mapping(source).items():
            if isinstance(name, str) and name.lower() == "cookie":
                found += _texts(value)
    return found + _texts(event.get("cookies"))


def _headers(event: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Headers by lower-case name, spellings joined; where both maps name one, the map that keeps every value wins."""
    found: dict[str, tuple[str, ...]] = {}
    for source in (event.get("headers"), event.get("multiValueHeaders")):
        sent = _mapping(source).items()
        found |= headers_of((name, text) for name, value in sent if isinstance(name, str) for text in _texts(value))
    return found


def _query(event: Mapping[str, Any], *, decoded: bool) -> str:
    """The query as text: spelled out again where the parameters were decoded, as it stands where they were not.

    "If the query parameters are URL-encoded, the load balancer does not decode them."
    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html#multi-value-headers
    """
    raw = event.get("rawQueryString")
    if isinstance(raw, str):
        return raw
    source = _mapping(event.get("multiValueQueryStringParameters") or event.get("queryStringParameters"))
    pairs = [(name, value) for name, values in source.items() if isinstance(name, str) for value in _texts(values)]
    if not decoded:
        return "&".join(f"{name}={value}" for name, value in pairs)
    if not pairs:
        return ""
    from urllib.parse import quote, urlencode

    return urlencode(pairs, errors="surrogatepass", quote_via=quote)


def _mapping(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Sequence):
        return [item for item in value if isinstance(item, str)]
    return []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
