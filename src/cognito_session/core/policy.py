"""SessionPolicy: the settings of a session's life, frozen and checked when made.

Unsafe settings must be spelled out. The protocol's own constants stand here too: they are proved together with
the rules in flow.py and are not for tuning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from cognito_session.core.checks import check_boolean, check_choice, check_names
from cognito_session.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = [
    "CALL_LIMIT_SECONDS",
    "CLOCK_TOLERANCE_SECONDS",
    "KEY_SET_MAX_AGE_SECONDS",
    "KEY_SET_OUTAGE_SECONDS",
    "LEASE_SECONDS",
    "MAX_LEASE_SECONDS",
    "OVERLAP_SECONDS",
    "SessionPolicy",
    "lease_seconds",
]

LEASE_SECONDS: Final = 6
MAX_LEASE_SECONDS: Final = 30
CLOCK_TOLERANCE_SECONDS: Final = 2
CALL_LIMIT_SECONDS: Final = 4
OVERLAP_SECONDS: Final = 60
"""How long a previous generation is healed after the current one was first seen (parallel requests)."""

REFRESH_WINDOW_SECONDS: Final = 300
PATIENCE_SECONDS: Final = 12
TOMBSTONE_SECONDS: Final = 25 * 3600
"""Beyond the longest access token life that Cognito allows (one day) plus clock tolerance."""
KEY_SET_MAX_AGE_SECONDS: Final = 86_400
KEY_SET_OUTAGE_SECONDS: Final = 86_400
FUTURE_TOLERANCE_SECONDS: Final = 10
"""How far ahead of our clock `iat` may lie (FAPI 2.0 Security Profile 5.3.2.1)."""

CHANGES: Final = ("password", "factor", "address")
"""What a user changes of the account, and `end_others_after` names."""

_SAFE_GRACE_SECONDS: Final = LEASE_SECONDS + CLOCK_TOLERANCE_SECONDS + CALL_LIMIT_SECONDS + 1


def lease_seconds(acquisition: int) -> int:
    """Length in seconds of the nth lease (from 1) of one generation: 6, 6, then 12, 24, 30, 30 ..."""
    if acquisition < 3:  # noqa: PLR2004 - the protocol's own number
        return LEASE_SECONDS
    return int(min(MAX_LEASE_SECONDS, LEASE_SECONDS * 2 ** min(acquisition - 2, 8)))


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPolicy:
    """How long sessions live and what ends them. Spans are whole seconds.

    `rotation_grace_seconds` declares the app client's `RetryGracePeriodSeconds` where refresh-token rotation is on
    (0 to 60; https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_RefreshTokenRotationType.html).
    Leave it None where rotation is off, or undeclared.

    `forget_device_on_sign_out`: where the user pool tracks devices, signing out forgets the browser's device at Cognito, so
    that the next sign-in there is that of a new device. With False it stays a remembered device.

    `max_sessions` limits the live sessions of a user in a table with a sort key: one more ends the oldest ("evict") or is
    refused ("refuse"). None: no limit. Sign-ins are numbered in the user's row. A session without a number (from before the
    limit was set) counts as older than any with one. Give all workers the same limit.

    `accept_unsealed_rows` is for the time in which a table gets SESSION_KEYS. With True, a manager of the token cookie also
    opens rows that other sign-in code wrote and rows from before there were keys, and seals them at their next refresh.
    Meanwhile a writer of the table can pass off a row of their own as such a row. Without keys it changes nothing.

    `key_set_max_age_seconds`: how long a worker verifies signatures with a key set that it has fetched. A key that Cognito
    withdrew is refused at the latest then. It is fetched again in the last quarter, beside the requests.
    `key_set_outage_seconds`: how much longer the keys are used where the key set cannot be fetched; then the answer is 503.

    `recent_sign_in_seconds`: how old the sign-in of a session may be that changes the password, adds an authenticator app or a
    passkey, remembers its device, or signs out other sessions. An older one is refused as `stale_sign_in` and has to sign in
    again (OWASP ASVS 5.0, 7.5.1 and 7.5.2). None asks for no recent sign-in.
    `audiences`: the values of the claim `aud` that an access token bound to a resource may have (RFC 8707). One of the token's
    must be among them. A token without `aud` is bound to nothing and accepted. None: any `aud` is accepted.

    `end_others_after`: which changes of the account end the user's other sessions: "password" (changed, reset, or replaced at
    a sign-in), "factor" (an authenticator app or a passkey was added), "address" (your code says so, by `account_changed`).

    Raises ConfigurationError for a value out of range, and for a declared grace that is too short to survive the
    crash of one worker unless `allow_lossy_rotation=True` is spelled out.
    """

    idle_seconds: int | None = 86_400
    absolute_seconds: int | None = 7 * 86_400
    refresh_token_days: int = 30
    rotation_grace_seconds: int | None = None
    allow_lossy_rotation: bool = False
    on_reuse: Literal["end", "reject"] = "end"
    max_sessions: int | None = 20
    on_max_sessions: Literal["evict", "refuse"] = "evict"
    forget_device_on_sign_out: bool = True
    key_set_max_age_seconds: int = KEY_SET_MAX_AGE_SECONDS
    key_set_outage_seconds: int = KEY_SET_OUTAGE_SECONDS
    recent_sign_in_seconds: int | None = 300
    audiences: tuple[str, ...] | None = None
    end_others_after: Collection[str] = ("password",)
    accept_unsealed_rows: bool = False

    def __post_init__(self) -> None:
        for name in ("idle_seconds", "absolute_seconds"):
            _check_span(name, getattr(self, name), least=60, most=400 * 86_400, optional=True)
        _check_span("refresh_token_days", self.refresh_token_days, least=1, most=3650)
        _check_span("rotation_grace_seconds", self.rotation_grace_seconds, least=0, most=60, optional=True)
        _check_span("max_sessions", self.max_sessions, least=1, most=1000, optional=True)
        _check_span("key_set_max_age_seconds", self.key_set_max_age_seconds, least=300, most=30 * 86_400)
        _check_span("key_set_outage_seconds", self.key_set_outage_seconds, least=0, most=30 * 86_400)
        _check_span("recent_sign_in_seconds", self.recent_sign_in_seconds, least=1, most=400 * 86_400, optional=True)
        for each in check_names("end_others_after", self.end_others_after):
            check_choice("end_others_after", each, CHANGES)
        check_boolean("allow_lossy_rotation", self.allow_lossy_rotation)
        check_boolean("accept_unsealed_rows", self.accept_unsealed_rows)
        if self.on_max_sessions not in ("evict", "refuse"):
            raise ConfigurationError("on_max_sessions: expected 'evict' or 'refuse'")
        if self.on_reuse not in ("end", "reject"):
            raise ConfigurationError("on_reuse: expected 'end' or 'reject'")
        if not isinstance(self.forget_device_on_sign_out, bool):
            raise ConfigurationError("forget_device_on_sign_out: expected True or False")
        if self.audiences is not None:
            object.__setattr__(self, "audiences", _audiences(self.audiences))
        self._check_grace()

    def idle_end(self, now: int, absolute_end: int | None) -> int | None:
        """The idle end of a session that is used at `now`, never beyond its absolute end."""
        if self.idle_seconds is None:
            return None
        end = now + self.idle_seconds
        return end if absolute_end is None else min(end, absolute_end)

    def slides(self, now: int, idle_exp: int | None, absolute_end: int | None) -> bool:
        """Whether a request at `now` moves the idle end: at most once in a tenth of the idle span."""
        end = self.idle_end(now, absolute_end)
        if end is None or self.idle_seconds is None:
            return False
        if idle_exp is None or (end == absolute_end and idle_exp < end):
            return True
        return end - idle_exp >= self.idle_seconds / 10

    def _check_grace(self) -> None:
        grace = self.rotation_grace_seconds
        if grace is not None and grace < _SAFE_GRACE_SECONDS and not self.allow_lossy_rotation:
            raise ConfigurationError(
                f"rotation_grace_seconds={grace}: one worker's crash during a refresh would end the session. Set the "
                f"app client's RetryGracePeriodSeconds to {_SAFE_GRACE_SECONDS} or more (60 survives three crashes), "
                "turn rotation off, or accept the loss with allow_lossy_rotation=True."
            )

    def absolute_end(self, created_at: int) -> int:
        """The instant no session made at `created_at` outlives: its own limit or the refresh token's."""
        cap = created_at + self.refresh_token_days * 86_400
        return cap if self.absolute_seconds is None else min(cap, created_at + self.absolute_seconds)


def _audiences(given: object) -> tuple[str, ...]:
    """A text would be a set of characters, and an empty list would refuse every bound token without a word."""
    if not isinstance(given, tuple | list | set | frozenset) or not given:
        raise ConfigurationError('audiences: expected a tuple with one text or more, like ("https://api.example",), or None')
    if not all(isinstance(each, str) and each and each == each.strip() for each in given):
        raise ConfigurationError("audiences: expected texts without spaces around them, as the claim aud has them")
    return tuple(given)


def _check_span(name: str, value: object, *, least: int, most: int, optional: bool = False) -> None:
    if value is None and optional:
        return
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ConfigurationError(f"{name}: expected whole number from {least} to {most}" + (" or None" if optional else ""))
