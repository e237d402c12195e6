"""What AWS adds to a request before a function receives it: request contexts, ARNs and forwarding headers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from cognito_session.core import partition

if TYPE_CHECKING:
    from cognito_session.testing.event_request import EventRequest

__all__ = ["arn", "forwarded", "function_url", "http_api", "load_balancer", "rest_api", "websocket"]

_ACCOUNT: Final = "123456789012"
_API: Final = "abcdef1234"
_REGION: Final = "eu-central-1"
_STAGE: Final = "prod"
_SOURCE_IP: Final = "203.0.113.7"  # an address for documentation (RFC 5737)
_TARGETS: Final = partition.arn("elasticloadbalancing", _REGION, _ACCOUNT, "targetgroup/functions/73e2d6bc24d8a067")


def forwarded(asked: EventRequest) -> dict[str, str]:
    """The headers that AWS adds."""
    trace = f"Root=1-{int(asked.at):08x}-{asked.request_id.replace('-', '')[:24]}"
    added = {"x-forwarded-for": _SOURCE_IP, "x-forwarded-port": "443", "x-forwarded-proto": "https", "x-amzn-trace-id": trace}
    return {name: value for name, value in added.items() if name not in asked.headers}


def arn(asked: EventRequest, route: str | None = None) -> str:
    """The ARN of the route that an authorizer decides on."""
    return partition.arn("execute-api", _REGION, _ACCOUNT, f"{_API}/{_STAGE}/{route or asked.method + asked.path}")


def http_api(
    asked: EventRequest,
    *,
    api_id: str = _API,
    domain: str | None = None,
    prefix: str | None = None,
    protocol: str = "HTTP/1.1",
    source_ip: str = _SOURCE_IP,
) -> dict[str, Any]:
    """The request context of an HTTP API, payload 2.0. The local gateway passes its own id, domain and client address."""
    host = asked.host if domain is None else domain
    return {
        "accountId": _ACCOUNT,
        "apiId": api_id,
        "domainName": host,
        "domainPrefix": host.partition(".")[0] if prefix is None else prefix,
        "http": {
            "method": asked.method,
            "path": asked.decoded_path,
            "protocol": protocol,
            "sourceIp": source_ip,
            "userAgent": asked.headers.get("user-agent", ""),
        },
        "requestId": asked.request_id,
        "routeKey": "$default",
        "stage": "$default",
        "time": _time(asked),
        "timeEpoch": round(asked.at * 1000),
    }


def function_url(asked: EventRequest) -> dict[str, Any]:
    """The context of a Function URL: an HTTP API's, with an anonymous account and the URL's own id."""
    own = {"accountId": "anonymous", "apiId": _API, "domainName": f"{_API}.lambda-url.{_REGION}.on.aws", "domainPrefix": _API}
    context = http_api(asked)
    return {**context, **own, "http": {**context["http"], "path": asked.path}, "authentication": None}


def rest_api(asked: EventRequest) -> dict[str, Any]:
    """A REST API's context, which payload 1.0 of HTTP APIs shares."""
    return {
        "resourceId": "123456",
        "resourcePath": "/{proxy+}",
        "httpMethod": asked.method,
        "path": asked.path,
        "protocol": "HTTP/1.1",
        "identity": {"sourceIp": _SOURCE_IP, "userAgent": asked.headers.get("user-agent", "")},
        **_common(asked),
    }


def websocket(asked: EventRequest, event_type: str) -> dict[str, Any]:
    """A WebSocket API's context."""
    message = {"messageId": asked.request_id[:16]} if event_type == "MESSAGE" else {}
    return {
        "routeKey": {"CONNECT": "$connect", "DISCONNECT": "$disconnect"}.get(event_type, "$default"),
        "eventType": event_type,
        "messageDirection": "IN",
        "connectionId": "L0SM9cOFvHcCIhw=",
        "connectedAt": round(asked.at * 1000),
        "identity": {"sourceIp": _SOURCE_IP},
        **message,
        **_common(asked),
    }


def load_balancer() -> dict[str, Any]:
    """A load balancer's context."""
    return {"elb": {"targetGroupArn": _TARGETS}}


def _common(asked: EventRequest) -> dict[str, Any]:
    return {
        "accountId": _ACCOUNT,
        "apiId": _API,
        "domainName": asked.host,
        "domainPrefix": asked.host.partition(".")[0],
        "extendedRequestId": "testing0extended=",
        "requestId": asked.request_id,
        "requestTime": _time(asked),
        "requestTimeEpoch": round(asked.at * 1000),
        "stage": _STAGE,
    }


def _time(asked: EventRequest) -> str:
    return datetime.fromtimestamp(asked.at, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
