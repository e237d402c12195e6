"""Every write of the protocol, as data: what it sets and removes, and the conditions under which it may.

Rule (protocol.md: General rules): each condition of a refresh, verdict, reuse or logout write holds `sid` and `token` as
read, so it fails on a missing row and on one whose token another writer replaced. All clauses of a condition must hold, and at
least one test of each clause. Stores translate clauses and add none.
"""

from __future__ import annotations

from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from cognito_session.core.redact import redacted_repr

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cognito_session.core.protocol.record import Row, SessionKey

__all__ = ["Change", "Clause", "Comparison", "WriteKind", "Written", "absent", "as_read", "either", "equals"]

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})

Operator = Literal["=", "<>", "<", ">", "absent", "exists"]


class WriteKind(Enum):
    """What a write is for; crash points, reports and counts are named after it."""

    CREATE = "create"
    ACQUIRE = "acquire"
    RELEASE = "release"
    COMMIT = "commit"
    KEEP_TOKEN = "keep"
    SUSPECT = "suspect"
    VERDICT = "verdict"
    REUSE = "reuse"
    MARK_SEEN = "seen"
    MOVE_IDLE_END = "touch"
    SAVE_DATA = "data"
    CONFIRM_DEVICE = "device"
    NOT_BEFORE = "not before"
    LOGOUT = "logout"
    KEEP_UNREVOKED = "remember"


class Comparison(NamedTuple):
    """One attribute compared with one value, as DynamoDB compares them.

    A missing attribute satisfies `absent` and `<>` only. Values of different types are unequal, and neither is less.
    """

    attr: str
    op: Operator
    value: Any = None

    def __repr__(self) -> str:
        return redacted_repr(self, "value")

    def holds(self, row: Mapping[str, Any]) -> bool:
        """Whether the row passes."""
        if self.op == "absent":
            return self.attr not in row
        if self.op == "exists":
            return self.attr in row
        if self.attr not in row:
            return self.op == "<>"
        found = row[self.attr]
        same_type = type(found) is type(self.value)
        if self.op == "=":
            return same_type and bool(found == self.value)
        if self.op == "<>":
            return not same_type or bool(found != self.value)
        if not same_type:
            return False
        return bool(found < self.value) if self.op == "<" else bool(found > self.value)


class Clause(NamedTuple):
    """A part of a condition: at least one of its comparisons must hold. `name` is for logs and tests."""

    name: str
    tests: tuple[Comparison, ...]

    def holds(self, row: Mapping[str, Any]) -> bool:
        """Whether the row passes."""
        return any(test.holds(row) for test in self.tests)


class Change(NamedTuple):
    """One conditional write of the row of `key`. It is allowed only if all clauses in `when` hold.

    `put` sets attributes, `drop` removes them, and `add` adds to a number (a missing one counts as 0). The other attributes
    stay, unless `replace` is true: then the row becomes exactly `put`. The values of `key` win over those in `put`.
    """

    kind: WriteKind
    key: SessionKey
    when: tuple[Clause, ...]
    put: Mapping[str, Any] = NOTHING
    drop: frozenset[str] = frozenset()
    add: Mapping[str, int] = NOTHING
    replace: bool = False

    def __repr__(self) -> str:
        return redacted_repr(self, "put")

    @property
    def only_checks(self) -> bool:
        """Whether it writes nothing and creates no row: it only adds a condition to `write_all`."""
        return not (self.put or self.drop or self.add or self.replace)

    def allowed_on(self, row: Mapping[str, Any] | None) -> bool:
        """Whether all clauses hold for this row. None is a missing row, which has no attributes."""
        return all(clause.holds(row or {}) for clause in self.when)

    def applied_to(self, row: Mapping[str, Any] | None) -> Row:
        """The row after the write, as a new dict. The store adds the key. None is a missing row."""
        after: Row = {} if self.replace or row is None else {k: v for k, v in row.items() if k not in self.drop}
        after.update({name: (row or {}).get(name, 0) + by for name, by in self.add.items()})
        after.update(self.put)
        return after


class Written(NamedTuple):
    """The answer to a write: whether it was applied, and the row as the write found it (None: there was none)."""

    applied: bool
    found: Row | None

    def __repr__(self) -> str:
        return redacted_repr(self, "found")


def equals(attr: str, value: Any) -> Clause:
    """The attribute is there and has this value."""
    return Clause(attr, (Comparison(attr, "=", value),))


def absent(attr: str) -> Clause:
    """The attribute is not there."""
    return Clause(attr, (Comparison(attr, "absent"),))


def as_read(attr: str, value: Any) -> Clause:
    """The attribute is as it was read, absence included."""
    return absent(attr) if value is None else equals(attr, value)


def either(name: str, *tests: Comparison) -> Clause:
    """At least one of the tests holds."""
    return Clause(name, tests)
