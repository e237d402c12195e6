"""The row of a credential: read by its key, and searched for by `jti` once (protocol.md: Look).

Whether `origin_jti` survives rotation is not documented. Where it does not, the record keeps the session id it was made
with, and a token cookie names another; the user's partition is then searched for the record that knows the token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cognito_session.core.crypto.credential import Credential, TokenCredential
from cognito_session.core.protocol.context import Searched
from cognito_session.core.protocol.record import Row, SessionKey, SessionRecord
from cognito_session.core.protocol.steps import Flow, Load, LoadAll, ask

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cognito_session.core.protocol.context import FlowContext

_MARKS: Final = ("jti_cur", "jti_prev")
"""What tells a row that knows a token: the rest of the user's rows is not asked for."""

__all__ = ["find_row", "key_of"]


def key_of(credential: Credential) -> SessionKey:
    """Where the credential's own claims say that its row is."""
    return SessionKey(credential.sub, credential.sid)


def find_row(context: FlowContext, credential: Credential) -> Flow[tuple[SessionKey, Row] | None]:
    """The row and its key, or None."""
    key = key_of(credential)
    row = yield from ask(Load(key))
    if row is not None:
        return key, row
    if context.one_row_per_user or not isinstance(credential, TokenCredential):
        return None
    return (yield from _searched_for(context, credential.sub, credential.token.jti))


def _searched_for(context: FlowContext, sub: str, jti: str) -> Flow[tuple[SessionKey, Row] | None]:
    """The row of another session id that knows the token. A worker searches all rows of the user once for each token."""
    token = (sub, jti)
    searched = context.searched if context.searched is not None else Searched()
    if token not in searched:
        marks = yield from ask(LoadAll(sub, _MARKS))
        searched.note(token, next((record.sid for record in _records(sub, marks) if _knows(record, jti)), None))
    sid = searched.sid_of(token)
    if sid is None:
        return None
    key = SessionKey(sub, sid)
    row = yield from ask(Load(key))
    return (key, row) if row is not None and _knows(SessionRecord.from_row(key, row), jti) else None


def _records(sub: str, rows: Sequence[Row]) -> Iterator[SessionRecord]:
    return (SessionRecord.from_row(SessionKey(sub, ""), row) for row in rows)


def _knows(record: SessionRecord, jti: str) -> bool:
    return record.sid is not None and (jti == record.jti_cur or jti in record.jti_prev)
