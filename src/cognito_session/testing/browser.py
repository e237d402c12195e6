"""Browser: a browser with its cookies, which requests send and responses change."""

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
    """The user, groups, scopes and session of a sign-in by the kit."""

    username: str
    groups: tuple[str, ...]
    scopes: tuple[str, ...]
    sub: str
    sid: str


class Browser:
    """One browser, created by `cognito.sign_in()`; pass it as `user=` to send requests from it.

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
        """The Cookie header of a request for "/"."""
        return self.jar.header()

    def keep(self, response: Any, *, form: EventForm | None = None) -> None:
        """Keep the cookies of a response, as a browser does.

        `form`: the form of the event that a Lambda response answers; by default that of the last event. Cookies that its
        gateway drops are not kept.
        """
        for line in set_cookie_lines(response, form or self.last_form):
            self.jar.keep(line)

    def signed_in(self, cookie_name: str, identity: SignedInAs, lines: tuple[str, ...]) -> None:
        """Record a sign-in by the kit, and keep its cookies."""
        self.sign_ins[cookie_name] = identity
        self.username, self.sub = identity.username, identity.sub
        for line in lines:
            self.jar.keep(line)

    def mark(self) -> Callable[[], None]:
        """A function that restores the current cookies and sign-ins."""
        contents, sign_ins = self.jar.contents(), dict(self.sign_ins)
        others = self.username, self.sub, self.last_form

        def restore() -> None:
            self.jar.refill(contents)
            self.sign_ins = dict(sign_ins)
            self.username, self.sub, self.last_form = others

        return restore

    def was_signed_in(self, cookie_name: str) -> bool:
        """Whether it ever had a session under this cookie, from the kit or from the application's own sign-in."""
        if self.jar.has(cookie_name):
            self.sign_ins.setdefault(cookie_name, None)
        return cookie_name in self.sign_ins

    def identity(self, cookie_name: str) -> SignedInAs | None:
        """The sign-in by the kit; None if there was none."""
        return self.sign_ins.get(cookie_name)
