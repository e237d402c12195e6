"""What a session is for: routes of who is signed in."""

import json
from typing import Any, Final

from cognito_session import Active, Rejected, Session, SessionConflict, SessionForbidden, SessionManager, SessionUnavailable
from cognito_session.local.gateway import Handler
from examples.demo import pages_devices, pages_guarded, pages_home, pages_profile, pages_refused
from examples.demo.backstage import Backstage
from examples.demo.form import Form, query_of
from examples.demo.guard import Event, Guard
from examples.demo.layout import ACCENTS, Answer, see_other
from examples.demo.recent import stale

__all__ = ["EDITORS", "MAX_AGE_SECONDS", "Account"]

EDITORS: Final = "editors"
MAX_AGE_SECONDS: Final = 60
"""How old a sign-in may be for a transfer."""
_MAX_NAME_CHARS: Final = 64


class Account:
    """Pages and forms of a signed-in user, and what a script asks to see whether the session is still there."""

    def __init__(self, sessions: SessionManager, backstage: Backstage) -> None:
        self._sessions = sessions
        self._backstage = backstage

    def routes(self, guard: Guard) -> dict[tuple[str, str], Handler]:
        """Handlers by method and path."""
        return {
            ("GET", "/"): guard.anyone(self.home),
            ("GET", "/status"): self.status,
            ("GET", "/profile"): guard.signed_in(self.profile),
            ("POST", "/profile"): guard.signed_in(self.save),
            ("GET", "/devices"): guard.signed_in(self.devices),
            ("POST", "/devices/sign-out"): guard.signed_in(self.end_device),
            ("GET", "/editors"): guard.signed_in(self.editors),
            ("GET", "/transfer"): guard.signed_in(self.transfer),
            ("POST", "/transfer"): guard.signed_in(self.send),
        }

    def home(self, event: Event, _context: Any, me: Session | None) -> Answer:
        """The start."""
        return pages_home.home(me, query_of(event).one("done"))

    def status(self, event: Event, _context: Any) -> Any:
        """Whether the session is still there: asked now and then, so it keeps no session alive that nobody uses."""
        try:
            found = self._sessions.resolve(event.get("cookies"), extend=False)
        except SessionUnavailable as error:
            return error.respond()
        match found:
            case Active(session=me):
                return _json(200, self._standing(me), me.set_cookies)
            case Rejected(reason=why):
                return _json(401, {"error": "unauthorized", "reason": why})

    def _standing(self, me: Session) -> dict[str, Any]:
        return {
            "username": me.username,
            "token": str(me.claims["jti"])[:8],
            "life": me.token_expires_at - int(me.claims["iat"]),
            "left": max(0, me.token_expires_at - me.served_at),
            "generation": self._backstage.generation(me),
        }

    def profile(self, event: Event, _context: Any, me: Session) -> Answer:
        """Who is there."""
        return pages_profile.profile(me, generation=self._backstage.generation(me), done=query_of(event).one("done"))

    def save(self, event: Event, _context: Any, me: Session) -> Answer:
        """Keep a colour and a note with the session."""
        form = Form.of(event)
        accent, note = form.text("accent"), form.text("note")
        if accent not in ACCENTS or len(note) > pages_profile.NOTE_CHARS:
            return pages_profile.profile(me, generation=self._backstage.generation(me), done=None, wrong=True)
        try:
            self._sessions.save_data(me, {"accent": accent, "note": note})
        except SessionConflict:
            return pages_refused.refused(409)
        return see_other("/profile?done=saved")

    def devices(self, event: Event, _context: Any, me: Session) -> Answer:
        """Where else."""
        found = self._sessions.sessions_of(me.sub, current=me.sid)
        return pages_devices.devices_page(me, found, query_of(event).one("done"))

    def end_device(self, event: Event, _context: Any, me: Session) -> Answer:
        """End another session of the same user; whose it is says the session that asks, never the form."""
        sid = Form.of(event).text("sid")
        if not sid or sid == me.sid:
            return pages_refused.bad_form(me)
        if again := stale(me, "/devices", "Signing out another device"):
            return again
        return see_other(f"/devices?done={'one' if self._sessions.revoke(me.sub, sid) else 'gone'}")

    def editors(self, _event: Event, _context: Any, me: Session) -> Answer:
        """For one group."""
        try:
            me.require(any_group=[EDITORS])
        except SessionForbidden:
            return pages_refused.only_for_group(me, EDITORS, "/editors")
        return pages_guarded.editors_page(me, EDITORS)

    def transfer(self, event: Event, _context: Any, me: Session) -> Answer:
        """Asked for before the form is filled in, so that nothing is typed for nothing."""
        sent = query_of(event).text("sent")
        return _transfer_again(me) or pages_guarded.transfer_page(me, max_age_seconds=MAX_AGE_SECONDS, sent=_marbles(sent))

    def send(self, event: Event, _context: Any, me: Session) -> Answer:
        """And asked for again where it counts."""
        if again := _transfer_again(me):
            return again
        form = Form.of(event)
        marbles, to = _marbles(form.text("marbles")), form.text("to").strip()
        if marbles is None or not 0 < len(to) <= _MAX_NAME_CHARS:
            return pages_guarded.transfer_page(me, max_age_seconds=MAX_AGE_SECONDS, wrong=True, to=to[:_MAX_NAME_CHARS])
        return see_other(f"/transfer?sent={marbles}")


def _transfer_again(me: Session) -> Answer | None:
    return stale(me, "/transfer", "A transfer", MAX_AGE_SECONDS)


def _marbles(text: str) -> int | None:
    """A number of marbles; None for what is none."""
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 5 else 0  # noqa: PLR2004 - enough for a hundred
    return number if 1 <= number <= pages_guarded.MOST_MARBLES else None


def _json(status: int, body: dict[str, Any], cookies: tuple[str, ...] = ()) -> Answer:
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store", "Vary": "Cookie"}
    return {"statusCode": status, "headers": headers, "body": json.dumps(body), "cookies": list(cookies)}
