"""The state of the test pool: users, sign-ins and their refresh tokens, as plain values that can be copied."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cognito_session.testing.rotation import RefreshToken

__all__ = ["PASSWORD", "PoolState", "PoolUser", "SignIn"]

PASSWORD = "Correct-horse-1"
"""The password of a user that the test creates without one."""


@dataclass(slots=True)
class PoolUser:
    """A user. `mfa`: the challenge after the password, for example "SOFTWARE_TOKEN_MFA" or "EMAIL_OTP"."""

    username: str
    sub: str
    password: str = field(default=PASSWORD, repr=False)
    groups: tuple[str, ...] = ()
    attributes: dict[str, str] = field(default_factory=dict, repr=False)
    enabled: bool = True
    confirmed: bool = True
    must_change_password: bool = False
    mfa: str | None = None


@dataclass(slots=True)
class SignIn:
    """A sign-in and all its tokens: a `TokenFamily`. Instants are epoch seconds; `claims` are added to its access tokens."""

    origin_jti: str
    username: str
    sub: str
    scopes: tuple[str, ...]
    auth_time: int
    expires_at: float
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)
    revoked: bool = False
    device_key: str | None = None
    device_confirmed: bool = False


@dataclass(slots=True)
class PoolState:
    """Users by name, sign-ins by `origin_jti`, tokens, codes and challenges by their text."""

    users: dict[str, PoolUser] = field(default_factory=dict)
    sign_ins: dict[str, SignIn] = field(default_factory=dict, repr=False)
    tokens: dict[str, RefreshToken[SignIn]] = field(default_factory=dict, repr=False)
    codes: dict[str, Any] = field(default_factory=dict, repr=False)
    challenges: dict[str, str] = field(default_factory=dict, repr=False)
    forgotten: set[str] = field(default_factory=set, repr=False)
    created: int = 0
    last_expiry: int = 0
