"""Refresh tokens of ended sessions that could not be revoked at Cognito: kept sealed until a worker can (protocol.md: Log out).

A worker without the newest sealing key ends a session, but cannot read the refresh token that it has to revoke. The sealed
text is then kept in the user's own row, or in the single row of a table without a sort key. The next sign-in, "sign out
everywhere", renewal or request with the ended session's cookie that reaches a worker with the key revokes it. Plain tokens are
never kept: after a sign-out no row holds a token that its reader could use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cognito_session.core.crypto.aead import STORED_PREFIX
from cognito_session.core.errors import ConfigurationError, SessionUnavailable, TokenError
from cognito_session.core.policy import TOMBSTONE_SECONDS
from cognito_session.core.protocol.conditions import Change, WriteKind, as_read
from cognito_session.core.protocol.record import USER_SID, Row, SessionKey, SessionRecord
from cognito_session.core.protocol.sealing import open_secret
from cognito_session.core.protocol.steps import Flow, Load, Revoke, Write, ask
from cognito_session.core.protocol.write_attempts import Again, reason_of, repeated, write_quietly
from cognito_session.core.protocol.writes import exists

if TYPE_CHECKING:
    from cognito_session.core.protocol.context import FlowContext

__all__ = ["keep_unrevoked", "revoke_kept_tokens", "revoke_kept_tokens_of", "revoke_token", "user_key", "user_row_end"]

_MOST: Final = 20
"""How many tokens one row keeps: more would make the row of every sign-in large."""
_REVOKE_ATTEMPTS: Final = 2


def user_key(context: FlowContext, sub: str) -> SessionKey:
    """The row that keeps what is known of the user."""
    return SessionKey(sub, "" if context.one_row_per_user else USER_SID)


def keep_unrevoked(context: FlowContext, record: SessionRecord, stored: str) -> Flow[bool]:
    """Keep the sealed refresh token of an ended session; False where it cannot be kept.

    In the user's row, which the next sign-in reads, and in the tombstone, which a request with its cookie reads.
    """
    if not stored.startswith(STORED_PREFIX):
        return False
    entry = f"{record.sid or record.key.sid} {stored}"
    try:
        kept = yield from _keep(context, user_key(context, record.key.sub), entry, made=not context.one_row_per_user)
        if kept and not context.one_row_per_user:
            yield from _keep(context, record.key, entry, made=False)
    except (SessionUnavailable, ConfigurationError):
        return False
    return kept


def _keep(context: FlowContext, key: SessionKey, entry: str, *, made: bool) -> Flow[bool]:
    def attempt() -> Flow[bool | Again]:
        row = yield from ask(Load(key))
        kept = SessionRecord.from_row(key, row or {}).unrevoked
        if entry in kept:
            return True
        if len(kept) >= _MOST or (row is None and not made):
            return False
        change = _kept(key, kept, kept | {entry}, ttl=_last_needed(context, row or {}), made=made)
        written = yield from ask(Write(change))
        return True if written.applied else Again.AGAIN

    return (yield from repeated(context, attempt, busy="the user's row kept changing"))


def revoke_kept_tokens(context: FlowContext, keeper: SessionRecord) -> Flow[None]:
    """Revoke at Cognito what `keeper`, the user's row as it was read, remembers. What this worker cannot open stays.

    A failure changes nothing: the next one tries again.
    """
    gone = set()
    for entry in sorted(keeper.unrevoked):
        sid, _, stored = entry.rpartition(" ")
        try:
            token = yield from open_secret(context, stored, sub=keeper.key.sub, sid=sid, attribute="token")
        except (TokenError, SessionUnavailable, ConfigurationError):
            continue  # another worker may hold the key; the row's `ttl` ends what none of them can open
        if (yield from revoke_token(token)) is None:
            gone.add(entry)
    if gone:
        yield from _forget(keeper, frozenset(gone))


def revoke_kept_tokens_of(context: FlowContext, record: SessionRecord) -> Flow[None]:
    """As revoke_kept_tokens, for a session's record and, where that remembers anything, for the user's row as well."""
    if not record.unrevoked:
        return
    yield from revoke_kept_tokens(context, record)
    if context.one_row_per_user:
        return
    key = user_key(context, record.key.sub)
    try:
        row = yield from ask(Load(key))
        keeper = SessionRecord.from_row(key, row or {})
    except (SessionUnavailable, ConfigurationError):
        return
    yield from revoke_kept_tokens(context, keeper)


def revoke_token(refresh_token: str) -> Flow[str | None]:
    """None where Cognito took the revocation, in one of two tries, else the reason.

    A provider of the application's own may raise anything: the session has ended, and its user must hear so.
    """
    reason = ""
    for _ in range(_REVOKE_ATTEMPTS):
        try:
            yield from ask(Revoke(refresh_token))
        except SessionUnavailable as error:
            reason = error.reason
            continue
        except Exception as error:  # noqa: BLE001 - reported by its kind
            return reason_of(error)
        return None
    return reason


def _forget(keeper: SessionRecord, gone: frozenset[str]) -> Flow[None]:
    """A second revocation of a revoked token is harmless, so a failure here is, too."""
    change = _kept(keeper.key, keeper.unrevoked, keeper.unrevoked - gone)
    yield from write_quietly(change, keeper.sid)


def _kept(
    key: SessionKey, before: frozenset[str], after: frozenset[str], *, ttl: int | None = None, made: bool = False
) -> Change:
    """From one set of kept tokens to another; `made`: the row is made where there is none."""
    when = (as_read("unrevoked", before or None), *(() if made else (exists("sub"),)))
    put: Row = {} if ttl is None else {"ttl": ttl}
    if after:
        return Change(WriteKind.KEEP_UNREVOKED, key, when, put=put | {"unrevoked": after})
    return Change(WriteKind.KEEP_UNREVOKED, key, when, put=put, drop=frozenset({"unrevoked"}))


def user_row_end(context: FlowContext) -> int:
    """When the row of what is known of the user may go: no session and no refresh token of now outlives it."""
    return context.now() + max(context.policy.refresh_token_days * 86_400, TOMBSTONE_SECONDS)


def _last_needed(context: FlowContext, row: Row) -> int:
    """As long as the refresh token may live, and never shorter than the row is kept anyway."""
    end, found = user_row_end(context), row.get("ttl")
    return max(end, found) if type(found) is int else end
