"""The device cookie: what this browser proves itself with at its next sign-in, sealed.

One cookie holds the device of the user who signed in last. It is bound to the cookie's name, the user pool and the app
client, and counts only beside the user name that it was made for. Without keys there is none: each sign-in is then a new
device.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple

from cognito_session.core.errors import SessionUnavailable, TokenError
from cognito_session.core.protocol.device_tracking import DeviceSecret
from cognito_session.core.protocol.sealing import open_value, seal_value
from cognito_session.core.protocol.steps import Flow, Report, ask
from cognito_session.core.redact import redacted_repr

if TYPE_CHECKING:
    from cognito_session.core.cookie import Cookie, CookieHeaders
    from cognito_session.core.protocol.context import FlowContext

__all__ = ["DEVICE_SECONDS", "KnownDevice", "dropped_device", "find_device", "keep_device", "signed_out_device"]

DEVICE_SECONDS: Final = 30 * 86_400
"""How long a browser stays a known device after a sign-in."""
_PURPOSE: Final = "device"
_FORGED: Final = Report("cookie_refused", "", None, "device cookie", limited=True)


class KnownDevice(NamedTuple):
    """The device of this browser. `username` is Cognito's name of its user, `account` the name that was typed in."""

    secret: DeviceSecret
    username: str
    account: str
    expires_at: int

    def __repr__(self) -> str:
        return redacted_repr(self, "secret")


def keep_device(context: FlowContext, secret: DeviceSecret, username: str, account: str) -> Flow[tuple[str, ...]]:
    """The Set-Cookie value that keeps the device; none without keys."""
    if not context.seals:
        return ()
    cookie = _cookie(context)
    members = [secret.key, secret.group, secret.password, username, account, context.now() + DEVICE_SECONDS]
    text = json.dumps(members, separators=(",", ":"), ensure_ascii=False).encode()
    sealed = yield from seal_value(context, text, purpose=_PURPOSE, bound_to=(cookie.name,))
    return (cookie.set_line(sealed, max_age_seconds=DEVICE_SECONDS),)


def find_device(context: FlowContext, headers: CookieHeaders, username: str) -> Flow[KnownDevice | None]:
    """The device of this browser, if it is this user's; None for a cookie that is missing, forged, over or another user's.

    A cookie sealed with a key that this worker has not received yet is passed over: the sign-in is then that of a new device.
    """
    if not context.seals:
        return None
    cookie = _cookie(context)
    for value in cookie.candidates(headers).values:
        try:
            opened = yield from open_value(context, value, purpose=_PURPOSE, bound_to=(cookie.name,))
        except TokenError:
            yield from ask(_FORGED)
            continue
        except SessionUnavailable:
            continue
        key, group, password, name, account, expires_at = json.loads(opened)[:6]
        if username in (name, account) and context.now() < expires_at:
            return KnownDevice(DeviceSecret(key, group, password), name, account, expires_at)
    return None


def dropped_device(context: FlowContext, headers: CookieHeaders) -> tuple[str, ...]:
    """The Set-Cookie value that removes the cookie, where the browser has one."""
    cookie = _cookie(context)
    seen = cookie.candidates(headers)
    return (cookie.delete_line(),) if seen.values or seen.malformed else ()


def signed_out_device(context: FlowContext, headers: CookieHeaders) -> tuple[str, ...]:
    """As `dropped_device` at sign-out, where the policy forgets devices."""
    return dropped_device(context, headers) if context.policy.forget_device_on_sign_out else ()


def _cookie(context: FlowContext) -> Cookie:
    return context.cookie.beside("device")
