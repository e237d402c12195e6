"""A session begun or ended through a visit, whose response then carries the cookies.

From the next request on the browser is the new session's; this one's own cookie stays what it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cognito_session.core.device_cookie import signed_out_device
from cognito_session.core.ending import log_out
from cognito_session.core.establish import SignedIn
from cognito_session.core.establish import establish as begin
from cognito_session.core.outcome import Rejected, Session, admitted
from cognito_session.drivers.sync import run
from cognito_session.web.device import device_label

if TYPE_CHECKING:
    from cognito_session.core.steps import Flow
    from cognito_session.web.visit import Visit

__all__ = ["aestablish", "asign_out", "establish", "sign_out"]


def establish(visit: Visit, tokens: object) -> Session:
    """Begin a session with Cognito's AuthenticationResult; see SessionManager.establish for what is raised."""
    return _begun(visit, run(_establish(visit, tokens), visit.manager.ports))


async def aestablish(visit: Visit, tokens: object) -> Session:
    """As `establish`."""
    from cognito_session.drivers import aio

    return _begun(visit, await aio.run(_establish(visit, tokens), visit.manager.ports))


def sign_out(visit: Visit) -> None:
    """End the session, revoke its tokens, delete the cookie.

    The cookie is deleted in any case: who leaves a shared computer must not stay signed in on it because a table did not
    answer. Raises SessionUnavailable where the row may live on.
    """
    run(_log_out(visit), visit.manager.ports)


async def asign_out(visit: Visit) -> None:
    """As `sign_out`."""
    from cognito_session.drivers import aio

    await aio.run(_log_out(visit), visit.manager.ports)


def _establish(visit: Visit, tokens: object) -> Flow[Session | Rejected]:
    request, device = visit.request, device_label(visit.request.header("user-agent"))
    signed_in = SignedIn.of(tokens)
    yield from visit.report_if_late("cookie_not_sent", "a user was signed in: the browser does not get the session's cookie")
    return (yield from begin(visit.case, signed_in, presented=request.cookie_headers, device=device))


def _log_out(visit: Visit) -> Flow[None]:
    case = visit.case
    visit.send((case.cookie.delete_line(), *signed_out_device(case, visit.request.cookie_headers)))
    yield from visit.report_if_late("cookie_not_sent", "a user was signed out: the browser keeps the session's cookie")
    yield from log_out(case, visit.request.cookie_headers)


def _begun(visit: Visit, found: Session | Rejected) -> Session:
    session = admitted(found)
    visit.send(session.set_cookies)
    return session
