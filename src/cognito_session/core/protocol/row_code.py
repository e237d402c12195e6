"""Row codes: what proves that a session's row says what our code wrote (HMAC-SHA256 under a key of the keyring).

A code's text is `SEQUENCE.MAC`: the number of the key and 128 bits of the MAC in base64url. Two codes, because two kinds of
writes change what a row decides by:
1. `row_code` is over COVERED, which only a sign-in and a refresh write, each in one write. Each of them computes it again.
2. `idle_code` is over `idle_exp` and `active_at`, which requests move along in between. It is not bound to the generation,
   because an earlier idle end only takes time away: a commit and a request that meet do not invalidate each other's code.

Both are bound to user pool, app client, user and session id. `data` and `device_pending` change at other times and are sealed
instead. Not covered, on purpose: lease, cool-down, suspicion, `last_op` and `ttl` decide only whether the session is
available, which a writer of the table decides anyway by deleting the row. `seen_at` decides how long the previous generation
is healed: removing it gives what an older copy of the row gives, and a commit bounds it. `token` is covered by its hash. A
tombstone only takes rights away.

Pure. Knows no flow and no store.
"""

from __future__ import annotations

import hmac
import json
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cognito_session.core.crypto.aead import InvalidSeal, derived_key, entry_of
from cognito_session.core.crypto.encoding import to_base64url
from cognito_session.core.protocol.record import ACTIVE, token_hash

if TYPE_CHECKING:
    from cognito_session.core.crypto.keyring import KeyEntry, Keyring
    from cognito_session.core.protocol.conditions import Change
    from cognito_session.core.protocol.record import SessionRecord

__all__ = ["COVERED", "IDLE", "Binding", "check_codes", "with_idle_code", "with_row_code"]

COVERED: Final = (
    *("sid", "state", "gen", "cookie_kind", "token_hash", "access_token", "access_iat", "access_exp", "unverified"),
    *("token_origin", "jti_cur", "jti_prev", "jti_old", "gen_prev", "gen_old", "old_until", "prev_exp"),
    *("username", "device", "device_key", "auth_time", "created_at", "abs_exp", "sign_in"),
)
"""Every attribute that is written with the tokens and decides something."""
IDLE: Final = ("idle_exp", "active_at")
_PURPOSE: Final = "row"
_MAC_BYTES: Final = 16
_MAX_SEQUENCE_DIGITS: Final = 9
_COVERED_OF: Final = attrgetter(*COVERED)
_IDLE_OF: Final = attrgetter(*IDLE)
_EMPTY: Final = {"jti_prev": frozenset[str](), "jti_old": frozenset[str](), "unverified": False}
"""What a record holds of an attribute that is absent or empty; of any other, None."""
_ENCODE: Final = json.JSONEncoder(separators=(",", ":"), default=sorted).encode
"""Sets become sorted lists. JSON keeps types and borders apart, so that no two rows have the same text."""


_Whose = tuple[str | None, ...]
"""The kind of a code, and the pool, client, user and session that it is bound to."""


class Binding(NamedTuple):
    """Whose row it is."""

    pool: str
    client_id: str
    sub: str


def check_codes(ring: Keyring, binding: Binding, record: SessionRecord) -> None:
    """Hold the record's two codes against its attributes.

    Raises InvalidSeal where one is missing or does not fit, RetiredKey and SealKeyUnavailable as `entry_of` does.
    """
    _check(ring, record.row_code, ("row", *binding, record.sid), _COVERED_OF(record))
    _check(ring, record.idle_code, ("idle", *binding, record.sid), _IDLE_OF(record))
    if record.state != ACTIVE:
        raise InvalidSeal("session row: attribute state: expected active")
    # The code covers the hash alone. A sealed token of an earlier generation opens, and may be spent or revoked.
    if record.token_hash != (None if record.token is None else token_hash(record.token)):
        raise InvalidSeal("session row: attribute token: expected the refresh token that token_hash was made of")


def with_row_code(ring: Keyring, binding: Binding, change: Change, before: SessionRecord | None) -> Change:
    """The change, which sets `row_code` for the row as it will be; `before` is the record that it is conditioned on."""
    values = _after(change, before, COVERED)
    code = _code(ring.newest, ("row", *binding, values[0]), values)
    return change._replace(put={**change.put, "row_code": code})


def with_idle_code(ring: Keyring, binding: Binding, change: Change, sid: str | None) -> Change:
    """The change, which sets `idle_code` for the idle end that it sets itself, or for none."""
    code = _code(ring.newest, ("idle", *binding, sid), tuple(change.put.get(name) for name in IDLE))
    return change._replace(put={**change.put, "idle_code": code})


def _after(change: Change, before: SessionRecord | None, names: tuple[str, ...]) -> tuple[Any, ...]:
    """The attributes after the write."""
    kept = None if change.replace else before
    found = [
        change.put[name] if name in change.put else None if name in change.drop else getattr(kept, name, None) for name in names
    ]
    return tuple(_EMPTY.get(name) if value is None else value for name, value in zip(names, found, strict=True))


@lru_cache(maxsize=512)
def _code(entry: KeyEntry, whose: _Whose, values: tuple[Any, ...]) -> str:
    """Cached over all that goes into it: a warm worker compares a row with the one it has seen. It holds no plain secret."""
    text = _ENCODE((whose, values))
    mac = hmac.digest(derived_key(entry, _PURPOSE), text.encode("ascii"), "sha256")[:_MAC_BYTES]
    return f"{entry.sequence}.{to_base64url(mac)}"


def _check(ring: Keyring, code: str | None, whose: _Whose, values: tuple[Any, ...]) -> None:
    sequence = (code or "").partition(".")[0]
    if code is None or not (sequence.isascii() and sequence.isdigit() and len(sequence) <= _MAX_SEQUENCE_DIGITS):
        raise InvalidSeal(f"session row: attribute {whose[0]}_code: expected the code of a row written with SESSION_KEYS")
    entry = entry_of(ring, int(sequence))
    try:
        expected = _code(entry, whose, values)
    except (TypeError, ValueError, RecursionError):  # a set of what our code never writes
        expected = ""
    if not hmac.compare_digest(expected.encode(), code.encode("utf-8", "surrogatepass")):
        raise InvalidSeal(f"session row: attribute {whose[0]}_code: expected the code of what the row says")
