"""Starlette: the session of a request, and our requests and responses in Starlette's form.

    app = Starlette(routes=..., middleware=[Middleware(CognitoSessionMiddleware, sessions, login_path="/login")])

    async def home(request):
        me = await session_of(request)             # a Session or None
        me = await required_session_of(request)    # a Session; without one the middleware answers 401

Works with WebSockets too, and with either kind of manager; the middleware writes the cookies, so anything may be returned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response as StarletteResponse

from cognito_session.web import asgi
from cognito_session.web.asgi import CognitoSessionMiddleware, request_session_of
from cognito_session.web.establish import aestablish, asign_out

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

    from cognito_session.core.protocol.session import Session
    from cognito_session.engine import AnySessionManager
    from cognito_session.http.request import Request
    from cognito_session.http.response import Response

__all__ = [
    "CognitoSessionMiddleware",
    "establish",
    "request_of",
    "required_session_of",
    "respond",
    "session_of",
    "sign_out",
]


async def session_of(connection: HTTPConnection, sessions: AnySessionManager | None = None) -> Session | None:
    """The request's session, resolved at most once; None without a session.

    Name the manager where several serve the application. Raises SessionUnavailable, ConfigurationError.
    """
    return await request_session_of(connection.scope, sessions).asession()


async def required_session_of(connection: HTTPConnection, sessions: AnySessionManager | None = None) -> Session:
    """As `session_of`, and raises SessionRequired without a session."""
    return await request_session_of(connection.scope, sessions).arequired()


async def establish(connection: HTTPConnection, tokens: object, sessions: AnySessionManager | None = None) -> Session:
    """Begin a session with Cognito's AuthenticationResult; its cookie goes out with whatever is returned or raised.

    The session that the request's own cookie stood for is ended. Raises as SessionManager.establish.
    """
    return await aestablish(request_session_of(connection.scope, sessions), tokens)


async def sign_out(connection: HTTPConnection, sessions: AnySessionManager | None = None) -> None:
    """End the session, revoke its tokens, and delete the cookie with whatever is returned or raised.

    The cookie is deleted in any case. Raises SessionUnavailable where the session may still be alive elsewhere.
    """
    await asign_out(request_session_of(connection.scope, sessions))


def request_of(connection: HTTPConnection) -> Request:
    """A request of Starlette or FastAPI as ours."""
    return asgi.request_of(connection.scope)


def respond(response: Response) -> StarletteResponse:
    """A response of ours as Starlette's, each Set-Cookie a header of its own."""
    native = StarletteResponse(response.body, response.status, dict(response.headers))
    for line in response.cookies:
        native.headers.append("set-cookie", line)
    return native
