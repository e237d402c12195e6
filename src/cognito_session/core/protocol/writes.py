"""The protocol's writes: for each, what it sets and every clause of its condition (docs/protocol.md).

A foreign row (its token written by foreign code) is fenced by what was read, absence included, because foreign code may
replace or keep any of our attributes. Pure: record and instants in, Change out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cognito_session.core.policy import CLOCK_TOLERANCE_SECONDS, OVERLAP_SECONDS, TOMBSTONE_SECONDS
from cognito_session.core.protocol.conditions import Change, Clause, Comparison, WriteKind, absent, as_read, either, equals
from cognito_session.core.protocol.record import (
    ACTIVE,
    ANY_JTI,
    ENDED,
    TOKEN_COOKIE,
    Row,
    SessionRecord,
    session_id,
    token_hash,
)
from cognito_session.core.redact import redacted_repr

if TYPE_CHECKING:
    from cognito_session.core.crypto.access_token import AccessToken
    from cognito_session.core.protocol.session import Reason

__all__ = ["Generation", "Lease", "acquire", "commit", "cool_down_seconds", "end", "exists", "keep_token", "log_out"]
__all__ += ["device_confirmed", "device_turn", "mark_seen", "no_row", "release", "save_data", "suspect", "touch"]

_LEASE: Final = frozenset({"lease_id", "lease_until"})
_MARKS: Final = _LEASE | {"lease_for", "suspect_at", "retry_at"}
_CODES: Final = frozenset({"row_code", "idle_code"})
_COOL_DOWN_SECONDS: Final = (1, 2, 4, 8, 15, 30)
_DEVICE: Final = frozenset({"device_key", "device_pending", "device_retry_at"})
_SECRETS: Final = frozenset({"token", "token_hash", "access_token", "device_key", "device_pending", "data"})
_OF_ANOTHER_SIGN_IN: Final = frozenset(
    {"prev_exp", "gen_prev", "gen_old", "jti_old", "old_until", "sign_in", "device", "data", "data_version", "data_op"}
)
"""What foreign code that only sets `token` leaves behind of the session before."""


class Lease(NamedTuple):
    """The right to call the provider once. `send_before` is monotonic; `n` counts acquisitions in the generation."""

    id: str
    n: int
    send_before: float


class Generation(NamedTuple):
    """New tokens as they will be stored. `access` may not have been verified yet (`verified`)."""

    access: AccessToken
    refresh_token: str
    stored_access: str
    stored_refresh: str
    verified: bool

    def __repr__(self) -> str:
        return redacted_repr(self, "refresh_token", "stored_access", "stored_refresh")


def acquire(record: SessionRecord, *, now: float, lease_id: str, length: int) -> Change:
    """Take the lease for `length` seconds."""
    lapsed = Comparison("lease_until", "<", int((now - CLOCK_TOLERANCE_SECONDS) * 1000))
    when = [*_unchanged(record), *_limits(record, int(now)), either("lease", Comparison("lease_id", "absent"), lapsed)]
    put: dict[str, Any] = {
        "lease_id": lease_id,
        "lease_until": int((now + length) * 1000),
        "lease_for": token_hash(record.token or ""),
    }
    if record.gen is None:
        put["gen"] = 0
    if record.stale_marks:
        when += [as_read("suspect_at", record.suspect_at), as_read("retry_at", record.retry_at)]
        drop = frozenset({"suspect_at", "retry_at"})
        return Change(WriteKind.ACQUIRE, record.key, tuple(when), put=put | {"lease_n": 1}, drop=drop)
    when += [
        absent("suspect_at"),
        either("retry_at", Comparison("retry_at", "absent"), Comparison("retry_at", "<", int(now) + 1)),
    ]
    return Change(WriteKind.ACQUIRE, record.key, tuple(when), put=put, add={"lease_n": 1})


def commit(
    record: SessionRecord,
    new: Generation,
    *,
    lease_id: str,
    now: int,
    presented_jti: str | None,
    adopted: Row,
    presented_current: bool = False,
    idle_exp: int | None = None,
) -> Change:
    """Write the new generation over `record` (the row as the lease was taken on it).

    `presented_jti` is the presenter's jti where it descends from the same sign-in as the new token; `adopted` are
    the attributes that a foreign row gets when it becomes ours; `presented_current` says that the presenter holds the outgoing
    generation.
    """
    mine = either("lease", Comparison("lease_id", "=", lease_id), Comparison("lease_id", "absent"))
    put: dict[str, Any] = {
        "state": ACTIVE,
        "cookie_kind": record.cookie_kind or TOKEN_COOKIE,
        "token": new.stored_refresh,
        "token_hash": token_hash(new.stored_refresh),
        "access_token": new.stored_access,
        "access_iat": new.access.issued_at,
        "access_exp": new.access.expires_at,
        "timestamp": now,
        "jti_cur": new.access.jti,
        "gen": record.generation + 1,
        "last_op": lease_id,
        "lease_n": 0,
    }
    put |= _idle(now, idle_exp)
    drop = set(_MARKS | {"seen_at", "reason", "ended_at"})
    same = record.foreign_token or session_id(record.cookie_kind or TOKEN_COOKIE, new.access.origin_jti) == record.sid
    if same:
        drop.add("token_origin")
    else:
        put["token_origin"] = new.access.origin_jti
    if new.verified:
        drop.add("unverified")
    else:
        put["unverified"] = True
    if record.foreign_token:
        put |= {"sid": new.access.origin_jti, "jti_prev": frozenset({presented_jti or ANY_JTI})} | adopted
        drop |= _OF_ANOTHER_SIGN_IN - adopted.keys()
        if idle_exp is None:
            drop |= {"idle_exp", "active_at"}
        drop |= _DEVICE - adopted.keys()  # the device of a session before it would be refused
    else:
        previous, gone = _previous(record, now, presented_current=presented_current)
        put |= previous
        drop |= gone
    return Change(WriteKind.COMMIT, record.key, (*_unchanged(record), mine), put=put, drop=frozenset(drop))


def _previous(record: SessionRecord, now: int, *, presented_current: bool) -> tuple[Row, set[str]]:
    """Who counts as previous from now on: what to set, and what to remove.

    Generations none of whose successors was ever presented stay previous (`jti_prev`, `gen_prev`): their responses were
    lost. Once a successor is presented, those before it may travel for the overlap and no longer (`jti_old`, `gen_old`, until
    `old_until`). Presenting the outgoing generation in order to refresh it is presenting it.
    """
    seen_at = record.seen_at if record.seen_at is not None or not presented_current else now
    if seen_at is not None:  # no code covers it, but the row's code will cover `old_until`, which is made of it
        seen_at = max(0, min(seen_at, now))
    outgoing = frozenset({record.jti_cur}) if record.jti_cur else frozenset()
    travelling = record.old_until is not None and now < record.old_until
    old, gen_old, until = record.jti_old, record.gen_old, record.old_until
    previous, gen_prev = record.jti_prev | outgoing, record.gen_prev
    if seen_at is not None:
        just_seen = now < seen_at + OVERLAP_SECONDS
        old = (record.jti_prev if just_seen else frozenset()) | (old if travelling else frozenset())
        gen_old = gen_old if travelling and gen_old is not None else record.gen_prev
        travelling, until = travelling or just_seen, seen_at + OVERLAP_SECONDS
        previous, gen_prev = outgoing, None
    found: Row = {
        "gen_prev": record.generation if gen_prev is None else gen_prev,
        "jti_prev": previous or None,
        "prev_exp": record.access_exp,
        "jti_old": old if travelling and old else None,
        "gen_old": gen_old if travelling else None,
        "old_until": until if travelling else None,
    }
    return {n: v for n, v in found.items() if v is not None}, {n for n, v in found.items() if v is None}


def release(record: SessionRecord, *, lease_id: str, retry_at: int) -> Change:
    """Give the lease back without new tokens; no worker calls again before `retry_at` (protocol.md: Release)."""
    when = (*_unchanged(record), equals("lease_id", lease_id))
    return Change(WriteKind.RELEASE, record.key, when, put={"retry_at": retry_at}, drop=_LEASE)


def keep_token(record: SessionRecord, stored: str, *, lease_id: str, retry_at: int) -> Change:
    """Give the lease back with a rotated refresh token whose access token cannot be served (protocol.md: Keep).

    The generation stays, because no browser was given anything. A foreign row stays foreign.
    """
    put: dict[str, Any] = {"token": stored, "retry_at": retry_at, "last_op": lease_id}
    if not record.foreign_token:
        put["token_hash"] = token_hash(stored)
    mine = either("lease", Comparison("lease_id", "=", lease_id), Comparison("lease_id", "absent"))
    return Change(WriteKind.KEEP_TOKEN, record.key, (*_unchanged(record), mine), put=put, drop=_LEASE)


def cool_down_seconds(acquisition: int) -> int:
    """The pause in seconds after the nth lease (from 1) of a generation failed (protocol.md: Release)."""
    return _COOL_DOWN_SECONDS[min(max(acquisition, 1), len(_COOL_DOWN_SECONDS)) - 1]


def suspect(record: SessionRecord, reason: Reason, *, lease_id: str, now: int) -> Change:
    """Give the lease back with an unconfirmed verdict: a slow sibling may hold the good token. `reason`: the end it may be."""
    when = (*_unchanged(record), equals("lease_id", lease_id))
    return Change(WriteKind.SUSPECT, record.key, when, put={"suspect_at": now, "reason": reason.value}, drop=_LEASE)


def end(record: SessionRecord, kind: WriteKind, reason: Reason, *, now: int, also: Clause | None = None) -> Change:
    """Turn an active record into a tombstone for a verdict, a confirmed suspicion or a reuse."""
    return _tombstone(record, kind, reason, now=now, when=(*_unchanged(record), *((also,) if also else ())))


def log_out(record: SessionRecord, reason: Reason, *, now: int) -> Change:
    """Turn the record into a tombstone whatever generation it is in: a logout always wins."""
    return _tombstone(record, WriteKind.LOGOUT, reason, now=now, when=_same_sign_in(record))


def mark_seen(record: SessionRecord, *, now: int, idle_exp: int | None = None) -> Change:
    """Remember when the current generation was first presented."""
    when = (equals("sid", record.sid), equals("state", ACTIVE), equals("gen", record.gen), absent("seen_at"))
    return Change(WriteKind.MARK_SEEN, record.key, when, put={"seen_at": now} | _idle(now, idle_exp))


def touch(record: SessionRecord, *, now: int, idle_exp: int) -> Change:
    """Slide the idle end, from where it was read: of many requests at once one writes."""
    when = (equals("sid", record.sid), equals("state", ACTIVE), as_read("idle_exp", record.idle_exp))
    return Change(WriteKind.MOVE_IDLE_END, record.key, when, put=_idle(now, idle_exp))


def _idle(now: int, idle_exp: int | None) -> Row:
    return {} if idle_exp is None else {"idle_exp": idle_exp, "active_at": now}


def save_data(record: SessionRecord, text: str, op: str) -> Change:
    """Replace the session's data, from the version that was read. `op` is fresh: by it a write is known as one's own."""
    version = equals("data_version", record.data_version) if record.data_version else absent("data_version")
    when = (equals("sid", record.sid), equals("state", ACTIVE), version)
    return Change(
        WriteKind.SAVE_DATA, record.key, when, put={"data": text, "data_version": record.data_version + 1, "data_op": op}
    )


def device_turn(record: SessionRecord, *, retry_at: int) -> Change:
    """Take the turn to confirm the session's device: of many requests at once one takes it."""
    when = (*_device_unconfirmed(record), as_read("device_retry_at", record.device_retry_at))
    return Change(WriteKind.CONFIRM_DEVICE, record.key, when, put={"device_retry_at": retry_at})


def device_confirmed(record: SessionRecord) -> Change:
    """Remember that the session's device needs no confirmation any more."""
    drop = frozenset({"device_pending", "device_retry_at"})
    return Change(WriteKind.CONFIRM_DEVICE, record.key, _device_unconfirmed(record), drop=drop)


def _device_unconfirmed(record: SessionRecord) -> tuple[Clause, ...]:
    return (equals("sid", record.sid), equals("state", ACTIVE), equals("device_pending", record.device_pending))


def exists(attr: str) -> Clause:
    """The attribute is there, whatever its value."""
    return either(attr, Comparison(attr, "exists"))


def no_row() -> Clause:
    """There is no row under this key."""
    return absent("sub")


def _tombstone(record: SessionRecord, kind: WriteKind, reason: Reason, *, now: int, when: tuple[Clause, ...]) -> Change:
    put: dict[str, Any] = {
        "state": ENDED,
        "reason": reason.value,
        "ended_at": now,
        "ttl": max(record.abs_exp or 0, now + TOMBSTONE_SECONDS),
    }
    if record.sid is None:
        put["sid"] = record.key.sid
    return Change(kind, record.key, when, put=put, drop=_SECRETS | _CODES | _MARKS, add={"gen": 1})


def _same_sign_in(record: SessionRecord) -> tuple[Clause, ...]:
    """The row exists, is this session's, and holds the token that was read (protocol.md: General rules)."""
    clauses = [as_read("sid", record.sid), equals("token", record.token)]
    if record.foreign_token:
        clauses.append(as_read("token_hash", record.token_hash))
    return tuple(clauses)


def _unchanged(record: SessionRecord) -> tuple[Clause, ...]:
    """The same sign-in, active, and still the generation that was read."""
    if record.foreign_token:
        return (*_same_sign_in(record), as_read("state", record.state), as_read("gen", record.gen))
    return (*_same_sign_in(record), equals("state", ACTIVE), equals("gen", record.gen))


def _limits(record: SessionRecord, now: int) -> tuple[Clause, ...]:
    """Not past the absolute end; a foreign row's end, if any, belongs to the session before it."""
    if record.foreign_token:
        return ()
    return (either("abs_exp", Comparison("abs_exp", "absent"), Comparison("abs_exp", ">", now)),)
