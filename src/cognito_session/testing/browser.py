"""Browser: somebody's browser with its cookies; what it asks carries them, what it is answered changes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from cognito_session.testing.cookie_jar import CookieJar
from cognito_session.testing.set_cookie_lines import set_cookie_lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from cognito_session.core.protocol.ports import Clock
    from cognito_session.testing.events import EventForm

__all__ = ["Browser", "SignedInAs"]


class SignedInAs(NamedTuple):
    """How the kit signed a browser in."""

    username: str
    groups: tuple[str, ...]
    scopes: tuple[str, ...]
    sub: str
    sid: str


class Browser:
    """One browser. Made by `cognito.sign_in()`; hand it over as `user=` to ask from it.

    `username` and `sub` are those of its latest sign-in by the kit, "" before.
    """

    def __init__(self, clock: Clock) -> None:
        self.jar: CookieJar = CookieJar(clock)
        self.last_form: EventForm | None = None
        self.sign_ins: dict[str, SignedInAs | None] = {}
        self.username: str = ""
        self.sub: str = ""

    def __repr__(self) -> str:
        return f"Browser({self.username!r})"

    @property
    def cookie_header(self) -> str:
        """What it sends with a request for "/"."""
        return self.jar.header()

    def keep(self, response: Any, *, form: EventForm | None = None) -> None:
        """Take the cookies of an answer, as a browser does.

        `form` is the event's that a Lambda answer is for; the form of the last event, unless given. What its gateway would
        not deliver does not arrive.
        """
        for line in set_cookie_lines(response, form or self.last_form):
            self.jar.keep(line)

    def signed_in(self, cookie_name: str, identity: SignedInAs, lines: tuple[str, ...]) -> None:
        """Remember how it was signed in, and keep the cookies of that."""
        self.sign_ins[cookie_name] = identity
        self.username, self.sub = identity.username, identity.sub
        for line in lines:
            self.jar.keep(line)

    def mark(self) -> Callable[[], None]:
        """The way back to what it is now."""
        contents, sign_ins = self.jar.contents(), dict(self.sign_ins)
        others = self.username, self.sub, self.last_form

        def restore() -> None:
            self.jar.refill(contents)
            self.sign_ins = dict(sign_ins)
            self.username, self.sub, self.last_form = others

        return restore

    def was_signed_in(self, cookie_name: str) -> bool:
        """Whether it has ever had a session under this cookie, by the kit or by the application's own sign-in."""
        if self.jar.has(cookie_name):
            self.sign_ins.setdefault(cookie_name, None)
        return cookie_name in self.sign_ins

    def identity(self, cookie_name: str) -> SignedInAs | None:
        """How the kit signed it in; None where it did not."""
        return self.sign_ins.get(cookie_name)
