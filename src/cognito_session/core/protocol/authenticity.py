"""Authenticity of a session's row: whether a manager may act on what it says.

1. With SESSION_KEYS a row that our code wrote proves what it says (row_code.py). One that does not is "could not find out":
   reported as `tampered`, 503 with the reason `tampered_record`, the row untouched. It is never a denial, because the
   row's earlier content is not known.
2. A session opens only for the kind of cookie that it was established for.
3. Rows without proof (of other sign-in code, or from before there were keys) open for a token cookie only, and with keys only
   under `accept_unsealed_rows`. The next refresh seals them. Nothing leads back.
4. A worker without keys leaves what is proved as it is: it cannot write a code, and its write would make the row a 503 for
   every worker that has the keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cognito_session.core.crypto.aead import InvalidSeal, RetiredKey, is_sealed
from cognito_session.core.errors import ConfigurationError, SessionUnavailable, StoreUnavailable, TokenError
from cognito_session.core.protocol.record import TOKEN_COOKIE
from cognito_session.core.protocol.row_code import Binding, check_codes, with_idle_code, with_row_code
from cognito_session.core.protocol.sealing import with_keyring
from cognito_session.core.protocol.session import Reason, Rejected
from cognito_session.core.protocol.steps import Flow, Report, ask

if TYPE_CHECKING:
    from cognito_session.core.crypto.keyring import Keyring
    from cognito_session.core.protocol.conditions import Change
    from cognito_session.core.protocol.context import FlowContext
    from cognito_session.core.protocol.record import SessionRecord

__all__ = ["cannot_prove", "check_can_prove", "check_genuine", "idle_coded", "is_proved", "rejection_of", "row_coded"]
__all__ += ["tampered"]


def rejection_of(context: FlowContext, record: SessionRecord, held: Keyring | None = None) -> Flow[Rejected | None]:
    """None where this manager's cookie may open the record, or Rejected. For a record that holds a session, foreign or ours.

    `held` is the keyring, where it was read before and is not to be waited for. Raises StoreUnavailable for a row that does
    not prove what it says, and SealKeyUnavailable.
    """
    fault = yield from _fault(context, record, held)
    if isinstance(fault, RetiredKey):
        yield from ask(Report("tampered", record.key.sub, record.sid, fault.reason))
        return Rejected(Reason(fault.reason))
    if fault is not None:
        raise (yield from tampered(record, fault)) from fault
    # A foreign row is a token cookie's; a sealed one is displaced by it, which its standing says.
    if not record.foreign_token and (record.cookie_kind or TOKEN_COOKIE) != context.cookie_kind:
        return Rejected(Reason.WRONG_COOKIE_KIND)
    return None


def check_genuine(context: FlowContext, record: SessionRecord) -> Flow[None]:
    """Hold the record against its codes. Reports, and raises StoreUnavailable; or raises SealKeyUnavailable."""
    fault = yield from _fault(context, record)
    if fault is not None:
        raise (yield from tampered(record, fault)) from fault


def is_proved(context: FlowContext, record: SessionRecord) -> Flow[bool]:
    """Whether a call to Cognito may name what the row says; False where that is not known. For ends, which need no proof.

    Reports a row that is not as our code wrote it. Raises nothing.
    """
    try:
        fault = yield from _fault(context, record)
    except SessionUnavailable:
        return False
    if fault is not None:
        yield from ask(Report("tampered", record.key.sub, record.sid, fault.reason))
    return fault is None and not (record.foreign_token and context.sealed_cookie)


def _fault(context: FlowContext, record: SessionRecord, held: Keyring | None = None) -> Flow[TokenError | None]:
    """What is wrong with the proof of a row."""
    if not context.seals:
        return None
    try:
        if record.foreign_token:
            _check_unsealed_are_accepted(context)
        elif record.row_code is None:
            _check_from_before_keys(context, record)
        else:
            binding = _binding(context, record.key.sub)
            yield from with_keyring(lambda ring: check_codes(ring, binding, record), held)
    except TokenError as error:
        return error
    return None


def tampered(record: SessionRecord, error: TokenError) -> Flow[StoreUnavailable]:
    """Report a row that is not as our code wrote it; the error to raise."""
    yield from ask(Report("tampered", record.key.sub, record.sid, error.reason))
    return StoreUnavailable(f"tampered record: {error}", reason="tampered_record")


def _check_unsealed_are_accepted(context: FlowContext) -> None:
    if not context.policy.accept_unsealed_rows and not context.sealed_cookie:
        raise InvalidSeal(
            "the row has no code of this table's keys. If other sign-in code or a release without SESSION_KEYS wrote it, set"
            " SESSION_ACCEPT_UNSEALED_ROWS=true or SessionPolicy(accept_unsealed_rows=True) until such sessions have ended"
        )


def _check_from_before_keys(context: FlowContext, record: SessionRecord) -> None:
    """A row of ours from before there were keys: of a token cookie, and with nothing sealed in it."""
    if not context.policy.accept_unsealed_rows:
        raise InvalidSeal(
            "the row has no code of this table's keys. If it is from before SESSION_KEYS were set, set"
            " SESSION_ACCEPT_UNSEALED_ROWS=true or SessionPolicy(accept_unsealed_rows=True) until such sessions have ended"
        )
    secrets = (record.token, record.access_token)
    if (record.cookie_kind or TOKEN_COOKIE) != TOKEN_COOKIE or any(secret and is_sealed(secret) for secret in secrets):
        raise InvalidSeal("the row holds sealed tokens and no code: expected both or neither")


def cannot_prove(context: FlowContext, record: SessionRecord) -> bool:
    """Whether the row was written with keys that this manager does not have, as while keys are brought in or taken back."""
    return record.row_code is not None and not context.seals


def check_can_prove(context: FlowContext, record: SessionRecord) -> None:
    """Raise ConfigurationError before a write that would leave something in the row unproved."""
    if cannot_prove(context, record):
        raise ConfigurationError(
            "SESSION_KEYS: not set, but the session's row was written with them, so that its data must be sealed. Set the keys"
            " that the other workers have"
        )


def row_coded(context: FlowContext, ring: Keyring | None, change: Change, before: SessionRecord | None = None) -> Change:
    """The write of a generation, with the code over the row as it will be; unchanged without keys."""
    return change if ring is None else with_row_code(ring, _binding(context, change.key.sub), change, before)


def idle_coded(context: FlowContext, ring: Keyring | None, change: Change, sid: str | None) -> Change:
    """A write that sets the idle end, or makes a row without one, with the code over it; unchanged without keys."""
    return change if ring is None else with_idle_code(ring, _binding(context, change.key.sub), change, sid)


def _binding(context: FlowContext, sub: str) -> Binding:
    return Binding(context.rules.user_pool_id, context.rules.client_id, sub)
