"""Rows as the protocol reads them: ours, a stranger's, a tombstone's, and rubbish."""

from __future__ import annotations

import pytest

from cognito_session.core.errors import StoreUnavailable
from cognito_session.core.protocol.record import SessionKey, SessionRecord, token_hash

KEY = SessionKey("user-1", "sid-1")
TEXTS = ["sid", "token", "token_hash", "access_token", "state", "reason", "jti_cur", "lease_id", "lease_for", "last_op"]
TEXTS += ["username", "device_key", "device_pending", "device", "data"]
TEXTS += ["cookie_kind", "token_origin", "row_code", "idle_code"]
NUMBERS = ["access_iat", "access_exp", "gen", "gen_prev", "prev_exp", "lease_until", "lease_n", "seen_at", "suspect_at"]
NUMBERS += ["retry_at", "auth_time", "created_at", "idle_exp", "abs_exp", "active_at", "not_before"]
NUMBERS += ["data_version", "gen_old", "old_until", "sign_in", "device_retry_at"]
COUNTS = ("lease_n", "data_version")


def record(**row: object) -> SessionRecord:
    """The record of a row with these attributes."""
    return SessionRecord.from_row(KEY, row)


def ours(**row: object) -> SessionRecord:
    """The record of a row that our code wrote."""
    return record(**{"sid": "sid-1", "token": "rt", "token_hash": token_hash("rt"), "state": "active", "gen": 1, **row})


def field(name: str) -> str:
    """The record's field of an attribute."""
    return "lease_until_ms" if name == "lease_until" else name


def test_every_attribute_has_its_field():
    """Each attribute is read into the field of its name, and into no other."""
    row = {name: f"text of {name}" for name in TEXTS} | {name: 1000 + n for n, name in enumerate(NUMBERS)}
    found = record(
        **row,
        jti_prev=frozenset({"a", "b"}),
        jti_old=frozenset({"c"}),
        unrevoked=frozenset({"d"}),
        unverified=True,
        foreign=object(),
    )
    assert {name: getattr(found, field(name)) for name in row} == row
    assert (found.key, found.jti_prev, found.unverified) == (KEY, frozenset({"a", "b"}), True)
    assert (found.jti_old, found.unrevoked) == (frozenset({"c"}), frozenset({"d"}))
    read = {field(name) for name in row} | {"key", "jti_prev", "jti_old", "unverified", "unrevoked"}
    assert read == set(SessionRecord._fields)


def test_an_empty_row_has_nothing():
    """Absent attributes are None, or the value that stands for none."""
    found = record()
    assert all(getattr(found, name) is None for name in TEXTS)
    assert all(getattr(found, field(name)) is None for name in NUMBERS if name not in COUNTS)
    assert found.data_version == 0
    assert (found.lease_n, found.jti_prev, found.unverified, found.generation) == (0, frozenset(), False, 0)


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("value", [7, 1.5, True, b"x", ["x"], frozenset({"x"}), {"S": "x"}], ids=repr)
def test_an_attribute_of_text_holds_text(name, value):
    """Any other type makes the record unreadable: a 503 that names the attribute, not an absence and not the value."""
    with pytest.raises(StoreUnavailable, match=f"attribute {name}:") as caught:
        record(**{name: value})
    assert caught.value.reason == "unreadable_record"


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", ["7", 1.5, 7.0, True, False, None, b"7", [7], frozenset({"7"})], ids=repr)
def test_an_attribute_of_a_number_holds_a_whole_one(name, value):
    """Texts of digits, fractions, booleans and null are unreadable: nobody guesses what they meant."""
    with pytest.raises(StoreUnavailable, match=f"attribute {name}:"):
        record(**{name: value})


@pytest.mark.parametrize("value", ["a", ["a"], ("a",), {"a": 1}, 7, True], ids=repr)
def test_the_previous_jtis_are_a_set(value):
    """A text would match its letters by `in`: only a set of texts is read."""
    with pytest.raises(StoreUnavailable, match=r"attribute jti_prev: expected a set of texts$"):
        record(jti_prev=value)


@pytest.mark.parametrize("value", [1, "true", "True", [True], None, False])
def test_unverified_is_true_or_not(value):
    """Only the boolean says that a token was stored unverified."""
    assert record(unverified=value).unverified is False


def test_unreadable_rows_do_not_tell_their_content():
    """The message names attribute and type, never the value."""
    with pytest.raises(StoreUnavailable) as caught:
        record(token=["very-secret"])
    assert "very-secret" not in f"{caught.value!s} {caught.value!r}"


def test_repr_shows_no_secret():
    """Tokens, their hashes and the device key print as dots; the rest is there for whoever reads a log."""
    names = ("token", "token_hash", "access_token", "lease_for", "device_key", "device_pending", "data")
    secrets = {name: f"secret-{number}" for number, name in enumerate(names)}
    shown = repr(record(sid="visible", **secrets))
    assert "visible" in shown
    assert not any(secret in shown for secret in secrets.values())
    assert "token=None" in repr(record())


FOREIGN_ROWS = [
    ("ours", {}, False),
    ("nothing in it", {"sid": None, "token": None, "token_hash": None}, True),
    ("no sid", {"sid": None}, True),
    ("no sid, hash right", {"sid": None, "token_hash": token_hash("rt")}, True),
    ("no hash", {"token_hash": None}, True),
    ("hash of another token", {"token_hash": token_hash("older")}, True),
    ("hash in another case", {"token_hash": token_hash("rt").upper()}, True),
    ("token replaced by its hash", {"token": token_hash("rt")}, True),
    ("tombstone", {"token": None, "token_hash": None, "state": "ended"}, False),
    ("tombstone with a token of foreign code", {"token": "new", "token_hash": None, "state": "ended"}, True),
    ("token removed, hash left", {"token": None}, False),
]


@pytest.mark.parametrize(("row", "foreign"), [case[1:] for case in FOREIGN_ROWS], ids=[case[0] for case in FOREIGN_ROWS])
def test_a_foreign_row_is_one_that_our_last_write_did_not_leave(row, foreign):
    """Foreign: without sid, or with a token that the hash beside it does not know. A tombstone has no token and is not."""
    complete = {"sid": "sid-1", "token": "rt", "token_hash": token_hash("rt"), "state": "active", **row}
    assert record(**{name: value for name, value in complete.items() if value is not None}).foreign_token is foreign


@pytest.mark.parametrize(("state", "ended"), [("ended", True), ("active", False), ("Ended", False), ("", False), (None, False)])
def test_a_tombstone_is_a_row_whose_state_is_ended(state, ended):
    """Exactly that word; a missing or unknown state ends nothing."""
    assert record(state=state).ended is ended


def test_the_hash_of_a_token_is_its_sha256():
    """Stable across versions, since rows outlive them; and total, since foreign code may store any text."""
    assert token_hash("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert len({token_hash(text) for text in ("", "a", "A", "\u00e9", "e\u0301", "\ud800")}) == 6


STALE = [
    ("ours, never leased", {}, False),
    ("ours, leased", {"lease_for": token_hash("rt")}, False),
    ("ours, leased for an older token", {"lease_for": token_hash("older")}, False),
    ("foreign, never leased", {"token_hash": None}, True),
    ("foreign, leased for this token", {"token_hash": None, "lease_for": token_hash("rt")}, False),
    ("foreign, leased for an older token", {"token_hash": None, "lease_for": token_hash("older")}, True),
    ("foreign without a token", {"sid": None, "token": None}, False),
]


@pytest.mark.parametrize(("row", "stale"), [case[1:] for case in STALE], ids=[case[0] for case in STALE])
def test_marks_are_stale_where_foreign_code_replaced_the_token(row, stale):
    """A lease or suspicion taken for a token that foreign code has since replaced says nothing about the present one."""
    assert ours(**row).stale_marks is stale


@pytest.mark.parametrize(("gen", "generation"), [(None, 0), (0, 0), (1, 1), (41, 41)])
def test_a_row_without_generation_is_of_generation_zero(gen, generation):
    """An absent gen counts as 0."""
    assert record(**({} if gen is None else {"gen": gen})).generation == generation


@pytest.mark.parametrize(
    ("now", "live"),
    [(90.0, True), (100.0, True), (101.999, True), (102.0, True), (102.001, False), (103.0, False), (1e9, False)],
)
def test_a_lease_is_live_until_the_tolerance_after_its_end(now, live):
    """Up to two seconds after `lease_until` the holder's clock may be behind: it may still be calling."""
    assert ours(lease_id="l", lease_until=100_000).lease_is_live(now) is live


@pytest.mark.parametrize("row", [{}, {"lease_id": "l"}, {"lease_until": 10**15}], ids=["neither", "no end", "no owner"])
def test_half_a_lease_is_none(row):
    """A lease has an id and an end; with one of them missing nobody is waited for."""
    assert ours(**row).lease_is_live(0.0) is False
