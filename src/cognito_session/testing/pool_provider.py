"""A FakePool as ports of the core: refreshes and revocations, and the key set."""

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
        """New tokens, or Cognito's refusal; every refusal of the pool is final."""
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
        """Revoke all of the user's tokens; a deleted user has none."""
        if username in self._pool.state.users:
            self._pool.sign_out_everywhere(username)

    def confirm_device(self, confirmation: DeviceConfirmation) -> PoolRefusal | None:
        """Confirm the device of a sign-in. The verifier is ignored, because no later sign-in proves the device here."""
        return self._pool.set_device(confirmation.access_token, confirmation.device_key, confirmed=True)

    def forget_device(self, access_token: str, device_key: str) -> None:
        """Forget the device of a sign-in; its refresh tokens stop working."""
        self._pool.set_device(access_token, device_key, confirmed=False)


class PoolKeys:
    """A KeySource port: returns the published keys at each call."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def keys(self, missing_kid: str | None) -> KeySet:  # noqa: ARG002 - the only key is always in the key set
        """The key set."""
        return signing.key_set(fetched_at=self._clock.monotonic())
