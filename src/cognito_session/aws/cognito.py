"""CognitoProvider: Amazon Cognito's user pools API as an IdentityProvider.

The refresh call is sent exactly once and never resent; every answer is translated by its code, and by its message only
where Cognito uses one code for everything (NotAuthorizedException). Only words that are known to mean "this refresh
token is dead" do; a wrong client secret is the operator's error and ends nobody's session.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cognito_session.aws.client_secret import ClientSecret, secret_hash
from cognito_session.aws.wire import AnswerLost, NotSent, ServiceError
from cognito_session.core.errors import ConfigurationError, ProviderUnavailable
from cognito_session.core.policy import CALL_LIMIT_SECONDS
from cognito_session.core.ports import TOO_LATE, Denied, NewTokens, RefreshRequest
from cognito_session.core.token import MAX_TOKEN_CHARS

if TYPE_CHECKING:
    from collections.abc import Callable

    from cognito_session.aws.wire import Wire
    from cognito_session.core.ports import Clock

__all__ = ["CognitoProvider"]

_REVOKE_TIMEOUT_SECONDS: Final = 3.0
_DEAD: Final = frozenset({"RefreshTokenReuseException", "UserNotFoundException"})
_DEAD_WORDS: Final = (
    "refresh token has been revoked",
    "refresh token has expired",
    "refresh token expired",
    "token has been revoked",
    "user is disabled",
)
_SECRET_WORDS: Final = ("secret hash", "client secret", "secret_hash", "configured with secret")
_NOT_TO_BE_HAD: Final = frozenset({"UnknownOperationException", "InvalidAction", "UnsupportedOperation", "HTTP404"})
_MISCONFIGURED: Final = frozenset(
    {
        "ResourceNotFoundException",
        "InvalidParameterException",
        "ValidationException",  # what botocore itself refuses to send, a secret of the wrong length for instance
        "OperationNotEnabledException",
        "InvalidClientException",
    }
)


class CognitoProvider:
    """Refreshes and revokes for one app client. `wire` is called for at the first use."""

    def __init__(
        self,
        wire: Callable[[], Wire],
        *,
        client_id: str,
        client_secret: ClientSecret,
        clock: Clock,
        user_pool_id: str = "",
    ) -> None:
        self._wire = wire
        self._user_pool_id = user_pool_id
        self._client_id = client_id
        self._client_secret = client_secret
        self._clock = clock
        self._initiate_auth_only = False

    def __repr__(self) -> str:
        return f"CognitoProvider(client_id={self._client_id!r})"

    def refresh(self, request: RefreshRequest) -> NewTokens | Denied:
        """One refresh call, by GetTokensFromRefreshToken; by InitiateAuth where that operation is not to be had.

        Raises ProviderUnavailable and ConfigurationError.
        https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_GetTokensFromRefreshToken.html
        """
        if not self._initiate_auth_only:
            try:
                return self._send("GetTokensFromRefreshToken", self._get_tokens(request), request)
            except _NotToBeHad:
                self._initiate_auth_only = True
        return self._send("InitiateAuth", self._initiate_auth(request), request)

    def revoke(self, refresh_token: str) -> None:
        """RevokeToken; a token that is already dead is no error. Raises ProviderUnavailable or ConfigurationError."""
        payload = {"Token": refresh_token, "ClientId": self._client_id}
        secret = self._client_secret.read()
        if secret is not None:
            payload["ClientSecret"] = secret
        try:
            self._wire().call("cognito-idp", "RevokeToken", payload, timeout_seconds=_REVOKE_TIMEOUT_SECONDS, signed=False)
        except ServiceError as error:
            if error.code in ("UnsupportedOperationException", "UnsupportedTokenTypeException"):
                raise ConfigurationError(
                    "RevokeToken: turn on EnableTokenRevocation for the app client (Cognito console: App clients)"
                ) from error
            if _speaks_of_secret(error):
                raise _wrong_secret(error) from error
            if error.code in _MISCONFIGURED:
                raise ConfigurationError(f"Cognito refused RevokeToken ({error.code}): check CLIENT_ID") from error
            if error.code != "NotAuthorizedException":
                from cognito_session.aws.cognito_codes import pool_failure

                raise pool_failure(error) from error
        except (NotSent, AnswerLost) as error:
            raise ProviderUnavailable(f"Cognito: {error}", sent=None) from error

    def global_sign_out(self, username: str) -> None:
        """AdminUserGlobalSignOut; signed, so the role must allow it. Raises ProviderUnavailable or ConfigurationError."""
        payload = {"UserPoolId": self._user_pool_id, "Username": username}
        try:
            self._wire().call("cognito-idp", "AdminUserGlobalSignOut", payload, timeout_seconds=_REVOKE_TIMEOUT_SECONDS)
        except ServiceError as error:
            if error.code == "UserNotFoundException":
                return
            from cognito_session.aws.cognito_codes import pool_failure

            raise pool_failure(error) from error
        except (NotSent, AnswerLost) as error:
            raise ProviderUnavailable(f"Cognito: {error}", sent=None) from error

    def _get_tokens(self, request: RefreshRequest) -> dict[str, Any]:
        payload: dict[str, Any] = {"RefreshToken": request.refresh_token, "ClientId": self._client_id}
        secret = self._client_secret.read()
        if secret is not None:
            payload["ClientSecret"] = secret
        if request.device_key is not None:
            payload["DeviceKey"] = request.device_key
        return payload

    def _initiate_auth(self, request: RefreshRequest) -> dict[str, Any]:
        parameters = {"REFRESH_TOKEN": request.refresh_token}
        secret = self._client_secret.read()
        if secret is not None:
            if request.username is None:
                raise ConfigurationError(
                    "refreshing by InitiateAuth with a client secret needs the user's name: store it as `username` in the row"
                )
            parameters["SECRET_HASH"] = secret_hash(request.username, self._client_id, secret)
        if request.device_key is not None:
            parameters["DEVICE_KEY"] = request.device_key
        return {"AuthFlow": "REFRESH_TOKEN_AUTH", "ClientId": self._client_id, "AuthParameters": parameters}

    def _send(self, operation: str, payload: dict[str, Any], request: RefreshRequest) -> NewTokens | Denied:
        if self._clock.monotonic() > request.send_before:  # reading the secret or a first try may have taken long
            raise ProviderUnavailable("the lease is nearly over: not sent", sent=False, reason=TOO_LATE)
        try:
            answer = self._wire().call(
                "cognito-idp", operation, payload, timeout_seconds=CALL_LIMIT_SECONDS, signed=False, once=True
            )
        except ServiceError as error:
            if operation == "GetTokensFromRefreshToken" and error.code in _NOT_TO_BE_HAD:
                raise _NotToBeHad from error
            return _refusal(error, request)
        except NotSent as error:
            raise ProviderUnavailable(f"Cognito: {error}", sent=False) from error
        except AnswerLost as error:
            raise ProviderUnavailable(f"Cognito: {error}", sent=None) from error
        return _new_tokens(answer)


class _NotToBeHad(Exception):
    """The endpoint does not know GetTokensFromRefreshToken."""


def _new_tokens(answer: dict[str, Any]) -> NewTokens:
    result = answer.get("AuthenticationResult")
    access = result.get("AccessToken") if isinstance(result, dict) else None
    if not isinstance(result, dict) or not isinstance(access, str):
        raise ProviderUnavailable("Cognito's refresh answered without an access token", sent=True)
    refresh_token = result.get("RefreshToken")
    rotated = refresh_token if isinstance(refresh_token, str) and refresh_token else None
    if max(len(access), len(rotated or "")) > MAX_TOKEN_CHARS:
        raise ProviderUnavailable("Cognito's refresh answered with a token that is too long to be one", sent=True)
    return NewTokens(access, rotated)


def _refusal(error: ServiceError, request: RefreshRequest) -> Denied:
    """What an error answer means for the session. Raises what is no verdict."""
    if error.code in _DEAD:
        return Denied("dead", error.code)
    if error.code == "NotAuthorizedException":
        return _not_authorized(error, request)
    if error.code in _MISCONFIGURED:
        raise ConfigurationError(
            f"Cognito refused the refresh ({error.code}): check CLIENT_ID, CLIENT_SECRET, the pool's region, and that the"
            " app client allows refresh tokens (with rotation on: GetTokensFromRefreshToken only)"
        ) from error
    raise ProviderUnavailable(f"Cognito: {error}", sent=True, retry_after=error.retry_after) from error


def _not_authorized(error: ServiceError, request: RefreshRequest) -> Denied:
    """NotAuthorizedException says everything from "revoked" to "wrong client secret"; its message tells which."""
    words = error.message.lower()
    if _speaks_of_secret(error):
        raise _wrong_secret(error) from error
    if any(known in words for known in _DEAD_WORDS):
        return Denied("dead", error.code)
    if "invalid refresh token" in words:
        if request.device_key is not None:
            raise ConfigurationError(
                "Cognito does not accept this refresh token for the remembered device: check the user pool's device"
                " tracking; the session is kept"
            ) from error
        return Denied("dead", error.code)
    return Denied("unknown", error.code)


def _speaks_of_secret(error: ServiceError) -> bool:
    words = error.message.lower()
    return error.code == "NotAuthorizedException" and any(known in words for known in _SECRET_WORDS)


def _wrong_secret(error: ServiceError) -> ConfigurationError:
    return ConfigurationError(
        f"CLIENT_SECRET: Cognito does not accept it ({error.operation}). It is found in the Cognito console under App"
        " clients; a public client has none"
    )
