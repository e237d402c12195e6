"""A FakePool as the core's ports: refreshes and revocations, and the key set as one process holds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cognito_session.core.protocol.ports import DEVICE_REFUSED, NewTokens, PoolRefusal, RefreshDenied
from cognito_session.testing import signing

if TYPE_CHECKING:
    from cognito_session.core.crypto.key_set import KeySet
    from cognito_session.core.protocol.ports import Clock, DeviceConfirmation, RefreshRequest
    from cognito_session.testing.fake_pool import FakePool

__all__ = ["PoolKeys", "PoolProvider"]


class PoolProvider:
    """An IdentityProvider port over a FakePool."""

    def __init__(self, pool: FakePool) -> None:
        self._pool = pool

    def refresh(self, request: RefreshRequest) -> NewTokens | RefreshDenied:
        """New tokens, or Cognito's verdict: everything that the pool refuses is known to be final."""
        answer = self._pool.refresh(request.refresh_token, request.device_key)
        if isinstance(answer, PoolRefusal):
            if request.device_key is not None and answer.message == "Invalid Refresh Token":
                return RefreshDenied("dead", DEVICE_REFUSED)
            return RefreshDenied("dead", answer.code)
        return NewTokens(answer["AccessToken"], answer.get("RefreshToken"))

    def revoke(self, refresh_token: str) -> None:
        """Revoke the token."""
        self._pool.revoke(refresh_token)

    def global_sign_out(self, username: str) -> None:
        """Revoke all of the user's tokens; a user who is gone has none."""
        if username in self._pool.state.users:
            self._pool.sign_out_everywhere(username)

    def confirm_device(self, confirmation: DeviceConfirmation) -> PoolRefusal | None:
        """Confirm the device of a sign-in. The verifier is not looked at: no later sign-in proves the device here."""
        return self._pool.set_device(confirmation.access_token, confirmation.device_key, confirmed=True)

    def forget_device(self, access_token: str, device_key: str) -> None:
        """Forget the device of a sign-in; its refresh tokens stop working."""
        self._pool.set_device(access_token, device_key, confirmed=False)


class PoolKeys:
    """A KeySource port: the published keys, fetched anew at each call."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def keys(self, missing_kid: str | None) -> KeySet:  # noqa: ARG002 - there is one key, and it is in every answer
        """The key set."""
        return signing.key_set(fetched_at=self._clock.monotonic())
