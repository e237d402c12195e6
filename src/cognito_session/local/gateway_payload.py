"""API Gateway's payload format 2.0 for the local gateway: an HTTP request as an event, and a handler's response as HTTP.

The test kit builds the event; this file reads the request that came over the network and checks the response. As on AWS, only
some content types arrive as text; a form arrives as base64.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

import base64
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from cognito_session.testing.event_request import EventRequest
from cognito_session.testing.events import http_api_event
from cognito_session.testing.gateway_context import http_api

__all__ = ["MAX_RESPONSE_BYTES", "GatewayRequest", "GatewayResponse"]

MAX_RESPONSE_BYTES: Final = 6 * 1024 * 1024
"""Lambda's limit for the response of a synchronous call."""

Pairs = list[tuple[str, str]]

_TEXT_TYPES: Final = ("application/json", "application/xml", "application/javascript")
_SERVERS_OWN: Final = frozenset({"connection", "content-length", "date", "keep-alive", "transfer-encoding"})
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_STATUSES: Final = range(200, 600)


@dataclass(frozen=True, slots=True)
class GatewayRequest:
    """A request as received. `target`: path and query; `headers`: in order; `at`: epoch seconds."""

    method: str
    target: str
    protocol: str
    headers: Pairs
    body: bytes
    source_ip: str
    port: int
    at: float

    def event(self) -> dict[str, Any]:
        """The event. Fields without a value are absent, as on AWS."""
        path, _, query = self.target.partition("?")
        headers, cookies = self._headers(), "; ".join(self._cookies())
        request = EventRequest(self.method, path, query, headers, cookies, self._body(headers), self.at, uuid.uuid4().hex)
        domain = headers.get("host", "localhost").partition(":")[0]
        own = {"api_id": "local", "domain": domain, "prefix": "local", "protocol": self.protocol, "source_ip": self.source_ip}
        return http_api_event(request, headers, http_api(request, **own))

    def _headers(self) -> dict[str, str]:
        ours = [("x-forwarded-for", self.source_ip), ("x-forwarded-port", str(self.port)), ("x-forwarded-proto", "http")]
        sent = [(name.lower(), value.strip()) for name, value in self.headers]
        return _joined([(name, value) for name, value in sent if name != "cookie"]) | dict(ours)

    def _cookies(self) -> list[str]:
        """One entry per cookie, from all Cookie headers."""
        lines = [value for name, value in self.headers if name.lower() == "cookie"]
        return [cookie.strip() for line in lines for cookie in line.split(";") if cookie.strip()]

    def _body(self, headers: Mapping[str, str]) -> str | bytes:
        if self.body and not _is_text(headers.get("content-type", "")):
            return self.body
        return self.body.decode(errors="replace")


class GatewayResponse(NamedTuple):
    """A response for the client: a status, headers that are safe to send, and the body's bytes."""

    status: int
    headers: Pairs
    body: bytes

    @classmethod
    def of(cls, given: Any) -> "GatewayResponse":
        """A response from a handler's return value. Without `statusCode` it is a 200 with JSON, or with the string as it is.

        Raises TypeError or ValueError for values that API Gateway answers with a 500.
        """
        if not isinstance(given, Mapping) or "statusCode" not in given:
            text = given if isinstance(given, str) else json.dumps(given)
            return cls(200, [("Content-Type", "application/json")], text.encode())
        status = int(given["statusCode"])
        if status not in _STATUSES:
            raise ValueError(f"statusCode: expected 200 to 599, not {status}")
        headers = [_header(name, value) for name, value in (given.get("headers") or {}).items()]
        headers = [(name, value) for name, value in headers if name.lower() not in _SERVERS_OWN]
        if not any(name.lower() == "content-type" for name, _ in headers):
            headers.append(("Content-Type", "text/plain;charset=UTF-8"))
        headers += [_header("Set-Cookie", cookie) for cookie in given.get("cookies") or ()]
        return cls(status, headers, _body(given))

    @classmethod
    def message(cls, status: int, text: str) -> "GatewayResponse":
        """A response of API Gateway itself, such as {"message": "Internal Server Error"}."""
        return cls(status, [("Content-Type", "application/json")], json.dumps({"message": text}).encode())


def _joined(pairs: Pairs) -> dict[str, str]:
    """The values by name; repeated names are joined by commas."""
    found: dict[str, str] = {}
    for name, value in pairs:
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


def _is_text(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind.startswith("text/") or kind in _TEXT_TYPES


def _header(name: object, value: object) -> tuple[str, str]:
    text = value if isinstance(value, str) else json.dumps(value)
    if not (isinstance(name, str) and _NAME.fullmatch(name) and _VALUE.fullmatch(text)):
        raise ValueError("headers: a name or value has a character that HTTP does not allow")
    return name, text


def _body(given: Mapping[str, Any]) -> bytes:
    body: Any = given.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise TypeError(f"body: expected a string, not {type(body).__name__}")
    content = base64.b64decode(body, validate=True) if given.get("isBase64Encoded") else body.encode()
    if len(content) > MAX_RESPONSE_BYTES:
        raise ValueError(f"body: {len(content)} bytes, expected at most {MAX_RESPONSE_BYTES} (Lambda's limit)")
    return content
