"""The stack's DynamoDB tables with rows as Python values, for tests that read a table or tamper with it.

Values are str, int, float, Decimal, bool, None, bytes, list, dict, and sets of str, numbers or bytes. A whole number is
returned as int, any other number as Decimal. Reads are consistent.
"""

import base64
from decimal import Decimal
from typing import Any

from cognito_session.local.stack_client import StackClient

__all__ = ["Rows"]

Row = dict[str, Any]


class Rows:
    """Rows of any table of the stack."""

    def __init__(self, client: StackClient) -> None:
        self._client = client

    def put_item(self, table: str, row: Row) -> None:
        """Write a row; it replaces a row with the same key."""
        self.call("PutItem", TableName=table, Item=_packed(row))

    def get_item(self, table: str, key: Row) -> Row | None:
        """The row of this key, or None."""
        item = self.call("GetItem", TableName=table, Key=_packed(key), ConsistentRead=True).get("Item")
        return None if item is None else _unpacked(item)

    def delete_item(self, table: str, key: Row) -> None:
        """Delete the row of this key, if there is one."""
        self.call("DeleteItem", TableName=table, Key=_packed(key))

    def scan(self, table: str) -> list[Row]:
        """Every row, up to DynamoDB's limit of 1 MB."""
        return [_unpacked(item) for item in self.call("Scan", TableName=table, ConsistentRead=True)["Items"]]

    def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """Any DynamoDB operation, with DynamoDB's parameters and response. Raises CallRefusedError."""
        return self._client.api("dynamodb", operation, parameters)


def _packed(row: Row) -> dict[str, Any]:
    return {name: _pack(value) for name, value in row.items()}


def _unpacked(item: dict[str, Any]) -> Row:
    return {name: _unpack(value) for name, value in item.items()}


def _pack(value: Any) -> dict[str, Any]:
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case int() | float() | Decimal():
            return {"N": str(value)}
        case bytes():
            return {"B": base64.b64encode(value).decode()}
        case dict():
            return {"M": _packed(value)}
        case list() | tuple():
            return {"L": [_pack(each) for each in value]}
        case set() | frozenset() if value:
            packed = [_pack(each) for each in value]
            kind = next(iter(packed[0]))
            return {kind + "S": [each[kind] for each in packed]}
    raise TypeError(f"expected a value that DynamoDB can hold, not {type(value).__name__}")


def _unpack(value: dict[str, Any]) -> Any:
    [(kind, inner)] = value.items()
    match kind:
        case "NULL":
            return None
        case "N":
            return _number(inner)
        case "B":
            return base64.b64decode(inner)
        case "M":
            return _unpacked(inner)
        case "L":
            return [_unpack(each) for each in inner]
        case "SS" | "NS" | "BS":
            return {_unpack({kind[0]: each}) for each in inner}
    return inner


def _number(text: str) -> int | Decimal:
    number = Decimal(text)
    return int(number) if number == number.to_integral_value() else number
