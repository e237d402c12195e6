"""Tracked devices: how the device of a session is confirmed at Cognito, and forgotten (section "Devices" of docs/sign-in.md).

1. A sign-in is never lost because a device could not be confirmed. An outage leaves the row with `device_pending`, and later
   requests try again, at most once a minute, and more often near the token's end; a refusal is reported and not repeated.
2. The device's password never reaches the row: the row holds the key, and the verifier until it is confirmed.
3. A device that another live session shares is not forgotten with this one.
https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-device-tracking.html
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Final, NamedTuple

from cognito_session.core import writes
from cognito_session.core.hidden import hiding
from cognito_session.core.lookup import stored_token
from cognito_session.core.ports import DeviceConfirmation, PoolRefusal
from cognito_session.core.quiet_writes import reason_of, write_quietly
from cognito_session.core.record import SessionKey, SessionRecord, session_id
from cognito_session.core.steps import ConfirmDevice, Flow, ForgetDevice, LoadAll, Report, ask
from cognito_session.core.vault import open_secret, seal_secret

if TYPE_CHECKING:
    from cognito_session.core.case import Case, Entropy
    from cognito_session.core.record import Row
    from cognito_session.core.token import AccessToken

__all__ = [
    "ADMIN_SCOPE",
    "DeviceSecret",
    "confirm_new",
    "confirm_pending",
    "device_of",
    "device_verifier",
    "forget_device",
    "new_device_secret",
]

ADMIN_SCOPE: Final = "aws.cognito.signin.user.admin"
"""The scope that an access token must carry for operations on the user's own devices."""
_PASSWORD_BYTES: Final = 40
_SALT_BYTES: Final = 16
_RETRY_SECONDS: Final = 60
_CALL_SECONDS: Final = 5
"""What a call may take, and what must be left of the function's time after it."""
_NAME: Final = "browser"


class DeviceSecret(NamedTuple):
    """What a device proves itself with at its next sign-in."""

    key: str
    group: str
    password: str

    def __repr__(self) -> str:
        return hiding(self, "key", "group", "password")

    @property
    def identity(self) -> str:
        """The name that the SRP arithmetic uses."""
        return self.group + self.key


def new_device_secret(entropy: Entropy, key: str, group: str) -> DeviceSecret:
    """A secret with a new random password of 320 bits."""
    return DeviceSecret(key, group, b64encode(entropy(_PASSWORD_BYTES)).decode("ascii"))


def device_verifier(entropy: Entropy, secret: DeviceSecret) -> str:
    """Salt and password verifier of DeviceSecretVerifierConfig, each in base64, with a colon between them."""
    from cognito_session.core.srp import number_bytes, verifier  # only pools that track devices pay for it

    salt = int.from_bytes(entropy(_SALT_BYTES), "big")
    numbers = (salt, verifier(secret.identity, secret.password, salt))
    return ":".join(b64encode(number_bytes(number)).decode("ascii") for number in numbers)


def device_of(case: Case, secret: DeviceSecret, token: AccessToken) -> Flow[Row]:
    """The attributes that the row of a new session keeps of its device, which is not confirmed yet."""
    kept: Row = {"device_key": secret.key}
    if ADMIN_SCOPE not in token.scopes:
        detail = f"the access token lacks the scope {ADMIN_SCOPE}: the session cannot be refreshed"
        yield from ask(Report("device_not_confirmed", token.sub, None, detail))
        return kept
    verifier = device_verifier(case.entropy, secret)
    sid = session_id(case.cookie_kind, token.origin_jti)
    kept["device_pending"] = yield from seal_secret(case, verifier, sub=token.sub, sid=sid, attribute="device_pending")
    if _time_for_a_call(case):  # the sign-in has the first turn
        kept["device_retry_at"] = _next_turn(case, token)
    return kept


def confirm_new(case: Case, record: SessionRecord, token: AccessToken) -> Flow[None]:
    """Confirm the device of a session whose row has landed. Raises nothing that Cognito or the store can cause.

    Before the landing, a sign-in that the policy refuses would leave a confirmed device behind, and a worker that dies would
    leave a session whose row does not know its device.
    """
    key, pending = record.device_key, record.device_pending
    if key is None or pending is None or record.device_retry_at is None or not _time_for_a_call(case):
        return
    if (yield from _confirmed(case, record, key, pending, token)):
        yield from write_quietly(writes.device_confirmed(record), record.sid)


def confirm_pending(case: Case, record: SessionRecord, token: AccessToken) -> Flow[None]:
    """Try again to confirm the device of a session. Of many requests at once, one calls Cognito."""
    key, pending, now = record.device_key, record.device_pending, case.now()
    if key is None or pending is None or (record.device_retry_at is not None and now < record.device_retry_at):
        return
    turn = writes.device_turn(record, retry_at=_next_turn(case, token))
    written = yield from write_quietly(turn, record.sid)
    if written is not None and written.applied and (yield from _confirmed(case, record, key, pending, token)):
        yield from write_quietly(writes.device_confirmed(record), record.sid)


def forget_device(case: Case, record: SessionRecord) -> Flow[None]:
    """Forget the device of a session that has just ended, before its tokens are revoked; a failure is reported."""
    key, now = record.device_key, case.now()
    if key is None or not case.policy.forget_device_on_sign_out:
        return
    if not _time_for_a_call(case):  # the tokens are to be revoked in what is left
        yield from ask(Report("device_not_forgotten", record.key.sub, record.sid, "function_timeout"))
        return
    try:
        expired = record.access_token is None or (record.access_exp or 0) <= now
        if expired or (yield from _shared(case, record, key)):
            return
        token = yield from stored_token(case, record)
        yield from ask(ForgetDevice(token.text, key))
    except Exception as error:  # noqa: BLE001 - reported by its kind; the session has ended, whatever a provider raises
        yield from ask(Report("device_not_forgotten", record.key.sub, record.sid, reason_of(error)))


def _next_turn(case: Case, token: AccessToken) -> int:
    """When another request may try: sooner near the token's end, after which the device can no longer be confirmed."""
    now = case.now()
    return now + max(_CALL_SECONDS, min(_RETRY_SECONDS, (token.expires_at - now) // 2))


def _time_for_a_call(case: Case) -> bool:
    return case.deadline is None or case.deadline - case.clock.monotonic() >= _CALL_SECONDS


def _shared(case: Case, record: SessionRecord, key: str) -> Flow[bool]:
    """Whether another session of this user uses the same device."""
    if case.one_row_per_user:
        return False
    for row in (yield from ask(LoadAll(record.key.sub))):
        other = SessionRecord.from_row(SessionKey(record.key.sub, str(row.get("sid", ""))), row)
        if other.device_key == key and not other.ended and other.sid != record.sid:
            return True
    return False


def _confirmed(case: Case, record: SessionRecord, key: str, pending: str, token: AccessToken) -> Flow[bool]:
    """False where it is not known; a refusal is reported and is as final as a confirmation.

    Whoever chooses the verifier knows the device's password, so with keys only a sealed one is used.
    """
    try:
        sid = record.sid or record.key.sid
        opened = yield from open_secret(case, pending, sub=record.key.sub, sid=sid, attribute="device_pending")
        salt, _, verifier = opened.partition(":")
        confirmation = DeviceConfirmation(token.text, key, salt, verifier, record.device or _NAME)
        answer = yield from ask(ConfirmDevice(confirmation))
    except Exception as error:  # noqa: BLE001 - reported by its kind; no sign-in is lost for it
        yield from ask(Report("device_not_confirmed", token.sub, None, reason_of(error)))
        return False
    if isinstance(answer, PoolRefusal):
        yield from ask(Report("device_not_confirmed", token.sub, None, answer.code))
    return True
