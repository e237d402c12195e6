"""Session data: a small JSON object per session, written only when changed, under a version (protocol.md: Data).

It is stored as text, so that what is read is what was written (a database's numbers are not JSON's).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from cognito_session.core.crypto.encoding import NotJson, read_json
from cognito_session.core.errors import ConfigurationError, SessionConflict, SessionRequired, StoreUnavailable, TokenError
from cognito_session.core.protocol import writes
from cognito_session.core.protocol.authenticity import check_can_prove, rejection_of, tampered
from cognito_session.core.protocol.devices import is_live
from cognito_session.core.protocol.record import SessionKey, SessionRecord
from cognito_session.core.protocol.sealing import open_secret, seal_secret
from cognito_session.core.protocol.steps import Flow, Load, Write, ask
from cognito_session.core.protocol.write_attempts import Again, repeated

if TYPE_CHECKING:
    from cognito_session.core.protocol.context import FlowContext
    from cognito_session.core.protocol.session import Session

__all__ = ["MAX_DATA_BYTES", "data_of", "save_data"]

MAX_DATA_BYTES: Final = 16_384
_PLAIN: Final = (str, int, float, bool, type(None))


def data_of(context: FlowContext, record: SessionRecord) -> Flow[dict[str, Any]]:
    """The record's data. Raises StoreUnavailable where it is not ours to read, and SealKeyUnavailable."""
    if record.foreign_token or record.data is None:
        return {}
    try:
        found = read_json((yield from _opened(context, record, record.data)))
    except NotJson as error:
        raise StoreUnavailable("session row: attribute data: expected JSON", reason="unreadable_record") from error
    return found if isinstance(found, dict) else {}


def _opened(context: FlowContext, record: SessionRecord, stored: str) -> Flow[str]:
    """The text of the data; sealed, it is bound to its version, so that a version cannot be passed off as a later one."""
    sid, attribute = record.sid or record.key.sid, _sealed_as(record.data_version)
    try:
        return (yield from open_secret(context, stored, sub=record.key.sub, sid=sid, attribute=attribute))
    except TokenError as error:
        raise (yield from tampered(record, error)) from error


def _sealed_as(version: int) -> str:
    return f"data {version}"


def save_data(context: FlowContext, session: Session, data: Mapping[str, Any]) -> Flow[int]:
    """Replace the data of a session as it was read; the new version.

    Raises SessionConflict where another request wrote since, SessionRequired where the session has ended, StoreUnavailable,
    and ConfigurationError (a ValueError) for what is not JSON or over 16 kB.
    """
    text = _text(data)
    key, op = SessionKey(session.sub, session.sid), context.fresh_id()

    def attempt() -> Flow[int | Again]:
        row = yield from ask(Load(key))
        if row is None:
            raise SessionRequired("the session has ended", reason="session_ended")
        record = SessionRecord.from_row(key, row)
        refusal = (yield from rejection_of(context, record)) if record.holds_session else None
        if refusal is not None:
            raise SessionRequired("the session is not to be opened", reason=refusal.reason)
        if record.foreign_token or record.ended or record.sid != session.sid:
            raise SessionRequired("the session has ended", reason="session_ended")
        if not is_live(record, context.now()):
            raise SessionRequired("the session has reached its idle or its absolute end", reason="session_ended")
        check_can_prove(context, record)
        if row.get("data_op") == op:  # an earlier attempt's write, its answer lost
            return record.data_version
        if record.data_version != session.data_version:
            raise _conflict()
        before = "{}" if record.data is None else (yield from _opened(context, record, record.data))
        if text == before:  # compared with the row: what `session.data` holds may have been changed in place
            return session.data_version
        sid, attribute = session.sid, _sealed_as(record.data_version + 1)
        stored = yield from seal_secret(context, text, sub=session.sub, sid=sid, attribute=attribute)
        written = yield from ask(Write(writes.save_data(record, stored, op)))
        if written.applied or (written.found or {}).get("data_op") == op:  # a resend meets its own write
            return session.data_version + 1
        return Again.AGAIN

    return (yield from repeated(context, attempt, busy="the session kept changing while its data was being saved"))


def _text(data: Mapping[str, Any]) -> str:
    if not isinstance(data, Mapping):
        raise ConfigurationError(f"session data: expected a mapping, not {type(data).__name__}")
    try:
        _check(dict(data), "data")
        text = json.dumps(dict(data), separators=(",", ":"), sort_keys=True, ensure_ascii=False, allow_nan=False)
    except (ValueError, RecursionError) as error:
        if isinstance(error, ConfigurationError):
            raise
        raise ConfigurationError("session data: expected finite numbers, no cycles and little depth") from error
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_DATA_BYTES:
        raise ConfigurationError(
            f"session data: {size} bytes, but {MAX_DATA_BYTES} is the most: keep it in a table of your own"
        )
    return text


def _check(value: object, where: str) -> None:
    """Only what JSON gives back as it was: no tuples, dates, sets or numbers as keys."""
    if isinstance(value, dict):
        for name, item in value.items():
            if not isinstance(name, str):
                raise ConfigurationError(f"session {where}: expected texts as names")
            _check(item, f"{where}.{name}")
    elif isinstance(value, list):
        for item in value:
            _check(item, f"{where}[]")
    elif type(value) not in _PLAIN:  # NaN and infinity are left to json.dumps
        raise ConfigurationError(f"session {where}: expected JSON types only, not {type(value).__name__}")


def _conflict() -> SessionConflict:
    return SessionConflict("the session's data changed since it was read: read it again, then repeat the change")
