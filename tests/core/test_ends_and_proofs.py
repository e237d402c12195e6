"""How a session ends and how its row is proved: the reported user, session and reason, and the calls that are made."""

from __future__ import annotations

import pytest

from cognito_session.core.cookie import Cookie
from cognito_session.core.crypto.keyring import Keyring
from cognito_session.core.errors import ExpiredOnArrival, StoreUnavailable
from cognito_session.core.policy import SessionPolicy
from cognito_session.core.protocol.data import save_data
from cognito_session.core.protocol.device_cookie import KnownDevice, find_device, keep_device
from cognito_session.core.protocol.device_tracking import DeviceSecret
from cognito_session.core.protocol.devices import is_live, revoke_all
from cognito_session.core.protocol.establish import SignedIn, establish
from cognito_session.core.protocol.record import SessionKey, SessionRecord, token_hash
from cognito_session.core.protocol.session import Active, Reason, Rejected
from cognito_session.core.protocol.sign_out import end_now, log_out
from cognito_session.drivers.sync import run
from core.test_commit import Refusing
from core.test_flow import ISSUED_AT, LIFE
from core.test_told import ENDED, SID, Telling, with_keys
from support.sealing_keys import ring
from support.tokens import SUB

UNSEALED = SessionPolicy(accept_unsealed_rows=True)
FORGETS = SessionPolicy(forget_device_on_sign_out=True)


class Held:
    """A keyring of these keys."""

    def __init__(self, *numbers):
        self.held = Keyring.parse(ring(*numbers))

    def keyring(self, *, newer):
        del newer
        return self.held


@pytest.fixture
def sealed():
    """A session of a manager with keys."""
    return with_keys().signed_in()


# --- proofs


def test_a_row_of_a_retired_key_is_rejected_and_told(sealed):
    """Its key was taken out of SESSION_KEYS: signed out with that reason, and reported for the session."""
    sealed.ports = sealed.ports._replace(keyrings=Held(2))
    outcome = sealed.resolve()
    assert outcome == Rejected(Reason("retired_key"))
    assert sealed.told == [("tampered", SUB, SID, "retired_key")]


def test_a_row_proves_nothing_in_another_user_pool(sealed):
    """The code is bound to the user pool: a row that was copied from another pool's table is refused."""
    sealed.context = sealed.context._replace(rules=sealed.context.rules._replace(user_pool_id="eu-central-1_Another"))
    with pytest.raises(StoreUnavailable) as caught:
        sealed.resolve()
    assert caught.value.reason == "tampered_record"


def test_a_bare_row_opens_with_keys_only_where_the_policy_accepts_it(sealed):
    """A token cookie opens a row of other sign-in code under `accept_unsealed_rows`, and otherwise not."""
    for name in ("row_code", "idle_code", "sid"):
        del sealed.row[name]
    sealed.store.rows[(SUB, SID)] = row = {"sub": SUB, "sid": SID, "token": "rt-0"}
    with pytest.raises(StoreUnavailable):
        sealed.resolve()
    sealed.context = sealed.context._replace(policy=UNSEALED)
    assert isinstance(sealed.resolve(), Active)
    assert row["token"] == "rt-0"


def test_everywhere_names_no_user_that_an_altered_row_names(sealed):
    """All sessions end; the username of a row that fails its check is not sent to Cognito, and the row is reported."""
    sealed.edit(username="mallory")
    sealed.ports = sealed.ports._replace(user_pool=sealed.provider)
    named = []
    sealed.provider.global_sign_out = named.append
    run(revoke_all(sealed.context, SUB), sealed.ports)
    assert ("tampered", SUB, SID, "invalid_seal") in sealed.told
    assert "mallory" not in named
    assert sealed.row["state"] == "ended"


def test_data_that_was_altered_is_told(sealed):
    """A 503 with the reason of a tampered row, reported for the session."""
    run(save_data(sealed.context, sealed.resolve().session, {"role": "user"}), sealed.ports)
    sealed.told.clear()
    sealed.edit(data_version=7)
    with pytest.raises(StoreUnavailable, match=r"^tampered record: ") as caught:
        sealed.resolve()
    assert caught.value.reason == "tampered_record"
    assert sealed.told == [("tampered", SUB, SID, "invalid_seal")]


# --- ends


def test_everywhere_forgets_the_devices():
    """Where the policy forgets a device at sign-out, signing out everywhere forgets it too; a single end does not."""
    for everywhere in (True, False):
        world = Telling(policy=FORGETS).signed_in()
        world.edit(device_key="us-east-1_device")
        text = world.row["access_token"]
        if everywhere:
            run(revoke_all(world.context, SUB), world.ports)
        else:
            run(end_now(world.context, world.record, Reason.SIGNED_OUT), world.ports)
        assert world.provider.forgotten == ([(text, "us-east-1_device")] if everywhere else [])


def test_a_sign_out_leaves_a_session_of_the_other_cookie_kind():
    """The token of a sealed cookie's session is no cookie of it: rejected, and the session goes on."""
    world = Telling().signed_in()
    world.edit(cookie_kind="sealed")
    assert run(log_out(world.context, world.header), world.ports) == Rejected(Reason.WRONG_COOKIE_KIND)
    assert (world.row["state"], world.told) == ("active", [])


def test_a_plain_token_from_before_keys_is_revoked():
    """A sign-out takes rights away: it needs no policy that accepts unsealed rows."""
    world = Telling().signed_in()
    world.context = world.context._replace(seals=True)
    world.ports = world.ports._replace(keyrings=Held(1))
    assert run(log_out(world.context, world.header), world.ports) is None
    assert (world.provider.revoked, world.told) == (["rt-1"], [ENDED])


def test_a_token_that_does_not_open_is_told(sealed):
    """The session ends; the refresh token that was altered cannot be revoked, which is reported with the reason."""
    sealed.edit(token=sealed.row["token"][:-4] + "AAAA")
    assert run(log_out(sealed.context, sealed.header), sealed.ports) is None
    assert sealed.told == [ENDED, ("revoke_failed", SUB, SID, "invalid_seal")]
    assert sealed.provider.revoked == []


def test_an_ended_row_is_not_live_whatever_it_holds():
    """A tombstone whose token came back, and an active row whose token is gone."""
    row = {"sub": SUB, "sid": SID, "state": "active", "gen": 1}
    kept = {"token": "rt", "token_hash": token_hash("rt")}
    for values, live in ((kept, True), ({}, False), ({**kept, "state": "ended"}, False)):
        assert is_live(SessionRecord.from_row(SessionKey(SUB, SID), {**row, **values}), ISSUED_AT) is live


# --- sign-ins that come too late


def test_tokens_that_arrive_expired_tell_how_far_the_clock_is_ahead():
    """Cognito has just issued them: the error names the seconds."""
    world = Telling()
    world.clock.advance(LIFE + 7)
    late = establish(world.context, SignedIn(world.token(), "rt-1"), from_cognito=True)
    with pytest.raises(ExpiredOnArrival, match=rf"about {LIFE + 7} seconds ahead"):
        run(late, world.ports)


def slow(fault=None):
    """A world in which the access token expires while the sign-in is being finished."""
    world = Telling()
    told = world.ports.on_event

    def hook(event):
        told(event)
        if event.event == "established":
            world.clock.advance(LIFE + 1)

    world.ports = world.ports._replace(on_event=hook)
    if fault is not None:
        Refusing(world, fault, "logout").write_all = world.store.write_all
    return world


def test_a_sign_in_that_expires_while_it_is_finished_is_taken_back():
    """Nothing expired is served: the new session ends, its refresh token is revoked, and the user signs in again."""
    world = slow()
    assert world.sign_in() == Rejected(Reason.SIGN_IN_EXPIRED)
    assert (world.row["state"], world.provider.revoked) == ("ended", ["rt-1"])


def test_a_sign_in_that_cannot_be_taken_back_is_told():
    """The store refuses the end: rejected as well, and reported with the session and the reason."""
    world = slow(StoreUnavailable("throttled", reason="throttled"))
    assert world.sign_in() == Rejected(Reason.SIGN_IN_EXPIRED)
    assert world.told[-1] == ("revoke_failed", SUB, SID, "throttled")


# --- the device cookie


def test_a_device_cookie_is_found_behind_others_that_do_not_open():
    """A forged value and one of a key that this worker does not have yet come first: the good one is still used."""
    world = with_keys()
    world.context = world.context._replace(cookie=Cookie("__Host-session"))
    secret = DeviceSecret("us-east-1_device", "group", "password")

    def value():
        (line,) = run(keep_device(world.context, secret, "zoë", "zoë@example.com"), world.ports)
        return line.partition(";")[0]

    good = value()
    name, _, text = good.partition("=")
    world.ports = world.ports._replace(keyrings=Held(2, 1))
    newer = value()
    world.ports = world.ports._replace(keyrings=Held(1))
    for before in ([f"{name}={text[:-4]}AAAA"], [newer], [newer, f"{name}={text[:-4]}AAAA"]):
        found = run(find_device(world.context, "; ".join([*before, good]), "zoë"), world.ports)
        assert found is not None, before
        assert (found.secret, found.username, found.account) == (secret, "zoë", "zoë@example.com")
        assert "secret=..., username=" in repr(found)
        assert found.secret.password not in repr(found)


def test_a_known_device_s_repr_shows_that_there_is_a_secret():
    """Its secret is left out as a whole."""
    shown = repr(KnownDevice(DeviceSecret("k", "g", "p"), "ada", "ada@example.com", 9))
    assert shown == "KnownDevice(secret=..., username='ada', account='ada@example.com', expires_at=9)"
