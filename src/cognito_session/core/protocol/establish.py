"""establish(): begins a session after a sign-in (protocol.md: Sign in).

Only establish() creates a row. A late duplicate of a sign-in does not bring a session back, and a sign-in from before
"sign out everywhere" does not create one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from cognito_session.core.crypto.access_token import MAX_REFRESH_TOKEN_CHARS
from cognito_session.core.device_label import clean_label
from cognito_session.core.errors import ConfigurationError, ExpiredOnArrival, SessionUnavailable, TokenError
from cognito_session.core.protocol.authenticate import authenticate, identify
from cognito_session.core.protocol.conditions import Change, Comparison, WriteKind, either
from cognito_session.core.protocol.device_tracking import confirm_new, device_of, new_device_secret
from cognito_session.core.protocol.record import ACTIVE, Row, SessionKey, SessionRecord, token_hash
from cognito_session.core.protocol.record import session_id as session_id_of
from cognito_session.core.protocol.sealing import seal_secret, with_cookie
from cognito_session.core.protocol.session import Reason, Rejected, Session
from cognito_session.core.protocol.session_creation import create_session_row, evict_surplus
from cognito_session.core.protocol.sign_out import end_now, end_presented
from cognito_session.core.protocol.steps import Flow, Report, ask
from cognito_session.core.redact import redacted_repr
from cognito_session.core.secret import plain

if TYPE_CHECKING:
    from cognito_session.core.cookie import CookieHeaders
    from cognito_session.core.crypto.access_token import VerifiedToken
    from cognito_session.core.protocol.context import FlowContext
    from cognito_session.core.protocol.device_tracking import DeviceSecret

__all__ = ["SignedIn", "establish"]


class SignedIn(NamedTuple):
    """What a sign-in brought: Cognito's AuthenticationResult without what a session does not keep.

    `device_key` and `device_group` are those of NewDeviceMetadata; with `device_known` the device has proved itself at this
    sign-in and needs no confirmation.
    """

    access_token: str
    refresh_token: str
    device_key: str | None = None
    device_group: str = ""
    device_known: bool = False

    def __repr__(self) -> str:
        return redacted_repr(self, "access_token", "refresh_token", "device_key")

    @classmethod
    def of(cls, result: object) -> SignedIn:
        """From Cognito's AuthenticationResult, or the answer that holds one. Raises ConfigurationError."""
        result = plain(result)
        if isinstance(result, dict) and isinstance(result.get("AuthenticationResult"), dict):
            result = result["AuthenticationResult"]
        found: dict[str, Any] = result if isinstance(result, dict) else {}
        access, refresh = found.get("AccessToken"), found.get("RefreshToken")
        if not isinstance(access, str) or not isinstance(refresh, str) or not 0 < len(refresh) <= MAX_REFRESH_TOKEN_CHARS:
            raise ConfigurationError(
                "establish: expected Cognito's AuthenticationResult with AccessToken and RefreshToken; a sign-in"
                " flow that issues no refresh token cannot carry a session"
            )
        metadata = found.get("NewDeviceMetadata")
        device: dict[str, Any] = metadata if isinstance(metadata, dict) else {}
        return cls(access, refresh, _text(device.get("DeviceKey")), _text(device.get("DeviceGroupKey")) or "")


def establish(
    context: FlowContext,
    signed_in: SignedIn,
    *,
    presented: CookieHeaders = None,
    device: str | None = None,
    from_cognito: bool = False,
    secret: DeviceSecret | None = None,
) -> Flow[Session | Rejected]:
    """Begin the session of this sign-in; its Session sets the cookie. The session presented with it is ended (no fixation).

    The device that Cognito issued to the sign-in is confirmed, with `secret` where the caller keeps one for the next sign-in.

    Rejected where this very sign-in's session has already been ended, where the user has been signed out everywhere since
    it, or where there are too many sessions. `from_cognito`: the tokens are Cognito's own answer to a call of ours. Raises
    ConfigurationError for tokens of another pool or client, ExpiredOnArrival, and SessionUnavailable.
    """
    try:
        token = yield from authenticate(context, signed_in.access_token, from_cognito=from_cognito)
    except TokenError as error:
        raise ConfigurationError(
            f"establish: the access token is not one of this user pool and app client ({error.reason})"
        ) from error
    # Fresh from Cognito and expired means that a clock is wrong, which the operator must repair; else the tokens are old.
    if token.expires_at <= context.now():
        if from_cognito:
            raise ExpiredOnArrival(context.now() - token.issued_at)
        return Rejected(Reason.SIGN_IN_EXPIRED)
    creation = yield from _creation(context, signed_in, token, device)
    tracked = yield from _tracked(context, signed_in, token, secret)
    creation = creation._replace(put={**creation.put, **tracked})
    record = SessionRecord.from_row(creation.key, creation.put)
    # The cookie is made first: one that is too large is refused before anything changes.
    begun = yield from _with_cookie(context, record, token)
    refusal = yield from create_session_row(context, creation)
    if refusal is not None:
        return refusal
    # The store may have taken long. Checked before any other session is ended in favor of this one.
    if token.expires_at <= context.now():
        return (yield from _take_back(context, record))
    yield from ask(Report("established", token.sub, record.sid))
    # Ends a fixed or shared session. Before the eviction: it makes room, so that no other device is signed out.
    yield from _end_presented(context, presented, record)
    yield from evict_surplus(context, creation.key)
    yield from confirm_new(context, record, token)
    return begun if token.expires_at > context.now() else (yield from _take_back(context, record))


def _with_cookie(context: FlowContext, record: SessionRecord, token: VerifiedToken) -> Flow[Session]:
    """The new session with its cookie. Raises ConfigurationError where browsers would not keep that."""
    session = Session.of(
        token,
        sid=record.key.sid,
        auth_time=record.auth_time,
        expires_at=record.abs_exp,
        now=context.now(),
        alarm=context.alarm,
        data={},
        data_version=0,
    )
    return (yield from with_cookie(context, session, record.generation))


def _take_back(context: FlowContext, record: SessionRecord) -> Flow[Rejected]:
    """End the session just made: its token expired while the store was waited for, and nothing expired is served."""
    try:
        yield from end_now(context, record, Reason.SIGN_IN_EXPIRED)
    except (SessionUnavailable, ConfigurationError) as error:
        yield from ask(Report("revoke_failed", record.key.sub, record.sid, error.reason))
    return Rejected(Reason.SIGN_IN_EXPIRED)


def _tracked(context: FlowContext, signed_in: SignedIn, token: VerifiedToken, secret: DeviceSecret | None) -> Flow[Row]:
    """The attributes of the sign-in's device. Managed login names it in the access token alone (claim `device_key`)."""
    key = signed_in.device_key or token.device_key
    if key is None:
        return {}
    if signed_in.device_known:
        return {"device_key": key}
    return (yield from device_of(context, secret or new_device_secret(context.entropy, key, signed_in.device_group), token))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def session_id(context: FlowContext, origin_jti: str) -> str:
    """The id of the session that a sign-in begins through this manager."""
    return session_id_of(context.cookie_kind, origin_jti)


def _end_presented(context: FlowContext, presented: CookieHeaders, record: SessionRecord) -> Flow[None]:
    """End the session that the sign-in's own request carried. The new one stands whatever becomes of the old."""
    try:
        credential = yield from identify(context, presented)
        if not isinstance(credential, Rejected) and credential.sid != record.sid:
            yield from end_presented(context, credential)
    except (SessionUnavailable, ConfigurationError) as error:
        yield from ask(Report("presented_session_not_ended", record.key.sub, record.sid, error.reason))


def _creation(context: FlowContext, signed_in: SignedIn, token: VerifiedToken, device: str | None = None) -> Flow[Change]:
    """Replaces a row of another sign-in (the layout without sort key), never one of the same."""
    now, sid = context.now(), session_id(context, token.origin_jti)
    key = SessionKey(token.sub, sid)
    end = context.policy.absolute_end(now)
    refresh_token = yield from seal_secret(context, signed_in.refresh_token, sub=key.sub, sid=sid, attribute="token")
    access_token = yield from seal_secret(context, token.text, sub=key.sub, sid=sid, attribute="access_token")
    row: Row = {
        "sub": key.sub,
        "sid": key.sid,
        "state": ACTIVE,
        "cookie_kind": context.cookie_kind,
        "gen": 1,
        "token": refresh_token,
        "token_hash": token_hash(refresh_token),
        "timestamp": now,
        "access_token": access_token,
        "access_iat": token.issued_at,
        "access_exp": token.expires_at,
        "jti_cur": token.jti,
        "lease_n": 0,
        "username": token.username,
        "auth_time": token.auth_time if token.auth_time is not None else token.issued_at,
        "created_at": now,
        "abs_exp": end,
        "ttl": end,
    }
    idle_exp = context.policy.idle_end(now, end)
    if idle_exp is not None:
        row |= {"idle_exp": idle_exp, "active_at": now}
    label = clean_label(device)
    if label:
        row["device"] = label
    new = either("sid", Comparison("sid", "absent"), Comparison("sid", "<>", key.sid))
    return Change(WriteKind.CREATE, key, (new,), put=row, replace=True)
