"""Lambda authorizers: the session of a cookie, judged before API Gateway calls the backend, in the form of each kind of API.

1. API Gateway keeps an answer per cookie and uses it for every route behind the authorizer: a policy names the whole stage,
   never the route that happened to be asked for first, and depends on nothing but the session.
2. What could not be found out, or depends on the request (a cross-site one), is raised and not answered: API Gateway keeps
   answers, no errors. It makes a 401 of an error that says "Unauthorized" (REST, WebSocket) and a 500 of any other.
3. The context holds facts and no token. An authorizer cannot set a cookie: `refresh_due` says that the browser's is behind.
   The page then asks any route that `protect` or a framework's middleware serves, and is handed the new one.
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-use-lambda-authorizer.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cognito_session.core.errors import ConfigurationError, SessionForbidden, SessionRequired
from cognito_session.http.request import Request
from cognito_session.web.aws_lambda.event import Form, form_of, remaining_seconds
from cognito_session.web.aws_lambda.protect import request_session_of
from cognito_session.web.request_session import RequestSession

if TYPE_CHECKING:
    from cognito_session.core.protocol.session import Session
    from cognito_session.engine import Engine

__all__ = ["Authorizer", "authorizer"]

Authorizer = Callable[..., dict[str, Any]]
"""`handler(event, context)`: what Lambda calls."""

_ARN: Final = re.compile(r"(arn:[a-z-]+:execute-api:[a-z0-9-]*:[0-9]*:[^/]+/[^/]+)/.*", re.DOTALL)


class _Kind(NamedTuple):
    """Which API asks. `raises`: it makes a 401 of an error; HTTP APIs know only answers. `simple`: it may want yes or no."""

    stage: str
    raises: bool
    simple: bool


def authorizer(
    engine: Engine,
    *,
    any_group: Collection[str] | None = None,
    all_groups: Collection[str] = (),
    scopes: Collection[str] = (),
    simple: bool = True,
) -> Authorizer:
    """A handler for REST APIs (REQUEST, or TOKEN with `Cookie` as the token source), HTTP APIs and WebSocket `$connect`.

    The guards are those of `Session.require`. `simple`: HTTP APIs with payload 2.0 get `{"isAuthorized": ...}`; False where
    the authorizer has no simple responses enabled and wants a policy.

    | | REST, WebSocket | HTTP API |
    | no session | 401, not kept | 403, kept |
    | a guard says no | 403, kept | 403, kept |
    | cross-site (never seen by TOKEN) | 401, not kept | 500, not kept |
    | could not find out | 500, not kept | 500, not kept |

    Kept means for the authorizer's time to live, under this cookie: a session that ends stays admitted that long, a user who
    joins a group stays refused that long, and a cross-site request is refused only where the authorizer is asked. Where that
    is too long, or routes change something and do not check it themselves, set the time to live to 0.

    A browser that is never handed its new cookie stays signed in until the session's ends: its cookie is previous and the
    current one was never seen, which heals at every request (only refreshes slide the idle end then: keep `idle_seconds`
    above the access token's life). Once the new cookie is in use, a copy of the old one is good for 60 seconds, then refused,
    and from its token's expiry on taken for a stolen one, which ends the session: a client
    that stores cookies must store the new ones.
    """
    guards: dict[str, Any] = {"any_group": any_group, "all_groups": all_groups, "scopes": scopes}

    def authorize(event: Mapping[str, Any], context: Any = None) -> dict[str, Any]:
        kind, request_session = _kind(event, simple=simple), _request_session_of(engine, event, context)
        _check_origin(kind, request_session)
        me = request_session.session()
        if me is None:
            return _nobody(kind, request_session.reason or "no_cookie")
        try:
            me.require(**guards)
        except SessionForbidden as refused:
            return _answer(kind, "Deny", me.sub, {**_facts(me), "reason": refused.reason})
        return _answer(kind, "Allow", me.sub, {**_facts(me), **_connection(engine, request_session, event)})

    return authorize


def _connection(engine: Engine, request_session: RequestSession, event: Mapping[str, Any]) -> dict[str, str]:
    """For a connection's later events: the proof of whose they are, where the manager serves them."""
    from cognito_session.web.aws_lambda.websocket import CONNECTION, HandshakeSession, seal_connection

    if not isinstance(request_session, HandshakeSession) or not engine.websocket_api:
        return {}
    me = request_session.required()
    return {CONNECTION: engine.run(seal_connection(engine.context, event["requestContext"], me.sub, me.sid))}


def _request_session_of(engine: Engine, event: Mapping[str, Any], context: Any) -> RequestSession:
    if event.get("type") != "TOKEN":
        form = form_of(event)
        if form is Form.MESSAGE:  # a message's event with an ARN: served here it would need no cookie
            raise ConfigurationError("expected an authorizer's event: API Gateway asks none about a WebSocket API's messages")
        return request_session_of(engine, form, event, context)
    token = event.get("authorizationToken")
    headers = {"cookie": (token,)} if isinstance(token, str) else {}
    return RequestSession(engine, Request("GET", "/", "", headers), remaining_seconds=remaining_seconds(context))


def _kind(event: Any, *, simple: bool) -> _Kind:
    """What the event says of its API. REST APIs' routes all have a method in their ARN; others may be called "$default"."""
    is_mapping = isinstance(event, Mapping) and event.get("type") in ("REQUEST", "TOKEN")
    arn = (event.get("methodArn") or event.get("routeArn")) if is_mapping else None
    found = _ARN.fullmatch(arn) if isinstance(arn, str) else None
    if found is None:
        raise ConfigurationError("expected a Lambda authorizer's event: type REQUEST or TOKEN, methodArn or routeArn")
    http_api = "version" in event
    by_method = not http_api and (event["type"] == "TOKEN" or form_of(event) is not Form.CONNECT)
    stage = f"{found[1]}/*/*" if by_method else f"{found[1]}/*"
    return _Kind(stage, raises=not http_api, simple=simple and event.get("version") == "2.0")


def _check_origin(kind: _Kind, request_session: RequestSession) -> None:
    """A refusal here is the request's, not the session's: kept as an answer it would lock the user out."""
    try:
        request_session.check_csrf()
    except SessionForbidden as refused:
        if kind.raises:
            raise _unauthorized(refused.reason) from refused
        raise


def _nobody(kind: _Kind, reason: str) -> dict[str, Any]:
    if kind.raises:
        raise _unauthorized(reason)
    return _answer(kind, "Deny", "nobody", {"reason": str(reason)})


def _unauthorized(reason: str) -> SessionRequired:
    """API Gateway compares the whole message with this word."""
    return SessionRequired("Unauthorized", reason=reason)


def _answer(kind: _Kind, effect: str, principal: str, facts: dict[str, Any]) -> dict[str, Any]:
    if kind.simple:
        return {"isAuthorized": effect == "Allow", "context": facts}
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": kind.stage}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    return {"principalId": principal, "policyDocument": policy, "context": facts}


def _facts(me: Session) -> dict[str, str | int | bool]:
    """What the backend reads in requestContext.authorizer: flat, and for REST and WebSocket APIs all of it becomes text.

    `groups` is a JSON list, because a group's name may hold any mark; `scopes` are separated by blanks (RFC 6749 3.3).
    """
    instants = {"auth_time": me.auth_time, "session_expires_at": me.session_expires_at}
    return {
        "sub": me.sub,
        "sid": me.sid,
        "username": me.username,
        "groups": json.dumps(me.groups),
        "scopes": " ".join(sorted(me.scopes)),
        "token_expires_at": me.token_expires_at,
        "refresh_due": bool(me.set_cookies),
        **{name: instant for name, instant in instants.items() if instant is not None},
    }
