"""Accounts: sign-up, confirmation, forgotten and changed passwords, authenticator apps.

A page shows what the user typed again, except passwords. No page tells whether a user name exists.
"""

from typing import Any, Final

from cognito_session import Session
from cognito_session.signin import Done, PasswordFlows, Refusal, Refused, TotpSecret
from examples.demo.demo_tools import DemoTools
from examples.demo.form import Form, query_of
from examples.demo.guard import SIGN_IN, Event, Guard, Routes
from examples.demo.pages import Response, page, refused, see_other, with_query
from examples.demo.recent_sign_in import ask_to_sign_in_again, ask_unless_recent

__all__ = ["AccountRoutes"]

_SCHEME: Final = "otpauth://"
_PASSWORD: Final = "Changing the password"
_APP: Final = "Setting up an authenticator app"


class AccountRoutes:
    """`flows` calls Cognito; `tools` shows the codes that it sends."""

    def __init__(self, flows: PasswordFlows, tools: DemoTools) -> None:
        self._flows = flows
        self._tools = tools

    def routes(self, guard: Guard) -> Routes:
        """Handlers by method and path."""
        return {
            ("GET", "/sign-up"): guard.optional(self.sign_up_form),
            ("POST", "/sign-up"): guard.optional(self.sign_up),
            ("GET", "/confirm"): guard.optional(self.confirm_form),
            ("POST", "/confirm"): guard.optional(self.confirm),
            ("POST", "/confirm/resend"): guard.optional(self.resend_code),
            ("GET", "/forgot"): guard.optional(self.forgot_form),
            ("POST", "/forgot"): guard.optional(self.forgot),
            ("GET", "/reset"): guard.optional(self.reset_form),
            ("POST", "/reset"): guard.optional(self.reset),
            ("GET", "/password"): guard.required(self.password_form),
            ("POST", "/password"): guard.required(self.change_password),
            ("POST", "/authenticator/begin"): guard.required(self.begin_totp),
            ("POST", "/authenticator"): guard.required(self.confirm_totp),
        }

    def sign_up_form(self, event: Event, _context: Any, _me: Session | None) -> Response:
        """The form for a new account."""
        return _sign_up_page(query_of(event).text("username"))

    def sign_up(self, event: Event, _context: Any, _me: Session | None) -> Response:
        """Creates an account. The email address is the only attribute that the form can set."""
        form = Form.of(event)
        username, email = form.text("username"), form.text("email")
        outcome = self._flows.register(username, form.text("password"), attributes={"email": email})
        if isinstance(outcome, Refused) and outcome.reason is not Refusal.CODE_NOT_SENT:
            return _sign_up_page(username, email, outcome.reason)
        if isinstance(outcome, Done):
            return see_other(with_query(SIGN_IN, done="confirmed"))
        return see_other(with_query("/confirm", username=username))

    def confirm_form(self, event: Event, _context: Any, _me: Session | None) -> Response:
        """The form for the code."""
        query = query_of(event)
        return self._code_page("confirm.html", query.text("username"), done=query.one("done"))

    def confirm(self, event: Event, _context: Any, _me: Session | None) -> Response:
        """Confirms the address with the code."""
        form = Form.of(event)
        outcome = self._flows.confirm(form.text("username"), form.text("code"))
        if isinstance(outcome, Refused):
            return self._code_page("confirm.html", form.text("username"), outcome.reason)
        return see_other(with_query(SIGN_IN, done="confirmed"))

    def resend_code(self, event: Event, _context: Any, _me: Session | None) -> Response:
        """Sends another code. The response is the same for an unknown user name."""
        username = Form.of(event).text("username")
        self._flows.resend(username)
        return see_other(with_query("/confirm", username=username, done="resent"))

    def forgot_form(self, event: Event, _context: Any, _me: Session | None) -> Response:
        """The form for the user name."""
        return page("forgot.html", me=None, username=query_of(event).text("username"))

    def forgot(self, event: Event, _context: Any, _me: Session | None) -> Response:
        """Sends a code for a new password. The response is the same for an unknown user name."""
        username = Form.of(event).text("username")
        self._flows.forgot_password(username)
        return see_other(with_query("/reset", username=username))

    def reset_form(self, event: Event, _context: Any, _me: Session | None) -> Response:
        """The form for the code and a new password."""
        return self._code_page("reset.html", query_of(event).text("username"))

    def reset(self, event: Event, _context: Any, _me: Session | None) -> Response:
        """Sets the new password."""
        form = Form.of(event)
        username = form.text("username")
        outcome = self._flows.confirm_forgot_password(username, form.text("code"), form.text("password"))
        if isinstance(outcome, Refused):
            return self._code_page("reset.html", username, outcome.reason)
        if outcome.challenge is not None:
            return see_other(with_query("/challenge", username=username), outcome.set_cookies)
        return see_other(with_query(SIGN_IN, done="reset" if outcome.others_signed_out is not None else "reset-only"))

    def password_form(self, _event: Event, _context: Any, me: Session) -> Response:
        """The form for another password."""
        return ask_unless_recent(me, "/password", _PASSWORD) or page("password.html", me=me)

    def change_password(self, event: Event, _context: Any, me: Session) -> Response:
        """Changes the password and ends all other sessions."""
        form = Form.of(event)
        outcome = self._flows.change_password(me, form.text("previous"), form.text("proposed"))
        if isinstance(outcome, Refused) and outcome.reason is Refusal.STALE_SIGN_IN:
            return ask_to_sign_in_again(me, "/password", _PASSWORD)
        if isinstance(outcome, Refused):
            return _password_page(me, outcome.reason)
        return see_other(f"/profile?done={'password' if outcome.others_signed_out is not None else 'password-only'}")

    def begin_totp(self, _event: Event, _context: Any, me: Session) -> Response:
        """Asks Cognito for the secret of an authenticator app."""
        outcome = self._flows.begin_totp(me)
        if isinstance(outcome, Refused) and outcome.reason is Refusal.STALE_SIGN_IN:
            return ask_to_sign_in_again(me, "/profile", _APP)
        if isinstance(outcome, Refused):
            return _password_page(me, outcome.reason)
        return self._totp_page(me, outcome)

    def confirm_totp(self, event: Event, _context: Any, me: Session) -> Response:
        """Confirms the app with its first code. The form carries the secret, so that a typing error needs no new secret."""
        form = Form.of(event)
        outcome = self._flows.confirm_totp(me, form.text("code"))
        if isinstance(outcome, Refused) and outcome.reason is Refusal.STALE_SIGN_IN:
            return ask_to_sign_in_again(me, "/profile", _APP)
        if isinstance(outcome, Refused):
            return self._totp_page_again(me, form, outcome.reason)
        return see_other("/profile?done=totp")

    def _totp_page(self, me: Session, offered: TotpSecret, why: Refusal | None = None) -> Response:
        shown = {
            "secret": offered.secret,
            "otpauth_uri": offered.otpauth_uri,
            "app_code": self._tools.totp(offered.secret),
        }
        return page("authenticator.html", me=me, status=400 if why else 200, why=why, **shown)

    def _totp_page_again(self, me: Session, form: Form, why: Refusal) -> Response:
        secret, uri = form.text("secret"), form.text("uri")
        # The form may have been changed: a link that it carries must not become a javascript: address on the page.
        if not secret or not uri.startswith(_SCHEME):
            return refused(400, me)
        try:
            return self._totp_page(me, TotpSecret(secret, uri), why)
        except ValueError:  # the secret is not base32
            return refused(400, me)

    def _code_page(self, template: str, username: str, why: Refusal | None = None, done: str | None = None) -> Response:
        shown: dict[str, Any] = {"username": username, "mail": self._tools.mail(username), "done": done}
        return page(template, me=None, status=400 if why else 200, why=why, **shown)


def _sign_up_page(username: str, email: str = "", why: Refusal | None = None) -> Response:
    return page("sign_up.html", me=None, here="/sign-up", status=400 if why else 200, why=why, username=username, email=email)


def _password_page(me: Session, why: Refusal) -> Response:
    if why is Refusal.WRONG_CREDENTIALS:
        return page("password.html", me=me, status=400, why=why, problem="The current password is incorrect.")
    return page("password.html", me=me, status=400, why=why)
