"""StoreContract: what every SessionStore must do, as tests; for whoever writes a store of their own.

    from cognito_session.testing.store_contract import StoreContract

    class TestMyStore(StoreContract):
        def make_store(self, request, *, one_row_per_user):
            folder = request.getfixturevalue("tmp_path")
            return MyStore(folder / "rows", one_row_per_user=one_row_per_user)

Each test gets an empty store in each of the two layouts. A store that has only one calls `pytest.skip` for the other.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, BrokenBarrierError
from typing import TYPE_CHECKING, Any, Final

import pytest

from cognito_session.core.protocol.conditions import (
    Change,
    Clause,
    Comparison,
    WriteKind,
    Written,
    absent,
    as_read,
    either,
    equals,
)
from cognito_session.core.protocol.record import SessionKey

if TYPE_CHECKING:
    from collections.abc import Callable

    from cognito_session.core.protocol.ports import SessionStore
    from cognito_session.core.protocol.record import Row

__all__ = ["StoreContract"]

_KEY: Final = SessionKey("11111111-2222-4333-8444-555555555555", "sign-in-1")
_NEXT: Final = SessionKey("66666666-7777-4888-9999-000000000000", "sign-in-2")
_ROWS: Final = 300
_PER_TRANSACTION: Final = 25

_ROW: Final[Row] = {"text": "b", "number": 5, "flag": True, "words": frozenset({"x"}), "nothing": None, "ten": "10"}
_TESTS: Final = (
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
    # a value of another type is another value, and neither less nor greater
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
_LISTS: Final = (
    ((equals("number", 5), absent("missing")), True),
    ((equals("number", 5), absent("text")), False),
    ((either("any", Comparison("missing", "exists"), Comparison("number", "<", 6)), equals("text", "b")), True),
    ((either("any", Comparison("missing", "exists"), Comparison("number", "<", 3)), equals("text", "b")), False),
    ((equals("text", "z"), either("any", Comparison("number", "=", 5), Comparison("text", "=", "b"))), False),
    ((as_read("missing", None), as_read("text", "b")), True),
    ((as_read("missing", "x"), as_read("text", "b")), False),
)
_VALUES: Final[Row] = {
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


class StoreContract:
    """Inherit from it, give `make_store`, and pytest does the rest. `threads` and `rounds` are those of the races."""

    threads = 16
    rounds = 50

    def make_store(self, request: pytest.FixtureRequest, *, one_row_per_user: bool) -> SessionStore:
        """A new, empty store in this layout. `request` is pytest's: it gives fixtures and takes finalizers."""
        raise NotImplementedError("StoreContract: give make_store(self, request, *, one_row_per_user)")

    @pytest.fixture(params=[False, True], ids=["a row per session", "a row per user"])
    def store(self, request: pytest.FixtureRequest) -> SessionStore:
        """An empty store, in both layouts."""
        return self.make_store(request, one_row_per_user=request.param)

    # --- rows

    def test_the_layout_is_told(self, store: SessionStore) -> None:
        """`one_row_per_user` is true exactly where another session id finds the user's row."""
        _make(store, sid="sign-in-1", n=1)
        found = store.load(SessionKey(_KEY.sub, "sign-in-2"))
        _same(found, {"sub": _KEY.sub, "sid": "sign-in-1", "n": 1} if store.one_row_per_user else None)

    def test_a_row_that_is_not_there_is_none(self, store: SessionStore) -> None:
        """Nothing is found in an empty store, nor under another user's name."""
        _same(store.load(_KEY), None)
        _make(store)
        _same(store.load(SessionKey("somebody else", _KEY.sid)), None)

    def test_values_come_back_as_they_were(self, store: SessionStore) -> None:
        """Every kind of value keeps its value and its type, and is equal to itself in a condition."""
        row = _make(store, **_VALUES)
        _same(_typed(store.load(_KEY)), _typed(row))
        _same(_typed(_write(store, equals("n", 0), put={"n": 0}).found), _typed(row))
        _same(_typed(store.rows_of(_KEY.sub)), _typed([row]))
        for name in ("empty", "unicode", "big", "negative", "words", "nothing", "no"):
            _same((name, _write(store, equals(name, _VALUES[name]), put={"mark": name}).applied), (name, True))

    def test_what_is_read_belongs_to_the_reader(self, store: SessionStore) -> None:
        """Whoever changes a row that was read changes nothing in the store."""
        row = _make(store, n=1)
        for found in (store.load(_KEY), _write(store, equals("n", 7)).found, *store.rows_of(_KEY.sub)):
            (found or {})["n"] = 9
        _same(store.load(_KEY), row)

    def test_rows_of_a_user_are_all_of_them_and_no_others(self, store: SessionStore) -> None:
        """All rows come, however many pages they fill, and none of a user whose name is similar."""
        sids = [f"sid-{n:03}" for n in range(1 if store.one_row_per_user else _ROWS)]
        for start in range(0, len(sids), _PER_TRANSACTION):
            keys = [SessionKey(_KEY.sub, sid) for sid in sids[start : start + _PER_TRANSACTION]]
            _same(store.write_all([_creation(key, fill="x" * 4000) for key in keys]), expected=True)
        for stranger in (_KEY.sub + "0", _KEY.sub[:-1], _KEY.sub.replace("1", "%"), "_" * len(_KEY.sub)):
            store.write(_creation(SessionKey(stranger, _KEY.sid)))
        _same(sorted(row["sid"] for row in store.rows_of(_KEY.sub)), sids)
        _same({row["sub"] for row in store.rows_of(_KEY.sub)}, {_KEY.sub})
        _same(store.rows_of("nobody"), [])

    def test_attributes_of_a_user_s_rows_are_those_that_were_named(self, store: SessionStore) -> None:
        """Each row has its keys and the named attributes that it has; a store without `attributes_of` reads whole rows."""
        attributes_of = getattr(store, "attributes_of", None)
        if attributes_of is None:
            return
        sids = ["sid-1"] if store.one_row_per_user else ["sid-1", "sid-2"]
        for sid in sids:
            store.write(_creation(SessionKey(_KEY.sub, sid), jti_cur=sid, jti_prev=frozenset({"x"}), token="long" * 100))
        store.write(_creation(SessionKey("somebody else", "sid-1"), jti_cur="sid-1"))
        expected = [{"sub": _KEY.sub, "sid": sid, "jti_cur": sid, "jti_prev": frozenset({"x"})} for sid in sids]
        _same(sorted(attributes_of(_KEY.sub, ("jti_cur", "jti_prev")), key=lambda row: str(row["sid"])), expected)
        _same(attributes_of(_KEY.sub, ("missing",)), [{"sub": _KEY.sub, "sid": sid} for sid in sids])
        _same(attributes_of("nobody", ("jti_cur",)), [])

    # --- one write

    def test_an_update_changes_what_it_names(self, store: SessionStore) -> None:
        """It sets, removes and counts, from 0 where nothing was; what it does not name survives; found is the row before."""
        before = _make(store, gen=4, lease_id="x", foreign={"a": [1]}, old="y")
        written = _write(
            store, equals("gen", 4), put={"old": "z", "new": 1}, drop={"lease_id", "never"}, add={"gen": 1, "lease_n": -2}
        )
        _same(written, Written(applied=True, found=before))
        kept = {name: value for name, value in before.items() if name != "lease_id"}
        _same(store.load(_KEY), {**kept, "old": "z", "new": 1, "gen": 5, "lease_n": -2})

    def test_a_replacement_leaves_nothing_of_the_old_row(self, store: SessionStore) -> None:
        """The row becomes exactly what is put."""
        before = _make(store, gen=4, old="x")
        written = store.write(_creation(_KEY, gen=1))
        _same(written, Written(applied=True, found=before))
        _same(store.load(_KEY), {**_KEY._asdict(), "gen": 1})

    def test_a_creation_finds_nothing(self, store: SessionStore) -> None:
        """With `replace` or without, a row is made where the conditions hold of a missing one."""
        gone = absent("sub")
        _same(_write(store, gone, put={"n": 1}), Written(applied=True, found=None))
        keys = {"sub": _KEY.sub} if store.one_row_per_user else _KEY._asdict()
        _same(store.load(_KEY), {**keys, "n": 1})
        _same(store.write(_creation(_NEXT, gone)), Written(applied=True, found=None))
        _same(store.load(_NEXT), {**_NEXT._asdict()})

    def test_a_refusal_shows_the_row_that_refused_and_changes_nothing(self, store: SessionStore) -> None:
        """The same holds of a creation: who loses it sees the winner."""
        row = _make(store, gen=1, keep="x")
        refused = Written(applied=False, found=row)
        _same(_write(store, equals("gen", 2), put={"mark": 1}, drop={"keep"}, add={"gen": 1}), refused)
        _same(store.write(_creation(_KEY, absent("gen"), gen=9)), refused)
        _same(store.load(_KEY), row)

    def test_no_refused_write_makes_a_row(self, store: SessionStore) -> None:
        """On a missing row the fences of the protocol refuse every kind of write and leave no ghost."""
        for when in ((equals("token", "t"),), (equals("sid", _KEY.sid),), (as_read("gen", None), equals("token", "t"))):
            for change in (
                Change(WriteKind.COMMIT, _KEY, when, put={"token": "u"}),
                Change(WriteKind.RELEASE, _KEY, when, drop=frozenset({"lease_id"})),
                Change(WriteKind.ACQUIRE, _KEY, when, add={"gen": 1}),
                Change(WriteKind.CREATE, _KEY, when, put={**_KEY._asdict()}, replace=True),
            ):
                _same(store.write(change), Written(applied=False, found=None))
                _same(store.write_all([change]), expected=False)
        _same((store.load(_KEY), store.rows_of(_KEY.sub)), (None, []))

    def test_the_key_wins_over_what_is_put(self, store: SessionStore) -> None:
        """A change cannot move a row: its key says whose row it is, whatever `put` holds under the same names."""
        put = {"sub": "somebody else", "sid": "another", "n": 1}
        expected = {"sub": _KEY.sub, "sid": "another" if store.one_row_per_user else _KEY.sid, "n": 1}
        for replace in (False, True):
            _same(_write(store, put=put, replace=replace).applied, expected=True)
            _same(store.load(_KEY), expected)
            _same(store.rows_of(_KEY.sub), [expected])
        _same(store.rows_of("somebody else"), [])

    def test_the_session_id_is_tested_where_it_lives(self, store: SessionStore) -> None:
        """Conditions on `sub` and `sid` mean the key where they are part of it, else the attribute."""
        _make(store)
        _same(_write(store, equals("sid", "another"), put={"mark": 1}).applied, expected=False)
        _same(_write(store, equals("sub", "somebody else"), put={"mark": 1}).applied, expected=False)
        _same(_write(store, equals("sid", _KEY.sid), equals("sub", _KEY.sub), put={"mark": 1}).applied, expected=True)

    # --- conditions

    @pytest.mark.parametrize(("test", "holds"), _TESTS, ids=[f"{t.attr} {t.op} {t.value!r}" for t, _ in _TESTS])
    def test_an_operator_means_what_the_core_means(self, store: SessionStore, test: Comparison, holds: bool) -> None:
        """To an absent attribute everything is unequal and nothing else; values of two types are unequal and unordered."""
        row = _make(store, **_ROW)
        _same(_write(store, Clause("c", (test,)), put={"mark": 1}), Written(holds, row))

    @pytest.mark.parametrize(("when", "hold"), _LISTS)
    def test_all_clauses_must_hold_and_one_test_of_each(
        self, store: SessionStore, when: tuple[Clause, ...], hold: bool
    ) -> None:
        """OR stays inside AND."""
        row = _make(store, **_ROW)
        _same(_write(store, *when, put={"mark": 1}), Written(hold, row))

    # --- several writes

    def test_all_changes_are_applied_together(self, store: SessionStore) -> None:
        """An update, a creation and a mere condition in one step; the condition changes nothing and makes no row."""
        row = _make(store, n=1, old="x")
        third = SessionKey("third", "sign-in-3")
        done = store.write_all(
            [
                Change(
                    WriteKind.MOVE_IDLE_END, _KEY, (equals("n", 1),), put={"new": "y"}, drop=frozenset({"old"}), add={"n": 1}
                ),
                _creation(_NEXT, absent("sub"), n=5),
                Change(WriteKind.CREATE, third, (absent("not_before"),)),
            ]
        )
        _same(done, expected=True)
        _same(store.load(_KEY), {**{name: row[name] for name in ("sub", "sid")}, "n": 2, "new": "y"})
        _same(store.load(_NEXT), {**_NEXT._asdict(), "n": 5})
        _same(store.load(third), None)

    @pytest.mark.parametrize("refusing", [0, 1, 2])
    def test_one_refusal_stops_all_changes(self, store: SessionStore, refusing: int) -> None:
        """Whichever change is refused, the first, the last or a mere condition: nothing is written, nothing created."""
        row = _make(store, n=1)
        changes = [
            Change(WriteKind.MOVE_IDLE_END, _KEY, (equals("n", 1),), add={"n": 1}),
            Change(WriteKind.CREATE, SessionKey("third", "sign-in-3"), (absent("not_before"),)),
            _creation(_NEXT, absent("sub"), n=5),
        ]
        changes[refusing] = changes[refusing]._replace(when=(equals("n", 2),))
        _same(store.write_all(changes), expected=False)
        _same((store.load(_KEY), store.load(_NEXT)), (row, None))

    # --- races

    def test_a_repeated_change_is_recognised(self, store: SessionStore) -> None:
        """Who repeats a change because its answer was lost is refused, and finds its own mark in the row."""
        _make(store, gen=1)
        _same(store.write(_acquire("mine")).applied, expected=True)
        again = store.write(_acquire("mine"))
        _same((again.applied, (again.found or {}).get("lease_id")), (False, "mine"))

    def test_a_lease_has_one_winner(self, store: SessionStore) -> None:
        """Of all threads that take a lease at once exactly one gets it, and each loser is shown the winner."""
        barrier = Barrier(self.threads)
        keys = [SessionKey(f"user-{n}", _KEY.sid) for n in range(self.rounds)]
        for key in keys:
            store.write(_creation(key, gen=1))

        def take(thread: int) -> list[Written]:
            found = []
            try:
                for key in keys:
                    barrier.wait(60)
                    found.append(store.write(_acquire(f"thread-{thread}", key)))
            except BaseException:
                barrier.abort()
                raise
            return found

        for answers in zip(*self._in_threads(take), strict=True):
            winners = [f"thread-{thread}" for thread, answer in enumerate(answers) if answer.applied]
            _same(len(winners), 1)
            _same({(answer.found or {}).get("lease_id") for answer in answers if not answer.applied}, set(winners))

    def test_no_count_is_lost(self, store: SessionStore) -> None:
        """Of many threads that add at once each finds a number of its own, and the sum is right."""
        _make(store, n=0)
        change = Change(WriteKind.MOVE_IDLE_END, _KEY, (equals("sid", _KEY.sid),), add={"n": 1})
        each = 5
        found = self._in_threads(lambda _: [(store.write(change).found or {}).get("n") for _ in range(each)])
        total = self.threads * each
        _same(sorted(number for numbers in found for number in numbers), list(range(total)))
        _same((store.load(_KEY) or {}).get("n"), total)

    def _in_threads(self, work: Callable[[int], list[Any]]) -> list[list[Any]]:
        with ThreadPoolExecutor(self.threads) as pool:
            calls = [pool.submit(work, thread) for thread in range(self.threads)]
        errors = [error for call in calls if (error := call.exception()) is not None]
        for error in sorted(errors, key=lambda error: isinstance(error, BrokenBarrierError)):
            raise error  # the store's own before those of the threads that waited for it
        return [call.result() for call in calls]


def _creation(key: SessionKey, *when: Clause, **attributes: Any) -> Change:
    return Change(WriteKind.CREATE, key, when, put={**key._asdict(), **attributes}, replace=True)


def _acquire(lease_id: str, key: SessionKey = _KEY) -> Change:
    when = (equals("sid", key.sid), equals("gen", 1), absent("lease_id"))
    return Change(WriteKind.ACQUIRE, key, when, put={"lease_id": lease_id}, add={"lease_n": 1})


def _make(store: SessionStore, **attributes: Any) -> Row:
    """Create the row of _KEY and return it as it should be read."""
    row = {**_KEY._asdict(), "n": 0, **attributes}
    store.write(Change(WriteKind.CREATE, _KEY, (), put=row, replace=True))
    return row


def _write(store: SessionStore, *when: Clause, drop: set[str] | None = None, **change: Any) -> Written:
    return store.write(Change(WriteKind.MOVE_IDLE_END, _KEY, when, drop=frozenset(drop or ()), **change))


def _same(found: object, expected: object) -> None:
    __tracebackhide__ = True
    if found != expected:
        pytest.fail(f"expected {expected!r}, found {found!r}")


def _typed(value: Any) -> Any:
    """The value with the types of all its parts beside it: to Python 1, 1.0 and True are equal."""
    if isinstance(value, dict):
        return {name: _typed(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_typed(item) for item in value]
    return type(value).__name__, value
