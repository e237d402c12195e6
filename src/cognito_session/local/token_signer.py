"""Adds the claims that ministack's tokens lack, before ministack signs them.

1. Access and ID tokens get an `event_id`, and an `auth_time` that says when the user authenticated.
2. An ID token gets an `at_hash` if the scopes contain `openid`.
3. An access token of a pool that tracks devices gets a `device_key`.
4. Tokens have no `origin_jti` and `jti` if the app client has token revocation turned off.
Values that depend on the request are set by context managers, because ministack builds the claims.
"""

import base64
import hashlib
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from cognito_session.local.devices import new_device_key
from cognito_session.local.ministack_records import AppClient

__all__ = ["TokenSigner"]

_auth_time: ContextVar[int | None] = ContextVar("auth_time", default=None)
_device_key: ContextVar[str | None] = ContextVar("device_key", default=None)
_refreshing: ContextVar[bool] = ContextVar("refreshing", default=False)
_at_hash: ContextVar[tuple[str, str] | None] = ContextVar("at_hash", default=None)


class TokenSigner:
    """Replaces ministack's signing function, `sign`; `client_of` finds an app client by its id."""

    def __init__(
        self, sign: Callable[[dict[str, Any], str, str], object], client_of: Callable[[object], AppClient | None]
    ) -> None:
        self._sign = sign
        self._client_of = client_of

    def signed(self, claims: dict[str, Any], pool_id: str = "", use: str = "") -> str:
        """A token with these claims and the added ones; "" for a refresh token that no client receives."""
        if claims.get("token_use") == "refresh" and _refreshing.get():
            return ""
        token = str(self._sign(self._completed(claims, pool_id), pool_id, use))
        if claims.get("token_use") == "access":  # ministack signs the ID token of the same grant next
            openid = "openid" in str(claims.get("scope")).split()
            _at_hash.set((claims["origin_jti"], _left_half_hash(token)) if openid else None)
        return token

    def _completed(self, claims: dict[str, Any], pool_id: str) -> dict[str, Any]:
        if claims.get("token_use") not in ("access", "id"):
            return claims
        whole = {**claims, "event_id": str(uuid.uuid4())}
        auth_time = _auth_time.get()
        if auth_time is not None:
            whole["auth_time"] = auth_time
        origin, at_hash = _at_hash.get() or (None, None)
        if claims["token_use"] == "id" and origin == claims["origin_jti"]:
            whole["at_hash"] = at_hash
        client = self._client_of(claims.get("client_id") or claims.get("aud"))
        if client and client.tracks_devices and claims["token_use"] == "access" and "username" in claims:
            whole["device_key"] = _device_key.get() or new_device_key(pool_id)
        if client and client.pool_id == pool_id and not client.settings.get("EnableTokenRevocation", True):
            whole.pop("origin_jti", None)
            whole.pop("jti", None)
        return whole

    @staticmethod
    @contextmanager
    def auth_time(auth_time: int | None) -> Iterator[None]:
        """Within this block tokens carry this `auth_time`; None: the time of issue."""
        with _set(_auth_time, auth_time):
            yield

    @staticmethod
    @contextmanager
    def device(device_key: str | None) -> Iterator[None]:
        """Within this block access tokens name this device; None: each sign-in gets a new one if the pool tracks devices."""
        with _set(_device_key, device_key):
            yield

    @staticmethod
    @contextmanager
    def refresh(auth_time: int, device_key: str | None) -> Iterator[None]:
        """Within this block tokens are those of a refresh, which issues none of ministack's refresh tokens."""
        with _set(_auth_time, auth_time), _set(_device_key, device_key), _set(_refreshing, value=True):
            yield


@contextmanager
def _set(variable: ContextVar[Any], value: object) -> Iterator[None]:
    before = variable.set(value)
    try:
        yield
    finally:
        variable.reset(before)


def _left_half_hash(token: str) -> str:
    """The at_hash of an RS256 token (OpenID Connect Core 3.1.3.6)."""
    return base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()[:16]).rstrip(b"=").decode()
