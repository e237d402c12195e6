"""Lambda events of every kind, as AWS documents them, built from one request.

    event(form, request)      # "http-v2", "rest", "alb-multi" ...: the event that a handler receives

The forms differ in the place of cookies and queries and in the case of header names.
https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from cognito_session.testing import gateway_context as contexts

if TYPE_CHECKING:
    from collections.abc import Callable

    from cognito_session.testing.event_request import EventRequest

__all__ = ["FORMS", "EventForm", "event", "http_api_event"]

EventForm = Literal[
    "http-v2",
    "http-v1",
    "rest",
    "function-url",
    "alb",
    "alb-multi",
    "websocket-connect",
    "websocket-message",
    "authorizer-rest",
    "authorizer-token",
    "authorizer-http",
    "authorizer-websocket",
]
"""A kind of Lambda event. `FORMS` has them all."""

FORMS: Final[tuple[EventForm, ...]] = get_args(EventForm)
"""HTTP API with payload 2.0 and 1.0, REST API, Function URL, load balancer with single and with multi-value headers, WebSocket
API, and Lambda authorizers: REST API (REQUEST and TOKEN), HTTP API (payload 2.0), WebSocket API.
"""

Event = dict[str, Any]


def event(form: EventForm, asked: EventRequest) -> Event:
    """The event. Raises ValueError for a form that is not in FORMS."""
    build = _BUILDERS.get(form)
    if build is None:
        raise ValueError(f"event: expected one of {', '.join(FORMS)}, not {form!r}")
    return build(asked)


def http_api_event(asked: EventRequest, headers: dict[str, str], context: dict[str, Any]) -> Event:
    """The event of an HTTP API, payload 2.0, for these headers and this request context; the local gateway uses it too.

    Header names are lower-case, repeated values are joined, cookies are in `cookies` and in no header, the path is decoded.
    """
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": asked.decoded_path,
        "rawQueryString": asked.query,
        **({"cookies": _cookies(asked)} if asked.cookie else {}),
        "headers": headers,
        **_present("queryStringParameters", {name: ",".join(values) for name, values in asked.parameters.items()}),
        "requestContext": context,
        **_present("body", asked.text),
        "isBase64Encoded": isinstance(asked.body, bytes),
    }


def _http_v2(asked: EventRequest) -> Event:
    return http_api_event(asked, {**asked.headers, **contexts.forwarded(asked)}, contexts.http_api(asked))


def _function_url(asked: EventRequest) -> Event:
    """An HTTP API's, but the path is not decoded."""
    return {**_http_v2(asked), "rawPath": asked.path, "requestContext": contexts.function_url(asked)}


def _http_v1(asked: EventRequest) -> Event:
    """A REST API's with lower-case names and a decoded path."""
    decoded = asked._replace(path=asked.decoded_path)
    return {"version": "1.0", **_payload_1(decoded, {**asked.all_headers, **contexts.forwarded(asked)})}


def _rest(asked: EventRequest) -> Event:
    """Header names as the client wrote them."""
    return _payload_1(asked, _capitals({**asked.all_headers, **contexts.forwarded(asked)}))


def _payload_1(asked: EventRequest, headers: dict[str, str]) -> Event:
    """Payload 1.0: missing values are null."""
    return {
        "resource": "/{proxy+}",
        "path": asked.path,
        "httpMethod": asked.method,
        **_both(headers),
        "queryStringParameters": {name: values[-1] for name, values in asked.parameters.items()} or None,
        "multiValueQueryStringParameters": asked.parameters or None,
        "pathParameters": {"proxy": asked.path.lstrip("/")},
        "stageVariables": None,
        "requestContext": contexts.rest_api(asked),
        "body": asked.text,
        "isBase64Encoded": isinstance(asked.body, bytes),
    }


def _alb(asked: EventRequest) -> Event:
    """One value per header; query parameters are not decoded."""
    return {**_balanced(asked), "headers": {**asked.all_headers, **contexts.forwarded(asked)}} | {
        "queryStringParameters": dict(_raw_pairs(asked))
    }


def _alb_multi(asked: EventRequest) -> Event:
    parameters: dict[str, list[str]] = {}
    for name, value in _raw_pairs(asked):
        parameters.setdefault(name, []).append(value)
    headers = _both({**asked.all_headers, **contexts.forwarded(asked)})["multiValueHeaders"]
    return {**_balanced(asked), "multiValueHeaders": headers, "multiValueQueryStringParameters": parameters}


def _balanced(asked: EventRequest) -> Event:
    return {
        "requestContext": contexts.load_balancer(),
        "httpMethod": asked.method,
        "path": asked.path,
        "body": asked.text or "",
        "isBase64Encoded": isinstance(asked.body, bytes),
    }


def _websocket_connect(asked: EventRequest) -> Event:
    """The handshake: a browser always sends Origin, and the event has no method."""
    return {
        **_both(_capitals({**asked.all_headers, **contexts.forwarded(asked)})),
        **_present("queryStringParameters", {name: values[-1] for name, values in asked.parameters.items()}),
        **_present("multiValueQueryStringParameters", asked.parameters),
        "requestContext": contexts.websocket(asked, "CONNECT"),
        "isBase64Encoded": False,
    }


def _websocket_message(asked: EventRequest) -> Event:
    """No headers: the authorizer on `$connect` identified the user."""
    context = contexts.websocket(asked, "MESSAGE")
    if asked.sub:
        context["authorizer"] = {"principalId": asked.sub, "sub": asked.sub, "sid": asked.sid}
    return {"requestContext": context, "body": asked.text or "", "isBase64Encoded": isinstance(asked.body, bytes)}


def _authorizer_rest(asked: EventRequest) -> Event:
    made = _rest(asked)
    for name in ("body", "isBase64Encoded"):
        del made[name]
    return {"type": "REQUEST", "methodArn": contexts.arn(asked), **made}


def _authorizer_token(asked: EventRequest) -> Event:
    """`Cookie` as the token source. API Gateway does not call the authorizer for a request without it."""
    return {"type": "TOKEN", "methodArn": contexts.arn(asked), "authorizationToken": asked.cookie}


def _authorizer_http(asked: EventRequest) -> Event:
    made = _http_v2(asked)
    for name in ("body", "isBase64Encoded"):
        made.pop(name, None)
    return {**made, "type": "REQUEST", "routeArn": contexts.arn(asked), "identitySource": [asked.cookie]}


def _authorizer_websocket(asked: EventRequest) -> Event:
    made = _websocket_connect(asked)
    del made["isBase64Encoded"]
    return {"type": "REQUEST", "methodArn": contexts.arn(asked, "$connect"), **made}


def _cookies(asked: EventRequest) -> list[str]:
    return [pair.strip() for pair in asked.cookie.split(";")]


def _both(headers: dict[str, str]) -> Event:
    return {"headers": headers, "multiValueHeaders": {name: [value] for name, value in headers.items()}}


def _capitals(headers: dict[str, str]) -> dict[str, str]:
    return {"-".join(part.capitalize() for part in name.split("-")): value for name, value in headers.items()}


def _raw_pairs(asked: EventRequest) -> list[tuple[str, str]]:
    return [(name, value) for part in asked.query.split("&") if part for name, _, value in [part.partition("=")]]


def _present(name: str, value: Any) -> Event:
    return {name: value} if value else {}


_BUILDERS: Final[dict[EventForm, Callable[[EventRequest], Event]]] = {
    "http-v2": _http_v2,
    "http-v1": _http_v1,
    "rest": _rest,
    "function-url": _function_url,
    "alb": _alb,
    "alb-multi": _alb_multi,
    "websocket-connect": _websocket_connect,
    "websocket-message": _websocket_message,
    "authorizer-rest": _authorizer_rest,
    "authorizer-token": _authorizer_token,
    "authorizer-http": _authorizer_http,
    "authorizer-websocket": _authorizer_websocket,
}
