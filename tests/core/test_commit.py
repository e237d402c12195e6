"""From Cognito's answer to the commit: nothing gives up before patience ends, and what stands in the way is told."""

from __future__ import annotations

import pytest

from cognito_session.core.crypto.key_set import KeySet
from cognito_session.core.crypto.keyring import Keyring
from cognito_session.core.errors import (
    ConfigurationError,
    KeysUnavailable,
    ProviderUnavailable,
    SessionUnavailable,
    StoreUnavailable,
)
from cognito_session.core.policy import SessionPolicy
from cognito_session.core.protocol.ports import NewTokens, RefreshDenied
from cognito_session.core.protocol.session import Active, Reason, Refreshed, Rejected
from cognito_session.drivers.sync import run
from core.test_flow import ISSUED_AT, LIFE, Keys, World
from support.sealing_keys import ring
from support.tokens import Issuer


class Refusing:
    """The world's store, which fails the writes of some moves: `times` of them, or all."""

    def __init__(self, world, fault, *moves, times=None):
        self.world, self.store, self.fault, self.moves, self.left = world, world.store, fault, moves, times
        self.at = []
        world.ports = world.ports._replace(store=self)

    one_row_per_user = False

    def load(self, key):
        return self.store.load(key)

    def rows_of(self, sub):
        return self.store.rows_of(sub)

    def write(self, change):
        if change.kind.value in self.moves and self.left != 0:
            self.left = None if self.left is None else self.left - 1
            self.at.append(self.world.clock.monotonic())
            raise self.fault
        return self.store.write(change)


@pytest.fixture
def world():
    """A session whose access token has expired; Cognito rotates."""
    made = World()
    made.sign_in()
    made.clock.advance(LIFE + 1)
    return made


FAULTS = [ConfigurationError("the role may not write"), StoreUnavailable("throttled"), KeyError("a store's own bug")]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
@pytest.mark.parametrize("times", [1, 5])
def test_a_commit_that_fails_is_repeated(world, fault, times):
    """Whatever the store answers, the new token is held and its commit repeated: served, after one call."""
    Refusing(world, fault, "commit", times=times)
    assert isinstance(world.resolve(), Refreshed)
    assert world.row["token"] == "rt-2"
    assert len(world.provider.requests) == 1


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_the_cause_is_raised_when_patience_ends(world, fault):
    """Repeated with growing pauses until 12 seconds are over and no longer, then the real cause; reported as well."""
    store = Refusing(world, fault, "commit")
    began = world.clock.monotonic()
    with pytest.raises(type(fault)) as caught:
        world.resolve()
    assert 11.9 <= store.at[-1] - began <= 12.1
    assert 5 < len(store.at) < 30
    assert "commit_failed" in world.events
    if isinstance(fault, StoreUnavailable):
        assert "throttled" in str(caught.value)
        assert caught.value.__cause__ is fault
    else:
        assert caught.value is fault


def test_a_commit_ends_before_the_function_does(world):
    """With 8 seconds left the last try is one second before the end."""
    store = Refusing(world, ConfigurationError("no"), "commit")
    deadline = world.clock.monotonic() + 8
    with pytest.raises(ConfigurationError):
        world.resolve(deadline=deadline)
    assert deadline - 1.1 <= store.at[-1] <= deadline - 0.9


def test_a_request_that_has_waited_holds_its_token_no_shorter(world):
    """Patience that was spent on waiting for a sibling's lease is not missing once the answer is there."""
    world.edit(lease_id="theirs", lease_until=int((world.clock.now() + 9) * 1000), lease_for="")
    Refusing(world, ConfigurationError("no"), "commit", times=8)
    assert isinstance(world.resolve(), Refreshed)


def test_a_commit_that_fails_while_the_old_token_is_valid_is_served(world):
    """In the refresh window nobody notices a store that takes no tokens, except the operator."""
    world = World()
    world.sign_in()
    world.clock.advance(LIFE - 60)
    Refusing(world, KeyError("secret"), "commit")
    assert type(world.resolve()) is Active
    assert {"commit_failed", "write_failed"} <= set(world.events)


# --- the other writes


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
@pytest.mark.parametrize("move", ["seen", "touch"])
def test_a_mark_of_use_that_fails_changes_no_answer(fault, move):
    """Served as ever; an error that is no outage is reported."""
    world = World()
    world.sign_in()
    if move == "touch":
        world.resolve()
        world.clock.advance(LIFE // 2)
        world.edit(idle_exp=ISSUED_AT + LIFE)
    Refusing(world, fault, move)
    assert type(world.resolve()) is Active
    told = {"misconfigured", "write_failed"} & set(world.events)
    assert bool(told) is not isinstance(fault, StoreUnavailable)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_a_device_whose_turn_cannot_be_taken_changes_no_answer(fault):
    """Served without a confirmation; an error that is no outage is reported."""
    world = World()
    world.sign_in()
    world.edit(device_key="us-east-1_device", device_pending="salt:verifier", seen_at=ISSUED_AT)
    store = Refusing(world, fault, "device")
    assert type(world.resolve()) is Active
    assert len(store.at) == 1
    told = {"misconfigured", "write_failed"} & set(world.events)
    assert bool(told) is not isinstance(fault, StoreUnavailable)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_a_lease_that_cannot_be_given_back_hides_no_cause(world, fault):
    """Cognito's throttling is what the request is told; the failed write is reported unless it is an outage."""
    world.provider.answers = [ProviderUnavailable("throttled", sent=True)]
    Refusing(world, fault, "release")
    with pytest.raises(ProviderUnavailable):
        world.resolve()
    told = {"misconfigured", "write_failed"} & set(world.events)
    assert bool(told) is not isinstance(fault, StoreUnavailable)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
@pytest.mark.parametrize("move", ["acquire", "verdict"])
def test_a_refresh_ahead_of_time_that_fails_leaves_the_request_served(fault, move):
    """While the token is valid nothing that goes wrong with a refresh shows."""
    world = World()
    world.sign_in()
    world.clock.advance(LIFE - 60)
    world.provider.answers = [RefreshDenied("dead", "NotAuthorizedException")]
    Refusing(world, fault, move)
    assert type(world.resolve()) is Active


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_a_confirmed_suspicion_that_cannot_be_written_leaves_a_valid_token_served(fault):
    """Served as while the verdict was open; a token that has expired brings the cause."""
    world = World()
    world.sign_in()
    world.clock.advance(LIFE - 20)
    world.edit(suspect_at=int(world.clock.now()) - 9)
    Refusing(world, fault, "verdict")
    assert type(world.resolve()) is Active
    world.clock.advance(21)
    with pytest.raises(type(fault)):
        world.resolve()


# --- what else stands between the answer and the commit


class KeysAfterTheCall(Keys):
    """Keys as they are until Cognito has answered, then what `then` does."""

    def __init__(self, world, then):
        self.world, self.then = world, then

    def keys(self, missing_kid):
        return self.then(missing_kid) if self.world.provider.requests else super().keys(missing_kid)


class Published(Keys):
    """Both keys of a user pool that has a new one."""

    def __init__(self, world, new):
        self.new = new

    def keys(self, missing_kid):
        return KeySet({**super().keys(missing_kid).keys, **self.new.key_set().keys}, 0.0)


def failing(fault):
    """Keys that raise it."""

    def keys(missing_kid):
        raise fault

    return keys


@pytest.mark.parametrize("fault", [KeysUnavailable("down"), ConfigurationError("no transport"), OSError("?")], ids=repr)
def test_keys_that_fail_after_the_answer_lose_nothing(world, fault):
    """Whatever keeps the keys away: the tokens are committed, and served once they are verified."""
    whole = world.ports
    world.ports = whole._replace(keys=KeysAfterTheCall(world, failing(fault)))
    with pytest.raises(KeysUnavailable):
        world.resolve()
    assert (world.row["token"], world.row["unverified"]) == ("rt-2", True)
    world.ports = whole
    assert isinstance(world.resolve(), Active)


def test_a_new_signing_key_loses_nothing(world):
    """The pool signs with a key that the key set at hand lacks: committed, 503 until the key is there, no alarm."""
    new = Issuer(kid="key-2")
    world.provider.answers = [NewTokens(new.access_token(jti="jti-2", iat=ISSUED_AT + LIFE + 1), "rt-2")]
    for _ in range(2):
        with pytest.raises(KeysUnavailable):
            world.resolve()
        world.clock.advance(1)
    assert world.row["token"] == "rt-2"
    assert "tampered" not in world.events
    world.ports = world.ports._replace(keys=Published(world, new))
    assert isinstance(world.resolve(), Active)


@pytest.mark.parametrize("cause", ["origin_jti", "claims", "signature"])
def test_a_token_that_cannot_be_served_does_not_cost_the_refresh_token(world, cause):
    """The operator turned EnableTokenRevocation off, a trigger writes claims that are none, a signature does not hold:
    nobody is served, the rotated refresh token is kept, and once the cause is gone the session goes on.
    """
    good = world.token("jti-2", at=LIFE + 1)
    bad = {
        "origin_jti": lambda: world.token("jti-2", at=LIFE + 1, origin_jti=...),
        "claims": lambda: world.token("jti-2", at=LIFE + 1, **{"cognito:groups": "staff"}),
        "signature": lambda: good[:-8] + ("A" * 8 if good[-8:] != "A" * 8 else "B" * 8),
    }[cause]()
    world.provider.answers = [NewTokens(bad, "rt-2")]
    with pytest.raises(ConfigurationError if cause == "origin_jti" else ProviderUnavailable):
        world.resolve()
    assert (world.row["token"], world.row["gen"]) == ("rt-2", 1)
    assert "lease_id" not in world.row
    world.clock.advance(2)
    world.provider.answers = [NewTokens(world.token("jti-3", at=LIFE + 3), "rt-3")]
    assert isinstance(world.resolve(), Refreshed)
    assert world.provider.requests[-1].refresh_token == "rt-2"


class Ring:
    """A keyring that never changes."""

    def keyring(self, *, newer):
        del newer
        return Keyring.parse(ring(1))


@pytest.mark.parametrize("before_keys", [False, True])
def test_a_kept_refresh_token_leaves_the_row_proved(before_keys):
    """With keys, the row that keeps a rotated refresh token still proves what it says; one from before keys stays as it is."""
    world = World()
    sealed = {"seals": True, "policy": SessionPolicy(accept_unsealed_rows=True)}
    world.ports = world.ports._replace(keyrings=Ring())
    if not before_keys:
        world.context = world.context._replace(**sealed)
    world.sign_in()
    world.context = world.context._replace(**sealed)
    world.clock.advance(LIFE + 1)
    world.provider.answers = [NewTokens(world.token("jti-2", at=LIFE + 1, origin_jti=...), "rt-2")]
    with pytest.raises(ConfigurationError):
        world.resolve()
    assert world.row["token"].startswith("rt-2" if before_keys else "sealed.")
    assert ("row_code" in world.row) is not before_keys
    world.clock.advance(2)
    world.provider.answers = [NewTokens(world.token("jti-3", at=LIFE + 3), "rt-3")]
    refreshed = world.resolve()
    assert isinstance(refreshed, Refreshed)
    assert world.provider.requests[-1].refresh_token == "rt-2"
    world.context = world.context._replace(policy=SessionPolicy())
    assert isinstance(world.resolve(refreshed.session.access_token), Active)


@pytest.mark.parametrize("idle_seconds", [None, 600])
def test_a_session_from_before_keys_is_proved_by_a_poll_s_refresh(idle_seconds):
    """Also by a refresh that does not move the idle end, whatever the idle span is by then."""
    world = World()
    world.ports = world.ports._replace(keyrings=Ring())
    world.sign_in()
    policy = SessionPolicy(accept_unsealed_rows=True, idle_seconds=idle_seconds)
    world.context = world.context._replace(seals=True, policy=policy)
    world.clock.advance(LIFE + 1)
    refreshed = world.resolve(extend=False)
    assert isinstance(refreshed, Refreshed)
    world.context = world.context._replace(policy=SessionPolicy(idle_seconds=idle_seconds))
    assert isinstance(world.resolve(refreshed.session.access_token), Active)


def test_keys_that_seal_are_read_before_the_call(world):
    """Sealing keys that cannot be read just then cost a 503 and no refresh call; read once, they are not asked for again."""

    class Source:
        asked, down = 0, False

        def keyring(self, *, newer):
            self.asked += 1
            if self.down or world.provider.requests:
                raise SessionUnavailable("Secrets Manager is away")
            return Keyring.parse(ring(1))

    source = Source()
    world.context = world.context._replace(seals=True, policy=SessionPolicy(accept_unsealed_rows=True))
    world.ports = world.ports._replace(keyrings=source)
    source.down = True
    with pytest.raises(SessionUnavailable):
        world.resolve()
    assert world.provider.requests == []
    source.down = False
    world.clock.advance(10)
    assert isinstance(world.resolve(), Refreshed)
    assert world.row["token"] != "rt-1"


def test_no_hook_runs_before_the_commit(world):
    """An event hook that takes the worker down with it cannot cost the token."""
    world.provider.answers = [NewTokens(world.token("jti-2", at=LIFE + 1, origin_jti="origin-9"), "rt-2")]

    def hook(event):
        raise SystemExit(event.event)

    world.ports = world.ports._replace(on_event=hook)
    with pytest.raises(SystemExit, match="origin_changed"):
        world.resolve()
    assert world.row["token"] == "rt-2"


def test_a_row_that_cannot_be_read_after_the_answer_is_held_too(world):
    """A row that turns unreadable under the commit and is mended again costs nothing."""

    class Unreadable(Refusing):
        def write(self, change):
            if change.kind.value == "commit" and self.left:
                self.left -= 1
                from cognito_session.core.protocol.conditions import Written

                return Written(applied=False, found={"sub": "x", "gen": "not a number"})
            return self.store.write(change)

    Unreadable(world, None, "commit", times=3)
    assert isinstance(world.resolve(), Refreshed)


def test_a_logout_wins_over_a_held_token(world):
    """While the token is held the session ends: the token is revoked, nobody is served."""
    from cognito_session.core.protocol.sign_out import log_out

    store = Refusing(world, ConfigurationError("no"), "commit", times=1)
    sleep = world.ports.sleep

    def meanwhile(seconds):
        sleep(seconds)
        run(log_out(world.context, f"token={world.token()}"), world.ports._replace(sleep=sleep, store=store.store))

    world.ports = world.ports._replace(sleep=meanwhile)
    assert world.resolve() == Rejected(Reason.SESSION_ENDED)
    assert "rt-2" in world.provider.revoked
