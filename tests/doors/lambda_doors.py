"""The application as a Lambda function: `protect` on sync and async handlers, and Powertools' event handler.

One function for all routes. What reaches the client is read by the gateways' models, which know nothing of ours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError

from cognito_session import current_session
from cognito_session.web.aws_lambda.event import cookie_headers, request_of
from cognito_session.web.powertools import session_middleware
from doors.page import GUARDS, LOGIN, ROUTES, Said, Site, say
from doors.wires import Ask, gateway

__all__ = ["Context", "powertools_door", "protect_door"]

Build = Callable[[Site], Ask]


class Context:
    """Lambda's context, as far as it is read."""

    def get_remaining_time_in_millis(self) -> int:
        return 30_000


# --- protect


def protect_door(form: str, *, asynchronous: bool = False) -> Build:
    """Handlers of one kind behind one kind of gateway."""

    def build(site: Site) -> Ask:
        handlers = {path: _protected(site, path, asynchronous=asynchronous) for path in ROUTES}
        return gateway(form, lambda event, context: handlers[request_of(event).path](event, context), Context())

    return build


def _protected(site: Site, path: str, *, asynchronous: bool) -> Any:
    need = ROUTES[path][0]

    def handler(event: Any, context: Any, me: Any) -> Any:
        if path in ("/sign-in", "/sign-out"):
            cookies = list(_turn(site, path, event))
            return {**_answer(say(site, path, None)), "cookies": cookies}
        if need in GUARDS:
            me.require(**GUARDS[need])
        return _answer(say(site, path, me, event.get("body") or ""))

    async def coroutine(event: Any, context: Any, me: Any) -> Any:
        return handler(event, context, me)

    if path == "/public":
        return lambda event, context: _unprotected(event, _answer(say(site, path, None)))
    optional = need in (None, "optional")
    return site.manager.protect(coroutine if asynchronous else handler, optional=optional, login_path=LOGIN)


def _turn(site: Site, path: str, event: Any) -> tuple[str, ...]:
    """A session begun or ended, as a function does it: the cookies to send."""
    presented = cookie_headers(event)
    if path == "/sign-out":
        return site.manager.sign_out(presented)
    return site.manager.establish(site.box.tokens, cookie_header=presented).set_cookies


def _answer(said: Said) -> dict[str, Any]:
    headers = said.headers | ({"Location": said.location} if said.location else {})
    return {"statusCode": said.status, "headers": headers, "body": said.body, "isBase64Encoded": False}


def _unprotected(event: Any, answer: dict[str, Any]) -> dict[str, Any]:
    """Nobody puts it into the event's form: a load balancer with multi-value headers wants lists."""
    if "elb" in event["requestContext"] and "multiValueHeaders" in event:
        answer["multiValueHeaders"] = {name: [value] for name, value in answer.pop("headers").items()}
    return answer


# --- Powertools


def powertools_door(form: str, resolver: Any) -> Build:
    """Our middleware on every route but the public one."""

    def build(site: Site) -> Ask:
        router = resolver()
        for path in ROUTES:
            _add_route(site, router, path)
        return gateway(form, router.resolve, Context())

    return build


def _add_route(site: Site, router: Any, path: str) -> None:
    need, method = ROUTES[path]
    methods = ["GET", "HEAD"] if method == "GET" else [method]
    ours = session_middleware(site.manager, optional=need in (None, "optional"), login_path=LOGIN)

    @router.route(path, method=methods, middlewares=[] if path == "/public" else [ours])
    def answer() -> Any:
        event, me = router.current_event, current_session() if need is not None else None
        if need in GUARDS:
            me.require(**GUARDS[need])
        said = say(site, path, me, event.body or "")
        if said.missing:
            raise NotFoundError
        headers: dict[str, Any] = said.headers | ({"Location": said.location} if said.location else {})
        if path in ("/sign-in", "/sign-out"):
            headers["Set-Cookie"] = list(_turn(site, path, event.raw_event))
        return Response(said.status, headers.pop("Content-Type", None), said.body, headers=headers)
