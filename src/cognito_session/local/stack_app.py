"""The ASGI application in front of ministack: identifies each request, logs it, injects faults, and answers it.

The order for one request is: signature time, latency, gates before, fault before, work, gates after, fault after, response.
Requests with the header `x-test-control` come from the test itself: they are never logged, held or affected by faults. To
close a connection without a response, the application uses the transport that `TransportProtocol` puts into the scope.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import partial
from typing import Any, cast

from uvicorn.protocols.http.h11_impl import H11Protocol

from cognito_session.local.attribute_names import refuse_empty_names
from cognito_session.local.cognito_api import CognitoApi
from cognito_session.local.control_endpoints import CONTROL_PATH, ControlEndpoints
from cognito_session.local.cross_site import cross_site_refusal
from cognito_session.local.devices import DeviceBook
from cognito_session.local.emulator import Emulator
from cognito_session.local.faults import HANG_SECONDS, Fault, Faults
from cognito_session.local.gates import Gates
from cognito_session.local.global_tables import GlobalTables
from cognito_session.local.grants import Grants
from cognito_session.local.http_response import HttpResponse, api_error, fault_response
from cognito_session.local.managed_login import ManagedLogin
from cognito_session.local.oauth_endpoints import OAuthEndpoints, with_revocation_endpoint
from cognito_session.local.outbox import Outbox
from cognito_session.local.request_log import LoggedRequest, RequestLog
from cognito_session.local.sign_up import SignUp
from cognito_session.testing.clock import SharedClock

__all__ = ["StackApp", "TransportProtocol"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_TRANSPORT = "cognito_session.transport"
_SERVICES = {
    "AWSCognitoIdentityProviderService": "cognito",
    "DynamoDB_20120810": "dynamodb",
    "secretsmanager": "secretsmanager",
}


class TransportProtocol(H11Protocol):
    """uvicorn's HTTP protocol, extended so that the application can close the connection of a request."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Keep the transport for this connection's requests."""
        super().connection_made(transport)
        self.app: Any = cast("Any", partial(_with_transport, self.app, transport))


async def _with_transport(app: Any, transport: asyncio.Transport, scope: Scope, receive: Receive, send: Send) -> None:
    await app({**scope, _TRANSPORT: transport}, receive, send)


@dataclass(frozen=True, slots=True)
class _Request:
    scope: Scope
    body: bytes = field(repr=False)
    headers: dict[str, str] = field(repr=False)
    service: str
    operation: str

    @property
    def caller(self) -> str | None:
        return self.headers.get("x-test-caller")


class StackApp:
    """The application on the stack's port."""

    def __init__(self, emulator: Emulator, clock: SharedClock) -> None:
        self._emulator = emulator
        self._clock = clock
        self._calls, self._faults, self._gates = RequestLog(), Faults(), Gates()
        devices = DeviceBook()
        grants = Grants(emulator, clock, devices)
        outbox = Outbox()
        self._api, self._oauth = CognitoApi(emulator, grants, clock, outbox, devices), OAuthEndpoints(emulator, grants)
        self._login = ManagedLogin(emulator, grants, clock)
        self._control = ControlEndpoints(
            emulator, clock, grants, calls=self._calls, faults=self._faults, gates=self._gates, outbox=outbox
        )
        self._signature_time, self._tables = self._control.signature_time, self._control.tables
        self._sign_up = SignUp(emulator, grants, clock, api=self._api, login=self._login)
        for part in (self._api, self._login, self._sign_up):
            self._control.on_reset(part.clear)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One ASGI request."""
        if scope["type"] != "http":
            return None
        request = _request_of(scope, await _body(receive))
        foreign: HttpResponse | None = cross_site_refusal(scope["method"], scope["path"], request.headers)
        if foreign is not None:
            return await _reply(send, foreign, request, self._clock.now())
        if scope["path"].startswith(CONTROL_PATH):
            answer: HttpResponse | None = await self._control.answer(scope["path"], request.body)
        elif "x-test-control" in request.headers:
            answer = await self._work(request)
        else:
            answer = await self._logged(request)
        if answer is None:
            return await _close(scope, receive)
        clock = self._signature_time if "x-amz-target" in request.headers else self._clock
        return await _reply(send, answer, request, clock.now())

    async def _logged(self, request: _Request) -> HttpResponse | None:
        call = self._calls.open(request.service, request.operation, self._clock.now(), request.caller)
        refusal = self._signature_time.refusal(request.headers)
        if refusal is not None:
            call.status, call.error, call.finished = refusal.status, refusal.error, True
            return refusal
        faults = self._faults.take(request.operation, request.caller)
        call.fault = "+".join(fault.kind for fault in faults) or None
        try:
            answer = await self._with_faults(request, call, faults)
            if answer:
                call.status, call.error = answer.status, answer.error
            return answer
        finally:
            call.finished = True

    async def _with_faults(self, request: _Request, call: LoggedRequest, faults: list[Fault]) -> HttpResponse | None:
        delay = sum(fault.ms for fault in faults if fault.kind == "latency")
        await asyncio.sleep(min(delay / 1000, HANG_SECONDS))
        fault = next((fault for fault in faults if fault.kind != "latency"), None)
        await self._gates.pass_through(request.operation, request.caller, after=False)
        if fault and not fault.kind.endswith("_after"):
            return await _instead_of_work(fault, request.service)
        answer = await self._work(request)
        call.worked = True
        await self._gates.pass_through(request.operation, request.caller, after=True)
        if fault and fault.kind == "hang_after":
            await asyncio.sleep(fault.hang_seconds)
        if fault and fault.kind == "error_after":
            return fault_response(fault, request.service)
        return None if fault else answer

    async def _work(self, request: _Request) -> HttpResponse:
        onward = partial(self._emulator.answer, dict(request.scope), request.body)
        if request.service == "cognito":
            return await self._api.answer(request.operation, request.body, onward)
        if request.service == "dynamodb":
            return await self._on_tables(request, onward)
        if request.operation == "jwks":
            answer = await onward()
            return answer if answer.json().get("keys") else api_error("ResourceNotFoundException", "No such pool", 404)
        if request.scope["path"].endswith("/.well-known/openid-configuration"):
            return with_revocation_endpoint(await onward())
        return await self._pages(request, onward)

    async def _pages(self, request: _Request, onward: Callable[[], Awaitable[HttpResponse]]) -> HttpResponse:
        match request.scope["method"], request.scope["path"]:
            case "POST", "/oauth2/token":
                return await self._oauth.token(request.headers, request.body, onward)
            case "POST", "/oauth2/revoke":
                return self._oauth.revoke(request.headers, request.body)
            case "GET", "/oauth2/authorize":
                return await self._login.authorize(request.scope, request.headers)
            case "POST", "/login" | "/oauth2/login":
                return await self._login.login(request.scope, request.headers, request.body)
            case "GET" | "POST", "/signup":
                return await self._sign_up.answer(request.scope, request.headers, request.body)
            case "POST", "/saml2/idpresponse":
                return self._login.idp_initiated(request.headers, request.body)
            case "GET", "/logout":
                return await self._login.logout(request.scope, request.headers)
        return await onward()

    async def _on_tables(self, request: _Request, onward: Callable[[], Awaitable[HttpResponse]]) -> HttpResponse:
        if request.operation in GlobalTables.OPERATIONS:
            refusal = self._tables.refusal(request.operation, request.body)
            if refusal is not None:
                return refusal
        unnamed = refuse_empty_names(request.body)
        if unnamed is not None:
            return unnamed
        answer = await onward()
        return self._tables.described(answer) if request.operation == "DescribeTable" else answer


async def _instead_of_work(fault: Fault, service: str) -> HttpResponse | None:
    if fault.kind == "hang":
        await asyncio.sleep(fault.hang_seconds)
    return fault_response(fault, service) if fault.kind in ("throttle", "error500", "error") else None


def _request_of(scope: Scope, body: bytes) -> _Request:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    prefix, _, target = headers.get("x-amz-target", "").rpartition(".")
    path = scope["path"]
    if prefix in _SERVICES:
        return _Request(scope, body, headers, _SERVICES[prefix], target)
    if path.endswith("/.well-known/jwks.json"):
        return _Request(scope, body, headers, "jwks", "jwks")
    service = "oauth2" if path.startswith(("/oauth2/", "/login", "/logout", "/signup")) else "other"
    return _Request(scope, body, headers, service, path.strip("/") or scope["method"])


async def _body(receive: Receive) -> bytes:
    chunks: list[bytes] = []
    while True:
        message = await receive()
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(chunks)


async def _reply(send: Send, answer: HttpResponse, request: _Request, now: float) -> None:
    headers = [(name, value) for name, value in answer.headers if name.lower() not in (b"content-length", b"date")]
    headers.append((b"content-length", str(len(answer.body)).encode()))
    headers.append((b"date", formatdate(now, usegmt=True).encode()))
    if "x-amz-target" in request.headers and not any(name.lower() == b"x-amzn-requestid" for name, _ in headers):
        headers.append((b"x-amzn-RequestId", str(uuid.uuid4()).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


async def _close(scope: Scope, receive: Receive) -> None:
    """Close the connection without a response, and wait until the server notices, so that it sends none of its own."""
    scope[_TRANSPORT].abort()
    while (await receive())["type"] != "http.disconnect":
        pass
