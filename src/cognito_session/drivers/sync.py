"""The synchronous driver: answers a flow's steps through the ports until it returns.

Refusals are sent in as answers, faults thrown in at the yield. `segment` is the whole of it, and what the asynchronous
driver runs in a thread: everything up to the next pause, so that nothing from outside can cancel it between Acquire and
Commit.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from cognito_session.core.current_request import client_address
from cognito_session.core.errors import ConfigurationError, ProviderUnavailable, SessionError
from cognito_session.core.protocol.ports import TOO_LATE
from cognito_session.core.protocol.steps import (
    ConfirmDevice,
    Flow,
    ForgetDevice,
    GlobalSignOut,
    Invoke,
    Keyrings,
    Keys,
    Load,
    LoadAll,
    Refresh,
    Report,
    Revoke,
    Sleep,
    Step,
    Write,
    WriteAll,
)
from cognito_session.core.tracebacks import forget_locals

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cognito_session.core.crypto.key_set import KeySet
    from cognito_session.core.crypto.keyring import Keyring
    from cognito_session.core.protocol.ports import (
        AuthorizationServer,
        Clock,
        IdentityProvider,
        KeyringSource,
        KeySource,
        SessionStore,
        UserPool,
    )
    from cognito_session.core.protocol.record import Row
    from cognito_session.drivers.notices import Notices

__all__ = ["Done", "Ports", "deliver", "prepared", "run", "segment"]

T = TypeVar("T")


class Ports(NamedTuple):
    """Everything a flow's steps are answered with. `sleep` waits so many seconds; `on_event` is the application's.

    `pause` is what the asynchronous driver awaits instead of `asyncio.sleep`: where time is not the machine's, waiting is not
    either. `notices` writes to the log what went wrong.
    """

    store: SessionStore
    provider: IdentityProvider
    keys: KeySource
    clock: Clock
    sleep: Callable[[float], None]
    on_event: Callable[[Report], None] | None = None
    keyrings: KeyringSource | None = None
    user_pool: UserPool | None = None
    authorization_server: AuthorizationServer | None = None
    pause: Callable[[float], Awaitable[None]] | None = None
    notices: Notices | None = None


class Done(Generic[T]):
    """The flow has returned."""

    __slots__ = ("value",)

    def __init__(self, value: T) -> None:
        self.value: T = value


def run(flow: Flow[T], ports: Ports) -> T:
    """The flow's result. Raises what the flow raises."""
    faults: list[Exception] = []
    while True:
        paused = segment(flow, ports, faults)
        if isinstance(paused, Done):
            return paused.value
        ports.sleep(paused.seconds)


def segment(flow: Flow[T], ports: Ports, faults: list[Exception]) -> Done[T] | Sleep:
    """Answer steps until the flow returns or pauses with nothing in hand; `faults` collects those of one flow.

    The end of the flow is told to the notices here, so that a caller who no longer waits costs no line in the log. What leaves
    it has no local variables: those of flows, stores and transports hold tokens.
    """
    handled = sys.exception()
    try:
        paused = _carry(flow, ports, faults)
    except BaseException as error:
        if isinstance(error, SessionError) and ports.notices is not None:
            ports.notices.tell_raised(error, faults, ports.clock.now())
        forget_locals(error, handled)
        raise
    if faults and isinstance(paused, Done) and ports.notices is not None:
        ports.notices.tell_coped(faults, ports.clock.now())
    return paused


def _carry(flow: Flow[T], ports: Ports, faults: list[Exception]) -> Done[T] | Sleep:
    answer: Any = None
    fault: Exception | None = None
    while True:
        try:
            step = flow.send(answer) if fault is None else flow.throw(fault)
        except StopIteration as finished:
            return Done(finished.value)
        answer = None  # an event hook that records the stack must not find it
        if isinstance(step, Sleep) and not step.holding:
            return step
        try:
            answer, fault = _answer(step, ports, faults), None
        except Exception as error:  # noqa: BLE001 - the flow decides what a fault means, and re-raises what it does not know
            answer, fault = None, error
            faults.append(error)


def _answer(step: Step[Any], ports: Ports, faults: list[Exception]) -> Any:  # noqa: C901, PLR0912 - one case for each step, nothing nested
    match step:
        case Keys(missing_kid, from_cognito):
            return _keys(ports.keys, missing_kid, from_cognito=from_cognito)
        case Keyrings(newer):
            return _keyring(ports, newer=newer)
        case Load(key):
            return ports.store.load(key)
        case LoadAll(sub, only):
            return _rows(ports.store, sub, only)
        case Write(change):
            return ports.store.write(change)
        case WriteAll(changes):
            return ports.store.write_all(changes)
        case Refresh(request):
            if ports.clock.monotonic() > request.send_before:
                raise ProviderUnavailable("the lease is nearly over: not sent", sent=False, reason=TOO_LATE)
            return ports.provider.refresh(request)
        case Revoke(refresh_token):
            return ports.provider.revoke(refresh_token)
        case GlobalSignOut(username):
            return ports.provider.global_sign_out(username)
        case ConfirmDevice(confirmation):
            return ports.provider.confirm_device(confirmation)
        case ForgetDevice(access_token, device_key):
            return ports.provider.forget_device(access_token, device_key)
        case Sleep(seconds):
            return ports.sleep(seconds)
        case Invoke():
            return step.work()
        case Report():
            return _report(step, ports, faults)
    raise TypeError(f"no driver knows the step {type(step).__name__}")


def _keys(source: KeySource, missing_kid: str | None, *, from_cognito: bool) -> KeySet:
    of_answer = getattr(source, "keys_of_answer", None) if from_cognito and missing_kid is not None else None
    found: KeySet = source.keys(missing_kid) if of_answer is None else of_answer(missing_kid)
    return found


def _rows(store: SessionStore, sub: str, only: tuple[str, ...]) -> list[Row]:
    attributes_of = getattr(store, "attributes_of", None) if only else None
    found: list[Row] = store.rows_of(sub) if attributes_of is None else attributes_of(sub, only)
    return found


def _keyring(ports: Ports, *, newer: bool) -> Keyring:
    if ports.keyrings is None:
        raise ConfigurationError("SESSION_KEYS: not set; `cognito-session keys new` prints an entry for it")
    return ports.keyrings.keyring(newer=newer)


def _report(event: Report, ports: Ports, faults: list[Exception]) -> None:
    told = prepared(event, ports)
    if told is not None:
        deliver(told, ports, faults)


def prepared(event: Report, ports: Ports) -> Report | None:
    """The event with the client's address, ready to be told; None where as many as are useful were told a moment ago."""
    if not event.limited:
        event.address = event.address or client_address()
        return event
    if ports.notices is not None and not ports.notices.admits(event, ports.clock.now()):
        return None
    return Report(
        event.event,
        event.sub,
        event.sid,
        event.detail,
        address=client_address(),
        limited=True,
        written_by_strangers=event.written_by_strangers,
    )


def deliver(event: Report, ports: Ports, faults: list[Exception]) -> None:
    """Write the event to the log and tell the application's hook."""
    if ports.notices is not None:
        ports.notices.tell_event(event, faults, ports.clock.now())
    if ports.on_event is None:
        return
    try:
        ports.on_event(event)
    except Exception:
        import logging

        logging.getLogger("cognito_session").exception("on_event failed for %s", event.event)
