"""Models of what stands in front of a Lambda function, written from AWS's pages and from nothing of ours.

Each turns a request into an event and an answer into what reaches the client, and refuses (`RefusedError`) what the real one
answers with a 500 or 502. Where pages and users' reports differ, the reading that loses more is modelled.

REST API, payload 1.0:  docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
HTTP API, 1.0 and 2.0:  docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
Function URL:           docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
Load balancer:          docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
WebSocket API:          docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-lambda-auth.html
Authorizers:            docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-use-lambda-authorizer.html
                        docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html
"""

from __future__ import annotations

import base64
import fnmatch
import json
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote

__all__ = ["GATEWAYS", "HOST", "Answer", "Authorized", "Call", "RefusedError", "WebSocketApi", "as_json"]

HOST = "app.example.test"
ACCOUNT = "arn:aws:execute-api:eu-central-1:123456789012:abcdef123"


class Call(NamedTuple):
    """A client's request. `cookies` are Cookie headers, sent after the others; `query` is as it stands in the address."""

    method: str = "GET"
    path: str = "/"
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    cookies: tuple[str, ...] = ()
    body: bytes = b""

    @property
    def sent(self) -> list[tuple[str, str]]:
        """Every header line."""
        return [("Host", HOST), *self.headers, *(("Cookie", cookie) for cookie in self.cookies)]


class Answer(NamedTuple):
    """What the client receives."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def values(self, name: str) -> list[str]:
        """Every value of a header, in order."""
        return [value for found, value in self.headers if found.lower() == name.lower()]

    @property
    def cookies(self) -> list[str]:
        """Every Set-Cookie value."""
        return self.values("set-cookie")


class RefusedError(Exception):
    """The gateway cannot make an answer of this: the client gets a 500 or 502."""


def as_json(value: Any) -> Any:
    """As Lambda's runtime passes it on: what is no JSON raises."""
    return json.loads(json.dumps(value))


def _listed(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def _last(pairs: list[tuple[str, str]]) -> dict[str, str]:
    return dict(pairs)


def _lower(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name.lower(), value) for name, value in pairs]


def _decoded(query: str) -> list[tuple[str, str]]:
    return parse_qsl(query, keep_blank_values=True)


def _undecoded(query: str) -> list[tuple[str, str]]:
    return [(name, value) for name, _, value in (pair.partition("=") for pair in query.split("&") if pair)]


def _scalar(value: Any) -> str:
    """A header's value; a list or map is none."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    raise RefusedError(f"a header's value is {type(value).__name__}")


def _body_of(answer: dict[str, Any]) -> bytes:
    body, encoded = answer.get("body"), answer.get("isBase64Encoded", False)
    if not isinstance(encoded, bool):
        raise RefusedError("isBase64Encoded is no boolean")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise RefusedError("body is no string")
    return base64.b64decode(body, validate=True) if encoded else body.encode()


def _status(answer: dict[str, Any]) -> int:
    status = answer.get("statusCode")
    if isinstance(status, str) and status.isdigit():
        status = int(status)
    if not isinstance(status, int) or isinstance(status, bool) or not 100 <= status <= 599:
        raise RefusedError("no statusCode")
    return status


def _clean(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """No header may break out of its line."""
    for name, value in pairs:
        if any(mark in name + value for mark in "\r\n\0") or not name:
            raise RefusedError("a header breaks out of its line")
    return pairs


def _text_body(call: Call) -> dict[str, Any]:
    return {"body": call.body.decode() if call.body else None, "isBase64Encoded": False}


class RestApi:
    """Header names as they were sent; one value in `headers`, all in `multiValueHeaders`; parameters decoded."""

    name = "rest"
    version: str | None = None
    stage_path = "/prod"
    """What stands before the route in the address of the API's own domain."""

    def event(self, call: Call) -> dict[str, Any]:
        headers, pairs = self._sent(call), _decoded(call.query)
        event: dict[str, Any] = {
            "resource": "/{proxy+}",
            "path": self._path(call),
            "httpMethod": call.method,
            "headers": _last(headers) or None,
            "multiValueHeaders": _listed(headers) or None,
            "queryStringParameters": _last(pairs) or None,
            "multiValueQueryStringParameters": _listed(pairs) or None,
            "pathParameters": {"proxy": call.path.lstrip("/")},
            "stageVariables": None,
            "requestContext": {
                "accountId": "123456789012",
                "apiId": "abcdef123",
                "domainName": HOST,
                "httpMethod": call.method,
                "path": f"{self.stage_path}{self._path(call)}",
                "stage": "prod",
                "identity": {"sourceIp": "192.0.2.1"},
            },
            **_text_body(call),
        }
        return {"version": self.version, **event} if self.version else event

    def _path(self, call: Call) -> str:
        return call.path

    def _sent(self, call: Call) -> list[tuple[str, str]]:
        return call.sent

    def answer(self, given: Any) -> Answer:
        answer = as_json(given)
        known = {"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"}
        if not isinstance(answer, dict) or answer.keys() - known:
            raise RefusedError("Malformed Lambda proxy response: unknown fields")
        many = answer.get("multiValueHeaders") or {}
        if any(not isinstance(values, list) for values in many.values()):
            raise RefusedError("Malformed Lambda proxy response: multiValueHeaders hold lists")
        listed = {name.lower() for name in many}
        single = {name: value for name, value in (answer.get("headers") or {}).items() if name.lower() not in listed}
        pairs = [(name, _scalar(value)) for name, value in single.items()]
        pairs += [(name, _scalar(value)) for name, values in many.items() for value in values]
        return Answer(_status(answer), _clean(pairs), _body_of(answer))


class HttpApi1(RestApi):
    """The same for HTTP APIs, with lower-case header names, a decoded path and the $default stage."""

    name = "http-v1"
    version = "1.0"
    stage_path = ""

    def _path(self, call: Call) -> str:
        return unquote(call.path)

    def _sent(self, call: Call) -> list[tuple[str, str]]:
        return _lower(call.sent)


class HttpApi2:
    """Cookies in an array of their own, other headers lower-case and joined; the query as it stands, the path decoded."""

    name = "http-v2"
    domain = HOST

    def event(self, call: Call) -> dict[str, Any]:
        sent = _lower(call.sent)
        headers = {name: ",".join(values) for name, values in _listed(sent).items() if name != "cookie"}
        cookies = [cookie.strip() for name, value in sent if name == "cookie" for cookie in value.split(";")]
        event: dict[str, Any] = {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": self._path(call),
            "rawQueryString": call.query,
            "headers": headers,
            "requestContext": {
                "accountId": "123456789012",
                "apiId": "abcdef123",
                "domainName": self.domain,
                "http": {"method": call.method, "path": self._path(call), "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"},
                "routeKey": "$default",
                "stage": "$default",
                "timeEpoch": 1_700_000_000_000,
            },
            **_text_body(call),
        }
        if cookies:
            event["cookies"] = cookies
        if call.query:
            parameters = _listed(_decoded(call.query))
            event["queryStringParameters"] = {name: ",".join(values) for name, values in parameters.items()}
        return event

    def _path(self, call: Call) -> str:
        return unquote(call.path)

    def answer(self, given: Any) -> Answer:
        answer = as_json(given)
        if not isinstance(answer, dict) or "statusCode" not in answer:
            return Answer(200, [("Content-Type", "application/json")], json.dumps(answer).encode())
        pairs = [(name, self._one(value)) for name, value in (answer.get("headers") or {}).items()]
        pairs += [("Set-Cookie", cookie) for cookie in answer.get("cookies") or [] if isinstance(cookie, str)]
        return Answer(_status(answer), _clean(pairs), _body_of(answer))

    def _one(self, value: Any) -> str:
        """A list is written out as one line, brackets and all."""
        return f"[{', '.join(map(str, value))}]" if isinstance(value, list) else _scalar(value)


class FunctionUrl(HttpApi2):
    """HTTP APIs' payload 2.0 under Lambda's own domain, the path as it was sent."""

    name = "function-url"
    domain = "abcdef.lambda-url.eu-central-1.on.aws"

    def _path(self, call: Call) -> str:
        return call.path


class LoadBalancer:
    """One value a header, the last; parameters not decoded. Of an answer it reads `headers` only."""

    name = "alb"

    def event(self, call: Call) -> dict[str, Any]:
        return {
            "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:eu-central-1:1:targetgroup/a/b"}},
            "httpMethod": call.method,
            "path": call.path,
            **self._parts(_lower(call.sent), _undecoded(call.query)),
            "body": call.body.decode(),
            "isBase64Encoded": False,
        }

    def _parts(self, headers: list[tuple[str, str]], pairs: list[tuple[str, str]]) -> dict[str, Any]:
        return {"queryStringParameters": _last(pairs), "headers": _last(headers)}

    def answer(self, given: Any) -> Answer:
        answer = as_json(given)
        if not isinstance(answer, dict) or not {"isBase64Encoded", "statusCode"} <= answer.keys():
            raise RefusedError("the answer must include Base64 encoding status, status code and headers")
        status = answer["statusCode"]
        if not isinstance(status, int) or not answer.get("statusDescription", f"{status} ").startswith(f"{status} "):
            raise RefusedError("the status description holds the code and the phrase, separated by one blank")
        return Answer(status, _clean(self._read(answer)), _body_of(answer))

    def _read(self, answer: dict[str, Any]) -> list[tuple[str, str]]:
        headers = answer.get("headers")
        if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
            raise RefusedError("headers: expected texts")
        return list(headers.items())


class LoadBalancerMulti(LoadBalancer):
    """A target group with lambda.multi_value_headers.enabled: lists both ways, and nothing else is read."""

    name = "alb-multi"

    def _parts(self, headers: list[tuple[str, str]], pairs: list[tuple[str, str]]) -> dict[str, Any]:
        return {"multiValueQueryStringParameters": _listed(pairs), "multiValueHeaders": _listed(headers)}

    def _read(self, answer: dict[str, Any]) -> list[tuple[str, str]]:
        headers = answer.get("multiValueHeaders")
        if not isinstance(headers, dict) or not all(isinstance(values, list) for values in headers.values()):
            raise RefusedError("multiValueHeaders: expected lists")
        if not all(isinstance(value, str) for values in headers.values() for value in values):
            raise RefusedError("multiValueHeaders: expected texts")
        return [(name, value) for name, values in headers.items() for value in values]


GATEWAYS = {
    gateway.name: gateway for gateway in (RestApi(), HttpApi1(), HttpApi2(), FunctionUrl(), LoadBalancer(), LoadBalancerMulti())
}


class WebSocketApi:
    """A handshake with the browser's headers, then events that have none. Handshakes' answers keep no header of ours."""

    def connect_event(self, call: Call, *, context: dict[str, Any] | None = None) -> dict[str, Any]:
        headers = [*call.sent, ("Upgrade", "websocket"), ("Connection", "upgrade"), ("Sec-WebSocket-Version", "13")]
        pairs = _decoded(call.query)
        parameters = {"queryStringParameters": _last(pairs), "multiValueQueryStringParameters": _listed(pairs)} if pairs else {}
        event = {"headers": _last(headers), "multiValueHeaders": _listed(headers), **parameters}
        return event | {"requestContext": self._context("$connect", "CONNECT", context), "isBase64Encoded": False}

    def message_event(self, body: str, *, context: dict[str, Any] | None) -> dict[str, Any]:
        """`context` is the authorizer's of this connection, which every later event repeats as text."""
        return {"requestContext": self._context("$default", "MESSAGE", context), "body": body, "isBase64Encoded": False}

    def disconnect_event(self, *, context: dict[str, Any] | None) -> dict[str, Any]:
        """The end brings a few headers of the gateway's own."""
        headers = [("Host", HOST), ("x-api-key", ""), ("x-restapi", "")]
        event = {"headers": _last(headers), "multiValueHeaders": _listed(headers), "isBase64Encoded": False}
        return event | {"requestContext": self._context("$disconnect", "DISCONNECT", context)}

    def _context(self, route: str, kind: str, authorizer: dict[str, Any] | None) -> dict[str, Any]:
        context: dict[str, Any] = {
            "routeKey": route,
            "eventType": kind,
            "connectionId": "BFHPhfCWIAMCKlQ=",
            "messageDirection": "IN",
            "stage": "prod",
            "domainName": HOST,
            "apiId": "abcdef123",
            "identity": {"sourceIp": "192.0.2.1"},
        }
        return context | ({"authorizer": authorizer} if authorizer is not None else {})

    def handshake(self, given: Any) -> Answer:
        """101, or the status that the function refused with; only Sec-WebSocket-Protocol goes through."""
        answer = as_json(given)
        status = _status(answer)
        kept = [(n, _scalar(v)) for n, v in (answer.get("headers") or {}).items() if n.lower() == "sec-websocket-protocol"]
        return Answer(101, kept, b"") if 200 <= status < 300 else Answer(status, [], _body_of(answer))


class Authorized(NamedTuple):
    """What the gateway does with a request that an authorizer stands in front of; `context` is what the backend is told."""

    status: int
    context: dict[str, Any] | None = None
    asked: bool = True
    """Whether the function was invoked, or an answer that was kept decided."""


class Authorizer:
    """A Lambda authorizer of a REST API whose identity source is the Cookie header, with the answers that it keeps."""

    arn = f"{ACCOUNT}/prod"
    error_401 = True

    def __init__(self, function: Any, *, keeps: bool = True) -> None:
        self.function = function
        self.keeps = keeps
        self._kept: dict[str, Any] = {}

    def admit(self, call: Call) -> Authorized:
        """Let the request through or not."""
        source = "; ".join(call.cookies)
        if not source:
            return Authorized(HTTPStatus.UNAUTHORIZED, asked=False)
        arn = self._route_arn(call)
        asked = source not in self._kept
        if asked:
            try:
                given = as_json(self.function(self._event(call, arn), None))
            except Exception as error:
                unauthorized = self.error_401 and str(error) == "Unauthorized"
                return Authorized(HTTPStatus.UNAUTHORIZED if unauthorized else HTTPStatus.INTERNAL_SERVER_ERROR)
            if self.keeps:
                self._kept[source] = given
        else:
            given = self._kept[source]
        return self._judge(given, arn)._replace(asked=asked)

    def _route_arn(self, call: Call) -> str:
        return f"{self.arn}/{call.method}{call.path}"

    def _event(self, call: Call, arn: str) -> dict[str, Any]:
        event = RestApi().event(call)
        return {"type": "REQUEST", "methodArn": arn, **{n: v for n, v in event.items() if n not in ("body", "isBase64Encoded")}}

    def _judge(self, given: Any, arn: str) -> Authorized:
        if not isinstance(given, dict) or not isinstance(given.get("principalId"), str):
            return Authorized(HTTPStatus.INTERNAL_SERVER_ERROR)
        context = given.get("context", {})
        if any(isinstance(value, dict | list) or value is None for value in context.values()):
            return Authorized(HTTPStatus.INTERNAL_SERVER_ERROR)
        if not self._allows(given["policyDocument"], arn):
            return Authorized(HTTPStatus.FORBIDDEN)
        return Authorized(HTTPStatus.OK, self._told(context) | {"principalId": given["principalId"]})

    def _allows(self, policy: dict[str, Any], arn: str) -> bool:
        """IAM: an explicit Deny wins, an Allow must match, "*" stands for anything."""
        assert policy["Version"] == "2012-10-17"
        effects = set()
        for statement in policy["Statement"]:
            resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
            assert statement["Action"] == "execute-api:Invoke"
            assert all(len(resource) <= 512 for resource in resources)
            if any(fnmatch.fnmatchcase(arn, resource.replace("[", "[[]")) for resource in resources):
                effects.add(statement["Effect"])
        return effects == {"Allow"}

    def _told(self, context: dict[str, Any]) -> dict[str, Any]:
        """A REST or WebSocket API passes every value on as text."""
        return {name: value if isinstance(value, str) else json.dumps(value) for name, value in context.items()}


class TokenAuthorizer(Authorizer):
    """TOKEN: the function is given the Cookie header and the route, nothing else."""

    def _event(self, call: Call, arn: str) -> dict[str, Any]:
        return {"type": "TOKEN", "authorizationToken": "; ".join(call.cookies), "methodArn": arn}


class HttpAuthorizer1(Authorizer):
    """An HTTP API's, payload 1.0: wants a policy, knows no "Unauthorized", keeps the types of the context."""

    arn = f"{ACCOUNT}/$default"
    error_401 = False

    def _route_arn(self, call: Call) -> str:
        return f"{self.arn}/$default" if call.path.startswith("/default") else super()._route_arn(call)

    def _event(self, call: Call, arn: str) -> dict[str, Any]:
        event = {n: v for n, v in HttpApi1().event(call).items() if n not in ("body", "isBase64Encoded")}
        source = ",".join(call.cookies)
        return {**event, "type": "REQUEST", "methodArn": arn, "identitySource": source, "authorizationToken": source}

    def _told(self, context: dict[str, Any]) -> dict[str, Any]:
        return dict(context)


class HttpAuthorizer2(HttpAuthorizer1):
    """Payload 2.0 without simple responses."""

    def _event(self, call: Call, arn: str) -> dict[str, Any]:
        event = {n: v for n, v in HttpApi2().event(call).items() if n not in ("body", "isBase64Encoded")}
        return {**event, "type": "REQUEST", "routeArn": arn, "identitySource": ["; ".join(call.cookies)]}


class SimpleHttpAuthorizer(HttpAuthorizer2):
    """Payload 2.0 with simple responses: yes or no."""

    def _judge(self, given: Any, arn: str) -> Authorized:
        if not isinstance(given, dict) or not isinstance(given.get("isAuthorized"), bool):
            return Authorized(HTTPStatus.INTERNAL_SERVER_ERROR)
        return (
            Authorized(HTTPStatus.OK, given.get("context", {})) if given["isAuthorized"] else Authorized(HTTPStatus.FORBIDDEN)
        )


class WebSocketAuthorizer(Authorizer):
    """Only `$connect` has one; what it says is repeated in every event of the connection."""

    def _route_arn(self, call: Call) -> str:
        return f"{self.arn}/$connect"

    def _event(self, call: Call, arn: str) -> dict[str, Any]:
        return {"type": "REQUEST", "methodArn": arn, **WebSocketApi().connect_event(call)}


__all__ += [
    "Authorizer",
    "HttpAuthorizer1",
    "HttpAuthorizer2",
    "SimpleHttpAuthorizer",
    "TokenAuthorizer",
    "WebSocketAuthorizer",
]
