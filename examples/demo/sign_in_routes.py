"""Signing in and out: managed login, this site's own form with its challenges, and sign-out."""

from typing import Any, Final, Literal

from cognito_session import Session, SessionManager
from cognito_session.signin import ChallengeRequired, Established, ManagedLogin, PasswordFlows, Refusal, Refused, SignInOutcome
from examples.demo.demo_tools import DemoTools
from examples.demo.form import Form, query_of
from examples.demo.guard import SIGN_IN, Event, Guard, Routes
from examples.demo.pages import Response, page, refused, see_other, with_query

__all__ = ["CALLBACK", "SignInRoutes"]

CALLBACK: Final = "/auth/callback"
_SCOPES: Final = ("email", "profile", "aws.cognito.signin.user.admin")
"""The last one lets signed-in users change their own password."""
_WHERE: Final[dict[str, Literal["here", "elsewhere", "everywhere"]]] = {
    "": "here",
    "here": "here",
    "elsewhere": "elsewhere",
    "everywhere": "everywhere",
}
_TRY_AGAIN: Final = frozenset(
    {Refusal.WRONG_CODE, Refusal.EXPIRED_CODE, Refusal.WRONG_CREDENTIALS, Refusal.INVALID_PASSWORD, Refusal.INVALID_INPUT}
)
"""Refusals after which the user can answer the same challenge again."""


class SignInRoutes:
    """Managed login by `sessions`, and sign-in without a redirect by `flows`."""

    def __init__(self, sessions: SessionManager, flows: PasswordFlows, tools: DemoTools) -> None:
        self._login: ManagedLogin = sessions.managed_login(login_path=SIGN_IN, callback_path=CALLBACK, scopes=_SCOPES)
        self._flows = flows
        self._tools = tools

    def routes(self, guard: Guard) -> Routes:
        """Handlers by method and path. Managed login makes its own responses and checks CSRF itself."""
        return {
            ("GET", "/login"): lambda event, _: self._login.start(event),
            ("GET", "/login/sign-up"): lambda event, _: self._login.start(event, sign_up=True),
            ("GET", "/step-up"): lambda event, _: self._login.start(event, prompt="login"),
            ("GET", CALLBACK): lambda event, _: self._login.callback(event),
            ("POST", "/sign-out"): self.sign_out,
            ("GET", SIGN_IN): guard.optional(self.sign_in_form),
            ("POST", SIGN_IN): guard.optional(self.sign_in),
            ("POST", "/sign-in/choose"): guard.optional(self.choose),
            ("GET", "/challenge"): guard.optional(self.pending_challenge),
            ("POST", "/challenge"): guard.optional(self.answer_challenge),
        }

    def sign_out(self, event: Event, _context: Any) -> Any:
        """Signs out here, elsewhere or everywhere."""
        form = Form.of(event)
        where = _WHERE.get(form.text("where"))
        # A repeated field reads as empty text, which would mean "here".
        if where is None or len(form.get("where", [])) > 1:
            return refused(400)
        return self._login.sign_out(event, where=where, return_to=form.return_to)

    def sign_in_form(self, event: Event, _context: Any, me: Session | None) -> Response:
        """The form. A signed-in user goes on, or signs in again if `prompt=login` asks for it."""
        query = query_of(event)
        if me is not None and query.one("prompt") == "login":
            return see_other(with_query("/step-up", return_to=query.return_to))
        if me is not None:
            return see_other(query.return_to)
        return self._sign_in_page(query.return_to, done=query.one("done"))

    def sign_in(self, event: Event, _context: Any, _me: Session | None) -> Response:
        """Signs in with user name and password."""
        form = Form.of(event)
        username = form.text("username")
        outcome = self._flows.sign_in(username, form.text("password"), **_browser(event))
        if isinstance(outcome, Refused) and outcome.reason is Refusal.NOT_CONFIRMED:
            return see_other(with_query("/confirm", username=username))
        return self._continue(outcome, username, form.return_to)

    def choose(self, event: Event, _context: Any, _me: Session | None) -> Response:
        """Starts a sign-in with the user name only: Cognito returns the ways to continue."""
        form = Form.of(event)
        username = form.text("username")
        return self._continue(self._flows.start(username, **_browser(event)), username, form.return_to)

    def pending_challenge(self, event: Event, _context: Any, _me: Session | None) -> Response:
        """The form of the challenge that this browser has not answered yet."""
        query = query_of(event)
        pending = self._flows.pending(event.get("cookies"))
        if pending is None:
            return see_other(with_query(SIGN_IN, return_to=query.return_to))
        return self._challenge_page(pending, query)

    def answer_challenge(self, event: Event, _context: Any, _me: Session | None) -> Response:
        """Answers the challenge: leads to the next one, to the same one again, or to a session."""
        form = Form.of(event)
        attributes = {name.removeprefix("attribute."): form.text(name) for name in form if name.startswith("attribute.")}
        outcome = self._flows.answer(
            event.get("cookies"), form.text("answer"), challenge=form.one("challenge"), attributes=attributes, **_agent(event)
        )
        if not isinstance(outcome, Refused):
            return self._continue(outcome, form.text("username"), form.return_to)
        pending = self._flows.pending(event.get("cookies")) if outcome.reason in _TRY_AGAIN else None
        if pending is None:
            return self._sign_in_page(form.return_to, why=outcome.reason)
        return {**self._challenge_page(pending, form, outcome.reason), "cookies": list(outcome.set_cookies)}

    def _continue(self, outcome: SignInOutcome, username: str, return_to: str) -> Response:
        match outcome:
            case Established():
                return see_other(return_to, outcome.set_cookies)
            case ChallengeRequired():
                return see_other(with_query("/challenge", username=username, return_to=return_to), outcome.set_cookies)
            case Refused():
                return self._sign_in_page(return_to, username=username, why=outcome.reason)

    def _sign_in_page(
        self, return_to: str, *, username: str = "", why: Refusal | None = None, done: str | None = None
    ) -> Response:
        shown = {"users": self._tools.users, "return_to": return_to, "username": username, "done": done}
        return page("sign_in.html", me=None, here=SIGN_IN, status=401 if why else 200, why=why, **shown)

    def _challenge_page(self, pending: ChallengeRequired, form: Form, why: Refusal | None = None) -> Response:
        username, prompt = form.text("username"), pending.prompt
        shown: dict[str, Any] = {
            "challenge": pending.name,
            "prompt": prompt,
            "username": username,
            "return_to": form.return_to,
            "mail": self._tools.mail(username) if prompt.destination else None,
            "app_code": self._app_code(pending, username),
        }
        return page("challenge.html", me=None, status=400 if why else 200, why=why, **shown)

    def _app_code(self, pending: ChallengeRequired, username: str) -> str | None:
        if pending.prompt.secret:
            return self._tools.totp(pending.prompt.secret)
        return self._tools.authenticator(username) if pending.name == "SOFTWARE_TOKEN_MFA" else None


def _agent(event: Event) -> dict[str, Any]:
    return {"user_agent": event["headers"].get("user-agent")}


def _browser(event: Event) -> dict[str, Any]:
    """The cookies of the session that a sign-in replaces, and the User-Agent for the device's label."""
    return {"cookie_header": event.get("cookies"), **_agent(event)}
