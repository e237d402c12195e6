"""Pools, app clients, users and sign-ins of a stack, for tests.

Each method is one or a few operations of the Cognito API, with the settings that tests need as arguments. These calls are
never logged, held or affected by faults. They raise CallRefusedError if Cognito refuses them.
"""

from collections.abc import Iterable
from typing import Any, Literal

from cognito_session.local.pool import Pool, User
from cognito_session.local.stack_client import StackClient

__all__ = ["UserPoolAdmin"]

Mfa = Literal["OFF", "OPTIONAL", "ON"]
SecondFactor = Literal["SMS_MFA", "SOFTWARE_TOKEN_MFA", "EMAIL_OTP"]

_FLOWS = ("ALLOW_USER_PASSWORD_AUTH", "ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_USER_SRP_AUTH")
_FIRST_FACTORS = ("PASSWORD", "EMAIL_OTP", "SMS_OTP", "WEB_AUTHN")
_FACTOR_SETTINGS = {
    "SMS_MFA": "SMSMfaSettings",
    "SOFTWARE_TOKEN_MFA": "SoftwareTokenMfaSettings",
    "EMAIL_OTP": "EmailMfaSettings",
}
_PASSWORD_POLICY = {
    "MinimumLength": 8,
    "RequireUppercase": True,
    "RequireLowercase": True,
    "RequireNumbers": True,
    "RequireSymbols": True,
    "TemporaryPasswordValidityDays": 7,
}


class UserPoolAdmin:
    """The user pools of a stack and their users."""

    def __init__(self, client: StackClient) -> None:
        self._client = client

    def create_pool(
        self,
        name: str = "local",
        *,
        groups: Iterable[str] = (),
        device_tracking: bool | Literal["prompt", "instead_of_mfa"] = False,
        mfa: Mfa = "OFF",
        **client: Any,
    ) -> Pool:
        """A new pool with one app client; `client` holds arguments of `create_client`.

        mfa: whether a second factor is required never, from users who have one (`set_mfa`, `enroll_totp`), or from all users.
        device_tracking: whether sign-ins get devices, which ConfirmDevice must confirm before a refresh works; "prompt":
        DeviceOnlyRememberedOnUserPrompt; "instead_of_mfa": ChallengeRequiredOnNewDevice. A pool that requires a second factor
        allows only a password as the first factor, as on AWS.
        """
        devices = {
            "ChallengeRequiredOnNewDevice": device_tracking == "instead_of_mfa",
            "DeviceOnlyRememberedOnUserPrompt": device_tracking == "prompt",
        }
        settings: dict[str, Any] = {"DeviceConfiguration": devices} if device_tracking else {}
        first = {"AllowedFirstAuthFactors": _FIRST_FACTORS[:1] if mfa == "ON" else _FIRST_FACTORS}
        settings["Policies"] = {"PasswordPolicy": _PASSWORD_POLICY, "SignInPolicy": first}
        settings["AutoVerifiedAttributes"] = ["email"]
        pool_id = self.cognito("CreateUserPool", PoolName=name, **settings)["UserPool"]["Id"]
        totp = {"SoftwareTokenMfaConfiguration": {"Enabled": mfa != "OFF"}}
        self.cognito("SetUserPoolMfaConfig", UserPoolId=pool_id, MfaConfiguration=mfa, **totp)
        for group in groups:
            self.cognito("CreateGroup", UserPoolId=pool_id, GroupName=group)
        return self.create_client(pool_id, **client)

    def create_client(
        self,
        pool: Pool | str,
        *,
        access_token_seconds: int = 3600,
        id_token_seconds: int | None = None,
        refresh_token_days: float = 30,
        rotation_grace_seconds: int | None = None,
        client_secret: bool | str = False,
        token_revocation: bool = True,
        callback_urls: Iterable[str] = (),
        logout_urls: Iterable[str] = (),
        user_auth: bool = True,
        prevent_user_existence_errors: bool = True,
        auth_session_minutes: int = 3,
    ) -> Pool:
        """A new app client of a pool. `rotation_grace_seconds` None: no rotation. id_token_seconds None: as access tokens.

        user_auth: whether the client allows the USER_AUTH flow. prevent_user_existence_errors: whether an unknown user gets
        the same response as a known one. client_secret: True creates a secret, a text is the secret itself (24 to 64 word
        characters and plus signs). auth_session_minutes: how long a challenge can be answered. `callback_urls` enables the
        authorization-code grant with the scopes openid, email, profile and aws.cognito.signin.user.admin.
        """
        pool_id = pool if isinstance(pool, str) else pool.user_pool_id
        flows = (*_FLOWS, *(["ALLOW_USER_AUTH"] if user_auth else []))
        settings: dict[str, Any] = {
            "ClientName": "local",
            **({"ClientSecret": client_secret} if isinstance(client_secret, str) else {"GenerateSecret": client_secret}),
            "AccessTokenValidity": access_token_seconds,
            "IdTokenValidity": access_token_seconds if id_token_seconds is None else id_token_seconds,
            "RefreshTokenValidity": round(refresh_token_days * 86_400),
            "TokenValidityUnits": dict.fromkeys(("AccessToken", "IdToken", "RefreshToken"), "seconds"),
            "EnableTokenRevocation": token_revocation,
            "ExplicitAuthFlows": flows if rotation_grace_seconds is not None else [*flows, "ALLOW_REFRESH_TOKEN_AUTH"],
            "PreventUserExistenceErrors": "ENABLED" if prevent_user_existence_errors else "LEGACY",
            "AuthSessionValidity": auth_session_minutes,
            **_rotation(rotation_grace_seconds),
            **_hosted(list(callback_urls), list(logout_urls)),
        }
        made = self.cognito("CreateUserPoolClient", UserPoolId=pool_id, **settings)["UserPoolClient"]
        secret = made.get("ClientSecret")
        return Pool(pool_id, made["ClientId"], secret, self._client.url, self._client.region, rotation_grace_seconds)

    def create_user(
        self,
        pool: Pool,
        username: str,
        password: str | None = None,
        *,
        temporary_password: str | None = None,
        groups: Iterable[str] = (),
        email: str | None = None,
        phone: str | None = None,
    ) -> User:
        """A user with a password: confirmed, or with a temporary one that the first sign-in must replace.

        The groups must exist. email and phone (E.164) are verified. Raises ValueError unless exactly one of `password` and
        `temporary_password` is given.
        """
        if (password is None) == (temporary_password is None):
            raise ValueError("a user has a password or a temporary_password: pass one of them")
        who = {"UserPoolId": pool.user_pool_id, "Username": username}
        shown = {} if temporary_password is None else {"TemporaryPassword": temporary_password}
        attributes = [*_verified("email", email), *_verified("phone_number", phone)]
        made = self.cognito("AdminCreateUser", **who, **shown, MessageAction="SUPPRESS", UserAttributes=attributes)["User"]
        if password is not None:
            self.cognito("AdminSetUserPassword", **who, Password=password, Permanent=True)
        for group in groups:
            self.cognito("AdminAddUserToGroup", **who, GroupName=group)
        sub = next(each["Value"] for each in made["Attributes"] if each["Name"] == "sub")
        return User(made["Username"], sub)

    def set_mfa(self, pool: Pool, username: str, *factors: SecondFactor, preferred: SecondFactor | None = None) -> None:
        """Enable second factors in addition to those of the user; without `preferred` the user chooses at sign-in.

        SMS_MFA needs a phone, EMAIL_OTP an email, SOFTWARE_TOKEN_MFA `enroll_totp`. Raises CallRefusedError.
        """
        settings = {
            setting: {**({"Enabled": True} if factor in factors else {}), "PreferredMfa": factor == preferred}
            for factor, setting in _FACTOR_SETTINGS.items()
        }
        self.cognito("AdminSetUserMFAPreference", UserPoolId=pool.user_pool_id, Username=username, **settings)

    def sign_in(self, pool: Pool, username: str, password: str) -> dict[str, Any]:
        """Cognito's AuthenticationResult: AccessToken, IdToken, RefreshToken, ExpiresIn, TokenType."""
        parameters = {"USERNAME": username, "PASSWORD": password, "SECRET_HASH": pool.secret_hash(username)}
        shown = {name: value for name, value in parameters.items() if value is not None}
        asked = {"ClientId": pool.client_id, "AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": shown}
        result: dict[str, Any] = self.cognito("InitiateAuth", **asked)["AuthenticationResult"]
        return result

    def refresh(self, pool: Pool, refresh_token: str, **more: Any) -> dict[str, Any]:
        """GetTokensFromRefreshToken, without log entry and faults. Raises CallRefusedError."""
        secret = {} if pool.client_secret is None else {"ClientSecret": pool.client_secret}
        asked = {"ClientId": pool.client_id, "RefreshToken": refresh_token, **secret, **more}
        result: dict[str, Any] = self.cognito("GetTokensFromRefreshToken", **asked)["AuthenticationResult"]
        return result

    def revoke(self, pool: Pool, refresh_token: str) -> None:
        """RevokeToken."""
        secret = {} if pool.client_secret is None else {"ClientSecret": pool.client_secret}
        self.cognito("RevokeToken", ClientId=pool.client_id, Token=refresh_token, **secret)

    def disable_user(self, pool: Pool, username: str) -> None:
        """AdminDisableUser: every session of the user ends."""
        self.cognito("AdminDisableUser", UserPoolId=pool.user_pool_id, Username=username)

    def enable_user(self, pool: Pool, username: str) -> None:
        """AdminEnableUser."""
        self.cognito("AdminEnableUser", UserPoolId=pool.user_pool_id, Username=username)

    def delete_user(self, pool: Pool, username: str) -> None:
        """AdminDeleteUser."""
        self.cognito("AdminDeleteUser", UserPoolId=pool.user_pool_id, Username=username)

    def sign_out_user(self, pool: Pool, username: str) -> None:
        """AdminUserGlobalSignOut."""
        self.cognito("AdminUserGlobalSignOut", UserPoolId=pool.user_pool_id, Username=username)

    def cognito(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """Any operation of the Cognito API, without log entry and faults. Raises CallRefusedError."""
        return self._client.api("cognito-idp", operation, parameters)


def _verified(attribute: str, value: str | None) -> list[dict[str, str]]:
    if value is None:
        return []
    return [{"Name": attribute, "Value": value}, {"Name": f"{attribute}_verified", "Value": "true"}]


def _rotation(grace_seconds: int | None) -> dict[str, Any]:
    if grace_seconds is None:
        return {}
    return {"RefreshTokenRotation": {"Feature": "ENABLED", "RetryGracePeriodSeconds": grace_seconds}}


def _hosted(callback_urls: list[str], logout_urls: list[str]) -> dict[str, Any]:
    if not callback_urls:
        return {}
    return {
        "CallbackURLs": callback_urls,
        "LogoutURLs": logout_urls,
        "SupportedIdentityProviders": ["COGNITO"],
        "AllowedOAuthFlows": ["code"],
        "AllowedOAuthScopes": ["openid", "email", "profile", "aws.cognito.signin.user.admin"],
        "AllowedOAuthFlowsUserPoolClient": True,
    }
