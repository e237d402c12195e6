"""The data of the store contract: keys, rows, values of every type, and conditions with their expected results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cognito_session.core.protocol.conditions import Comparison, absent, as_read, either, equals
from cognito_session.core.protocol.record import SessionKey

if TYPE_CHECKING:
    from cognito_session.core.protocol.record import Row

__all__ = ["CLAUSES", "COMPARISONS", "KEY", "MANY_ROWS", "NEXT", "PER_TRANSACTION", "ROW", "VALUES"]

KEY: Final = SessionKey("11111111-2222-4333-8444-555555555555", "sign-in-1")
NEXT: Final = SessionKey("66666666-7777-4888-9999-000000000000", "sign-in-2")
MANY_ROWS: Final = 300
PER_TRANSACTION: Final = 25

ROW: Final[Row] = {"text": "b", "number": 5, "flag": True, "words": frozenset({"x"}), "nothing": None, "ten": "10"}
COMPARISONS: Final = (
    (Comparison("text", "=", "b"), True),
    (Comparison("text", "=", "B"), False),
    (Comparison("number", "=", 5), True),
    (Comparison("number", "=", 6), False),
    (Comparison("flag", "=", value=True), True),
    (Comparison("words", "=", frozenset({"x"})), True),
    (Comparison("words", "=", frozenset({"x", "y"})), False),
    (Comparison("missing", "=", "b"), False),
    (Comparison("text", "<>", "a"), True),
    (Comparison("text", "<>", "b"), False),
    (Comparison("missing", "<>", "b"), True),
    (Comparison("number", "<", 6), True),
    (Comparison("number", "<", 5), False),
    (Comparison("number", "<", 10), True),
    (Comparison("ten", "<", "9"), True),
    (Comparison("missing", "<", 6), False),
    (Comparison("number", ">", 4), True),
    (Comparison("number", ">", 5), False),
    (Comparison("number", ">", -10), True),
    (Comparison("text", ">", "a"), True),
    (Comparison("missing", ">", 4), False),
    (Comparison("missing", "absent"), True),
    (Comparison("text", "absent"), False),
    (Comparison("nothing", "absent"), False),
    (Comparison("text", "exists"), True),
    (Comparison("nothing", "exists"), True),
    (Comparison("missing", "exists"), False),
    # values of two types are unequal and unordered
    (Comparison("number", "=", "5"), False),
    (Comparison("text", "=", 5), False),
    (Comparison("flag", "=", 1), False),
    (Comparison("flag", "=", "True"), False),
    (Comparison("nothing", "=", ""), False),
    (Comparison("words", "=", "x"), False),
    (Comparison("number", "<>", "5"), True),
    (Comparison("number", "<", "6"), False),
    (Comparison("number", ">", "4"), False),
    (Comparison("ten", ">", 9), False),
    (Comparison("ten", "<", 11), False),
)
CLAUSES: Final = (
    ((equals("number", 5), absent("missing")), True),
    ((equals("number", 5), absent("text")), False),
    ((either("any", Comparison("missing", "exists"), Comparison("number", "<", 6)), equals("text", "b")), True),
    ((either("any", Comparison("missing", "exists"), Comparison("number", "<", 3)), equals("text", "b")), False),
    ((equals("text", "z"), either("any", Comparison("number", "=", 5), Comparison("text", "=", "b"))), False),
    ((as_read("missing", None), as_read("text", "b")), True),
    ((as_read("missing", "x"), as_read("text", "b")), False),
)
VALUES: Final[Row] = {
    "empty": "",
    "unicode": "Größe \U0001f36a \u0000 \u2028 'quoted' \"twice\" \\ %s ? :x",
    "long": "x" * 20_000,
    "zero": 0,
    "big": 12345678901234567890123456789012345678,
    "negative": -(2**70),
    "half": 0.5,
    "yes": True,
    "no": False,
    "nothing": None,
    "words": frozenset({"b", "a", "ü"}),
    "list": [1, "1", None, True, [], [frozenset({"x"})]],
    "map": {"empty": "", "deep": {"list": [1, {"a": "ü"}], "empty": {}}, "words": frozenset({"y"})},
    "like a set": {"$set": ["x"]},
    "like a map": {"$map": {"$set": ["x"]}},
    "odd name ü.#:`\"'": "x",
}
