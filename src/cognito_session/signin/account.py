"""What a signed-in user does to their own account: another password, an authenticator app, a passkey.

All of it goes by the session's access token, which must carry the scope aws.cognito.signin.user.admin: a sign-in without
redirect always has it. Nothing here begins a session; changing the password ends the others.

A stolen session must not become the account: each of these asks for a recent sign-in first, before it looks at anything else.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cognito_session.core.errors import ConfigurationError, ProviderUnavailable
from cognito_session.core.protocol.ports import PoolRefusal
from cognito_session.core.protocol.steps import Flow
from cognito_session.core.secret import Secret
from cognito_session.signin.limits import code_of, credential_of, password_of
from cognito_session.signin.other_sessions import others_ended
from cognito_session.signin.outcome import AccountChanged, Done, PasskeyOptions, PasswordChanged, Refusal, Refused, TotpSecret
from cognito_session.signin.recent_sign_in import is_stale
from cognito_session.signin.refusals import reported
from cognito_session.signin.verdict import refused_session

if TYPE_CHECKING:
    from cognito_session.core.protocol.session import Session
    from cognito_session.signin.pool_context import Answer, PoolContext

__all__ = [
    "account_changed",
    "begin_passkey",
    "begin_totp",
    "change_password",
    "complete_passkey",
    "confirm_totp",
    "remember_device",
]


@reported
def change_password(
    pool_context: PoolContext, me: Session, previous: object, proposed: object, *, sign_out_others: bool | None
) -> Flow[PasswordChanged | Refused]:
    """ChangePassword. See PasswordFlows.change_password."""
    if is_stale(pool_context.context, me):
        return Refused(Refusal.STALE_SIGN_IN)
    known, wanted = password_of(previous), password_of(proposed)
    if known is None:
        return Refused(Refusal.WRONG_CREDENTIALS)
    if wanted is None:
        return Refused(Refusal.INVALID_PASSWORD)
    changed_at = pool_context.context.now()
    answer = yield from _by_token(pool_context, me, "ChangePassword", PreviousPassword=known, ProposedPassword=wanted)
    if isinstance(answer, PoolRefusal):
        return refused_session(answer)
    ends = _ends_others(pool_context, "password") if sign_out_others is None else sign_out_others
    if not ends:
        return PasswordChanged(None)
    return PasswordChanged((yield from others_ended(pool_context.context, me.sub, keep=me.sid, changed_at=changed_at)))


def account_changed(pool_context: PoolContext, me: Session, what: str) -> Flow[Done]:
    """No call. See PasswordFlows.account_changed."""
    return (yield from _changed(pool_context, me, what, pool_context.context.now()))


def _changed(pool_context: PoolContext, me: Session, what: str, changed_at: int) -> Flow[Done]:
    """Done, and the others ended where the policy says so."""
    if not _ends_others(pool_context, what):
        return Done()
    return AccountChanged((yield from others_ended(pool_context.context, me.sub, keep=me.sid, changed_at=changed_at)))


def _ends_others(pool_context: PoolContext, what: str) -> bool:
    return what in pool_context.context.policy.end_others_after


@reported
def begin_totp(pool_context: PoolContext, me: Session, account: str | None) -> Flow[TotpSecret | Refused]:
    """AssociateSoftwareToken. See PasswordFlows.begin_totp."""
    if is_stale(pool_context.context, me):
        return Refused(Refusal.STALE_SIGN_IN)
    answer = yield from _by_token(pool_context, me, "AssociateSoftwareToken")
    if isinstance(answer, PoolRefusal):
        return refused_session(answer)
    return pool_context.totp_secret(answer, account or me.username)


@reported
def confirm_totp(pool_context: PoolContext, me: Session, code: object) -> Flow[Done | Refused]:
    """VerifySoftwareToken, then SetUserMFAPreference. See PasswordFlows.confirm_totp."""
    if is_stale(pool_context.context, me):
        return Refused(Refusal.STALE_SIGN_IN)
    typed = code_of(code)
    if typed is None:
        return Refused(Refusal.WRONG_CODE)
    changed_at = pool_context.context.now()
    answer = yield from _by_token(pool_context, me, "VerifySoftwareToken", UserCode=typed)
    if isinstance(answer, PoolRefusal):
        return refused_session(answer)
    if answer.get("Status") != "SUCCESS":
        return Refused(Refusal.WRONG_CODE)
    preference = {"AccessToken": Secret(me.access_token), "SoftwareTokenMfaSettings": {"Enabled": True, "PreferredMfa": True}}
    answer = yield from pool_context.call_on("SetUserMFAPreference", preference)
    if isinstance(answer, PoolRefusal):
        return refused_session(answer)
    return (yield from _changed(pool_context, me, "factor", changed_at))


@reported
def begin_passkey(pool_context: PoolContext, me: Session) -> Flow[PasskeyOptions | Refused]:
    """StartWebAuthnRegistration. See PasswordFlows.begin_passkey."""
    if is_stale(pool_context.context, me):
        return Refused(Refusal.STALE_SIGN_IN)
    answer = yield from _by_token(pool_context, me, "StartWebAuthnRegistration")
    if isinstance(answer, PoolRefusal):
        return refused_session(answer)
    options = answer.get("CredentialCreationOptions")
    if not isinstance(options, dict):
        raise ProviderUnavailable("Cognito: StartWebAuthnRegistration answered without CredentialCreationOptions", sent=True)
    return PasskeyOptions(json.dumps(options))


@reported
def complete_passkey(pool_context: PoolContext, me: Session, credential: object) -> Flow[Done | Refused]:
    """CompleteWebAuthnRegistration. See PasswordFlows.complete_passkey."""
    if is_stale(pool_context.context, me):
        return Refused(Refusal.STALE_SIGN_IN)
    made = credential_of(credential)
    if made is None:
        return Refused(Refusal.INVALID_INPUT)
    changed_at = pool_context.context.now()
    answer = yield from _by_token(pool_context, me, "CompleteWebAuthnRegistration", Credential=made)
    if isinstance(answer, PoolRefusal):
        return refused_session(answer)
    return (yield from _changed(pool_context, me, "factor", changed_at))


@reported
def remember_device(pool_context: PoolContext, me: Session, *, remembered: bool) -> Flow[Done | Refused]:
    """UpdateDeviceStatus. See PasswordFlows.remember_device."""
    if remembered and is_stale(pool_context.context, me):  # a remembered device may stand in for the second factor
        return Refused(Refusal.STALE_SIGN_IN)
    key = me.claims.get("device_key")
    if not isinstance(key, str) or not key:
        return Refused(Refusal.INVALID_INPUT)
    status = "remembered" if remembered else "not_remembered"
    answer = yield from _by_token(pool_context, me, "UpdateDeviceStatus", DeviceKey=key, DeviceRememberedStatus=status)
    return refused_session(answer) if isinstance(answer, PoolRefusal) else Done()


def _by_token(pool_context: PoolContext, me: Session, operation: str, **payload: Any) -> Flow[Answer | PoolRefusal]:
    if not me.access_token:
        raise ConfigurationError(
            "me: expected the session of this request; one from a pickle or a deep copy has no access token"
        )
    return (yield from pool_context.call(operation, {"AccessToken": Secret(me.access_token), **payload}))
