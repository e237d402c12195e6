"""DynamoDBStore: session rows in a DynamoDB table, with or without a sort key.

It translates keys, clauses and changes into expressions and adds no condition of its own. Every read is consistent. A write
is one conditional call, which answers with the row as it was before the write.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NoReturn

from cognito_session.aws.attribute_value import from_attribute, to_attribute
from cognito_session.aws.transport.interface import AnswerLost, NotSent, ServiceError
from cognito_session.core.errors import StoreUnavailable
from cognito_session.core.protocol.conditions import Written

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cognito_session.aws.transport.interface import Wire
    from cognito_session.core.protocol.conditions import Change, Clause, Comparison
    from cognito_session.core.protocol.record import Row, SessionKey

__all__ = ["DynamoDBStore"]

_TIMEOUT_SECONDS: Final = 2.0
_READ_ATTEMPTS: Final = 2
_MAX_PAGES: Final = 100
_MAX_SEARCH_PAGES: Final = 4
"""DynamoDB reads 1 MB for a page, whatever the projection. Four pages are about 1,000 sessions of a user."""
_CONDITION_FAILED: Final = "ConditionalCheckFailedException"


class DynamoDBStore:
    """A SessionStore in the table `table`.

    `partition_key` holds the user's `sub`, `sort_key` the session id; without a sort key the table has one row per user
    and the session id is the plain attribute `sid`. `wire` is called at the first use.
    """

    def __init__(self, wire: Callable[[], Wire], *, table: str, partition_key: str, sort_key: str | None) -> None:
        self._wire = wire
        self._table = table
        self._names = {"sub": partition_key, "sid": sort_key or "sid"}
        self._columns = {column: name for name, column in self._names.items()}
        self._sort_key = sort_key

    @property
    def one_row_per_user(self) -> bool:
        """Whether the table has no sort key."""
        return self._sort_key is None

    def load(self, key: SessionKey) -> Row | None:
        """The row, read consistently. Raises StoreUnavailable or ConfigurationError."""
        payload = {"TableName": self._table, "Key": self._key(key), "ConsistentRead": True}
        item = self._read("GetItem", payload).get("Item")
        return None if item is None else self._row(item)

    def write(self, change: Change) -> Written:
        """One conditional UpdateItem or PutItem. Raises StoreUnavailable or ConfigurationError."""
        operation = "PutItem" if change.replace else "UpdateItem"
        try:
            answer = self._wire().call("dynamodb", operation, self._payload(change), timeout_seconds=_TIMEOUT_SECONDS)
        except ServiceError as error:
            if error.code != _CONDITION_FAILED:
                self._fail(error)
            item = error.body.get("Item")
            return Written(applied=False, found=self._row(item) if item else self.load(change.key))
        except (NotSent, AnswerLost) as error:
            raise StoreUnavailable(f"DynamoDB: {error}") from error
        before = answer.get("Attributes")
        return Written(applied=True, found=self._row(before) if before else None)

    def write_all(self, changes: Sequence[Change]) -> bool:
        """One TransactWriteItems. False if a condition failed or another write to one of the rows was in progress.

        After False, nothing was written. Raises StoreUnavailable or ConfigurationError.
        """
        items = [self._transaction_item(change) for change in changes]
        try:
            self._wire().call("dynamodb", "TransactWriteItems", {"TransactItems": items}, timeout_seconds=_TIMEOUT_SECONDS)
        except ServiceError as error:
            if _a_condition_failed(error) or _is_conflict(error):
                return False
            self._fail(error)
        except (NotSent, AnswerLost) as error:
            raise StoreUnavailable(f"DynamoDB: {error}") from error
        return True

    def _transaction_item(self, change: Change) -> dict[str, Any]:
        payload = self._payload(change)
        del payload["ReturnValues"]
        if change.only_checks:
            return {"ConditionCheck": payload}
        return {"Put" if change.replace else "Update": payload}

    def rows_of(self, sub: str) -> list[Row]:
        """All rows of the user, read consistently. Raises StoreUnavailable or ConfigurationError."""
        return self._query(sub, (), _MAX_PAGES)

    def attributes_of(self, sub: str, names: Sequence[str]) -> list[Row]:
        """The keys and the named attributes of the user's rows: a Query with a projection, of at most 4 pages (4 MB).

        Raises ConfigurationError, and StoreUnavailable, also if the user has more rows.
        """
        return self._query(sub, ("sub", "sid", *names), _MAX_SEARCH_PAGES)

    def _query(self, sub: str, names: Sequence[str], most: int) -> list[Row]:
        expression = _Expression(self._names)
        payload: dict[str, Any] = {
            "TableName": self._table,
            "ConsistentRead": True,
            "KeyConditionExpression": f"{expression.name('sub')} = {expression.value(sub)}",
        }
        if names:
            payload["ProjectionExpression"] = ", ".join(map(expression.name, names))
        payload |= expression.placeholders()
        rows: list[Row] = []
        for _ in range(most):
            page = self._read("Query", payload)
            items = page.get("Items", [])
            rows += [self._row(item) for item in (items if isinstance(items, list) else [items])]
            if "LastEvaluatedKey" not in page:
                return rows
            payload["ExclusiveStartKey"] = page["LastEvaluatedKey"]
        raise StoreUnavailable("DynamoDB: a user has more rows than can be read")

    # --- translation

    def _key(self, key: SessionKey) -> dict[str, Any]:
        found = {self._names["sub"]: {"S": key.sub}}
        if self._sort_key is not None:
            found[self._sort_key] = {"S": key.sid}
        return found

    def _row(self, item: Any) -> Row:
        """Attributes by our names. If the keys have other names, an attribute of other code called `sub` or `sid` is not read.

        Raises StoreUnavailable for an item without typed attributes: it must not pass for a missing row.
        """
        try:
            return {
                self._columns.get(column, column): from_attribute(value)
                for column, value in item.items()
                if column in self._columns or column not in self._names
            }
        except (ValueError, TypeError, AttributeError, RecursionError):
            pass  # the texts of these errors may quote the row, so none of them is chained
        raise StoreUnavailable("DynamoDB: expected an item with typed attributes", reason="unreadable_record")

    def _payload(self, change: Change) -> dict[str, Any]:
        expression = _Expression(self._names)
        payload: dict[str, Any] = {
            "TableName": self._table,
            "ReturnValues": "ALL_OLD",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        if change.when:
            payload["ConditionExpression"] = " AND ".join(expression.clause(clause) for clause in change.when)
        if change.replace:
            item = {self._names.get(name, name): to_attribute(value) for name, value in change.put.items()}
            payload["Item"] = item | self._key(change.key)
        else:
            payload["Key"] = self._key(change.key)
            update = self._update(change, expression)
            if update:
                payload["UpdateExpression"] = update
        return payload | expression.placeholders()

    def _update(self, change: Change, expression: _Expression) -> str:
        own = {"sub"} if self._sort_key is None else {"sub", "sid"}
        sets = [f"{expression.name(n)} = {expression.value(v)}" for n, v in change.put.items() if n not in own]
        removes = [expression.name(name) for name in sorted(change.drop)]
        adds = [f"{expression.name(n)} {expression.value(by)}" for n, by in change.add.items()]
        parts = (("SET", sets), ("REMOVE", removes), ("ADD", adds))
        return " ".join(f"{verb} {', '.join(terms)}" for verb, terms in parts if terms)

    # --- calls

    def _read(self, operation: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Send a read, and once more if it fails. The flow repeats writes, because it knows what they mean."""
        for attempt in range(1, _READ_ATTEMPTS + 1):
            last = attempt == _READ_ATTEMPTS
            try:
                return self._wire().call("dynamodb", operation, payload, timeout_seconds=_TIMEOUT_SECONDS)
            except ServiceError as error:
                if last or not _is_passing(error):
                    self._fail(error)
            except (NotSent, AnswerLost) as error:
                if last:
                    raise StoreUnavailable(f"DynamoDB: {error}") from error
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _fail(self, error: ServiceError) -> NoReturn:
        """Raise the translation of a DynamoDB error, by its code."""
        from cognito_session.aws.dynamodb_codes import table_failure

        keys = f"PARTITION_KEY ({self._names['sub']}) and SORT_KEY ({self._sort_key or 'unset'})"
        raise table_failure(error, self._table, keys=keys) from error


def _is_passing(error: ServiceError) -> bool:
    from cognito_session.aws.dynamodb_codes import is_passing

    return is_passing(error)


def _a_condition_failed(error: ServiceError) -> bool:
    from cognito_session.aws.dynamodb_codes import has_failed_condition

    return has_failed_condition(error)


def _is_conflict(error: ServiceError) -> bool:
    from cognito_session.aws.dynamodb_codes import is_conflict

    return is_conflict(error)


class _Expression:
    """Placeholders for the names and values of one request. DynamoDB reserves many plain words, like `token`."""

    __slots__ = ("_columns", "_names", "_values")

    def __init__(self, columns: dict[str, str]) -> None:
        self._columns = columns
        self._names: dict[str, str] = {}
        self._values: dict[str, Any] = {}

    def name(self, attr: str) -> str:
        return self._names.setdefault(self._columns.get(attr, attr), f"#n{len(self._names)}")

    def value(self, value: Any) -> str:
        placeholder = f":v{len(self._values)}"
        self._values[placeholder] = to_attribute(value)
        return placeholder

    def clause(self, clause: Clause) -> str:
        tests = " OR ".join(self._test(test) for test in clause.tests)
        return f"({tests})" if len(clause.tests) > 1 else tests

    def _test(self, test: Comparison) -> str:
        if test.op in ("absent", "exists"):
            return f"attribute_{'not_' if test.op == 'absent' else ''}exists({self.name(test.attr)})"
        return f"{self.name(test.attr)} {test.op} {self.value(test.value)}"

    def placeholders(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self._names:
            found["ExpressionAttributeNames"] = {placeholder: name for name, placeholder in self._names.items()}
        if self._values:
            found["ExpressionAttributeValues"] = self._values
        return found
