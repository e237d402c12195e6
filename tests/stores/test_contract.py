"""Every store of ours keeps the contract that we ask of others."""

from __future__ import annotations

import time
from itertools import count

import boto3
import pytest
from moto import mock_aws

from cognito_session.aws.dynamodb import DynamoDBStore
from cognito_session.aws.transport.open import open_wire
from cognito_session.core.errors import SessionError
from cognito_session.core.protocol.conditions import Change, WriteKind, Written
from cognito_session.core.protocol.record import SessionKey
from cognito_session.sqlite_store import SQLiteStore
from cognito_session.testing import store_contract_cases
from cognito_session.testing.memory_store import MemoryStore
from cognito_session.testing.store_contract import StoreContract
from support.stack import shared_stack

_numbers = count(1)
_wires = {}


class TestMemoryStore(StoreContract):
    """The dictionary of tests."""

    def make_store(self, request, *, one_row_per_user):
        return MemoryStore(one_row_per_user=one_row_per_user)


class TestSQLiteStore(StoreContract):
    """One file."""

    def make_store(self, request, *, one_row_per_user):
        store = SQLiteStore(request.getfixturevalue("tmp_path") / "rows.db", one_row_per_user=one_row_per_user)
        request.addfinalizer(store.close)
        return store


class TestDynamoDBStore(StoreContract):
    """A table of the local stack."""

    def make_store(self, request, *, one_row_per_user):
        stack = shared_stack(request.config)
        if stack.url not in _wires:
            _wires[stack.url] = open_wire(environ=stack.environment())
        sort_key = None if one_row_per_user else "sid"
        table = stack.create_table(f"contract-{next(_numbers)}", partition_key="sub", sort_key=sort_key)
        return DynamoDBStore(lambda: _wires[stack.url], table=table, partition_key="sub", sort_key=sort_key)


# --- what DynamoDB takes


def names_in(value):
    """Every name in a value, at every depth."""
    if isinstance(value, dict):
        return [*value, *(name for item in value.values() for name in names_in(item))]
    return [name for item in value for name in names_in(item)] if isinstance(value, list) else []


def test_the_contract_asks_for_nothing_that_dynamodb_forbids():
    """A name has 1 to 255 characters, a number at most 38 digits (AWS: Constraints in Amazon DynamoDB); no set is empty."""
    values = store_contract_cases.VALUES
    assert all(1 <= len(name) <= 255 for name in names_in(values))
    assert all(len(str(abs(number)).lstrip("0")) <= 38 for number in values.values() if type(number) is int)
    assert all(values[name] for name in values if isinstance(values[name], frozenset))


@pytest.mark.parametrize("value", [{"": "x"}, {"deep": [{"": "x"}]}], ids=["in a map", "in a list"])
def test_the_stack_refuses_an_empty_name_as_dynamodb_does(request, value):
    """A nested attribute without a name is a ValidationException, and no row is written."""
    store = TestDynamoDBStore().make_store(request, one_row_per_user=False)
    key = SessionKey("user", "sign-in")
    with pytest.raises(SessionError):
        store.write(Change(WriteKind.MOVE_IDLE_END, key, (), put={"map": value}))
    with pytest.raises(SessionError):
        store.write_all([Change(WriteKind.MOVE_IDLE_END, key, (), put={"map": value})])
    assert store.load(key) is None


MOTO = (
    "test_one_row_per_user_tells_the_layout",
    "test_values_are_read_as_they_were_written",
    "test_an_update_changes_only_the_named_attributes",
    "test_a_replacement_removes_the_old_attributes", "test_a_creation_finds_no_row",
    "test_a_refused_write_returns_the_row_and_changes_nothing", "test_a_refused_write_creates_no_row",
    "test_all_changes_are_applied_together", "test_the_key_takes_precedence_over_put",
)  # fmt: skip


@pytest.mark.parametrize("one_row_per_user", [False, True])
def test_an_independent_dynamodb_agrees(one_row_per_user):
    """Moto passes this part of the contract. Unlike DynamoDB it compares values of two types, and its writes race."""
    sort_key = None if one_row_per_user else "sid"
    keys = {"sub": "HASH"} if one_row_per_user else {"sub": "HASH", "sid": "RANGE"}
    with mock_aws():
        session = boto3.Session("test", "test", region_name="us-east-1")
        wire = open_wire(environ={"AWS_REGION": "us-east-1"}, boto3_session=session)
        dynamodb = session.client("dynamodb")
        for test in MOTO:
            dynamodb.create_table(
                TableName=test,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
                KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()],
            )
            store = DynamoDBStore(lambda: wire, table=test, partition_key="sub", sort_key=sort_key)
            getattr(StoreContract(), test)(store)


# --- the contract bites


class Racing(MemoryStore):
    """Reads, and writes later."""

    def write(self, change):
        row = self.load(change.key)
        time.sleep(0.001)
        if change.allowed_on(row):
            self._apply(change)
        return Written(change.allowed_on(row), row)


class Ghosts(MemoryStore):
    """Makes a row before it looks."""

    def write(self, change):
        self.rows.setdefault(self._place(change.key), {"sub": change.key.sub, "sid": change.key.sid})
        return super().write(change)


class Silent(MemoryStore):
    """Does not say who won."""

    def write(self, change):
        written = super().write(change)
        return written if written.applied else Written(applied=False, found=None)


class Afterwards(MemoryStore):
    """Returns the row as it has become."""

    def write(self, change):
        return super().write(change)._replace(found=self.load(change.key))


class Piecemeal(MemoryStore):
    """Applies one change after the other."""

    def write_all(self, changes):
        return all(self.write(change).applied for change in changes)


class FirstPage(MemoryStore):
    """Forgets the next page."""

    def rows_of(self, sub):
        return super().rows_of(sub)[:100]


class Loose(MemoryStore):
    """Keeps numbers as text, as some databases do."""

    def load(self, key):
        row = super().load(key)
        return row and {name: str(value) if isinstance(value, int) else value for name, value in row.items()}


class Sharing(MemoryStore):
    """Hands out its own rows."""

    def load(self, key):
        return self.rows.get(self._place(key))


MUTANTS = [
    (Racing, "test_a_lease_has_one_winner"),
    (Racing, "test_no_count_is_lost"),
    (Ghosts, "test_a_refused_write_creates_no_row"),
    (Silent, "test_a_repeated_change_is_recognizable"),
    (Afterwards, "test_an_update_changes_only_the_named_attributes"),
    (Piecemeal, "test_one_refusal_stops_all_changes"),
    (FirstPage, "test_rows_of_returns_all_rows_of_the_user_and_no_others"),
    (Loose, "test_values_are_read_as_they_were_written"),
    (Sharing, "test_a_row_that_was_read_is_a_copy"),
]


@pytest.mark.parametrize(("mutant", "test"), MUTANTS)
def test_a_broken_store_breaks_the_contract(mutant, test):
    """Each way in which stores go wrong is found by the test that is there for it."""
    more = {"refusing": 2} if mutant is Piecemeal else {}
    with pytest.raises(pytest.fail.Exception):
        getattr(StoreContract(), test)(mutant(), **more)
