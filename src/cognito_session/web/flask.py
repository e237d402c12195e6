"""Flask: an extension, a decorator, and the session of the request.

    sessions = CognitoSession()                 # at module level; sessions.init_app(app) in the application factory

    @app.get("/admin")
    @session_required(any_group=["admin"])      # below the route; sync and async views
    def admin():
        return {"hello": current_session().username}

Set up by `app.config`: COGNITO_SESSION_ before any keyword of SessionManager.from_env, in capitals
(COGNITO_SESSION_USER_POOL_ID, COGNITO_SESSION_SESSION_TABLE, ...), COGNITO_SESSION_MANAGER and COGNITO_SESSION_LOGIN_PATH;
what is not set comes from the environment. Cookies are written outside the application, so that they go out with whatever a
view, an error handler or abort() makes; Flask's own `session` is left alone.
"""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar, overload

import flask
from flask.json.provider import DefaultJSONProvider

from cognito_session.argument_checks import check_login_path, check_manager
from cognito_session.core.checks import check_guards
from cognito_session.core.errors import ConfigurationError, SessionError
from cognito_session.core.protocol.session import Session
from cognito_session.http.error_response import refusal
from cognito_session.web import establish as turns
from cognito_session.web import flask_guard_order as guard_order
from cognito_session.web import wsgi
from cognito_session.web.request_session import RequestSession
from cognito_session.web.settings import AdapterSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from werkzeug.wrappers import Request as WerkzeugRequest

    from cognito_session.engine import AnySessionManager
    from cognito_session.http.request import Request
    from cognito_session.http.response import Response

__all__ = [
    "CognitoSession",
    "current_request_session",
    "current_session",
    "establish",
    "request_of",
    "respond",
    "session_manager",
    "session_required",
    "sign_out",
]

_NAME: Final = "cognito_session"
_PREFIX: Final = "COGNITO_SESSION_"
P = ParamSpec("P")
R = TypeVar("R")


class CognitoSession:
    """Sessions for Flask applications, each with a manager of its own.

    `manager` beats `app.config`. `login_path`: where a person without a session is sent who asked for a page. Requests from
    other sites that change something are refused before any view runs. Raises ConfigurationError.
    """

    def __init__(
        self,
        app: flask.Flask | None = None,
        manager: AnySessionManager | None = None,
        *,
        login_path: str | None = None,
    ) -> None:
        self._manager = manager
        self._login_path = login_path
        if app is not None:
            self.init_app(app)

    def init_app(self, app: flask.Flask, manager: AnySessionManager | None = None) -> None:
        """Serve this application's sessions. An error handler of the application for SessionError is kept."""
        if _NAME in app.extensions:
            raise ConfigurationError("CognitoSession: this application has one already")
        settings = app.extensions[_NAME] = self._settings(app, self._manager if manager is None else manager)
        guard_order.watch(app)
        app.wsgi_app = _Outside(app.wsgi_app, settings.manager)  # type: ignore[method-assign] # Flask's way to wrap it
        _check_csrf_first(app)
        app.context_processor(lambda: {"current_session": current_session})
        _show_facts(app)
        if SessionError not in app.error_handler_spec[None][None]:
            app.register_error_handler(SessionError, _refuse)

    def _settings(self, app: flask.Flask, manager: AnySessionManager | None) -> AdapterSettings:
        given = {name.removeprefix(_PREFIX): value for name, value in app.config.items() if name.startswith(_PREFIX)}
        login_path = self._login_path if self._login_path is not None else given.get("LOGIN_PATH")
        check_login_path("login_path", login_path)
        if manager is not None:
            return AdapterSettings(check_manager("CognitoSession: manager", manager), login_path)
        return AdapterSettings.of({**given, "LOGIN_PATH": login_path}, spelled=_PREFIX + "{}")


class _Outside(wsgi.CognitoSessionMiddleware):
    """The WSGI middleware around the application, whose own error handlers answer every SessionError."""

    answers_swallowed = False
    adapter = "Flask"

    def admit(self, request_session: RequestSession) -> None:
        """Left to the application: its error handlers are to see that refusal as well."""


def session_manager() -> AnySessionManager:
    """The current application's manager. Raises ConfigurationError where it has none."""
    return _settings().manager


def current_request_session() -> RequestSession:
    """The request's RequestSession. Raises ConfigurationError where the application has no CognitoSession."""
    environ, manager = flask.request.environ, session_manager()
    try:
        return wsgi.request_session_of(environ, manager)
    except ConfigurationError:  # app.test_request_context(): it came through no WSGI server
        return wsgi.begin_request_session(environ, manager)


def current_session() -> Session | None:
    """The request's session, resolved at most once; None without a session, and outside a request.

    Templates have it too. Raises SessionUnavailable, ConfigurationError.
    """
    return current_request_session().session() if flask.has_request_context() else None


def establish(tokens: object) -> Session:
    """Begin a session with Cognito's AuthenticationResult; its cookie goes out with whatever the view returns or raises.

    The session that the request's own cookie stood for is ended. Raises as SessionManager.establish.
    """
    return turns.establish(current_request_session(), tokens)


def sign_out() -> None:
    """End the session, revoke its tokens, and delete the cookie with whatever the view returns or raises.

    The cookie is deleted in any case. Raises SessionUnavailable where the session may still be alive elsewhere.
    """
    turns.sign_out(current_request_session())


@overload
def session_required(view: Callable[P, R], /) -> Callable[P, R]: ...


@overload
def session_required(
    *,
    any_group: Collection[str] | None = None,
    all_groups: Collection[str] = (),
    scopes: Collection[str] = (),
    max_age: int | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...


def session_required(view: Any = None, /, **guards: Any) -> Any:
    """A view that is called with a session or not at all; put it below the route. The guards are Session.require's.

    Above the route the application has the bare view already and would serve everybody: a ConfigurationError, when the
    module is imported or the application is set up.
    """
    check_guards(**guards)
    if view is None:
        return functools.partial(session_required, **guards)
    if inspect.isclass(view):
        raise ConfigurationError(
            f"session_required: {view.__name__} is a class; name session_required in its attribute `decorators` instead"
        )

    @functools.wraps(view)
    def guarded(*arguments: Any, **keywords: Any) -> Any:
        current_request_session().required().require(**guards)
        return view(*arguments, **keywords)

    @functools.wraps(view)
    async def guarded_coroutine(*arguments: Any, **keywords: Any) -> Any:
        (await current_request_session().arequired()).require(**guards)
        return await view(*arguments, **keywords)

    chosen = guarded_coroutine if inspect.iscoroutinefunction(view) else guarded
    guard_order.remember(view, chosen)
    return chosen


def request_of(request: WerkzeugRequest) -> Request:
    """A request of Flask or Werkzeug as ours."""
    return wsgi.request_of(request.environ)


def respond(response: Response) -> flask.Response:
    """A response of ours as Flask's, each Set-Cookie a header of its own."""
    native = flask.Response(response.body, response.status, dict(response.headers))
    for line in response.cookies:
        native.headers.add("Set-Cookie", line)
    return native


def _show_facts(app: flask.Flask) -> None:
    """Let a view return a Session, alone or within JSON, as its facts: Flask knows neither, and its tokens are never sent."""
    make_response, provider = app.make_response, app.json

    def make(rv: Any) -> flask.Response:
        if isinstance(rv, Session):
            rv = rv.facts()
        elif isinstance(rv, tuple) and rv and isinstance(rv[0], Session):
            rv = (rv[0].facts(), *rv[1:])
        return make_response(rv)

    app.make_response = make  # type: ignore[method-assign]
    if isinstance(provider, DefaultJSONProvider):
        default = provider.default
        provider.default = lambda o: o.facts() if isinstance(o, Session) else default(o)


def _settings() -> AdapterSettings:
    settings = flask.current_app.extensions.get(_NAME)
    if settings is None:
        raise ConfigurationError("this application has no CognitoSession: CognitoSession(app), or init_app(app)")
    return settings  # type: ignore[no-any-return]


def _check_csrf_first(app: flask.Flask) -> None:
    """Check a request before any code of the application sees it: signals, `before_request` and URL processors.

    Here and not around the application, so that its error handlers answer the refusal. Flask 3.2 passes its context on.
    """
    dispatch = app.full_dispatch_request

    finish: Callable[..., flask.Response] = app.finalize_request
    handle: Callable[..., Any] = app.handle_user_exception

    def full_dispatch_request(*context: Any) -> flask.Response:
        try:
            current_request_session().check_csrf()
        except SessionError as error:
            return finish(*context, handle(*context, error))
        return dispatch(*context)

    app.full_dispatch_request = full_dispatch_request  # type: ignore[method-assign] # nothing earlier can refuse


def _refuse(error: SessionError) -> flask.Response:
    settings = _settings()
    return respond(
        refusal(request_of(flask.request), error, login_path=settings.login_path, base_path=settings.manager.engine.base_path)
    )
