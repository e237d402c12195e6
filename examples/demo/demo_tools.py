"""What only a demo has: users with known passwords, their mail and authenticator apps, and the log of the embedded stack.

An app in Lambda has none of this. The pages show a code where a user could not continue without it.
"""

from typing import NamedTuple, Protocol

from cognito_session import Session
from examples.demo.call_counts import CallMeter

__all__ = ["DemoTools", "DemoUser"]


class DemoUser(NamedTuple):
    """A user who can sign in; `remark` says what is special about the user."""

    username: str
    password: str
    remark: str


class DemoTools(Protocol):
    """What the routes ask the deployment for."""

    @property
    def users(self) -> tuple[DemoUser, ...]:
        """The users that the sign-in page lists."""

    def generation(self, me: Session) -> int:
        """The generation of tokens in the session's row; the first is 1."""

    @property
    def meter(self) -> CallMeter:
        """Counts the calls to the stack."""

    def mail(self, username: str) -> str | None:
        """The latest code that was sent to a user."""

    def authenticator(self, username: str) -> str | None:
        """The current code of a user's authenticator app; None for a user without one."""

    def totp(self, secret: str) -> str:
        """The current code of an authenticator app with this secret."""
