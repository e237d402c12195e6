"""refresh.py: what one attempt reads before the call, whom it names in the call, and what it serves after the commit."""

from __future__ import annotations

import contextlib

import pytest

from cognito_session.core.crypto.access_token import verify
from cognito_session.core.crypto.credential import TokenCredential
from cognito_session.core.crypto.keyring import Keyring
from cognito_session.core.errors import ConfigurationError, ProviderUnavailable, SessionUnavailable, StoreUnavailable
from cognito_session.core.policy import SessionPolicy
from cognito_session.core.protocol import writes
from cognito_session.core.protocol.data import save_data
from cognito_session.core.protocol.establish import SignedIn, establish
from cognito_session.core.protocol.ports import NewTokens, RefreshDenied
from cognito_session.core.protocol.record import token_hash
from cognito_session.core.protocol.refresh import RefreshAttempt
from cognito_session.core.protocol.resolve import resolve
from cognito_session.core.protocol.session import Active, Reason, Refreshed, Rejected
from cognito_session.drivers.sync import run
from core.test_commit import Refusing
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
    return RefreshAttempt(world.context, TokenCredential(token), world.clock.monotonic() + 12, **more)


def meanwhile(world, move, what):
    """Do something just before the first write of this name."""
    write = world.store.write

    def writing(change):
        if change.kind.value == move:
            world.store.write = write
            what()
        return write(change)

    world.store.write = writing


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
    meanwhile(sealed, "acquire", lambda: setattr(sealed.source, "down", True))
    assert isinstance(run(renewal(sealed).run(sealed.record), sealed.ports), Refreshed)


@pytest.mark.parametrize(("move", "calls"), [("acquire", 0), ("commit", 1)])
def test_a_row_that_was_changed_meanwhile_is_not_served(sealed, move, calls):
    """A writer of the table changes the user's name under the lease, or under the commit: a 503, and it is told."""
    record = sealed.record
    meanwhile(sealed, move, lambda: sealed.edit(username="mallory"))
    with pytest.raises(StoreUnavailable) as caught:
        run(renewal(sealed).run(record), sealed.ports)
    assert caught.value.reason == "tampered_record"
    assert sealed.told == [("tampered", SUB, SID, "invalid_seal")]
    assert len(sealed.provider.requests) == calls


def test_a_lease_whose_write_was_lost_is_written_again(expired):
    """Once, at once; a second failure is the caller's."""
    Refusing(expired, StoreUnavailable("throttled"), "acquire", times=1)
    assert isinstance(run(renewal(expired).run(expired.record), expired.ports), Refreshed)
    again = Telling().signed_in()
    Refusing(again, StoreUnavailable("throttled"), "acquire", times=2)
    with pytest.raises(StoreUnavailable):
        run(renewal(again).run(again.record), again.ports)
    assert again.provider.requests == []


def test_a_row_that_is_gone_is_an_unknown_session(expired):
    """TTL or an operator took it between the reading and the lease."""
    record = expired.record
    expired.store.rows.clear()
    assert run(renewal(expired).run(record), expired.ports) == Rejected(Reason.UNKNOWN_SESSION)


@pytest.mark.parametrize(("acquired", "foreign", "seconds"), [(0, False, 6), (1, False, 6), (2, False, 12), (3, True, 6)])
def test_a_lease_grows_with_the_generation_s_acquisitions(expired, acquired, foreign, seconds):
    """The call is cut four seconds before the lease ends. A token that other code wrote begins to count again."""
    expired.edit(lease_n=acquired, lease_for="another token's", **({"token": "rt-foreign"} if foreign else {}))
    _, lease = run(renewal(expired)._acquire(expired.record, None), expired.ports)
    assert expired.row["lease_until"] == int((expired.clock.now() + seconds) * 1000)
    assert lease.send_before == expired.clock.monotonic() + seconds - 4


@pytest.mark.parametrize(
    ("foreign", "of_row", "of_token", "named"),
    [
        (False, "row's", "token's", "row's"),
        (False, None, "token's", "token's"),
        (False, "row's", None, "row's"),
        (True, "row's", "token's", "token's"),
        (True, "row's", None, "row's"),
        (True, None, None, None),
    ],
)
def test_the_call_names_the_device_of_the_session(expired, foreign, of_row, of_token, named):
    """The row's; the token's where the row has none, or where other code replaced its token and left an old device."""
    record = expired.record._replace(device_key=of_row, **({"token": "rt-foreign"} if foreign else {}))
    claims = {} if of_token is None else {"device_key": of_token}
    token = verify(expired.token(**claims), ISSUER.key_set(), ISSUER.rules)
    assert RefreshAttempt(expired.context, TokenCredential(token), 0.0)._device_key(record) == named


@pytest.mark.parametrize(
    ("answer", "acquired", "move"),
    [
        (ProviderUnavailable("throttled", sent=True), 0, "release"),
        (RefreshDenied("dead", "NotAuthorizedException"), 1, "suspect"),
    ],
)
def test_what_cannot_be_noted_of_a_failed_refresh_is_told_with_its_session(expired, answer, acquired, move):
    """The operator finds the session whose row does not take the write."""
    expired.edit(lease_n=acquired)
    expired.provider.answers = [answer]
    Refusing(expired, ConfigurationError("the role may not write"), move)
    with contextlib.suppress(ProviderUnavailable):
        run(renewal(expired).run(expired.record), expired.ports)
    assert expired.told == [("misconfigured", SUB, SID, f"{move}: the role may not write")]


def test_a_refreshed_sealed_cookie_is_of_the_new_generation(sealed):
    """The browser's new cookie is the current one: it is served without another."""
    sealed.context = sealed.context._replace(sealed_cookie=True)
    begun = run(establish(sealed.context, SignedIn(sealed.token(at=LIFE + 1, origin_jti="origin-2"), "rt-1")), sealed.ports)
    cookie = begun.set_cookies[0].partition(";")[0]
    sealed.clock.advance(LIFE + 1)
    sealed.provider.answers = [NewTokens(sealed.token("jti-2", at=2 * LIFE + 2, origin_jti="origin-2"), "rt-2")]
    refreshed = run(resolve(sealed.context, cookie), sealed.ports)
    assert isinstance(refreshed, Refreshed)
    again = run(resolve(sealed.context, refreshed.session.set_cookies[0].partition(";")[0]), sealed.ports)
    assert (type(again), again.session.set_cookies) == (Active, ())


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
    expired.provider.answers = [RefreshDenied("unknown", "SomeNewException")]
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
