"""row_code.py: what a row proves, attribute by attribute, and what it does not have to prove."""

from __future__ import annotations

from itertools import combinations

import pytest

from cognito_session.core.crypto.aead import InvalidSeal, RetiredKey, SealKeyUnavailable
from cognito_session.core.crypto.keyring import Keyring
from cognito_session.core.protocol.conditions import Change, WriteKind
from cognito_session.core.protocol.record import SessionKey, SessionRecord, token_hash
from cognito_session.core.protocol.row_code import COVERED, IDLE, Binding, check_codes, with_idle_code, with_row_code
from managed.scene import ring
from support.case_id import case_id

KEY = SessionKey("user-1", "sid-1")
RING = Keyring.parse(ring(1))
BINDING = Binding("pool", "client", "user-1")
SEALED = {"token", "data", "device_pending", "unrevoked"}
"""Sealed by itself, and bound to its row and attribute; `token` is covered by its hash as well."""
AVAILABILITY = {
    *("lease_id", "lease_until_ms", "lease_n", "lease_for", "last_op", "suspect_at", "retry_at", "reason"),
    *("device_retry_at", "data_version", "not_before", "seen_at"),
}
"""Not proved: docs/security/rows.md says what each of them lets a writer of the table do."""
DECIDING = {
    *("sid", "state", "gen", "cookie_kind", "token_hash", "access_token", "access_iat", "access_exp", "unverified"),
    *("token_origin", "jti_cur", "jti_prev", "jti_old", "gen_prev", "gen_old", "old_until", "prev_exp"),
    *("username", "device", "device_key", "auth_time", "created_at", "abs_exp", "sign_in"),
}
ROW = {
    "sid": "sid-1",
    "state": "active",
    "token": "sealed.token",
    "token_hash": token_hash("sealed.token"),
    "gen": 3,
    "jti_prev": frozenset({"b", "a"}),
    "auth_time": 5,
    "username": "naïve \ud800",
    "idle_exp": 60,
    "active_at": 50,
}


def written(row=ROW, *, keys=RING, binding=BINDING, **changes):
    """A row with its codes, which `changes` then alter; None removes."""
    change = Change(WriteKind.CREATE, KEY, (), put=dict(row), replace=True)
    coded = with_row_code(keys, binding, with_idle_code(keys, binding, change, row.get("sid")), None)
    return {name: value for name, value in {**coded.put, **changes}.items() if value is not None}


def check(row, *, keys=RING, binding=BINDING):
    """Hold the row against its codes."""
    check_codes(keys, binding, SessionRecord.from_row(KEY, row))


def test_each_attribute_has_its_protection():
    """Every attribute of the record is proved, sealed, or known not to decide anything but availability."""
    assert set(COVERED) == DECIDING
    assert set(IDLE) == {"idle_exp", "active_at"}
    codes = {"key", "row_code", "idle_code"}
    assert DECIDING | set(IDLE) | SEALED | AVAILABILITY | codes == set(SessionRecord._fields)
    assert not any(one & other for one, other in combinations((DECIDING, set(IDLE), SEALED, AVAILABILITY, codes), 2))


def test_a_row_proves_what_was_written():
    """Sets in any order, any text, absent attributes."""
    check(written())
    check(written({"sid": "sid-1", "state": "active"}))


@pytest.mark.parametrize(
    ("changes", "unchanged"),
    [({"jti_prev": frozenset()}, {"jti_prev": None}), ({"unverified": False}, {"unverified": None})],
)
def test_empty_and_absent_are_one(changes, unchanged):
    """A store may give either for what a record reads alike."""
    check(written({**ROW, **changes}, **unchanged))


@pytest.mark.parametrize(
    "changes",
    [
        {"auth_time": 6},
        {"auth_time": None},
        {"username": "naïve"},
        {"token": "sealed.earlier token"},
        {"token": None},
        {"token": "sealed.earlier token", "token_hash": token_hash("sealed.earlier token")},
        {"jti_prev": frozenset({"a"})},
        {"jti_prev": frozenset({'a","b'})},
        {"jti_old": frozenset({"a"})},
        {"gen_prev": 3, "gen": None},
        {"row_code": None},
        {"idle_code": None},
        {"row_code": ""},
        {"row_code": "1."},
        {"row_code": "x.AAAA"},
        {"row_code": "\u0661.AAAA"},
        {"idle_exp": 61},
        {"active_at": None},
        {"idle_exp": 50, "active_at": 60},
    ],
    ids=case_id,
)
def test_a_changed_row_does_not(changes):
    """Each is refused, however the code is spelled."""
    with pytest.raises(InvalidSeal):
        check(written(**changes))


def test_the_two_codes_are_not_interchangeable():
    """One is not accepted as the other, nor both of them exchanged."""
    row = written()
    with pytest.raises(InvalidSeal):
        check({**row, "row_code": row["idle_code"], "idle_code": row["row_code"]})


@pytest.mark.parametrize("state", [None, "ended", "ACTIVE"])
def test_a_row_in_another_state_proves_nothing(state):
    """The code of a row that is not active is none, whoever made it."""
    row = {name: value for name, value in {**ROW, "state": state}.items() if value is not None}
    with pytest.raises(InvalidSeal):
        check(written(row))


@pytest.mark.parametrize(
    "other",
    [Binding("pool-2", "client", "user-1"), Binding("pool", "client-2", "user-1"), Binding("pool", "client", "user-2")],
    ids=lambda other: f"{other.pool} {other.client_id} {other.sub}",
)
def test_a_row_proves_nothing_elsewhere(other):
    """Pool, app client and user are bound in, for both codes."""
    row = written()
    theirs = written(binding=other)
    for name in ("row_code", "idle_code"):
        with pytest.raises(InvalidSeal):
            check({**row, name: theirs[name]})


def test_the_idle_end_of_another_session_does_not_fit():
    """The second code is bound to the session id as well."""
    with pytest.raises(InvalidSeal):
        check(written(idle_code=written({**ROW, "sid": "sid-2"})["idle_code"]))


def test_keys_change():
    """The first key writes, all verify; a newer one is not known yet, an older one is retired."""
    newer, both = Keyring.parse(ring(2)), Keyring.parse(ring(2, 1))
    assert written(keys=both)["row_code"].startswith("2.")
    check(written(), keys=both)
    check(written(keys=both), keys=newer)
    with pytest.raises(SealKeyUnavailable):
        check(written(keys=newer))
    with pytest.raises(RetiredKey):
        check(written(), keys=newer)
    with pytest.raises(InvalidSeal):
        check(written(), keys=Keyring.parse(ring(1, of="x")))


def test_a_set_of_anything_is_refused_not_raised():
    """A store may give what no code of ours writes."""
    for strange in (frozenset({1, "a"}), frozenset({b"a"}), frozenset({("a",), None})):
        with pytest.raises(InvalidSeal):
            check(written(jti_prev=strange))


def test_a_write_covers_what_it_leaves_in_the_row():
    """What a change neither sets nor removes is covered as it was read; what it removes is absent."""
    before = SessionRecord.from_row(KEY, written())
    change = Change(WriteKind.COMMIT, KEY, (), put={"gen": 4}, drop=frozenset({"username"}))
    coded = with_row_code(RING, BINDING, change, before)
    row = coded.applied_to(written())
    check(row)
    with pytest.raises(InvalidSeal):
        check({**row, "username": ROW["username"]})
