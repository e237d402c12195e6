"""FastAPI: who is asking, as dependencies.

    auth = CognitoAuth(AsyncSessionManager.from_env(), login_path="/login")
    auth.init_app(app)                                    # once for each FastAPI application, mounted ones included
    Me = Annotated[Session, Depends(auth.required)]
    MaybeMe = Annotated[Session | None, Depends(auth.optional)]
    Admin = Annotated[Session, Depends(auth.require(any_group=["admin"]))]

Every guard depends on the one `auth.optional`: overriding it in a test replaces all of them. The middleware writes the
cookies, so that they go out with whatever an endpoint returns or raises.
"""

# Annotations are not postponed in this file: FastAPI reads those of the guards, which name objects made for each CognitoAuth.

import functools
import re
from collections.abc import Callable, Collection, Coroutine, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

from fastapi import Depends, FastAPI, Response
from fastapi.openapi.models import APIKey
from fastapi.requests import HTTPConnection
from fastapi.security.base import SecurityBase

from cognito_session.argument_checks import check_login_path, check_manager
from cognito_session.core.checks import check_guards
from cognito_session.core.errors import SessionError
from cognito_session.core.protocol.session import Session
from cognito_session.http.error_response import refusal
from cognito_session.web import starlette
from cognito_session.web.asgi import CognitoSessionMiddleware, request_session_of
from cognito_session.web.pydantic_session import teach_pydantic

if TYPE_CHECKING:
    from cognito_session.engine import AnySessionManager

__all__ = ["CognitoAuth"]

teach_pydantic()

Guard = Callable[..., Coroutine[Any, Any, Session]]
MaybeGuard = Callable[..., Coroutine[Any, Any, Session | None]]


class CognitoAuth:
    """Dependencies for one manager of either kind. `login_path`: where a person without a session is sent who wants a page.

    Two of them, with managers whose cookies have different names, may serve one application. Add CORSMiddleware after
    `init_app`, so that it stands outside and a refusal carries its headers as well.
    """

    optional: MaybeGuard
    """A dependency: the session, or None. An outage is a 503 here too: a user is never taken for a guest."""

    required: Guard
    """A dependency: the session; without one 401, or the way to sign in for a person who wants a page."""

    def __init__(self, sessions: "AnySessionManager", *, login_path: str | None = None) -> None:
        self.sessions: AnySessionManager = check_manager("sessions", sessions)
        self.login_path: str | None = check_login_path("login_path", login_path)
        self._scheme, self._hint = _schemes(sessions.engine.context.cookie.name)
        self.optional = self._make_optional(self._hint)
        self.required = self._make_required(self._scheme)

    def __repr__(self) -> str:
        return f"CognitoAuth({self.sessions!r})"

    def init_app(self, app: FastAPI) -> None:
        """Add the middleware, the answer to every SessionError that has no other, and the guards' part of the OpenAPI."""
        app.add_middleware(CognitoSessionMiddleware, sessions=self.sessions, login_path=self.login_path)
        if SessionError not in app.exception_handlers:
            app.add_exception_handler(SessionError, self._refuse)
        generate = app.openapi

        def openapi() -> dict[str, Any]:
            return _documented(generate(), self._scheme, self._hint)

        app.openapi = openapi  # type: ignore[method-assign] # the way that FastAPI's own guide shows

    def require(
        self,
        *,
        any_group: Collection[str] | None = None,
        all_groups: Collection[str] = (),
        scopes: Collection[str] = (),
        max_age: int | None = None,
    ) -> Guard:
        """A dependency: the session, if it has these groups and scopes and its sign-in is at most `max_age` seconds old.

        Otherwise 403; its reason is "stale_sign_in" where signing in again would do. See Session.require. Raises
        ConfigurationError at once for a guard that cannot be meant.
        """
        check_guards(any_group=any_group, all_groups=all_groups, scopes=scopes, max_age=max_age)

        async def guard(connection: HTTPConnection, me: Annotated[Session, Depends(self.required)]) -> Session:
            with self._answering(connection):
                me.require(any_group=any_group, all_groups=all_groups, scopes=scopes, max_age=max_age)
            return me

        return guard

    async def establish(self, connection: HTTPConnection, tokens: object) -> Session:
        """Begin a session with Cognito's AuthenticationResult; see cognito_session.web.starlette.establish."""
        return await starlette.establish(connection, tokens, self.sessions)

    async def sign_out(self, connection: HTTPConnection) -> None:
        """End the session and delete its cookie; see cognito_session.web.starlette.sign_out."""
        await starlette.sign_out(connection, self.sessions)

    def _make_optional(self, hint: "_CookieScheme") -> MaybeGuard:
        async def optional(connection: HTTPConnection, _documented: Annotated[None, Depends(hint)]) -> Session | None:
            with self._answering(connection):
                return await starlette.session_of(connection, self.sessions)

        return optional

    def _make_required(self, scheme: "_CookieScheme") -> Guard:
        async def required(
            connection: HTTPConnection,
            me: Annotated[Session | None, Depends(self.optional)],
            _documented: Annotated[None, Depends(scheme)],
        ) -> Session:
            with self._answering(connection):
                return me if me is not None else request_session_of(connection.scope, self.sessions).required_of(None)

        return required

    @contextmanager
    def _answering(self, connection: HTTPConnection) -> Iterator[None]:
        """Let an error answer as this CognitoAuth would: of two on one application each has its own way to sign in."""
        try:
            yield
        except SessionError as error:
            error.responder = functools.partial(self._respond, connection)
            raise

    def _respond(self, connection: HTTPConnection, error: SessionError) -> Response:
        return starlette.respond(
            refusal(
                starlette.request_of(connection), error, login_path=self.login_path, base_path=self.sessions.engine.base_path
            )
        )

    async def _refuse(self, connection: HTTPConnection, error: Exception) -> Response:
        """The answer to a request; a WebSocket is left to the middleware, which knows whether it has been accepted."""
        if connection.scope["type"] != "http" or not isinstance(error, SessionError):
            raise error
        return self._respond(connection, error) if error.responder is None else cast("Response", error.respond())


class _CookieScheme(SecurityBase):
    """How OpenAPI speaks of the cookie (a security scheme "apiKey" in a cookie); as a dependency it does nothing."""

    def __init__(self, cookie_name: str, scheme_name: str) -> None:
        says = "The session's cookie. Browsers send it by themselves; requests that change something need their Origin as well."
        self.model = APIKey.model_validate({"in": "cookie", "name": cookie_name, "description": says})
        self.scheme_name = scheme_name

    async def __call__(self) -> None:
        """Nothing to find out: a coroutine, so that FastAPI takes no thread for it."""


def _schemes(cookie_name: str) -> tuple[_CookieScheme, _CookieScheme]:
    """The scheme of guards that need a session, and the one by which `_documented` knows those that do not."""
    name = re.sub(r"[^A-Za-z0-9._-]", "_", cookie_name)
    return _CookieScheme(cookie_name, name), _CookieScheme(cookie_name, f"{name}.optional")


_BODY: Final = {
    "type": "object",
    "properties": {"error": {"type": "string"}, "reason": {"type": "string"}},
    "required": ["error", "reason"],
}
_RESPONSES: Final = {
    "401": "No usable session; the reason says why. A person who wants a page is sent to sign in.",
    "403": "The session does not allow this, or the request changes something and comes from another site.",
}


def _documented(schema: dict[str, Any], scheme: _CookieScheme, hint: _CookieScheme) -> dict[str, Any]:
    """The schema, in which a session is needed where it is (with its 401 and 403), and may be left out where it may."""
    schemes = schema.get("components", {}).get("securitySchemes", {})
    if hint.scheme_name in schemes:
        schemes[scheme.scheme_name] = schemes.pop(hint.scheme_name)
    for operation in (found for path in schema.get("paths", {}).values() for found in path.values() if "security" in found):
        kept = [wanted for wanted in operation["security"] if hint.scheme_name not in wanted]
        if any(scheme.scheme_name in wanted for wanted in kept):
            for status, says in _RESPONSES.items():
                answer = {"description": says, "content": {"application/json": {"schema": _BODY}}}
                operation.setdefault("responses", {}).setdefault(status, answer)
        operation["security"] = kept or [{scheme.scheme_name: []}, {}]
    return schema
