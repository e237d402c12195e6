"""Django: a middleware, `request.cognito_session`, a decorator and a mixin; sync and async.

    MIDDLEWARE = [..., "cognito_session.web.django.CognitoSessionMiddleware"]
    COGNITO_SESSION = {"USER_POOL_ID": ..., "CLIENT_ID": ..., "SESSION_TABLE": ..., "SESSION_KEYS": ..., "LOGIN_PATH": "/login"}

The dictionary takes every keyword of SessionManager.from_env, in capitals or not, and MANAGER (a manager or its dotted path);
what is not set comes from the environment.

`request.cognito_session` is a Session or None, found out when first read. That can take a while, so an async view says
`await request.acognito_session()` first, which works in every view. From then on, and below `session_required` and the
mixin from the beginning, the plain attribute can be read there too, by templates for instance. Read on the event loop before
that it raises a ConfigurationError that says so: an attribute cannot wait, and None would mean "not signed in".

Requests from other sites that change something are refused here. Django's own CsrfViewMiddleware may stand beside it, and
its @csrf_exempt speaks for that one alone: ours is "CSRF": {"EXEMPT": ["/webhooks/*"]}.
"""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar, overload

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings as django_settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import resolve_url

from cognito_session.core.checks import check_guards
from cognito_session.core.errors import ConfigurationError, SessionError
from cognito_session.http.error_response import session_error_of
from cognito_session.web import establish as turns
from cognito_session.web.current import serving_lazily
from cognito_session.web.django_request import ServedRequest, request_of, respond, served_request_of
from cognito_session.web.settings import AdapterSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from cognito_session.core.protocol.session import Session
    from cognito_session.engine import AnySessionManager
    from cognito_session.web.request_session import RequestSession

__all__ = [
    "CognitoSessionMiddleware",
    "SessionRequest",
    "SessionRequiredMixin",
    "aestablish",
    "asign_out",
    "establish",
    "request_of",
    "request_session_of",
    "respond",
    "session_manager",
    "session_required",
    "sign_out",
]

_SETTINGS: Final = "COGNITO_SESSION"
_ATTRIBUTE: Final = "cognito_session"
_GUARDS: Final = ("any_group", "all_groups", "scopes", "max_age")
_UNSET: Final[Mapping[str, Any]] = {}
_read: dict[str, tuple[Mapping[str, Any], AdapterSettings]] = {}
P = ParamSpec("P")
R = TypeVar("R")


class CognitoSessionMiddleware:
    """Sessions for a Django project; set up by `settings.COGNITO_SESSION`. Raises ConfigurationError.

    A person without a session who asked for a page is sent to LOGIN_PATH (a path or the name of a URL), else to LOGIN_URL
    where the project has set that: Django's own default names a page that may not exist. With an empty LOGIN_PATH no
    request is redirected. The way back is in `return_to`.

    For a second manager, with a cookie of another name, put a subclass beside it that has another `settings_name` and
    `attribute`; the decorator, the mixin and the functions are told which `attribute` is meant.
    """

    sync_capable = True
    async_capable = True
    settings_name = _SETTINGS
    attribute = _ATTRIBUTE

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.settings: AdapterSettings = _settings(self.settings_name)
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        """The response with what the browser needs; where Django runs asynchronously, a coroutine."""
        call = ServedRequest(self.settings.manager.engine, request, attribute=self.attribute, login_path=self.login_path)
        return (self._aserve if self._is_async else self._serve)(call, request)

    def _serve(self, call: ServedRequest, request: HttpRequest) -> HttpResponse:
        with serving_lazily(call.request_session):
            try:
                call.request_session.check_csrf()
            except SessionError as error:
                return call.finish(call.refuse(error))
            return call.finish(self.get_response(request))

    async def _aserve(self, call: ServedRequest, request: HttpRequest) -> HttpResponse:
        with serving_lazily(call.request_session):
            try:
                await call.request_session.acheck_csrf()
            except SessionError as error:
                return call.finish(call.refuse(error))
            return call.finish(await self.get_response(request))

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """The answer to a SessionError of a view; of several middlewares, that one's whose session it is about."""
        refused = session_error_of(error)
        if refused is None:
            return None
        answer: HttpResponse = (
            refused.respond() if refused.responder else served_request_of(request, self.attribute).refuse(refused)
        )
        return answer

    def login_path(self) -> str | None:
        """Where to sign in."""
        given = self.settings.login_path
        if given is None and django_settings.is_overridden("LOGIN_URL"):
            given = django_settings.LOGIN_URL
        return str(resolve_url(given)) if given else None


class SessionRequest(HttpRequest):
    """What a request is below the middleware: for annotations."""

    cognito_session: Session | None

    async def acognito_session(self) -> Session | None:
        """As `cognito_session`, in async views too."""
        return await served_request_of(self, _ATTRIBUTE).asession()


class SessionRequiredMixin:
    """For class-based views, sync and async; put it first. The attributes are the guards of Session.require."""

    any_group: Collection[str] | None = None
    all_groups: Collection[str] = ()
    scopes: Collection[str] = ()
    max_age: int | None = None
    session_attribute = _ATTRIBUTE

    def __init_subclass__(cls, **keywords: Any) -> None:
        """Refuse an order of bases in which another class's dispatch comes first: it would serve everybody."""
        super().__init_subclass__(**keywords)
        guards = {name: getattr(cls, name) for name in _GUARDS}
        check_guards(**{name: value for name, value in guards.items() if not hasattr(value, "__get__")})  # no property
        order = cls.__mro__[cls.__mro__.index(SessionRequiredMixin) + 1 :]
        before = [base for base in cls.__mro__ if base not in order and base is not SessionRequiredMixin]
        if any("dispatch" in vars(base) and base.__module__.startswith("django.") for base in before):
            raise ConfigurationError(f"{cls.__qualname__}: SessionRequiredMixin must stand before View among the base classes")

    def dispatch(self, request: HttpRequest, *arguments: Any, **keywords: Any) -> Any:
        """As View.dispatch, with a session or not at all."""
        guards = {name: getattr(self, name) for name in _GUARDS}
        guarded = _aguarded if getattr(self, "view_is_async", False) else _guarded
        dispatch = super().dispatch  # type: ignore[misc] # View's: a mixin stands before it
        return guarded(dispatch, guards, self.session_attribute, request, *arguments, **keywords)


@overload
def session_required(view: Callable[P, R], /) -> Callable[P, R]: ...


@overload
def session_required(
    *,
    any_group: Collection[str] | None = None,
    all_groups: Collection[str] = (),
    scopes: Collection[str] = (),
    max_age: int | None = None,
    attribute: str = _ATTRIBUTE,
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...


def session_required(view: Any = None, /, *, attribute: str = _ATTRIBUTE, **guards: Any) -> Any:
    """A function view, sync or async, that is called with a session or not at all. The guards are Session.require's."""
    check_guards(**guards)
    if view is None:
        return functools.partial(session_required, attribute=attribute, **guards)
    if inspect.isclass(view):
        raise ConfigurationError(
            f"session_required: {view.__name__} is a class; give it SessionRequiredMixin as its first base"
        )

    @functools.wraps(view)
    def guarded(request: HttpRequest, *arguments: Any, **keywords: Any) -> Any:
        return _guarded(view, guards, attribute, request, *arguments, **keywords)

    @functools.wraps(view)
    async def guarded_coroutine(request: HttpRequest, *arguments: Any, **keywords: Any) -> Any:
        return await _aguarded(view, guards, attribute, request, *arguments, **keywords)

    return guarded_coroutine if iscoroutinefunction(view) else guarded


def _guarded(
    view: Callable[..., Any], guards: Mapping[str, Any], attribute: str, request: HttpRequest, *arguments: Any, **keywords: Any
) -> Any:
    call = served_request_of(request, attribute)
    call.admit(call.session(), guards)
    return view(request, *arguments, **keywords)


async def _aguarded(
    view: Callable[..., Any], guards: Mapping[str, Any], attribute: str, request: HttpRequest, *arguments: Any, **keywords: Any
) -> Any:
    call = served_request_of(request, attribute)
    call.admit(await call.asession(), guards)
    return await view(request, *arguments, **keywords)


def request_session_of(request: HttpRequest, *, attribute: str = _ATTRIBUTE) -> RequestSession:
    """The request's RequestSession. Raises ConfigurationError where no middleware has made one."""
    return served_request_of(request, attribute).request_session


def establish(request: HttpRequest, tokens: object, *, attribute: str = _ATTRIBUTE) -> Session:
    """Begin a session with Cognito's AuthenticationResult; its cookie goes out with whatever the view returns or raises.

    The session that the request's own cookie stood for is ended. Raises as SessionManager.establish.
    """
    return turns.establish(request_session_of(request, attribute=attribute), tokens)


async def aestablish(request: HttpRequest, tokens: object, *, attribute: str = _ATTRIBUTE) -> Session:
    """As `establish`."""
    return await turns.aestablish(request_session_of(request, attribute=attribute), tokens)


def sign_out(request: HttpRequest, *, attribute: str = _ATTRIBUTE) -> None:
    """End the session, revoke its tokens, and delete the cookie with whatever the view returns or raises.

    The cookie is deleted in any case. Raises SessionUnavailable where the session may still be alive elsewhere.
    """
    turns.sign_out(request_session_of(request, attribute=attribute))


async def asign_out(request: HttpRequest, *, attribute: str = _ATTRIBUTE) -> None:
    """As `sign_out`."""
    await turns.asign_out(request_session_of(request, attribute=attribute))


def session_manager(settings_name: str = _SETTINGS) -> AnySessionManager:
    """The process's manager of these settings: the one that the middleware uses. Raises ConfigurationError."""
    return _settings(settings_name).manager


def _settings(name: str) -> AdapterSettings:
    """Read once, for all handlers of the process: a manager keeps connections and keys."""
    given = getattr(django_settings, name, None) or _UNSET
    known = _read.get(name)
    if known is None or known[0] is not given:
        known = _read[name] = (given, AdapterSettings.of(given, spelled=name + '["{}"]'))
    return known[1]
