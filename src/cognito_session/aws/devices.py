"""ConfirmDevice and ForgetDevice: unsigned operations with the user's own access token, sent at most once.

https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_ConfirmDevice.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cognito_session.aws.transport.interface import AnswerLost, NotSent, ServiceError
from cognito_session.core.errors import ProviderUnavailable
from cognito_session.core.protocol.ports import PoolRefusal
from cognito_session.core.secret import Secret

if TYPE_CHECKING:
    from cognito_session.aws.transport.interface import Wire
    from cognito_session.core.protocol.ports import DeviceConfirmation

__all__ = ["confirm_device", "forget_device"]

_TIMEOUT_SECONDS: Final = 3.0
_CONFIRMED_BEFORE: Final = "DeviceKeyExistsException"
"""Cognito also answers this to a repeated ConfirmDevice whose first answer was lost."""
_UNKNOWN: Final = "ResourceNotFoundException"
_REFUSALS: Final = frozenset(
    {
        _CONFIRMED_BEFORE,
        _UNKNOWN,
        "InvalidParameterException",
        "InvalidPasswordException",
        "NotAuthorizedException",
        "PasswordResetRequiredException",
        "UserNotConfirmedException",
        "UserNotFoundException",
        "UsernameExistsException",
    }
)
"""Codes about this device, this user or this token. After any other code, a later try may succeed."""
_SERVER_ERROR: Final = 500


def confirm_device(wire: Wire, confirmation: DeviceConfirmation) -> PoolRefusal | None:
    """None if the device is confirmed. Raises ProviderUnavailable and ConfigurationError if that could not be found out."""
    payload = {
        "AccessToken": Secret(confirmation.access_token),
        "DeviceKey": confirmation.device_key,
        "DeviceName": confirmation.name,
        "DeviceSecretVerifierConfig": {"PasswordVerifier": Secret(confirmation.verifier), "Salt": confirmation.salt},
    }
    refusal = _call(wire, "ConfirmDevice", payload)
    return None if refusal is None or refusal.code == _CONFIRMED_BEFORE else refusal


def forget_device(wire: Wire, access_token: str, device_key: str) -> None:
    """Delete the device. Raises ProviderUnavailable and ConfigurationError if it may still exist."""
    refusal = _call(wire, "ForgetDevice", {"AccessToken": Secret(access_token), "DeviceKey": device_key})
    if refusal is not None and refusal.code != _UNKNOWN:
        raise ProviderUnavailable(f"Cognito refused ForgetDevice ({refusal.code})", sent=True)


def _call(wire: Wire, operation: str, payload: dict[str, Any]) -> PoolRefusal | None:
    try:
        wire.call("cognito-idp", operation, payload, timeout_seconds=_TIMEOUT_SECONDS, signed=False, once=True)
    except ServiceError as error:
        if error.code in _REFUSALS and error.status < _SERVER_ERROR:
            return PoolRefusal(error.code, error.message)
        from cognito_session.aws.cognito_codes import pool_failure

        raise pool_failure(error) from error
    except NotSent as error:
        raise ProviderUnavailable(f"Cognito: {error}", sent=False) from error
    except AnswerLost as error:
        raise ProviderUnavailable(f"Cognito: {error}", sent=None) from error
    return None
