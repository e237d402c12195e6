"""ConfirmDevice, GetDevice, ListDevices, UpdateDeviceStatus, ForgetDevice and GetUserAuthFactors.

Each needs a valid access token with the scope aws.cognito.signin.user.admin. The message texts are the ones observed from AWS,
if known.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

from cognito_session.local.devices import Device, DeviceBook
from cognito_session.local.emulator import Emulator
from cognito_session.local.grants import Grants, OperationRefusedError
from cognito_session.local.http_response import HttpResponse, api_error, json_response
from cognito_session.local.ministack_records import AppClient, UserRecord
from cognito_session.local.required_parameters import required
from cognito_session.testing.clock import SharedClock

__all__ = ["DEVICE_OPERATIONS", "DeviceApi"]

DEVICE_OPERATIONS: Final = frozenset(
    {"ConfirmDevice", "ForgetDevice", "GetDevice", "GetUserAuthFactors", "ListDevices", "UpdateDeviceStatus"}
)
_SCOPE: Final = "aws.cognito.signin.user.admin"
_MOST_DEVICES: Final = 60


class DeviceApi:
    """The operations on a user's devices."""

    def __init__(self, emulator: Emulator, grants: Grants, devices: DeviceBook, clock: SharedClock) -> None:
        self._emulator = emulator
        self._grants = grants
        self._devices = devices
        self._clock = clock

    def answer(self, operation: str, payload: Mapping[str, Any]) -> HttpResponse:
        """The response to one of DEVICE_OPERATIONS. Raises OperationRefusedError."""
        client, account = self._who(payload)
        if operation == "GetUserAuthFactors":
            return json_response(self._factors(client, account))
        if not client.tracks_devices:
            raise OperationRefusedError(
                api_error("InvalidUserPoolConfigurationException", "User pool does not have device tracking enabled")
            )
        if operation == "ListDevices":
            return json_response(self._listed(client, account, payload))
        device = self._device(client, account, required(payload, "DeviceKey"))
        if operation == "ConfirmDevice":
            return json_response({"UserConfirmationNecessary": self._confirm(client, device, payload)})
        if not device.confirmed:
            raise _unknown_device()
        if operation == "GetDevice":
            return json_response({"Device": device.shown()})
        if operation == "UpdateDeviceStatus":
            self._update(device, payload.get("DeviceRememberedStatus"))
        else:
            self._devices.forget(client.pool_id, account.sub, device.key)
        return json_response({})

    def _who(self, payload: Mapping[str, Any]) -> tuple[AppClient, UserRecord]:
        token = required(payload, "AccessToken")
        account = self._emulator.token_owner(token)
        if account is None:
            raise OperationRefusedError(api_error("NotAuthorizedException", "Invalid Access Token"))
        claims = self._emulator.claims(token)
        if _SCOPE not in str(claims.get("scope")).split():
            raise OperationRefusedError(api_error("NotAuthorizedException", "Access Token does not have required scopes"))
        return self._grants.client(claims.get("client_id")), account

    def _device(self, client: AppClient, account: UserRecord, key: str) -> Device:
        device = self._devices.issued(client.pool_id, account.sub, key)
        if device is None:
            raise _unknown_device()
        return device

    def _confirm(self, client: AppClient, device: Device, payload: Mapping[str, Any]) -> bool:
        """Confirm the device; True if the user must agree before it is remembered."""
        if device.confirmed:
            raise OperationRefusedError(api_error("DeviceKeyExistsException", "Device already exists"))
        config = payload.get("DeviceSecretVerifierConfig") or {}
        if config:
            device.verifier, device.salt = _number(config, "PasswordVerifier"), _number(config, "Salt")
        name = payload.get("DeviceName")
        device.name = name if isinstance(name, str) else None
        device.confirmed, device.remembered = True, not client.asks_before_remembering
        device.modified_at = self._clock.now()
        return client.asks_before_remembering

    def _update(self, device: Device, status: object) -> None:
        if status not in (None, "remembered", "not_remembered"):
            raise OperationRefusedError(
                api_error("InvalidParameterException", "DeviceRememberedStatus: remembered or not_remembered")
            )
        device.remembered, device.modified_at = status == "remembered", self._clock.now()

    def _listed(self, client: AppClient, account: UserRecord, payload: Mapping[str, Any]) -> dict[str, Any]:
        """One page: `Limit` devices after the one that PaginationToken names."""
        devices, after = self._devices.of_user(client.pool_id, account.sub), payload.get("PaginationToken")
        keys = [device.key for device in devices]
        if after is not None and after not in keys:
            raise OperationRefusedError(api_error("InvalidParameterException", "Invalid pagination token."))
        start = keys.index(after) + 1 if after is not None else 0
        end = start + min(int(payload.get("Limit") or _MOST_DEVICES), _MOST_DEVICES)
        more = {"PaginationToken": keys[end - 1]} if end < len(keys) else {}
        return {"Devices": [device.shown() for device in devices[start:end]], **more}

    @staticmethod
    def _factors(client: AppClient, account: UserRecord) -> dict[str, Any]:
        """The first and second factors of a user (API_GetUserAuthFactors)."""
        preferred = {"PreferredMfaSetting": account.preferred_factor} if account.preferred_factor else {}
        enabled = {"UserMFASettingList": list(account.factors)} if account.factors else {}
        lacking = {"EMAIL_OTP": "email", "SMS_OTP": "phone_number"}
        known = (None, *account.attributes)
        factors = [factor for factor in client.first_factors if lacking.get(factor) in known]
        return {"Username": account.username, **preferred, **enabled, "ConfiguredUserAuthFactors": factors}


def _number(config: Any, name: str) -> int:
    try:
        return int.from_bytes(base64.b64decode(config[name], validate=True), "big")
    except (KeyError, TypeError, ValueError, binascii.Error):
        raise OperationRefusedError(
            api_error("InvalidParameterException", f"Invalid device secret verifier config: {name}")
        ) from None


def _unknown_device() -> OperationRefusedError:
    return OperationRefusedError(api_error("ResourceNotFoundException", "Device does not exist."))
