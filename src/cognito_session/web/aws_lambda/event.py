"""Lambda events: which service sent one (its form), and the event as a Request.

Headers may be in any case, lists or null. API Gateway decodes query parameters, a load balancer does not. Function URLs send
HTTP APIs' payload 2.0. Lambda@Edge and VPC Lattice are not served: their events are refused by name.
https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, Final

from cognito_session.core.errors import ConfigurationError
from cognito_session.http.request import Request, headers_of
from cognito_session.http.url_escaping import escaped_path

__all__ = [
    "Form",
    "client_of",
    "cookie_headers",
    "form_of",
    "is_http",
    "outer_path",
    "remaining_seconds",
    "request_of",
    "sent_path",
]

_SHAPES: Final = (
    "an API Gateway REST event (payload 1.0: headers, multiValueHeaders, requestContext), an HTTP API or Function URL event"
    " (version \"2.0\", headers, cookies, requestContext), a load balancer's (requestContext.elb) or a WebSocket API's"
    " (requestContext.eventType)"
)
_OF_REQUESTS: Final = frozenset(
    {
        *("requestContext", "headers", "multiValueHeaders", "httpMethod", "rawPath", "raw_path", "methodArn", "routeArn"),
        *("body-json", "stage-variables"),  # API Gateway's own mapping template "Method Request passthrough"
        "userRequest",  # S3 Object Lambda
    }
)
"""What only events of requests have at the top, those included that are not served."""
_OF_A_RESOLVER: Final = frozenset({"arguments", "info"})
"""What AppSync sends of a client's query
(https://docs.aws.amazon.com/appsync/latest/devguide/resolver-context-reference.html).
"""
_WEBSOCKET_EVENTS: Final = ("CONNECT", "MESSAGE", "DISCONNECT")


class Form(Enum):
    """How an event is read and its answer spelled."""

    V1 = "1.0"
    """API Gateway's payload 1.0: REST APIs, and HTTP APIs that ask for it."""
    V2 = "2.0"
    """Payload 2.0: HTTP APIs and Function URLs."""
    ALB = "alb"
    """A load balancer's target group as it is by default: one value a header."""
    ALB_MULTI = "alb-multi"
    """A target group with `lambda.multi_value_headers.enabled`."""
    CONNECT = "$connect"
    """A WebSocket API's handshake, which brings the browser's headers."""
    MESSAGE = "message"
    """Everything later on the connection, its end included: no headers of the browser's."""


_SHORT_SECONDS: Final = 6
_warned: list[bool] = []


def form_of(event: Any) -> Form:
    """The event's form. Raises ConfigurationError that names the shapes for anything else."""
    if isinstance(event, Mapping):
        context = event.get("requestContext")
        if isinstance(context, Mapping):
            _refuse_lattice(context)
            if "elb" in context:
                return Form.ALB_MULTI if isinstance(event.get("multiValueHeaders"), Mapping) else Form.ALB
            if context.get("eventType") in _WEBSOCKET_EVENTS:
                return Form.CONNECT if context["eventType"] == "CONNECT" else Form.MESSAGE
        if event.get("version") == "2.0" and "requestContext" in event:
            return Form.V2
        if "requestContext" in event and ("headers" in event or "multiValueHeaders" in event):
            return Form.V1
        _refuse_by_name(event)
        if not is_http(event):
            raise ConfigurationError(
                "the event has no known shape and is no request (a schedule, a queue, a warm-up?): name the function that"
                f" serves it by protect(other_events=...), or send {_SHAPES}"
            )
    raise ConfigurationError(f"the event has no known shape: expected {_SHAPES}")


def is_http(event: Any) -> bool:
    """Whether a client's request caused the event, in a form that is served or not.

    Anything that looks like a request is one: an event that a client could shape must never pass for a schedule's.
    """
    if isinstance(event, list):  # AppSync's BatchInvoke
        return any(map(_is_of_a_resolver, event))
    if not isinstance(event, Mapping):
        return False
    return not event.keys().isdisjoint(_OF_REQUESTS) or _is_of_a_resolver(event) or _is_from_the_edge(event)


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


def remaining_seconds(context: Any) -> float | None:
    """What is left of the invocation, from Lambda's context; None where it does not say."""
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    if not callable(remaining):
        return None
    seconds = float(remaining()) / 1000
    if seconds < _SHORT_SECONDS and not _warned:
        import logging

        _warned.append(True)
        logging.getLogger("cognito_session").warning(
            "this invocation began with %.1f s left: a refresh needs 6 s, so give the function a timeout of 10 s or more",
            seconds,
        )
    return seconds


def _is_of_a_resolver(event: object) -> bool:
    return isinstance(event, Mapping) and event.keys() >= _OF_A_RESOLVER


def _refuse_lattice(context: Mapping[str, Any]) -> None:
    if "serviceNetworkArn" in context or "serviceArn" in context:
        raise ConfigurationError(f"the event is VPC Lattice's, which is not served: expected {_SHAPES}")


def _refuse_by_name(event: Mapping[str, Any]) -> None:
    if _is_from_the_edge(event):
        raise ConfigurationError(f"the event is Lambda@Edge's, which is not served: expected {_SHAPES}")
    if "raw_path" in event:
        raise ConfigurationError(f"the event is VPC Lattice's, which is not served: expected {_SHAPES}")


def _is_from_the_edge(event: Mapping[str, Any]) -> bool:
    records = event.get("Records")
    return isinstance(records, list) and any(isinstance(record, Mapping) and "cf" in record for record in records)
