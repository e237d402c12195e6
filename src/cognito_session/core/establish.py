"""establish() and log_out(): how a session begins after a sign-in, and how it certainly ends (PROTOCOL, step 7).

Nothing but establish() ever creates a row. A late duplicate of the same sign-in must not bring anything back, and a
logout always wins: it names no generation, and is repeated on whatever refresh got in between.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cognito_session.core import writes
from cognito_session.core.change import Change, Move, Test, either
from cognito_session.core.credential import SealedCredential
from cognito_session.core.errors import ConfigurationError, LeaseBusy, SessionUnavailable, StoreUnavailable, TokenError
from cognito_session.core.hidden import hiding
from cognito_session.core.identify import authenticate, identify
from cognito_session.core.lookup import find_row
from cognito_session.core.outcome import Reason, Rejected, Session
from cognito_session.core.policy import PATIENCE_SECONDS
from cognito_session.core.record import ACTIVE, Row, SessionKey, SessionRecord, token_hash
from cognito_session.core.standing import Standing, standing_of
from cognito_session.core.steps import Flow, Report, Revoke, Write, ask
from cognito_session.core.vault import open_secret, seal_cookie, seal_secret

if TYPE_CHECKING:
    from cognito_session.core.case import Case
    from cognito_session.core.cookie import CookieHeaders
    from cognito_session.core.token import VerifiedToken

_REVOKE_ATTEMPTS: Final = 2

__all__ = ["SignedIn", "establish", "log_out"]


class SignedIn(NamedTuple):
    """What a sign-in brought: Cognito's AuthenticationResult without what a session does not keep."""

    access_token: str
    refresh_token: str
    device_key: str | None = None

    def __repr__(self) -> str:
        return hiding(self, "access_token", "refresh_token", "device_key")

    @classmethod
    def of(cls, result: object) -> SignedIn:
        """From Cognito's AuthenticationResult, or the answer that holds one. Raises ConfigurationError."""
        if isinstance(result, dict) and isinstance(result.get("AuthenticationResult"), dict):
            result = result["AuthenticationResult"]
        found: dict[str, Any] = result if isinstance(result, dict) else {}
        access, refresh = found.get("AccessToken"), found.get("RefreshToken")
        if not isinstance(access, str) or not isinstance(refresh, str) or not refresh:
            raise ConfigurationError(
                "establish: expected Cognito's AuthenticationResult with AccessToken and RefreshToken; a sign-in"
                " flow that issues no refresh token cannot carry a session"
            )
        device = found.get("NewDeviceMetadata")
        device_key = device.get("DeviceKey") if isinstance(device, dict) else None
        return cls(access, refresh, device_key)


def establish(case: Case, signed_in: SignedIn) -> Flow[Session | Rejected]:
    """Begin the session of this sign-in; its Session sets the cookie.

    Rejected where this very sign-in's session has already been ended. Raises ConfigurationError for tokens of another
    pool or client, StoreUnavailable, KeysUnavailable.
    """
    try:
        token = yield from authenticate(case, signed_in.access_token)
    except TokenError as error:
        raise ConfigurationError(
            f"establish: the access token is not one of this user pool and app client ({error.reason})"
        ) from error
    change = yield from _creation(case, signed_in, token)
    try:
        written = yield from ask(Write(change))
    except StoreUnavailable:
        written = yield from ask(Write(change))
    row = change.put if written.applied else written.found
    record = SessionRecord.from_row(change.key, row or {})
    if record.ended or record.jti_cur != token.jti:
        return Rejected(Reason.SESSION_ENDED)
    yield from ask(Report("established", token.sub, record.sid))
    session = Session.of(token, sid=change.key.sid, auth_time=record.auth_time, expires_at=record.abs_exp)
    return (yield from with_cookie(case, session, record.generation))


def with_cookie(case: Case, session: Session, generation: int) -> Flow[Session]:
    """The session, telling the browser to keep its current cookie until the session's absolute end."""
    now = case.now()
    end = session.session_expires_at
    last = case.policy.absolute_end(now) if end is None else end
    value = session.access_token
    if case.sealed_cookie:
        value = yield from seal_cookie(case, SealedCredential(session.sub, session.sid, generation))
    return replace(session, set_cookies=(case.cookie.set_line(value, max_age_seconds=last - now),))


def _creation(case: Case, signed_in: SignedIn, token: VerifiedToken) -> Flow[Change]:
    """Replaces a row of another sign-in (the layout without sort key), never one of the same."""
    now, sid = case.now(), case.fresh_id() if case.sealed_cookie else token.origin_jti
    key = SessionKey(token.sub, sid)
    end = case.policy.absolute_end(now)
    refresh_token = yield from seal_secret(case, signed_in.refresh_token, sub=key.sub, sid=sid, attribute="token")
    access_token = yield from seal_secret(case, token.text, sub=key.sub, sid=sid, attribute="access_token")
    row: Row = {
        "sub": key.sub,
        "sid": key.sid,
        "state": ACTIVE,
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
    if signed_in.device_key is not None:
        row["device_key"] = signed_in.device_key
    new = either("sid", Test("sid", "absent"), Test("sid", "<>", key.sid))
    return Change(Move.CREATE, key, (new,), put=row, replace=True)


def log_out(case: Case, headers: CookieHeaders) -> Flow[Rejected | None]:
    """End the session that the cookie is for and revoke its tokens; None when it has ended.

    Rejected says that the cookie stood for no session, which is as signed out as can be. Raises SessionUnavailable
    where the session may still be alive.
    """
    credential = yield from identify(case, headers)
    if isinstance(credential, Rejected):
        return credential
    give_up = case.clock.monotonic() + PATIENCE_SECONDS
    while case.clock.monotonic() < give_up:
        found = yield from find_row(case, credential)
        if found is None:
            return Rejected(Reason.UNKNOWN_SESSION)
        record = SessionRecord.from_row(*found)
        if standing_of(credential, record) is Standing.DISPLACED:
            return Rejected(Reason.DISPLACED)
        if record.token is None or (record.ended and not record.bare):
            return Rejected(Reason.SESSION_ENDED)
        if (yield from end_now(case, record, Reason.SESSION_ENDED)):
            return None
    raise LeaseBusy("the session kept changing while it was being ended")


def end_now(case: Case, record: SessionRecord, reason: Reason) -> Flow[bool]:
    """Turn the record into a tombstone and revoke its token; False where it has changed and must be read again."""
    change = writes.log_out(record, reason, now=case.now())
    try:
        written = yield from ask(Write(change))
    except StoreUnavailable:
        written = yield from ask(Write(change))
    if not written.applied or written.found is None:
        return False
    yield from ask(Report("ended", record.key.sub, record.sid, reason.value))
    yield from revoke_stored(case, record, written.found["token"])
    return True


def revoke_stored(case: Case, record: SessionRecord, stored: str) -> Flow[None]:
    """Revoke a refresh token as it was stored; one that does not open can only be reported."""
    sid = record.sid or record.key.sid
    try:
        refresh_token = yield from open_secret(case, stored, sub=record.key.sub, sid=sid, attribute="token")
    except (TokenError, SessionUnavailable, ConfigurationError) as error:
        yield from ask(Report("revoke_failed", record.key.sub, record.sid, error.reason))
        return
    yield from revoke_quietly(record, refresh_token)


def revoke_quietly(record: SessionRecord, refresh_token: str) -> Flow[None]:
    """Revoke at the provider. The session has ended here in any case, so a failure is only reported."""
    for _ in range(_REVOKE_ATTEMPTS):
        try:
            yield from ask(Revoke(refresh_token))
        except SessionUnavailable:
            continue
        except ConfigurationError:
            break
        else:
            return
    yield from ask(Report("revoke_failed", record.key.sub, record.sid))
