"""The form of a Lambda event: which service sent it, told by what its events always have, and so how it must be answered.

Function URLs send HTTP APIs' payload 2.0. What is not served is refused by name: Lambda@Edge, whose answers have another
shape and whose functions have no environment variables, and VPC Lattice, which no browser reaches.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

from cognito_session.core.errors import ConfigurationError

__all__ = ["Form", "form_of", "is_http"]

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
