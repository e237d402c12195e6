"""protect: calls a Lambda handler with the session of an event of any form, or refuses the event.

The handler's response gets the cookies that are due. A SessionError, raised here or by the handler, becomes its response. A
denial clears no cookie. websocket.py serves the events of WebSocket APIs.

A CORS preflight carries no cookies (Fetch 4.8) and never has a session: the handler is called with None, and its response has
no body. Any client can send a preflight, so a handler that changes something must check the method.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cognito_session.core.errors import ConfigurationError, SessionError, SessionRequired
from cognito_session.http.error_response import refusal, session_error_of
from cognito_session.http.request import Request
from cognito_session.web.aws_lambda.event import Form, form_of, is_http, remaining_seconds, request_of
from cognito_session.web.aws_lambda.response import answer, cookies_in, respond, with_session_headers
from cognito_session.web.current import serving
from cognito_session.web.request_session import RequestSession
from cognito_session.web.unsent_cookies import collecting

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from typing import Protocol, overload

    from cognito_session.core.protocol.session import Session
    from cognito_session.engine import Engine

    Handler = Callable[[Any, Any, Session], Any]
    OptionalHandler = Callable[[Any, Any, Session | None], Any]
    OtherEvents = Callable[[Any, Any], Any]
    AsyncHandler = Callable[[Any, Any, Session], Coroutine[Any, Any, Any]]
    OptionalAsyncHandler = Callable[[Any, Any, Session | None], Coroutine[Any, Any, Any]]

    class ProtectedHandler(Protocol):
        """What Lambda calls."""

        def __call__(self, event: Any, context: Any = None) -> Any:
            """The answer in the event's form."""
            ...

    class ProtectedCoroutine(ProtectedHandler, Protocol):
        """The same of an async handler; `aio` is the coroutine function, for who is on an event loop already."""

        async def aio(self, event: Any, context: Any = None) -> Any:
            """The answer in the event's form."""
            ...

    class Protector(Protocol):
        """A decorator for handlers that are called with a session."""

        @overload
        def __call__(self, handler: AsyncHandler, /) -> ProtectedCoroutine: ...
        @overload
        def __call__(self, handler: Handler, /) -> ProtectedHandler: ...

    class OptionalProtector(Protocol):
        """A decorator for handlers that are called with a session or with None."""

        @overload
        def __call__(self, handler: OptionalAsyncHandler, /) -> ProtectedCoroutine: ...
        @overload
        def __call__(self, handler: OptionalHandler, /) -> ProtectedHandler: ...


__all__ = ["protect", "refuse_unread", "request_session_of", "resolve_event"]


def protect(
    engine: Engine,
    handler: Callable[..., Any] | None,
    *,
    optional: bool = False,
    login_path: str | None = None,
    other_events: OtherEvents | None = None,
) -> Any:
    """Decorate `handler(event, context, me)`; with `optional` it is called with None instead of a 401.

    A request that changes something and comes from another site is a 403 (`SessionManager(csrf=...)`). `login_path`: where a
    person without a session is sent who asked for a page. An async handler becomes a sync one, as Lambda's runtime calls
    it; `.aio` is the coroutine function.

    `other_events(event, context)`: what serves an event that is no request, such as a schedule's or a warm-up's; the handler
    itself never sees one. Raises ConfigurationError at decoration for a handler that does not take three arguments, and where
    another decorator has already wrapped it: it would be called with two.
    """
    if other_events is not None and not callable(other_events):
        raise ConfigurationError("protect: expected a function of event and context as other_events")
    if handler is None:
        return functools.partial(protect, engine, optional=optional, login_path=login_path, other_events=other_events)
    if hasattr(handler, "__wrapped__"):
        raise ConfigurationError(
            f"protect must be the innermost decorator of {getattr(handler, '__name__', 'the handler')}: put it directly above"
            " the function, below every other decorator"
        )
    _check_arguments(handler)
    if inspect.iscoroutinefunction(handler):
        return _protect_coroutine(engine, handler, optional=optional, login_path=login_path, other_events=other_events)

    @functools.wraps(handler)
    def protected(event: Mapping[str, Any], context: Any = None) -> Any:
        if other_events is not None and not is_http(event):
            return other_events(event, context)
        invocation = _Invocation(engine, event, context, login_path)
        try:
            invocation.request_session.check_csrf()
            if invocation.is_preflight and not optional:
                with invocation.preflight():
                    return invocation.without_body(handler(event, context, None))
            me = invocation.admit(invocation.request_session.session(), optional=optional)
            with serving(me), collecting(invocation.request_session):
                return invocation.finish(handler(event, context, me))
        except SessionError as error:
            return invocation.refuse(error)

    return protected


def _check_arguments(handler: Callable[..., Any]) -> None:
    """Refuse what is no handler(event, context, me), such as a route's function: its router has it already, unprotected."""
    try:
        inspect.signature(handler).bind(None, None, None)
    except ValueError:  # a builtin does not say
        return
    except TypeError as error:
        raise ConfigurationError(
            f"protect: {getattr(handler, '__name__', 'the handler')} must take event, context and the session; a router's own"
            " functions need that router's middleware instead"
        ) from error


def _protect_coroutine(
    engine: Engine,
    handler: Callable[..., Any],
    *,
    optional: bool,
    login_path: str | None,
    other_events: OtherEvents | None,
) -> Any:
    @functools.wraps(handler)
    async def coroutine(event: Mapping[str, Any], context: Any = None) -> Any:
        if other_events is not None and not is_http(event):
            found = other_events(event, context)
            return await found if inspect.isawaitable(found) else found
        invocation = _Invocation(engine, event, context, login_path)
        try:
            await invocation.request_session.acheck_csrf()
            if invocation.is_preflight and not optional:
                with invocation.preflight():
                    return invocation.without_body(await handler(event, context, None))
            me = invocation.admit(await invocation.request_session.asession(), optional=optional)
            with serving(me), collecting(invocation.request_session):
                return invocation.finish(await handler(event, context, me))
        except Exception as error:
            refused = session_error_of(error)
            if refused is None:
                raise
            return invocation.refuse(refused)

    @functools.wraps(handler)
    def protected(event: Mapping[str, Any], context: Any = None) -> Any:
        import asyncio

        return asyncio.run(coroutine(event, context))

    protected.aio = coroutine  # type: ignore[attr-defined]
    return protected


def resolve_event(engine: Engine, event: Mapping[str, Any], context: Any) -> Session:
    """The event's session. Raises SessionError, ready to answer in the event's form."""
    invocation = _Invocation(engine, event, context, None)
    try:
        invocation.request_session.check_csrf()
        me = invocation.request_session.required()
    except SessionError as error:
        error.responder = invocation.refuse
        raise
    return me.answering(functools.partial(_respond, invocation.form))


def refuse_unread(event: Any, error: SessionError) -> dict[str, Any]:
    """Answer an error that precedes any session: no manager could be made, or the event is no request. The log names it."""
    try:
        form, request = form_of(event), request_of(event)
    except ConfigurationError:  # that is the error to answer
        form, request = Form.V2, Request("", "/", "", {})
    return respond(form, refusal(request, error))


class _Invocation:
    """One invocation: the event's form, its request session, and how its answer is finished."""

    def __init__(self, engine: Engine, event: Mapping[str, Any], context: Any, login_path: str | None) -> None:
        self.form = form_of(event)
        self.request_session = request_session_of(engine, self.form, event, context)
        self._login_path = login_path

    @property
    def is_preflight(self) -> bool:
        """Whether a browser asks on behalf of another request."""
        return self.request_session.request.is_preflight

    @contextmanager
    def preflight(self) -> Iterator[None]:
        """For the time of a handler: one that uses the session all the same is answered 401. Raises SessionRequired."""
        try:
            with serving(None):
                yield
        except (AttributeError, TypeError) as error:
            ports = self.request_session.engine.ports
            if ports.notices is None or ports.notices.is_due("preflight", ports.clock.now()):  # anybody can send one
                import logging

                logging.getLogger("cognito_session").warning(
                    "a preflight was answered 401: the handler used the session", exc_info=True
                )
            raise SessionRequired("a preflight has no session, and the handler used it") from error

    def without_body(self, response: Any) -> dict[str, Any]:
        """The handler's answer to a preflight: status and headers, which is what the browser reads of it."""
        if isinstance(response, Mapping) and "statusCode" in response:
            return {**response, "body": "", **({"isBase64Encoded": False} if "isBase64Encoded" in response else {})}
        return {"statusCode": 200, "body": ""}

    def admit(self, me: Session | None, *, optional: bool) -> Session | None:
        """The session, able to answer in the event's form. Raises SessionRequired."""
        if me is None and optional:
            return None
        return self.request_session.required_of(me).answering(functools.partial(_respond, self.form))

    def finish(self, response: Any) -> dict[str, Any]:
        """The handler's answer with the cookies it lacks: `me.respond()` has already added them."""
        status = response.get("statusCode", 200) if isinstance(response, Mapping) else 200
        self.request_session.check_sent("protect", int(status), lambda: cookies_in(response))
        return with_session_headers(self.form, response, self.request_session.cookies)

    def refuse(self, error: SessionError) -> dict[str, Any]:
        """The response to an error; a session that was refreshed before the handler refused still gets its cookie."""
        return respond(
            self.form,
            refusal(
                self.request_session.request,
                error,
                login_path=self._login_path,
                base_path=self.request_session.engine.base_path,
                cookies=self.request_session.cookies,
            ),
        )


def request_session_of(engine: Engine, form: Form, event: Mapping[str, Any], context: Any) -> RequestSession:
    """The request session of an event, as its form brings it."""
    if form is Form.MESSAGE:
        from cognito_session.web.aws_lambda.websocket import MessageSession

        return MessageSession(engine, event)
    kind = RequestSession
    if form is Form.CONNECT:
        from cognito_session.web.aws_lambda.websocket import HandshakeSession

        kind = HandshakeSession
    return kind(engine, request_of(event), remaining_seconds=remaining_seconds(context))


def _respond(form: Form, me: Session, status: int, body: Any) -> dict[str, Any]:
    return answer(form, status, body, {}, me.set_cookies)
