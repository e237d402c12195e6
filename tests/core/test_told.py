"""What a flow tells the application, word for word: event, user, session and detail; and what the errors it raises carry."""

from __future__ import annotations

import itertools
import pickle

import pytest

from cognito_session.core.crypto.access_token import parse
from cognito_session.core.crypto.keyring import Keyring
from cognito_session.core.errors import (
    ConfigurationError,
    LeaseBusy,
    ProviderUnavailable,
    SessionConflict,
    SessionRequired,
    SessionUnavailable,
    StaleSignIn,
    StoreUnavailable,
)
from cognito_session.core.policy import SessionPolicy
from cognito_session.core.protocol.commit import Commit
from cognito_session.core.protocol.conditions import Change, Clause, WriteKind, Written
from cognito_session.core.protocol.conditions import Comparison as AttributeTest
from cognito_session.core.protocol.context import _MOST_SEARCHED, Searched
from cognito_session.core.protocol.data import save_data
from cognito_session.core.protocol.device_tracking import ADMIN_SCOPE, DeviceSecret, confirm_new, device_of
from cognito_session.core.protocol.devices import _refuse_sign_ins, revoke, revoke_all, sessions_of
from cognito_session.core.protocol.establish import SignedIn, establish
from cognito_session.core.protocol.ports import DEVICE_REFUSED, NewTokens, PoolRefusal, RefreshDenied
from cognito_session.core.protocol.record import USER_SID, SessionKey, SessionRecord, token_hash
from cognito_session.core.protocol.session import Active, Reason, Refreshed, Rejected, is_recent
from cognito_session.core.protocol.sign_out import _is_mine, log_out
from cognito_session.core.protocol.steps import Sleep
from cognito_session.core.protocol.writes import Generation, Lease
from cognito_session.drivers.sync import run
from core.test_commit import Refusing
from core.test_flow import ISSUED_AT, ISSUER, LIFE, World
from support.sealing_keys import ring
from support.tokens import SUB

SID = "origin-1"
ENDED = ("ended", SUB, SID, "session_ended")


class Telling(World):
    """A world that keeps the events whole."""

    def __init__(self, **more):
        super().__init__(**more)
        self.told = []
        drawn = itertools.count(1)
        self.context = self.context._replace(entropy=lambda size: next(drawn).to_bytes(size, "big"))  # no two ids are the same
        self.ports = self.ports._replace(on_event=lambda e: self.told.append((e.event, e.sub, e.sid, e.detail)))

    def signed_in(self, **more):
        """Itself, with a session and nothing told yet."""
        assert not isinstance(self.sign_in(**more), Rejected)
        self.told.clear()
        return self

    @property
    def record(self):
        return SessionRecord.from_row(SessionKey(self.row["sub"], self.row["sid"]), self.row)

    @property
    def header(self):
        return f"token={self.token()}"


@pytest.fixture
def world():
    return Telling().signed_in()


@pytest.fixture
def expired(world):
    """The access token of its session has expired."""
    world.clock.advance(LIFE + 1)
    return world


# --- a request


def test_a_sign_in_is_told():
    """User and session, once."""
    world = Telling()
    world.sign_in()
    assert world.told == [("established", SUB, SID, "")]


def test_what_a_refresh_serves_knows_when_it_is_served(expired):
    """The sign-in's age counts from now also on the request that refreshed: a step-up is asked for there, too."""
    session = expired.resolve().session
    assert session.served_at == expired.context.now() == ISSUED_AT + LIFE + 1
    assert (session.auth_time, session.session_expires_at) == (ISSUED_AT, expired.row["abs_exp"])
    assert session.require(max_age=LIFE + 1) is None
    with pytest.raises(StaleSignIn):
        session.require(max_age=LIFE)


def test_what_is_served_without_a_refresh_knows_it_too(world):
    """As above, of the token presented."""
    world.clock.advance(9)
    session = world.resolve().session
    assert (session.served_at, session.auth_time, session.session_expires_at) == (
        ISSUED_AT + 9,
        ISSUED_AT,
        world.row["abs_exp"],
    )


def test_a_guard_tells_who_was_refused(world):
    """The manager's alarm is told by a session that was served, healed, refreshed or begun."""
    told = []
    world.context = world.context._replace(alarm=lambda *refusal: told.append(refusal))
    begun = world.sign_in()
    world.clock.advance(LIFE + 1)
    refreshed = world.resolve().session
    healed = world.resolve().session
    served = world.resolve(refreshed.access_token).session
    for session in (refreshed, healed, served, begun):
        with pytest.raises(Exception, match="group"):
            session.require(any_group=["admin"])
    assert told == [("access_denied", SUB, SID, "group_required")] * 4


def test_reuse_is_told_and_ends(world):
    """Once, before the end; a request that waited meanwhile is superseded and tells nothing."""
    world.edit(jti_cur="another")
    assert world.resolve() == Rejected(Reason.REUSE)
    assert world.told == [("reuse", SUB, SID, "")]
    assert (world.row["state"], world.row["reason"]) == ("ended", "reuse")
    assert world.provider.revoked == ["rt-1"]


def test_reuse_whose_end_another_write_forestalled_revokes_nothing(world):
    """The row changed between the reading and the write: the token that it holds now is not revoked."""
    world.edit(jti_cur="another")
    write = world.store.write

    def meanwhile(change):
        world.edit(gen=9)
        return write(change)

    world.store.write = meanwhile
    assert world.resolve() == Rejected(Reason.REUSE)
    assert (world.row["state"], world.provider.revoked) == ("active", [])


@pytest.mark.parametrize(("code", "reason"), [("NotAuthorizedException", "refresh_denied"), (DEVICE_REFUSED, "device_refused")])
def test_a_verdict_is_told_with_cognito_s_code(expired, code, reason):
    """The first lease of a generation: the session has ended, for the reason that the row keeps."""
    expired.provider.answers = [RefreshDenied("dead", code)]
    assert expired.resolve() == Rejected(Reason(reason))
    assert expired.told == [("ended", SUB, SID, code)]
    assert (expired.row["reason"], expired.row["ended_at"]) == (reason, expired.context.now())


def test_a_verdict_that_another_write_forestalled_is_none(expired):
    """Its lease is not this worker's any more when the verdict is written: nothing has ended, nothing is told."""
    expired.provider.answers = [RefreshDenied("dead", "NotAuthorizedException")]
    write = expired.store.write

    def meanwhile(change):
        if change.kind.value == "verdict":
            expired.edit(lease_id="theirs")
        return write(change)

    expired.store.write = meanwhile
    with pytest.raises(SessionUnavailable):
        expired.resolve(deadline=expired.clock.monotonic() + 7)
    assert (expired.row["state"], expired.told) == ("active", [])


@pytest.mark.parametrize(
    ("code", "reason"), [("RefreshTokenReuseException", "refresh_lost"), (DEVICE_REFUSED, "device_refused")]
)
def test_a_doubtful_verdict_keeps_its_reason_and_instant(expired, code, reason):
    """A second lease of the generation: suspected and told only when it is confirmed, more than eight seconds later."""
    expired.edit(lease_n=1)
    expired.provider.answers = [RefreshDenied("dead", code)]
    with pytest.raises(SessionUnavailable):
        expired.resolve(deadline=expired.clock.monotonic() + 7)
    suspected = expired.row["suspect_at"]
    assert ISSUED_AT + LIFE < suspected <= expired.context.now()
    assert (expired.row["reason"], expired.told) == (reason, [])
    assert "lease_id" not in expired.row
    expired.clock.advance(suspected + 8 - expired.clock.now())
    with pytest.raises(LeaseBusy):
        expired.resolve(deadline=expired.clock.monotonic() + 1)
    assert expired.row["state"] == "active"
    expired.clock.advance(suspected + 9 - expired.clock.now())
    assert expired.resolve() == Rejected(Reason(reason))
    assert expired.told == [("ended", SUB, SID, reason)]
    assert (expired.row["state"], expired.row["reason"], expired.row["ended_at"]) == ("ended", reason, suspected + 9)


def test_a_suspicion_that_another_write_disproved_ends_nothing(expired):
    """A slower worker commits just before the end is written: read again, and its token is served."""
    expired.edit(suspect_at=ISSUED_AT)
    write = expired.store.write

    def meanwhile(change):
        if change.kind.value == "verdict":
            expired.edit(suspect_at=ISSUED_AT + LIFE)
        return write(change)

    expired.store.write = meanwhile
    with pytest.raises(LeaseBusy):
        expired.resolve(deadline=expired.clock.monotonic() + 2)
    assert (expired.row["state"], expired.told) == ("active", [])


@pytest.mark.parametrize(
    "fault", [StoreUnavailable("throttled"), KeyError("a secret"), ConfigurationError("no role")], ids=repr
)
def test_a_suspicion_that_cannot_be_confirmed_is_told(world, fault):
    """Served while the token is valid, and the operator is told which write failed; no text of a stranger's error."""
    world.clock.advance(LIFE - 20)
    world.edit(suspect_at=ISSUED_AT)
    Refusing(world, fault, "verdict")
    assert type(world.resolve()) is Active
    event = "misconfigured" if isinstance(fault, ConfigurationError) else "write_failed"
    assert world.told == [(event, SUB, SID, f"verdict: {'KeyError' if isinstance(fault, KeyError) else fault}")]


def test_an_unknown_refusal_is_told_and_cools_down(expired):
    """Cognito's code; a 503 for a call that was made, and the next one no sooner than a second later."""
    expired.provider.answers = [RefreshDenied("unknown", "SomeNewException")]
    with pytest.raises(ProviderUnavailable) as caught:
        expired.resolve()
    assert expired.told == [("refresh_refused", SUB, SID, "SomeNewException")]
    assert caught.value.sent is True
    assert expired.row["retry_at"] == expired.context.now() + 1
    assert "lease_id" not in expired.row


@pytest.mark.parametrize(("asked", "n", "pause"), [(None, 0, 1), (None, 3, 8), (7, 0, 7), (61, 0, 60), (60, 0, 60), (3, 3, 8)])
def test_a_pause_is_cognito_s_or_ours(expired, asked, n, pause):
    """The longer of the two, and never over a minute."""
    expired.edit(lease_n=n)
    expired.provider.answers = [ProviderUnavailable("throttled", sent=True, retry_after=asked)]
    with pytest.raises(ProviderUnavailable):
        expired.resolve()
    assert expired.row["retry_at"] == expired.context.now() + pause
    with pytest.raises(SessionUnavailable) as caught:
        expired.resolve()
    assert caught.value.retry_after == pause
    assert len(expired.provider.requests) == 1


def test_a_refresh_ahead_of_time_that_fails_is_told(world):
    """The token is still valid: served, and what the refresh met is told."""
    world.clock.advance(LIFE - 20)
    world.provider.answers = [ConfigurationError("CLIENT_SECRET: wrong")]
    assert type(world.resolve()) is Active
    assert world.told == [("misconfigured", SUB, SID, "refresh: CLIENT_SECRET: wrong")]


def test_a_changed_origin_is_told(expired):
    """Of the record's session id, after the commit."""
    expired.provider.answers = [NewTokens(expired.token("jti-2", at=LIFE + 1, origin_jti="origin-9"), "rt-2")]
    assert isinstance(expired.resolve(), Refreshed)
    assert expired.told == [("origin_changed", SUB, SID, "")]


def test_an_origin_that_stays_is_not_told(expired):
    """Nothing but the events of note."""
    assert isinstance(expired.resolve(), Refreshed)
    assert expired.told == []


@pytest.mark.parametrize(
    ("fault", "detail"),
    [
        (StoreUnavailable("throttled", reason="throttled", retry_after=9), "throttled"),
        (ConfigurationError("no role"), "no role"),
        (KeyError("a secret"), "KeyError"),
    ],
    ids=repr,
)
def test_a_commit_that_gives_up_is_told(expired, fault, detail):
    """With the cause, and no text of a stranger's error; an outage keeps its reason and its pause."""
    Refusing(expired, fault, "commit")
    with pytest.raises(type(fault)) as caught:
        expired.resolve()
    assert ("commit_failed", SUB, SID, detail) in expired.told
    if isinstance(fault, StoreUnavailable):
        assert (caught.value.reason, caught.value.retry_after) == ("throttled", 9)
        assert str(caught.value) == "the session store did not take the new tokens in time: throttled"


def test_a_commit_behind_a_lease_that_stays_gives_up(expired):
    """Another worker has the lease and never commits nor goes: held until patience ends, then a 503 that says so."""
    write = expired.store.write

    def meanwhile(change):
        if change.kind.value == "commit":
            expired.edit(lease_id="theirs", lease_until=int((expired.clock.now() + 60) * 1000))
        return write(change)

    expired.store.write = meanwhile
    began = expired.clock.monotonic()
    with pytest.raises(StoreUnavailable, match="another worker's lease did not end") as caught:
        expired.resolve()
    assert caught.value.__cause__ is None
    assert expired.told == [("commit_failed", SUB, SID, "another worker's lease did not end")]
    assert 11.9 < expired.clock.monotonic() - began < 12.6
    assert (expired.provider.revoked, expired.row["token"]) == ([], "rt-1")


LOST = {
    "gone": (None, Reason.UNKNOWN_SESSION, True),
    "ended": ({"state": "ended"}, Reason.SESSION_ENDED, True),
    "another session": ({"sid": "origin-2", "jti_cur": "jti-9"}, Reason.DISPLACED, True),
    "a foreign token": ({"token": "rt-foreign", "state": ...}, Reason.DISPLACED, True),
    "a later generation": ({"gen": 5, "jti_prev": frozenset({"jti-1"}), "jti_cur": "jti-5"}, None, False),
}


@pytest.mark.parametrize("what", LOST)
def test_what_won_instead_of_a_commit_decides(expired, what):
    """The new token is revoked only where no record can hold it; the tokens of a later generation are another worker's."""
    values, reason, revoked = LOST[what]
    write = expired.store.write

    def meanwhile(change):
        if change.kind.value == "commit" and values is None:
            expired.store.rows.clear()
        elif change.kind.value == "commit":
            for name, value in values.items():
                expired.row.pop(name) if value is ... else expired.edit(**{name: value})
        return write(change)

    expired.store.write = meanwhile
    if reason is None:
        with pytest.raises(SessionUnavailable):
            expired.resolve(deadline=expired.clock.monotonic() + 8)
    else:
        assert expired.resolve() == Rejected(reason)
    assert expired.provider.revoked == (["rt-2"] if revoked else [])


DUE = {
    "a device that waits": {"device_pending": "a:b"},
    "an open verdict": {"suspect_at": ISSUED_AT + 2 * LIFE - 30},
    "a verdict that cannot be written": {"suspect_at": ISSUED_AT + 2 * LIFE - 60},
    "a cool-down": {"retry_at": ISSUED_AT + 3 * LIFE},
    "a live lease": {"lease_id": "theirs", "lease_until": (ISSUED_AT + 3 * LIFE) * 1000},
    "little time left": {},
    "a refresh that failed": {},
}


@pytest.mark.parametrize("what", DUE)
def test_nothing_heals_while_a_newer_cookie_is_due(expired, what):
    """The response to the last refresh was lost and the next one is due: served with the current token, no cookie set."""
    new = expired.resolve().session.access_token
    expired.clock.advance(LIFE - 30)
    expired.edit(**DUE[what])
    expired.provider.answers = [ProviderUnavailable("lost")]
    if what == "a verdict that cannot be written":
        Refusing(expired, StoreUnavailable("throttled"), "verdict")
    deadline = expired.clock.monotonic() + 5.9 if what == "little time left" else None
    outcome = expired.resolve(deadline=deadline)
    assert type(outcome) is Active
    assert (outcome.session.access_token, outcome.session.set_cookies) == (new, ())
    assert len(expired.provider.requests) == (2 if what == "a refresh that failed" else 1)


def test_a_previous_cookie_heals_before_the_next_refresh_is_due(expired):
    """The other side of the decision: outside the refresh window the cookie is set."""
    new = expired.resolve().session.access_token
    healed = expired.resolve()
    assert healed.session.set_cookies[0].startswith(f"token={new};")


def test_the_function_s_time_is_told_apart(expired):
    """The reason of a 503 for want of time, which names the setting."""
    with pytest.raises(SessionUnavailable, match="timeout of 10 seconds") as caught:
        expired.resolve(deadline=expired.clock.monotonic() + 5.9)
    assert caught.value.reason == "function_timeout"


# --- ends


def test_a_sign_out_is_told_and_revokes(world):
    """Ended, and the token revoked; nothing else is told."""
    assert run(log_out(world.context, world.header), world.ports) is None
    assert (world.told, world.provider.revoked) == ([ENDED], ["rt-1"])
    assert (world.row["reason"], world.row["ended_at"], world.row["gen"]) == ("session_ended", ISSUED_AT, 2)


class Ring:
    """A keyring that never changes."""

    def keyring(self, *, newer):
        del newer
        return Keyring.parse(ring(1))


REMEMBERED = "kept sealed, to be revoked by the next worker that can"


@pytest.mark.parametrize("seals", [False, True])
@pytest.mark.parametrize(
    ("fault", "reason", "tries"),
    [
        (ProviderUnavailable("down"), "provider_unavailable", 2),
        (ConfigurationError("no role"), "configuration", 1),
        (KeyError("a secret"), "KeyError", 1),
    ],
    ids=["outage", "setup", "a stranger's"],
)
def test_a_revocation_that_failed_is_told(seals, fault, reason, tries):
    """Tried twice where an outage may pass; the reason is told, and whether the sealed token is kept."""
    world = Telling()
    if seals:
        world.context = world.context._replace(seals=True)
        world.ports = world.ports._replace(keyrings=Ring())
    world.signed_in()
    tried = []

    def revoke_at_cognito(token):
        tried.append(token)
        raise fault

    world.provider.revoke = revoke_at_cognito
    assert run(log_out(world.context, world.header), world.ports) is None
    assert tried == ["rt-1"] * tries
    assert world.told == [ENDED, ("revoke_failed", SUB, SID, f"{fault.reason if reason == 'configuration' else reason}"
                                  + (f": {REMEMBERED}" if seals else ""))]  # fmt: skip
    kept = {row["sid"]: row["unrevoked"] for row in world.store.rows.values() if "unrevoked" in row}
    assert set(kept) == ({SID, USER_SID} if seals else set())
    for entries in kept.values():
        (entry,) = entries
        assert entry.startswith(f"{SID} sealed.")
    if seals:
        users = next(row for row in world.store.rows.values() if row["sid"] == USER_SID)
        assert users["ttl"] == ISSUED_AT + 30 * 86_400
        del world.provider.revoke
        assert world.resolve() == Rejected(Reason.SESSION_ENDED)
        assert world.provider.revoked == ["rt-1", "rt-1"]  # kept in two rows; a second revocation is harmless
        assert not any("unrevoked" in row for row in world.store.rows.values())


def test_no_more_than_twenty_tokens_are_kept():
    """The user's row is read at each sign-in: the twenty-first is told and not kept, and those kept stay."""
    world = Telling()
    world.context = world.context._replace(seals=True)
    world.ports = world.ports._replace(keyrings=Ring())
    world.signed_in()
    far = ISSUED_AT + 99 * 86_400

    def revoke_at_cognito(token):
        raise ProviderUnavailable("down")

    world.provider.revoke = revoke_at_cognito
    for count, kept in ((19, 20), (20, 20)):
        signed_in = SignedIn(world.token(f"jti-{count}", origin_jti=f"o-{count}"), f"rt-{count}")
        session = run(establish(world.context, signed_in), world.ports)
        users = world.store.rows[SUB, USER_SID]
        users |= {"unrevoked": frozenset(f"s-{n} sealed.x" for n in range(count)), "ttl": far}
        run(revoke(world.context, SUB, session.sid), world.ports)
        users = next(row for row in world.store.rows.values() if row["sid"] == USER_SID)
        assert len(users["unrevoked"]) == kept
        assert users["ttl"] == far
        assert world.told[-1][3].endswith(REMEMBERED) is (count == 19)


def test_one_session_is_ended_with_its_reason(world):
    """True once, False for one that has ended or never was; a row of another session id is not ended under a wrong name."""
    assert run(revoke(world.context, SUB, SID, Reason.SIGNED_OUT), world.ports) is True
    assert world.told == [("ended", SUB, SID, "signed_out")]
    assert run(revoke(world.context, SUB, SID), world.ports) is False
    assert run(revoke(world.context, SUB, "no-such"), world.ports) is False
    single = Telling(one_row=True).signed_in()
    assert run(revoke(single.context, SUB, "another"), single.ports) is False
    assert single.row["state"] == "active"


@pytest.mark.parametrize(
    ("fault", "detail"),
    [(ConfigurationError("the role may not"), "the role may not"), (KeyError("a secret"), "KeyError")],
    ids=["setup", "a stranger's"],
)
def test_a_global_sign_out_that_failed_is_told(world, fault, detail):
    """Every session has ended all the same; the user's name at Cognito is the row's."""
    asked = []

    def global_sign_out(username):
        asked.append(username)
        raise fault

    world.provider.global_sign_out = global_sign_out
    assert run(revoke_all(world.context, SUB), world.ports) == 1
    assert asked == ["alice"]
    assert world.told == [("ended", SUB, SID, "signed_out"), ("global_sign_out_failed", SUB, None, detail)]


def test_without_a_session_the_user_is_signed_out_by_sub(world):
    """No row knows a name: Cognito takes the sub for one."""
    asked = []
    world.provider.global_sign_out = asked.append
    world.store.rows.clear()
    assert run(revoke_all(world.context, SUB), world.ports) == 0
    assert asked == [SUB]


def test_ending_the_others_leaves_the_user_s_tokens_and_sign_ins_alone(world):
    """No global sign-out, no `not_before`, and the session that is kept goes on."""
    other = SignedIn(world.token("jti-o", origin_jti="other"), "rt-o")
    run(establish(world.context, other), world.ports)
    assert run(revoke_all(world.context, SUB, keep=SID), world.ports) == 1
    assert world.provider.revoked == ["rt-o"]
    assert not any("not_before" in row for row in world.store.rows.values())
    assert isinstance(world.resolve(), Active)


class Behind:
    """A clock that is 100 seconds behind another one."""

    def __init__(self, clock):
        self.clock, self.monotonic = clock, clock.monotonic

    def now(self):
        return self.clock.now() - 100


@pytest.mark.parametrize("one_row", [False, True])
@pytest.mark.parametrize(("changed_at", "up_to"), [(None, 2), (0, -3)])
def test_not_before_is_set_with_the_tolerance_and_never_goes_back(one_row, changed_at, up_to):
    """Everywhere adds the clocks' tolerance, a changed password subtracts it; the user's row is kept as long as it matters."""
    world = Telling(one_row=one_row).signed_in()
    world.provider.global_sign_out = lambda username: None
    instant = None if changed_at is None else ISSUED_AT + changed_at
    run(revoke_all(world.context, SUB, changed_at=instant), world.ports)
    (row,) = (row for row in world.store.rows.values() if "not_before" in row)
    assert row["not_before"] == ISSUED_AT + up_to
    assert row["sid"] == (SID if one_row else USER_SID)
    if not one_row:
        assert row["ttl"] == ISSUED_AT + 30 * 86_400
    run(revoke_all(world.context._replace(clock=Behind(world.clock)), SUB), world.ports)
    (row,) = (row for row in world.store.rows.values() if "not_before" in row)
    assert row["not_before"] == ISSUED_AT + up_to


def test_not_before_of_a_user_without_a_row_makes_a_tombstone():
    """In a table without sort key a sign-in in flight must find it: a row that holds no session."""
    world = Telling(one_row=True)
    world.provider.global_sign_out = lambda username: None
    run(revoke_all(world.context, SUB), world.ports)
    (row,) = world.store.rows.values()
    end = ISSUED_AT + 30 * 86_400
    assert row == {"sub": SUB, "sid": USER_SID, "state": "ended", "not_before": ISSUED_AT + 2, "ttl": end}
    assert world.sign_in() == Rejected(Reason.SIGNED_OUT)


def test_the_list_of_sessions_is_complete_and_in_order(world):
    """Newest first, the asking one marked, last seen by the later mark, and no row of the user among them."""
    world.edit(seen_at=ISSUED_AT + 5, active_at=ISSUED_AT + 9, device="Firefox on Linux")
    end = world.row["abs_exp"]
    world.clock.advance(20)
    run(establish(world.context, SignedIn(world.token("jti-o", origin_jti="other"), "rt-o")), world.ports)
    newer = world.store.rows[SUB, "other"]
    del newer["active_at"]
    found = run(sessions_of(world.context, SUB, current=SID), world.ports)
    assert [tuple(info) for info in found] == [
        ("other", None, ISSUED_AT + 20, ISSUED_AT + 20, newer["abs_exp"], False),
        (SID, "Firefox on Linux", ISSUED_AT, ISSUED_AT + 9, end, True),
    ]
    newer["created_at"] = ISSUED_AT
    newer["seen_at"] = ISSUED_AT + 30
    assert run(sessions_of(world.context, SUB), world.ports)[0].last_seen_at in (ISSUED_AT + 30, ISSUED_AT + 9)
    assert not any(info.current for info in run(sessions_of(world.context, SUB), world.ports))


@pytest.mark.parametrize("end", ["idle_exp", "abs_exp"])
@pytest.mark.parametrize(("left", "listed"), [(0, 0), (1, 1)])
def test_a_session_past_an_end_is_not_listed(world, end, left, listed):
    """To the second, whether or not the row is still there."""
    world.edit(**{end: ISSUED_AT + left})
    assert len(run(sessions_of(world.context, SUB), world.ports)) == listed


# --- sign-in


def test_a_presented_session_that_cannot_be_ended_is_told(world):
    """The new session stands, and the operator is told why the old one does."""
    signed_in = SignedIn(world.token("jti-n", origin_jti="new"), "rt-n")
    Refusing(world, ConfigurationError("the role may not"), "logout")
    world.store.write_all = world.ports.store.store.write_all
    world.ports.store.write_all = world.store.write_all
    assert run(establish(world.context, signed_in, presented=world.header), world.ports).sid == "new"
    reason = ConfigurationError("x").reason
    assert world.told == [("established", SUB, "new", ""), ("presented_session_not_ended", SUB, "new", reason)]


def test_a_surplus_that_cannot_be_ended_is_told():
    """The new session stands, one more than the policy allows."""
    world = Telling(policy=SessionPolicy(max_sessions=1)).signed_in()
    signed_in = SignedIn(world.token("jti-n", origin_jti="new"), "rt-n")
    refusing = Refusing(world, ConfigurationError("the role may not"), "logout")
    refusing.write_all = world.store.write_all
    assert run(establish(world.context, signed_in), world.ports).sid == "new"
    reason = ConfigurationError("x").reason
    assert world.told == [("established", SUB, "new", ""), ("surplus_not_ended", SUB, "new", reason)]


# --- devices

DEVICE = "us-east-1_device"


def with_device(**settings):
    """A world whose session has a tracked device, confirmed."""
    world = Telling(**settings).signed_in(device_key=DEVICE, device_known=True)
    plain = world.token
    world.token = lambda *a, **more: plain(*a, **{"scope": ADMIN_SCOPE, **more})
    return world


FORGET = SessionPolicy(forget_device_on_sign_out=True)
KEEP = SessionPolicy(forget_device_on_sign_out=False)


@pytest.mark.parametrize(
    ("policy", "edits", "seconds", "forgotten"),
    [
        (FORGET, {}, 0, True),
        (KEEP, {}, 0, False),
        (FORGET, {"device_key": None}, 0, False),
        (FORGET, {"access_token": None}, 0, False),
        (FORGET, {}, LIFE - 1, True),
        (FORGET, {}, LIFE, False),
    ],
)
def test_a_device_is_forgotten_at_sign_out(policy, edits, seconds, forgotten):
    """Where the policy says so, by the session's own access token while that is in force; otherwise nothing is told."""
    world = with_device(policy=policy)
    text = world.row["access_token"]
    for name in edits:
        del world.row[name]
    header = world.header
    world.clock.advance(seconds)
    run(log_out(world.context, header), world.ports)
    assert world.provider.forgotten == ([(text, DEVICE)] if forgotten else [])
    assert world.told == [ENDED]


@pytest.mark.parametrize(
    ("values", "forgotten"),
    [
        ({"device_key": DEVICE}, False),
        ({"device_key": DEVICE, "state": "ended"}, True),
        ({"device_key": "another"}, True),
        ({}, True),
    ],
)
def test_a_device_that_another_session_uses_is_kept(values, forgotten):
    """Only a live session of the same device counts."""
    world = with_device(policy=FORGET)
    world.store.rows[SUB, "other"] = {"sub": SUB, "sid": "other", "state": "active", **values}
    run(log_out(world.context, world.header), world.ports)
    assert bool(world.provider.forgotten) is forgotten


def test_in_a_table_of_one_row_no_other_session_uses_the_device():
    """It is forgotten without a look at the user's other rows: there are none."""
    world = with_device(policy=FORGET, one_row=True)
    run(log_out(world.context, world.header), world.ports)
    assert len(world.provider.forgotten) == 1


@pytest.mark.parametrize(
    ("fault", "detail"),
    [
        (ProviderUnavailable("down"), "provider_unavailable"),
        (KeyError("a secret"), "KeyError"),
    ],
)
def test_a_device_that_is_not_forgotten_is_told(fault, detail):
    """By the reason, or the kind of a stranger's error; the session has ended and its token is revoked."""
    world = with_device(policy=FORGET)

    def forget(access_token, device_key):
        raise fault

    world.provider.forget_device = forget
    assert run(log_out(world.context, world.header), world.ports) is None
    assert world.told == [ENDED, ("device_not_forgotten", SUB, SID, detail)]
    assert world.provider.revoked == ["rt-1"]


def test_a_function_that_ends_soon_forgets_no_device():
    """Under five seconds the time is for the tokens."""
    world = with_device(policy=FORGET)
    case = world.context.with_time_left(4.9)
    assert run(log_out(case, world.header), world.ports) is None
    assert world.told == [ENDED, ("device_not_forgotten", SUB, SID, "function_timeout")]
    again = with_device(policy=FORGET)
    run(log_out(again.context.with_time_left(5), again.header), again.ports)
    assert len(again.provider.forgotten) == 1


@pytest.mark.parametrize(
    ("answer", "detail", "confirmed"),
    [
        (None, None, True),
        (PoolRefusal("InvalidParameterException"), "InvalidParameterException", True),
        (ProviderUnavailable("down"), "provider_unavailable", False),
        (KeyError("a secret"), "KeyError", False),
    ],
)
def test_a_confirmation_sends_what_the_row_holds(world, answer, detail, confirmed):
    """Key, salt, verifier and the session's label; a refusal is as final as a confirmation, and everything else is told."""
    world.edit(device_key=DEVICE, device_pending="salt:verifier", device_retry_at=1, device="Firefox")
    world.provider.device_answers = [answer]
    token = parse(world.token(), ISSUER.rules)
    run(confirm_new(world.context, world.record, token), world.ports)
    assert [tuple(each) for each in world.provider.confirmed] == [(token.text, DEVICE, "salt", "verifier", "Firefox")]
    assert world.told == ([] if detail is None else [("device_not_confirmed", SUB, None, detail)])
    assert ("device_pending" not in world.row) is confirmed


def test_a_device_without_a_label_has_a_name(world):
    """Cognito's list of devices shows it."""
    world.edit(device_key=DEVICE, device_pending="salt:verifier", device_retry_at=1)
    run(confirm_new(world.context, world.record, parse(world.token(), ISSUER.rules)), world.ports)
    assert world.provider.confirmed[0].name == "browser"


@pytest.mark.parametrize("missing", ["device_key", "device_pending", "device_retry_at"])
def test_a_sign_in_without_a_turn_confirms_nothing(world, missing):
    """No device, none that waits, or a turn that is left to a later request."""
    world.edit(device_key=DEVICE, device_pending="salt:verifier", device_retry_at=1)
    del world.row[missing]
    run(confirm_new(world.context, world.record, parse(world.token(), ISSUER.rules)), world.ports)
    assert world.provider.confirmed == []


def test_a_token_without_the_scope_is_told(world):
    """By the scope that is missing."""
    token = parse(world.token(scope="openid"), ISSUER.rules)
    assert run(device_of(world.context, DeviceSecret(DEVICE, "-g", "p"), token), world.ports) == {"device_key": DEVICE}
    detail = f"the access token lacks the scope {ADMIN_SCOPE}: the session cannot be refreshed"
    assert world.told == [("device_not_confirmed", SUB, None, detail)]


@pytest.mark.parametrize(("left", "turn"), [(LIFE, 60), (121, 60), (120, 60), (119, 59), (20, 10), (10, 5), (1, 5)])
def test_a_turn_is_a_minute_or_half_of_what_is_left(world, left, turn):
    """Never under five seconds, which a call may take."""
    world.clock.advance(LIFE - left)
    token = parse(world.token(scope=ADMIN_SCOPE), ISSUER.rules)
    kept = run(device_of(world.context, DeviceSecret(DEVICE, "-g", "p"), token), world.ports)
    assert kept["device_retry_at"] == world.context.now() + turn


# --- data


def test_data_is_saved_under_the_next_version(world):
    """Compact, sorted, in the letters it has; saved again unchanged it costs no write and no version."""
    me = world.resolve().session
    assert run(save_data(world.context, me, {"b": [1, None, True], "a": "ü"}), world.ports) == 1
    assert world.row["data"] == '{"a":"ü","b":[1,null,true]}'
    me = world.resolve().session
    assert (dict(me.data), me.data_version) == ({"b": [1, None, True], "a": "ü"}, 1)
    operation = world.row["data_op"]
    assert run(save_data(world.context, me, {"a": "ü", "b": [1, None, True]}), world.ports) == 1
    assert world.row["data_op"] == operation


def test_data_of_an_older_version_is_a_conflict(world):
    """Another request wrote since: 409, and the row stays."""
    me = world.resolve().session
    world.edit(data_version=1, data="{}")
    with pytest.raises(SessionConflict, match="changed since it was read") as caught:
        run(save_data(world.context, me, {"n": 1}), world.ports)
    assert (caught.value.status, world.row["data"]) == (409, "{}")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"state": "ended"}, "session_ended"),
        ({"token": "rt-foreign"}, "session_ended"),
        ({"sid": "origin-2"}, "session_ended"),
        ({"idle_exp": ISSUED_AT}, "session_ended"),
        ({"abs_exp": ISSUED_AT}, "session_ended"),
        ({"cookie_kind": "sealed"}, "wrong_cookie_kind"),
        (None, "session_ended"),
    ],
    ids=repr,
)
def test_no_data_is_saved_where_there_is_no_session(world, values, reason):
    """401 with its reason, and nothing is written."""
    me = world.resolve().session
    if values is None:
        world.store.rows.clear()
    else:
        world.edit(**values)
    with pytest.raises(SessionRequired) as caught:
        run(save_data(world.context, me, {"n": 1}), world.ports)
    at_an_end = values is not None and not {"idle_exp", "abs_exp"}.isdisjoint(values)
    ended = "the session has reached its idle or its absolute end" if at_an_end else "the session has ended"
    said = {"session_ended": ended, "wrong_cookie_kind": "the session is not to be opened"}
    assert (caught.value.reason, str(caught.value)) == (reason, said[reason])
    assert all("data" not in row for row in world.store.rows.values())


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([1], "expected a mapping, not list"),
        ({1: 2}, "session data: expected texts as names"),
        ({"a": {"b": {1: 2}}}, "session data.a.b: expected texts as names"),
        ({"a": [{"b": (1,)}]}, r"session data.a\[\].b: expected JSON types only, not tuple"),
        ({"a": float("nan")}, "expected finite numbers"),
        ({"a": "x" * 16_377}, "session data: 16385 bytes, but 16384 is the most"),
        ({"a": "ü" * 8_189}, "session data: 16386 bytes"),
    ],
    ids=[*range(7)],
)
def test_what_is_no_data_is_named(world, data, said):
    """Where it is and what was expected."""
    with pytest.raises(ConfigurationError, match=said):
        run(save_data(world.context, world.resolve().session, data), world.ports)


def test_data_of_the_largest_size_is_saved(world):
    """16,384 bytes as stored."""
    assert run(save_data(world.context, world.resolve().session, {"a": "x" * 16_376}), world.ports) == 1


@pytest.mark.parametrize(("stored", "found"), [("[1]", {}), ("null", {}), ('{"a":1}', {"a": 1})])
def test_data_that_is_no_object_is_none(world, stored, found):
    """JSON of another kind is no data."""
    world.edit(data=stored)
    assert dict(world.resolve().session.data) == found


def test_data_that_is_no_json_is_not_guessed_at(world):
    """503 that says which attribute."""
    world.edit(data="{")
    with pytest.raises(StoreUnavailable, match="attribute data: expected JSON") as caught:
        world.resolve()
    assert caught.value.reason == "unreadable_record"


def test_nothing_is_saved_where_there_is_nothing_to_save(world):
    """An empty object into a session without data costs no write."""
    assert run(save_data(world.context, world.resolve().session, {}), world.ports) == 0
    assert "data" not in world.row


def test_a_resent_write_of_data_knows_itself(world):
    """The answer of the first was lost, and the store's own client wrote twice: saved once, and said so."""
    me = world.resolve().session
    write = world.store.write

    def twice(change):
        write(change)
        return write(change)

    world.store.write = twice
    assert run(save_data(world.context, me, {"n": 1}), world.ports) == 1
    assert world.row["data_version"] == 1


# --- rows that do not prove what they say


def with_keys(**more):
    """A world with sealing keys."""
    world = Telling(**more)
    world.context = world.context._replace(seals=True)
    world.ports = world.ports._replace(keyrings=Ring())
    return world


def test_a_tampered_row_is_told():
    """User, session and reason; a 503 that says what was found."""
    world = with_keys().signed_in()
    world.edit(username="mallory")
    with pytest.raises(StoreUnavailable, match=r"^tampered record: ") as caught:
        world.resolve()
    assert caught.value.reason == "tampered_record"
    assert world.told == [("tampered", SUB, SID, "invalid_seal")]


@pytest.mark.parametrize(
    ("drop", "values", "served"),
    [
        (["row_code", "idle_code"], {}, False),
        (["row_code", "idle_code"], {"token": "rt", "access_token": "plain"}, True),
        (["row_code", "idle_code", "cookie_kind"], {"token": "rt", "access_token": "plain"}, True),
        (["row_code", "idle_code"], {"token": "rt", "access_token": "plain", "cookie_kind": "sealed"}, False),
        (["row_code", "idle_code"], {"access_token": "plain"}, False),
    ],
)
def test_a_row_from_before_keys_holds_nothing_sealed_and_is_a_token_cookie_s(drop, values, served):
    """Anything else without a code was changed."""
    world = with_keys(policy=SessionPolicy(accept_unsealed_rows=True)).signed_in()
    for name in drop:
        del world.row[name]
    world.edit(**{name: world.token() if value == "plain" else value for name, value in values.items()})
    if "token" in values:
        world.edit(token_hash=token_hash("rt"))
    if served:
        assert isinstance(world.resolve(), Active)
    else:
        with pytest.raises(StoreUnavailable):
            world.resolve()
        assert world.told == [("tampered", SUB, SID, "invalid_seal")]


def test_a_changed_origin_in_a_table_of_one_row_keeps_what_is_sealed():
    """Secrets stay sealed for the record's own session id, whatever the new token's origin."""
    world = with_keys(one_row=True).signed_in()
    assert run(save_data(world.context, world.resolve().session, {"n": 1}), world.ports) == 1
    world.clock.advance(LIFE + 1)
    world.provider.answers = [NewTokens(world.token("jti-2", at=LIFE + 1, origin_jti="origin-9"), "rt-2")]
    new = world.resolve().session.access_token
    served = world.resolve(new).session
    assert (served.sid, dict(served.data)) == (SID, {"n": 1})
    assert run(log_out(world.context, f"token={new}"), world.ports) is None
    assert world.provider.revoked == ["rt-2"]


def test_a_held_token_waits_where_nothing_cancels(world):
    """The pause between two tries of a commit is marked: a client that goes away must not end it."""
    commit = Commit(
        world.context, None, world.record, Lease("L", 1, 0.0), ring=None, until=world.clock.monotonic() + 5, extend=True
    )
    for delay, slept in ((0.3, 0.3), (9, 5)):
        step = next(commit._pause(delay, None))
        assert (type(step), step.seconds, step.holding) == (Sleep, slept, True)


def test_a_token_that_lost_is_kept_under_the_sid_that_it_is_sealed_for():
    """Of a row of other sign-in code that is the new token's origin; Cognito could not be told just then."""
    world = with_keys().signed_in()

    def down(token):
        raise ProviderUnavailable("down")

    world.provider.revoke = down
    foreign = world.record._replace(token="foreign", token_hash=None, sid=None)
    access = parse(world.token("jti-2", origin_jti="origin-9"), ISSUER.rules)
    new = Generation(access, "rt-2", "sealed.a", "sealed.b", verified=True)
    commit = Commit(world.context, None, foreign, Lease("L", 1, 0.0), ring=None, until=0, extend=True)
    run(commit._revoke(foreign, new), world.ports)
    assert world.store.rows[SUB, USER_SID]["unrevoked"] == frozenset({"origin-9 sealed.b"})


@pytest.mark.parametrize(
    ("found", "mine"),
    [
        (None, False),
        ({"state": "ended", "reason": "reuse", "ended_at": 5}, True),
        ({"state": "ended", "reason": "reuse", "ended_at": 5, "token": "rt"}, False),
        ({"state": "ended", "reason": "reuse", "ended_at": 6}, False),
        ({"state": "ended", "reason": "signed_out", "ended_at": 5}, False),
        ({"state": "active", "reason": "reuse", "ended_at": 5}, False),
    ],
)
def test_a_tombstone_is_known_as_one_s_own(found, mine):
    """By state, reason and instant; a row that holds a token again is another sign-in's."""
    change = Change(WriteKind.LOGOUT, SessionKey("u", "s"), (), put={"state": "ended", "reason": "reuse", "ended_at": 5})
    assert _is_mine(change, found) is mine


def test_a_foreign_sign_in_over_a_tombstone_can_be_ended(world):
    """Foreign before ended: what other sign-in code put over a tombstone is a session."""
    run(log_out(world.context, world.header), world.ports)
    world.edit(token="rt-foreign")
    assert run(revoke(world.context, SUB, SID), world.ports) is True
    assert world.provider.revoked == ["rt-1", "rt-foreign"]


def test_ending_one_session_forgets_its_device_and_says_what_is_busy():
    """As a sign-out does; a row that keeps changing is a 503 that says so."""
    world = with_device(policy=FORGET)
    assert run(revoke(world.context, SUB, SID), world.ports) is True
    assert len(world.provider.forgotten) == 1
    world = Telling().signed_in()

    def changing(change):
        row = dict(world.row)
        return Written(applied=False, found=row | {"gen": 99})

    world.store.write = changing
    for flow, said in (
        (revoke(world.context, SUB, SID), "the session kept changing while it was being ended"),
        (log_out(world.context, world.header), "the session kept changing while it was being ended"),
    ):
        with pytest.raises(LeaseBusy) as caught:
            run(flow, world.ports)
        assert str(caught.value) == said


def test_a_stale_sign_in_says_how_recent_it_must_be():
    """In seconds, in its text and as an attribute."""
    error = StaleSignIn(300)
    assert (str(error), error.max_age) == ("this action needs a sign-in of the last 300 seconds: sign in again", 300)


def test_saved_data_is_the_session_s_from_then_on(world):
    """The same session with the data and its version, read-only."""
    me = world.resolve().session
    new = me.with_data({"n": 1}, 7)
    assert (dict(new.data), new.data_version, new.sub) == ({"n": 1}, 7, SUB)
    with pytest.raises(TypeError):
        new.data["n"] = 2


@pytest.mark.parametrize(("ahead", "recent"), [(10, True), (11, False)])
def test_a_sign_in_of_the_future_is_recent_within_the_clocks_tolerance(ahead, recent):
    """Ten seconds ahead of our clock are a difference of clocks, eleven are not."""
    assert is_recent(1_000 + ahead, 1_000, 0) is recent


def test_a_search_is_made_once_for_a_token(world):
    """By the two attributes that tell, and remembered for this user and token alone; without a memory each time."""
    asked = []
    rows_of = world.store.attributes_of

    def attributes_of(sub, only):
        asked.append((sub, tuple(only)))
        return rows_of(sub, only)

    world.store.attributes_of = attributes_of
    unknown = world.token("jti-x", origin_jti="origin-x")
    for memory, searches in ((None, 2), (Searched(), 1)):
        asked.clear()
        world.context = world.context._replace(searched=memory)
        for _ in range(2):
            assert world.resolve(unknown) == Rejected(Reason.UNKNOWN_SESSION)
        assert asked == [(SUB, ("jti_cur", "jti_prev"))] * searches
    another = world.token("jti-1", origin_jti="origin-x")
    assert world.resolve(another).session.sid == SID
    world.edit(jti_cur="else")
    assert world.resolve(another) == Rejected(Reason.UNKNOWN_SESSION)


def test_a_list_of_sessions_is_not_made_of_rows_that_prove_nothing():
    """503, and told: nobody decides what to end by a changed row."""
    world = with_keys().signed_in()
    world.edit(username="mallory")
    with pytest.raises(StoreUnavailable):
        run(sessions_of(world.context, SUB), world.ports)
    assert world.told == [("tampered", SUB, SID, "invalid_seal")]


@pytest.mark.parametrize("applied", [True, False])
def test_not_before_in_a_table_of_one_row_is_written_or_made(applied):
    """On the row where there is one, else as a tombstone, and again where a row was made in between."""
    world = Telling(one_row=True)
    flow = _refuse_sign_ins(world.context, SUB, up_to=7)
    later = Clause("not_before", (AttributeTest("not_before", "absent"), AttributeTest("not_before", "<", 7)))
    there = Clause("sub", (AttributeTest("sub", "exists"),))
    end = ISSUED_AT + 30 * 86_400
    assert next(flow).change == Change(WriteKind.NOT_BEFORE, SessionKey(SUB, ""), (there, later), put={"not_before": 7})
    tombstone = {"sub": SUB, "sid": USER_SID, "state": "ended", "not_before": 7, "ttl": end}
    nobody = Clause("sub", (AttributeTest("sub", "absent"),))
    made = flow.send(Written(applied=False, found=None)).change
    assert made == Change(WriteKind.NOT_BEFORE, SessionKey(SUB, ""), (nobody,), put=tombstone, replace=True)
    if applied:
        with pytest.raises(StopIteration):
            flow.send(Written(applied=True, found=None))
    else:
        assert isinstance(flow.send(Written(applied=False, found={"sub": SUB})), Sleep)
        assert flow.send(None).change.when == (there, later)


def test_not_before_in_the_user_s_row():
    """One write, whether or not there is a row; a later one moves it on."""
    world = Telling()
    flow = _refuse_sign_ins(world.context, SUB, up_to=7)
    later = Clause("not_before", (AttributeTest("not_before", "absent"), AttributeTest("not_before", "<", 7)))
    put = {"not_before": 7, "ttl": ISSUED_AT + 30 * 86_400}
    assert next(flow).change == Change(WriteKind.NOT_BEFORE, SessionKey(SUB, USER_SID), (later,), put=put)
    with pytest.raises(StopIteration):
        flow.send(Written(applied=False, found={}))


def test_signing_out_what_is_no_session(world):
    """An authentic token without a row is as signed out as can be; a foreign sign-in over a tombstone is signed out again."""
    unknown = world.token("jti-x", origin_jti="origin-x")
    assert run(log_out(world.context, f"token={unknown}"), world.ports) == Rejected(Reason.UNKNOWN_SESSION)
    assert run(log_out(world.context, world.header), world.ports) is None
    world.edit(token="rt-foreign")
    assert run(log_out(world.context, world.header), world.ports) is None
    assert world.provider.revoked == ["rt-1", "rt-foreign"]


def test_a_session_that_makes_room_keeps_its_device():
    """The browser signs in again: its old session ends, and its device is still the browser's."""
    world = with_device(policy=FORGET)
    signed_in = SignedIn(world.token("jti-n", origin_jti="new"), "rt-n")
    assert run(establish(world.context, signed_in, presented=world.header), world.ports).sid == "new"
    assert (world.provider.forgotten, world.provider.revoked) == ([], ["rt-1"])


METADATA = {"DeviceKey": "key", "DeviceGroupKey": "group"}


@pytest.mark.parametrize(
    ("result", "found"),
    [
        ({"AccessToken": "a", "RefreshToken": "r"}, ("a", "r", None, "", False)),
        ({"AuthenticationResult": {"AccessToken": "a", "RefreshToken": "r"}}, ("a", "r", None, "", False)),
        ({"AccessToken": "a", "RefreshToken": "r", "NewDeviceMetadata": METADATA}, ("a", "r", "key", "group", False)),
        ({"AccessToken": "a", "RefreshToken": "r", "NewDeviceMetadata": {"DeviceKey": ""}}, ("a", "r", None, "", False)),
        ({"AccessToken": "a", "RefreshToken": "r", "NewDeviceMetadata": {"DeviceKey": 5}}, ("a", "r", None, "", False)),
        ({"AccessToken": "a", "RefreshToken": "r", "NewDeviceMetadata": []}, ("a", "r", None, "", False)),
    ],
)
def test_what_a_sign_in_brought(result, found):
    """Cognito's result, or the answer that holds one; a device's metadata where there is any."""
    assert tuple(SignedIn.of(result)) == found


@pytest.mark.parametrize(
    "result",
    [
        None,
        [],
        {},
        {"AuthenticationResult": None},
        {"AccessToken": "a"},
        {"RefreshToken": "r"},
        {"AccessToken": 5, "RefreshToken": "r"},
        {"AccessToken": "a", "RefreshToken": ""},
        {"AccessToken": "a", "RefreshToken": 5},
    ],
    ids=repr,
)
def test_what_is_no_sign_in_is_named(result):
    """Both tokens are needed, as texts."""
    with pytest.raises(ConfigurationError, match=r"^establish: expected Cognito's AuthenticationResult"):
        SignedIn.of(result)


@pytest.mark.parametrize("what", ["an open verdict", "a verdict that cannot be written", "a cool-down", "a live lease"])
def test_the_presenter_of_the_current_token_is_served_with_it(world, what):
    """While the refresh ahead of time is held up the presented token serves, and its use is marked."""
    world.clock.advance(LIFE - 20)
    world.edit(
        **{
            "an open verdict": {"suspect_at": ISSUED_AT + LIFE - 21},
            "a verdict that cannot be written": {"suspect_at": ISSUED_AT},
            "a cool-down": {"retry_at": ISSUED_AT + 2 * LIFE},
            "a live lease": {"lease_id": "theirs", "lease_until": (ISSUED_AT + 2 * LIFE) * 1000},
        }[what]
    )
    del world.row["access_token"]  # which is not needed for it
    if what == "a verdict that cannot be written":
        Refusing(world, StoreUnavailable("throttled"), "verdict")
    outcome = world.resolve()
    assert (type(outcome), outcome.session.access_token) == (Active, world.token())
    assert world.row["seen_at"] == ISSUED_AT + LIFE - 20
    assert world.provider.requests == []


def test_a_session_out_of_a_pickle_has_its_claims_and_data(world):
    """As deep as they were, and as read-only."""
    world.edit(data='{"n":{"m":1}}')
    me = world.resolve(world.token(extra={"a": [{"b": 1}]})).session
    again = pickle.loads(pickle.dumps(me))
    assert again.claims == me.claims
    assert again.claims["extra"]["a"][0]["b"] == 1
    assert (dict(again.data), again.data_version) == ({"n": {"m": 1}}, 0)
    for mapping in (again.claims["extra"], again.claims["extra"]["a"][0], again.data):
        with pytest.raises(TypeError):
            mapping["x"] = 1


def test_what_is_kept_to_be_revoked_keeps_its_row(world):
    """The user's row lives as long as the token may, though it was to go before."""
    world = with_keys().signed_in()

    def down(token):
        raise ProviderUnavailable("down")

    world.provider.revoke = down
    world.store.rows[SUB, USER_SID]["ttl"] = ISSUED_AT
    run(log_out(world.context, world.header), world.ports)
    assert world.store.rows[SUB, USER_SID]["ttl"] == ISSUED_AT + 30 * 86_400


def test_searches_are_remembered_up_to_a_bound():
    """The oldest goes first."""
    memory = Searched()
    for number in range(5_000):
        memory.note(("u", f"j{number}"), None)
    assert len(memory._found) == _MOST_SEARCHED
    assert ("u", "j4999") in memory
    assert ("u", "j0") not in memory
