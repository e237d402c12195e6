"""DynamoDB's error codes: the meaning of each for the session table.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cognito_session.aws.common_codes import COMMON, Meaning, explain, meaning_of
from cognito_session.core.errors import ConfigurationError, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cognito_session.aws.transport.interface import ServiceError

__all__ = ["DYNAMODB", "has_failed_condition", "is_conflict", "is_passing", "table_failure"]

_NO_TABLE: Final = Meaning(passing=False, advice="there is no such table in this region: check SESSION_TABLE and AWS_REGION")
_BUSY_TABLE: Final = Meaning(passing=True, advice="the table is being made, changed or restored: wait until it is ACTIVE")
_CONFLICT: Final = Meaning(passing=True, advice="another write to the same item is under way; nothing was written")
_OVER_CAPACITY: Final = Meaning(
    passing=True, advice="the table's capacity is used up: on-demand billing or auto scaling gives it more"
)
_TOO_LARGE: Final = Meaning(
    passing=False, advice="the items of one user exceed 10 GB because of a local secondary index: use a table without one"
)
_INVALID: Final = Meaning(passing=False, advice="the service does not accept the request")
_TOO_BIG: Final = "item size"
_NO_TRANSACTIONS: Final = (
    ", and that it is no global table with multi-Region strong consistency, which takes no transactions"
    " (`cognito-session table check` tells)"
)

DYNAMODB: Final[Mapping[str, Meaning]] = {
    "ProvisionedThroughputExceededException": _OVER_CAPACITY,
    "ProvisionedThroughputExceeded": _OVER_CAPACITY,
    "ResourceNotFoundException": _NO_TABLE,
    "TableNotFoundException": _NO_TABLE,
    "ResourceInUseException": _BUSY_TABLE,
    "TableInUseException": _BUSY_TABLE,
    "ContinuousBackupsUnavailableException": Meaning(
        passing=True, advice="backups of a new table are set up after it is ACTIVE: wait"
    ),
    "LimitExceededException": Meaning(
        passing=True, advice="too many operations on tables run at once, or the account's quota of tables is used up"
    ),
    "ConditionalCheckFailedException": _CONFLICT,
    "ConditionalCheckFailed": _CONFLICT,
    "TransactionCanceledException": _CONFLICT,
    "TransactionConflictException": _CONFLICT,
    "TransactionConflict": _CONFLICT,
    "TransactionInProgressException": _CONFLICT,
    "ReplicatedWriteConflictException": Meaning(
        passing=True, advice="another region is writing to the same item of this global table; nothing was written"
    ),
    "IdempotentParameterMismatchException": Meaning(passing=True, advice="a transaction's token was used for another one"),
    "ItemCollectionSizeLimitExceededException": _TOO_LARGE,
    "ItemCollectionSizeLimitExceeded": _TOO_LARGE,
    "ThrottlingError": Meaning(passing=True, advice="the table limits the rate of requests; nothing is lost"),
    "PolicyNotFoundException": Meaning(passing=False, advice="the table has no resource-based policy"),
    "ValidationException": _INVALID,
    "ValidationError": _INVALID,
}
"""Codes of the operations that this package calls, and of a cancelled transaction's reasons."""


def is_passing(error: ServiceError) -> bool:
    """Whether a later try may succeed."""
    return _meaning(error).passing


def table_failure(error: ServiceError, table: str, *, keys: str = "") -> ConfigurationError | StoreUnavailable:
    """The error to raise for an answer about a table. `keys` names the keys that the table is expected to have."""
    meaning = _meaning(error)
    if meaning is _INVALID and _TOO_BIG in error.message.lower():
        meaning = _INVALID._replace(advice="a row holds at most 400 KB: keep less with the session (save_data)")
    elif keys and meaning is _INVALID:
        advice = f"check that {keys} are the table's keys, of type S"
        meaning = _INVALID._replace(
            advice=advice + (_NO_TRANSACTIONS if error.operation.endswith(".TransactWriteItems") else "")
        )
    text = explain(error, meaning, "DynamoDB", f" on table {table}" if table else "")
    return StoreUnavailable(text, retry_after=error.retry_after) if meaning.passing else ConfigurationError(text)


def has_failed_condition(error: ServiceError) -> bool:
    """Whether a write's own condition refused it: that is a result, not a failure.

    A transaction is also cancelled for conflicts and throttling; each item's reason tells them apart.
    """
    if error.code == "TransactionCanceledException":
        return "ConditionalCheckFailed" in _reasons(error) or "ConditionalCheckFailed" in error.message
    return error.code == "ConditionalCheckFailedException"


def is_conflict(error: ServiceError) -> bool:
    """Whether a transaction was cancelled only because another write to one of its items was in progress."""
    reasons = set(_reasons(error)) - {"None"}
    return error.code == "TransactionCanceledException" and reasons == {"TransactionConflict"}


def _meaning(error: ServiceError) -> Meaning:
    """The meaning of an error. Of a cancelled transaction's reasons, one that the operator must act on comes first."""
    if error.code == "TransactionCanceledException":
        meanings = (DYNAMODB.get(reason) or COMMON.get(reason) for reason in _reasons(error))
        known = sorted((meaning for meaning in meanings if meaning is not None), key=lambda meaning: meaning.passing)
        return next((meaning for meaning in known if meaning is not _CONFLICT), _CONFLICT)
    return meaning_of(error, DYNAMODB)


def _reasons(error: ServiceError) -> list[str]:
    """CancellationReasons' codes, in the order of the transaction's items."""
    reasons = error.body.get("CancellationReasons")
    found = [each.get("Code") for each in reasons if isinstance(each, dict)] if isinstance(reasons, list) else []
    return [code for code in found if isinstance(code, str)]
