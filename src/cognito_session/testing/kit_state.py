"""The state that attached managers share: a clock, stores, user pools, the call log and the planned faults.

Managers of the same table share a store, and managers of the same app client share a pool. A test can mark the state and
return to it, to repeat a moment.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

from cognito_session.testing.call_log import CallLog
from cognito_session.testing.entropy import CountedBytes
from cognito_session.testing.fake_pool import FakePool
from cognito_session.testing.fault_injection import FaultInjection
from cognito_session.testing.memory_store import MemoryStore
from cognito_session.testing.scheduler import Scheduler

if TYPE_CHECKING:
    from collections.abc import Callable

    from cognito_session.core.protocol.steps import Report
    from cognito_session.testing.clock import ManualClock

__all__ = ["KitState"]


class KitState:
    """The shared state of a test's managers."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.entropy: CountedBytes = CountedBytes()
        self.calls: CallLog = CallLog()
        self.faults: FaultInjection = FaultInjection()
        self.scheduler: Scheduler = Scheduler()
        self.reports: list[Report] = []
        self.pools: dict[tuple[str, str], FakePool] = {}
        self._stores: dict[tuple[str | None, ...], MemoryStore] = {}

    def pool(self, user_pool_id: str, client_id: str) -> FakePool:
        """The pool of this app client."""
        key = (user_pool_id, client_id)
        if key not in self.pools:
            self.pools[key] = FakePool(user_pool_id=user_pool_id, client_id=client_id, clock=self.clock, entropy=self.entropy)
        return self.pools[key]

    def store(self, *names: str | None, one_row_per_user: bool) -> MemoryStore:
        """The table with these names."""
        if names not in self._stores:
            self._stores[names] = MemoryStore(one_row_per_user=one_row_per_user)
        return self._stores[names]

    def mark(self) -> Callable[[], None]:
        """A function that restores the current state; it can be called repeatedly."""
        restore_clock, count, calls = self.clock.mark(), self.entropy.count, [*self.calls]
        faults, reports = self.faults.copy(), [*self.reports]
        rows = [(store, deepcopy(store.rows)) for store in self._stores.values()]
        states = [(pool, deepcopy(pool.state), pool.grace_seconds) for pool in self.pools.values()]

        def restore() -> None:
            restore_clock()
            self.entropy.count = count
            self.calls.replace(calls)
            self.faults.restore(faults)
            self.reports[:] = reports
            for store, then in rows:
                store.rows = deepcopy(then)
            for pool, state, grace_seconds in states:
                pool.state, pool.grace_seconds = deepcopy(state), grace_seconds

        return restore
