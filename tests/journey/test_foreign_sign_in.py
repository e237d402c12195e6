"""One row per user, and sign-ins that are not ours: the seed's code writes the row whenever it likes.

Whatever is in flight, the row keeps the newest sign-in's token, and an older device is told to sign in again: displaced,
never reuse, and never on the newer one's tokens.
"""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from cognito_session import Active, Refreshed, Rejected
from support.stack import cookie_of, done, in_thread, make_app

GET_TOKENS = "GetTokensFromRefreshToken"
READ, WRITE, REVOKE = "GetItem", "UpdateItem", "RevokeToken"


def by_us(app, manager, user, tokens):
    """A sign-in by this library."""
    manager.establish(tokens)


def by_put(app, manager, user, tokens):
    """The seed's: it replaces the row."""
    app.seed_row(user, tokens)


def by_update(app, manager, user, tokens):
    """Another's: it sets `token` and leaves the rest of our row as it was."""
    app.foreign_update(user, tokens)


sign_ins = pytest.mark.parametrize("sign_in", [by_us, by_put, by_update], ids=["ours", "put", "update"])
foreign = pytest.mark.parametrize("sign_in", [by_put, by_update], ids=["put", "update"])
rotations = pytest.mark.parametrize("grace", [None, 0], ids=["fixed", "rotating"])


@pytest.fixture
def scene(stack):
    """A user whose first device has a session, and a second sign-in at hand."""

    def make(grace):
        app = make_app(stack, rotation_grace_seconds=grace)
        events = []
        manager = app.manager(on_event=lambda report: events.append(report.event))
        user = app.user()
        first = cookie_of(manager.establish(app.sign_in(user)))
        manager.resolve(first)
        return SimpleNamespace(app=app, manager=manager, user=user, first=first, events=events, stack=stack)

    return make


def bare_scene(stack, grace=None):
    """A user of the seed: a row of three attributes, and the cookie that the seed's code has set."""
    app = make_app(stack, rotation_grace_seconds=grace)
    user = app.user()
    tokens = app.sign_in(user)
    app.seed_row(user, tokens)
    stack.clear_calls()
    cookie = f"token={tokens['AccessToken']}"
    return SimpleNamespace(app=app, manager=app.manager(), user=user, tokens=tokens, cookie=cookie)


# --- a sign-in while the older one's refresh is in flight


@rotations
@sign_ins
@pytest.mark.parametrize("after", [False, True], ids=["before the work", "after the work"])
def test_a_second_sign_in_outlives_a_refresh_in_flight(scene, sign_in, grace, after):
    """Wherever the first device's refresh is held, the row keeps the second sign-in's token and the first is displaced."""
    it = scene(grace)
    it.app.expire()
    with it.stack.gate(GET_TOKENS, after=after) as gate:
        flight = in_thread(it.manager.resolve, it.first)
        gate.wait_for(1)
        tokens = it.app.sign_in(it.user)
        sign_in(it.app, it.manager, it.user, tokens)
        row = it.app.row(it.user)
        assert row["token"] == tokens["RefreshToken"]
    assert flight.result() == Rejected("displaced")
    assert it.app.row(it.user) == row
    second = f"token={tokens['AccessToken']}"
    assert isinstance(it.manager.resolve(second), Active)
    it.app.expire()
    assert isinstance(it.manager.resolve(second), Refreshed)
    assert "reuse" not in it.events


@rotations
@sign_ins
def test_the_older_device_stays_out(scene, sign_in, grace):
    """The first device's cookie, expired, is displaced each time; the second device's session lives through it."""
    it = scene(grace)
    it.app.expire()
    tokens = it.app.sign_in(it.user)
    sign_in(it.app, it.manager, it.user, tokens)
    for _ in range(3):
        assert it.manager.resolve(it.first) == Rejected("displaced")
    second = it.manager.resolve(f"token={tokens['AccessToken']}")
    assert isinstance(second, Active)
    assert second.session.access_token != it.first.partition("=")[2]
    it.app.expire()
    assert isinstance(it.manager.resolve(f"token={second.session.access_token}"), Refreshed)
    assert it.manager.resolve(it.first) == Rejected("displaced")
    assert "reuse" not in it.events


@sign_ins
def test_the_token_that_lost_is_revoked(scene, sign_in):
    """What the first device's refresh brought is of no use to anybody afterwards: revoked, and only that."""
    it = scene(0)
    it.app.expire()
    with it.stack.gate(GET_TOKENS, after=True) as gate:
        flight = in_thread(it.manager.resolve, it.first)
        gate.wait_for(1)
        sign_in(it.app, it.manager, it.user, it.app.sign_in(it.user))
        it.stack.clear_calls()
    flight.result()
    assert it.stack.count(REVOKE) == 1
    assert it.app.stack.refresh(it.app.pool, it.app.row(it.user)["token"])["AccessToken"]


@sign_ins
def test_signing_out_the_older_device_ends_nothing_of_the_newer(scene, sign_in):
    """A sign-out with a displaced cookie deletes that cookie and leaves the newer session alone."""
    it = scene(None)
    it.app.expire()
    tokens = it.app.sign_in(it.user)
    sign_in(it.app, it.manager, it.user, tokens)
    if sign_in is not by_us:
        it.manager.resolve(f"token={tokens['AccessToken']}")
        it.manager.resolve(it.first)  # its refresh makes the row ours, under the second sign-in's id
    assert it.manager.sign_out(it.first) == ("token=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax",)
    assert isinstance(it.manager.resolve(f"token={tokens['AccessToken']}"), Active)


# --- rows of the seed


@rotations
def test_a_valid_token_of_the_seed_is_served(stack, grace):
    """A row of three attributes and a valid token: served, any number of times, with one read and no write."""
    it = bare_scene(stack, grace)
    before = it.app.row(it.user)
    for _ in range(3):
        outcome = it.manager.resolve(it.cookie)
        assert (outcome.session.sub, outcome.session.cognito) == (it.user.sub, None)
        assert done(stack) == [READ]
    assert it.app.row(it.user) == before


@rotations
def test_an_expired_token_of_the_seed_is_refreshed(stack, grace):
    """Its first refresh makes the row ours: a session with an end, whose next refresh is like any other."""
    it = bare_scene(stack, grace)
    it.app.expire()
    outcome = it.manager.resolve(it.cookie)
    assert isinstance(outcome, Refreshed)
    assert done(stack) == [READ, WRITE, GET_TOKENS, WRITE]
    row = it.app.row(it.user)
    assert (row["state"], row["gen"], row["sid"]) == ("active", 1, outcome.session.sid)
    assert row["abs_exp"] == outcome.session.session_expires_at
    assert (row["token"] == it.tokens["RefreshToken"]) is (grace is None)
    assert isinstance(it.manager.resolve(it.cookie), Active)
    it.app.expire()
    again = it.manager.resolve(cookie_of(outcome.session))
    assert isinstance(again, Refreshed)
    assert it.app.row(it.user)["gen"] == 2


@foreign
def test_overwriting_our_row_is_noticed(scene, sign_in):
    """After a foreign sign-in over a row of ours the next request treats it as one: served, and nothing written."""
    it = scene(0)
    tokens = it.app.sign_in(it.user)
    sign_in(it.app, it.manager, it.user, tokens)
    row = it.app.row(it.user)
    it.stack.clear_calls()
    second = f"token={tokens['AccessToken']}"
    assert isinstance(it.manager.resolve(second), Active)
    assert done(it.stack) == [READ]
    it.app.expire()
    outcome = it.manager.resolve(second)
    assert isinstance(outcome, Refreshed)
    assert outcome.session.sid == it.app.row(it.user)["sid"]
    assert it.app.row(it.user)["token"] != row["token"]
    assert it.manager.resolve(it.first) == Rejected("displaced")


@foreign
def test_a_foreign_sign_in_over_a_tombstone_is_a_new_session(scene, sign_in):
    """After a sign-out the seed's sign-in begins anew; the cookie that was signed out does not outlive its own expiry."""
    it = scene(None)
    it.manager.sign_out(it.first)
    assert it.manager.resolve(it.first) == Rejected("session_ended")
    tokens = it.app.sign_in(it.user)
    sign_in(it.app, it.manager, it.user, tokens)
    assert isinstance(it.manager.resolve(f"token={tokens['AccessToken']}"), Active)
    it.app.expire()
    assert isinstance(it.manager.resolve(f"token={tokens['AccessToken']}"), Refreshed)
    assert it.manager.resolve(it.first) == Rejected("displaced")


@rotations
def test_signing_out_of_a_row_of_the_seed(stack, grace):
    """A sign-out ends the session: tombstone, token revoked, cookie deleted; the cookie is of no use any more."""
    it = bare_scene(stack, grace)
    assert it.manager.sign_out(it.cookie) == ("token=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax",)
    assert done(stack) == [READ, WRITE, REVOKE]
    row = it.app.row(it.user)
    assert (row["state"], "token" in row, "access_token" in row) == ("ended", False, False)
    assert it.manager.resolve(it.cookie) == Rejected("session_ended")
    with pytest.raises(Exception, match="revoked"):
        stack.refresh(it.app.pool, it.tokens["RefreshToken"])


@rotations
def test_signing_out_while_a_row_of_the_seed_is_refreshed(stack, grace):
    """A logout wins: what the refresh in flight brings is not stored and not usable."""
    it = bare_scene(stack, grace)
    it.app.expire()
    with stack.gate(GET_TOKENS, after=True) as gate:
        flight = in_thread(it.manager.resolve, it.cookie)
        gate.wait_for(1)
        it.manager.sign_out(it.cookie)
    assert flight.result() == Rejected("session_ended")
    assert "token" not in it.app.row(it.user)
    with pytest.raises(Exception, match="revoked"):
        stack.refresh(it.app.pool, it.tokens["RefreshToken"])


def test_a_row_without_a_token_is_no_session(stack):
    """A row that holds no refresh token, as other code may leave it, serves nobody."""
    it = bare_scene(stack)
    stack.dynamodb().put_item(it.app.table, {"sub": it.user.sub, "timestamp": 1})
    assert it.manager.resolve(it.cookie) == Rejected("unknown_session")


def test_a_deleted_row_stays_deleted(scene):
    """Foreign code deletes the row while a refresh is in flight: nothing comes back, and the new token is revoked."""
    it = scene(0)
    it.app.expire()
    with it.stack.gate(GET_TOKENS, after=True) as gate:
        flight = in_thread(it.manager.resolve, it.first)
        gate.wait_for(1)
        it.stack.dynamodb().delete_item(it.app.table, {"sub": it.user.sub})
        it.stack.clear_calls()
    assert flight.result() == Rejected("unknown_session")
    assert it.app.row(it.user) is None
    assert it.stack.count(REVOKE) == 1


def test_many_workers_on_a_row_of_the_seed(stack):
    """The first expiry of a seed row under rotation without grace: one call for twelve requests, everybody served."""
    it = bare_scene(stack, 0)
    it.app.expire()
    found = [call.result() for call in [in_thread(it.manager.resolve, it.cookie) for _ in range(12)]]
    assert all(isinstance(outcome, Active) for outcome in found)
    assert len({outcome.session.access_token for outcome in found}) == 1
    assert stack.count(GET_TOKENS) == 1
