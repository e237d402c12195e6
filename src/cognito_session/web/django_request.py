"""ServedRequest: one Django request below one CognitoSessionMiddleware: its session, its refusal, its response.

The request's class gets the attribute as a property that resolves the session. Where that would block the event loop, reading
it raises. Settings are not known here.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest, HttpResponse

from cognito_session.core.errors import ConfigurationError, SessionError
from cognito_session.http.error_response import refusal
from cognito_session.web import asgi, wsgi
from cognito_session.web.aws_lambda.event import remaining_seconds
from cognito_session.web.request_session import RequestSession

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from cognito_session.core.protocol.session import Session
    from cognito_session.engine import Engine
    from cognito_session.http.request import Request
    from cognito_session.http.response import Response

__all__ = ["ServedRequest", "request_of", "respond", "served_request_of"]


class ServedRequest:
    """One request. `attribute`: the request's own; `login_path`: where to sign in, found out when that is wanted."""

    def __init__(
        self,
        engine: Engine,
        request: HttpRequest,
        *,
        attribute: str,
        login_path: Callable[[], str | None],
    ) -> None:
        self.request_session: RequestSession = RequestSession(
            engine, request_of(request), remaining_seconds=remaining_seconds(_lambda_context(request))
        )
        self._attribute = attribute
        self._login_path = login_path
        setattr(request, _slot(attribute), self)
        kind: type = type(request)
        request.__class__ = _class_with(kind, attribute)

    def session(self) -> Session | None:
        """Who is asking. Raises ConfigurationError on the event loop, unless it is known already."""
        if not self.request_session.is_known and _is_on_event_loop():
            name = self._attribute
            raise ConfigurationError(f"request.{name} has not been found out yet: in async code, await request.a{name}() first")
        with self._answering():
            return self.request_session.session()

    async def asession(self) -> Session | None:
        """Who is asking, without blocking the event loop."""
        with self._answering():
            return await self.request_session.asession()

    def admit(self, me: Session | None, guards: Mapping[str, Any]) -> None:
        """Raise what the guards of Session.require raise, or SessionRequired without a session."""
        with self._answering():
            self.request_session.required_of(me).require(**guards)

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Of several middlewares, this one answers the errors of its own session."""
        try:
            yield
        except SessionError as error:
            error.responder = self.refuse
            raise

    def refuse(self, error: SessionError) -> HttpResponse:
        """The response to `error`."""
        return respond(
            refusal(
                self.request_session.request,
                error,
                login_path=self._login_path(),
                base_path=self.request_session.engine.base_path,
            )
        )

    def finish(self, response: HttpResponse) -> HttpResponse:
        """The response, with cookies and caching headers exactly where it depends on the session."""
        own = [*response.headers.items(), *(("Set-Cookie", f"{name}=") for name in response.cookies)]
        needed = self.request_session.complete("Django", response.status_code, own)
        if needed is not None:
            for line in needed.cookies:
                response.cookies.load(line)
            for name in [name for name in response.headers if needed.removes(name)]:
                del response[name]
            response["Cache-Control"], response["Vary"] = needed.cache_control, needed.vary
        return response


def served_request_of(request: HttpRequest, attribute: str) -> ServedRequest:
    """The served request of this attribute, for a caller that is about to ask for the session.

    Raises ConfigurationError where no middleware has made one.
    """
    call = getattr(request, _slot(attribute), None)
    if not isinstance(call, ServedRequest):
        raise ConfigurationError(
            f"request.{attribute}: no middleware has seen this request; MIDDLEWARE needs"
            ' "cognito_session.web.django.CognitoSessionMiddleware"'
        )
    # Django's cache, where its middleware stands below ours or cache_page around the view, takes the page before we have said
    # that it varies: everybody would be given it. This is the one word that it listens to. (`_request`: what Django REST
    # framework has wrapped.)
    original: Any = getattr(request, "_request", request)
    original._cache_update_cache = False  # noqa: SLF001 - Django has no public one
    return call


def request_of(request: HttpRequest) -> Request:
    """A request of Django as ours."""
    scope = getattr(request, "scope", None)
    if scope is not None:
        # Django's own test client writes the query as text, which META has in either case.
        return asgi.request_of({**scope, "query_string": request.META.get("QUERY_STRING", "").encode()})
    # Django's own path has what FORCE_SCRIPT_NAME puts before it.
    return wsgi.request_of(request.META)._replace(path=wsgi.sent_path(request.path))


def _lambda_context(request: HttpRequest) -> Any:
    scope = getattr(request, "scope", None)
    return wsgi.lambda_context(request.META) if scope is None else scope.get("aws.context")


def respond(response: Response) -> HttpResponse:
    """A response of ours as Django's, each Set-Cookie a header of its own."""
    native = HttpResponse(response.body, status=response.status, headers=dict(response.headers))
    for line in response.cookies:
        native.cookies.load(line)
    return native


@lru_cache(maxsize=64)
def _class_with(kind: type, attribute: str) -> type:
    """A kind of request that can be asked for its session."""

    def session(request: HttpRequest) -> Session | None:
        return served_request_of(request, attribute).session()

    async def asession(request: HttpRequest) -> Session | None:
        return await served_request_of(request, attribute).asession()

    return type(kind.__name__, (kind,), {attribute: property(session), f"a{attribute}": asession})


def _slot(attribute: str) -> str:
    return f"_{attribute}_call"


def _is_on_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
