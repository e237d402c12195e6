"""The generation of a record that a credential belongs to (protocol.md: Which cookie may still be used).

Pure functions of credential and record. The flow decides what follows from the result.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from cognito_session.core.crypto.credential import Credential, TokenCredential
from cognito_session.core.policy import OVERLAP_SECONDS
from cognito_session.core.protocol.record import ANY_JTI
from cognito_session.core.protocol.session import Reason, Rejected

if TYPE_CHECKING:
    from cognito_session.core.protocol.record import SessionRecord

__all__ = ["CookieGeneration", "Previous", "cookie_generation", "denial_of", "judge_previous"]


class CookieGeneration(Enum):
    """A credential's place in the record's history."""

    CURRENT = "current"
    PREVIOUS = "previous"
    OLDER = "older"
    DISPLACED = "displaced"
    NOT_REACHED = "not reached"
    """A generation the record has not reached: it was restored from a backup, or is another table's."""
    FOREIGN = "foreign"
    """The row's token was written by foreign code: any authentic token of the user is accepted."""


class Previous(Enum):
    """What a previous generation may still do."""

    HEAL = "heal"
    REJECT = "reject"
    REUSE = "reuse"


def cookie_generation(credential: Credential, record: SessionRecord) -> CookieGeneration:
    """Where the credential stands against the record."""
    if isinstance(credential, TokenCredential):
        return _token_generation(credential, record)
    if record.foreign_token or credential.sid != record.sid:
        return CookieGeneration.DISPLACED
    if credential.gen >= record.generation:
        return CookieGeneration.CURRENT if credential.gen == record.generation else CookieGeneration.NOT_REACHED
    oldest = [gen for gen in (record.gen_prev, record.gen_old) if gen is not None]
    return CookieGeneration.PREVIOUS if credential.gen >= min(oldest, default=record.generation) else CookieGeneration.OLDER


def _token_generation(credential: TokenCredential, record: SessionRecord) -> CookieGeneration:
    if record.foreign_token:
        return CookieGeneration.FOREIGN
    jti = credential.token.jti
    if jti == record.jti_cur:
        return CookieGeneration.CURRENT
    if jti in record.jti_prev or jti in record.jti_old:
        return CookieGeneration.PREVIOUS
    if credential.sid != record.sid:
        return CookieGeneration.DISPLACED
    return CookieGeneration.PREVIOUS if ANY_JTI in record.jti_prev else CookieGeneration.OLDER


def judge_previous(credential: Credential, record: SessionRecord, arrived: int) -> Previous:
    """What a previous generation may do, by the instant the request arrived."""
    if _may_still_travel(credential, record, arrived):
        return Previous.HEAL
    expiry = credential.token.expires_at if isinstance(credential, TokenCredential) else record.prev_exp
    if expiry is not None and arrived < expiry:
        return Previous.REJECT
    return Previous.REUSE


def _may_still_travel(credential: Credential, record: SessionRecord, arrived: int) -> bool:
    """Whether the newer cookie may not have reached this request: a lost response, or a parallel one."""
    if isinstance(credential, TokenCredential):
        old = credential.token.jti in record.jti_old
    else:
        old = record.gen_prev is not None and credential.gen < record.gen_prev
    if old:
        return record.old_until is not None and arrived <= record.old_until
    return record.seen_at is None or arrived <= record.seen_at + OVERLAP_SECONDS


def denial_of(record: SessionRecord, generation: CookieGeneration, now: int) -> Rejected | None:
    """The denials that do not depend on the tokens."""
    if record.ended:
        return Rejected(Reason.SESSION_ENDED)
    if generation is CookieGeneration.DISPLACED:
        return Rejected(Reason.DISPLACED)
    if generation is CookieGeneration.NOT_REACHED or record.token is None:
        return Rejected(Reason.UNKNOWN_SESSION)
    # The table's TTL deletes rows hours late, so both ends are checked here (protocol.md: Look).
    if record.idle_exp is not None and now >= record.idle_exp:
        return Rejected(Reason.IDLE_TIMEOUT)
    if record.abs_exp is not None and now >= record.abs_exp:
        return Rejected(Reason.ABSOLUTE_TIMEOUT)
    return None
