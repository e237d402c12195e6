"""Each write of the protocol, whole: what it sets, what it removes, and every clause of its condition (docs/protocol.md).

The scheduler proves that no clause can be left out; here stands which ones there are.
"""

from __future__ import annotations

import pytest

from cognito_session.core.crypto.access_token import parse
from cognito_session.core.protocol import writes
from cognito_session.core.protocol.conditions import Change, Clause, WriteKind
from cognito_session.core.protocol.conditions import Comparison as AttributeTest
from cognito_session.core.protocol.record import SessionKey, SessionRecord, session_id, token_hash
from cognito_session.core.protocol.session import Reason
from cognito_session.core.protocol.writes import Generation
from support.tokens import ISSUED_AT, SUB, Issuer

ISSUER = Issuer()
KEY = SessionKey(SUB, "origin-1")
NOW = ISSUED_AT + 100
LEASE = frozenset({"lease_id", "lease_until"})
MARKS = frozenset({"lease_id", "lease_until", "lease_for", "suspect_at", "retry_at"})
SECRETS = frozenset({"token", "token_hash", "access_token", "device_key", "device_pending", "data", "row_code", "idle_code"})
OURS = {
    "sub": SUB,
    "sid": "origin-1",
    "state": "active",
    "cookie_kind": "token",
    "gen": 3,
    "token": "rt-1",
    "token_hash": token_hash("rt-1"),
    "access_exp": ISSUED_AT + 3600,
    "jti_cur": "jti-1",
    "abs_exp": ISSUED_AT + 9000,
    "idle_exp": ISSUED_AT + 5000,
}


def record(**values):
    """A record of ours; a value given as `...` is left out."""
    row = {name: value for name, value in {**OURS, **values}.items() if value is not ...}
    return SessionRecord.from_row(KEY, row)


def foreign(**values):
    """A record whose token foreign code wrote."""
    return record(**{"token_hash": token_hash("before"), **values})


def has(attr, value):
    return Clause(attr, (AttributeTest(attr, "=", value),))


def lacks(attr):
    return Clause(attr, (AttributeTest(attr, "absent"),))


def one_of(name, *tests):
    return Clause(name, tuple(AttributeTest(*test) for test in tests))


SAME = (has("sid", "origin-1"), has("token", "rt-1"))
UNCHANGED = (*SAME, has("state", "active"), has("gen", 3))
ALIVE = one_of("abs_exp", ("abs_exp", "absent"), ("abs_exp", ">", NOW))
LAPSED = one_of("lease", ("lease_id", "absent"), ("lease_until", "<", (NOW - 2) * 1000))
MINE = one_of("lease", ("lease_id", "=", "L"), ("lease_id", "absent"))
SAME_FOREIGN = (*SAME, has("token_hash", token_hash("before")))
UNCHANGED_FOREIGN = (*SAME_FOREIGN, has("state", "active"), has("gen", 3))
PUT_LEASE = {"lease_id": "L", "lease_until": (NOW + 6) * 1000, "lease_for": token_hash("rt-1")}
COOLED = one_of("retry_at", ("retry_at", "absent"), ("retry_at", "<", NOW + 1))


def acquired(of):
    return writes.acquire(of, now=NOW + 0.5, lease_id="L", length=6)


def test_acquire_of_our_row():
    """Unchanged, alive, not suspected, not cooling, and no lease that is live; one more acquisition is counted."""
    lapsed = one_of("lease", ("lease_id", "absent"), ("lease_until", "<", int((NOW - 1.5) * 1000)))
    assert acquired(record()) == Change(
        WriteKind.ACQUIRE,
        KEY,
        (*UNCHANGED, ALIVE, lapsed, lacks("suspect_at"), COOLED),
        put={**PUT_LEASE, "lease_until": int((NOW + 6.5) * 1000)},
        add={"lease_n": 1},
    )


def test_acquire_of_a_bare_row_without_a_generation():
    """Absence is fenced, the end of the session before it is not, and the row gets generation 0; never a sid or a hash."""
    found = writes.acquire(
        record(sid=..., token_hash=..., gen=..., state=..., lease_for=token_hash("rt-1")), now=NOW, lease_id="L", length=6
    )
    assert found == Change(
        WriteKind.ACQUIRE,
        KEY,
        (
            *(lacks("sid"), has("token", "rt-1"), lacks("token_hash"), lacks("state"), lacks("gen")),
            *(LAPSED, lacks("suspect_at"), COOLED),
        ),
        put={**PUT_LEASE, "gen": 0},
        add={"lease_n": 1},
    )


def test_acquire_over_marks_of_another_token():
    """Suspicion and cool-down of a token that is gone are fenced as read and removed, and the count begins again."""
    assert writes.acquire(foreign(suspect_at=5, retry_at=NOW + 60), now=NOW, lease_id="L", length=6) == Change(
        WriteKind.ACQUIRE,
        KEY,
        (*UNCHANGED_FOREIGN, LAPSED, has("suspect_at", 5), has("retry_at", NOW + 60)),
        put={**PUT_LEASE, "lease_n": 1},
        drop=frozenset({"suspect_at", "retry_at"}),
    )


# --- commit


def new(*, verified=True, origin="origin-1"):
    access = parse(ISSUER.access_token(jti="jti-2", origin_jti=origin, iat=NOW, exp=NOW + 3600), ISSUER.rules)
    return Generation(access, "rt-2", "stored-access", "stored-refresh", verified=verified)


COMMITTED = {
    "state": "active",
    "cookie_kind": "token",
    "token": "stored-refresh",
    "token_hash": token_hash("stored-refresh"),
    "access_token": "stored-access",
    "access_iat": NOW,
    "access_exp": NOW + 3600,
    "timestamp": NOW,
    "jti_cur": "jti-2",
    "gen": 4,
    "last_op": "L",
    "lease_n": 0,
}
COMMIT_DROPS = MARKS | {"seen_at", "reason", "ended_at"}


def committed(of, made=None, **more):
    return writes.commit(of, made or new(), **{"lease_id": "L", "now": NOW, "presented_jti": None, "adopted": {}, **more})


def test_commit_of_our_row():
    """Unchanged, and the lease mine or gone; one generation more, whose predecessor stays previous."""
    assert committed(record()) == Change(
        WriteKind.COMMIT,
        KEY,
        (*UNCHANGED, MINE),
        put={**COMMITTED, "gen_prev": 3, "jti_prev": frozenset({"jti-1"}), "prev_exp": ISSUED_AT + 3600},
        drop=COMMIT_DROPS | {"token_origin", "unverified", "jti_old", "gen_old", "old_until"},
    )


def test_a_commit_moves_the_idle_end_and_marks_what_is_not_verified():
    """The idle end with the time of use; a token whose signature is still to be checked is marked."""
    found = committed(record(), new(verified=False), idle_exp=NOW + 50)
    assert {name: found.put[name] for name in ("idle_exp", "active_at", "unverified")} == {
        "idle_exp": NOW + 50,
        "active_at": NOW,
        "unverified": True,
    }
    assert not {"unverified", "idle_exp", "active_at"} & found.drop


@pytest.mark.parametrize("kind", ["token", "sealed"])
def test_a_commit_keeps_the_sid_of_a_changed_origin(kind):
    """The record keeps its session id, and learns which sign-in its tokens are of; a sealed one compares its own form."""
    sid = session_id(kind, "origin-1")
    assert "token_origin" in committed(record(cookie_kind=kind, sid=sid)).drop
    found = committed(record(cookie_kind=kind, sid=sid, token_origin="origin-8"), new(origin="origin-9"))
    assert found.put["token_origin"] == "origin-9"
    assert "token_origin" not in found.drop
    assert "sid" not in found.put
    assert found.put["cookie_kind"] == kind


def test_commit_of_a_bare_row():
    """It becomes ours under the new token's sid; nothing of the session before it is left, and any other token is previous."""
    adopted = {"created_at": NOW, "device_key": "d"}
    assert committed(foreign(cookie_kind=...), adopted=adopted) == Change(
        WriteKind.COMMIT,
        KEY,
        (*UNCHANGED_FOREIGN, MINE),
        put={**COMMITTED, "sid": "origin-1", "jti_prev": frozenset({"*"}), **adopted},
        drop=COMMIT_DROPS
        | {"token_origin", "unverified", "idle_exp", "active_at", "device_pending", "device_retry_at"}
        | {"prev_exp", "gen_prev", "gen_old", "jti_old", "old_until", "sign_in", "device", "data", "data_version", "data_op"},
    )
    found = committed(foreign(), presented_jti="jti-9", adopted={}, idle_exp=NOW + 5)
    assert found.put["jti_prev"] == frozenset({"jti-9"})
    assert {"device_key", "device_pending"} < found.drop
    assert not {"idle_exp", "active_at"} & found.drop


def previous(values, *, current=False):
    """What a commit keeps of the generations before, the removed names under "gone"."""
    found = committed(record(**values), presented_current=current)
    names = ("gen_prev", "jti_prev", "prev_exp", "jti_old", "gen_old", "old_until")
    return {name: found.put[name] for name in names if name in found.put} | {"gone": found.drop & set(names)}


def test_generations_whose_successor_was_never_presented_stay_previous():
    """Their responses were lost: they join the outgoing one, and nothing is travelling."""
    assert previous({"jti_prev": frozenset({"jti-0"}), "gen_prev": 2}) == {
        "gen_prev": 2,
        "jti_prev": frozenset({"jti-0", "jti-1"}),
        "prev_exp": ISSUED_AT + 3600,
        "gone": {"jti_old", "gen_old", "old_until"},
    }


@pytest.mark.parametrize(("ago", "travels"), [(59, True), (60, False)])
def test_a_presented_successor_lets_those_before_it_travel_for_the_overlap(ago, travels):
    """Seen 59 seconds ago they may travel until 60 seconds after it, seen 60 seconds ago no longer."""
    found = previous({"jti_prev": frozenset({"jti-0"}), "gen_prev": 2, "seen_at": NOW - ago})
    expected = {"gen_prev": 3, "jti_prev": frozenset({"jti-1"}), "prev_exp": ISSUED_AT + 3600, "gone": set()}
    if travels:
        expected |= {"jti_old": frozenset({"jti-0"}), "gen_old": 2, "old_until": NOW - ago + 60}
    else:
        expected |= {"gone": {"jti_old", "gen_old", "old_until"}}
    assert found == expected


@pytest.mark.parametrize(("until", "travels"), [(NOW + 1, True), (NOW, False)])
def test_those_that_travel_already_go_on_until_their_instant(until, travels):
    """Older generations that may still be on their way are kept with the ones that join them, and not beyond their instant."""
    old = {"jti_old": frozenset({"jti-x"}), "gen_old": 1, "old_until": until}
    values = {"jti_prev": frozenset({"jti-0"}), "gen_prev": 2, **old}
    unseen = previous(values)
    assert {name: unseen[name] for name in old if name in unseen} == (old if travels else {})
    seen = previous({**values, "seen_at": NOW - 10})
    assert seen["jti_old"] == frozenset({"jti-0", "jti-x"} if travels else {"jti-0"})
    assert seen["gen_old"] == (1 if travels else 2)
    assert seen["old_until"] == NOW + 50
    late = previous({**values, "seen_at": NOW - 60})
    assert late.get("jti_old") == (frozenset({"jti-x"}) if travels else None)
    assert late.get("gen_old") == (1 if travels else None)
    assert late.get("old_until") == (NOW if travels else None)


@pytest.mark.parametrize("seen_at", [NOW + 1, 10**12, 10**120])
def test_a_mark_of_use_from_the_future_is_of_now(seen_at):
    """No code covers `seen_at`: whatever it says, no earlier generation travels longer than the overlap from now."""
    found = previous({"jti_prev": frozenset({"jti-0"}), "gen_prev": 2, "seen_at": seen_at})
    assert found["old_until"] == NOW + 60


def test_a_mark_of_use_from_long_ago_leaves_a_number_that_every_store_takes():
    """DynamoDB takes 38 digits: a commit that it refuses would lose the new refresh token."""
    travelling = {"jti_old": frozenset({"jti-x"}), "gen_old": 1, "old_until": NOW + 1}
    assert previous({**travelling, "seen_at": -(10**120)})["old_until"] == 60


def test_presenting_a_generation_to_refresh_it_is_presenting_it():
    """Without a mark of use the presenter of the outgoing generation has seen it now; an earlier mark is not moved."""
    values = {"jti_prev": frozenset({"jti-0"}), "gen_prev": 2}
    assert previous(values, current=True)["old_until"] == NOW + 60
    assert previous({**values, "seen_at": NOW - 20}, current=True)["old_until"] == NOW + 40
    assert "jti_prev" not in previous({"jti_cur": ...})


# --- the others


def test_a_release_wants_its_own_lease():
    """Unchanged, the lease this worker's; nobody calls before `retry_at`."""
    assert writes.release(record(), lease_id="L", retry_at=NOW + 4) == Change(
        WriteKind.RELEASE, KEY, (*UNCHANGED, has("lease_id", "L")), put={"retry_at": NOW + 4}, drop=LEASE
    )


def test_a_kept_refresh_token_leaves_the_generation():
    """The rotated token with its hash, the lease given back, the operation's name; a foreign row stays foreign."""
    kept = {"token": "rt-2", "retry_at": NOW + 1, "last_op": "L"}
    assert writes.keep_token(record(), "rt-2", lease_id="L", retry_at=NOW + 1) == Change(
        WriteKind.KEEP_TOKEN, KEY, (*UNCHANGED, MINE), put={**kept, "token_hash": token_hash("rt-2")}, drop=LEASE
    )
    found = writes.keep_token(foreign(), "rt-2", lease_id="L", retry_at=NOW + 1)
    assert found == Change(WriteKind.KEEP_TOKEN, KEY, (*UNCHANGED_FOREIGN, MINE), put=kept, drop=LEASE)


@pytest.mark.parametrize(("n", "seconds"), [(0, 1), (1, 1), (2, 2), (3, 4), (4, 8), (5, 15), (6, 30), (7, 30), (99, 30)])
def test_cool_downs_grow_to_half_a_minute(n, seconds):
    """Each failed acquisition of a generation waits longer, from one second to thirty."""
    assert writes.cool_down_seconds(n) == seconds


def test_a_suspicion_names_the_end_that_it_may_be():
    """Unchanged, the lease this worker's, which is given back."""
    assert writes.suspect(record(), Reason.REFRESH_LOST, lease_id="L", now=NOW) == Change(
        WriteKind.SUSPECT,
        KEY,
        (*UNCHANGED, has("lease_id", "L")),
        put={"suspect_at": NOW, "reason": "refresh_lost"},
        drop=LEASE,
    )


def tombstone(ttl):
    return {"state": "ended", "reason": "reuse", "ended_at": NOW, "ttl": ttl}


@pytest.mark.parametrize("end", [NOW + 86_400 + 1000, NOW + 86_400 + 1001, NOW, ...])
def test_a_tombstone_outlives_every_token(end):
    """The secrets and marks are gone, one generation more, and the row stays until no token of its can come back."""
    dead = writes.end(record(abs_exp=end), WriteKind.REUSE, Reason.REUSE, now=NOW)
    shortest = NOW + writes.TOMBSTONE_SECONDS
    assert dead == Change(
        WriteKind.REUSE,
        KEY,
        UNCHANGED,
        put=tombstone(shortest if end is ... else max(end, shortest)),
        drop=SECRETS | MARKS,
        add={"gen": 1},
    )


def test_a_verdict_adds_its_own_clause():
    """The clause `also` stands after those of every end."""
    dead = writes.end(record(), WriteKind.VERDICT, Reason.REUSE, now=NOW, also=has("suspect_at", 5))
    assert dead.when == (*UNCHANGED, has("suspect_at", 5))


def test_a_logout_names_no_generation():
    """Only the sign-in and its token: it wins over whatever state and generation the row is in."""
    out = writes.log_out(record(), Reason.REUSE, now=NOW)
    assert out.when == SAME
    assert out.kind is WriteKind.LOGOUT
    assert writes.log_out(foreign(), Reason.REUSE, now=NOW).when == SAME_FOREIGN
    assert "sid" not in out.put
    nameless = writes.log_out(record(sid=..., token_hash=...), Reason.REUSE, now=NOW)
    assert nameless.when == (lacks("sid"), has("token", "rt-1"), lacks("token_hash"))
    assert nameless.put["sid"] == "origin-1"


@pytest.mark.parametrize("idle_exp", [None, NOW + 7])
def test_a_mark_of_use_is_set_once(idle_exp):
    """On this session's generation while it is active and has no mark; with the idle end where that moves."""
    idle = {} if idle_exp is None else {"idle_exp": idle_exp, "active_at": NOW}
    when = (has("sid", "origin-1"), has("state", "active"), has("gen", 3), lacks("seen_at"))
    assert writes.mark_seen(record(), now=NOW, idle_exp=idle_exp) == Change(
        WriteKind.MARK_SEEN, KEY, when, put={"seen_at": NOW} | idle
    )


@pytest.mark.parametrize("read", [ISSUED_AT + 5000, ...])
def test_the_idle_end_moves_from_where_it_was_read(read):
    """Of many requests at once one moves it, in an active session only."""
    where = lacks("idle_exp") if read is ... else has("idle_exp", read)
    assert writes.touch(record(idle_exp=read), now=NOW, idle_exp=NOW + 7) == Change(
        WriteKind.MOVE_IDLE_END,
        KEY,
        (has("sid", "origin-1"), has("state", "active"), where),
        put={"idle_exp": NOW + 7, "active_at": NOW},
    )


@pytest.mark.parametrize("version", [..., 1, 7])
def test_data_is_saved_into_an_active_session_over_the_version_that_was_read(version):
    """The session, its state and the version, absence included; the operation's name is kept."""
    read = lacks("data_version") if version is ... else has("data_version", version)
    assert writes.save_data(record(data_version=version), "{}", "op") == Change(
        WriteKind.SAVE_DATA,
        KEY,
        (has("sid", "origin-1"), has("state", "active"), read),
        put={"data": "{}", "data_version": 1 if version is ... else version + 1, "data_op": "op"},
    )


@pytest.mark.parametrize("retry_at", [..., 9])
def test_one_request_takes_the_turn_to_confirm_a_device(retry_at):
    """The device is still unconfirmed, and nobody has taken the turn since it was read."""
    read = lacks("device_retry_at") if retry_at is ... else has("device_retry_at", retry_at)
    of = record(device_pending="v", device_retry_at=retry_at)
    pending = (has("sid", "origin-1"), has("state", "active"), has("device_pending", "v"))
    assert writes.device_turn(of, retry_at=NOW) == Change(
        WriteKind.CONFIRM_DEVICE, KEY, (*pending, read), put={"device_retry_at": NOW}
    )
    assert writes.device_confirmed(of) == Change(
        WriteKind.CONFIRM_DEVICE, KEY, pending, drop=frozenset({"device_pending", "device_retry_at"})
    )


def test_whether_there_is_a_row_at_all():
    """`exists` wants the attribute with any value; no row is known by its missing partition key."""
    assert writes.exists("sub") == Clause("sub", (AttributeTest("sub", "exists"),))
    assert writes.no_row() == lacks("sub")


def test_a_generation_shows_no_secret():
    """Tokens are hidden, what they are about is not."""
    shown = repr(new())
    assert "rt-2" not in shown
    assert "stored-" not in shown
    assert "verified=True" in shown
