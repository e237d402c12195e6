"""A session begun or ended through a request session, whose response then carries the cookies.

From the next request on the browser is the new session's; this one's own cookie stays what it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cognito_session.core.device_label import device_label
from cognito_session.core.protocol.device_cookie import signed_out_device
from cognito_session.core.protocol.establish import SignedIn
from cognito_session.core.protocol.establish import establish as begin
from cognito_session.core.protocol.session import Rejected, Session, session_or_raise
from cognito_session.core.protocol.sign_out import log_out

if TYPE_CHECKING:
    from cognito_session.core.protocol.steps import Flow
    from cognito_session.web.request_session import RequestSession

__all__ = ["aestablish", "asign_out", "establish", "sign_out"]


def establish(request_session: RequestSession, tokens: object) -> Session:
    """Begin a session with Cognito's AuthenticationResult; see SessionManager.establish for what is raised."""
    return _begun(request_session, request_session.engine.run(_establish(request_session, tokens)))


async def aestablish(request_session: RequestSession, tokens: object) -> Session:
    """As `establish`."""
    return _begun(request_session, await request_session.engine.arun(_establish(request_session, tokens)))


def sign_out(request_session: RequestSession) -> None:
    """End the session, revoke its tokens, delete the cookie.

    The cookie is deleted in any case: who leaves a shared computer must not stay signed in on it because a table did not
    answer. Raises SessionUnavailable where the row may live on.
    """
    request_session.engine.run(_log_out(request_session))


async def asign_out(request_session: RequestSession) -> None:
    """As `sign_out`."""
    await request_session.engine.arun(_log_out(request_session))


def _establish(request_session: RequestSession, tokens: object) -> Flow[Session | Rejected]:
    request, device = request_session.request, device_label(request_session.request.header("user-agent"))
    signed_in = SignedIn.of(tokens)
    yield from request_session.report_if_late(
        "cookie_not_sent", "a user was signed in: the browser does not get the session's cookie"
    )
    return (yield from begin(request_session.context, signed_in, presented=request.cookie_headers, device=device))


def _log_out(request_session: RequestSession) -> Flow[None]:
    context = request_session.context
    request_session.send((context.cookie.delete_line(), *signed_out_device(context, request_session.request.cookie_headers)))
    yield from request_session.report_if_late(
        "cookie_not_sent", "a user was signed out: the browser keeps the session's cookie"
    )
    yield from log_out(context, request_session.request.cookie_headers)


def _begun(request_session: RequestSession, found: Session | Rejected) -> Session:
    session = session_or_raise(found)
    request_session.send(session.set_cookies)
    return session
