"""The steps of the store contract: the changes that it writes, and the comparison of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cognito_session.core.protocol.conditions import Change, Clause, WriteKind, Written, absent, equals
from cognito_session.testing.store_contract_cases import KEY

if TYPE_CHECKING:
    from cognito_session.core.protocol.ports import SessionStore
    from cognito_session.core.protocol.record import Row, SessionKey

__all__ = ["acquire", "check_equal", "creation", "make_row", "typed", "write"]


def creation(key: SessionKey, *when: Clause, **attributes: Any) -> Change:
    """A change that creates or replaces the row of this key."""
    return Change(WriteKind.CREATE, key, when, put={**key._asdict(), **attributes}, replace=True)


def acquire(lease_id: str, key: SessionKey = KEY) -> Change:
    """A change that takes the lease of a row."""
    when = (equals("sid", key.sid), equals("gen", 1), absent("lease_id"))
    return Change(WriteKind.ACQUIRE, key, when, put={"lease_id": lease_id}, add={"lease_n": 1})


def make_row(store: SessionStore, **attributes: Any) -> Row:
    """Create the row of KEY and return it as the store is expected to return it."""
    row = {**KEY._asdict(), "n": 0, **attributes}
    store.write(Change(WriteKind.CREATE, KEY, (), put=row, replace=True))
    return row


def write(store: SessionStore, *when: Clause, drop: set[str] | None = None, **change: Any) -> Written:
    """Update the row of KEY."""
    return store.write(Change(WriteKind.MOVE_IDLE_END, KEY, when, drop=frozenset(drop or ()), **change))


def check_equal(found: object, expected: object) -> None:
    """Fail the test with both values unless they are equal; without pytest's rewriting of assert."""
    __tracebackhide__ = True
    if found != expected:
        pytest.fail(f"expected {expected!r}, found {found!r}")


def typed(value: Any) -> Any:
    """The value with the type of each of its parts, because 1, 1.0 and True are equal in Python."""
    if isinstance(value, dict):
        return {name: typed(item) for name, item in value.items()}
    if isinstance(value, list):
        return [typed(item) for item in value]
    return type(value).__name__, value
