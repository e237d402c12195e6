"""What a test does to time and to AWS: turn the clock, let services fail, heal them; and look at what was called."""

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
    """The part of `Cognito` that makes trouble. Spans are in seconds."""

    _state: KitState
    _attachments: list[Attachment]

    @property
    def clock(self) -> ManualClock:
        """The clock of all attached managers."""
        return self._state.clock

    @property
    def calls(self) -> CallLog:
        """What the application called, in order: `calls.reads`, `.writes` and `.cognito` count, `.clear()` begins anew."""
        return self._state.calls

    @property
    def reports(self) -> list[Report]:
        """What attached managers told their event hook, in order: "established", "ended", "reuse" ..."""
        return self._state.reports

    def advance(self, seconds: float) -> None:
        """Turn the clock forward. Raises ValueError for a negative span."""
        self._state.clock.advance(seconds)

    def expire(self) -> None:
        """Turn the clock to just after every access token issued so far has expired: the next request refreshes."""
        latest = max((pool.state.last_expiry for pool in self._state.pools.values()), default=0)
        self.advance(max(0.0, latest + 1 - self._state.clock.now()))

    def fail(self, service: Service, *, times: int | None = None, only: str | None = None) -> None:
        """Let "dynamodb", "cognito" or "keys" (the key set) not answer, for so many calls or until `heal`; nothing is done.

        `only`: calls of this operation ("GetItem", "GetTokensFromRefreshToken" ...) or purpose ("read", "write", "acquire",
        "commit", "seen" ...; see `calls`). With "keys" the keys at hand are forgotten, as in a new process. Raises ValueError.
        """
        self._state.faults.add("fail", service, only=only, times=times)
        if service == "keys":
            for attachment in self._attachments:
                attachment.forget_keys()

    def throttle(self, service: Service, *, times: int | None = None, only: str | None = None) -> None:
        """As `fail`, but the service says that it was asked too often."""
        self._state.faults.add("throttle", service, only=only, times=times)

    def forbid(self, service: Service, *, times: int | None = None, only: str | None = None) -> None:
        """As `fail`, but the service refuses because something is set up wrong: a role that may not write, a wrong client
        secret. The library tells it as a ConfigurationError (500).
        """
        self._state.faults.add("forbid", service, only=only, times=times)

    def lose_answer(self, service: Service, *, times: int | None = 1, only: str | None = None) -> None:
        """Let the service do what it is asked and its answer be lost: nobody knows whether it was done.

        The crash of a worker after the call looks the same to everybody else. Of DynamoDB only writes are meant, unless `only`
        says else.
        """
        if service == "dynamodb" and only is None:
            only = "write"
        self._state.faults.add("lose_answer", service, only=only, times=times)

    def heal(self) -> None:
        """End all trouble. The clock stays where it is: a cool-down may still have to pass."""
        self._state.faults.clear()

    def rotation(self, *, grace_seconds: float | None = 60) -> None:
        """Turn refresh-token rotation on with this RetryGracePeriodSeconds, or off with None. It is off to begin with, unless
        the manager's policy declares a grace.
        """
        if grace_seconds is not None and not 0 <= grace_seconds <= _MAX_GRACE_SECONDS:
            raise ValueError(f"grace_seconds: expected 0 to {_MAX_GRACE_SECONDS}, or None for no rotation, not {grace_seconds}")
        for pool in self._pools():
            pool.grace_seconds = grace_seconds

    def device_tracking(self, *, on: bool = True) -> None:
        """Let the user pools track devices, or not: each further sign-in is that of a new device, and its session can be
        refreshed when ConfirmDevice has come. It is off to begin with. No sign-in proves a device to the test pool.
        """
        for pool in self._pools():
            pool.tracks_devices = on

    def _pools(self) -> Iterable[FakePool]:
        """The user pools of the attached managers; a setting that changes none of them would be a test of nothing."""
        if not self._state.pools:
            raise ConfigurationError("attach the manager first: cognito.attach(sessions)")
        return self._state.pools.values()
