"""The pages of a signed-in user, and the status that a script asks for."""

import json
from typing import Any, Final

from cognito_session import Active, Rejected, Session, SessionConflict, SessionForbidden, SessionManager, SessionUnavailable
from examples.demo.demo_tools import DemoTools
from examples.demo.form import Form, query_of
from examples.demo.guard import Event, Guard, Routes
from examples.demo.pages import ACCENTS, Response, page, refused, see_other
from examples.demo.recent_sign_in import ask_unless_recent

__all__ = ["EDITORS", "MAX_AGE_SECONDS", "SignedInRoutes"]

EDITORS: Final = "editors"
MAX_AGE_SECONDS: Final = 60
"""Maximum age of the sign-in for a transfer."""
_MAX_MARBLES: Final = 100
_MAX_NAME_CHARS: Final = 64
_MAX_NOTE_CHARS: Final = 200


class SignedInRoutes:
    """Home, profile, devices, a page for a group, and an action that needs a recent sign-in."""

    def __init__(self, sessions: SessionManager, tools: DemoTools) -> None:
        self._sessions = sessions
        self._tools = tools

    def routes(self, guard: Guard) -> Routes:
        """Handlers by method and path."""
        return {
            ("GET", "/"): guard.optional(self.home),
            ("GET", "/status"): self.status,
            ("GET", "/profile"): guard.required(self.profile),
            ("POST", "/profile"): guard.required(self.save_profile),
            ("GET", "/devices"): guard.required(self.devices),
            ("POST", "/devices/sign-out"): guard.required(self.sign_out_device),
            ("GET", "/editors"): guard.required(self.editors),
            ("GET", "/transfer"): guard.required(self.transfer),
            ("POST", "/transfer"): guard.required(self.send),
        }

    def home(self, event: Event, _context: Any, me: Session | None) -> Response:
        """The start page."""
        return page("home.html", me=me, here="/", done=query_of(event).one("done"))

    def status(self, event: Event, _context: Any) -> Any:
        """Whether the session still exists. Polling does not extend the idle timeout."""
        try:
            outcome = self._sessions.resolve(event.get("cookies"), extend=False)
        except SessionUnavailable as error:
            return error.respond()
        match outcome:
            case Active(session=me):
                return _json(200, {"username": me.username, **self._token(me)}, me.set_cookies)
            case Rejected(reason=why):
                return _json(401, {"error": "unauthorized", "reason": why})

    def profile(self, event: Event, _context: Any, me: Session) -> Response:
        """The user, the access token, and what this session remembers."""
        return self._profile_page(me, done=query_of(event).one("done"))

    def save_profile(self, event: Event, _context: Any, me: Session) -> Response:
        """Saves a color and a note in the session's row."""
        form = Form.of(event)
        accent, note = form.text("accent"), form.text("note")
        if accent not in ACCENTS or len(note) > _MAX_NOTE_CHARS:
            problem = f"Choose one of the colors, and enter a note of at most {_MAX_NOTE_CHARS} characters."
            return self._profile_page(me, status=400, problem=problem)
        try:
            self._sessions.save_data(me, {"accent": accent, "note": note})
        except SessionConflict:
            return refused(409)
        return see_other("/profile?done=saved")

    def devices(self, event: Event, _context: Any, me: Session) -> Response:
        """All sessions of the user, newest first."""
        found = self._sessions.sessions_of(me.sub, current=me.sid)
        return page("devices.html", me=me, here="/devices", devices=found, done=query_of(event).one("done"))

    def sign_out_device(self, event: Event, _context: Any, me: Session) -> Response:
        """Ends another session of the same user. The session, not the form, determines the user."""
        sid = Form.of(event).text("sid")
        if not sid or sid == me.sid:
            return refused(400, me)
        if response := ask_unless_recent(me, "/devices", "Signing out another device"):
            return response
        return see_other(f"/devices?done={'one' if self._sessions.revoke(me.sub, sid) else 'gone'}")

    def editors(self, _event: Event, _context: Any, me: Session) -> Response:
        """A page for one group."""
        try:
            me.require(any_group=[EDITORS])
        except SessionForbidden:
            return page("group_required.html", me=me, here="/editors", status=403, group=EDITORS)
        return page("editors.html", me=me, here="/editors", group=EDITORS)

    def transfer(self, event: Event, _context: Any, me: Session) -> Response:
        """The form, after a recent sign-in only: a user who must sign in again has not filled in anything yet."""
        return _ask_before_transfer(me) or _transfer_page(me, sent=_marbles(query_of(event).text("sent")))

    def send(self, event: Event, _context: Any, me: Session) -> Response:
        """The transfer. The check of the form's page does not count here: the form may be old."""
        if response := _ask_before_transfer(me):
            return response
        form = Form.of(event)
        marbles, to = _marbles(form.text("marbles")), form.text("to").strip()
        if marbles is None or not 0 < len(to) <= _MAX_NAME_CHARS:
            problem = f"Enter a whole number from 1 to {_MAX_MARBLES}, and the name of a recipient."
            return _transfer_page(me, status=400, problem=problem, to=to[:_MAX_NAME_CHARS])
        return see_other(f"/transfer?sent={marbles}")

    def _profile_page(self, me: Session, status: int = 200, **values: Any) -> Response:
        shown = {"token": self._token(me), "max_note_chars": _MAX_NOTE_CHARS, **values}
        return page("profile.html", me=me, here="/profile", status=status, **shown)

    def _token(self, me: Session) -> dict[str, Any]:
        """The access token as the profile shows it: a short id, seconds of its life, and the row's generation."""
        return {
            "token": str(me.claims["jti"])[:8],
            "life": me.token_expires_at - int(me.claims["iat"]),
            "left": max(0, me.token_expires_at - me.served_at),
            "generation": self._tools.generation(me),
        }


def _ask_before_transfer(me: Session) -> Response | None:
    return ask_unless_recent(me, "/transfer", "A transfer", MAX_AGE_SECONDS)


def _transfer_page(me: Session, status: int = 200, **values: Any) -> Response:
    shown = {"sent": None, "to": "", "max_age_seconds": MAX_AGE_SECONDS, "max_marbles": _MAX_MARBLES, **values}
    return page("transfer.html", me=me, here="/transfer", status=status, **shown)


def _marbles(text: str) -> int | None:
    """A number of marbles; None for any other text."""
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(_MAX_MARBLES))
    return int(text) if is_number and 1 <= int(text) <= _MAX_MARBLES else None


def _json(status: int, body: dict[str, Any], cookies: tuple[str, ...] = ()) -> Response:
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store", "Vary": "Cookie"}
    return {"statusCode": status, "headers": headers, "body": json.dumps(body), "cookies": list(cookies)}
