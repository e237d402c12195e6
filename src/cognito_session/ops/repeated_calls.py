"""RepeatedCalls: calls on rows that are repeated while DynamoDB is throttling.

Each call may be repeated, because it reads, or writes with conditions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from cognito_session.aws.dynamodb_codes import has_failed_condition, table_failure
from cognito_session.aws.transport.interface import ServiceError
from cognito_session.core.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from cognito_session.ops.moved_row import Item
    from cognito_session.ops.table import Tables

__all__ = ["RepeatedCalls"]

T = TypeVar("T")

_PAGE_ROWS: Final = 100
_PAUSES: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
_CONDITIONS: Final = frozenset({"ConditionalCheckFailedException", "TransactionCanceledException"})


class RepeatedCalls:
    """DynamoDB's operations on rows. Raises ConfigurationError, and StoreUnavailable after the last repetition."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def scan(self, payload: Mapping[str, Any]) -> Iterator[Item]:
        """All rows, in small pages, so that a decision about a row follows soon after its read."""
        asked = {**payload, "ConsistentRead": True, "Limit": _PAGE_ROWS}
        while True:
            page = self.repeated(lambda: self._tables.call("Scan", asked))
            yield from page.get("Items", [])
            if "LastEvaluatedKey" not in page:
                return
            asked["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def get(self, table: str, key: Item) -> Item | None:
        """One row, read consistently."""
        payload = {"TableName": table, "Key": key, "ConsistentRead": True}
        found: Item | None = self.repeated(lambda: self._tables.call("GetItem", payload)).get("Item")
        return found

    def write(self, operation: str, payload: Mapping[str, Any]) -> bool:
        """Whether the write's conditions held."""
        return self.repeated(lambda: self._write(operation, payload))

    def _write(self, operation: str, payload: Mapping[str, Any]) -> bool:
        try:
            self._tables.call(operation, payload, expected=_CONDITIONS)
        except ServiceError as error:
            if has_failed_condition(error):
                return False
            raise table_failure(error, str(payload.get("TableName", ""))) from error
        return True

    def repeated(self, work: Callable[[], T]) -> T:
        """Run `work`, and again after a pause while DynamoDB is throttling or unreachable."""
        for pause in _PAUSES:
            try:
                return work()
            except StoreUnavailable:
                self._tables.sleep(pause)
        return work()
