"""The parts of a session store: the port, the values that it handles, the errors that it raises, and the included stores.

`docs/write-a-store.md` shows how to write a store, with a complete example. `cognito_session.testing.StoreContract` tests it.

- `SessionStore`: the port. `SessionKey`: identifies a row. `Row`: the attributes of a row
- `Change`: one conditional write, made of `WriteKind`, `Clause` and `Comparison`. `Written`: its result
- `StoreUnavailable`, `ConfigurationError`: the only errors that a store raises
- `DynamoDBStore`, `SQLiteStore`: the included stores (docs/stores.md)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cognito_session._lazy import lazy_names
from cognito_session.core.errors import ConfigurationError, StoreUnavailable
from cognito_session.core.protocol.conditions import Change, Clause, Comparison, WriteKind, Written
from cognito_session.core.protocol.ports import SessionStore
from cognito_session.core.protocol.record import Row, SessionKey

if TYPE_CHECKING:
    from cognito_session.aws.dynamodb import DynamoDBStore
    from cognito_session.sqlite_store import SQLiteStore

__all__ = [
    "Change",
    "Clause",
    "Comparison",
    "ConfigurationError",
    "DynamoDBStore",
    "Row",
    "SQLiteStore",
    "SessionKey",
    "SessionStore",
    "StoreUnavailable",
    "WriteKind",
    "Written",
]

_LAZY = {"DynamoDBStore": "cognito_session.aws.dynamodb", "SQLiteStore": "cognito_session.sqlite_store"}

if not TYPE_CHECKING:
    __getattr__ = lazy_names(globals(), _LAZY)


def __dir__() -> list[str]:
    return __all__
