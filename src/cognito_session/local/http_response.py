"""HTTP responses of the stack, and the formats of their errors.

Cognito and DynamoDB report errors as JSON with `__type`; the OAuth endpoints follow RFC 6749 5.2.
"""

import json
from dataclasses import dataclass, replace
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from cognito_session.local.faults import ERRORS, Fault

__all__ = ["HttpResponse", "api_error", "error_response", "fault_response", "json_response", "oauth_error", "redirect"]

_DYNAMODB = "com.amazonaws.dynamodb.v20120810#"


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """One complete HTTP response."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body as an object; {} if it is not one."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    @property
    def location(self) -> str:
        """The address of a redirect; "" for any other response."""
        found = (value.decode("latin-1") for name, value in self.headers if name.lower() == b"location")
        return next(found, "") if self.status == 302 else ""  # noqa: PLR2004 - Found

    @property
    def code(self) -> str | None:
        """The authorization code in a redirect (RFC 6749 4.1.2)."""
        return dict(parse_qsl(urlsplit(self.location).query)).get("code")

    def with_cookie(self, line: str) -> Self:
        """The same response with one more Set-Cookie."""
        return replace(self, headers=(*self.headers, (b"set-cookie", line.encode())))

    @property
    def error(self) -> str | None:
        """The error code of AWS or OAuth; None for a success."""
        if self.status < 400:  # noqa: PLR2004 - where HTTP errors begin
            return None
        value = self.json()
        code = value.get("__type") or value.get("error")
        return str(code).rsplit("#", 1)[-1] if code else None


def json_response(value: object, *, status: int = 200, kind: bytes = b"application/x-amz-json-1.1") -> HttpResponse:
    """A JSON response."""
    headers = ((b"content-type", kind), (b"cache-control", b"no-store"))
    return HttpResponse(status, headers, json.dumps(value).encode())


def api_error(code: str, message: str, status: int = 400) -> HttpResponse:
    """An error of the Cognito or DynamoDB API."""
    return json_response({"__type": code, "message": message}, status=status)


def oauth_error(code: str, status: int = 400) -> HttpResponse:
    """An error of an OAuth endpoint."""
    return json_response({"error": code}, status=status, kind=b"application/json")


def redirect(location: str) -> HttpResponse:
    """A redirect (302) that no cache keeps."""
    return HttpResponse(302, ((b"location", location.encode()), (b"cache-control", b"no-store")), b"")


_NAMESPACES = {"dynamodb": _DYNAMODB}


def error_response(fault: Fault, service: str) -> HttpResponse:
    """The code, message and status of a fault, in the service's format."""
    if service in ("oauth2", "jwks", "other"):
        return json_response({"error": fault.code, **fault.more}, status=fault.status, kind=b"application/json")
    code = _NAMESPACES.get(service, "") + str(fault.code)
    return json_response({"__type": code, "message": fault.message, **fault.more}, status=fault.status)


def fault_response(fault: Fault, service: str) -> HttpResponse:
    """The service's response to a "throttle", an "error500" or an "error" fault."""
    if fault.kind in ERRORS:
        return error_response(fault, service)
    throttled = fault.kind == "throttle"
    if service == "cognito":
        return (
            api_error("TooManyRequestsException", "Too many requests")
            if throttled
            else api_error("InternalErrorException", "Internal error", 500)
        )
    if service == "secretsmanager":
        return (
            api_error("ThrottlingException", "Rate exceeded")
            if throttled
            else api_error("InternalServiceError", "An error occurred on the server side.", 500)
        )
    if service == "dynamodb":
        return (
            api_error(_DYNAMODB + "ProvisionedThroughputExceededException", "The level of throughput was exceeded")
            if throttled
            else api_error(_DYNAMODB + "InternalServerError", "Internal server error", 500)
        )
    return oauth_error("too_many_requests", 429) if throttled else oauth_error("server_error", 500)
