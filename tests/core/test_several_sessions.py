"""Several sessions of a user, several clocks, several keyrings: what one flow decides where another one meets it.

Every schedule of these is searched in tests/races; here stands one schedule for each rule.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import permutations
from typing import Any

import pytest

from cognito_session.core.cookie import Cookie
from cognito_session.core.crypto.keyring import Keyring
from cognito_session.core.errors import LeaseBusy, ProviderUnavailable, SessionRequired, SessionUnavailable, StoreUnavailable
from cognito_session.core.policy import SessionPolicy
from cognito_session.core.protocol.conditions import WriteKind
from cognito_session.core.protocol.context import FlowContext
from cognito_session.core.protocol.data import save_data
from cognito_session.core.protocol.devices import revoke, revoke_all, sessions_of
from cognito_session.core.protocol.establish import SignedIn, establish
from cognito_session.core.protocol.ports import NewTokens
from cognito_session.core.protocol.record import USER_SID
from cognito_session.core.protocol.resolve import resolve
from cognito_session.core.protocol.session import Active, Reason, Rejected, Session, session_or_raise
from cognito_session.core.protocol.sign_out import log_out
from cognito_session.core.protocol.steps import Load, LoadAll, Refresh, Write, WriteAll
from cognito_session.drivers.sync import Ports, run
from cognito_session.testing.clock import ManualClock
from cognito_session.testing.memory_store import MemoryStore
from managed.scene import ring
from support.tokens import ISSUED_AT, SUB, Issuer

ISSUER = Issuer()
LIFE = 3600


@dataclass
class Worker:
    """One process: a clock of its own that is off by `skew` seconds, its keys, and the world it shares with the others."""

    world: World
    skew: int = 0
    keys: str | None = None
    policy: SessionPolicy = field(default_factory=SessionPolicy)

    def __post_init__(self) -> None:
        self.reports: list[Any] = []
        self.before: Any = None
        cookie, sealed = Cookie("token"), self.keys is not None
        one_row = self.world.store.one_row_per_user
        self.context = FlowContext(self.policy, ISSUER.rules, cookie, self, self.entropy, one_row, sealed, sealed)
        self.ports = Ports(self, self, self, self, self.sleep, self.reports.append, keyrings=self)

    # --- the ports

    @property
    def one_row_per_user(self) -> bool:
        return self.world.store.one_row_per_user

    def entropy(self, count: int) -> bytes:
        self.world.drawn += 1
        return self.world.drawn.to_bytes(count, "big")

    def now(self) -> float:
        return self.world.clock.now() + self.skew

    def monotonic(self) -> float:
        return self.world.clock.monotonic()

    def sleep(self, seconds: float) -> None:
        self.world.slept.append(seconds)
        self.world.clock.advance(seconds)

    def _meet(self, step: type, argument: Any = None) -> None:
        if self.before is not None:
            self.before(step, argument)

    def load(self, key):
        self._meet(Load, key)
        return self.world.store.load(key)

    def rows_of(self, sub):
        self._meet(LoadAll)
        return self.world.store.rows_of(sub)

    def write(self, change):
        self._meet(Write, change)
        return self.world.store.write(change)

    def write_all(self, changes):
        self._meet(WriteAll, changes)
        return self.world.store.write_all(changes)

    def refresh(self, request):
        self._meet(Refresh, request)
        self.world.minted += 1
        return NewTokens(self.world.token(f"new-{self.world.minted}"), f"rt-new-{self.world.minted}")

    def revoke(self, refresh_token):
        if self.world.cognito_is_down:
            raise ProviderUnavailable("down")
        self.world.revoked.append(refresh_token)

    def global_sign_out(self, username):
        del username

    def keyring(self, *, newer):
        del newer
        return Keyring.parse(self.keys or "")

    # --- what is asked of it

    def sign_in(self, name: str, *, presented: str | None = None, signed_in_at: int | None = None, left: int = LIFE):
        at = int(self.world.clock.now()) if signed_in_at is None else signed_in_at
        token = ISSUER.access_token(jti=f"jti-{name}", origin_jti=name, iat=at, auth_time=at, exp=at + left)
        return run(establish(self.context, SignedIn(token, f"rt-{name}"), presented=presented), self.ports)

    def resolve(self, cookie: str):
        return run(resolve(self.context, cookie), self.ports)


class _Keys:
    """The pool's signing keys."""

    def keys(self, missing_kid):
        del missing_kid
        return ISSUER.key_set()


class World:
    """The table, the true time, and what Cognito was told."""

    def __init__(self, *, one_row: bool = False) -> None:
        self.clock = ManualClock(now=ISSUED_AT)
        self.store = MemoryStore(one_row_per_user=one_row)
        self.revoked: list[str] = []
        self.cognito_is_down = False
        self.slept: list[float] = []
        self.minted = self.drawn = 0

    def token(self, jti: str) -> str:
        at = int(self.clock.now())
        return ISSUER.access_token(jti=jti, origin_jti="a", iat=at, exp=at + LIFE)

    def worker(self, **settings: Any) -> Worker:
        made = Worker(self, **settings)
        made.ports = made.ports._replace(keys=_Keys())
        return made

    def alive(self) -> int:
        return sum(1 for row in self.store.rows.values() if row.get("state") == "active")


@pytest.fixture
def world() -> World:
    return World()


def cookie_of(session: Session) -> str:
    """The Cookie header of a browser that keeps what the session's response sets."""
    return session.set_cookies[0].partition(";")[0]


ONE = SessionPolicy(max_sessions=1)
REFUSE = SessionPolicy(max_sessions=1, on_max_sessions="refuse")


# --- max_sessions


@pytest.mark.parametrize("behind", [0, 2])
def test_a_sign_in_never_evicts_itself(world, behind):
    """Twenty sign-ins in one second, in turn by a worker whose clock is behind: each is alive, and the one before is not."""
    first, second = world.worker(policy=ONE), world.worker(policy=ONE, skew=-behind)
    for n in range(20):
        session = (first, second)[n % 2].sign_in(f"{99 - n}")  # ids that sort against the order of time
        assert isinstance(first.resolve(cookie_of(session)), Active)
        assert world.alive() == 1


def test_the_presented_session_makes_room_and_the_user_keeps_one(world):
    """The old session was presented, the second worker is 2 s behind and signs in a second later: the new one lives."""
    first, second = world.worker(policy=ONE), world.worker(policy=ONE, skew=-2)
    old = first.sign_in("old")
    world.clock.advance(1)
    new = second.sign_in("new", presented=cookie_of(old))
    assert isinstance(first.resolve(cookie_of(new)), Active)
    assert first.resolve(cookie_of(old)) == Rejected(Reason.SESSION_ENDED)


def test_signing_in_again_in_one_browser_costs_no_other_device_its_session(world):
    """As many sessions as allowed, and one of their browsers signs in again: its own old session makes the room."""
    worker = world.worker(policy=SessionPolicy(max_sessions=2))
    other, old = worker.sign_in("other"), worker.sign_in("old")
    for number in range(3):
        old = worker.sign_in(f"again-{number}", presented=cookie_of(old))
        assert isinstance(worker.resolve(cookie_of(old)), Active)
        assert isinstance(worker.resolve(cookie_of(other)), Active)


def test_an_old_session_that_refreshes_meanwhile_is_ended_all_the_same(world):
    """It commits between the listing and its end: the failed end is no end, so the sessions are listed again."""
    worker, other = world.worker(policy=ONE), world.worker(policy=ONE)
    old = worker.sign_in("a")
    world.clock.advance(LIFE - 1)

    def commit_in_between(step, argument):
        if step is Write and argument.kind.value == "logout":
            worker.before = None
            other.resolve(cookie_of(old))

    worker.before = commit_in_between
    worker.sign_in("b")
    assert world.minted == 1
    assert world.alive() == 1
    assert world.revoked == ["rt-new-1"]


@pytest.mark.parametrize("names", list(permutations("abcd")), ids="".join)
def test_it_is_the_oldest_that_makes_room(world, names):
    """Whatever the ids and however the table sorts them: after each sign-in the last two are there, and no other."""
    worker = world.worker(policy=SessionPolicy(max_sessions=2))
    for number, name in enumerate(names):
        worker.sign_in(name)
        alive = {info.sid for info in run(sessions_of(worker.context, SUB), worker.ports)}
        assert alive == set(names[max(0, number - 1) : number + 1])


def test_rows_from_before_there_were_numbers_are_the_oldest(world):
    """Sessions that an earlier version made carry no number: they end first, by their age, whatever the clocks say."""
    before, worker = world.worker(), world.worker(policy=SessionPolicy(max_sessions=2), skew=-60)
    before.sign_in("x")
    world.clock.advance(1)
    before.sign_in("y")
    worker.sign_in("one")
    assert [info.sid for info in run(sessions_of(worker.context, SUB), worker.ports)] == ["y", "one"]
    worker.sign_in("two")
    assert {info.sid for info in run(sessions_of(worker.context, SUB), worker.ports)} == {"one", "two"}


def test_the_count_goes_on_where_the_users_row_is_gone(world):
    """TTL or a restore took the user's row: the next number is above those of the sessions that are there."""
    worker = world.worker(policy=SessionPolicy(max_sessions=2))
    for name in "xyz":
        worker.sign_in(name)
    del world.store.rows[(SUB, USER_SID)]
    worker.sign_in("a")
    worker.sign_in("b")
    assert {info.sid for info in run(sessions_of(worker.context, SUB), worker.ports)} == {"a", "b"}


# --- freshness


def served_from(worker: Worker, cookie: str, step: type, seconds: float) -> Any:
    """What a request is answered whose worker is held up for so long at its first step of that kind."""

    def hold(met, argument):
        del argument
        if met is step:
            worker.before = None
            worker.world.clock.advance(seconds)

    worker.before = hold
    try:
        return worker.resolve(cookie)
    except SessionUnavailable as error:
        return error


@pytest.mark.parametrize("step", [Load, Write, Refresh])
@pytest.mark.parametrize("left", [1, 2, 3])
def test_what_is_served_is_fresh_at_that_moment(world, step, left):
    """A token with so many seconds left, and 3.5 s lost at the read, the writes or the call: never served after its end."""
    worker = world.worker()
    cookie = cookie_of(worker.sign_in("a"))
    world.clock.advance(LIFE - left)
    outcome = served_from(worker, cookie, step, 3.5)
    if isinstance(outcome, Active):
        assert outcome.session.token_expires_at > world.clock.now()


def test_a_refresh_that_fails_late_does_not_serve_the_old_token(world):
    """Cognito hangs for four seconds while two are left: a 503, not a token that has expired."""
    worker = world.worker()
    cookie = cookie_of(worker.sign_in("a"))
    world.clock.advance(LIFE - 2)

    def hang(step, argument):
        del argument
        if step is Refresh:
            world.clock.advance(4)
            raise ProviderUnavailable("throttled", sent=True)

    worker.before = hang
    with pytest.raises(SessionUnavailable):
        worker.resolve(cookie)


@pytest.mark.parametrize("end", ["idle_exp", "abs_exp"])
def test_data_is_not_saved_past_the_sessions_end(world, end):
    """The handler took its time, and the session reached an end meanwhile: no data is acknowledged that nobody can read."""
    worker = world.worker()
    me = worker.resolve(cookie_of(worker.sign_in("a"))).session
    world.store.rows[(SUB, "a")][end] = int(world.clock.now()) + 2
    world.clock.advance(2)
    with pytest.raises(SessionRequired):
        run(save_data(worker.context, me, {"n": 1}), worker.ports)


@pytest.mark.parametrize("one_row", [False, True])
def test_a_sign_in_whose_token_expires_meanwhile_begins_nothing(one_row):
    """Three seconds left and a write that takes four: `sign_in_expired`, nothing is left behind, the old session goes on."""
    world = World(one_row=one_row)
    worker = world.worker()
    old = worker.sign_in("old")
    world.clock.advance(10)

    def hold(step, argument):
        if step is WriteAll or (step is Write and argument.kind.value == "create"):
            world.clock.advance(4)

    worker.before = hold
    found = worker.sign_in("new", presented=cookie_of(old), left=3)
    assert found == Rejected(Reason.SIGN_IN_EXPIRED)
    assert "rt-new" in world.revoked
    worker.before = None
    assert one_row or isinstance(worker.resolve(cookie_of(old)), Active)
    with pytest.raises(SessionRequired, match="access token has expired"):
        session_or_raise(found)


# --- sign out everywhere


@pytest.mark.parametrize("one_row", [False, True])
@pytest.mark.parametrize("skew", [-2, -1, 0, 1, 2])
def test_a_sign_in_from_before_cannot_land_whoever_signs_out(one_row, skew):
    """The worker's clock is off by up to the tolerance: a sign-in of the same second is refused, one of 5 s later is not."""
    world = World(one_row=one_row)
    worker, signing_out = world.worker(), world.worker(skew=skew)
    at = int(world.clock.now())
    run(revoke_all(signing_out.context, SUB), signing_out.ports)
    assert worker.sign_in("before", signed_in_at=at) == Rejected(Reason.SIGNED_OUT)
    world.clock.advance(5)
    assert isinstance(worker.sign_in("after"), Session)


@pytest.mark.parametrize("policy", [SessionPolicy(max_sessions=None), ONE, REFUSE], ids=["no limit", "evict", "refuse"])
def test_a_sign_out_between_the_look_and_the_write_of_a_sign_in(world, policy):
    """The sign-in has read that nothing bars it, then the user signs out everywhere: its write is refused in every mode."""
    worker, signing_out = world.worker(policy=policy), world.worker()
    at = int(world.clock.now())

    def everywhere(step, argument):
        del argument
        if step is WriteAll:
            worker.before = None
            run(revoke_all(signing_out.context, SUB), signing_out.ports)

    worker.before = everywhere
    assert worker.sign_in("before", signed_in_at=at) == Rejected(Reason.SIGNED_OUT)
    assert world.alive() == 0


# --- sign out elsewhere


@pytest.mark.parametrize("one_row", [False, True])
@pytest.mark.parametrize("skew", [-2, 0, 2])
@pytest.mark.parametrize("policy", [SessionPolicy(max_sessions=None), SessionPolicy()])
def test_ending_the_others_every_second_keeps_nobody_out(one_row, skew, policy):
    """A stolen session ends the others once a second, for ten seconds: the owner's sign-ins land, made before or after it."""
    world = World(one_row=one_row)
    owner, thief = world.worker(policy=policy), world.worker(skew=skew, policy=policy)
    stolen = thief.sign_in("stolen")
    for second in range(10):
        made_at = int(world.clock.now())
        world.clock.advance(second % 3)  # the owner's browser takes its time from Cognito to the site
        run(revoke_all(thief.context, SUB, keep=stolen.sid), thief.ports)
        mine = owner.sign_in(f"mine-{second}", signed_in_at=made_at)
        assert isinstance(owner.resolve(cookie_of(mine)), Active)
        world.clock.advance(1)


def test_ending_the_others_ends_those_that_land_meanwhile_too(world):
    """Elsewhere promises that no other session is left when it returns, whichever landed while it was at work."""
    worker, other = world.worker(), world.worker()
    kept, gone = worker.sign_in("kept"), worker.sign_in("gone")
    landed: list[Session] = []

    def land(step, argument):
        if step is Write and argument.kind.value == "logout":
            worker.before = None
            landed.append(other.sign_in("landed"))

    worker.before = land
    assert run(revoke_all(worker.context, SUB, keep=kept.sid), worker.ports) == 2
    assert [type(worker.resolve(cookie_of(me))) for me in (kept, gone, *landed)] == [Active, Rejected, Rejected]


# --- a changed password


@pytest.mark.parametrize("one_row", [False, True])
@pytest.mark.parametrize("skew", [-2, -1, 0, 1, 2])
@pytest.mark.parametrize("keep", [True, False])
def test_a_changed_password_bars_the_sign_ins_of_before_and_none_of_after(one_row, skew, keep):
    """Made with the old password 6 s ago or more: refused. Made in the second of the change, by any clock: it lands."""
    world = World(one_row=one_row)
    worker, changing = world.worker(), world.worker(skew=skew)
    me, at = worker.sign_in("kept"), int(world.clock.now())
    world.clock.advance(6)
    changed_at = changing.context.now()
    run(revoke_all(changing.context, SUB, keep=me.sid if keep else None, changed_at=changed_at), changing.ports)
    assert worker.sign_in("before", signed_in_at=at) == Rejected(Reason.SIGNED_OUT)
    assert isinstance(worker.resolve(cookie_of(me)), Active if keep else Rejected)
    assert isinstance(worker.sign_in("after"), Session)


# --- a key roll-out


@pytest.mark.parametrize("way", ["the cookie comes back", "a sign-in", "sign out everywhere"])
@pytest.mark.parametrize("one_row", [False, True])
def test_a_revocation_is_done_by_whoever_has_the_key(one_row, way):
    """Signed out on a worker without the newer key: the row is clean, and the next worker with the key tells Cognito."""
    world = World(one_row=one_row)
    newer, older = world.worker(keys=ring(2, 1)), world.worker(keys=ring(1))
    session = newer.sign_in("a")
    assert run(revoke(older.context, SUB, session.sid), older.ports) is True
    assert world.revoked == []
    assert [(r.event, r.detail.partition(":")[0]) for r in older.reports[-1:]] == [("revoke_failed", "seal_key_unavailable")]
    assert not any("token" in row for row in world.store.rows.values())
    world.clock.advance(5)
    older.sign_in("b")  # without the key nothing is lost
    {
        "the cookie comes back": lambda: newer.resolve(cookie_of(session)),
        "a sign-in": lambda: newer.sign_in("c"),
        "sign out everywhere": lambda: run(revoke_all(newer.context, SUB), newer.ports),
    }[way if not (one_row and way == "the cookie comes back") else "a sign-in"]()
    assert "rt-a" in world.revoked
    assert not any("unrevoked" in row for row in world.store.rows.values() if row["sid"] == USER_SID or one_row)


def test_a_sealed_token_is_kept_through_an_outage_of_cognito_and_a_plain_one_never(world):
    """Sealed: remembered and revoked at the next sign-in. Plain: reported, and no row holds what its reader could use."""
    sealed, plain = world.worker(keys=ring(1)), world.worker()
    session, cookie = sealed.sign_in("a"), cookie_of(plain.sign_in("b"))
    world.cognito_is_down = True
    run(revoke(sealed.context, SUB, session.sid), sealed.ports)
    run(log_out(plain.context, cookie), plain.ports)
    assert not any("rt-" in str(row) for row in world.store.rows.values())
    world.cognito_is_down = False
    sealed.sign_in("c")
    assert world.revoked == ["rt-a"]


def test_a_token_that_came_too_late_is_kept_as_well(world):
    """Signed out while a refresh was in flight, and Cognito takes no revocation: the old and the new token are remembered."""
    worker, other = world.worker(keys=ring(1)), world.worker(keys=ring(1))
    session = worker.sign_in("a")
    world.clock.advance(LIFE)
    world.cognito_is_down = True

    def sign_out(step, argument):
        if step is Write and argument.kind.value == "commit":
            worker.before = None
            run(revoke(other.context, SUB, session.sid), other.ports)

    worker.before = sign_out
    assert worker.resolve(cookie_of(session)) == Rejected(Reason.SESSION_ENDED)
    world.cognito_is_down = False
    worker.sign_in("b")
    assert set(world.revoked) == {"rt-a", "rt-new-1"}


def test_a_lost_answer_to_the_end_does_not_spare_the_token(world):
    """The tombstone was written and its answer lost: the repeated write finds its own tombstone, and the token is revoked."""
    worker = world.worker()
    cookie = cookie_of(worker.sign_in("a"))

    def lose(step, argument):
        if step is Write and argument.kind.value == "logout":
            worker.before = None
            world.store.write(argument)
            raise StoreUnavailable("lost")

    worker.before = lose
    assert run(log_out(worker.context, cookie), worker.ports) is None
    assert world.revoked == ["rt-a"]


# --- a store that refuses


def refusing(worker: Worker, *steps: type) -> list[type]:
    """Let the worker's store refuse these steps; the list grows with each."""
    met: list[type] = []

    def refuse(step, argument):
        del argument
        if step in steps:
            met.append(step)
            raise StoreUnavailable("DynamoDB: ProvisionedThroughputExceededException")

    worker.before = refuse
    return met


def _asks(worker: Worker, cookie: str) -> dict[str, Any]:
    me = worker.resolve(cookie).session
    return {
        "a sign-in": lambda: worker.sign_in("b"),
        "a sign-out": lambda: run(log_out(worker.context, cookie), worker.ports),
        "one ended": lambda: run(revoke(worker.context, SUB, "a"), worker.ports),
        "all ended": lambda: run(revoke_all(worker.context, SUB), worker.ports),
        "data": lambda: run(save_data(worker.context, me, {"n": 1}), worker.ports),
    }


@pytest.mark.parametrize("what", ["a sign-in", "a sign-out", "one ended", "all ended", "data"])
@pytest.mark.parametrize("one_row", [False, True])
def test_a_table_that_refuses_writes_is_asked_a_few_times(one_row, what):
    """Four tries with growing pauses, together under two seconds, then the error that names the cause."""
    world = World(one_row=one_row)
    worker = world.worker()
    asks = _asks(worker, cookie_of(worker.sign_in("a")))
    met = refusing(worker, Write, WriteAll)
    with pytest.raises(StoreUnavailable, match="ProvisionedThroughputExceeded"):
        asks[what]()
    assert len(met) == 4
    assert world.slept == sorted(world.slept)
    assert sum(world.slept) < 2


@pytest.mark.parametrize("what", ["a sign-in", "a sign-out", "one ended", "all ended", "data"])
def test_it_is_asked_within_the_functions_time(world, what):
    """Of a function that is stopped in 1.2 seconds none is spent on waiting: the answer still has to be sent."""
    worker = world.worker()
    asks = _asks(worker, cookie_of(worker.sign_in("a")))
    worker.context = worker.context.with_time_left(1.2)
    refusing(worker, Write, WriteAll)
    with pytest.raises(StoreUnavailable):
        asks[what]()
    assert sum(world.slept) <= 0.2


@pytest.mark.parametrize("what", ["a sign-in", "a sign-out", "one ended", "all ended", "data"])
@pytest.mark.parametrize("applied", [False, True])
@pytest.mark.parametrize("one_row", [False, True])
def test_a_passing_fault_is_not_told(one_row, what, applied):
    """One write is refused, or applied and its answer lost: the request succeeds and the outcome is the same."""
    world = World(one_row=one_row)
    worker = world.worker()
    asks = _asks(worker, cookie_of(worker.sign_in("a")))

    def once(step, argument):
        if step in (Write, WriteAll):
            worker.before = None
            if applied:
                (world.store.write if step is Write else world.store.write_all)(argument)
            raise StoreUnavailable("DynamoDB: lost")

    worker.before = once
    answer = asks[what]()
    if what == "a sign-in":
        assert isinstance(answer, Session)
        assert isinstance(worker.resolve(cookie_of(answer)), Active)
        assert world.revoked == (["rt-a"] if one_row else [])  # the session that was replaced
    else:
        assert answer == {"a sign-out": None, "one ended": True, "all ended": 1, "data": 1}[what]


@pytest.mark.parametrize("one_row", [False, True])
def test_a_sign_in_that_gives_up_begins_nothing(one_row):
    """Other sign-ins change the user's row before each of its writes: `lease_busy`, and there is no session of it."""
    world = World(one_row=one_row)
    worker = world.worker(policy=SessionPolicy(max_sessions=5))
    cookie_of(worker.sign_in("a"))

    def change(step, argument):
        if step in (Write, WriteAll):
            row = world.store.rows[next(key for key in world.store.rows if one_row or key[1] == USER_SID)]
            row["not_before" if one_row else "sign_ins"] = row.get("not_before" if one_row else "sign_ins", 0) + 1

    worker.before = change
    with pytest.raises(LeaseBusy):
        worker.sign_in("b")
    assert all(row.get("sid") != "b" for row in world.store.rows.values())


@pytest.mark.parametrize("one_row", [False, True])
def test_nothing_is_saved_into_a_session_that_has_just_been_signed_out(one_row):
    """The sign-out lands between the reading and the write: the save is told that the session has ended, the row is clean."""
    world = World(one_row=one_row)
    worker, other = world.worker(), world.worker()
    cookie = cookie_of(worker.sign_in("a"))
    me = worker.resolve(cookie).session

    def sign_out(step, argument):
        if step is Write and argument.kind is WriteKind.SAVE_DATA:
            worker.before = None
            run(log_out(other.context, cookie), other.ports)

    worker.before = sign_out
    with pytest.raises(SessionRequired):
        run(save_data(worker.context, me, {"n": 1}), worker.ports)
    (row,) = (row for key, row in world.store.rows.items() if key[1] != USER_SID)
    assert row["state"] == "ended"
    assert "data" not in row


def test_a_row_that_keeps_changing_is_busy_after_its_rounds(world):
    """A row that no write can end is read twenty times with pauses, then it is `lease_busy`."""
    worker = world.worker()
    cookie = cookie_of(worker.sign_in("a"))

    def change(step, argument):
        del argument
        if step is Write:
            row = world.store.rows[(SUB, "a")]
            row["token"] += "x"
            from cognito_session.core.protocol.record import token_hash

            row["token_hash"] = token_hash(row["token"])

    worker.before = change
    with pytest.raises(LeaseBusy):
        run(log_out(worker.context, cookie), worker.ports)
    assert len(world.slept) == 19
