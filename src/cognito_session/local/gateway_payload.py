"""API Gateway's payload format 2.0: a request as the event a Lambda handler is given, and its answer as HTTP.

After https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html. What that
page leaves open is as AWS does it: the path is decoded, cookies are in no header, and only some kinds of body arrive as text
(a form comes as base64). It knows no sockets and no sessions.
"""

import base64
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, unquote

__all__ = ["MAX_ANSWER_BYTES", "GatewayRequest", "GatewayResponse"]

MAX_ANSWER_BYTES: Final = 6 * 1024 * 1024
"""Lambda's limit of a synchronous call's answer."""

Pairs = list[tuple[str, str]]

_TEXT_TYPES: Final = ("application/json", "application/xml", "application/javascript")
_SERVERS_OWN: Final = frozenset({"connection", "content-length", "date", "keep-alive", "transfer-encoding"})
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_STATUSES: Final = range(200, 600)


@dataclass(frozen=True, slots=True)
class GatewayRequest:
    """One request as it came in: `target` is path and query, `headers` in order, `at` in epoch seconds."""

    method: str
    target: str
    protocol: str
    headers: Pairs
    body: bytes
    source_ip: str
    port: int
    at: float

    def event(self) -> dict[str, Any]:
        """The event. What the request does not have is left out, as there."""
        sent, _, query = self.target.partition("?")
        path = unquote(sent)
        headers = self._headers()
        event: dict[str, Any] = {"version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query}
        if cookies := self._cookies():
            event["cookies"] = cookies
        event["headers"] = headers
        if query:
            event["queryStringParameters"] = _joined(parse_qsl(query, keep_blank_values=True))
        event["requestContext"] = self._context(path, headers)
        as_text = _is_text(headers.get("content-type", ""))
        if self.body:
            event["body"] = self.body.decode(errors="replace") if as_text else base64.b64encode(self.body).decode()
        event["isBase64Encoded"] = bool(self.body) and not as_text
        return event

    def _headers(self) -> dict[str, str]:
        ours = [("x-forwarded-for", self.source_ip), ("x-forwarded-port", str(self.port)), ("x-forwarded-proto", "http")]
        sent = [(name.lower(), value.strip()) for name, value in self.headers]
        return _joined([(name, value) for name, value in sent if name != "cookie"]) | dict(ours)

    def _cookies(self) -> list[str]:
        """One entry a cookie, however many headers they came in."""
        lines = [value for name, value in self.headers if name.lower() == "cookie"]
        return [cookie.strip() for line in lines for cookie in line.split(";") if cookie.strip()]

    def _context(self, path: str, headers: Mapping[str, str]) -> dict[str, Any]:
        return {
            "accountId": "123456789012",
            "apiId": "local",
            "domainName": headers.get("host", "localhost").partition(":")[0],
            "domainPrefix": "local",
            "http": {
                "method": self.method,
                "path": path,
                "protocol": self.protocol,
                "sourceIp": self.source_ip,
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": uuid.uuid4().hex,
            "routeKey": "$default",
            "stage": "$default",
            "time": datetime.fromtimestamp(self.at, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": round(self.at * 1000),
        }


class GatewayResponse(NamedTuple):
    """What goes back to the client: a status, headers that are safe to send, and the body's bytes."""

    status: int
    headers: Pairs
    body: bytes

    @classmethod
    def of(cls, given: Any) -> "GatewayResponse":
        """From what the handler returned; without `statusCode` it is a 200 with JSON (or a string, as it stands).

        Raises TypeError or ValueError for what API Gateway would answer with a 500.
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
        """API Gateway's own answers, such as {"message": "Internal Server Error"}."""
        return cls(status, [("Content-Type", "application/json")], json.dumps({"message": text}).encode())


def _joined(pairs: Pairs) -> dict[str, str]:
    """Values of one name are joined by commas."""
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
        raise ValueError("a header's name or value has characters that HTTP does not allow")
    return name, text


def _body(given: Mapping[str, Any]) -> bytes:
    body: Any = given.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise TypeError(f"body: expected a string, not {type(body).__name__}")
    content = base64.b64decode(body, validate=True) if given.get("isBase64Encoded") else body.encode()
    if len(content) > MAX_ANSWER_BYTES:
        raise ValueError(f"body: {len(content)} bytes, but Lambda answers at most {MAX_ANSWER_BYTES}")
    return content
