"""The questions a flow may ask, each with the type of its answer.

A flow is a generator of steps. Refusals are answers; faults are thrown in at the yield. Nobody but a driver, or a
test that steps schedules, answers them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from cognito_session.core.change import Change, Written
from cognito_session.core.keyring import Keyring
from cognito_session.core.keys import KeySet
from cognito_session.core.ports import Denied, NewTokens, RefreshRequest
from cognito_session.core.record import Row, SessionKey

__all__ = [
    "Call",
    "Flow",
    "GlobalSignOut",
    "Keyrings",
    "Keys",
    "Load",
    "LoadAll",
    "Refresh",
    "Report",
    "Revoke",
    "Sleep",
    "Step",
    "Write",
    "WriteAll",
    "ask",
]

A = TypeVar("A")


class Step(Generic[A]):
    """A question whose answer is an A."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, eq=False)
class Keys(Step[KeySet]):
    """The signing keys; `missing_kid` is an id that the keys at hand lack."""

    missing_kid: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Keyrings(Step[Keyring]):
    """The keyring; `newer`: a value names a key that the one at hand lacks."""

    newer: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Load(Step[Row | None]):
    """One row, read consistently."""

    key: SessionKey


@dataclass(frozen=True, slots=True, eq=False)
class LoadAll(Step[list[Row]]):
    """All rows of one user, read consistently."""

    sub: str


@dataclass(frozen=True, slots=True, eq=False)
class Write(Step[Written]):
    """One conditional write."""

    change: Change


@dataclass(frozen=True, slots=True, eq=False)
class WriteAll(Step[bool]):
    """Several conditional writes of different rows, all or none."""

    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Refresh(Step[NewTokens | Denied]):
    """One refresh call. The driver asks the clock again in the thread that sends (`send_before`)."""

    request: RefreshRequest


@dataclass(frozen=True, slots=True, eq=False)
class Revoke(Step[None]):
    """Revoke one refresh token at the provider."""

    refresh_token: str = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class GlobalSignOut(Step[None]):
    """Revoke all tokens of a user at the provider."""

    username: str


@dataclass(frozen=True, slots=True, eq=False)
class Sleep(Step[None]):
    """Wait. `holding`: with a fresh token in hand, which nothing from outside may cancel."""

    seconds: float
    holding: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Report(Step[None]):
    """Tell the application's event hook. The hook's own errors never reach the flow."""

    event: str
    sub: str
    sid: str | None
    detail: str = ""


class Call(Step[A]):
    """Ask a collaborator that this flow brings along (a sign-in's), where the driver does such things."""

    __slots__ = ("work",)

    def __init__(self, work: Callable[[], A]) -> None:
        self.work = work


Answer = TypeVar("Answer")
Flow = Generator[Step[Any], Any, Answer]
"""A generator of steps that returns an Answer."""


def ask(step: Step[A]) -> Flow[A]:
    """Ask one question; the answer keeps its type."""
    answer: A = yield step
    return answer
