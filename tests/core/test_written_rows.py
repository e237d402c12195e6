"""The attributes that a sign-in, a request and a refresh write to the row, and the session that is served from it."""

from __future__ import annotations

import pytest

from cognito_session.core.cookie import Cookie
from cognito_session.core.errors import ConfigurationError, LeaseBusy, SessionUnavailable
from cognito_session.core.policy import SessionPolicy
from cognito_session.core.protocol.authenticate import identify
from cognito_session.core.protocol.data import save_data
from cognito_session.core.protocol.devices import is_live
from cognito_session.core.protocol.establish import SignedIn, establish
from cognito_session.core.protocol.ports import NewTokens
from cognito_session.core.protocol.record import SessionKey, SessionRecord, token_hash
from cognito_session.core.protocol.resolve import resolve
from cognito_session.core.protocol.session import Active, Reason, Refreshed, Rejected
from cognito_session.core.protocol.sign_out import log_out
from cognito_session.drivers.sync import run
from core.test_flow import ISSUED_AT, LIFE, World
from core.test_told import SID, with_keys
from support.tokens import SUB, Issuer

DAY = 86_400
IDLE = SessionPolicy(idle_seconds=1000, absolute_seconds=5000)


class Recording:
    """The world's store; it records the writes and can run `before` each of them."""

    one_row_per_user = False

    def __init__(self, world, before=lambda change: None):
        self.store, self.before, self.moves, self.loads = world.store, before, [], 0
        world.ports = world.ports._replace(store=self)

    def load(self, key):
        self.loads += 1
        return self.store.load(key)

    def rows_of(self, sub):
        return self.store.rows_of(sub)

    def write(self, change):
        self.moves.append(change.kind.value)
        self.before(change)
        return self.store.write(change)


def signed_in(**more):
    """A world with a session."""
    made = World(**more)
    made.sign_in()
    return made


# --- sign-in


def test_a_sign_in_writes_exactly_these_attributes():
    """Every attribute of the row, its name and its value; the label only where the browser sent one."""
    world = World()
    signed = SignedIn(world.token(auth_time=ISSUED_AT - 9), "rt-1")
    session = run(establish(world.context, signed, device="Firefox on Linux"), world.ports)
    end = ISSUED_AT + 7 * DAY
    assert world.row == {
        "sub": SUB,
        "sid": SID,
        "state": "active",
        "cookie_kind": "token",
        "gen": 1,
        "token": "rt-1",
        "token_hash": token_hash("rt-1"),
        "timestamp": ISSUED_AT,
        "access_token": signed.access_token,
        "access_iat": ISSUED_AT,
        "access_exp": ISSUED_AT + LIFE,
        "jti_cur": "jti-1",
        "lease_n": 0,
        "username": session.username,
        "auth_time": ISSUED_AT - 9,
        "created_at": ISSUED_AT,
        "abs_exp": end,
        "ttl": end,
        "idle_exp": ISSUED_AT + DAY,
        "active_at": ISSUED_AT,
        "device": "Firefox on Linux",
        "sign_in": 1,
    }
    assert session.session_expires_at == end


def test_a_sign_in_leaves_nothing_of_the_session_that_it_replaces():
    """In a table of one row, the data and the device of the user's previous sign-in do not reach the next one."""
    world = World(one_row=True)
    world.sign_in()
    world.edit(data='{"cart":1}', data_version=4, device="Safari", device_key="theirs")
    next_one = SignedIn(world.token("jti-9", origin_jti="origin-9"), "rt-9")
    session = run(establish(world.context, next_one), world.ports)
    assert session.sid == world.row["sid"] == "origin-9"
    assert not {"data", "data_version", "device", "device_key"} & world.row.keys()


# --- requests


def test_a_request_moves_the_idle_end_and_records_when():
    """The first request moves it together with the seen mark, a later one alone."""
    world = signed_in(policy=IDLE)
    for _ in range(2):
        world.clock.advance(200)
        world.resolve()
        now = world.context.now()
        assert (world.row["idle_exp"], world.row["active_at"]) == (now + 1000, now)
    assert world.row["seen_at"] == ISSUED_AT + 200


def test_the_idle_end_stops_at_the_absolute_end():
    """A request shortly before the absolute end extends the session to that end at most."""
    world = signed_in(policy=SessionPolicy(idle_seconds=3000, absolute_seconds=3200))
    world.clock.advance(1000)
    world.resolve()
    assert world.row["idle_exp"] == world.row["abs_exp"] == ISSUED_AT + 3200


def test_a_moved_idle_end_still_proves_itself():
    """With keys, the row passes its check after a request has moved its idle end."""
    world = with_keys(policy=IDLE).signed_in()
    for _ in range(3):
        world.clock.advance(300)
        assert type(world.resolve()) is Active
    assert world.row["idle_exp"] == ISSUED_AT + 1900


def test_a_refresh_moves_the_idle_end_and_a_poll_s_does_not():
    """Also with keys: a row that is proved gives a poll no reason to extend the session."""
    for extend in (True, False):
        for make in (World, with_keys):
            world = make(policy=SessionPolicy(idle_seconds=2 * LIFE))
            world.sign_in()
            world.clock.advance(LIFE + 1)
            assert isinstance(world.resolve(extend=extend), Refreshed)
            assert world.row["idle_exp"] == ISSUED_AT + 2 * LIFE + (LIFE + 1 if extend else 0)


def test_near_the_expiry_a_served_request_is_still_marked_as_seen():
    """Too little time to refresh, or another worker took the lease first: served with the presented token, and marked."""
    world = signed_in()
    world.clock.advance(LIFE - 20)
    outcome = world.resolve(deadline=world.clock.monotonic() + 5)
    assert type(outcome) is Active
    assert world.row["seen_at"] == world.context.now()
    world = signed_in()
    world.clock.advance(LIFE - 20)

    def taken(change):
        if change.kind.value == "acquire":
            world.edit(lease_id="theirs", lease_until=int((world.clock.now() + 60) * 1000))

    Recording(world, taken)
    assert type(world.resolve()) is Active
    assert world.row["seen_at"] == world.context.now()
    assert world.provider.requests == []


def test_near_the_expiry_a_device_is_confirmed_before_the_refresh():
    """Cognito refuses to refresh for a device that is not confirmed: the request confirms it, and refreshes nothing."""
    world = signed_in()
    world.clock.advance(LIFE - 20)
    world.edit(device_key="us-east-1_device", device_pending="salt:verifier")
    store = Recording(world)
    assert type(world.resolve()) is Active
    assert store.moves[:2] == ["seen", "device"]
    assert world.provider.requests == []


def test_a_token_that_expires_while_it_is_served_is_refreshed():
    """The write of the seen mark took until after the expiry: nothing expired is served."""
    world = signed_in()
    world.clock.advance(LIFE // 2)
    Recording(world, lambda change: world.clock.advance(LIFE) if change.kind.value == "seen" else None)
    world.provider.answers = [NewTokens(world.token("jti-2", at=LIFE + LIFE // 2), "rt-2")]
    outcome = world.resolve()
    assert isinstance(outcome, Refreshed)
    assert outcome.session.token_expires_at > world.clock.now()


# --- waiting for another worker


@pytest.fixture
def waiting():
    """An expired session that another worker is refreshing."""
    world = signed_in()
    world.clock.advance(LIFE + 1)
    world.edit(lease_id="theirs", lease_until=int((world.clock.now() + 60) * 1000), lease_for="")
    return world


def test_a_request_that_waits_writes_nothing_and_ends_a_second_before_the_function(waiting):
    """Neither a mark nor a device's confirmation: it polls until one second before the worker is stopped."""
    store = Recording(waiting)
    deadline = waiting.clock.monotonic() + 5
    with pytest.raises(LeaseBusy):
        waiting.resolve(deadline=deadline)
    assert deadline - 1 <= waiting.clock.monotonic() < deadline - 0.4
    assert store.moves == []
    assert "seen_at" not in waiting.row


def test_the_first_look_again_comes_soon(waiting):
    """After at most three times the shortest pause: a refresh takes a fraction of a second."""
    slept = []
    waiting.ports = waiting.ports._replace(sleep=lambda seconds: (slept.append(seconds), waiting.clock.advance(seconds)))
    waiting.context = waiting.context._replace(entropy=lambda count: b"\xff" * count)
    with pytest.raises(LeaseBusy):
        waiting.resolve()
    assert slept[0] == pytest.approx(0.15, abs=1e-6)


def test_a_request_without_time_to_wait_does_not_sleep(waiting):
    """With exactly the reserve of one second left it answers at once."""
    began = waiting.clock.monotonic()
    with pytest.raises(LeaseBusy):
        waiting.resolve(deadline=began + 1)
    assert waiting.clock.monotonic() == began


def test_a_row_that_vanishes_while_a_request_waits_is_an_unknown_session(waiting):
    """Deleted between two polls: rejected, and no error."""
    waiting.ports = waiting.ports._replace(sleep=lambda seconds: (waiting.clock.advance(seconds), waiting.store.rows.clear()))
    assert waiting.resolve() == Rejected(Reason.UNKNOWN_SESSION)


def test_a_token_is_expired_in_the_second_of_its_expiry():
    """While refreshing cools down, the 503 comes at once and not after a pause."""
    world = signed_in()
    world.clock.advance(LIFE)
    world.edit(retry_at=world.context.now() + 5)
    with pytest.raises(SessionUnavailable, match="did not refresh") as caught:
        world.resolve()
    assert (caught.value.retry_after, world.clock.now()) == (5, ISSUED_AT + LIFE)


# --- rows of other sign-in code


def test_an_adopted_row_gets_what_a_sign_in_writes():
    """The first refresh of a row that other code wrote sets its owner, its sign-in and its ends."""
    world = World()
    world.store.rows[(SUB, SID)] = {"sub": SUB, "sid": SID, "token": "rt-0"}
    world.clock.advance(LIFE + 1)
    refreshed = world.resolve()
    assert isinstance(refreshed, Refreshed)
    now, row = world.context.now(), world.row
    assert (row["created_at"], row["auth_time"], row["username"]) == (now, ISSUED_AT, refreshed.session.username)
    assert row["abs_exp"] == row["ttl"] == now + 7 * DAY
    assert row["idle_exp"] == now + DAY


def test_a_bare_row_s_own_sign_in_time_is_not_believed():
    """It may be an earlier session's: the token's claim counts for `max_age`."""
    world = signed_in()
    world.edit(token="rt-foreign", auth_time=ISSUED_AT + 9)
    session = world.resolve(world.token(auth_time=ISSUED_AT - 50)).session
    assert session.auth_time == ISSUED_AT - 50


def test_a_row_whose_refresh_token_was_removed_opens_nothing():
    """Neither a request nor a sign-out takes it for a session."""
    world = signed_in()
    del world.row["token"]
    assert world.resolve() == Rejected(Reason.UNKNOWN_SESSION)
    assert run(log_out(world.context, f"token={world.token()}"), world.ports) == Rejected(Reason.SESSION_ENDED)
    assert world.row["state"] == "active"
    assert not is_live(SessionRecord.from_row(SessionKey(SUB, SID), world.row), world.context.now())


# --- commits


def test_a_refresh_token_that_did_not_rotate_is_not_written_again():
    """The access token cannot be served and the refresh token is the one that was sent: only the lease is released."""
    world = signed_in()
    world.clock.advance(LIFE + 1)
    world.provider.answers = [NewTokens(world.token("jti-2", at=LIFE + 1, origin_jti=...), "rt-1")]
    store = Recording(world)
    with pytest.raises(ConfigurationError):
        world.resolve()
    assert store.moves == ["acquire", "release"]


def test_no_pause_for_keys_before_the_commit():
    """The new token's key is not published yet: its tokens are stored at once and verified before use."""
    world = signed_in()
    world.clock.advance(LIFE + 1)
    began = world.clock.monotonic()
    new = Issuer(kid="key-2").access_token(jti="jti-2", iat=ISSUED_AT + LIFE + 1)
    world.provider.answers = [NewTokens(new, "rt-2")]
    committed = []
    Recording(world, lambda change: committed.append(world.clock.monotonic()) if change.kind.value == "commit" else None)
    with pytest.raises(SessionUnavailable):
        world.resolve()
    assert committed == [began]


# --- sealed cookies and data


def test_a_healed_sealed_cookie_names_the_current_generation():
    """The response to a refresh was lost: the next answer carries a cookie of the generation that the row holds."""
    world = with_keys()
    world.context = world.context._replace(sealed_cookie=True, cookie=Cookie("__Host-session"))
    first = world.sign_in().set_cookies[0].partition(";")[0]
    world.clock.advance(LIFE + 1)
    assert isinstance(run(resolve(world.context, first), world.ports), Refreshed)
    world.clock.advance(1)
    (line,) = run(resolve(world.context, first), world.ports).session.set_cookies
    credential = run(identify(world.context, line.partition(";")[0]), world.ports)
    assert credential.gen == world.row["gen"] == 2


def test_a_save_whose_answer_was_lost_is_recognized_without_another_read():
    """The repeated write meets its own result: saved, even where no time is left to look again."""
    world = with_keys().signed_in()
    session = world.resolve().session
    store = Recording(world)
    write = store.store.write

    class Twice:
        """Resends each write, as a transport does whose first answer was lost."""

        load, rows_of = store.load, store.rows_of
        one_row_per_user = False

        def write(self, change):
            write(change)
            return write(change)

    world.ports = world.ports._replace(store=Twice())
    assert run(save_data(world.context, session, {"n": 1}), world.ports) == 1
    assert store.loads == 1


def test_a_row_of_a_manager_without_keys_is_not_given_data():
    """The row was written with keys that this worker lacks: the error names the setting."""
    world = with_keys().signed_in()
    session = world.resolve().session
    world.context = world.context._replace(seals=False)
    with pytest.raises(ConfigurationError, match=r"^SESSION_KEYS: not set"):
        run(save_data(world.context, session, {"n": 1}), world.ports)
