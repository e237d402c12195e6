"""The devices that a user pool tracks: pure rules that take the time as an argument.

1. A sign-in without a known device gets a new device key. The device counts only after ConfirmDevice.
2. A refresh of a sign-in with a device key needs this key, and the device must be confirmed and not forgotten.
3. A remembered device proves itself at sign-in by SRP: DEVICE_SRP_AUTH, then DEVICE_PASSWORD_VERIFIER.
https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-device-tracking.html
"""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
import uuid
from dataclasses import dataclass, field
from typing import Any, Final

from cognito_session.core.crypto.srp import GENERATOR, GROUP, claim_key, number_bytes
from cognito_session.local.ministack_records import AppClient

__all__ = ["Device", "DeviceBook", "DeviceProof", "new_device_key"]

_HEX: Final = re.compile(r"[0-9a-fA-F]{1,1024}")


def new_device_key(pool_id: str) -> str:
    """A device key: the pool's region and a UUID."""
    return f"{pool_id.partition('_')[0]}_{uuid.uuid4()}"


@dataclass(slots=True, eq=False)
class Device:
    """One device of one user. `verifier` and `salt` come from ConfirmDevice; None if it had none."""

    key: str
    group: str
    confirmed: bool = False
    remembered: bool = False
    name: str | None = None
    verifier: int | None = field(default=None, repr=False)
    salt: int | None = field(default=None, repr=False)
    created_at: float = 0
    modified_at: float = 0
    authenticated_at: float = 0

    def shown(self) -> dict[str, Any]:
        """The device as a DeviceType (API_DeviceType)."""
        attributes = {"device_name": self.name, "device_status": "valid"}
        return {
            "DeviceKey": self.key,
            "DeviceAttributes": [{"Name": name, "Value": value} for name, value in attributes.items() if value],
            "DeviceCreateDate": self.created_at,
            "DeviceLastModifiedDate": self.modified_at,
            "DeviceLastAuthenticatedDate": self.authenticated_at,
        }


class DeviceBook:
    """Every device that was issued, by pool and user."""

    def __init__(self) -> None:
        self._devices: dict[tuple[str, str], dict[str, Device]] = {}

    def issue(self, pool_id: str, sub: str, key: str, now: float) -> Device:
        """A new, unconfirmed device of a user."""
        device = Device(key, f"-{secrets.token_hex(4)}", created_at=now, modified_at=now, authenticated_at=now)
        self._devices.setdefault((pool_id, sub), {})[key] = device
        return device

    def issued(self, pool_id: str, sub: str, key: object) -> Device | None:
        """The device of this key, confirmed or not."""
        return self._devices.get((pool_id, sub), {}).get(key) if isinstance(key, str) else None

    def confirmed(self, pool_id: str, sub: str, key: object) -> Device | None:
        """The device of this key, if it was confirmed and not forgotten."""
        device = self.issued(pool_id, sub, key)
        return device if device and device.confirmed else None

    def remembered(self, client: AppClient, sub: str, key: object) -> Device | None:
        """The device that proves itself at a sign-in; None if the pool tracks no devices."""
        device = self.confirmed(client.pool_id, sub, key) if client.tracks_devices else None
        return device if device and device.remembered and device.verifier is not None else None

    def of_user(self, pool_id: str, sub: str) -> list[Device]:
        """The confirmed devices of a user, oldest first."""
        return [device for device in self._devices.get((pool_id, sub), {}).values() if device.confirmed]

    def forget(self, pool_id: str, sub: str, key: str) -> None:
        """Forget a device. The refresh tokens of its sign-ins stop working."""
        self._devices.get((pool_id, sub), {}).pop(key, None)

    def clear(self) -> None:
        """Forget every device."""
        self._devices.clear()


class DeviceProof:
    """The server's part of one DEVICE_SRP_AUTH (RFC 5054 2.5.3 and 2.6)."""

    def __init__(self, device: Device, client_public: int) -> None:
        if device.verifier is None or device.salt is None:
            raise ValueError("the device has no verifier: call ConfirmDevice with a DeviceSecretVerifierConfig")
        self._device, self._theirs = device, client_public
        self._secret = secrets.randbelow(GROUP - 2) + 1
        multiplier = _hash(number_bytes(GROUP) + number_bytes(GENERATOR))
        self._public = (multiplier * device.verifier + pow(GENERATOR, self._secret, GROUP)) % GROUP
        self.block: str = base64.b64encode(secrets.token_bytes(48)).decode()

    @staticmethod
    def public_of(text: object) -> int | None:
        """SRP_A as a number; None if it is not one, or is 0 modulo the group."""
        number = int(text, 16) if isinstance(text, str) and _HEX.fullmatch(text) else 0
        return number if number % GROUP else None

    def parameters(self) -> dict[str, str]:
        """The ChallengeParameters of DEVICE_PASSWORD_VERIFIER."""
        return {
            "DEVICE_KEY": self._device.key,
            "SALT": f"{self._device.salt:x}",
            "SRP_B": f"{self._public:x}",
            "SECRET_BLOCK": self.block,
        }

    def holds(self, block: str, signature: str, timestamp: str) -> bool:
        """Whether the signature proves knowledge of the device's password."""
        scramble = _hash(number_bytes(self._theirs) + number_bytes(self._public))
        shared = pow(self._theirs * pow(self._device.verifier or 0, scramble, GROUP), self._secret, GROUP)
        message = (self._device.group + self._device.key).encode() + base64.b64decode(self.block) + timestamp.encode()
        expected = hmac.digest(claim_key(shared, scramble), message, "sha256")
        try:
            shown = base64.b64decode(signature, validate=True)
        except binascii.Error:
            return False
        return hmac.compare_digest(block.encode(), self.block.encode()) and hmac.compare_digest(shown, expected)


def _hash(text: bytes) -> int:
    return int.from_bytes(hashlib.sha256(text).digest(), "big")
