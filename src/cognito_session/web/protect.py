"""protect: a Lambda handler that is called with a session, or not at all.

Cookies are added to whatever the handler answers; a SessionError, the handler's own included, becomes the answer it
stands for. A denial clears no cookie.
"""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

from cognito_session.core.errors import ConfigurationError, SessionError, SessionRequired
from cognito_session.core.outcome import Rejected, Session
from cognito_session.web.current import serving
from cognito_session.web.lambda_event import Form, answer, cookie_headers, form_of, with_session_headers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cognito_session.core.outcome import Outcome
    from cognito_session.manager import SessionManager

__all__ = ["protect", "resolve_event"]

_SHORT_SECONDS = 6
_warned: list[bool] = []


def protect(manager: SessionManager, handler: Callable[..., Any] | None, *, optional: bool) -> Any:
    """Decorate `handler(event, context, me)`; with `optional` it is called with None instead of a 401.

    An async handler becomes a sync one, as Lambda's runtime calls it; `.aio` is the coroutine function. Raises
    ConfigurationError at decoration where another decorator has already wrapped the handler: it would be called with
    two arguments.
    """
    if handler is None:
        return functools.partial(protect, manager, optional=optional)
    if hasattr(handler, "__wrapped__"):
        raise ConfigurationError(
            f"protect must be the innermost decorator of {getattr(handler, '__name__', 'the handler')}: put it directly above"
            " the function, below every other decorator"
        )
    if inspect.iscoroutinefunction(handler):
        return _protect_coroutine(manager, handler, optional=optional)

    @functools.wraps(handler)
    def protected(event: Mapping[str, Any], context: Any = None) -> Any:
        form, me = form_of(event), None
        try:
            me = _admit(manager, event, context, form, optional=optional)
            with serving(me):
                return _finish(form, handler(event, context, me), me)
        except SessionError as error:
            return _refusal(form, error, me)

    return protected


def _protect_coroutine(manager: SessionManager, handler: Callable[..., Any], *, optional: bool) -> Any:
    @functools.wraps(handler)
    async def coroutine(event: Mapping[str, Any], context: Any = None) -> Any:
        from cognito_session.drivers import aio

        form, me = form_of(event), None
        try:
            flow = manager.flow(cookie_headers(event), remaining_seconds=remaining_seconds(context))
            me = _session_of(await aio.run(flow, manager.ports), form, optional=optional)
            with serving(me):
                return _finish(form, await handler(event, context, me), me)
        except SessionError as error:
            return _refusal(form, error, me)

    @functools.wraps(handler)
    def protected(event: Mapping[str, Any], context: Any = None) -> Any:
        import asyncio

        return asyncio.run(coroutine(event, context))

    protected.aio = coroutine  # type: ignore[attr-defined]
    return protected


def resolve_event(manager: SessionManager, event: Mapping[str, Any], context: Any) -> Session:
    """The event's session. Raises SessionError, ready to answer in the event's form."""
    form = form_of(event)
    try:
        found = _admit(manager, event, context, form, optional=False)
    except SessionError as error:
        error.responder = functools.partial(_refusal, form)
        raise
    if found is None:
        raise AssertionError("unreachable: only an optional session is None")
    return found


def _admit(manager: SessionManager, event: Mapping[str, Any], context: Any, form: Form, *, optional: bool) -> Session | None:
    outcome = manager.resolve(cookie_headers(event), remaining_seconds=remaining_seconds(context))
    return _session_of(outcome, form, optional=optional)


def _session_of(outcome: Outcome, form: Form, *, optional: bool) -> Session | None:
    if isinstance(outcome, Rejected):
        if optional:
            return None
        raise SessionRequired("no usable session", reason=outcome.reason)
    return outcome.session.answering(functools.partial(_respond, form))


def _respond(form: Form, me: Session, status: int, body: Any) -> dict[str, Any]:
    return answer(form, status, body, {}, me.set_cookies)


def _finish(form: Form, response: Any, me: Session | None) -> dict[str, Any]:
    """The handler's answer with the cookies it lacks: `me.respond()` has already added them."""
    cookies = () if me is None else me.set_cookies
    present = response.get("cookies") if isinstance(response, dict) else None
    many = response.get("multiValueHeaders") if isinstance(response, dict) else None
    sent = {*(present or ()), *((many or {}).get("Set-Cookie") or ())}
    return with_session_headers(form, response, [cookie for cookie in cookies if cookie not in sent])


def _refusal(form: Form, error: SessionError, me: Session | None = None) -> dict[str, Any]:
    """The answer an error stands for; a session that was refreshed before the handler refused still gets its cookie."""
    if isinstance(error, ConfigurationError):
        import logging

        logging.getLogger("cognito_session").error("%s", error)
    return answer(form, error.status, error.public_body(), error.public_headers(), me.set_cookies if me is not None else ())


def remaining_seconds(context: Any) -> float | None:
    """What is left of the invocation, from Lambda's context; None where it does not say."""
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    if not callable(remaining):
        return None
    seconds = float(remaining()) / 1000
    if seconds < _SHORT_SECONDS and not _warned:
        import logging

        _warned.append(True)
        logging.getLogger("cognito_session").warning(
            "this invocation began with %.1f s left: a refresh needs 6 s, so give the function a timeout of 10 s or more",
            seconds,
        )
    return seconds
