"""What a user pool remembers: accounts, sign-ins and the refresh tokens that came of them. Plain values, easily copied."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PASSWORD", "PoolState", "PoolUser", "RefreshTokenState", "SignIn"]

PASSWORD = "Correct-horse-1"
"""The password of everybody who was given none."""


@dataclass(slots=True)
class PoolUser:
    """One user. `mfa`: the challenge after the password, for example "SOFTWARE_TOKEN_MFA" or "EMAIL_OTP"."""

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
    """One sign-in and all tokens that come of it. Instants are epoch seconds; `claims` go into its access tokens."""

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
class RefreshTokenState:
    """A refresh token's worth: its sign-in, and when rotation spent it."""

    sign_in: str
    used_at: float | None = None


@dataclass(slots=True)
class PoolState:
    """All of it, by name, by `origin_jti`, and by the token's, code's or challenge's text."""

    accounts: dict[str, PoolUser] = field(default_factory=dict)
    sign_ins: dict[str, SignIn] = field(default_factory=dict, repr=False)
    grants: dict[str, RefreshTokenState] = field(default_factory=dict, repr=False)
    codes: dict[str, Any] = field(default_factory=dict, repr=False)
    challenges: dict[str, str] = field(default_factory=dict, repr=False)
    forgotten: set[str] = field(default_factory=set, repr=False)
    created: int = 0
    last_expiry: int = 0
