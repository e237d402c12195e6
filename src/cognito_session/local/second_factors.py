"""Second factors: which of them a user has, and which one follows a password.

1. MfaConfiguration OFF requires no factor, OPTIONAL requires one from users who have one, ON from all users.
2. If there are several, the preferred one is used. Without a preference the user chooses.
ministack models the authenticator app and the switch of SMS_MFA. This file adds EMAIL_OTP and the conditions of each factor.
https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_SetUserMFAPreference.html
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from cognito_session.local.emulator import Emulator
from cognito_session.local.http_response import HttpResponse, api_error
from cognito_session.local.ministack_records import AppClient, UserRecord

__all__ = ["SecondFactors"]

_SETTINGS: Final = {
    "SMSMfaSettings": "SMS_MFA",
    "SoftwareTokenMfaSettings": "SOFTWARE_TOKEN_MFA",
    "EmailMfaSettings": "EMAIL_OTP",
}


class SecondFactors:
    """The second factors of users."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator

    async def set_preference(self, payload: Mapping[str, Any], onward: Callable[[], Awaitable[HttpResponse]]) -> HttpResponse:
        """SetUserMFAPreference and AdminSetUserMFAPreference; `onward` calls ministack, which checks the permission."""
        account = self._account(payload)
        wanted = {factor: payload[name] for name, factor in _SETTINGS.items() if isinstance(payload.get(name), dict)}
        for factor, setting in wanted.items():
            if account and setting.get("Enabled") and (error := _missing(account, factor)):
                return api_error("InvalidParameterException", error)
        answer = await onward()
        if account and answer.error is None:
            for factor, setting in wanted.items():
                account.set_factor(factor, enabled=setting.get("Enabled"), preferred=setting.get("PreferredMfa"))
        return answer

    def _account(self, payload: Mapping[str, Any]) -> UserRecord | None:
        claims = self._emulator.claims(payload.get("AccessToken") or "")
        pool = self._emulator.pool(payload.get("UserPoolId") or str(claims.get("iss")).rpartition("/")[2])
        return self._emulator.account(pool, payload.get("Username") or claims.get("username")) if pool else None

    @staticmethod
    def after_password(client: AppClient, account: UserRecord) -> str | None:
        """The challenge after a correct password, MFA_SETUP and SELECT_MFA_TYPE included; None if there is none."""
        if client.mfa == "OFF":
            return None
        if not account.factors:
            return "MFA_SETUP" if client.mfa == "ON" else None
        if len(account.factors) == 1:
            return account.factors[0]
        return account.preferred_factor or "SELECT_MFA_TYPE"


def _missing(account: UserRecord, factor: str) -> str | None:
    if factor == "SOFTWARE_TOKEN_MFA":
        return None if account.totp_secret else "User has not verified software token mfa"
    attribute = "phone_number" if factor == "SMS_MFA" else "email"
    return None if attribute in account.attributes else f"User does not have delivery config set to turn on {factor}"
