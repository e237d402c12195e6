"""Signing out: the row first, then Cognito's token, then the cookie, then managed login's own cookie.

Ending this session asks for nothing. Ending others asks for a recent sign-in, so that a stolen session cannot do it.

It changes something, so it is a POST from one of our own pages. Safe to repeat: who has no session any more is sent the
same way. This device's cookie is deleted in any case, also where the row could not be ended (protocol.md: Log out): the person
who leaves a shared computer must not stay signed in on it because a table did not answer; the answer then says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from cognito_session.core.errors import ConfigurationError, SessionRequired, SessionUnavailable
from cognito_session.core.protocol.device_cookie import signed_out_device
from cognito_session.core.protocol.devices import revoke_all
from cognito_session.core.protocol.resolve import resolve
from cognito_session.core.protocol.session import Rejected
from cognito_session.core.protocol.sign_out import log_out
from cognito_session.core.protocol.write_attempts import report_failure
from cognito_session.http.error_page import page
from cognito_session.http.error_response import refusal
from cognito_session.http.response import json_response, redirect
from cognito_session.signin.recent_sign_in import stale_sign_in
from cognito_session.signin.transaction import forgotten_transactions

if TYPE_CHECKING:
    from cognito_session.core.errors import StaleSignIn
    from cognito_session.core.protocol.session import Session
    from cognito_session.core.protocol.steps import Flow
    from cognito_session.http.request import Request
    from cognito_session.http.response import Response
    from cognito_session.signin.callback import LoginCase

__all__ = ["Where", "sign_out"]

Where = Literal["here", "elsewhere", "everywhere"]
"""Which of the user's sessions end: this one, all others, or all."""


def sign_out(login: LoginCase, request: Request, where: Where, return_to: str) -> Flow[Response]:
    """The answer to the sign-out form. CSRF has been checked. Raises SessionUnavailable where other sessions may live on."""
    if request.method != "POST":
        return page(405, "Method not allowed", "To sign out, use the sign-out button.", link=(login.site.after_sign_in, "Home"))
    if where == "elsewhere":
        return (yield from _elsewhere(login, request, return_to))
    if where == "everywhere":
        refused = yield from _everywhere(login, request)
        if refused is not None:
            return refused
    gone = (
        login.context.cookie.delete_line(),
        *signed_out_device(login.context, request.cookie_headers),
        *forgotten_transactions(login.context, request.cookie_headers),
    )
    try:
        yield from log_out(login.context, request.cookie_headers)
        address = login.site.logout_url(login.server.domain)
    except SessionUnavailable as error:
        return _signed_out(login, _uncertain(login, request, error), gone)
    except ConfigurationError as error:  # a denied write, or no address of managed login
        yield from report_failure(error, "", None, "sign_out")
        return _signed_out(login, _uncertain(login, request, error), gone)
    return _signed_out(login, _onward(request, address), gone)


def _signed_out(login: LoginCase, response: Response, gone: tuple[str, ...]) -> Response:
    """The answer that signs this browser out. The header is on all of them: the browser may hold what the session showed."""
    wanted = ", ".join(f'"{each}"' for each in login.site.clear_site_data)
    headers = {**response.headers, "Clear-Site-Data": wanted} if wanted else response.headers
    return response._replace(headers=headers, cookies=gone)


def _elsewhere(login: LoginCase, request: Request, return_to: str) -> Flow[Response]:
    outcome = yield from resolve(login.context, request.cookie_headers)
    if isinstance(outcome, Rejected):
        return refusal(request, SessionRequired("no usable session", reason=outcome.reason), login_path=login.site.login_path)
    me = outcome.session
    if (stale := stale_sign_in(login.context, me)) is not None:
        return _ask_again(login, request, me, stale)
    yield from revoke_all(login.context, me.sub, keep=me.sid)
    return _onward(request, return_to)._replace(cookies=me.set_cookies)


def _everywhere(login: LoginCase, request: Request) -> Flow[Response | None]:
    """End all sessions of the signed-in user, if there is one. Returns the response to a stale sign-in."""
    outcome = yield from resolve(login.context, request.cookie_headers)
    if isinstance(outcome, Rejected):
        return None
    me = outcome.session
    if (stale := stale_sign_in(login.context, me)) is not None:
        return _ask_again(login, request, me, stale)
    yield from revoke_all(login.context, me.sub)
    return None


def _ask_again(login: LoginCase, request: Request, me: Session, stale: StaleSignIn) -> Response:
    """Nothing has ended. A person is led to sign in again and comes back to the page with the button."""
    return refusal(request, stale, login_path=login.site.login_path, cookies=me.set_cookies)


def _onward(request: Request, address: str) -> Response:
    """A page is sent on; a script is told where to go, since it could not follow a redirect to another site."""
    return redirect(address) if request.is_navigation else json_response(200, {"location": address})


def _uncertain(login: LoginCase, request: Request, error: SessionUnavailable | ConfigurationError) -> Response:
    """This browser holds the session no more; whether the row has ended is not known."""
    if not request.is_navigation:
        return json_response(error.status, error.public_body(), headers=error.public_headers())
    text = (
        "You are signed out in this browser. The service that stores your session could not be reached, so the session may stay"
        " valid until it expires. If other people had access to it, sign in again, then sign out everywhere."
    )
    found = page(error.status, "Signed out in this browser", text, link=(login.site.login_path, "Sign in"))
    if error.retry_after is None:
        return found
    return found._replace(headers={**found.headers, "Retry-After": str(error.retry_after)})
