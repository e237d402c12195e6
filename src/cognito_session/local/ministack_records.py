"""ministack's live records of an app client and of a user, with names that the rest of the stack uses.

Only this file knows ministack's names in these records; `emulator` finds the records. They are not copies: a change here
changes ministack's next response. Records hold passwords and secrets and never show in a repr.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["SECOND_FACTORS", "AppClient", "UserRecord"]

SECOND_FACTORS: Final = ("SMS_MFA", "SOFTWARE_TOKEN_MFA", "EMAIL_OTP")
"""The second factors of a user pool, in the order in which a person is offered them."""

_DEFAULT_SESSION_MINUTES = 3


@dataclass(frozen=True, slots=True)
class AppClient:
    """An app client: `pool` and `settings` are the live records of the pool and of the client."""

    client_id: str
    pool_id: str
    pool: dict[str, Any] = field(repr=False)
    settings: dict[str, Any] = field(repr=False)

    @property
    def secret(self) -> str | None:
        """The client secret; None for a public client."""
        return self.settings.get("ClientSecret")

    @property
    def grace_seconds(self) -> int | None:
        """RetryGracePeriodSeconds, 0 if it is absent (AWS does not document the default); None if rotation is off."""
        rotation = self.settings.get("RefreshTokenRotation") or {}
        return int(rotation.get("RetryGracePeriodSeconds") or 0) if rotation.get("Feature") == "ENABLED" else None

    @property
    def session_seconds(self) -> int:
        """AuthSessionValidity: how long a challenge may be answered."""
        return int(self.settings.get("AuthSessionValidity") or _DEFAULT_SESSION_MINUTES) * 60

    @property
    def tracks_devices(self) -> bool:
        """Whether the pool has a DeviceConfiguration."""
        return self.pool.get("DeviceConfiguration") is not None

    @property
    def asks_before_remembering(self) -> bool:
        """DeviceOnlyRememberedOnUserPrompt of the pool."""
        return bool((self.pool.get("DeviceConfiguration") or {}).get("DeviceOnlyRememberedOnUserPrompt"))

    @property
    def device_replaces_mfa(self) -> bool:
        """ChallengeRequiredOnNewDevice of the pool: a remembered device signs in without a second factor."""
        return bool((self.pool.get("DeviceConfiguration") or {}).get("ChallengeRequiredOnNewDevice"))

    @property
    def hides_unknown_users(self) -> bool:
        """PreventUserExistenceErrors."""
        return self.settings.get("PreventUserExistenceErrors") == "ENABLED"

    @property
    def mfa(self) -> str:
        """MfaConfiguration of the pool: OFF, OPTIONAL or ON."""
        return str(self.pool.get("MfaConfiguration") or "OFF")

    @property
    def first_factors(self) -> tuple[str, ...]:
        """The pool's AllowedFirstAuthFactors; PASSWORD alone if the sign-in policy names none."""
        policy = (self.pool.get("Policies") or {}).get("SignInPolicy") or {}
        return tuple(policy.get("AllowedFirstAuthFactors") or ("PASSWORD",))


@dataclass(frozen=True, slots=True)
class UserRecord:
    """A user of a pool: `record` is its live record."""

    record: dict[str, Any] = field(repr=False)

    @property
    def username(self) -> str:
        """The user name, whatever alias found the user."""
        return str(self.record["Username"])

    @property
    def status(self) -> str:
        """UserStatus: UNCONFIRMED, CONFIRMED, FORCE_CHANGE_PASSWORD, ..."""
        return str(self.record.get("UserStatus"))

    @property
    def enabled(self) -> bool:
        """Whether the user is enabled."""
        return bool(self.record.get("Enabled", True))

    @property
    def attributes(self) -> dict[str, str]:
        """The attributes by name, `sub` included."""
        return {each["Name"]: each["Value"] for each in self.record.get("Attributes", [])}

    @property
    def sub(self) -> str:
        """The user's id, which is never assigned again."""
        return self.attributes["sub"]

    @property
    def factors(self) -> tuple[str, ...]:
        """The enabled second factors."""
        return tuple(factor for factor in SECOND_FACTORS if factor in self.record.get("_mfa_enabled", ()))

    @property
    def preferred_factor(self) -> str | None:
        """The second factor that is used if there are several; None: the user chooses."""
        return self.record.get("_preferred_mfa") or None

    @property
    def totp_secret(self) -> str | None:
        """The secret of the user's authenticator app, base32 (RFC 4648 6)."""
        return self.record.get("_totp_secret")

    def pending_code(self, purpose: str) -> str | None:
        """The code that ministack expects: for a password reset (purpose "password"), otherwise for the confirmation of a
        sign-up.
        """
        return self.record.get("_reset_code" if purpose == "password" else "_confirmation_code")

    def set_attributes(self, attributes: Mapping[str, str]) -> None:
        """Add or replace attributes."""
        whole = {**self.attributes, **attributes}
        self.record["Attributes"] = [{"Name": name, "Value": value} for name, value in whole.items()]

    def set_password(self, password: str) -> None:
        """Set the user's own password, which confirms the user."""
        self.record.update(_password=password, UserStatus="CONFIRMED")

    def set_totp_secret(self, secret: str) -> None:
        """Set a verified authenticator app as the preferred second factor."""
        self.record["_totp_secret"] = secret
        self.set_factor("SOFTWARE_TOKEN_MFA", enabled=True, preferred=True)

    def set_factor(self, factor: str, *, enabled: bool | None, preferred: bool | None) -> None:
        """Enable or disable a second factor, and make it the preferred one or not; None changes nothing."""
        switched_on: list[str] = self.record.setdefault("_mfa_enabled", [])
        if enabled is not None:
            switched_on[:] = [each for each in switched_on if each != factor] + [factor] * enabled
        if preferred and factor in switched_on:
            self.record["_preferred_mfa"] = factor
        elif self.preferred_factor == factor and (preferred is False or factor not in switched_on):
            self.record["_preferred_mfa"] = ""
