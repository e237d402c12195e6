"""SessionRecord: one session's row as the protocol reads it.

A row is a plain mapping from attribute name to text, number, set of text or anything a stranger put there; reading it
never guesses: an attribute of ours with a foreign type makes the record unreadable (503), not absent. Two rows are not
ours to trust blindly: a *foreign* one, whose token some other sign-in code wrote, and a tombstone. Secrets never show in
repr.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cognito_session.core.crypto.aead import is_sealed
from cognito_session.core.errors import StoreUnavailable
from cognito_session.core.policy import CLOCK_TOLERANCE_SECONDS
from cognito_session.core.redact import redacted_repr

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ANY_JTI", "SEALED_COOKIE", "TOKEN_COOKIE", "USER_SID", "Row", "SessionKey", "SessionRecord"]
__all__ += ["session_id", "token_hash"]

Row = dict[str, Any]
"""Attribute name to value, the keys always under the names `sub` and `sid` whatever the table calls them."""

ANY_JTI: Final = "*"
"""In `jti_prev`: any other token of the session counts as previous."""
ENDED: Final = "ended"
USER_SID: Final = "#user"
"""Session id of the row that holds what is known of the user, in a table with a sort key: `not_before`, `sign_ins` (how many
sign-ins were counted under `max_sessions`) and `unrevoked`."""
ACTIVE: Final = "active"
SEALED_COOKIE: Final = "sealed"
TOKEN_COOKIE: Final = "token"
"""In `cookie_kind`: which kind of cookie the session was established for. A cookie of the other kind opens nothing."""


def token_hash(stored: str) -> str:
    """A hash of the stored token text. Our writes keep it beside the token, so that a replaced token is noticed."""
    return _hash_of_sealed(stored) if is_sealed(stored) else _hash_of(stored)


def _hash_of(stored: str) -> str:
    return sha256(stored.encode("utf-8", "surrogatepass")).hexdigest()


_hash_of_sealed: Final = lru_cache(maxsize=512)(_hash_of)
"""Asked several times by each request. A plain token is a secret, and is not kept."""


def session_id(kind: str, origin_jti: str) -> str:
    """The id of the session that a sign-in begins: its `origin_jti`, or 128 bits of a hash of it for a sealed cookie.

    One sign-in has one id, so that a late duplicate finds its row, or its tombstone, and brings nothing back. The id is no
    secret: what a sealed cookie proves is its seal.
    """
    if kind != SEALED_COOKIE:
        return origin_jti
    return sha256(b"cognito-session sid\0" + origin_jti.encode()).hexdigest()[:32]


class SessionKey(NamedTuple):
    """Partition key and session id. A table without sort key finds the row by `sub` alone."""

    sub: str
    sid: str


class SessionRecord(NamedTuple):
    """The attributes of a session record (protocol.md: Terms), None where absent. Instants are epoch seconds, `_ms` ones
    milliseconds.

    `sign_in` is the sign-in's number under `max_sessions`: sessions are older the lower it is, and oldest without one.
    `token_origin` is the `origin_jti` of the tokens, where it is not the one that the session id was made of. `row_code` and
    `idle_code` prove what the row says (row_code.py).
    `unrevoked` holds sealed refresh tokens of ended sessions that Cognito has not been told of yet (unrevoked_tokens.py).
    """

    key: SessionKey
    sid: str | None
    token: str | None
    token_hash: str | None
    access_token: str | None
    access_iat: int | None
    access_exp: int | None
    state: str | None
    reason: str | None
    gen: int | None
    gen_prev: int | None
    gen_old: int | None
    jti_cur: str | None
    jti_prev: frozenset[str]
    jti_old: frozenset[str]
    old_until: int | None
    prev_exp: int | None
    lease_id: str | None
    lease_until_ms: int | None
    lease_n: int
    lease_for: str | None
    last_op: str | None
    seen_at: int | None
    suspect_at: int | None
    retry_at: int | None
    username: str | None
    device_key: str | None
    device_pending: str | None
    device_retry_at: int | None
    auth_time: int | None
    created_at: int | None
    idle_exp: int | None
    abs_exp: int | None
    active_at: int | None
    not_before: int | None
    device: str | None
    data: str | None
    data_version: int
    unverified: bool
    sign_in: int | None
    unrevoked: frozenset[str]
    cookie_kind: str | None
    token_origin: str | None
    row_code: str | None
    idle_code: str | None

    def __repr__(self) -> str:
        hidden = ("token", "token_hash", "access_token", "lease_for", "device_key", "device_pending", "data", "unrevoked")
        return redacted_repr(self, *hidden)

    @classmethod
    def from_row(cls, key: SessionKey, row: Mapping[str, Any]) -> SessionRecord:
        """The record of a row. Raises StoreUnavailable where one of our attributes has a foreign type."""
        read = _Reader(row)
        return cls(
            key=key,
            sid=read.text("sid"),
            token=read.text("token"),
            token_hash=read.text("token_hash"),
            access_token=read.text("access_token"),
            access_iat=read.number("access_iat"),
            access_exp=read.number("access_exp"),
            state=read.text("state"),
            reason=read.text("reason"),
            gen=read.number("gen"),
            gen_prev=read.number("gen_prev"),
            gen_old=read.number("gen_old"),
            jti_cur=read.text("jti_cur"),
            jti_prev=read.texts("jti_prev"),
            jti_old=read.texts("jti_old"),
            old_until=read.number("old_until"),
            prev_exp=read.number("prev_exp"),
            lease_id=read.text("lease_id"),
            lease_until_ms=read.number("lease_until"),
            lease_n=read.number("lease_n") or 0,
            lease_for=read.text("lease_for"),
            last_op=read.text("last_op"),
            seen_at=read.number("seen_at"),
            suspect_at=read.number("suspect_at"),
            retry_at=read.number("retry_at"),
            username=read.text("username"),
            device_key=read.text("device_key"),
            device_pending=read.text("device_pending"),
            device_retry_at=read.number("device_retry_at"),
            auth_time=read.number("auth_time"),
            created_at=read.number("created_at"),
            idle_exp=read.number("idle_exp"),
            abs_exp=read.number("abs_exp"),
            active_at=read.number("active_at"),
            not_before=read.number("not_before"),
            device=read.text("device"),
            data=read.text("data"),
            data_version=read.number("data_version") or 0,
            unverified=row.get("unverified") is True,
            sign_in=read.number("sign_in"),
            unrevoked=read.texts("unrevoked"),
            cookie_kind=read.text("cookie_kind"),
            token_origin=read.text("token_origin"),
            row_code=read.text("row_code"),
            idle_code=read.text("idle_code"),
        )

    @property
    def foreign_token(self) -> bool:
        """Whether its token was written by code that is not ours: no sid, or a token our hash does not know.

        Never where the token is sealed: only our code seals, so that such a row without its sid or hash was tampered with.
        """
        if self.token is None:
            return self.sid is None
        if self.sid is not None and token_hash(self.token) == self.token_hash:
            return False
        return not is_sealed(self.token)

    @property
    def holds_session(self) -> bool:
        """Whether it has a token and is no tombstone."""
        return self.token is not None and (not self.ended or self.foreign_token)

    def holds(self, origin_jti: str) -> bool:
        """Whether tokens of this sign-in are the record's."""
        if self.token_origin is not None:
            return origin_jti == self.token_origin
        return session_id(self.cookie_kind or TOKEN_COOKIE, origin_jti) == (self.sid or self.key.sid)

    @property
    def ended(self) -> bool:
        """Whether it is a tombstone. Test `foreign_token` first: a foreign sign-in over a tombstone is a new session."""
        return self.state == ENDED

    @property
    def stale_marks(self) -> bool:
        """Whether lease, suspicion and cool-down speak of a token that foreign code has since replaced."""
        return self.foreign_token and self.token is not None and self.lease_for != token_hash(self.token)

    @property
    def generation(self) -> int:
        """`gen`, 0 for a row that never had one."""
        return self.gen or 0

    def lease_is_live(self, now: float) -> bool:
        """Whether another worker may still be calling the provider; clocks may differ by the tolerance."""
        if self.lease_id is None or self.lease_until_ms is None:
            return False
        return self.lease_until_ms >= (now - CLOCK_TOLERANCE_SECONDS) * 1000


class _Reader:
    """Typed access to a row's attributes."""

    __slots__ = ("_row",)

    def __init__(self, row: Mapping[str, Any]) -> None:
        self._row = row

    def text(self, name: str) -> str | None:
        value = self._row.get(name)
        if value is None or isinstance(value, str):
            return value
        raise _unreadable(name, "text")

    def number(self, name: str) -> int | None:
        """None only where it is absent: a null cannot be counted up, nor does a condition take it for absent."""
        if name not in self._row:
            return None
        value = self._row[name]
        if type(value) is int:
            return value
        raise _unreadable(name, "a whole number")

    def texts(self, name: str) -> frozenset[str]:
        value = self._row.get(name)
        if value is None:
            return frozenset()
        if isinstance(value, frozenset):
            return value
        raise _unreadable(name, "a set of texts")


def _unreadable(name: str, expected: str) -> StoreUnavailable:
    return StoreUnavailable(f"session row: attribute {name}: expected {expected}", reason="unreadable_record")
