"""A middleware for the event handler of Powertools for AWS Lambda: REST and HTTP APIs, Function URLs, load balancers.

    app = APIGatewayRestResolver()
    app.use(middlewares=[session_middleware(sessions)])

    @app.get("/me")
    def me():
        return {"sub": app.context["session"].sub}      # or current_session()

Powertools' `Cookie` cannot say every Set-Cookie line, its load balancer without multi-value headers sends the last cookie
only, and a route's `cache_control` is applied after every middleware: all three are seen to here. What it turns into a
response outside of the middlewares (a response that fails validation) gets no cookie; the browser's next request heals that.
https://docs.powertools.aws.dev/lambda/python/latest/core/event_handler/api_gateway/
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import Response as PowertoolsResponse
from aws_lambda_powertools.event_handler.depends import DependencyResolutionError
from aws_lambda_powertools.event_handler.exceptions import ServiceError
from aws_lambda_powertools.shared.cookies import Cookie

from cognito_session.argument_checks import check_login_path, check_manager
from cognito_session.core.checks import check_boolean
from cognito_session.core.errors import SessionError
from cognito_session.http.error_response import refusal
from cognito_session.http.response import cache_control, complete, cookie_name
from cognito_session.web.aws_lambda.event import Form, form_of
from cognito_session.web.aws_lambda.protect import request_session_of
from cognito_session.web.aws_lambda.response import set_cookie_spellings
from cognito_session.web.current import serving
from cognito_session.web.pydantic_session import teach_pydantic
from cognito_session.web.unsent_cookies import collecting

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import ApiGatewayResolver

    from cognito_session.engine import AnySessionManager
    from cognito_session.web.request_session import RequestSession

__all__ = ["session_middleware"]

teach_pydantic()

RouteResponse = PowertoolsResponse[Any]
Middleware = Callable[["ApiGatewayResolver", Callable[["ApiGatewayResolver"], RouteResponse]], RouteResponse]

_REQUEST_SESSIONS = "_cognito_session_requests"


def session_middleware(sessions: AnySessionManager, *, optional: bool = False, login_path: str | None = None) -> Middleware:
    """A middleware for `app.use(middlewares=[...])` or for one route's `middlewares=[...]`, also under `resolve_async`.

    The session is in `app.context["session"]` (None with `optional` and no session) and `current_session()`.
    An unknown path stays 404, and a preflight is answered as CORSConfig says. A route with OPTIONS among its methods meets a
    preflight without a session. Refusals, and errors that Powertools knows how to answer, are answered with the cookies that
    are due. `login_path`: where a person without a session is sent who asked for a page. Two of them at one request ask once.
    """
    check_manager("sessions", sessions)
    check_boolean("optional", optional)
    check_login_path("login_path", login_path)

    def session_of_request(
        app: ApiGatewayResolver, next_middleware: Callable[[ApiGatewayResolver], RouteResponse]
    ) -> RouteResponse:
        if _is_unrouted(app):
            return next_middleware(app)
        form, request_session = _request_session(app, sessions)
        try:
            request_session.check_csrf()
            if request_session.request.is_preflight and not optional:
                return _preflight(app, next_middleware)
            me = request_session.session() if optional else request_session.required()
            app.context["session"] = me
            with serving(me), collecting(request_session):
                answer = _answer(app, next_middleware)
            request_session.check_sent("Powertools", answer.status_code, lambda: _present(answer))
        except SessionError as error:
            made = refusal(request_session.request, error, login_path=login_path, base_path=sessions.engine.base_path)
            answer = PowertoolsResponse(status_code=made.status, body=made.body, headers=dict(made.headers))
        return _finished(form, answer, request_session.cookies)

    return session_of_request


def _is_unrouted(app: ApiGatewayResolver) -> bool:
    """Whether no route of the application matches: Powertools then answers 404, or a preflight as CORSConfig says.

    It runs the middlewares around that answer too, by a route of its own that is not among the application's.
    """
    route = app.context.get("_route")
    routes = [*getattr(app, "_static_routes", ()), *getattr(app, "_dynamic_routes", ())]
    return route is not None and bool(routes) and all(route is not known for known in routes)


def _preflight(app: ApiGatewayResolver, next_middleware: Callable[[ApiGatewayResolver], RouteResponse]) -> RouteResponse:
    """The answer of a route that has OPTIONS among its methods, without its body: no session stands behind it.

    See cognito_session.web.aws_lambda.protect.
    """
    app.context["session"] = None
    with serving(None):
        answer = _answer(app, next_middleware)
    answer.body = ""
    return answer


def _request_session(app: ApiGatewayResolver, sessions: AnySessionManager) -> tuple[Form, RequestSession]:
    """This manager's request session of the request, made once: an outer middleware may have asked already."""
    event = app.current_event.raw_event
    form = form_of(event)
    known: dict[int, RequestSession] = app.context.setdefault(_REQUEST_SESSIONS, {})
    if id(sessions) not in known:
        known[id(sessions)] = request_session_of(sessions.engine, form, event, app.lambda_context)
    return form, known[id(sessions)]


def _answer(app: ApiGatewayResolver, next_middleware: Callable[[ApiGatewayResolver], RouteResponse]) -> RouteResponse:
    """The route's response; of an error that an exception handler or Powertools itself would answer, that answer.

    Powertools would make it outside of the middlewares, where no cookie can be added.
    """
    try:
        return next_middleware(app)
    except SessionError:
        raise
    except Exception as raised:
        error = _cause(raised)
        if isinstance(error, SessionError):
            raise error from raised
        found = _handled(app, error)
        if found is None:
            raise
        return found


def _cause(error: Exception) -> Exception:
    """What a dependency of the route raised, which Powertools wraps."""
    cause = error.__cause__
    return cause if isinstance(error, DependencyResolutionError) and isinstance(cause, Exception) else error


def _handled(app: ApiGatewayResolver, error: Exception) -> RouteResponse | None:
    own = app.exception_handler_manager.lookup_exception_handler(type(error))
    if own is not None:
        try:
            made: RouteResponse = own(error)
        except ServiceError as other:
            error = other
        else:
            return made
    if not isinstance(error, ServiceError):
        return None
    return PowertoolsResponse(
        status_code=error.status_code,
        content_type="application/json",
        body={"statusCode": error.status_code, "message": error.msg},
    )


class _Line(Cookie):
    """A Set-Cookie value as it is, to the letter."""

    def __init__(self, line: str) -> None:
        super().__init__(name=cookie_name(line), value="")
        self._line = line

    def __str__(self) -> str:
        return self._line


class _Headers(dict[str, Any]):
    """Headers in which a route's `cache_control`, set at the very end, stays as strict as the session needs."""

    sets_cookie: bool = False

    def __setitem__(self, name: str, value: Any) -> None:
        strict = isinstance(value, str) and name.lower() == "cache-control"
        super().__setitem__(name, cache_control(value, sets_cookie=self.sets_cookie) if strict else value)


def _finished(form: Form, answer: RouteResponse, cookies: Iterable[str]) -> RouteResponse:
    """The response with the cookies it lacks, `Cache-Control` and `Vary`; Set-Cookie where this form loses none."""
    present = _present(answer)
    own = [(name, text) for name, value in answer.headers.items() for text in _texts(value) if name.lower() != "set-cookie"]
    needed = complete([*own, *(("Set-Cookie", line) for line in present)], cookies)
    lines = [*present, *needed.cookies]
    kept = {name: value for name, value in answer.headers.items() if name.lower() != "set-cookie" and not needed.removes(name)}
    headers = _Headers(kept)
    headers.sets_cookie = needed.sets_cookie
    headers["Cache-Control"], headers["Vary"] = needed.cache_control, needed.vary
    answer.cookies = []
    if form is Form.ALB:
        headers |= dict(zip(set_cookie_spellings(), lines, strict=False))
    else:
        answer.cookies += [_Line(line) for line in lines]
    answer.headers = headers
    return answer


def _present(answer: RouteResponse) -> list[str]:
    """The Set-Cookie values of the route's own."""
    in_headers = [text for name, value in answer.headers.items() if name.lower() == "set-cookie" for text in _texts(value)]
    return [*(str(cookie) for cookie in answer.cookies), *in_headers]


def _texts(value: Any) -> list[str]:
    """Powertools' headers are texts, lists of texts, or None for a header that is not to be sent."""
    return [value] if isinstance(value, str) else [str(item) for item in value or ()]
