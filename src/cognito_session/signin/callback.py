"""The way back from managed login: a code becomes a session, or a clear page.

1. Nothing is redeemed unless this browser began the flow: the state's own cookie must be there, whole and in time.
2. Where it is gone (back button, too late), or a code came without a state (a SAML sign-in that the identity provider
   began), that code is never redeemed: a person who is signed in goes on; for anyone else the flow starts again, once. A
   restart asks managed login for what the application asked of it before, such as the password (prompt=login).
3. The tokens become a session only where the ID token is about this very sign-in (nonce, audience, at_hash); else what
   was issued is revoked and nothing is kept.
4. Managed login's own cookie may bring a sign-in from before "sign out everywhere". The flow is started again once with
   prompt=login, which the state says, so that it can never go round in circles. A sign-in with prompt=none is not: it must
   show nothing.
5. A definite end deletes the flow's cookie; an outage keeps it, so that the page can be reloaded.
No text of Cognito's error is shown: its code chooses among sentences of ours (RFC 9700 4.15; RFC 6749 4.1.2.1). The operator
is told its text, which anybody can write into an address: one short printable line without anything like a token.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cognito_session.core.crypto.id_token import verify_id_token
from cognito_session.core.device_label import device_label
from cognito_session.core.errors import ConfigurationError, TokenError
from cognito_session.core.protocol.authenticate import authenticate, keys_for
from cognito_session.core.protocol.establish import SignedIn, establish
from cognito_session.core.protocol.ports import CodeGrant, GrantRefused
from cognito_session.core.protocol.resolve import resolve
from cognito_session.core.protocol.session import Reason, Rejected, Session
from cognito_session.core.protocol.steps import Flow, Invoke, Keys, Report, Revoke, ask
from cognito_session.core.protocol.write_attempts import reason_of
from cognito_session.http.error_page import page
from cognito_session.http.response import json_response, redirect
from cognito_session.signin.entry import Entry
from cognito_session.signin.error_text import told
from cognito_session.signin.transaction import (
    PROMPTED,
    RESTARTED,
    Transaction,
    find_transaction,
    keep_transaction,
    newest_transaction,
    transaction_cookie,
    was_prompted,
    was_restarted,
)

if TYPE_CHECKING:
    from cognito_session.core.protocol.context import FlowContext
    from cognito_session.core.protocol.ports import AuthorizationServer
    from cognito_session.http.request import Request
    from cognito_session.http.response import Response
    from cognito_session.signin.login_site import LoginSite

__all__ = ["begin", "come_back"]

_SILENT_REFUSALS: Final = frozenset(
    {"login_required", "interaction_required", "consent_required", "account_selection_required"}
)
"""What `prompt=none` brings where a person would have to do something: they are simply not signed in."""
_CODE: Final = re.compile(r"[ -~]{1,2048}")
"""Visible ASCII (RFC 6749 A.11)."""

_STOPS: Final = {
    "sign_in_cancelled": (403, "Sign-in was cancelled", "Nothing was changed. You can sign in at any time."),
    "sign_in_refused": (400, "Sign-in failed", "The sign-in service refused this sign-in. Try again."),
    "sign_in_lost": (400, "Sign-in was not completed", "It took too long, was used before, or began in another browser."),
    "sign_in_forged": (400, "Sign-in was not completed", "The response of the sign-in service belongs to another sign-in."),
    "sign_in_ended": (401, "Sign-in has ended", "This sign-in was already signed out. Sign in again."),
    "too_many_sessions": (403, "Signed in on too many devices", "Sign out on another device, then sign in again."),
}


class LoginCase(NamedTuple):
    """What the flows of managed login work with."""

    context: FlowContext
    site: LoginSite
    server: AuthorizationServer


def begin(login: LoginCase, request: Request, return_to: str, entry: Entry, *, mark: str = "") -> Flow[Response]:
    """Send the browser to managed login, with a cookie that knows the way back."""
    transaction = Transaction.begun(login.context, return_to, entry, mark=mark)
    cookies = yield from keep_transaction(login.context, transaction, request.cookie_headers)
    return redirect(login.site.authorize_url(login.server.domain, transaction, entry), cookies=cookies)


def come_back(login: LoginCase, request: Request) -> Flow[Response]:
    """The answer to the callback. Raises SessionUnavailable and ConfigurationError, with nothing kept and nothing lost."""
    if request.method != "GET":
        return _stop(login, request, "sign_in_refused")._replace(status=405)
    parameters = _CallbackParameters.of(request)
    if parameters is None:
        return _stop(login, request, "sign_in_refused")
    if parameters.error is not None and parameters.error not in _SILENT_REFUSALS:
        said = told(parameters.error, parameters.description)
        yield from ask(Report("sign_in_refused", "", None, said, limited=True, written_by_strangers=True))
    if parameters.state is None:
        return (yield from _unasked(login, request, parameters))
    transaction = yield from find_transaction(login.context, parameters.state, request.cookie_headers)
    if transaction is None or transaction.is_over(login.context.now()):
        return (yield from _start_again(login, request, parameters, transaction))
    gone = (transaction_cookie(login.context, transaction.state).delete_line(),)
    if parameters.error is not None:
        return _refused_by_cognito(login, request, parameters.error, transaction)._replace(cookies=gone)
    found = yield from _redeem(login, request, parameters.code or "", transaction)
    if isinstance(found, Session):
        return _signed_in(login, transaction.return_to, (*found.set_cookies, *gone))
    if found == "sign_in_ended":
        return (yield from _signed_out(login, request, transaction, gone))
    return _stop(login, request, found)._replace(cookies=gone)


def _signed_in(login: LoginCase, return_to: str, cookies: tuple[str, ...]) -> Response:
    """On to the page, by a redirect or, with SameSite=Strict, by a page of ours.

    A redirect goes on with a navigation that Cognito's site began, and a browser sends it no Strict cookie (rfc6265bis 5.2).
    """
    if login.context.cookie.same_site != "Strict":
        return redirect(return_to, cookies=cookies)
    made = page(200, "You are signed in", "Continue to the page that you opened.", link=(return_to, "Continue"))
    return made._replace(headers={**made.headers, "Refresh": f"0; url={return_to}"}, cookies=cookies)


class _CallbackParameters(NamedTuple):
    """The parameters that managed login sent along: either a code or an error, with the state of a flow that we began."""

    state: str | None
    code: str | None
    error: str | None
    description: str | None

    @classmethod
    def of(cls, request: Request) -> _CallbackParameters | None:
        """None where one is missing, repeated or beyond reason."""
        state, code, error = (request.parameters(name) for name in ("state", "code", "error"))
        if len(state) > 1 or len(code) + len(error) != 1:
            return None
        if code and not _CODE.fullmatch(code[0]):
            return None
        description = request.parameters("error_description")
        return cls(*((each[0] if each else None) for each in (state, code, error, description)))


def _unasked(login: LoginCase, request: Request, parameters: _CallbackParameters) -> Flow[Response]:
    """No state, so no flow of ours: who sent this code is not known, and redeeming it would be login CSRF."""
    if parameters.error is not None:
        return _stop(login, request, _stop_of(parameters.error))
    under_way = yield from newest_transaction(login.context, request.cookie_headers)
    return (yield from _start_again(login, request, parameters, under_way))


def _start_again(
    login: LoginCase, request: Request, parameters: _CallbackParameters, before: Transaction | None
) -> Flow[Response]:
    """No flow can be completed: a person who is signed in goes on, for anyone else one like `before` begins, but only once."""
    return_to, entry = (login.site.after_sign_in, Entry()) if before is None else (before.return_to, before.entry)
    outcome = yield from resolve(login.context, request.cookie_headers)
    if not isinstance(outcome, Rejected):
        return _signed_in(login, return_to, outcome.session.set_cookies)
    if parameters.error is not None or was_restarted(parameters.state):
        return _stop(login, request, "sign_in_lost")
    return (yield from begin(login, request, return_to, entry, mark=RESTARTED))


def _signed_out(login: LoginCase, request: Request, transaction: Transaction, gone: tuple[str, ...]) -> Flow[Response]:
    """Cognito's own cookie signed in a user who has been signed out here since: Cognito must ask for the password."""
    if was_prompted(transaction.state):  # a page that knows no prompt: only the end of its cookie helps
        link = (login.site.logout_url(login.server.domain), "Start again")
        return _stop(login, request, "sign_in_ended", link=link)._replace(cookies=gone)
    if transaction.entry.is_silent:  # the application asked for no page: for managed login this person is not signed in
        return redirect(transaction.return_to, cookies=gone)
    entry = transaction.entry.asking_for_the_password()
    again = yield from begin(login, request, transaction.return_to, entry, mark=PROMPTED)
    return again._replace(cookies=(*again.cookies, *gone))


def _refused_by_cognito(login: LoginCase, request: Request, error: str, transaction: Transaction) -> Response:
    if error in _SILENT_REFUSALS:
        return redirect(transaction.return_to)
    return _stop(login, request, _stop_of(error))


def _stop_of(error: str) -> str:
    return "sign_in_cancelled" if error == "access_denied" else "sign_in_refused"


def _redeem(login: LoginCase, request: Request, code: str, transaction: Transaction) -> Flow[Session | str]:
    """The session, or which stop it is."""
    yield from ask(Keys())  # without keys the code stays whole: it can be redeemed once
    grant = CodeGrant(code, transaction.verifier, login.site.redirect_uri)
    try:
        issued = yield from ask(Invoke(lambda: login.server.exchange(grant)))
    except ConfigurationError as error:
        yield from ask(Report("sign_in_misconfigured", "", None, str(error)))
        raise
    if isinstance(issued, GrantRefused):
        yield from ask(Report("sign_in_lost", "", None, issued.error, limited=True))
        return "sign_in_lost"
    refresh_token = issued.get("refresh_token")
    try:
        yield from _check(login.context, issued, transaction)
    except TokenError as error:
        yield from ask(Report("sign_in_forged", "", None, error.reason))
        yield from _take_back(refresh_token)
        return "sign_in_forged"
    except ConfigurationError:
        yield from _take_back(refresh_token)
        raise
    signed_in = SignedIn.of({"AccessToken": issued["access_token"], "RefreshToken": refresh_token})
    device = device_label(request.header("user-agent"))
    try:
        found = yield from establish(
            login.context, signed_in, presented=request.cookie_headers, device=device, from_cognito=True
        )
    except ConfigurationError:  # no session: the store denies the row, or the clock is wrong
        yield from _take_back(refresh_token)
        raise
    if isinstance(found, Session):
        return found
    yield from _take_back(refresh_token)
    return "too_many_sessions" if found.reason is Reason.TOO_MANY_SESSIONS else "sign_in_ended"


def _check(context: FlowContext, issued: dict[str, Any], transaction: Transaction) -> Flow[None]:
    """Both tokens are this pool's, for this app client, of one user, and of this sign-in. Raises TokenError."""
    access_token = yield from authenticate(context, issued["access_token"], from_cognito=True)
    id_token = issued.get("id_token")
    if not isinstance(id_token, str):
        raise ConfigurationError(
            "the token endpoint answered without an ID token: let the app client and managed_login(scopes=...) have openid"
        )
    keys = yield from keys_for(context, id_token, from_cognito=True)
    verify_id_token(id_token, keys, context.rules, access_token=access_token, nonce=transaction.nonce, now=context.now())


def _take_back(refresh_token: object) -> Flow[None]:
    """Revoke what was issued and is not kept; a failure leaves a token that no client has."""
    if isinstance(refresh_token, str):
        try:
            yield from ask(Revoke(refresh_token))
        except Exception as error:  # noqa: BLE001 - whatever a provider raises
            yield from ask(Report("revoke_failed", "", None, reason_of(error)))


def _stop(login: LoginCase, request: Request, reason: str, *, link: tuple[str, str] | None = None) -> Response:
    """A page for a person, JSON for a program; neither shows anything that came with the request."""
    status, title, text = _STOPS[reason]
    if not request.is_navigation:
        return json_response(status, {"error": "sign_in", "reason": reason})
    return page(status, title, text, link=link or (login.site.login_path, "Sign in"))
