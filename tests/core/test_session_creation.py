"""session_creation.py, unrevoked_tokens.py: rows that a sign-in meets, which session makes room, and which row keeps tokens."""

from __future__ import annotations

import itertools

import pytest

from cognito_session.core.crypto.access_token import parse
from cognito_session.core.crypto.aead import STORED_PREFIX
from cognito_session.core.errors import ConfigurationError, SessionForbidden, StoreUnavailable
from cognito_session.core.policy import SessionPolicy
from cognito_session.core.protocol import sealing
from cognito_session.core.protocol.conditions import WriteKind
from cognito_session.core.protocol.device_tracking import confirm_new
from cognito_session.core.protocol.establish import SignedIn, establish
from cognito_session.core.protocol.record import USER_SID, SessionKey, SessionRecord
from cognito_session.core.protocol.sealing import open_secret
from cognito_session.core.protocol.session import Reason, Rejected, Session, session_or_raise
from cognito_session.core.protocol.unrevoked_tokens import _forget, keep_unrevoked, user_key
from cognito_session.drivers.sync import run
from core.test_commit import Refusing
from core.test_flow import ISSUER, World
from core.test_told import SID, Telling, with_keys
from support.tokens import SUB


def test_the_same_sign_in_twice_revokes_nothing_in_a_table_of_one_row():
    """A repeated callback finds its own row: the session stands, and no token of it is revoked."""
    world = World(one_row=True)
    world.sign_in()
    assert isinstance(world.sign_in(), Session)
    assert (world.row["state"], world.provider.revoked) == ("active", [])


@pytest.mark.parametrize("policy", [SessionPolicy(), SessionPolicy(max_sessions=None)], ids=["limited", "unlimited"])
def test_the_writes_of_a_sign_in_are_named(policy):
    """A store tells failures by the name of the write: guard and row of a sign-in are both `create`."""
    world, seen = World(policy=policy), []
    write_all = world.store.write_all

    def noted(changes):
        seen.extend(change.kind for change in changes)
        return write_all(changes)

    world.store.write_all = noted
    world.sign_in()
    assert seen == [WriteKind.CREATE, WriteKind.CREATE]


def test_a_count_of_another_type_is_an_unreadable_row():
    """It is a 503 that names the attribute; reading the row again repairs nothing, so that it is read once."""
    world, loads = World(), []
    world.sign_in()
    world.store.rows[SUB, USER_SID]["sign_ins"] = "many"
    load = world.store.load
    world.store.load = lambda key: loads.append(key) or load(key)
    token = world.token("jti-9", origin_jti="origin-9")
    with pytest.raises(StoreUnavailable, match="attribute sign_ins: expected a whole number") as caught:
        run(establish(world.context, SignedIn(token, "rt-9")), world.ports)
    assert (caught.value.reason, len(loads)) == ("unreadable_record", 1)


@pytest.mark.parametrize("order", list(itertools.permutations("abc")), ids="".join)
def test_sessions_of_one_instant_make_room_by_their_ids(order):
    """Rows without a number and of the same second: each worker ends the same ones, in whatever order the table lists them."""
    world = World(policy=SessionPolicy(max_sessions=None))
    for name in order:
        run(establish(world.context, SignedIn(world.token(f"j-{name}", origin_jti=name), f"rt-{name}")), world.ports)
    world.context = world.context._replace(policy=SessionPolicy(max_sessions=2))
    run(establish(world.context, SignedIn(world.token("j-new", origin_jti="new"), "rt-new")), world.ports)
    alive = {sid for (_, sid), row in world.store.rows.items() if row.get("state") == "active"}
    assert alive == {"c", "new"}


def test_too_many_sessions_is_a_403_with_its_reason():
    """A page can tell the user to sign out elsewhere."""
    with pytest.raises(SessionForbidden, match="as many sessions as the policy allows") as caught:
        session_or_raise(Rejected(Reason.TOO_MANY_SESSIONS))
    assert (caught.value.status, caught.value.reason) == (403, "too_many_sessions")


def test_the_row_of_what_is_known_of_the_user():
    """Beside the sessions in a table with a sort key, and the single row in one without."""
    assert user_key(World().context, SUB) == SessionKey(SUB, USER_SID)
    assert user_key(World(one_row=True).context, SUB) == SessionKey(SUB, "")


@pytest.mark.parametrize("one_row", [False, True], ids=["two keys", "one row"])
def test_a_token_that_is_kept_already_counts_as_kept(one_row):
    """A repeated sign-out is told that the token is kept, and keeps it once."""
    world = with_keys(one_row=one_row)
    world.sign_in()
    record = SessionRecord.from_row(SessionKey(SUB, SID), dict(world.row))
    stored = f"{STORED_PREFIX}x"
    assert [run(keep_unrevoked(world.context, record, stored), world.ports) for _ in range(2)] == [True, True]
    rows = [row["unrevoked"] for row in world.store.rows.values() if "unrevoked" in row]
    assert rows == [frozenset({f"{SID} {stored}"})] * (1 if one_row else 2)


def test_a_token_in_plain_is_not_kept():
    """Only a sealed token goes into a row that outlives the session, and the caller is told that it is not kept."""
    world = World()
    world.sign_in()
    record = SessionRecord.from_row(SessionKey(SUB, SID), dict(world.row))
    assert run(keep_unrevoked(world.context, record, "rt-1"), world.ports) is False
    assert not any("unrevoked" in row for row in world.store.rows.values())


@pytest.mark.parametrize("fault", [StoreUnavailable("down"), ConfigurationError("denied")], ids=["outage", "denied"])
def test_a_token_that_cannot_be_written_is_not_kept(fault):
    """The caller is told so, and a sign-out does not fail because of it."""
    world = World()
    world.sign_in()
    record = SessionRecord.from_row(SessionKey(SUB, SID), dict(world.row))

    def refuse(change):
        raise fault

    world.store.write = refuse
    assert run(keep_unrevoked(world.context, record, f"{STORED_PREFIX}x"), world.ports) is False


def test_forgetting_what_was_revoked_makes_no_row():
    """TTL took the row meanwhile: nothing is left that an operator would wonder about."""
    world = World()
    keeper = SessionRecord.from_row(
        SessionKey(SUB, USER_SID), {"sub": SUB, "sid": USER_SID, "unrevoked": frozenset({"a", "b"})}
    )
    for gone in ({"a"}, {"a", "b"}):
        run(_forget(keeper, frozenset(gone)), world.ports)
    foreign = SessionRecord.from_row(SessionKey(SUB, USER_SID), {})
    run(_forget(foreign, frozenset()), world.ports)
    assert world.store.rows == {}


def test_a_refresh_token_is_not_kept_in_plain():
    """Only access tokens, which expire within a day, are kept opened; a refresh token is opened again each time."""
    world = with_keys().signed_in()
    stored = {"sub": SUB, "sid": SID}
    sealing._open_access_token.cache_clear()
    assert run(open_secret(world.context, world.row["token"], attribute="token", **stored), world.ports) == "rt-1"
    assert sealing._open_access_token.cache_info().currsize == 0
    run(open_secret(world.context, world.row["access_token"], attribute="access_token", **stored), world.ports)
    assert sealing._open_access_token.cache_info().currsize == 1


def test_a_confirmed_device_that_cannot_be_noted_is_told_with_its_session():
    """The operator finds the session whose row does not take the write."""
    world = Telling().signed_in()
    world.edit(device_key="key", device_pending="salt:verifier", device_retry_at=1)
    record = world.record
    Refusing(world, ConfigurationError("the role may not write"), "device")
    run(confirm_new(world.context, record, parse(world.token(), ISSUER.rules)), world.ports)
    assert world.told == [("misconfigured", SUB, SID, "device: the role may not write")]
