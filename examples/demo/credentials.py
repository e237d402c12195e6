"""Accounts and what opens them: signing up, confirming, forgotten and changed passwords, authenticator apps."""

from typing import Any

from cognito_session import Session
from cognito_session.local.gateway import Handler
from cognito_session.signin.flows import PasswordFlows
from cognito_session.signin.outcome import Done, Refusal, Refused, TotpSecret
from examples.demo import pages_profile, pages_sign_in
from examples.demo.backstage import Backstage, authenticator
from examples.demo.form import Form, query_of, with_query
from examples.demo.guard import SIGN_IN, Event, Guard
from examples.demo.layout import Answer, see_other
from examples.demo.recent import not_recent, stale

__all__ = ["Credentials"]

_SCHEME = "otpauth://"
_PASSWORD, _APP = "Changing the password", "An authenticator app"


class Credentials:
    """Routes of accounts."""

    def __init__(self, flows: PasswordFlows, backstage: Backstage) -> None:
        self._flows = flows
        self._backstage = backstage

    def routes(self, guard: Guard) -> dict[tuple[str, str], Handler]:
        """Handlers by method and path."""
        return {
            ("GET", "/sign-up"): guard.anyone(self.sign_up),
            ("POST", "/sign-up"): guard.anyone(self.register),
            ("GET", "/confirm"): guard.anyone(self.ask_code),
            ("POST", "/confirm"): guard.anyone(self.confirm),
            ("POST", "/confirm/resend"): guard.anyone(self.resend),
            ("GET", "/forgot"): guard.anyone(self.ask_name),
            ("POST", "/forgot"): guard.anyone(self.forgot),
            ("GET", "/reset"): guard.anyone(self.ask_new),
            ("POST", "/reset"): guard.anyone(self.reset),
            ("GET", "/password"): guard.signed_in(self.ask_password),
            ("POST", "/password"): guard.signed_in(self.change),
            ("POST", "/authenticator/begin"): guard.signed_in(self.begin_totp),
            ("POST", "/authenticator"): guard.signed_in(self.confirm_totp),
        }

    def sign_up(self, event: Event, _context: Any, _me: Session | None) -> Answer:
        """The form."""
        return pages_sign_in.sign_up_page(username=query_of(event).text("username"))

    def register(self, event: Event, _context: Any, _me: Session | None) -> Answer:
        """A new account; no other attribute than the address is taken from the form."""
        form = Form.of(event)
        username, email = form.text("username"), form.text("email")
        found = self._flows.register(username, form.text("password"), attributes={"email": email})
        if isinstance(found, Refused) and found.reason is not Refusal.CODE_NOT_SENT:
            return pages_sign_in.sign_up_page(username=username, email=email, why=found.reason)
        if isinstance(found, Done):
            return see_other(with_query(SIGN_IN, done="confirmed"))
        return see_other(with_query("/confirm", username=username))

    def ask_code(self, event: Event, _context: Any, _me: Session | None) -> Answer:
        """The form for the code."""
        query = query_of(event)
        return self._confirm_page(query.text("username"), again=query.one("again") == "1")

    def confirm(self, event: Event, _context: Any, _me: Session | None) -> Answer:
        """The code that was sent."""
        form = Form.of(event)
        found = self._flows.confirm(form.text("username"), form.text("code"))
        if isinstance(found, Refused):
            return self._confirm_page(form.text("username"), why=found.reason)
        return see_other(with_query(SIGN_IN, done="confirmed"))

    def resend(self, event: Event, _context: Any, _me: Session | None) -> Answer:
        """Another code, if there is somebody to send it to."""
        username = Form.of(event).text("username")
        self._flows.resend(username)
        return see_other(with_query("/confirm", username=username, again="1"))

    def ask_name(self, event: Event, _context: Any, _me: Session | None) -> Answer:
        """Whose password was forgotten."""
        return pages_sign_in.forgot_page(username=query_of(event).text("username"))

    def forgot(self, event: Event, _context: Any, _me: Session | None) -> Answer:
        """A code for a new password; the same answer whoever it is."""
        username = Form.of(event).text("username")
        self._flows.forgot_password(username)
        return see_other(with_query("/reset", username=username))

    def ask_new(self, event: Event, _context: Any, _me: Session | None) -> Answer:
        """The form for code and new password."""
        username = query_of(event).text("username")
        return pages_sign_in.reset_page(username=username, code=self._backstage.mail(username))

    def reset(self, event: Event, _context: Any, _me: Session | None) -> Answer:
        """The new password."""
        form = Form.of(event)
        username = form.text("username")
        found = self._flows.confirm_forgot_password(username, form.text("code"), form.text("password"))
        if isinstance(found, Refused):
            return pages_sign_in.reset_page(username=username, code=self._backstage.mail(username), why=found.reason)
        if found.challenge is not None:
            return see_other(with_query("/challenge", username=username), found.set_cookies)
        return see_other(with_query(SIGN_IN, done="reset" if found.others_signed_out is not None else "reset-only"))

    def ask_password(self, _event: Event, _context: Any, me: Session) -> Answer:
        """The form for another password."""
        return stale(me, "/password", _PASSWORD) or pages_profile.password_page(me)

    def change(self, event: Event, _context: Any, me: Session) -> Answer:
        """Another password; all other sessions end."""
        form = Form.of(event)
        found = self._flows.change_password(me, form.text("previous"), form.text("proposed"))
        if isinstance(found, Refused) and found.reason is Refusal.STALE_SIGN_IN:
            return not_recent(me, "/password", _PASSWORD)
        if isinstance(found, Refused):
            return pages_profile.password_page(me, why=found.reason)
        certain = found.others_signed_out is not None
        return see_other(f"/profile?done={'password' if certain else 'password-only'}")

    def begin_totp(self, _event: Event, _context: Any, me: Session) -> Answer:
        """A secret for an authenticator app."""
        offered = self._flows.begin_totp(me)
        if isinstance(offered, Refused) and offered.reason is Refusal.STALE_SIGN_IN:
            return not_recent(me, "/profile", _APP)
        if isinstance(offered, Refused):
            return pages_profile.password_page(me, why=offered.reason)
        return self._totp_page(me, offered)

    def confirm_totp(self, event: Event, _context: Any, me: Session) -> Answer:
        """Its first code. The form brings the secret along, so that a mistyped code does not cost another one."""
        form = Form.of(event)
        found = self._flows.confirm_totp(me, form.text("code"))
        if isinstance(found, Refused) and found.reason is Refusal.STALE_SIGN_IN:
            return not_recent(me, "/profile", _APP)
        if isinstance(found, Refused):
            uri = form.text("uri")
            offered = TotpSecret(form.text("secret"), uri if uri.startswith(_SCHEME) else _SCHEME)
            return self._totp_page(me, offered, found.reason)
        return see_other("/profile?done=totp")

    def _totp_page(self, me: Session, offered: TotpSecret, why: Refusal | None = None) -> Answer:
        box = authenticator(self._backstage.totp(offered.secret), me.username)
        return pages_profile.totp_page(me, offered, box=box, why=why)

    def _confirm_page(self, username: str, *, why: Refusal | None = None, again: bool = False) -> Answer:
        return pages_sign_in.confirm_page(username=username, code=self._backstage.mail(username), why=why, again=again)
