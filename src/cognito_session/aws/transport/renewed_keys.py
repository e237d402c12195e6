"""RenewedKeys: temporary AWS keys, renewed in the background before they expire.

Rules: while keys are valid, no call waits for new ones, and a failed renewal keeps them. Without valid keys all callers wait
for one renewal, each no longer than its own limit. Each renewal starts without state, so that no connection, lock or cached
file of a source is kept or crosses a fork. It must not know where keys come from.
"""

from __future__ import annotations

import math
import threading
import weakref
from typing import TYPE_CHECKING, Final, NamedTuple

from cognito_session.aws.transport.access_keys import AccessKeys
from cognito_session.aws.transport.debug_log_filter import (
    without_debug_logs,  # not in the thread: a child forked during an import has half a module
)
from cognito_session.aws.transport.interface import NotSent
from cognito_session.clock import SystemClock
from cognito_session.fork import renew_in_child

if TYPE_CHECKING:
    from collections.abc import Callable

    from cognito_session.core.protocol.ports import Clock

__all__ = ["RenewedKeys", "Resolved"]

_AHEAD_SECONDS: Final = 900
"""How long before the keys' end a renewal begins: 15 minutes, as in AWS's SDKs. A container's endpoint has new keys by then."""
_LAST_SECONDS: Final = 10  # keys so near their end may expire before the request arrives
_AGAIN_SECONDS: Final = 60  # pause between renewals while the keys are still valid
_FAILED_SECONDS: Final = 1  # all callers get the same failure for so long, so that many requests ask the source once
_HUNG_SECONDS: Final = 60  # a renewal that takes longer does not prevent another one
_SET_BACK_SECONDS: Final = 60  # if the wall clock went back further, the keys' end is unknown


class Resolved(NamedTuple):
    """Keys, and for how many seconds from now they are valid: infinity if their source gives no end."""

    keys: AccessKeys
    seconds_left: float = math.inf


class _Held(NamedTuple):
    keys: AccessKeys
    taken_at: float  # epoch seconds, as are the two below
    renew_at: float
    ends_at: float


class _Renewal:
    """One attempt to renew; any number of callers may wait for it."""

    def __init__(self, began_at: float) -> None:
        self.began_at = began_at  # monotonic, as is the one below
        self.ended_at: float | None = None
        self.done = threading.Event()
        self.keys: AccessKeys | None = None
        self.failure: Exception | None = None


class RenewedKeys:
    """Keys of one source. `resolve` asks the source and may be slow: it runs in its own thread."""

    def __init__(self, resolve: Callable[[], Resolved], clock: Clock | None = None) -> None:
        self._resolve = resolve
        self._clock = clock or SystemClock()
        self._held: _Held | None = None
        self.renew_lock()
        _alive.add(self)

    def renew_lock(self) -> None:
        """Replace lock and renewal: a forked child does not have the thread that would release them."""
        self._lock = threading.Lock()
        self._renewal: _Renewal | None = None

    def read(self, name: str, timeout_seconds: float) -> AccessKeys:
        """The keys for the call `name`. Raises the error that the source's failure means, or NotSent when time is over."""
        held, now = self._held, self._clock.now()
        if held is not None and held.taken_at - _SET_BACK_SECONDS <= now < held.renew_at:
            return held.keys
        if held is not None and now < held.ends_at - _LAST_SECONDS:
            self._begin(pause_seconds=_AGAIN_SECONDS)
            return held.keys
        return self._wait(name, self._begin(), timeout_seconds)

    def refused(self, keys: AccessKeys) -> None:
        """Drop keys that AWS refused, unless they are so new that the source would give the same ones again."""
        held = self._held
        if held is not None and held.keys == keys and self._clock.now() - held.taken_at > _LAST_SECONDS:
            self._held = None

    def _wait(self, name: str, renewal: _Renewal, timeout_seconds: float) -> AccessKeys:
        if not renewal.done.wait(timeout_seconds):
            raise NotSent(f"{name}: not sent: AWS credentials were not resolved within {timeout_seconds:g} s")
        if renewal.keys is None:
            raise _meaning(name, renewal.failure)
        return renewal.keys

    def _begin(self, *, pause_seconds: float = 0.0) -> _Renewal:
        """The running renewal, the last one within its pause, or a new one."""
        with self._lock:
            last, now = self._renewal, self._clock.monotonic()
            if last is not None and last.ended_at is None and now - last.began_at < _HUNG_SECONDS:
                return last
            if last is not None and last.ended_at is not None:
                pause = max(pause_seconds, _FAILED_SECONDS if last.keys is None else 0.0)
                if now - last.ended_at < pause:
                    return last
            self._renewal = renewal = _Renewal(now)
        thread = threading.Thread(target=self._renew, args=(renewal,), name="cognito-session-keys", daemon=True)
        thread.start()
        return renewal

    def _renew(self, renewal: _Renewal) -> None:
        try:
            with without_debug_logs():
                found = self._resolve()
        except Exception as error:  # noqa: BLE001 - passed to the waiting callers
            renewal.failure = error
            self._log(error)
        else:
            renewal.keys = found.keys
            if self._renewal is renewal:
                now = self._clock.now()
                self._held = _Held(found.keys, now, now + found.seconds_left - _AHEAD_SECONDS, now + found.seconds_left)
        finally:
            renewal.ended_at = self._clock.monotonic()
            renewal.done.set()

    def _log(self, error: Exception) -> None:
        """Log a failure of a background renewal: at most one a minute, by the pause between renewals."""
        held = self._held
        if held is None:
            return
        import logging

        logging.getLogger("cognito_session").warning(
            "%s; the present keys are used until they expire, in %d s",
            _meaning("renewing AWS credentials", error),
            held.ends_at - self._clock.now(),
        )


def _meaning(name: str, error: Exception | None) -> Exception:
    from cognito_session.aws.transport.credential_faults import credential_failure

    return credential_failure(name, error or RuntimeError())


_alive: weakref.WeakSet[RenewedKeys] = weakref.WeakSet()


def _renew_locks() -> None:
    for keys in list(_alive):
        keys.renew_lock()


renew_in_child(_renew_locks)
