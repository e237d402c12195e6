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

from cognito_session.core.protocol import writes
from cognito_session.core.protocol.authenticate import stored_token
from cognito_session.core.protocol.ports import DeviceConfirmation, PoolRefusal
from cognito_session.core.protocol.record import SessionKey, SessionRecord, session_id
from cognito_session.core.protocol.sealing import open_secret, seal_secret
from cognito_session.core.protocol.steps import ConfirmDevice, Flow, ForgetDevice, LoadAll, Report, ask
from cognito_session.core.protocol.write_attempts import reason_of, write_quietly
from cognito_session.core.redact import redacted_repr

if TYPE_CHECKING:
    from cognito_session.core.crypto.access_token import AccessToken
    from cognito_session.core.protocol.context import Entropy, FlowContext
    from cognito_session.core.protocol.record import Row

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
        return redacted_repr(self, "key", "group", "password")

    @property
    def identity(self) -> str:
        """The name that the SRP arithmetic uses."""
        return self.group + self.key


def new_device_secret(entropy: Entropy, key: str, group: str) -> DeviceSecret:
    """A secret with a new random password of 320 bits."""
    return DeviceSecret(key, group, b64encode(entropy(_PASSWORD_BYTES)).decode("ascii"))


def device_verifier(entropy: Entropy, secret: DeviceSecret) -> str:
    """Salt and password verifier of DeviceSecretVerifierConfig, each in base64, with a colon between them."""
    from cognito_session.core.crypto.srp import number_bytes, verifier  # only pools that track devices pay for it

    salt = int.from_bytes(entropy(_SALT_BYTES), "big")
    numbers = (salt, verifier(secret.identity, secret.password, salt))
    return ":".join(b64encode(number_bytes(number)).decode("ascii") for number in numbers)


def device_of(context: FlowContext, secret: DeviceSecret, token: AccessToken) -> Flow[Row]:
    """The attributes that the row of a new session keeps of its device, which is not confirmed yet."""
    kept: Row = {"device_key": secret.key}
    if ADMIN_SCOPE not in token.scopes:
        detail = f"the access token lacks the scope {ADMIN_SCOPE}: the session cannot be refreshed"
        yield from ask(Report("device_not_confirmed", token.sub, None, detail))
        return kept
    verifier = device_verifier(context.entropy, secret)
    sid = session_id(context.cookie_kind, token.origin_jti)
    kept["device_pending"] = yield from seal_secret(context, verifier, sub=token.sub, sid=sid, attribute="device_pending")
    if _time_for_a_call(context):  # the sign-in has the first turn
        kept["device_retry_at"] = _next_turn(context, token)
    return kept


def confirm_new(context: FlowContext, record: SessionRecord, token: AccessToken) -> Flow[None]:
    """Confirm the device of a session whose row has landed. Raises nothing that Cognito or the store can cause.

    Before the landing, a sign-in that the policy refuses would leave a confirmed device behind, and a worker that dies would
    leave a session whose row does not know its device.
    """
    key, pending = record.device_key, record.device_pending
    if key is None or pending is None or record.device_retry_at is None or not _time_for_a_call(context):
        return
    if (yield from _confirmed(context, record, key, pending, token)):
        yield from write_quietly(writes.device_confirmed(record), record.sid)


def confirm_pending(context: FlowContext, record: SessionRecord, token: AccessToken) -> Flow[None]:
    """Try again to confirm the device of a session. Of many requests at once, one calls Cognito."""
    key, pending, now = record.device_key, record.device_pending, context.now()
    if key is None or pending is None or (record.device_retry_at is not None and now < record.device_retry_at):
        return
    turn = writes.device_turn(record, retry_at=_next_turn(context, token))
    written = yield from write_quietly(turn, record.sid)
    if written is not None and written.applied and (yield from _confirmed(context, record, key, pending, token)):
        yield from write_quietly(writes.device_confirmed(record), record.sid)


def forget_device(context: FlowContext, record: SessionRecord) -> Flow[None]:
    """Forget the device of a session that has just ended, before its tokens are revoked; a failure is reported."""
    key, now = record.device_key, context.now()
    if key is None or not context.policy.forget_device_on_sign_out:
        return
    if not _time_for_a_call(context):  # the tokens are to be revoked in what is left
        yield from ask(Report("device_not_forgotten", record.key.sub, record.sid, "function_timeout"))
        return
    try:
        expired = record.access_token is None or (record.access_exp or 0) <= now
        if expired or (yield from _shared(context, record, key)):
            return
        token = yield from stored_token(context, record)
        yield from ask(ForgetDevice(token.text, key))
    except Exception as error:  # noqa: BLE001 - reported by its kind; the session has ended, whatever a provider raises
        yield from ask(Report("device_not_forgotten", record.key.sub, record.sid, reason_of(error)))


def _next_turn(context: FlowContext, token: AccessToken) -> int:
    """When another request may try: sooner near the token's end, after which the device can no longer be confirmed."""
    now = context.now()
    return now + max(_CALL_SECONDS, min(_RETRY_SECONDS, (token.expires_at - now) // 2))


def _time_for_a_call(context: FlowContext) -> bool:
    return context.deadline is None or context.deadline - context.clock.monotonic() >= _CALL_SECONDS


def _shared(context: FlowContext, record: SessionRecord, key: str) -> Flow[bool]:
    """Whether another session of this user uses the same device."""
    if context.one_row_per_user:
        return False
    for row in (yield from ask(LoadAll(record.key.sub))):
        other = SessionRecord.from_row(SessionKey(record.key.sub, str(row.get("sid", ""))), row)
        if other.device_key == key and not other.ended and other.sid != record.sid:
            return True
    return False


def _confirmed(context: FlowContext, record: SessionRecord, key: str, pending: str, token: AccessToken) -> Flow[bool]:
    """False where it is not known; a refusal is reported and is as final as a confirmation.

    A writer that chooses the verifier knows the device's password, so with keys only a sealed one is used.
    """
    try:
        sid = record.sid or record.key.sid
        opened = yield from open_secret(context, pending, sub=record.key.sub, sid=sid, attribute="device_pending")
        salt, _, verifier = opened.partition(":")
        confirmation = DeviceConfirmation(token.text, key, salt, verifier, record.device or _NAME)
        answer = yield from ask(ConfirmDevice(confirmation))
    except Exception as error:  # noqa: BLE001 - reported by its kind; no sign-in is lost for it
        yield from ask(Report("device_not_confirmed", token.sub, None, reason_of(error)))
        return False
    if isinstance(answer, PoolRefusal):
        yield from ask(Report("device_not_confirmed", token.sub, None, answer.code))
    return True
