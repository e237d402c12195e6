"""CognitoProvider: Amazon Cognito's user pools API as an IdentityProvider.

The refresh call is sent exactly once and never resent. Every answer is translated by its code, and by its message only if
Cognito uses one code for several causes (NotAuthorizedException, refusal_messages.py). A control call (control_call.py)
judges an unrecognized refusal. A wrong setup ends no session.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cognito_session.aws import refusal_messages as words
from cognito_session.aws.client_secret import ClientSecret, secret_hash
from cognito_session.aws.transport.interface import AnswerLost, NotSent, ServiceError, UnknownOperation
from cognito_session.core.crypto.access_token import MAX_REFRESH_TOKEN_CHARS, MAX_TOKEN_CHARS
from cognito_session.core.errors import ConfigurationError, ProviderUnavailable
from cognito_session.core.policy import CALL_LIMIT_SECONDS
from cognito_session.core.protocol.ports import DEVICE_REFUSED, TOO_LATE, NewTokens, RefreshDenied, RefreshRequest
from cognito_session.core.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from cognito_session.aws.control_call import ControlCalls
    from cognito_session.aws.transport.interface import Wire
    from cognito_session.core.protocol.ports import Clock, DeviceConfirmation, PoolRefusal

__all__ = ["CognitoProvider"]

_REVOKE_TIMEOUT_SECONDS: Final = 3.0
_LEAST_SECONDS: Final = 0.5  # with less time left, a control call is not sent
_DEAD: Final = frozenset({"RefreshTokenReuseException", "UserNotFoundException"})
_UNSUPPORTED_OPERATION: Final = frozenset({"UnknownOperationException", "InvalidAction", "UnsupportedOperation", "HTTP404"})
_MISCONFIGURED: Final = frozenset(
    {
        "ResourceNotFoundException",
        "InvalidParameterException",
        "ValidationException",  # botocore refused to send, for example a secret of the wrong length
        "OperationNotEnabledException",
        "InvalidClientException",
    }
)


class CognitoProvider:
    """Refreshes and revokes for one app client. `wire` is called at the first use."""

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
        self._control_calls: dict[str, ControlCalls] = {}
        self._initiate_auth_only = False

    def __repr__(self) -> str:
        return f"CognitoProvider(client_id={self._client_id!r})"

    def refresh(self, request: RefreshRequest) -> NewTokens | RefreshDenied:
        """One refresh call, by GetTokensFromRefreshToken, or by InitiateAuth if that operation is unsupported.

        Raises ProviderUnavailable and ConfigurationError.
        https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_GetTokensFromRefreshToken.html
        """
        if not self._initiate_auth_only:
            try:
                return self._send("GetTokensFromRefreshToken", self._get_tokens(request), request)
            except _UnsupportedOperation:
                pass
        answer = self._send("InitiateAuth", self._initiate_auth(request), request)
        if isinstance(answer, NewTokens):  # only a success proves it: a proxy may answer 404
            self._initiate_auth_only = True
        return answer

    def revoke(self, refresh_token: str) -> None:
        """RevokeToken; a token that is already dead is no error. Raises ProviderUnavailable or ConfigurationError."""
        payload: dict[str, Any] = {"Token": Secret(refresh_token), "ClientId": self._client_id}
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
            if words.is_about_client_secret(error.code, error.message):
                raise _wrong_secret(error) from error
            if error.code in _MISCONFIGURED:
                raise ConfigurationError(f"Cognito refused RevokeToken ({error.code}): check CLIENT_ID") from error
            if error.code == "NotAuthorizedException":
                if _is_dead(error) or words.is_invalid_token(error.message):
                    return
                raise ProviderUnavailable(f"Cognito: {error}: its message is not known", sent=True) from error
            from cognito_session.aws.cognito_codes import pool_failure

            raise pool_failure(error) from error
        except (NotSent, AnswerLost) as error:
            raise ProviderUnavailable(f"Cognito: {error}", sent=None) from error

    def global_sign_out(self, username: str) -> None:
        """AdminUserGlobalSignOut, signed: the role must allow it. Raises ProviderUnavailable or ConfigurationError."""
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

    def confirm_device(self, confirmation: DeviceConfirmation) -> PoolRefusal | None:
        """ConfirmDevice, sent at most once. Raises ProviderUnavailable and ConfigurationError."""
        from cognito_session.aws.devices import confirm_device  # imported only for pools that track devices

        return confirm_device(self._wire(), confirmation)

    def forget_device(self, access_token: str, device_key: str) -> None:
        """ForgetDevice. Raises ProviderUnavailable and ConfigurationError."""
        from cognito_session.aws.devices import forget_device

        forget_device(self._wire(), access_token, device_key)

    def _get_tokens(self, request: RefreshRequest) -> dict[str, Any]:
        payload: dict[str, Any] = {"RefreshToken": Secret(request.refresh_token), "ClientId": self._client_id}
        secret = self._client_secret.read()
        if secret is not None:
            payload["ClientSecret"] = secret
        if request.device_key is not None:
            payload["DeviceKey"] = request.device_key
        return payload

    def _initiate_auth(self, request: RefreshRequest) -> dict[str, Any]:
        parameters: dict[str, Any] = {"REFRESH_TOKEN": Secret(request.refresh_token)}
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

    def _send(self, operation: str, payload: dict[str, Any], request: RefreshRequest) -> NewTokens | RefreshDenied:
        try:
            return self._sent(operation, payload, request)
        except _UnrecognizedRefusal as refusal:
            error = refusal.error
        from cognito_session.aws.control_call import ControlCalls, log_control_call, refuses_all

        calls = self._control_calls.setdefault(self._client_id, ControlCalls(self._clock))
        said = words.comparable_form(error.message, request.username, self._client_id)
        sent: list[str] = []

        def control() -> str | None:
            sent.append(operation)
            return self._control(operation, payload, request)

        cause = calls.judge(said, control)
        if sent:
            log_control_call(error, cause)
        if cause == "client":
            raise refuses_all(error) from error
        if cause == "token, just tested" and self._clock.monotonic() <= request.send_before:
            return self._once_more(operation, payload, request, said)
        return RefreshDenied("dead" if cause == "token" else "unknown", error.code)

    def _sent(self, operation: str, payload: dict[str, Any], request: RefreshRequest) -> NewTokens | RefreshDenied:
        """One call. Raises _UnrecognizedRefusal for a refusal whose message is not known."""
        if self._clock.monotonic() > request.send_before:  # reading the secret or a first try may have taken long
            raise ProviderUnavailable("the lease is nearly over: not sent", sent=False, reason=TOO_LATE)
        try:
            answer = self._wire().call(
                "cognito-idp", operation, payload, timeout_seconds=CALL_LIMIT_SECONDS, signed=False, once=True
            )
        except ServiceError as error:
            if operation == "GetTokensFromRefreshToken" and error.code in _UNSUPPORTED_OPERATION:
                raise _UnsupportedOperation from error
            return _refusal(error, request)
        except UnknownOperation as error:  # botocore before 1.38; nothing has left
            if operation == "GetTokensFromRefreshToken":
                raise _UnsupportedOperation from error
            raise
        except NotSent as error:
            raise ProviderUnavailable(f"Cognito: {error}", sent=False) from error
        except AnswerLost as error:
            raise ProviderUnavailable(f"Cognito: {error}", sent=None) from error
        return _new_tokens(answer)

    def _once_more(
        self, operation: str, payload: dict[str, Any], request: RefreshRequest, said: str
    ) -> NewTokens | RefreshDenied:
        """Repeat the refused call after the control call: the operator may have repaired a fault between the two.

        This is no resend, because Cognito has refused the first one.
        """
        try:
            return self._sent(operation, payload, request)
        except _UnrecognizedRefusal as refusal:
            again = words.comparable_form(refusal.error.message, request.username, self._client_id)
            return RefreshDenied("dead" if again == said else "unknown", refusal.error.code)

    def _control(self, operation: str, payload: dict[str, Any], request: RefreshRequest) -> str | None:
        """Send the control call. Returns the message that refuses a token that cannot exist, or None without such a refusal.

        It ends before the lease does. Raises NotSent.
        """
        from cognito_session.aws.control_call import with_impossible_token

        left = request.send_before + CALL_LIMIT_SECONDS - self._clock.monotonic()
        if left < _LEAST_SECONDS:
            raise NotSent("control call: no time left in the lease")
        seconds, tried = min(left, CALL_LIMIT_SECONDS), with_impossible_token(payload)
        try:
            self._wire().call("cognito-idp", operation, tried, timeout_seconds=seconds, signed=False, once=True)
        except ServiceError as error:
            if words.is_about_client_secret(error.code, error.message):
                raise _wrong_secret(error) from error
            if error.code != "NotAuthorizedException":
                return None
            return words.comparable_form(error.message, request.username, self._client_id)
        except AnswerLost:
            return None
        return None


class _UnrecognizedRefusal(Exception):
    """A refusal whose message this version does not know."""

    def __init__(self, error: ServiceError) -> None:
        super().__init__(error.code)
        self.error = error


class _UnsupportedOperation(Exception):
    """The endpoint or the SDK does not support GetTokensFromRefreshToken."""


def _new_tokens(answer: dict[str, Any]) -> NewTokens:
    """The tokens of a 200 answer. A rotated refresh token is kept even without an access token: it has no other copy."""
    result = answer.get("AuthenticationResult")
    found = result if isinstance(result, dict) else {}
    access, refresh_token = found.get("AccessToken"), found.get("RefreshToken")
    rotated = refresh_token if isinstance(refresh_token, str) and refresh_token else None
    if not isinstance(access, str):
        access = ""
    if rotated is None and not access:
        raise ProviderUnavailable("Cognito's refresh answered without an access token", sent=True)
    if len(rotated or "") > MAX_REFRESH_TOKEN_CHARS or (rotated is None and len(access) > MAX_TOKEN_CHARS):
        raise ProviderUnavailable("Cognito's refresh answered with a token that is too long to be one", sent=True)
    return NewTokens(access, rotated)


def _refusal(error: ServiceError, request: RefreshRequest) -> RefreshDenied:
    """The verdict of an error answer. Raises an error if it is no verdict."""
    if error.code in _DEAD:
        return RefreshDenied("dead", error.code)
    if words.is_about_client_secret(error.code, error.message):
        raise _wrong_secret(error) from error
    if error.code == "NotAuthorizedException":
        return _not_authorized(error, request)
    if error.code in _MISCONFIGURED:
        raise ConfigurationError(
            f"Cognito refused the refresh ({error.code}): check CLIENT_ID, CLIENT_SECRET, the pool's region, and that the"
            " app client allows refresh tokens (with rotation on: GetTokensFromRefreshToken only)"
        ) from error
    raise ProviderUnavailable(f"Cognito: {error}", sent=True, retry_after=error.retry_after) from error


def _not_authorized(error: ServiceError, request: RefreshRequest) -> RefreshDenied:
    """NotAuthorizedException has many causes, from a revoked token to a wrong client secret. Its message tells them apart."""
    if _is_dead(error):
        return RefreshDenied("dead", error.code)
    if not words.is_invalid_token(error.message):
        raise _UnrecognizedRefusal(error)
    if request.device_key is not None:
        return RefreshDenied("dead", DEVICE_REFUSED)  # never confirmed, or forgotten: no later call can succeed
    return RefreshDenied("dead", error.code)


def _is_dead(error: ServiceError) -> bool:
    return error.code == "NotAuthorizedException" and words.is_dead_token(error.message)


def _wrong_secret(error: ServiceError) -> ConfigurationError:
    return ConfigurationError(f"Cognito refused {error.operation} ({error.code}): {words.WRONG_SECRET}")
