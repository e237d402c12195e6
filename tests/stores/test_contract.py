"""Every store of ours keeps the contract that we ask of others."""

from __future__ import annotations

from itertools import count

from cognito_session.aws.dynamodb import DynamoDBStore
from cognito_session.aws.wire import open_wire
from cognito_session.sqlite_store import SQLiteStore
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
