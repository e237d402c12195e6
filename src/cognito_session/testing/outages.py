"""How a test controls time and AWS: advance the clock, make services fail, restore them, and inspect the calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cognito_session.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cognito_session.core.protocol.steps import Report
    from cognito_session.testing.attachment import Attachment
    from cognito_session.testing.call_log import CallLog, Service
    from cognito_session.testing.clock import ManualClock
    from cognito_session.testing.fake_pool import FakePool
    from cognito_session.testing.kit_state import KitState

__all__ = ["Outages"]

_MAX_GRACE_SECONDS: Final = 60
"""Of RetryGracePeriodSeconds, as Cognito has it."""


class Outages:
    """The part of `Cognito` for time and fault injection. Spans are in seconds."""

    _state: KitState
    _attachments: list[Attachment]

    @property
    def clock(self) -> ManualClock:
        """The clock of all attached managers."""
        return self._state.clock

    @property
    def calls(self) -> CallLog:
        """The application's calls, in order: `calls.reads`, `.writes` and `.cognito` count them, `.clear()` removes them."""
        return self._state.calls

    @property
    def reports(self) -> list[Report]:
        """The events that attached managers reported to their hook, in order: "established", "ended", "reuse" ..."""
        return self._state.reports

    def advance(self, seconds: float) -> None:
        """Advance the clock. Raises ValueError for a negative span."""
        self._state.clock.advance(seconds)

    def expire(self) -> None:
        """Advance the clock until every access token issued so far has expired: the next request refreshes."""
        latest = max((pool.state.last_expiry for pool in self._state.pools.values()), default=0)
        self.advance(max(0.0, latest + 1 - self._state.clock.now()))

    def fail(self, service: Service, *, times: int | None = None, only: str | None = None) -> None:
        """Make "dynamodb", "cognito" or "keys" (the key set) unreachable, for `times` calls or until `heal`. Nothing is done.

        `only`: calls of this operation ("GetItem", "GetTokensFromRefreshToken" ...) or purpose ("read", "write", "acquire",
        "commit", "seen" ...; see `calls`). "keys" also forgets the cached keys, as in a new process. Raises ValueError.
        """
        self._state.faults.add("fail", service, only=only, times=times)
        if service == "keys":
            for attachment in self._attachments:
                attachment.forget_keys()

    def throttle(self, service: Service, *, times: int | None = None, only: str | None = None) -> None:
        """As `fail`, but the service answers that there are too many requests."""
        self._state.faults.add("throttle", service, only=only, times=times)

    def forbid(self, service: Service, *, times: int | None = None, only: str | None = None) -> None:
        """As `fail`, but the service refuses because of a configuration error: a role without permission, a wrong client
        secret.

        The library reports it as a ConfigurationError (500).
        """
        self._state.faults.add("forbid", service, only=only, times=times)

    def lose_answer(self, service: Service, *, times: int | None = 1, only: str | None = None) -> None:
        """Let the service do the work and lose its response: the caller cannot know whether it was done.

        A worker that crashes after the call looks the same to other workers. For DynamoDB it affects only writes, unless
        `only` names another operation.
        """
        if service == "dynamodb" and only is None:
            only = "write"
        self._state.faults.add("lose_answer", service, only=only, times=times)

    def heal(self) -> None:
        """Remove all faults. The clock stays, so a cool-down may still have to pass."""
        self._state.faults.clear()

    def rotation(self, *, grace_seconds: float | None = 60) -> None:
        """Turn refresh-token rotation on with this RetryGracePeriodSeconds, or off with None.

        It is off by default, unless the manager's policy declares a grace period.
        """
        if grace_seconds is not None and not 0 <= grace_seconds <= _MAX_GRACE_SECONDS:
            raise ValueError(f"grace_seconds: expected 0 to {_MAX_GRACE_SECONDS}, or None for no rotation, not {grace_seconds}")
        for pool in self._pools():
            pool.grace_seconds = grace_seconds

    def device_tracking(self, *, on: bool = True) -> None:
        """Turn device tracking of the user pools on or off. It is off by default.

        Each later sign-in then comes from a new device, and ConfirmDevice must come before its session can be refreshed. No
        sign-in proves a device to the test pool.
        """
        for pool in self._pools():
            pool.tracks_devices = on

    def _pools(self) -> Iterable[FakePool]:
        """The user pools of the attached managers. Raises if there are none, because the setting would change nothing."""
        if not self._state.pools:
            raise ConfigurationError("attach the manager first: cognito.attach(sessions)")
        return self._state.pools.values()
