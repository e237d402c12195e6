"""WebSocket APIs: who opens a connection, and whether that session still lives when a message comes over it.

1. `$connect` is a GET that a page of any site may send with our cookies: an Origin that is there must be ours or a trusted
   one (RFC 6455 10.2; browsers always send it). Its answer cannot set a cookie: after a refresh the page's next ordinary
   request brings the new one.
2. A message brings no cookie. `SessionManager.authorizer()` on `$connect` puts `connection` into the request_context that API
   Gateway repeats in `requestContext.authorizer` of every event of the connection
   (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-lambda-auth.html). It is sealed with
   the key ring, because who may invoke the function can write any event: nothing else in the request_context is believed.
   Only a manager with `websocket_api=True` serves messages or makes the value.
3. A message is served from the row, read consistently, and nothing is written: no refresh, no mark, no sliding idle end. The
   browser's cookie could not follow, and would be taken for a stolen one. Once the row's access token has expired, messages
   are refused as `token_expired` until an ordinary request of the page has refreshed it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from cognito_session.core.errors import ConfigurationError, TokenError
from cognito_session.core.protocol.authenticate import stored_token
from cognito_session.core.protocol.authenticity import rejection_of
from cognito_session.core.protocol.data import data_of
from cognito_session.core.protocol.devices import is_live
from cognito_session.core.protocol.record import SessionKey, SessionRecord
from cognito_session.core.protocol.sealing import open_value, seal_value
from cognito_session.core.protocol.session import Active, Outcome, Reason, Rejected, Session
from cognito_session.core.protocol.steps import Flow, Load, ask
from cognito_session.http.csrf import csrf_refusal
from cognito_session.http.request import Request
from cognito_session.web.request_session import RequestSession

if TYPE_CHECKING:
    from cognito_session.core.protocol.context import FlowContext
    from cognito_session.engine import Engine

__all__ = ["CONNECTION", "HandshakeSession", "MessageSession", "connected_session", "seal_connection"]

CONNECTION: Final = "connection"
"""The sealed value's name in the authorizer's request_context."""
CONNECTION_SECONDS: Final = 2 * 3600 + 300
"""API Gateway closes a connection after two hours
(https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html).
"""
_PURPOSE: Final = "websocket"


class HandshakeSession(RequestSession):
    """A `$connect`: resolved from its cookie, and checked for where it comes from, though it is a GET."""

    sends_cookies = False

    def check_csrf(self) -> None:
        """Refuse a page that is not ours. Raises SessionForbidden."""
        if not self.engine.csrf.admits_handshake(self.request):
            self.tell_cross_site()
            raise csrf_refusal()

    async def acheck_csrf(self) -> None:
        """As `check_csrf`."""
        if not self.engine.csrf.admits_handshake(self.request):
            await self.atell_cross_site()
            raise csrf_refusal()


class MessageSession(RequestSession):
    """A later event of a connection: whose it is was found out at `$connect`, and so was where it comes from."""

    sends_cookies = False

    def __init__(self, engine: Engine, event: Mapping[str, Any]) -> None:
        super().__init__(engine, Request("", "/", "", {}))
        self._event_context = event["requestContext"]

    def check_csrf(self) -> None:
        """Nothing: the handshake was checked, and no other page can write to the connection."""

    async def acheck_csrf(self) -> None:
        """As `check_csrf`."""

    def _flow(self) -> Flow[Outcome]:
        if not self.engine.websocket_api:
            raise ConfigurationError(
                "a WebSocket API's message came, and this manager serves none: set websocket_api=True if you have one"
            )
        request_context = self._event_context.get("authorizer")
        sealed = request_context.get(CONNECTION) if isinstance(request_context, Mapping) else None
        if not isinstance(sealed, str) or not sealed:
            raise ConfigurationError(
                "a WebSocket message does not say whose it is: put sessions.authorizer() of a manager with websocket_api=True"
                " and the same keys on the API's $connect route"
            )
        return _vouched_session(self.engine.context, self._event_context, sealed)


def seal_connection(context: FlowContext, request_context: Mapping[str, Any], sub: str, sid: str) -> Flow[str]:
    """The proof of whose a connection is, for the request_context of the authorizer on its `$connect`.

    Bound to the pool, the client, the cookie's name, the API, the stage and the connection; good for the two hours that API
    Gateway keeps a connection, and a little.
    """
    facts = json.dumps([sub, sid, context.now() + CONNECTION_SECONDS]).encode()
    return (yield from seal_value(context, facts, purpose=_PURPOSE, bound_to=_bound_to(context, request_context)))


def _vouched_session(context: FlowContext, request_context: Mapping[str, Any], sealed: str) -> Flow[Outcome]:
    try:
        opened = yield from open_value(context, sealed, purpose=_PURPOSE, bound_to=_bound_to(context, request_context))
    except TokenError:
        return Rejected(Reason.INVALID_SEAL)
    sub, sid, expires_at = json.loads(opened)[:3]
    if expires_at <= context.now():
        return Rejected(Reason.SESSION_ENDED)
    return (yield from connected_session(context, sub, sid))


def _bound_to(context: FlowContext, request_context: Mapping[str, Any]) -> tuple[str, ...]:
    """Raises ConfigurationError where the event names no connection."""
    names = [request_context.get(name) for name in ("apiId", "stage", "connectionId")]
    if not all(isinstance(name, str) and name for name in names):
        raise ConfigurationError("expected a WebSocket API's event: requestContext with apiId, stage and connectionId")
    return (context.cookie.name, *map(str, names))


def connected_session(context: FlowContext, sub: str, sid: str) -> Flow[Outcome]:
    """The session that a connection was opened with, if it still lives and its access token is valid; one consistent read.

    A row that other sign-in code wrote, and that was not refreshed since, belongs to another session.
    Raises StoreUnavailable.
    """
    key = SessionKey(sub, sid)
    row = yield from ask(Load(key))
    record = None if row is None else SessionRecord.from_row(key, row)
    if record is None or record.foreign_token or record.sid != sid or not is_live(record, context.now()):
        return Rejected(Reason.SESSION_ENDED)
    refused = yield from rejection_of(context, record)
    if refused is not None:
        return refused
    token = yield from stored_token(context, record)
    if token.expires_at <= context.clock.now():
        return Rejected(Reason.TOKEN_EXPIRED)
    return Active(
        Session.of(
            token,
            sid=sid,
            auth_time=record.auth_time,
            expires_at=record.abs_exp,
            now=context.now(),
            alarm=context.alarm,
            data=(yield from data_of(context, record)),
            data_version=record.data_version,
        )
    )
