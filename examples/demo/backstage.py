"""Backstage: what only a demo has: people with known passwords, their mail and authenticator apps, the stack's log.

An app in Lambda has none of this. The pages show it where a person could not go on without: a code that would have been
sent by email, the six digits of an authenticator app.
"""

from typing import NamedTuple, Protocol

from cognito_session import Session
from examples.demo.components import card
from examples.demo.markup import Html, html, joined
from examples.demo.tally import Meter

__all__ = ["Backstage", "Person", "authenticator", "mailbox", "people_card"]


class Person(NamedTuple):
    """Somebody who can sign in here, and what is special about them."""

    username: str
    password: str
    remark: str


class Backstage(Protocol):
    """How things stand behind the scenes."""

    @property
    def people(self) -> tuple[Person, ...]:
        """Who can sign in."""

    def generation(self, me: Session) -> int:
        """Which generation of tokens the session's row holds; the first is 1."""

    @property
    def meter(self) -> Meter:
        """What the stack sees, counted."""

    def mail(self, username: str) -> str | None:
        """The latest code that was sent to a user."""

    def authenticator(self, username: str) -> str | None:
        """What this user's authenticator app shows now."""

    def totp(self, secret: str) -> str:
        """What an authenticator app with this secret shows now."""


_PERSON = '<li><strong>{name}</strong> <code>{password}</code> <span class="hint">{remark}</span></li>'
_PEOPLE = '<ul class="people">{rows}</ul>\n<p class="hint">Or sign up: any user name and address will do.</p>'
_CODE = '<p>{said} <strong class="code" data-code>{code}</strong></p>\n<p class="hint">{why}</p>'


def people_card(people: tuple[Person, ...]) -> Html:
    """The people of the demo, with their passwords."""
    rows = joined(html(_PERSON, name=each.username, password=each.password, remark=each.remark) for each in people)
    return card("People of this demo", html(_PEOPLE, rows=rows), name="people-title")


def mailbox(code: str | None, username: str) -> Html | None:
    """The message that nobody sends here; None where there is none."""
    if code is None:
        return None
    why = "No mail leaves this computer: this box stands for the inbox."
    return card(f"Mail for {username}", html(_CODE, said="Your code is", code=code, why=why), name="mail-title")


def authenticator(code: str | None, username: str) -> Html | None:
    """The authenticator app that nobody has here; None where there is none."""
    if code is None:
        return None
    why = "Another code every 30 seconds; reload the page for the next one."
    body = html(_CODE, said="It shows", code=code, why=why)
    return card(f"Authenticator app of {username}", body, name="authenticator-title")
