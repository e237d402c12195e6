"""The messages that Cognito would send: every code that a user must enter, for tests to read.

A message is recorded when Cognito would send it, so a code for an unknown user never appears. Codes never show in a repr.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

__all__ = ["Medium", "Outbox", "Purpose", "SentMessage"]

Medium = Literal["EMAIL", "SMS"]
Purpose = Literal["sign_up", "resend", "forgot_password", "reset_password", "sign_in", "mfa"]
"""Why a code was sent. reset_password: an administrator asked for it. sign_in: a first factor, mfa: a second one."""


@dataclass(frozen=True, slots=True)
class SentMessage:
    """One message. sent_at: epoch seconds on the stack's clock."""

    username: str
    medium: Medium
    purpose: Purpose
    code: str = field(repr=False)
    user_pool_id: str
    sent_at: float


class Outbox:
    """The messages, oldest first."""

    def __init__(self) -> None:
        self._messages: list[SentMessage] = []

    def send(self, message: SentMessage) -> None:
        """Record a message."""
        self._messages.append(message)

    def rows(self, username: str | None = None) -> list[dict[str, Any]]:
        """The messages to one user or to all, as plain values."""
        return [asdict(message) for message in self._messages if username in (None, message.username)]

    def clear(self) -> None:
        """Forget every message."""
        self._messages.clear()
