"""Rows in each state of the protocol, every write that the protocol knows, and what may happen to a row in between."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from cognito_session.core.crypto.access_token import parse
from cognito_session.core.protocol import writes
from cognito_session.core.protocol.conditions import Change, WriteKind, equals
from cognito_session.core.protocol.establish import SignedIn, _creation
from cognito_session.core.protocol.record import Row, SessionKey, SessionRecord, token_hash
from cognito_session.core.protocol.session import Reason
from cognito_session.core.protocol.writes import Generation
from races.pool_model import ISSUER, SUB, PoolRules, access_token
from races.world import START, Scenario, Stage

KEY = SessionKey(SUB, "first")
NEW = parse(access_token("a9", "first", START, 3600), ISSUER.rules)
MINE = "mine"


def ours(**more: Any) -> Row:
    """A row that our code wrote, at generation 3."""
    row: Row = {
        "sub": SUB, "sid": "first", "state": "active", "gen": 3, "token": "rt", "token_hash": token_hash("rt"),
        "access_token": "at", "access_iat": START - 3600, "access_exp": START, "jti_cur": "a3", "lease_n": 0,
        "abs_exp": START + 86_400, "lease_for": token_hash("rt"),
    }  # fmt: skip
    return row | more


def foreign(**more: Any) -> Row:
    """A row that the seed's sign-in code wrote."""
    return {"sub": SUB, "token": "rt", "timestamp": START} | more


LEASED = {"lease_id": MINE, "lease_until": (START + 6) * 1000, "lease_n": 1}
STATES: Mapping[str, Row | None] = {
    "no row": None,
    "foreign": foreign(),
    "active": ours(),
    "leased": ours(**LEASED),
    "lease lapsed": ours(**LEASED | {"lease_until": (START - 60) * 1000}),
    "suspect": ours(suspect_at=START - 3, lease_n=1),
    "suspect, old": ours(suspect_at=START - 60, lease_n=1),
    "cooling": ours(retry_at=START + 5, lease_n=1),
    "ended": {name: value for name, value in ours(state="ended", gen=4).items() if name not in ("token", "token_hash")},
}


def record(row: Row) -> SessionRecord:
    """The row as the flow reads it."""
    return SessionRecord.from_row(KEY, row)


def acquire(row: Row) -> Change:
    return writes.acquire(record(row), now=START, lease_id="new", length=6)


def commit(row: Row) -> Change:
    new = Generation(NEW, "rt2", NEW.text, "rt2", verified=True)
    return writes.commit(record(row), new, lease_id=MINE, now=START, presented_jti=None, adopted={})


def keep(row: Row) -> Change:
    return writes.keep_token(record(row), "rt2", lease_id=MINE, retry_at=START + 5)


def release(row: Row) -> Change:
    return writes.release(record(row), lease_id=MINE, retry_at=START + 5)


def suspect(row: Row) -> Change:
    return writes.suspect(record(row), Reason.REFRESH_LOST, lease_id=MINE, now=START)


def denied(row: Row) -> Change:
    mine = equals("lease_id", MINE)
    return writes.end(record(row), WriteKind.VERDICT, Reason.REFRESH_DENIED, now=START, also=mine)


def lost(row: Row) -> Change:
    unchanged = equals("suspect_at", record(row).suspect_at)
    return writes.end(record(row), WriteKind.VERDICT, Reason.REFRESH_LOST, now=START, also=unchanged)


def reuse(row: Row) -> Change:
    return writes.end(record(row), WriteKind.REUSE, Reason.REUSE, now=START)


def seen(row: Row) -> Change:
    return writes.mark_seen(record(row), now=START)


def device_turn(row: Row) -> Change:
    return writes.device_turn(record(row), retry_at=START + 60)


def device_confirmed(row: Row) -> Change:
    return writes.device_confirmed(record(row))


def touch(row: Row) -> Change:
    return writes.touch(record(row), now=START, idle_exp=START + 600)


def save_data(row: Row) -> Change:
    return writes.save_data(record(row), "{}", "new")


def log_out(row: Row) -> Change:
    return writes.log_out(record(row), Reason.SESSION_ENDED, now=START)


def create(row: Row) -> Change:
    stage = Stage(Scenario("sample", PoolRules()))
    stage.clock.wall = START
    try:
        next(_creation(stage.context, SignedIn(NEW.text, "rt-new"), NEW))
    except StopIteration as made:
        return made.value
    raise AssertionError("without keys nothing is asked")


class Write(NamedTuple):
    """A write, named as the table of clauses names it, and the row it is meant for."""

    name: str
    build: Callable[[Row], Change]
    row: Row


STALE = foreign(**LEASED, lease_for="another token's", suspect_at=START - 60, retry_at=START + 5, state="active", gen=3)
STALE["lease_until"] = (START - 60) * 1000
WRITES = (
    Write("acquire", acquire, ours()),
    Write("acquire (foreign)", acquire, foreign()),
    Write("acquire (foreign, marks of another token)", acquire, STALE),
    Write("commit", commit, ours(**LEASED)),
    Write("commit (foreign)", commit, foreign(**LEASED, gen=0)),
    Write("keep", keep, ours(**LEASED)),
    Write("keep (foreign)", keep, foreign(**LEASED, gen=0)),
    Write("release", release, ours(**LEASED)),
    Write("suspect", suspect, ours(**LEASED)),
    Write("verdict: denied", denied, ours(**LEASED)),
    Write("verdict: lost", lost, ours(suspect_at=START - 60)),
    Write("reuse", reuse, ours()),
    Write("seen", seen, ours()),
    Write("device turn", device_turn, ours(device_key="d", device_pending="salt:verifier")),
    Write("device confirmed", device_confirmed, ours(device_key="d", device_pending="salt:verifier")),
    Write("touch", touch, ours(idle_exp=START + 300)),
    Write("data", save_data, ours(data_version=2)),
    Write("logout", log_out, ours()),
    Write("logout (foreign)", log_out, foreign()),
    Write("create", create, ours(sid="another")),
)


class Meanwhile(NamedTuple):
    """What may happen to a row between a read and a write, and why the write must then be refused."""

    what: str
    happens: Callable[[Row], Row]


def _set(**values: Any) -> Callable[[Row], Row]:
    return lambda row: row | values


OTHER_LEASE = {"lease_id": "theirs", "lease_until": (START + 6) * 1000}
MEANWHILE: Mapping[str, Meanwhile] = {
    "sid": Meanwhile("the row became another session's, its token copied (a restore, a merge of tables)", _set(sid="other")),
    "token": Meanwhile("foreign sign-in code set `token`", _set(token="rt-foreign")),
    "token_hash": Meanwhile("our own code wrote the row under the same token", _set(token_hash=token_hash("rt"))),
    "state": Meanwhile("the session was ended by a writer that left the token", _set(state="ended")),
    "gen": Meanwhile("another worker committed, and Cognito gave the same token again", _set(gen=9)),
    "abs_exp": Meanwhile("the absolute end passed", _set(abs_exp=START - 1)),
    "device_pending": Meanwhile("another request has confirmed the device", _set(device_pending=None)),
    "device_retry_at": Meanwhile("another request took the turn", _set(device_retry_at=START + 60)),
    "lease": Meanwhile("another worker took the lease", _set(**OTHER_LEASE)),
    "lease_id": Meanwhile("my lease lapsed and another worker took it", _set(**OTHER_LEASE)),
    "suspect_at": Meanwhile("another worker's verdict is waiting to be confirmed", _set(suspect_at=START - 1)),
    "retry_at": Meanwhile("Cognito asked another worker to wait", _set(retry_at=START + 30)),
    "idle_exp": Meanwhile("another request moved the idle end", _set(idle_exp=START + 590)),
    "data_version": Meanwhile("another request saved data", _set(data_version=3)),
    "seen_at": Meanwhile("another request marked it", _set(seen_at=START - 5)),
}
CREATE_MEANWHILE = Meanwhile("this very sign-in's session was made, and perhaps ended, by a duplicate", _set(sid="first"))
