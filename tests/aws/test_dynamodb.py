"""DynamoDBStore against the stack: rows, conditions and errors, in every layout of the table and on both wires."""

from __future__ import annotations

import base64
from itertools import count
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from cognito_session.aws.dynamodb import DynamoDBStore
from cognito_session.aws.transport.interface import ServiceError
from cognito_session.aws.transport.open import open_wire
from cognito_session.core.crypto.access_token import AccessToken
from cognito_session.core.errors import ConfigurationError, StoreUnavailable
from cognito_session.core.protocol import writes
from cognito_session.core.protocol.conditions import Change, Clause, WriteKind, Written, absent, as_read, either, equals
from cognito_session.core.protocol.conditions import Comparison as Compare
from cognito_session.core.protocol.record import SessionKey, SessionRecord, token_hash
from cognito_session.core.protocol.session import Reason
from support.stack import closed_port

KEY = SessionKey("11111111-2222-4333-8444-555555555555", "sign-in-1")
NOW = 1_700_000_000
OURS = {"sid": KEY.sid, "token": "refresh-1", "token_hash": token_hash("refresh-1"), "state": "active", "gen": 1}
STRANGER = {
    "photo": {"B": base64.b64encode(b"\x00\xff\x10").decode()},
    "photos": {"BS": [base64.b64encode(b"\x01").decode(), base64.b64encode(b"\x02").decode()]},
    "numbers": {"NS": ["1", "2.5"]},
    "precise": {"N": "3.14159265358979323846264338327950288"},
    "huge": {"N": "12345678901234567890123456789012345678"},
    "words": {"SS": ["a", "b"]},
    "nested": {"M": {"list": {"L": [{"N": "1"}, {"NULL": True}, {"BOOL": False}]}, "empty": {"M": {}}}},
    "Größe": {"S": "ü\u0000\U0001f36a"},
    "": {"S": ""},
}
del STRANGER[""]  # DynamoDB knows no attribute without a name
LAYOUTS = {
    "one row": ("sub", None),
    "two keys": ("sub", "sid"),
    "odd names": ("user-id.v2", "Größe:ID#"),
    "a reserved word": ("date", None),
}
_numbers = count(1)


class Layout(NamedTuple):
    """A table, the store on it, and a view past the store."""

    stack: Any
    wire: Any
    store: DynamoDBStore
    table: str
    partition_key: str
    sort_key: str | None

    def key(self, key: SessionKey = KEY) -> dict[str, Any]:
        """The row's key in DynamoDB's words."""
        found = {self.partition_key: {"S": key.sub}}
        return found | ({self.sort_key: {"S": key.sid}} if self.sort_key else {})

    def raw(self, key: SessionKey = KEY) -> dict[str, Any] | None:
        """The row in DynamoDB's words, sets in order."""
        answer = self.stack.dynamodb().call("GetItem", TableName=self.table, Key=self.key(key), ConsistentRead=True)
        item = answer.get("Item")
        return None if item is None else {name: _ordered(value) for name, value in item.items()}

    def put_raw(self, item: dict[str, Any], key: SessionKey = KEY) -> None:
        """Write a row past the store."""
        self.stack.dynamodb().call("PutItem", TableName=self.table, Item={**self.key(key), **item})

    def write(self, *when: Clause, key: SessionKey = KEY, **change: Any) -> Written:
        """One change through the store."""
        return self.store.write(Change(WriteKind.RELEASE, key, when, **change))

    def another(self, wire: Any) -> DynamoDBStore:
        """A store on the same table with another wire."""
        return DynamoDBStore(lambda: wire, table=self.table, partition_key=self.partition_key, sort_key=self.sort_key)


def _ordered(value: dict[str, Any]) -> dict[str, Any]:
    ((kind, inner),) = value.items()
    return {kind: sorted(inner)} if kind in ("SS", "NS", "BS") else value


def make(stack, wire, partition_key="sub", sort_key=None):
    """A fresh table in this layout."""
    table = stack.create_table(f"rows-{next(_numbers)}", partition_key=partition_key, sort_key=sort_key)
    store = DynamoDBStore(lambda: wire, table=table, partition_key=partition_key, sort_key=sort_key)
    return Layout(stack, wire, store, table, partition_key, sort_key)


@pytest.fixture(params=list(LAYOUTS))
def layout(request, stack, wire):
    """A fresh table in each layout."""
    return make(stack, wire, *LAYOUTS[request.param])


@pytest.fixture
def one_row(stack, wire):
    """A fresh table in the seed's layout."""
    return make(stack, wire)


@pytest.fixture
def two_keys(stack, wire):
    """A fresh table with a sort key."""
    return make(stack, wire, "sub", "sid")


def record(**attributes):
    """The record of a row."""
    return SessionRecord.from_row(KEY, {name: value for name, value in {**OURS, **attributes}.items() if value is not None})


# --- rows


def test_what_is_put_is_loaded(layout):
    """Every kind of value that sessions store comes back as it went in, under the names `sub` and `sid`."""
    row = {
        "sub": KEY.sub, "sid": KEY.sid, "token": "t", "timestamp": NOW, "gen": 3, "half": 0.5, "unverified": True,
        "nothing": None, "jti_prev": frozenset({"b", "a"}), "data": {"cart": [1, {"a": "ü"}], "empty": {}}, "list": [],
    }  # fmt: skip
    assert layout.store.load(KEY) is None
    assert layout.write(put=row, replace=True) == Written(applied=True, found=None)
    assert layout.store.load(KEY) == row
    assert layout.raw().keys() >= layout.key().keys()


def test_a_read_is_consistent(one_row):
    """Every read asks for consistency: an eventually consistent one would undo a logout for a while."""
    seen = []

    class Watching:
        def call(self, service, operation, payload, **options):
            seen.append((operation, payload["ConsistentRead"]))
            return one_row.wire.call(service, operation, payload, **options)

    store = one_row.another(Watching())
    store.load(KEY)
    store.rows_of(KEY.sub)
    assert seen == [("GetItem", True), ("Query", True)]


def test_where_the_session_id_lives(one_row, two_keys):
    """Without a sort key any session id finds the user's one row; with one, only its own."""
    assert (one_row.store.one_row_per_user, two_keys.store.one_row_per_user) == (True, False)
    for layout in (one_row, two_keys):
        layout.write(put={"sub": KEY.sub, "sid": KEY.sid, "gen": 1}, replace=True)
    other = SessionKey(KEY.sub, "sign-in-2")
    assert one_row.store.load(other) == {"sub": KEY.sub, "sid": KEY.sid, "gen": 1}
    assert two_keys.store.load(other) is None


def test_an_update_changes_only_the_named_attributes(layout):
    """It sets, removes and counts as asked, from 0 where nothing was; all else survives; the row found is the one before."""
    layout.put_raw({"gen": {"N": "4"}, "lease_id": {"S": "x"}, "keep": {"S": "k"}, "sid": {"S": KEY.sid}})
    before = layout.store.load(KEY)
    written = layout.write(
        put={"token": "t", "timestamp": NOW}, drop=frozenset({"lease_id", "never"}), add={"gen": 1, "lease_n": 1}
    )
    assert written == Written(applied=True, found=before)
    expected = {key: value for key, value in before.items() if key != "lease_id"}
    assert layout.store.load(KEY) == {**expected, "token": "t", "timestamp": NOW, "gen": 5, "lease_n": 1}


def test_a_replacement_removes_the_old_attributes(layout):
    """It makes the row exactly what is put."""
    layout.put_raw({"gen": {"N": "4"}, "old": {"S": "x"}})
    written = layout.write(put={"sub": KEY.sub, "sid": KEY.sid, "gen": 1}, replace=True)
    assert written.applied
    assert written.found["old"] == "x"
    assert layout.store.load(KEY) == {"sub": KEY.sub, "sid": KEY.sid, "gen": 1}


def test_what_a_write_returns_is_what_the_change_computes(layout):
    """Found row plus change is the row that is there afterwards: no second read is needed after a write."""
    layout.put_raw({"gen": {"N": "1"}, "a": {"S": "1"}, "sid": {"S": KEY.sid}})
    change = Change(
        WriteKind.ACQUIRE, KEY, (equals("gen", 1),), put={"lease_id": "x"}, drop=frozenset({"a"}), add={"lease_n": 1}
    )
    written = layout.store.write(change)
    assert change.applied_to(written.found) == layout.store.load(KEY)


# --- conditions

ROW = {"text": "b", "number": 5, "flag": True, "words": frozenset({"x"})}
TESTS = [
    Compare("text", "=", "b"),
    Compare("text", "=", "a"),
    Compare("text", "=", 5),
    Compare("missing", "=", "b"),
    Compare("text", "<>", "b"),
    Compare("text", "<>", "a"),
    Compare("text", "<>", 5),
    Compare("missing", "<>", "b"),
    Compare("number", "<", 6),
    Compare("number", "<", 5),
    Compare("number", "<", 10),
    Compare("number", "<", "6"),
    Compare("missing", "<", 6),
    Compare("number", ">", 4),
    Compare("number", ">", 5),
    Compare("number", ">", -10),
    Compare("missing", ">", 4),
    Compare("text", ">", "a"),
    Compare("flag", "=", value=True),
    Compare("flag", "=", 1),
    Compare("words", "=", frozenset({"x"})),
    Compare("words", "=", frozenset({"x", "y"})),
    Compare("missing", "absent"),
    Compare("text", "absent"),
]


@pytest.mark.parametrize("test", TESTS, ids=lambda test: f"{test.attr} {test.op} {test.value!r}")
def test_each_comparison(one_row, test):
    """DynamoDB and `Test.holds` agree on every operator, on absent attributes and on values of another type."""
    one_row.write(put={"sub": KEY.sub, **ROW}, replace=True)
    assert one_row.write(Clause("c", (test,)), put={"mark": 1}).applied is test.holds(ROW)


@pytest.mark.parametrize(
    "when",
    [
        (equals("number", 5), absent("missing")),
        (equals("number", 5), absent("text")),
        (either("e", Compare("missing", "absent"), Compare("number", "<", 3)), equals("text", "b")),
        (either("e", Compare("text", "absent"), Compare("number", "<", 3)), equals("text", "b")),
        (equals("text", "z"), either("e", Compare("number", "=", 5), Compare("text", "=", "b"))),
        (as_read("missing", None), as_read("text", "b")),
        (as_read("missing", "x"), as_read("text", "b")),
    ],
)
def test_clauses_all_hold_and_tests_need_one(layout, when):
    """All clauses must hold, of a clause's tests one: the precedence of OR inside AND is kept."""
    layout.write(put={"sub": KEY.sub, "sid": KEY.sid, **ROW}, replace=True)
    change = Change(WriteKind.RELEASE, KEY, when, put={"mark": 1})
    assert layout.store.write(change).applied is change.allowed_on(ROW)


def test_conditions_on_the_key(layout):
    """A condition on `sid` means the sort key where there is one, else the plain attribute."""
    layout.write(put={"sub": KEY.sub, "sid": KEY.sid, "gen": 1}, replace=True)
    assert not layout.write(equals("sid", "somebody else"), put={"mark": 1}).applied
    assert layout.write(equals("sid", KEY.sid), put={"mark": 1}).applied


def test_a_refusal_shows_the_row_that_refused(layout):
    """A failed condition answers with the row as found, in one call, and changes nothing."""
    layout.write(put={"sub": KEY.sub, "sid": KEY.sid, **OURS}, replace=True)
    before = layout.raw()
    layout.stack.clear_calls()
    written = layout.write(equals("gen", 7), put={"mark": 1})
    assert written == Written(applied=False, found={"sub": KEY.sub, **OURS})
    assert [call.operation for call in layout.stack.calls()] == ["UpdateItem"]
    assert layout.raw() == before


def test_a_refused_creation_shows_the_row_that_stands(layout):
    """The same holds of PutItem: who loses a sign-in's creation sees the winner."""
    layout.write(put={"sub": KEY.sub, "sid": KEY.sid, "gen": 1}, replace=True)
    written = layout.write(absent("gen"), put={"sub": KEY.sub, "sid": KEY.sid, "gen": 9}, replace=True)
    assert written == Written(applied=False, found={"sub": KEY.sub, "sid": KEY.sid, "gen": 1})


def every_write(row):
    """Each write of the protocol upon this record, a creation aside."""
    token = AccessToken("text", KEY.sub, "jti", KEY.sid, NOW, NOW, NOW + 600, NOW, "alice", (), frozenset(), {})
    new = writes.Generation(token, "refresh-2", "access", "refresh-2", verified=True)
    limits = {"created_at": NOW, "abs_exp": NOW + 900}
    return [
        writes.acquire(row, now=NOW, lease_id="mine", length=6),
        writes.commit(row, new, lease_id="mine", now=NOW, presented_jti=None, adopted=limits),
        writes.release(row, lease_id="mine", retry_at=NOW + 1),
        writes.suspect(row, Reason.REFRESH_LOST, lease_id="mine", now=NOW),
        writes.end(row, WriteKind.REUSE, Reason.REUSE, now=NOW),
        writes.end(row, WriteKind.VERDICT, Reason.REFRESH_DENIED, now=NOW, also=equals("lease_id", "mine")),
        writes.log_out(row, Reason.SESSION_ENDED, now=NOW),
        writes.mark_seen(row, now=NOW),
    ]


@pytest.mark.parametrize("foreign", [False, True])
def test_no_write_brings_a_deleted_row_back(layout, foreign):
    """On a missing row every write of the protocol is refused and finds nothing; none makes a ghost."""
    row = record(token_hash=None, state=None, gen=None) if foreign else record()
    for change in every_write(row):
        assert layout.store.write(change) == Written(applied=False, found=None), change.kind
    assert layout.raw() is None


@pytest.mark.parametrize("changed", [{"token": "refresh-of-another"}, {"sid": "sign-in-2"}], ids=["token", "sid"])
def test_no_write_touches_another_sign_in(one_row, changed):
    """In the one-row layout another token, or another session id alone, refuses every write of an older sign-in."""
    one_row.write(put={"sub": KEY.sub, **OURS, "lease_id": "mine", **changed}, replace=True)
    before = one_row.raw()
    for change in every_write(record(lease_id="mine")):
        if change.kind is WriteKind.MARK_SEEN and "token" in changed:
            continue  # it holds to the session id and the generation only, and tells nothing but an instant
        written = one_row.store.write(change)
        assert not written.applied, change.kind
        assert written.found == {"sub": KEY.sub, **OURS, "lease_id": "mine", **changed}
    assert one_row.raw() == before


def test_one_expiry_in_the_protocols_own_writes(layout):
    """Acquire, commit, seen and logout apply one after the other on a real table, each only once."""
    layout.write(put={"sub": KEY.sub, **OURS}, replace=True)
    acquire, commit, *_ = every_write(record())
    assert layout.store.write(acquire).applied
    assert not layout.store.write(acquire).applied
    assert layout.store.write(commit).applied
    assert not layout.store.write(commit).applied
    current = SessionRecord.from_row(KEY, layout.store.load(KEY))
    assert (current.gen, current.token, current.lease_id, current.last_op) == (2, "refresh-2", None, "mine")
    seen, log_out = every_write(current)[-1], every_write(current)[-2]
    assert layout.store.write(seen).applied
    assert not layout.store.write(seen).applied
    assert layout.store.write(log_out).found["token"] == "refresh-2"
    ended = SessionRecord.from_row(KEY, layout.store.load(KEY))
    assert (ended.ended, ended.token, ended.access_token, ended.gen) == (True, None, None, 3)
    assert not layout.store.write(log_out).applied


# --- strangers


def test_what_strangers_wrote_survives_byte_for_byte(layout):
    """Binary, sets, long numbers and odd names of strangers stand through every write of the protocol."""
    ours = {"token": {"S": "refresh-1"}, "token_hash": {"S": token_hash("refresh-1")}, "sid": {"S": KEY.sid}}
    layout.put_raw({**STRANGER, **ours, "state": {"S": "active"}, "gen": {"N": "1"}})
    stranger = {name: layout.raw()[name] for name in STRANGER}
    acquire, commit, *_ = every_write(record())
    current = SessionRecord.from_row(KEY, commit.applied_to(acquire.applied_to(layout.store.load(KEY))))
    *_, log_out, seen = every_write(current)
    assert [layout.store.write(change).applied for change in (acquire, commit, seen, log_out)] == [True] * 4
    assert {name: layout.raw()[name] for name in STRANGER} == stranger


def test_what_strangers_wrote_is_readable(layout):
    """Types that sessions do not use disturb no read, no refusal and no list of rows."""
    layout.put_raw(STRANGER)
    for row in (layout.store.load(KEY), layout.write(equals("gen", 1), put={"a": 1}).found, *layout.store.rows_of(KEY.sub)):
        assert row["Größe"] == STRANGER["Größe"]["S"]
        assert row["words"] == frozenset({"a", "b"})
        assert row["huge"] == 12345678901234567890123456789012345678
        assert row["nested"] == {"list": [1, None, False], "empty": {}}
        assert set(row["numbers"]["NS"]) == {"1", "2.5"}
        assert SessionRecord.from_row(KEY, row).token is None


def test_a_strangers_attribute_is_not_our_key(stack, wire):
    """Where the keys have other names, attributes called `sub` and `sid` are a stranger's: never read as the key."""
    layout = make(stack, wire, "user", "session")
    foreign = {"sub": {"S": "another user"}, "sid": {"N": "7"}}
    layout.put_raw({"gen": {"N": "1"}, **foreign})
    assert layout.store.load(KEY) == {"sub": KEY.sub, "sid": KEY.sid, "gen": 1}
    assert layout.write(equals("sid", KEY.sid), add={"gen": 1}).applied
    assert {name: layout.raw()[name] for name in foreign} == foreign


def test_the_rows_of_the_seed(one_row):
    """Three attributes that the seed's sign-in wrote load as they are, and read as a row that is not ours."""
    one_row.put_raw({"token": {"S": "refresh"}, "timestamp": {"N": "1700000000.25"}})
    row = one_row.store.load(KEY)
    assert row == {"sub": KEY.sub, "token": "refresh", "timestamp": 1700000000.25}
    seed = SessionRecord.from_row(KEY, row)
    assert (seed.foreign_token, seed.ended, seed.gen) == (True, False, None)


# --- all rows of a user


class Paged:
    """A wire on which a page of a query holds two rows."""

    def __init__(self, wire: Any) -> None:
        self.wire = wire
        self.pages = 0

    def call(self, service: str, operation: str, payload: dict[str, Any], **options: Any) -> dict[str, Any]:
        self.pages += 1
        return self.wire.call(service, operation, {**payload, "Limit": 2}, **options)


def test_all_rows_of_a_user_come_from_all_pages(layout):
    """rows_of follows the pages to the end and leaves other users' rows out."""
    sids = ["a", "b", "c", "d", "e"] if layout.sort_key else ["a"]
    for sid in sids:
        layout.write(key=SessionKey(KEY.sub, sid), put={"sub": KEY.sub, "sid": sid}, replace=True)
    layout.write(key=SessionKey("other", "f"), put={"sub": "other", "sid": "f"}, replace=True)
    paged = Paged(layout.wire)
    rows = layout.another(paged).rows_of(KEY.sub)
    assert rows == layout.store.rows_of(KEY.sub) == [{"sub": KEY.sub, "sid": sid} for sid in sids]
    assert paged.pages >= (len(sids) + 1) // 2
    assert layout.store.rows_of("nobody") == []


class Heavy:
    """The wire before a table whose pages never end; it keeps what was asked."""

    def __init__(self) -> None:
        self.payloads: list[dict[str, Any]] = []

    def call(self, service: str, operation: str, payload: dict[str, Any], **options: Any) -> dict[str, Any]:
        self.payloads.append(payload)
        return {"Items": [], "LastEvaluatedKey": {"sub": {"S": "x"}}}


def test_attributes_of_asks_for_no_more_than_it_needs(layout):
    """A projection of the keys and the named attributes, and nothing else in the answer; a search ends after 4 pages."""
    layout.write(put={"sub": KEY.sub, "sid": KEY.sid, "jti_cur": "j", "token": "long" * 500}, replace=True)
    assert layout.store.attributes_of(KEY.sub, ("jti_cur",)) == [{"sub": KEY.sub, "sid": KEY.sid, "jti_cur": "j"}]
    heavy = Heavy()
    with pytest.raises(StoreUnavailable, match="more rows than can be read"):
        layout.another(heavy).attributes_of(KEY.sub, ("jti_cur",))
    assert len(heavy.payloads) == 4
    projection = heavy.payloads[0]["ProjectionExpression"].split(", ")
    names = heavy.payloads[0]["ExpressionAttributeNames"]
    assert [names[each] for each in projection] == [layout.partition_key, layout.sort_key or "sid", "jti_cur"]


# --- trouble


@pytest.fixture
def hasty(monkeypatch):
    """A time limit that a test can wait for."""
    monkeypatch.setattr("cognito_session.aws.dynamodb._TIMEOUT_SECONDS", 0.2)


ASK = {
    "load": lambda store: store.load(KEY),
    "write": lambda store: store.write(Change(WriteKind.MARK_SEEN, KEY, (), put={"a": 1})),
    "creation": lambda store: store.write(Change(WriteKind.CREATE, KEY, (), put={"a": 1}, replace=True)),
    "rows_of": lambda store: store.rows_of(KEY.sub),
}
every_question = pytest.mark.parametrize("ask", ASK.values(), ids=list(ASK))


@every_question
@pytest.mark.parametrize("kind", ["throttle", "error500", "drop_before", "drop_after"])
def test_an_outage_is_no_answer(one_row, ask, kind):
    """Throttled, broken or dropped: StoreUnavailable, never "no row" and never "refused"."""
    one_row.stack.fault("*", kind, times=None)
    with pytest.raises(StoreUnavailable) as caught:
        ask(one_row.store)
    assert caught.value.retry_after == 1


@every_question
def test_a_store_that_hangs_is_given_up(one_row, ask, hasty):
    """No answer within the limit: StoreUnavailable."""
    one_row.stack.fault("*", "hang", times=None, ms=2000)
    with pytest.raises(StoreUnavailable):
        ask(one_row.store)


@every_question
def test_a_store_that_is_not_there(ask):
    """Connection refused: StoreUnavailable."""
    environ = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}
    wire = open_wire(environ={**environ, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{closed_port()}"})
    with pytest.raises(StoreUnavailable):
        ask(DynamoDBStore(lambda: wire, table="rows", partition_key="sub", sort_key=None))


@pytest.mark.parametrize("kind", ["throttle", "error500"])
def test_a_read_is_asked_again_and_a_write_is_not(one_row, kind):
    """One stumble costs a read a second call and nothing else; of a write the flow is told."""
    one_row.stack.fault("*", kind)
    assert one_row.store.load(KEY) is None
    assert one_row.stack.count("GetItem") == 2
    one_row.stack.fault("*", kind)
    with pytest.raises(StoreUnavailable):
        one_row.write(put={"a": 1})
    assert one_row.stack.count("UpdateItem") == 1


@every_question
def test_a_missing_table_is_the_operators(stack, wire, ask):
    """No such table: a ConfigurationError that names SESSION_TABLE and the table."""
    with pytest.raises(ConfigurationError, match=r"no-such-table.*SESSION_TABLE"):
        ask(DynamoDBStore(lambda: wire, table="no-such-table", partition_key="sub", sort_key=None))


@pytest.mark.parametrize(
    ("question", "named"),
    [
        *((question, named) for question in ASK for named in (("user", None), ("user", "session"))),
        *((question, ("sub", "sid")) for question in ("load", "write")),  # to the others it is an attribute like any other
    ],
)
def test_keys_that_the_table_does_not_have_are_the_operators(one_row, question, named):
    """Key names that differ from the table's: a ConfigurationError that names both variables and both values."""
    store = DynamoDBStore(lambda: one_row.wire, table=one_row.table, partition_key=named[0], sort_key=named[1])
    with pytest.raises(ConfigurationError, match=rf"PARTITION_KEY \({named[0]}\).*SORT_KEY \({named[1] or 'unset'}\)"):
        ASK[question](store)


class Refusing:
    """A wire whose every call the service refuses with one code."""

    def __init__(self, code: str, status: int = 400) -> None:
        self.error = ServiceError("dynamodb.X", code, status, message="secret text")

    def call(self, *_: Any, **__: Any) -> dict[str, Any]:
        raise self.error


@every_question
@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("ThrottlingException", StoreUnavailable),
        ("RequestLimitExceeded", StoreUnavailable),
        ("TransactionConflictException", StoreUnavailable),
        ("ExpiredTokenException", StoreUnavailable),
        ("AccessDeniedException", ConfigurationError),
        ("UnrecognizedClientException", ConfigurationError),
        ("ItemCollectionSizeLimitExceededException", ConfigurationError),
        ("NeverSeenException", StoreUnavailable),
    ],
)
def test_errors_are_told_apart_by_code(ask, code, expected):
    """Outage, configuration, and what this version does not know, which is an outage; the error answer is the cause."""
    store = DynamoDBStore(lambda: Refusing(code), table="rows", partition_key="sub", sort_key=None)
    with pytest.raises(expected) as caught:
        ask(store)
    assert isinstance(caught.value.__cause__, ServiceError)
    assert caught.value.__cause__.code == code


@pytest.mark.parametrize(
    ("reasons", "answer"),
    [
        (["TransactionConflict", "None"], False),
        (["TransactionConflict", "TransactionConflict"], False),
        (["ConditionalCheckFailed", "TransactionConflict"], False),
        (["TransactionConflict", "ThrottlingError"], StoreUnavailable),
        (["None", "ThrottlingError"], StoreUnavailable),
    ],
)
def test_a_conflict_of_transactions_is_read_again_and_no_outage(reasons, answer):
    """Another write to the item was under way: nothing was written, and a sign-in reads again. Throttling is an outage."""
    wire = Refusing("TransactionCanceledException")
    wire.error.body["CancellationReasons"] = [{"Code": code} for code in reasons]
    store = DynamoDBStore(lambda: wire, table="rows", partition_key="sub", sort_key="sid")
    changes = [Change(WriteKind.CREATE, KEY, (absent("sub"),), put={"n": 1})]
    if answer is StoreUnavailable:
        with pytest.raises(StoreUnavailable, match="rate of requests"):
            store.write_all(changes)
    else:
        assert store.write_all(changes) is answer


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_strange_five_hundred_is_an_outage(status):
    """Whatever the code, a 5xx is an outage."""
    store = DynamoDBStore(lambda: Refusing(f"HTTP{status}", status), table="rows", partition_key="sub", sort_key=None)
    with pytest.raises(StoreUnavailable):
        store.load(KEY)


@every_question
@pytest.mark.parametrize("status", [200, 302, 400, 403, 413])
def test_an_answer_that_is_not_dynamodb_s_own_is_an_outage(ask, status):
    """A proxy's page, whatever its status, says nothing of a row: it is neither missing nor written, nor anybody's error."""
    store = DynamoDBStore(lambda: Refusing(f"HTTP{status}", status), table="rows", partition_key="sub", sort_key=None)
    with pytest.raises(StoreUnavailable):
        ask(store)


@every_question
@pytest.mark.parametrize("spelled", [[], {"token": None}, {"token": {}}, {"gen": {"N": "secret text"}}, {"gen": {"N": [1]}}])
def test_an_item_that_cannot_be_read_is_an_outage(ask, spelled):
    """What is not spelled as DynamoDB spells items is no missing row, and no error repeats it."""
    answer = {"Item": spelled, "Items": [spelled], "Attributes": spelled or [1]}
    wire = SimpleNamespace(call=lambda *_, **__: answer)
    store = DynamoDBStore(lambda: wire, table="rows", partition_key="sub", sort_key=None)
    with pytest.raises(StoreUnavailable) as caught:
        ask(store)
    assert "secret text" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


class Forgetful:
    """A wire on which the answer of a failed condition holds no item, as some services answer."""

    def __init__(self, wire: Any) -> None:
        self.wire = wire

    def call(self, service: str, operation: str, payload: dict[str, Any], **options: Any) -> dict[str, Any]:
        try:
            return self.wire.call(service, operation, payload, **options)
        except ServiceError as error:
            error.body.pop("Item", None)
            raise


@pytest.mark.parametrize("there", [True, False])
def test_a_failure_without_its_row_is_read_again(layout, there):
    """Where the failure's answer carries no row, one consistent read fetches it; a missing row stays missing."""
    if there:
        layout.write(put={"sub": KEY.sub, **OURS}, replace=True)
    layout.stack.clear_calls()
    change = Change(WriteKind.MARK_SEEN, KEY, (equals("gen", 7),), put={"mark": 1})
    written = layout.another(Forgetful(layout.wire)).write(change)
    assert written == Written(applied=False, found={"sub": KEY.sub, **OURS} if there else None)
    assert [call.operation for call in layout.stack.calls()] == ["UpdateItem", "GetItem"]
