"""establish(): how a session begins after a sign-in (PROTOCOL, step 7).

Nothing but establish() ever creates a row. A late duplicate of the same sign-in must not bring anything back, and a
sign-in from before "sign out everywhere" must not land behind it.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cognito_session.core.case import next_delay
from cognito_session.core.change import Change, Move, Test, Written, as_read, either
from cognito_session.core.devices import live_records
from cognito_session.core.ending import end_now, end_presented, revoke_stored
from cognito_session.core.errors import ConfigurationError, LeaseBusy, SessionUnavailable, StoreUnavailable, TokenError
from cognito_session.core.hidden import hiding
from cognito_session.core.identify import authenticate, identify
from cognito_session.core.outcome import Reason, Rejected, Session
from cognito_session.core.policy import PATIENCE_SECONDS, TOMBSTONE_SECONDS
from cognito_session.core.presenting import with_cookie
from cognito_session.core.record import ACTIVE, USER_SID, Row, SessionKey, SessionRecord, token_hash
from cognito_session.core.steps import Flow, Load, Report, Sleep, Write, WriteAll, ask
from cognito_session.core.token import MAX_TOKEN_CHARS
from cognito_session.core.vault import seal_secret

if TYPE_CHECKING:
    from cognito_session.core.case import Case
    from cognito_session.core.cookie import CookieHeaders
    from cognito_session.core.token import VerifiedToken

_ROUNDS: Final = 20
_MAX_DEVICE_CHARS: Final = 200

__all__ = ["SignedIn", "establish"]


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
        if not isinstance(access, str) or not isinstance(refresh, str) or not 0 < len(refresh) <= MAX_TOKEN_CHARS:
            raise ConfigurationError(
                "establish: expected Cognito's AuthenticationResult with AccessToken and RefreshToken; a sign-in"
                " flow that issues no refresh token cannot carry a session"
            )
        device = found.get("NewDeviceMetadata")
        device_key = device.get("DeviceKey") if isinstance(device, dict) else None
        return cls(access, refresh, device_key if isinstance(device_key, str) else None)


def establish(
    case: Case,
    signed_in: SignedIn,
    *,
    presented: CookieHeaders = None,
    device: str | None = None,
    from_cognito: bool = False,
) -> Flow[Session | Rejected]:
    """Begin the session of this sign-in; its Session sets the cookie. The session presented with it is ended (no fixation).

    Rejected where this very sign-in's session has already been ended, where the user has been signed out everywhere since
    it, or where there are too many sessions. `from_cognito`: the tokens are Cognito's own answer to a call of ours. Raises
    ConfigurationError for tokens of another pool or client, and SessionUnavailable.
    """
    try:
        token = yield from authenticate(case, signed_in.access_token, from_cognito=from_cognito)
    except TokenError as error:
        raise ConfigurationError(
            f"establish: the access token is not one of this user pool and app client ({error.reason})"
        ) from error
    if token.expires_at <= case.now():
        return Rejected(Reason.SIGN_IN_EXPIRED)
    creation = yield from _creation(case, signed_in, token, device)
    refusal = yield from (_land_alone if case.one_row_per_user else _land_among)(case, creation)
    if refusal is not None:
        return refusal
    record = SessionRecord.from_row(creation.key, creation.put)
    yield from ask(Report("established", token.sub, record.sid))
    yield from _end_presented(case, presented, record)
    session = Session.of(
        token,
        sid=creation.key.sid,
        auth_time=record.auth_time,
        expires_at=record.abs_exp,
        now=case.now(),
        data={},
        data_version=0,
    )
    return (yield from with_cookie(case, session, record.generation))


def session_id(case: Case, origin_jti: str) -> str:
    """The id of the session that a sign-in begins: its `origin_jti`, or 128 bits of a hash of it in a sealed cookie.

    One sign-in has one id, so that a late duplicate finds its row, or its tombstone, and brings nothing back. The id is no
    secret: what a sealed cookie proves is its seal.
    """
    if not case.sealed_cookie:
        return origin_jti
    return sha256(b"cognito-session sid\0" + origin_jti.encode()).hexdigest()[:32]


def _land_alone(case: Case, creation: Change) -> Flow[Rejected | None]:
    """In a table without sort key: the row is replaced, if `not_before` on it allows, which is carried over."""
    delay = 0.0
    for _ in range(_ROUNDS):
        row = yield from ask(Load(creation.key))
        not_before = SessionRecord.from_row(creation.key, row or {}).not_before
        if not_before is not None and not_before >= creation.put["auth_time"]:
            return Rejected(Reason.SIGNED_OUT)
        kept = {} if not_before is None else {"not_before": not_before}
        change = creation._replace(when=(*creation.when, as_read("not_before", not_before)), put={**creation.put, **kept})
        written = yield from _written(change)
        if written is not None and written.applied:
            yield from _revoke_displaced(case, creation, written.found)
            return None
        if written is not None and written.found is not None and written.found.get("sid") == creation.key.sid:
            return _own_or_ended(creation, written.found)
        delay = next_delay(delay, case.entropy)
        yield from ask(Sleep(delay))
    raise LeaseBusy("other sign-ins of this user kept getting in between")


def _land_among(case: Case, creation: Change) -> Flow[Rejected | None]:
    """In a table with a sort key: one transaction of the new row and what is known of the user."""
    delay, user = 0.0, SessionKey(creation.key.sub, USER_SID)
    give_up = case.clock.monotonic() + PATIENCE_SECONDS
    while case.clock.monotonic() < give_up:
        row = (yield from ask(Load(user))) or {}
        not_before, count = SessionRecord.from_row(user, row).not_before, _sign_ins(row)
        if not_before is not None and not_before >= creation.put["auth_time"]:
            return Rejected(Reason.SIGNED_OUT)
        allowed = either("not_before", Test("not_before", "absent"), Test("not_before", "<", creation.put["auth_time"]))
        guard = Change(Move.CREATE, user, (allowed,))
        if case.policy.max_sessions is not None and case.policy.on_max_sessions == "refuse":
            if len((yield from live_records(case, creation.key.sub))) >= case.policy.max_sessions:
                return Rejected(Reason.TOO_MANY_SESSIONS)
            guard = guard._replace(when=(allowed, as_read("sign_ins", count)), put=_counted(case, count))
        if (yield from _landed(guard, creation)):
            yield from _evict_surplus(case, creation.key.sub)
            return None
        found = yield from ask(Load(creation.key))
        if found is not None:
            return _own_or_ended(creation, found)
        delay = next_delay(delay, case.entropy)
        yield from ask(Sleep(delay))
    raise LeaseBusy("other sign-ins of this user kept getting in between")


def _sign_ins(row: Row) -> int | None:
    count = row.get("sign_ins")
    if count is None or type(count) is int:
        return count
    raise StoreUnavailable("session row: attribute sign_ins: expected a whole number", reason="unreadable_record")


def _counted(case: Case, count: int | None) -> Row:
    """What serialises sign-ins under `max_sessions`; it need not outlive them."""
    return {"sign_ins": (count or 0) + 1, "ttl": case.now() + TOMBSTONE_SECONDS}


def _evict_surplus(case: Case, sub: str) -> Flow[None]:
    """End the oldest sessions beyond `max_sessions`. Whoever lands last sees all, so at rest there are never too many."""
    if case.policy.max_sessions is None:
        return
    try:
        records = yield from live_records(case, sub)
        newest_first = sorted(records, key=lambda record: (record.created_at or 0, record.sid or ""), reverse=True)
        for record in newest_first[case.policy.max_sessions :]:
            yield from end_now(case, record, Reason.SIGNED_OUT)
    except SessionUnavailable as error:
        yield from ask(Report("surplus_not_ended", sub, None, error.reason))


def _landed(guard: Change, creation: Change) -> Flow[bool]:
    """The transaction; one whose answer was lost is looked for by the caller."""
    try:
        return (yield from ask(WriteAll((guard, creation))))
    except StoreUnavailable:
        return False


def _written(change: Change) -> Flow[Written | None]:
    try:
        return (yield from ask(Write(change)))
    except StoreUnavailable:
        return None


def _revoke_displaced(case: Case, creation: Change, row: Row | None) -> Flow[None]:
    """The replaced session's tokens, where our own code wrote the row: foreign code may have stored this very sign-in's."""
    record = SessionRecord.from_row(creation.key, row or {})
    if record.token is not None and not record.bare and record.sid != creation.key.sid:
        yield from revoke_stored(case, record, record.token)


def _own_or_ended(creation: Change, found: Row) -> Rejected | None:
    """A row of this very session is there: ours, its answer lost; or a duplicate's, perhaps ended since."""
    same = found.get("jti_cur") == creation.put["jti_cur"] and found.get("state") == ACTIVE
    return None if same else Rejected(Reason.SESSION_ENDED)


def _end_presented(case: Case, presented: CookieHeaders, record: SessionRecord) -> Flow[None]:
    """End the session that the sign-in's own request carried. The new one stands whatever becomes of the old."""
    try:
        credential = yield from identify(case, presented)
        if not isinstance(credential, Rejected) and credential.sid != record.sid:
            yield from end_presented(case, credential)
    except SessionUnavailable as error:
        yield from ask(Report("presented_session_not_ended", record.key.sub, record.sid, error.reason))


def _creation(case: Case, signed_in: SignedIn, token: VerifiedToken, device: str | None = None) -> Flow[Change]:
    """Replaces a row of another sign-in (the layout without sort key), never one of the same."""
    now, sid = case.now(), session_id(case, token.origin_jti)
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
    idle_exp = case.policy.idle_end(now, end)
    if idle_exp is not None:
        row |= {"idle_exp": idle_exp, "active_at": now}
    if device:
        row["device"] = device[:_MAX_DEVICE_CHARS]
    if signed_in.device_key is not None:
        row["device_key"] = signed_in.device_key
    new = either("sid", Test("sid", "absent"), Test("sid", "<>", key.sid))
    return Change(Move.CREATE, key, (new,), put=row, replace=True)
