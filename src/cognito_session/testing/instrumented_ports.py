"""The ports of an attached manager: each call waits for the scheduler, gets its fault, and is logged.

The store and the pool behind a port do the work. A fault raises the error of the port; an outage is never a return value.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

from cognito_session.core.errors import (
    ConfigurationError,
    KeysUnavailable,
    ProviderUnavailable,
    SessionError,
    StoreUnavailable,
)
from cognito_session.core.protocol.ports import GrantRefused, PoolRefusal, RefreshDenied
from cognito_session.testing.call_log import Call
from cognito_session.testing.scheduler import PAUSE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cognito_session.core.crypto.key_set import KeySet
    from cognito_session.core.protocol.conditions import Change, Written
    from cognito_session.core.protocol.ports import CodeGrant, DeviceConfirmation, NewTokens, RefreshRequest, SessionStore
    from cognito_session.core.protocol.record import Row, SessionKey
    from cognito_session.testing.call_log import Ending
    from cognito_session.testing.clock import ManualClock
    from cognito_session.testing.fake_authorization_server import FakeAuthorizationServer
    from cognito_session.testing.fault_injection import FaultKind
    from cognito_session.testing.kit_state import KitState
    from cognito_session.testing.pool_operations import PoolOperations
    from cognito_session.testing.pool_provider import PoolKeys, PoolProvider

__all__ = [
    "ClockSleep",
    "InstrumentedAuthorizationServer",
    "InstrumentedKeys",
    "InstrumentedPool",
    "InstrumentedProvider",
    "InstrumentedStore",
]

A = TypeVar("A")

_YIELD_SECONDS: Final = 0.005


def _perform_call(state: KitState, call: Call, work: Callable[[], A], refused: Callable[[A], bool] = lambda _: False) -> A:
    state.scheduler.step(call)
    kind = state.faults.take(call)
    if kind in ("fail", "throttle", "forbid"):
        state.calls.add(call._replace(ending="failed"))
        raise _fault(call, kind)
    answer = work()
    ending: Ending = "lost" if kind is not None else "refused" if refused(answer) else "done"
    state.calls.add(call._replace(ending=ending))
    if kind is not None:
        raise _fault(call, kind)
    return answer


def _fault(call: Call, kind: FaultKind | None) -> SessionError:
    if kind == "forbid":
        return ConfigurationError(f"the test's {call.service} forbids {call.operation}: a configuration error")
    said = {"fail": "does not answer", "throttle": "throttles", "lose_answer": "did the work and its response was lost"}
    text = f"the test's {call.service} {said[kind or 'fail']}: {call.operation}"
    if call.service == "dynamodb":
        return StoreUnavailable(text)
    if call.service == "keys":
        return KeysUnavailable(text)
    return ProviderUnavailable(text, sent=None if kind == "lose_answer" else True)


class InstrumentedStore:
    """A SessionStore port."""

    def __init__(self, store: SessionStore, state: KitState) -> None:
        self._store = store
        self._state = state

    @property
    def one_row_per_user(self) -> bool:
        """As the store behind it."""
        return self._store.one_row_per_user

    def load(self, key: SessionKey) -> Row | None:
        """GetItem."""
        return _perform_call(self._state, Call("dynamodb", "GetItem"), lambda: self._store.load(key))

    def rows_of(self, sub: str) -> list[Row]:
        """Query."""
        return _perform_call(self._state, Call("dynamodb", "Query"), lambda: self._store.rows_of(sub))

    def attributes_of(self, sub: str, names: Sequence[str]) -> list[Row]:
        """Query with a projection."""
        attributes_of = getattr(self._store, "attributes_of", None)
        call = Call("dynamodb", "Query")
        return _perform_call(
            self._state, call, lambda: self._store.rows_of(sub) if attributes_of is None else attributes_of(sub, names)
        )

    def write(self, change: Change) -> Written:
        """PutItem or UpdateItem."""
        call = Call("dynamodb", "PutItem" if change.replace else "UpdateItem", change.kind.value)
        return _perform_call(self._state, call, lambda: self._store.write(change), lambda written: not written.applied)

    def write_all(self, changes: Sequence[Change]) -> bool:
        """TransactWriteItems."""
        call = Call("dynamodb", "TransactWriteItems", changes[-1].kind.value)
        return _perform_call(self._state, call, lambda: self._store.write_all(changes), lambda applied: not applied)


class InstrumentedProvider:
    """An IdentityProvider port."""

    def __init__(self, provider: PoolProvider, state: KitState) -> None:
        self._provider = provider
        self._state = state

    def refresh(self, request: RefreshRequest) -> NewTokens | RefreshDenied:
        """GetTokensFromRefreshToken."""
        call = Call("cognito", "GetTokensFromRefreshToken", "refresh")
        return _perform_call(
            self._state, call, lambda: self._provider.refresh(request), lambda answer: isinstance(answer, RefreshDenied)
        )

    def revoke(self, refresh_token: str) -> None:
        """RevokeToken."""
        call = Call("cognito", "RevokeToken", "revoke")
        return _perform_call(self._state, call, lambda: self._provider.revoke(refresh_token))

    def global_sign_out(self, username: str) -> None:
        """AdminUserGlobalSignOut."""
        call = Call("cognito", "AdminUserGlobalSignOut", "global sign-out")
        return _perform_call(self._state, call, lambda: self._provider.global_sign_out(username))

    def confirm_device(self, confirmation: DeviceConfirmation) -> PoolRefusal | None:
        """ConfirmDevice."""
        call = Call("cognito", "ConfirmDevice", "confirm device")
        return _perform_call(
            self._state,
            call,
            lambda: self._provider.confirm_device(confirmation),
            lambda answer: isinstance(answer, PoolRefusal),
        )

    def forget_device(self, access_token: str, device_key: str) -> None:
        """ForgetDevice."""
        call = Call("cognito", "ForgetDevice", "forget device")
        return _perform_call(self._state, call, lambda: self._provider.forget_device(access_token, device_key))


class InstrumentedKeys:
    """A KeySource port: fetches the keys when they are first needed and keeps them, as a process does."""

    def __init__(self, keys: PoolKeys, state: KitState) -> None:
        self._keys = keys
        self._state = state
        self._held: KeySet | None = None

    def keys(self, missing_kid: str | None) -> KeySet:
        """The cached keys; fetched if there are none, or at a limited rate if one is missing."""
        held = self._held
        is_known = held is not None and (missing_kid is None or held.find(missing_kid) is not None)
        if held is not None and (is_known or not held.may_refetch(self._state.clock.monotonic())):
            return held
        self._held = _perform_call(self._state, Call("keys", "jwks"), lambda: self._keys.keys(missing_kid))
        return self._held

    def forget(self) -> None:
        """Forget the keys, as in a new process."""
        self._held = None

    def mark(self) -> Callable[[], None]:
        """A function that restores the keys that are cached now."""
        held = self._held

        def restore() -> None:
            self._held = held

        return restore


class InstrumentedPool:
    """A UserPool port."""

    def __init__(self, pool: PoolOperations, state: KitState) -> None:
        self._pool = pool
        self._state = state

    @property
    def client_id(self) -> str:
        """The app client's id."""
        return self._pool.client_id

    def call(self, operation: str, payload: Mapping[str, Any]) -> dict[str, Any] | PoolRefusal:
        """The operation."""
        call = Call("cognito", operation)
        return _perform_call(
            self._state, call, lambda: self._pool.call(operation, payload), lambda answer: isinstance(answer, PoolRefusal)
        )


class InstrumentedAuthorizationServer:
    """An AuthorizationServer port."""

    def __init__(self, page: FakeAuthorizationServer, state: KitState) -> None:
        self._page = page
        self._state = state

    @property
    def domain(self) -> str:
        """The address of the OAuth endpoints."""
        return self._page.domain

    def exchange(self, grant: CodeGrant) -> dict[str, Any] | GrantRefused:
        """POST /oauth2/token."""
        call = Call("cognito", "/oauth2/token", "code")
        return _perform_call(
            self._state, call, lambda: self._page.exchange(grant), lambda answer: isinstance(answer, GrantRefused)
        )


class ClockSleep:
    """How an attached manager waits: the test's clock moves instead of real time.

    If other threads are running, a moment of real time passes too, so that they can continue.
    """

    def __init__(self, clock: ManualClock, state: KitState) -> None:
        self._clock = clock
        self._state = state

    def sleep(self, seconds: float) -> None:
        """Let this many seconds pass on the test's clock; simultaneous waits overlap."""
        wake_at = self._clock.monotonic() + seconds
        alone = self._state.scheduler.step(Call("clock", PAUSE)) or threading.active_count() == 1
        if not alone:
            time.sleep(_YIELD_SECONDS)
        self._reach(wake_at)

    async def pause(self, seconds: float) -> None:
        """As `sleep`, for the asynchronous driver."""
        import asyncio

        wake_at = self._clock.monotonic() + seconds
        await asyncio.sleep(0 if self._state.scheduler.step(Call("clock", PAUSE)) else _YIELD_SECONDS)
        self._reach(wake_at)

    def _reach(self, instant: float) -> None:
        self._clock.advance(max(0.0, instant - self._clock.monotonic()))
