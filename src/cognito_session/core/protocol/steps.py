"""The questions a flow may ask, each with the type of its answer.

A flow is a generator of steps. Refusals are answers; faults are thrown in at the yield. Only a driver, or a test that
searches schedules, answers them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Generic, TypeVar

from cognito_session.core.crypto.key_set import KeySet
from cognito_session.core.crypto.keyring import Keyring
from cognito_session.core.protocol.conditions import Change, Written
from cognito_session.core.protocol.ports import DeviceConfirmation, NewTokens, PoolRefusal, RefreshDenied, RefreshRequest
from cognito_session.core.protocol.record import Row, SessionKey

__all__ = [
    "ConfirmDevice",
    "Flow",
    "ForgetDevice",
    "GlobalSignOut",
    "Invoke",
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
    """A question whose answer is an A. Plain classes: as dataclasses they would cost every cold start 2 ms."""

    __slots__ = ()


class Keys(Step[KeySet]):
    """The signing keys; `missing_kid` is an id that the cached keys lack.

    `from_cognito`: the token that names it came straight from Cognito over TLS, so the long cooldown of fetches is not needed.
    """

    __slots__ = ("from_cognito", "missing_kid")
    __match_args__ = ("missing_kid", "from_cognito")

    def __init__(self, missing_kid: str | None = None, *, from_cognito: bool = False) -> None:
        self.missing_kid: str | None = missing_kid
        self.from_cognito: bool = from_cognito


class Keyrings(Step[Keyring]):
    """The keyring; `newer`: a value names a key that the current one lacks."""

    __slots__ = __match_args__ = ("newer",)

    def __init__(self, *, newer: bool = False) -> None:
        self.newer: bool = newer


class Load(Step[Row | None]):
    """One row, read consistently."""

    __slots__ = __match_args__ = ("key",)

    def __init__(self, key: SessionKey) -> None:
        self.key: SessionKey = key


class LoadAll(Step[list[Row]]):
    """All rows of one user, read consistently. `only`: these attributes are enough, beside the keys."""

    __slots__ = __match_args__ = ("sub", "only")

    def __init__(self, sub: str, only: tuple[str, ...] = ()) -> None:
        self.sub: str = sub
        self.only: tuple[str, ...] = only


class Write(Step[Written]):
    """One conditional write."""

    __slots__ = __match_args__ = ("change",)

    def __init__(self, change: Change) -> None:
        self.change: Change = change


class WriteAll(Step[bool]):
    """Several conditional writes of different rows, all or none."""

    __slots__ = __match_args__ = ("changes",)

    def __init__(self, changes: tuple[Change, ...]) -> None:
        self.changes: tuple[Change, ...] = changes


class Refresh(Step[NewTokens | RefreshDenied]):
    """One refresh call. The driver asks the clock again in the thread that sends (`send_before`)."""

    __slots__ = __match_args__ = ("request",)

    def __init__(self, request: RefreshRequest) -> None:
        self.request: RefreshRequest = request


class ConfirmDevice(Step[PoolRefusal | None]):
    """Confirm a tracked device at the provider."""

    __slots__ = __match_args__ = ("confirmation",)

    def __init__(self, confirmation: DeviceConfirmation) -> None:
        self.confirmation: DeviceConfirmation = confirmation


class ForgetDevice(Step[None]):
    """Forget a tracked device at the provider, by an access token of its user that is still in force."""

    __slots__ = __match_args__ = ("access_token", "device_key")

    def __init__(self, access_token: str, device_key: str) -> None:
        self.access_token: str = access_token
        self.device_key: str = device_key


class Revoke(Step[None]):
    """Revoke one refresh token at the provider."""

    __slots__ = __match_args__ = ("refresh_token",)

    def __init__(self, refresh_token: str) -> None:
        self.refresh_token: str = refresh_token


class GlobalSignOut(Step[None]):
    """Revoke all tokens of a user at the provider."""

    __slots__ = __match_args__ = ("username",)

    def __init__(self, username: str) -> None:
        self.username: str = username


class Sleep(Step[None]):
    """Wait. `holding`: with a fresh token in hand, which nothing from outside may cancel."""

    __slots__ = __match_args__ = ("seconds", "holding")

    def __init__(self, seconds: float, *, holding: bool = False) -> None:
        self.seconds: float = seconds
        self.holding: bool = holding


class Report(Step[None]):
    """Tell the application's event hook. The hook's own errors never reach the flow.

    `address`: the client's, "" where it is not known; the driver sets it. `limited`: a stranger can cause it at will, so that
    it is told a few times a second at most. One such Report may be told for many requests. `written_by_strangers`: the detail
    is text that a stranger chose, so that the limit holds for all such texts together.
    """

    __slots__ = ("address", "detail", "event", "limited", "sid", "sub", "written_by_strangers")
    __match_args__ = ("event", "sub", "sid", "detail")

    def __init__(
        self,
        event: str,
        sub: str,
        sid: str | None,
        detail: str = "",
        *,
        address: str = "",
        limited: bool = False,
        written_by_strangers: bool = False,
    ) -> None:
        self.event: str = event
        self.sub: str = sub
        self.sid: str | None = sid
        self.detail: str = detail
        self.address: str = address
        self.limited: bool = limited
        self.written_by_strangers: bool = written_by_strangers

    @property
    def limit_key(self) -> tuple[str, str]:
        """What a limit counts by: the name and the detail, unless a stranger could write ever new ones."""
        return (self.event, "" if self.written_by_strangers else self.detail)

    def __repr__(self) -> str:
        address = f", address={self.address!r}" if self.address else ""
        return f"Report(event={self.event!r}, sub={self.sub!r}, sid={self.sid!r}, detail={self.detail!r}{address})"


class Invoke(Step[A]):
    """Ask a collaborator that this flow brings along (a sign-in's), where the driver does such things."""

    __slots__ = ("work",)

    def __init__(self, work: Callable[[], A]) -> None:
        self.work: Callable[[], A] = work


R = TypeVar("R")
Flow = Generator[Step[Any], Any, R]
"""A generator that yields steps, is sent their answers, and returns an R."""


def ask(step: Step[A]) -> Flow[A]:
    """Ask one question; the answer keeps its type."""
    answer: A = yield step
    return answer
