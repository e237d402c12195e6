"""The device cookie: what this browser proves itself with at its next sign-in, sealed.

One cookie holds the device of the user who signed in last. It is bound to the cookie's name, the user pool and the app
client, and counts only beside the user name that it was made for. Without keys there is none: each sign-in is then a new
device.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple

from cognito_session.core.errors import SessionUnavailable, TokenError
from cognito_session.core.hidden import hiding
from cognito_session.core.steps import Flow, Report, ask
from cognito_session.core.tracking import DeviceSecret
from cognito_session.core.vault import open_value, seal_value

if TYPE_CHECKING:
    from cognito_session.core.case import Case
    from cognito_session.core.cookie import Cookie, CookieHeaders

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
        return hiding(self, "secret")


def keep_device(case: Case, secret: DeviceSecret, username: str, account: str) -> Flow[tuple[str, ...]]:
    """The Set-Cookie value that keeps the device; none without keys."""
    if not case.seals:
        return ()
    cookie = _cookie(case)
    members = [secret.key, secret.group, secret.password, username, account, case.now() + DEVICE_SECONDS]
    text = json.dumps(members, separators=(",", ":"), ensure_ascii=False).encode()
    sealed = yield from seal_value(case, text, purpose=_PURPOSE, bound_to=(cookie.name,))
    return (cookie.set_line(sealed, max_age_seconds=DEVICE_SECONDS),)


def find_device(case: Case, headers: CookieHeaders, username: str) -> Flow[KnownDevice | None]:
    """The device of this browser, if it is this user's; None for a cookie that is missing, forged, over or another user's.

    A cookie sealed with a key that this worker has not received yet is passed over: the sign-in is then that of a new device.
    """
    if not case.seals:
        return None
    cookie = _cookie(case)
    for value in cookie.candidates(headers).values:
        try:
            opened = yield from open_value(case, value, purpose=_PURPOSE, bound_to=(cookie.name,))
        except TokenError:
            yield from ask(_FORGED)
            continue
        except SessionUnavailable:
            continue
        key, group, password, name, account, expires_at = json.loads(opened)[:6]
        if username in (name, account) and case.now() < expires_at:
            return KnownDevice(DeviceSecret(key, group, password), name, account, expires_at)
    return None


def dropped_device(case: Case, headers: CookieHeaders) -> tuple[str, ...]:
    """The Set-Cookie value that removes the cookie, where the browser has one."""
    cookie = _cookie(case)
    seen = cookie.candidates(headers)
    return (cookie.delete_line(),) if seen.values or seen.malformed else ()


def signed_out_device(case: Case, headers: CookieHeaders) -> tuple[str, ...]:
    """As `dropped_device` at sign-out, where the policy forgets devices."""
    return dropped_device(case, headers) if case.policy.forget_device_on_sign_out else ()


def _cookie(case: Case) -> Cookie:
    return case.cookie.beside("device")
