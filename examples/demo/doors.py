"""Where a session begins and ends: managed login, this site's own form with its challenges, and signing out."""

from typing import Any

from cognito_session import Session, SessionManager
from cognito_session.local.gateway import Handler
from cognito_session.signin.flows import PasswordFlows
from cognito_session.signin.managed_login import ManagedLogin
from cognito_session.signin.outcome import ChallengeRequired, Established, Refusal, Refused, SignInOutcome
from cognito_session.signin.sign_out import Where
from examples.demo import pages_refused
from examples.demo.backstage import Backstage
from examples.demo.form import Form, query_of, with_query
from examples.demo.guard import SIGN_IN, Event, Guard
from examples.demo.layout import Answer, see_other
from examples.demo.pages_challenge import challenge_page
from examples.demo.pages_sign_in import sign_in_page

__all__ = ["CALLBACK", "Doors"]

CALLBACK = "/auth/callback"
_SCOPES = ("email", "profile", "aws.cognito.signin.user.admin")
"""The last one lets signed-in users change their own password."""
_WHERE: dict[str, Where] = {"": "here", "here": "here", "elsewhere": "elsewhere", "everywhere": "everywhere"}


class Doors:
    """Ways in and out. `login` is managed login, `flows` are those without a redirect."""

    def __init__(self, sessions: SessionManager, flows: PasswordFlows, backstage: Backstage) -> None:
        self._login: ManagedLogin = sessions.managed_login(login_path=SIGN_IN, callback_path=CALLBACK, scopes=_SCOPES)
        self._flows = flows
        self._backstage = backstage

    def routes(self, guard: Guard) -> dict[tuple[str, str], Handler]:
        """Handlers by method and path. Those of managed login answer for themselves, CSRF included."""
        return {
            ("GET", "/login"): lambda event, _: self._login.start(event),
            ("GET", "/login/sign-up"): lambda event, _: self._login.start(event, sign_up=True),
            ("GET", "/step-up"): lambda event, _: self._login.start(event, prompt="login"),
            ("GET", CALLBACK): lambda event, _: self._login.callback(event),
            ("POST", "/sign-out"): self.sign_out,
            ("GET", SIGN_IN): guard.anyone(self.ask),
            ("POST", SIGN_IN): guard.anyone(self.sign_in),
            ("POST", "/sign-in/choose"): guard.anyone(self.choose),
            ("GET", "/challenge"): guard.anyone(self.pending),
            ("POST", "/challenge"): guard.anyone(self.answer),
        }

    def sign_out(self, event: Event, _context: Any) -> Any:
        """Here, elsewhere, everywhere."""
        form = Form.of(event)
        where = _WHERE.get(form.text("where"))
        if where is None or len(form.get("where", [])) > 1:
            return pages_refused.bad_form()
        return self._login.sign_out(event, where=where, return_to=form.return_to)

    def ask(self, event: Event, _context: Any, me: Session | None) -> Answer:
        """The form; who is signed in already goes on, or proves it again where that was asked for."""
        query = query_of(event)
        if me is not None and query.one("prompt") == "login":
            return see_other(with_query("/step-up", return_to=query.return_to))
        if me is not None:
            return see_other(query.return_to)
        return sign_in_page(people=self._backstage.people, return_to=query.return_to, done=query.one("done"))

    def sign_in(self, event: Event, _context: Any, _me: Session | None) -> Answer:
        """Name and password."""
        form = Form.of(event)
        username = form.text("username")
        found = self._flows.sign_in(username, form.text("password"), **_browser(event))
        if isinstance(found, Refused) and found.reason is Refusal.NOT_CONFIRMED:
            return see_other(with_query("/confirm", username=username))
        if isinstance(found, Refused):
            return sign_in_page(people=self._backstage.people, return_to=form.return_to, username=username, why=found.reason)
        return self._onward(found, username, form.return_to)

    def choose(self, event: Event, _context: Any, _me: Session | None) -> Answer:
        """Only a name: Cognito says which ways there are."""
        form = Form.of(event)
        username = form.text("username")
        found = self._flows.start(username, **_browser(event))
        if isinstance(found, Refused):
            return sign_in_page(people=self._backstage.people, return_to=form.return_to, username=username, why=found.reason)
        return self._onward(found, username, form.return_to)

    def pending(self, event: Event, _context: Any, _me: Session | None) -> Answer:
        """The challenge that waits for this browser."""
        query = query_of(event)
        waiting = self._flows.pending(event.get("cookies"))
        if waiting is None:
            return see_other(with_query(SIGN_IN, return_to=query.return_to))
        return self._challenge(waiting, query, None)

    def answer(self, event: Event, _context: Any, _me: Session | None) -> Answer:
        """What was typed; the next challenge, the same once more, or a session."""
        form = Form.of(event)
        named = {name.removeprefix("attribute."): form.text(name) for name in form if name.startswith("attribute.")}
        found = self._flows.answer(
            event.get("cookies"), form.text("answer"), challenge=form.one("challenge"), attributes=named, **_agent(event)
        )
        if not isinstance(found, Refused):
            return self._onward(found, form.text("username"), form.return_to)
        waiting = self._flows.pending(event.get("cookies")) if found.reason in _AGAIN else None
        if waiting is None:
            return sign_in_page(people=self._backstage.people, return_to=form.return_to, why=found.reason)
        again = self._challenge(waiting, form, found.reason)
        return {**again, "cookies": list(found.set_cookies)}

    def _onward(self, found: SignInOutcome, username: str, return_to: str) -> Answer:
        if isinstance(found, Established):
            return see_other(return_to, found.set_cookies)
        if isinstance(found, ChallengeRequired):
            return see_other(with_query("/challenge", username=username, return_to=return_to), found.set_cookies)
        raise AssertionError("unreachable: refusals have been answered")

    def _challenge(self, waiting: ChallengeRequired, said: Form, why: Refusal | None) -> Answer:
        username, secret = said.text("username"), waiting.prompt.secret
        shows_totp = waiting.name == "SOFTWARE_TOKEN_MFA"
        return challenge_page(
            waiting,
            username=username,
            return_to=said.return_to,
            mail=self._backstage.mail(username) if waiting.prompt.destination else None,
            app_shows=self._backstage.totp(secret)
            if secret
            else self._backstage.authenticator(username)
            if shows_totp
            else None,
            why=why,
        )


_AGAIN = frozenset(
    {Refusal.WRONG_CODE, Refusal.EXPIRED_CODE, Refusal.WRONG_CREDENTIALS, Refusal.INVALID_PASSWORD, Refusal.INVALID_INPUT}
)
"""Refusals after which the same challenge may be answered again."""


def _agent(event: Event) -> dict[str, Any]:
    return {"user_agent": event["headers"].get("user-agent")}


def _browser(event: Event) -> dict[str, Any]:
    """What a sign-in is told of the browser: the session that it replaces, and the device's name."""
    return {"cookie_header": event.get("cookies"), **_agent(event)}
