"""Confirming and forgetting a tracked device, stepped through without Cognito."""

from __future__ import annotations

from base64 import b64decode

import pytest

from cognito_session.core.crypto.access_token import parse
from cognito_session.core.crypto.keyring import Keyring
from cognito_session.core.crypto.srp import number_bytes, verifier
from cognito_session.core.errors import ConfigurationError, ProviderUnavailable
from cognito_session.core.policy import SessionPolicy
from cognito_session.core.protocol import writes
from cognito_session.core.protocol.device_cookie import dropped_device, find_device, keep_device
from cognito_session.core.protocol.device_tracking import (
    ADMIN_SCOPE,
    DeviceSecret,
    confirm_pending,
    device_of,
    device_verifier,
    new_device_secret,
)
from cognito_session.core.protocol.establish import SignedIn, establish
from cognito_session.core.protocol.ports import DeviceConfirmation, PoolRefusal
from cognito_session.core.protocol.record import SessionKey, SessionRecord, token_hash
from cognito_session.core.protocol.session import Reason
from cognito_session.core.protocol.sign_out import log_out
from cognito_session.core.protocol.writes import Generation
from cognito_session.drivers.sync import run
from core.test_flow import ISSUER, World
from managed.scene import ring

KEY, GROUP = "us-east-1_00000000-aaaa-4bbb-8ccc-0123456789ab", "-group"
SCOPE = f"openid {ADMIN_SCOPE}"


def world_with_device(*answers):
    """A world whose user pool answers ConfirmDevice so, and a session that waits for it."""
    world = World()
    world.provider.device_answers = [ProviderUnavailable("down"), *answers]
    world.sign_in(device_key=KEY, device_group=GROUP)
    return world


def token_of(world):
    return parse(world.token(scope=SCOPE), ISSUER.rules)


def record_of(world):
    return SessionRecord.from_row(SessionKey(world.row["sub"], world.row["sid"]), world.row)


@pytest.fixture(autouse=True)
def tokens_with_the_scope(monkeypatch):
    """Every token of this file's worlds may be used for the user's own devices."""
    plain = World.token
    monkeypatch.setattr(World, "token", lambda self, *a, **more: plain(self, *a, **{"scope": SCOPE, **more}))


def test_a_function_that_ends_soon_confirms_later():
    """With little of the function's time left, a sign-in leaves the call to the next request, and a sign-out leaves it out."""
    world = World()
    signed_in = SignedIn(world.token(), "rt-1", device_key=KEY, device_group=GROUP)
    run(establish(world.context.with_time_left(4.9), signed_in), world.ports)
    assert (world.provider.confirmed, "device_retry_at" in world.row) == ([], False)
    world.resolve()
    assert len(world.provider.confirmed) == 1
    cookie = f"token={world.token()}"
    assert run(log_out(world.context.with_time_left(4.9), cookie), world.ports) is None
    assert (world.provider.forgotten, world.provider.revoked) == ([], ["rt-1"])
    assert world.events[-1] == "device_not_forgotten"


def test_of_many_requests_one_confirms():
    """Two requests that read the same row: one takes the turn and calls, the other does nothing."""
    world = world_with_device()
    world.clock.advance(61)
    read = record_of(world)
    for _ in range(2):
        run(confirm_pending(world.context, read, token_of(world)), world.ports)
    assert len(world.provider.confirmed) == 2  # one at sign-in, one of these
    assert "device_pending" not in world.row


def test_the_same_verifier_is_sent_again():
    """A later confirmation sends the verifier of the first: the browser holds the password that fits it."""
    world = world_with_device()
    world.clock.advance(61)
    world.resolve()
    first, second = world.provider.confirmed
    assert (first.salt, first.verifier, first.device_key) == (second.salt, second.verifier, second.device_key)


class Keys:
    """A keyring."""

    def keyring(self, *, newer):
        del newer
        return Keyring.parse(ring(1))


@pytest.mark.parametrize("sealed", [True, False])
def test_with_keys_the_verifier_is_sealed_and_no_other_is_sent(sealed):
    """Whoever chooses the verifier knows the device's password: a writer of the table cannot put theirs into the row."""
    world = World()
    world.context = world.context._replace(seals=True)
    world.ports = world.ports._replace(keyrings=Keys())
    world.provider.device_answers = [ProviderUnavailable("down")]
    world.sign_in(device_key=KEY, device_group=GROUP)
    assert world.row["device_pending"].startswith("sealed.")
    if not sealed:
        world.edit(device_pending="salt:verifier")
    world.clock.advance(61)
    assert world.resolve().session.sub
    assert len(world.provider.confirmed) == (2 if sealed else 1)
    assert world.events.count("device_not_confirmed") == (1 if sealed else 2)


def test_a_refusal_is_not_repeated():
    """What Cognito refuses is reported once and not asked again."""
    world = world_with_device(PoolRefusal("InvalidParameterException"))
    for _ in range(3):
        world.clock.advance(61)
        world.resolve()
    assert len(world.provider.confirmed) == 2
    assert world.events.count("device_not_confirmed") == 2


@pytest.mark.parametrize("fault", [ProviderUnavailable("down"), ConfigurationError("no AWS credentials"), RuntimeError("x")])
def test_no_failure_of_a_confirmation_loses_a_sign_in(fault):
    """An outage and a setup that is wrong leave the session standing, and its row waits."""
    world = World()
    world.provider.device_answers = [fault]
    assert world.sign_in(device_key=KEY, device_group=GROUP).sub
    assert world.row["device_pending"]


def test_without_the_scope_nothing_is_called():
    """A token that may not be used for the user's devices costs no call; it is reported, with the scope that is missing."""
    world = World()
    token = parse(World.token(world, scope="openid"), ISSUER.rules)
    kept = run(device_of(world.context, DeviceSecret(KEY, GROUP, "p"), token), world.ports)
    assert (kept, world.provider.confirmed, world.events) == ({"device_key": KEY}, [], ["device_not_confirmed"])


def test_a_sign_in_that_is_refused_confirms_no_device():
    """A sign-in from before "sign out everywhere" does not land, and Cognito keeps no confirmed device of it."""
    world = World(one_row=True)
    world.sign_in()
    world.edit(not_before=world.context.now() + 1)
    signed_in = SignedIn(world.token(origin_jti="another"), "rt-2", device_key=KEY, device_group=GROUP)
    assert run(establish(world.context, signed_in), world.ports).reason is Reason.SIGNED_OUT
    assert world.provider.confirmed == []


def test_a_worker_that_dies_while_it_confirms_leaves_the_device_to_the_next_request(monkeypatch):
    """The row knows the device before Cognito is asked to confirm it, so a later request confirms it."""

    class Killed(BaseException):
        """The end of the worker."""

    def die(confirmation):
        raise Killed

    world = World()
    with monkeypatch.context() as patch:
        patch.setattr(world.provider, "confirm_device", die)
        with pytest.raises(Killed):
            world.sign_in(device_key=KEY, device_group=GROUP)
    world.clock.advance(61)
    world.resolve()
    assert [each.device_key for each in world.provider.confirmed] == [KEY]
    assert "device_pending" not in world.row


def test_a_confirmation_is_repeated_before_the_token_ends():
    """Near the token's end, after which nothing can confirm the device, the pause is half of what is left of it."""
    world = world_with_device(ProviderUnavailable("down"))
    end = token_of(world).expires_at
    world.clock.advance(end - world.context.now() - 40)
    for seconds, calls in ((0, 2), (19, 2), (1, 3)):
        world.clock.advance(seconds)
        run(confirm_pending(world.context, record_of(world), token_of(world)), world.ports)
        assert len(world.provider.confirmed) == calls
    assert "device_pending" not in world.row


def test_a_verifier_fits_its_password():
    """Salt and verifier are base64 of what the password makes over group and key; the password is 40 random bytes."""
    secret = new_device_secret(lambda size: b"\x07" * size, KEY, GROUP)
    salt, _, made = device_verifier(lambda size: b"\x09" * size, secret).partition(":")
    assert b64decode(salt) == b"\x09" * 16
    assert b64decode(made) == number_bytes(verifier(GROUP + KEY, secret.password, int.from_bytes(b"\x09" * 16)))
    assert b64decode(secret.password) == b"\x07" * 40


def test_nothing_secret_shows():
    """Neither a confirmation nor a device's secret prints what it holds."""
    confirmation = DeviceConfirmation("canary-1", "canary-2", "canary-3", "canary-4", "Firefox")
    assert "canary" not in f"{confirmation!r} {DeviceSecret('canary', 'canary', 'canary')!r}"
    assert "Firefox" in repr(confirmation)


def test_an_adopted_row_forgets_the_device_before_it():
    """A commit over a row of other sign-in code, on a user pool without devices, drops what an earlier session left."""
    row = {"sub": "u", "token": "rt", "device_key": KEY, "device_pending": "a:b", "device_retry_at": 5}
    record = SessionRecord.from_row(SessionKey("u", "s"), row)
    new = Generation(parse(World().token(), ISSUER.rules), "rt2", "at2", "rt2", verified=True)
    change = writes.commit(record, new, lease_id="l", now=9, presented_jti=None, adopted={"username": "n"})
    assert {"device_key", "device_pending", "device_retry_at"} <= change.drop
    kept = writes.commit(record, new, lease_id="l", now=9, presented_jti=None, adopted={"device_key": "mine"})
    assert kept.put["device_key"] == "mine"
    assert "device_key" not in kept.drop


def test_ended_rows_hold_no_verifier():
    """A tombstone keeps neither the device's key nor its verifier."""
    row = {"sub": "u", "sid": "s", "token": "rt", "token_hash": token_hash("rt"), "state": "active", "gen": 1}
    record = SessionRecord.from_row(SessionKey("u", "s"), {**row, "device_key": KEY, "device_pending": "a:b"})
    dropped = writes.log_out(record, Reason.SESSION_ENDED, now=5).drop
    assert {"device_key", "device_pending"} <= dropped


def test_without_keys_there_is_no_device_cookie():
    """Nothing is sealed without keys, so nothing is set, and what a browser sends is not read."""
    world = World(policy=SessionPolicy())
    secret = DeviceSecret(KEY, GROUP, "p")
    assert run(keep_device(world.context, secret, "n", "n"), world.ports) == ()
    assert run(find_device(world.context, "__Host-token-device=x", "n"), world.ports) is None
    assert dropped_device(world.context, "__Host-token-device=x") != ()
