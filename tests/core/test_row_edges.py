"""Texts with lone surrogates, sealing keys that are asked for, and failed writes of remembered tokens."""

from __future__ import annotations

import pytest

from cognito_session.core.crypto.id_token import _same
from cognito_session.core.errors import ConfigurationError, ProviderUnavailable, StoreUnavailable
from cognito_session.core.protocol.context import refresh_window
from cognito_session.core.protocol.data import save_data
from cognito_session.core.protocol.device_tracking import ADMIN_SCOPE
from cognito_session.core.protocol.ports import NewTokens
from cognito_session.core.protocol.record import USER_SID, token_hash
from cognito_session.core.protocol.sealing import with_keyring
from cognito_session.core.protocol.session import Reason, Refreshed, Rejected
from cognito_session.core.protocol.sign_out import log_out
from cognito_session.core.secret import Secret
from cognito_session.drivers.sync import run
from core.test_commit import Refusing
from core.test_ends_and_proofs import Held
from core.test_flow import ISSUED_AT, LIFE
from core.test_told import SID, Telling, with_keys
from core.test_written_rows import Recording
from support.tokens import SUB

LONE = "\ud800"
"""JSON may spell it as an escape, and UTF-8 cannot encode it."""


# --- lone surrogates


def test_saved_data_may_hold_a_lone_surrogate():
    """JSON can hold it, with keys and without: it is read back as it was saved."""
    for make in (with_keys, Telling):
        world = make().signed_in()
        run(save_data(world.context, world.resolve().session, {"text": LONE}), world.ports)
        assert world.resolve().session.data["text"] == LONE


def test_a_lone_surrogate_is_refused_like_any_other_wrong_text():
    """A code, a claim or a token with one is compared and refused; it is no crash."""
    world = with_keys().signed_in()
    world.edit(row_code=f"1.{LONE}")
    with pytest.raises(StoreUnavailable, match=r"^tampered record: "):
        world.resolve()
    assert not _same(LONE, "nonce")
    assert Secret(LONE) == Secret(LONE)
    assert len(token_hash(LONE)) == 64
    assert 150 <= refresh_window(LONE, 3600) <= 300


# --- keys


class Asked(Held):
    """It records for which kind of keyring it is asked, and has the newer key only then."""

    def __init__(self):
        super().__init__(1)
        self.asked, self.newest = [], Held(2, 1).held

    def keyring(self, *, newer):
        self.asked.append(newer)
        return self.newest if newer else self.held


def test_newer_sealing_keys_are_asked_for_only_where_a_value_needs_them():
    """An ordinary request takes the keyring as it is; a row of a newer key causes exactly one question for newer ones."""
    world = with_keys().signed_in()
    world.ports = world.ports._replace(keyrings=(source := Asked()))
    world.resolve()
    assert source.asked
    assert not any(source.asked)
    newer = with_keys()
    newer.ports = newer.ports._replace(keyrings=Held(2, 1))
    newer.signed_in()
    newer.ports = newer.ports._replace(keyrings=(source := Asked()))
    newer.resolve()
    assert source.asked[:2] == [False, True]
    assert {type(each) for each in source.asked} == {bool}
    assert run(with_keyring(lambda held: held.newest.sequence), newer.ports) == 1


# --- remembered tokens


def test_a_failed_write_of_remembered_tokens_is_told_by_its_name():
    """The session has ended and its token is revoked later: the operator reads which write failed."""
    world = with_keys().signed_in()
    revoke = world.provider.revoke

    def down(token):
        raise ProviderUnavailable("down")

    world.provider.revoke = down
    store = Recording(world)
    run(log_out(world.context, world.header), world.ports)
    assert store.moves == ["logout", "remember", "remember"]
    world.provider.revoke = revoke
    world.ports = world.ports._replace(store=store.store)
    world.told.clear()
    Refusing(world, KeyError("a secret"), "remember")
    assert world.resolve() == Rejected(Reason.SESSION_ENDED)
    told = [each for each in world.told if each[0] == "write_failed"]
    assert told == [("write_failed", SUB, SID, "remember: KeyError"), ("write_failed", SUB, USER_SID, "remember: KeyError")]


# --- a changed origin in a table of one row


def test_after_a_changed_origin_everything_sealed_still_opens_in_a_table_of_one_row():
    """The row keeps its session id, which its secrets are sealed for, though the presented token has another origin."""
    world = with_keys(one_row=True).signed_in()
    presented = None
    for number in (1, 2, 3):
        world.clock.advance(LIFE + 1)
        at = int(world.clock.now()) - ISSUED_AT
        new = world.token(f"jti-{number + 1}", at=at, origin_jti="origin-9")
        world.provider.answers = [NewTokens(new, f"rt-{number + 1}")]
        outcome = world.resolve(presented)
        assert isinstance(outcome, Refreshed)
        assert outcome.session.sid == SID
        if number > 1:  # the response was lost: the previous cookie is served with the stored token
            assert world.resolve(presented).session.access_token == outcome.session.access_token
        presented = outcome.session.access_token
        assert run(save_data(world.context, outcome.session, {"n": number}), world.ports) == number
        assert dict(world.resolve(presented).session.data) == {"n": number}
    world.clock.advance(LIFE + 1)
    unusable = world.token("jti-5", at=int(world.clock.now()) - ISSUED_AT, origin_jti=...)
    world.provider.answers = [NewTokens(unusable, "rt-5")]
    with pytest.raises(ConfigurationError):
        world.resolve(presented)
    world.clock.advance(2)
    new = world.token("jti-6", at=int(world.clock.now()) - ISSUED_AT, origin_jti="origin-9")
    world.provider.answers = [NewTokens(new, "rt-6")]
    presented = world.resolve(presented).session.access_token
    assert [request.refresh_token for request in world.provider.requests] == ["rt-1", "rt-2", "rt-3", "rt-4", "rt-5"]

    def down(token):
        raise ProviderUnavailable("down")

    revoke, world.provider.revoke = world.provider.revoke, down
    run(log_out(world.context, f"token={presented}"), world.ports)
    (entry,) = world.row["unrevoked"]
    assert entry.startswith(f"{SID} sealed.")
    world.provider.revoke = revoke
    world.resolve(presented)
    assert world.provider.revoked == ["rt-6"]


def test_after_a_changed_origin_a_pending_device_is_still_confirmed():
    """Its sealed verifier opens for the row's own session id, in a table of one row too."""
    world = with_keys(one_row=True)
    plain = world.token
    world.token = lambda *a, **more: plain(*a, **{"scope": f"openid {ADMIN_SCOPE}", **more})
    world.provider.device_answers = [ProviderUnavailable("down")]
    world.sign_in(device_key="us-east-1_device", device_group="-group")
    world.clock.advance(LIFE + 1)
    new = world.token("jti-2", at=LIFE + 1, origin_jti="origin-9")
    world.provider.answers = [NewTokens(new, "rt-2")]
    assert isinstance(world.resolve(), Refreshed)
    assert "device_pending" in world.row
    world.clock.advance(61)
    world.resolve(new)
    assert [each.device_key for each in world.provider.confirmed] == ["us-east-1_device"] * 2
    assert "device_pending" not in world.row
    assert not any(event == "device_not_confirmed" and detail == "invalid_seal" for event, _, _, detail in world.told)
