"""StoreContract: the tests that every SessionStore must pass.

    from cognito_session.testing.store_contract import StoreContract

    class TestMyStore(StoreContract):
        def make_store(self, request, *, one_row_per_user):
            folder = request.getfixturevalue("tmp_path")
            return MyStore(folder / "rows", one_row_per_user=one_row_per_user)

Each test runs with an empty store in each of the two layouts. A store with one layout calls `pytest.skip` for the other.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, BrokenBarrierError
from typing import TYPE_CHECKING, Any

import pytest

from cognito_session.core.protocol.conditions import Change, Clause, Comparison, WriteKind, Written, absent, as_read, equals
from cognito_session.core.protocol.record import SessionKey
from cognito_session.testing.store_contract_cases import (
    CLAUSES,
    COMPARISONS,
    KEY,
    MANY_ROWS,
    NEXT,
    PER_TRANSACTION,
    ROW,
    VALUES,
)
from cognito_session.testing.store_contract_steps import acquire, check_equal, creation, make_row, typed, write

if TYPE_CHECKING:
    from collections.abc import Callable

    from cognito_session.core.protocol.ports import SessionStore

__all__ = ["StoreContract"]


class StoreContract:
    """Inherit from this class and define `make_store`. `threads` and `rounds` set the size of the concurrency tests."""

    threads = 16
    rounds = 50

    def make_store(self, request: pytest.FixtureRequest, *, one_row_per_user: bool) -> SessionStore:
        """A new, empty store in this layout. `request` is pytest's, for fixtures and finalizers."""
        raise NotImplementedError("StoreContract: define make_store(self, request, *, one_row_per_user)")

    @pytest.fixture(params=[False, True], ids=["a row per session", "a row per user"])
    def store(self, request: pytest.FixtureRequest) -> SessionStore:
        """An empty store, in each layout."""
        return self.make_store(request, one_row_per_user=request.param)

    def test_one_row_per_user_tells_the_layout(self, store: SessionStore) -> None:
        """`one_row_per_user` is true if and only if another session id finds the user's row."""
        make_row(store, sid="sign-in-1", n=1)
        found = store.load(SessionKey(KEY.sub, "sign-in-2"))
        check_equal(found, {"sub": KEY.sub, "sid": "sign-in-1", "n": 1} if store.one_row_per_user else None)

    def test_load_of_a_missing_row_is_none(self, store: SessionStore) -> None:
        """An empty store has no rows, and a row is not found under another user's key."""
        check_equal(store.load(KEY), None)
        make_row(store)
        check_equal(store.load(SessionKey("another user", KEY.sid)), None)

    def test_values_are_read_as_they_were_written(self, store: SessionStore) -> None:
        """Each type of value keeps its value and type, and equals itself in a condition."""
        row = make_row(store, **VALUES)
        check_equal(typed(store.load(KEY)), typed(row))
        check_equal(typed(write(store, equals("n", 0), put={"n": 0}).found), typed(row))
        check_equal(typed(store.rows_of(KEY.sub)), typed([row]))
        for name in ("empty", "unicode", "big", "negative", "words", "nothing", "no"):
            check_equal((name, write(store, equals(name, VALUES[name]), put={"mark": name}).applied), (name, True))

    def test_a_row_that_was_read_is_a_copy(self, store: SessionStore) -> None:
        """Changing a row that was read does not change the store."""
        row = make_row(store, n=1)
        for found in (store.load(KEY), write(store, equals("n", 7)).found, *store.rows_of(KEY.sub)):
            (found or {})["n"] = 9
        check_equal(store.load(KEY), row)

    def test_rows_of_returns_all_rows_of_the_user_and_no_others(self, store: SessionStore) -> None:
        """It returns all rows, from all pages, and none of a user with a similar id."""
        sids = [f"sid-{n:03}" for n in range(1 if store.one_row_per_user else MANY_ROWS)]
        for start in range(0, len(sids), PER_TRANSACTION):
            keys = [SessionKey(KEY.sub, sid) for sid in sids[start : start + PER_TRANSACTION]]
            check_equal(store.write_all([creation(key, fill="x" * 4000) for key in keys]), expected=True)
        for stranger in (KEY.sub + "0", KEY.sub[:-1], KEY.sub.replace("1", "%"), "_" * len(KEY.sub)):
            store.write(creation(SessionKey(stranger, KEY.sid)))
        check_equal(sorted(row["sid"] for row in store.rows_of(KEY.sub)), sids)
        check_equal({row["sub"] for row in store.rows_of(KEY.sub)}, {KEY.sub})
        check_equal(store.rows_of("unknown"), [])

    def test_attributes_of_returns_the_named_attributes(self, store: SessionStore) -> None:
        """Each row has its keys and the named attributes, if present. `attributes_of` is optional."""
        attributes_of = getattr(store, "attributes_of", None)
        if attributes_of is None:
            return
        sids = ["sid-1"] if store.one_row_per_user else ["sid-1", "sid-2"]
        for sid in sids:
            store.write(creation(SessionKey(KEY.sub, sid), jti_cur=sid, jti_prev=frozenset({"x"}), token="long" * 100))
        store.write(creation(SessionKey("another user", "sid-1"), jti_cur="sid-1"))
        expected = [{"sub": KEY.sub, "sid": sid, "jti_cur": sid, "jti_prev": frozenset({"x"})} for sid in sids]
        check_equal(sorted(attributes_of(KEY.sub, ("jti_cur", "jti_prev")), key=lambda row: str(row["sid"])), expected)
        check_equal(attributes_of(KEY.sub, ("missing",)), [{"sub": KEY.sub, "sid": sid} for sid in sids])
        check_equal(attributes_of("unknown", ("jti_cur",)), [])

    def test_an_update_changes_only_the_named_attributes(self, store: SessionStore) -> None:
        """It sets, removes and adds, starting from 0; other attributes stay. `found` is the row before the update."""
        before = make_row(store, gen=4, lease_id="x", foreign={"a": [1]}, old="y")
        written = write(
            store, equals("gen", 4), put={"old": "z", "new": 1}, drop={"lease_id", "never"}, add={"gen": 1, "lease_n": -2}
        )
        check_equal(written, Written(applied=True, found=before))
        kept = {name: value for name, value in before.items() if name != "lease_id"}
        check_equal(store.load(KEY), {**kept, "old": "z", "new": 1, "gen": 5, "lease_n": -2})

    def test_a_replacement_removes_the_old_attributes(self, store: SessionStore) -> None:
        """The row has exactly the attributes of `put`."""
        before = make_row(store, gen=4, old="x")
        written = store.write(creation(KEY, gen=1))
        check_equal(written, Written(applied=True, found=before))
        check_equal(store.load(KEY), {**KEY._asdict(), "gen": 1})

    def test_a_creation_finds_no_row(self, store: SessionStore) -> None:
        """With or without `replace`, a write creates the row if its conditions hold for a missing one."""
        gone = absent("sub")
        check_equal(write(store, gone, put={"n": 1}), Written(applied=True, found=None))
        keys = {"sub": KEY.sub} if store.one_row_per_user else KEY._asdict()
        check_equal(store.load(KEY), {**keys, "n": 1})
        check_equal(store.write(creation(NEXT, gone)), Written(applied=True, found=None))
        check_equal(store.load(NEXT), {**NEXT._asdict()})

    def test_a_refused_write_returns_the_row_and_changes_nothing(self, store: SessionStore) -> None:
        """A refused creation returns the row of the writer that succeeded."""
        row = make_row(store, gen=1, keep="x")
        refused = Written(applied=False, found=row)
        check_equal(write(store, equals("gen", 2), put={"mark": 1}, drop={"keep"}, add={"gen": 1}), refused)
        check_equal(store.write(creation(KEY, absent("gen"), gen=9)), refused)
        check_equal(store.load(KEY), row)

    def test_a_refused_write_creates_no_row(self, store: SessionStore) -> None:
        """On a missing row, the conditions of the protocol refuse each kind of write and leave no row."""
        for when in ((equals("token", "t"),), (equals("sid", KEY.sid),), (as_read("gen", None), equals("token", "t"))):
            for change in (
                Change(WriteKind.COMMIT, KEY, when, put={"token": "u"}),
                Change(WriteKind.RELEASE, KEY, when, drop=frozenset({"lease_id"})),
                Change(WriteKind.ACQUIRE, KEY, when, add={"gen": 1}),
                Change(WriteKind.CREATE, KEY, when, put={**KEY._asdict()}, replace=True),
            ):
                check_equal(store.write(change), Written(applied=False, found=None))
                check_equal(store.write_all([change]), expected=False)
        check_equal((store.load(KEY), store.rows_of(KEY.sub)), (None, []))

    def test_the_key_takes_precedence_over_put(self, store: SessionStore) -> None:
        """A change cannot move a row: the key determines the row, even if `put` has other values under its names."""
        put = {"sub": "another user", "sid": "another", "n": 1}
        expected = {"sub": KEY.sub, "sid": "another" if store.one_row_per_user else KEY.sid, "n": 1}
        for replace in (False, True):
            check_equal(write(store, put=put, replace=replace).applied, expected=True)
            check_equal(store.load(KEY), expected)
            check_equal(store.rows_of(KEY.sub), [expected])
        check_equal(store.rows_of("another user"), [])

    def test_conditions_on_the_key(self, store: SessionStore) -> None:
        """Conditions on `sub` and `sid` compare the key if they are part of it, and the attribute if not."""
        make_row(store)
        check_equal(write(store, equals("sid", "another"), put={"mark": 1}).applied, expected=False)
        check_equal(write(store, equals("sub", "another user"), put={"mark": 1}).applied, expected=False)
        check_equal(write(store, equals("sid", KEY.sid), equals("sub", KEY.sub), put={"mark": 1}).applied, expected=True)

    @pytest.mark.parametrize(("test", "holds"), COMPARISONS, ids=[f"{t.attr} {t.op} {t.value!r}" for t, _ in COMPARISONS])
    def test_each_comparison(self, store: SessionStore, test: Comparison, holds: bool) -> None:
        """Only `<>` and `absent` hold for a missing attribute. Values of two types are unequal and unordered."""
        row = make_row(store, **ROW)
        check_equal(write(store, Clause("c", (test,)), put={"mark": 1}), Written(holds, row))

    @pytest.mark.parametrize(("when", "hold"), CLAUSES)
    def test_all_clauses_must_hold_with_one_comparison_each(
        self, store: SessionStore, when: tuple[Clause, ...], hold: bool
    ) -> None:
        """Clauses are joined by AND, the comparisons of one clause by OR."""
        row = make_row(store, **ROW)
        check_equal(write(store, *when, put={"mark": 1}), Written(hold, row))

    def test_all_changes_are_applied_together(self, store: SessionStore) -> None:
        """One step holds an update, a creation and a condition. The condition changes nothing and creates no row."""
        row = make_row(store, n=1, old="x")
        third = SessionKey("third", "sign-in-3")
        done = store.write_all(
            [
                Change(
                    WriteKind.MOVE_IDLE_END, KEY, (equals("n", 1),), put={"new": "y"}, drop=frozenset({"old"}), add={"n": 1}
                ),
                creation(NEXT, absent("sub"), n=5),
                Change(WriteKind.CREATE, third, (absent("not_before"),)),
            ]
        )
        check_equal(done, expected=True)
        check_equal(store.load(KEY), {**{name: row[name] for name in ("sub", "sid")}, "n": 2, "new": "y"})
        check_equal(store.load(NEXT), {**NEXT._asdict(), "n": 5})
        check_equal(store.load(third), None)

    @pytest.mark.parametrize("refusing", [0, 1, 2])
    def test_one_refusal_stops_all_changes(self, store: SessionStore, refusing: int) -> None:
        """If one change is refused, the first, the last or the condition, nothing is written."""
        row = make_row(store, n=1)
        changes = [
            Change(WriteKind.MOVE_IDLE_END, KEY, (equals("n", 1),), add={"n": 1}),
            Change(WriteKind.CREATE, SessionKey("third", "sign-in-3"), (absent("not_before"),)),
            creation(NEXT, absent("sub"), n=5),
        ]
        changes[refusing] = changes[refusing]._replace(when=(equals("n", 2),))
        check_equal(store.write_all(changes), expected=False)
        check_equal((store.load(KEY), store.load(NEXT)), (row, None))

    def test_a_repeated_change_is_recognizable(self, store: SessionStore) -> None:
        """A change that is repeated after a lost response is refused, and its own mark is in the row."""
        make_row(store, gen=1)
        check_equal(store.write(acquire("mine")).applied, expected=True)
        again = store.write(acquire("mine"))
        check_equal((again.applied, (again.found or {}).get("lease_id")), (False, "mine"))

    def test_a_lease_has_one_winner(self, store: SessionStore) -> None:
        """Exactly one of many concurrent threads gets the lease, and each refused one receives the winner's row."""
        barrier = Barrier(self.threads)
        keys = [SessionKey(f"user-{n}", KEY.sid) for n in range(self.rounds)]
        for key in keys:
            store.write(creation(key, gen=1))

        def take(thread: int) -> list[Written]:
            found = []
            try:
                for key in keys:
                    barrier.wait(60)
                    found.append(store.write(acquire(f"thread-{thread}", key)))
            except BaseException:
                barrier.abort()
                raise
            return found

        for answers in zip(*self._in_threads(take), strict=True):
            winners = [f"thread-{thread}" for thread, answer in enumerate(answers) if answer.applied]
            check_equal(len(winners), 1)
            check_equal({(answer.found or {}).get("lease_id") for answer in answers if not answer.applied}, set(winners))

    def test_no_count_is_lost(self, store: SessionStore) -> None:
        """Many threads add concurrently: each one finds a different number, and the sum is correct."""
        make_row(store, n=0)
        change = Change(WriteKind.MOVE_IDLE_END, KEY, (equals("sid", KEY.sid),), add={"n": 1})
        each = 5
        found = self._in_threads(lambda _: [(store.write(change).found or {}).get("n") for _ in range(each)])
        total = self.threads * each
        check_equal(sorted(number for numbers in found for number in numbers), list(range(total)))
        check_equal((store.load(KEY) or {}).get("n"), total)

    def _in_threads(self, work: Callable[[int], list[Any]]) -> list[list[Any]]:
        with ThreadPoolExecutor(self.threads) as pool:
            calls = [pool.submit(work, thread) for thread in range(self.threads)]
        errors = [error for call in calls if (error := call.exception()) is not None]
        for error in sorted(errors, key=lambda error: isinstance(error, BrokenBarrierError)):
            raise error  # the store's error comes before the broken barriers of the waiting threads
        return [call.result() for call in calls]
