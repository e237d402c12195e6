"""Global tables with multi-Region strong consistency: their description, and the operations that DynamoDB refuses on them.

Such tables support neither transactions nor time to live. AWS documents that these calls fail, but not the message texts.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2globaltables_HowItWorks.html
"""

import json
from typing import Any, ClassVar

from cognito_session.local.http_response import HttpResponse, api_error, json_response

__all__ = ["GlobalTables"]

_REPLICAS = ("us-east-2", "us-west-2")
_TRANSACTIONS = frozenset({"TransactWriteItems", "TransactGetItems"})
_NAMESPACE = "com.amazon.coral.validate#ValidationException"


class GlobalTables:
    """The global tables, by name."""

    OPERATIONS: ClassVar = frozenset({*_TRANSACTIONS, "UpdateTimeToLive"})
    """Those that may be refused."""

    def __init__(self) -> None:
        self._strong: set[str] = set()

    def add(self, name: str) -> None:
        """Make this table a global one."""
        self._strong.add(name)

    def clear(self) -> None:
        """Forget all tables."""
        self._strong.clear()

    def refusal(self, operation: str, body: bytes) -> HttpResponse | None:
        """The refusal of an operation that such a table does not support; None for any other operation."""
        payload = _object(body) if self._strong else {}
        if operation in _TRANSACTIONS and self._strong.intersection(_tables_of(payload)):
            return api_error(_NAMESPACE, "Transactions are not supported on tables with multi-Region strong consistency")
        if operation == "UpdateTimeToLive" and payload.get("TableName") in self._strong:
            return api_error(_NAMESPACE, "Time to Live is not supported on tables with multi-Region strong consistency")
        return None

    def described(self, answer: HttpResponse) -> HttpResponse:
        """DescribeTable's response, completed for such a table."""
        value = answer.json()
        table = value.get("Table")
        if not isinstance(table, dict) or table.get("TableName") not in self._strong:
            return answer
        table["MultiRegionConsistency"] = "STRONG"
        table["Replicas"] = [{"RegionName": region, "ReplicaStatus": "ACTIVE"} for region in _REPLICAS]
        return json_response(value, status=answer.status, kind=b"application/x-amz-json-1.0")


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _tables_of(payload: dict[str, Any]) -> set[str]:
    items = payload.get("TransactItems")
    actions = [action for item in items for action in item.values()] if isinstance(items, list) else ()
    return {str(action.get("TableName")) for action in actions if isinstance(action, dict)}
