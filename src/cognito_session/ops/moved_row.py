"""A row in DynamoDB's types, between two tables: its record, its copy under other keys, and a hash of the copy."""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cognito_session.aws.attribute_value import from_attribute
from cognito_session.core.errors import StoreUnavailable
from cognito_session.core.protocol.record import SessionKey, SessionRecord

if TYPE_CHECKING:
    from cognito_session.ops.table import Layout

__all__ = ["MARK", "Item", "KeyNames", "as_read", "fingerprint"]

Item = dict[str, Any]

MARK: Final = "moved_hash"
"""The attribute of a copy that holds the old table's name and the hash of what was copied."""


class KeyNames(NamedTuple):
    """A table and the names of its keys."""

    table: str
    sub: str
    sid: str

    @classmethod
    def of(cls, layout: Layout) -> KeyNames:
        """Of a table with or without sort key."""
        return cls(layout.table, layout.partition_key, layout.sort_key or "sid")

    def record(self, item: Item) -> SessionRecord | None:
        """The record of a row in DynamoDB's types; None if one of our attributes has an unexpected type."""
        columns = {self.sub: "sub", self.sid: "sid"}
        row = {
            columns.get(column, column): from_attribute(value)
            for column, value in item.items()
            if column in columns or column not in ("sub", "sid")
        }
        sub = row.get("sub")
        if not isinstance(sub, str):
            return None
        try:
            return SessionRecord.from_row(SessionKey(sub, ""), row)
        except StoreUnavailable:
            return None

    def copy_of(self, item: Item, old: KeyNames, sub: str, sid: str) -> Item:
        """The unchanged row, under this table's keys."""
        ours = {old.sub, old.sid, self.sub, self.sid, MARK}
        return {self.sub: {"S": sub}, self.sid: {"S": sid}} | {n: value for n, value in item.items() if n not in ours}

    def key(self, item: Item) -> Item:
        """The row's key in this table."""
        return {self.sub: item[self.sub], self.sid: item[self.sid]}


def fingerprint(item: Item) -> str:
    """A hash of a row without MARK, independent of the order of sets."""
    plain = {name: _ordered(value) for name, value in item.items() if name != MARK}
    return sha256(json.dumps(plain, sort_keys=True, default=lambda raw: b64encode(raw).decode()).encode()).hexdigest()


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {kind: sorted(each) if kind in ("SS", "NS", "BS") else _ordered(each) for kind, each in value.items()}
    return [_ordered(each) for each in value] if isinstance(value, list) else value


def as_read(item: Item, attributes: tuple[str, ...]) -> dict[str, Any]:
    """The condition that each of these attributes is as in `item`, or absent as in `item`."""
    names = {f"#f{n}": name for n, name in enumerate(attributes)}
    values = {f":f{n}": item[name] for n, name in enumerate(attributes) if name in item}
    tests = [f"#f{n} = :f{n}" if f":f{n}" in values else f"attribute_not_exists(#f{n})" for n in range(len(attributes))]
    found: dict[str, Any] = {"ConditionExpression": " AND ".join(tests), "ExpressionAttributeNames": names}
    return found | ({"ExpressionAttributeValues": values} if values else {})
