"""refresh.py: what one attempt reads before the call, whom it names in the call, and what it serves after the commit."""

from __future__ import annotations

import pytest

from cognito_session.core.crypto.access_token import verify
from cognito_session.core.crypto.credential import TokenCredential
from cognito_session.core.crypto.keyring import Keyring
from cognito_session.core.errors import ProviderUnavailable, SessionUnavailable
from cognito_session.core.policy import SessionPolicy
from cognito_session.core.protocol import writes
from cognito_session.core.protocol.data import save_data
from cognito_session.core.protocol.ports import Denied
from cognito_session.core.protocol.record import token_hash
from cognito_session.core.protocol.refresh import Renewal
from cognito_session.core.protocol.session import Reason, Refreshed, Rejected
from cognito_session.drivers.sync import run
from core.test_flow import ISSUED_AT, ISSUER, LIFE
from core.test_told import SID, Telling
from support.sealing_keys import ring
from support.tokens import SUB


class Ring:
    """A keyring that may be away, and counts how often it was asked for."""

    asked, down = 0, False

    def keyring(self, *, newer):
        del newer
        self.asked += 1
        if self.down:
            raise SessionUnavailable("Secrets Manager is away")
        return Keyring.parse(ring(1))


@pytest.fixture
def expired():
    """A session whose access token has expired."""
    world = Telling().signed_in()
    world.clock.advance(LIFE + 1)
    return world


@pytest.fixture
def sealed():
    """The same with sealing keys."""
    world = Telling()
    world.context = world.context._replace(seals=True)
    world.source = Ring()
    world.ports = world.ports._replace(keyrings=world.source)
    world.signed_in()
    world.clock.advance(LIFE + 1)
    return world


def renewal(world, **more):
    """One attempt by the presenter of the session's first token."""
    token = verify(world.token(), ISSUER.key_set(), ISSUER.rules)
    return Renewal(world.context, TokenCredential(token), world.clock.monotonic() + 12, **more)


def test_a_refresh_is_use_unless_it_is_said_to_be_none(expired):
    """The idle end moves to its span from now; a poll's refresh leaves it where it was."""
    before = expired.row["idle_exp"]
    run(renewal(expired, extend=False).run(expired.record), expired.ports)
    assert expired.row["idle_exp"] == before
    again = Telling().signed_in()
    again.clock.advance(LIFE + 1)
    run(renewal(again).run(again.record), again.ports)
    assert again.row["idle_exp"] == ISSUED_AT + LIFE + 1 + 86_400


def test_a_refresh_token_that_does_not_open_is_refused_and_told(sealed):
    """The user and the session, with the reason; no call is made, and the row is as it was."""
    record = sealed.record._replace(token=sealed.record.token[:-8])
    before = dict(sealed.row)
    assert run(renewal(sealed).run(record), sealed.ports) == Rejected(Reason.INVALID_SEAL)
    assert sealed.told == [("tampered", SUB, SID, "invalid_seal")]
    assert (sealed.row, sealed.provider.requests) == (before, [])


def test_the_keys_are_not_read_again_under_the_lease(sealed):
    """Keys that go away once the lease is written do not stop the refresh: the row is proved with those read before."""
    record = sealed.record
    write = sealed.store.write

    def acquired(change):
        sealed.source.down = True
        return write(change)

    sealed.store.write = acquired
    found = run(renewal(sealed)._acquire(record, Keyring.parse(ring(1))), sealed.ports)
    assert isinstance(found, tuple)


@pytest.mark.parametrize("foreign", [False, True], ids=["ours", "foreign"])
def test_a_lease_that_another_worker_took_denies_nobody(expired, foreign):
    """Neither the session nor the other worker's refresh has ended: the attempt is open, and no call is made."""
    if foreign:
        expired.edit(token="rt-foreign")
    record = expired.record
    expired.edit(lease_id="theirs", lease_until=int((expired.clock.now() + 6) * 1000))
    assert run(renewal(expired).run(record), expired.ports) is None
    assert expired.provider.requests == []


def test_a_session_that_ended_meanwhile_is_denied_unless_other_code_signed_in_over_it(expired):
    """A tombstone denies. A foreign token over the tombstone is another sign-in, which is looked at again."""
    record = expired.record
    expired.edit(state="ended", reason="signed_out")
    del expired.row["token"]
    assert run(renewal(expired).run(record), expired.ports) == Rejected(Reason.SESSION_ENDED)
    expired.edit(token="rt-foreign")
    assert run(renewal(expired).run(record), expired.ports) is None


@pytest.mark.parametrize(("stored", "named"), [("alice", "alice"), ("renamed", "renamed"), (None, "alice")])
def test_the_call_names_the_user_of_the_row(expired, stored, named):
    """SECRET_HASH is made over the name that the row keeps, and over the presented token's where the row has none."""
    if stored is None:
        del expired.row["username"]
    else:
        expired.edit(username=stored)
    expired.resolve()
    assert expired.provider.requests[0].username == named


def test_an_unknown_refusal_says_what_it_is(expired):
    """The log's line tells the operator why the answer is a 503."""
    expired.provider.answers = [Denied("unknown", "SomeNewException")]
    with pytest.raises(
        ProviderUnavailable, match=r"^Cognito refused a refresh with a message that this version does not know$"
    ):
        expired.resolve()


def test_a_refreshed_session_has_its_data():
    """The request that refreshes sees what earlier requests saved, and may save over it."""
    world = Telling().signed_in()
    assert run(save_data(world.context, world.resolve().session, {"cart": [1]}), world.ports) == 1
    world.clock.advance(LIFE + 1)
    refreshed = world.resolve()
    assert isinstance(refreshed, Refreshed)
    assert (dict(refreshed.session.data), refreshed.session.data_version) == ({"cart": [1]}, 1)
    assert run(save_data(world.context, refreshed.session, {"cart": []}), world.ports) == 2


def test_a_refreshed_cookie_lasts_as_long_as_its_session():
    """Max-Age is what is left until the session's own absolute end, not a whole span from the refresh."""
    world = Telling(policy=SessionPolicy(absolute_seconds=2 * LIFE)).signed_in()
    world.clock.advance(LIFE + 1)
    (line,) = world.resolve().session.set_cookies
    assert f"Max-Age={LIFE - 1};" in line + ";"


def test_a_row_without_a_token_has_no_stale_marks(expired):
    """The lease of a row that lost its token is for no token: nothing in it speaks of a token that was replaced."""
    record = expired.record._replace(token=None)
    change = writes.acquire(record, now=expired.clock.now(), lease_id="L", length=6)
    assert change.put["lease_for"] == token_hash("")
