"""Device tracking: how the user pool treats devices, and whether sessions can be refreshed with it. Pure.

https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_DeviceConfigurationType.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cognito_session.core.protocol.device_tracking import ADMIN_SCOPE
from cognito_session.ops.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["check_device_tracking"]


def check_device_tracking(
    pool: Mapping[str, Any], client: Mapping[str, Any] | None, *, managed_login: bool, seals: bool
) -> list[Finding]:
    """Findings for a UserPool and a UserPoolClient, as Cognito describes them. `client` is None if it could not be read.

    managed_login: whether the application uses it. seals: whether there are keys for the device cookie.
    """
    devices = pool.get("DeviceConfiguration")
    if devices is None:
        return [Finding("note", "device tracking is off", "No action is needed.")]
    found = [Finding("note", *_setting(devices))]
    scopes = None if client is None else client.get("AllowedOAuthScopes") or ()
    if managed_login and scopes is not None and ADMIN_SCOPE not in scopes:
        text = f"the app client does not allow the scope {ADMIN_SCOPE}: sessions of managed login cannot be refreshed"
        found.append(Finding("problem", text, "Allow the scope and add it to managed_login(scopes=...)."))
    elif managed_login:
        found.append(
            Finding(
                "note",
                "managed login can confirm devices with one scope only",
                f"Have {ADMIN_SCOPE} in managed_login(scopes=...).",
            )
        )
    if not seals:
        found.append(Finding("difference", "there are no sealing keys: every sign-in is a new device", "Set SESSION_KEYS."))
    return found


def _setting(devices: Mapping[str, Any]) -> tuple[str, str]:
    instead = ", and a remembered device replaces the second factor" if devices.get("ChallengeRequiredOnNewDevice") else ""
    if devices.get("DeviceOnlyRememberedOnUserPrompt"):
        text = "device tracking is on: devices are remembered when the user agrees"
        return text + instead, "Call remember_device(me) where a user agrees; sessions are refreshed without it."
    return f"device tracking is on: every device is remembered{instead}", "Devices are confirmed at sign-in."
