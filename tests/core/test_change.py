"""The language of conditional writes, on rows: what a store must mean by each clause."""

from __future__ import annotations

import pytest

from cognito_session.core.protocol.conditions import Change, Clause, WriteKind, Written, absent, as_read, either, equals
from cognito_session.core.protocol.conditions import Comparison as AttributeTest
from cognito_session.core.protocol.record import SessionKey

KEY = SessionKey("user-1", "sid-1")
SET = frozenset({"a", "b"})

# operator, what is stored (... for absent), what it is compared with, whether the test holds
TABLE = [
    ("=", "x", "x", True),
    ("=", "x", "y", False),
    ("=", "x", "X", False),
    ("=", "", "", True),
    ("=", 7, 7, True),
    ("=", 7, "7", False),
    ("=", "7", 7, False),
    ("=", 1, True, False),
    ("=", True, 1, False),
    ("=", 0, False, False),
    ("=", True, True, True),
    ("=", SET, frozenset({"b", "a"}), True),
    ("=", SET, frozenset({"a"}), False),
    ("=", "a", frozenset({"a"}), False),
    ("=", None, None, True),
    ("=", None, "", False),
    ("=", ..., "x", False),
    ("=", ..., None, False),
    ("=", ..., "", False),
    ("=", ..., 0, False),
    ("<>", "x", "y", True),
    ("<>", "x", "x", False),
    ("<>", 7, "7", True),
    ("<>", 1, True, True),
    ("<>", SET, SET, False),
    ("<>", ..., "x", True),
    ("<>", ..., None, True),
    ("<", 1, 2, True),
    ("<", 2, 2, False),
    ("<", 3, 2, False),
    ("<", -1, 0, True),
    ("<", "1", 2, False),
    ("<", 1, "2", False),
    ("<", True, 2, False),
    ("<", None, 2, False),
    ("<", ..., 2, False),
    (">", 3, 2, True),
    (">", 2, 2, False),
    (">", 1, 2, False),
    (">", "3", 2, False),
    (">", True, 0, False),
    (">", ..., 0, False),
    (">", ..., -1, False),
    ("exists", ..., None, False),
    ("exists", "", None, True),
    ("exists", None, None, True),
    ("exists", 0, None, True),
    ("absent", ..., None, True),
    ("absent", "x", None, False),
    ("absent", None, None, False),
    ("absent", "", None, False),
    ("absent", 0, None, False),
    ("absent", False, None, False),
]


@pytest.mark.parametrize(("operator", "stored", "value", "holds"), TABLE, ids=repr)
def test_a_test_means_what_dynamodb_means(operator, stored, value, holds):
    """Types never match across; to an absent attribute everything is unequal and nothing else; null is not absent."""
    row = {"other": value} if stored is ... else {"attr": stored, "other": "x"}
    assert AttributeTest("attr", operator, value).holds(row) is holds


@pytest.mark.parametrize("tests", [("a",), ("a", "b"), ("b", "a"), ("b", "c", "a")], ids=repr)
def test_a_clause_holds_where_one_of_its_tests_does(tests):
    """One test that holds is enough, wherever it stands."""
    clause = either("name", *(AttributeTest(name, "=", 1) for name in tests))
    assert clause.holds({"a": 1})
    assert not clause.holds({"a": 2, "b": 2, "c": 2})
    assert not clause.holds({})


def test_a_clause_without_tests_never_holds():
    """Nothing to hold is not held: an empty clause forbids."""
    assert not Clause("empty", ()).holds({"a": 1})


@pytest.mark.parametrize(
    ("value", "row", "holds"),
    [("x", {"a": "x"}, True), ("x", {"a": "y"}, False), ("x", {}, False), (None, {}, True), (None, {"a": "x"}, False)],
)
def test_as_read_includes_absence(value, row, holds):
    """What was read absent must still be absent, what was read with a value must still have it; 0 is a value."""
    assert as_read("a", value).holds(row) is holds
    assert not as_read("a", 0).holds({})


def test_the_two_simplest_clauses():
    """Equals wants the value, absent wants nothing there."""
    assert equals("a", 1) == Clause("a", (AttributeTest("a", "=", 1),))
    assert absent("a") == Clause("a", (AttributeTest("a", "absent"),))


def change(*when: Clause, **more: object) -> Change:
    """A change of one row under these clauses."""
    return Change(WriteKind.COMMIT, KEY, when, **more)


def test_every_clause_must_hold():
    """A change is allowed where all its clauses hold, and each one of them can forbid it."""
    clauses = (equals("a", 1), equals("b", 2), absent("c"))
    assert change(*clauses).allowed_on({"a": 1, "b": 2})
    for broken in ({"b": 2}, {"a": 1}, {"a": 1, "b": 2, "c": None}):
        assert not change(*clauses).allowed_on(broken)


def test_a_missing_row_has_no_attributes():
    """On no row `equals` fails and `absent` holds, exactly as on an empty one."""
    for nothing in (None, {}):
        assert not change(equals("a", 1)).allowed_on(nothing)
        assert change(absent("a")).allowed_on(nothing)
        assert change().allowed_on(nothing)


def test_a_change_sets_removes_adds_and_keeps():
    """Put sets, drop removes, add adds, and whatever is not named survives; the row itself is not touched."""
    row = {"keep": "k", "set": 1, "gone": 1, "count": 4}
    made = change(put={"set": 2, "new": 3}, drop=frozenset({"gone", "never"}), add={"count": 2, "fresh": 1})
    assert made.applied_to(row) == {"keep": "k", "set": 2, "new": 3, "count": 6, "fresh": 1}
    assert row == {"keep": "k", "set": 1, "gone": 1, "count": 4}


def test_a_replacement_leaves_nothing():
    """With replace the row becomes exactly what is put."""
    assert change(put={"a": 1}, replace=True).applied_to({"a": 0, "foreign": 1, "lease_id": "x"}) == {"a": 1}


def test_a_change_of_no_row_makes_one():
    """Where the conditions allow it on a missing row, the row is what was put and added."""
    assert change(put={"a": 1}, add={"n": 2}).applied_to(None) == {"a": 1, "n": 2}


@pytest.mark.parametrize(
    ("more", "only_checks"),
    [
        ({}, True),
        ({"put": {"a": 1}}, False),
        ({"drop": frozenset("a")}, False),
        ({"add": {"a": 1}}, False),
        ({"replace": True}, False),
    ],
)
def test_a_change_that_changes_nothing_only_checks(more, only_checks):
    """Without anything to put, drop, add or replace it is a condition in a transaction."""
    assert change(equals("a", 1), **more).only_checks is only_checks


def test_a_default_change_is_nobody_s_to_fill():
    """The empty mapping that changes share cannot be written to."""
    with pytest.raises(TypeError):
        change().put["a"] = 1


def test_repr_shows_no_value():
    """A change, its clauses and the row a write found print without what they hold."""
    made = change(equals("token", "s-one"), put={"token": "s-two"})
    shown = repr(made) + str(made.when) + repr(Written(applied=True, found={"token": "s-three"}))
    assert not any(secret in shown for secret in ("s-one", "s-two", "s-three"))
    assert "COMMIT" in repr(made)
    assert "token" in repr(made.when)


def test_moves_have_distinct_names():
    """Crash points and reports are named after moves."""
    assert len({kind.value for kind in WriteKind}) == len(WriteKind)
