"""Session data: a small JSON object under a version, written when it changed, gone with the session."""

from __future__ import annotations

import datetime as dt
from types import MappingProxyType

import pytest

from cognito_session import ConfigurationError, Refreshed, SessionPolicy, SessionRequired
from cognito_session.configuration import Configuration
from cognito_session.core.errors import SessionConflict
from managed.scene import rows, sealed, session_rows
from support.stack import cookie_of, done, in_thread, joined

READ, WRITE = "GetItem", "UpdateItem"
WRITERS = 100


@pytest.fixture
def manager(app):
    """A manager with sealed cookies."""
    return sealed(app)


@pytest.fixture
def cookie(app, manager):
    """The cookie of a session that has been seen."""
    found = cookie_of(manager.establish(app.sign_in(app.user())))
    manager.resolve(found)
    app.stack.clear_calls()
    return found


def asking(manager, cookie):
    """The session of the cookie."""
    return manager.resolve(cookie).session


def test_what_is_saved_is_what_is_read(manager, cookie):
    """Every JSON type comes back as it was, in later requests too; each change adds one to the version."""
    me = asking(manager, cookie)
    assert (me.data, me.data_version) == ({}, 0)
    data = {"text": "grüße \U0001f600", "n": 2**60, "f": 0.1, "yes": True, "no": None, "list": [1, [2, {"a": {}}]], "": ""}
    after = manager.save_data(me, data)
    assert (after.data, after.data_version) == (data, 1)
    again = asking(manager, cookie)
    assert (dict(again.data), again.data_version) == (data, 1)
    assert [type(value) for value in again.data.values()] == [type(data[name]) for name in again.data]
    assert manager.save_data(again, {}).data_version == 2
    assert asking(manager, cookie).data == {}


def test_many_writers_at_once(app, manager, cookie):
    """100 writers from the same version: each is kept or told of the conflict, and the version counts those that were kept."""

    def write(number):
        me = asking(manager, cookie)
        return manager.save_data(me, {**me.data, str(number): number})

    found = joined([in_thread(write, number) for number in range(WRITERS)])
    kept = [number for number, outcome in enumerate(found) if not isinstance(outcome, Exception)]
    assert {type(outcome) for outcome in found if isinstance(outcome, Exception)} <= {SessionConflict}
    assert kept
    me = asking(manager, cookie)
    assert dict(me.data) == {str(number): number for number in kept}
    assert me.data_version == len(kept)


def test_writers_that_decide_anew(manager, cookie):
    """Who reads again after a conflict gets through: ten counters add up to the last one."""

    def add():
        while True:
            me = asking(manager, cookie)
            try:
                return manager.save_data(me, {"n": me.data.get("n", 0) + 1})
            except SessionConflict:
                continue

    joined([in_thread(add) for _ in range(10)])
    me = asking(manager, cookie)
    assert (me.data, me.data_version) == ({"n": 10}, 10)


def test_unchanged_data_writes_nothing(app, manager, cookie):
    """Saving what is there is one read, whatever order its names have; the version stays."""
    me = manager.save_data(asking(manager, cookie), {"a": 1, "b": [1]})
    app.stack.clear_calls()
    assert manager.save_data(me, {"b": [1], "a": 1}).data_version == 1
    assert done(app.stack) == [READ]
    assert manager.save_data(me, {"b": [1], "a": 2}).data_version == 2
    assert done(app.stack) == [READ, WRITE]


def test_data_changed_in_place_is_saved(manager, cookie):
    """A list taken out of the session's data, changed and saved is a change, and is not lost."""
    manager.save_data(asking(manager, cookie), {"cart": ["apple"]})
    me = asking(manager, cookie)
    cart = me.data["cart"]
    cart.append("pear")
    assert manager.save_data(me, {"cart": cart}).data_version == 2
    assert asking(manager, cookie).data == {"cart": ["apple", "pear"]}


def test_the_size_limit(app, manager, cookie):
    """16,384 bytes of JSON fit, one more does not: an error that says the size, and nothing is written."""
    me = asking(manager, cookie)
    fits = "x" * (16_384 - len('{"a":""}'))
    app.stack.clear_calls()
    with pytest.raises(ConfigurationError, match="16385 bytes"):
        manager.save_data(me, {"a": fits + "x"})
    with pytest.raises(ConfigurationError, match="bytes"):
        manager.save_data(me, {"a": "ü" * 8_200})
    assert app.stack.calls() == []
    assert manager.save_data(me, {"a": fits}).data_version == 1
    assert asking(manager, cookie).data == {"a": fits}


def cyclic():
    """A list that holds itself."""
    found = []
    found.append(found)
    return found


def deep():
    """Lists in lists, ten thousand of them."""
    found = []
    for _ in range(10_000):
        found = [found]
    return found


@pytest.mark.parametrize(
    "value",
    [
        *(float("nan"), float("inf"), -float("inf"), 1j, b"x", (1, 2), {1}, object(), dt.date(2026, 1, 1)),
        *({1: "a number for a name"}, [[{"a": {None: 1}}]], MappingProxyType({}), cyclic(), deep(), 10**5000),
    ],
    ids=lambda value: type(value).__name__,
)
def test_only_json(app, manager, cookie, value):
    """What JSON would not give back as it was is refused as a ValueError that does not show it; nothing is read or written."""
    me = asking(manager, cookie)
    app.stack.clear_calls()
    with pytest.raises(ConfigurationError) as caught:
        manager.save_data(me, {"a": value})
    assert isinstance(caught.value, ValueError)
    assert len(str(caught.value)) < 200
    assert app.stack.calls() == []


@pytest.mark.parametrize("data", [None, [], "x", 5, [("a", 1)]], ids=repr)
def test_only_an_object(app, manager, cookie, data):
    """Data is a mapping and nothing that could be made into one."""
    me = asking(manager, cookie)
    with pytest.raises(ConfigurationError, match="mapping"):
        manager.save_data(me, data)
    assert "data" not in session_rows(app)[0]


def test_data_survives_a_refresh(app, manager, cookie):
    """Data and version go from generation to generation, and a write from before a refresh lands after it."""
    manager.save_data(asking(manager, cookie), {"a": 1})
    before = asking(manager, cookie)
    app.expire()
    outcome = manager.resolve(cookie)
    assert isinstance(outcome, Refreshed)
    assert (dict(outcome.session.data), outcome.session.data_version) == ({"a": 1}, 1)
    assert manager.save_data(before, {"a": 2}).data_version == 2
    assert asking(manager, cookie_of(outcome.session)).data == {"a": 2}


def test_data_during_a_refresh(app, manager, cookie):
    """Data saved while a worker is refreshing is not undone by its commit."""
    me = asking(manager, cookie)
    app.expire()
    with app.stack.gate("GetTokensFromRefreshToken", after=True) as gate:
        flight = in_thread(manager.resolve, cookie)
        gate.wait_for(1)
        manager.save_data(me, {"a": 1})
    assert isinstance(flight.result(), Refreshed)
    assert asking(manager, cookie).data == {"a": 1}


def test_data_ends_with_the_session(app, manager, cookie):
    """After the end there is no data in the row, none can be saved, and the next session begins without any."""
    me = manager.save_data(asking(manager, cookie), {"a": 1})
    manager.sign_out(cookie)
    assert "data" not in session_rows(app)[0]
    with pytest.raises(SessionRequired) as caught:
        manager.save_data(me, {"a": 2})
    assert caught.value.reason == "session_ended"
    assert "data" not in session_rows(app)[0]


def test_data_of_a_session_that_was_replaced(alone):
    """In the one-row layout a new sign-in begins without data, and the session before it can save none."""
    manager, user = sealed(alone), alone.user()
    me = manager.save_data(manager.establish(alone.sign_in(user)), {"a": 1})
    new = cookie_of(manager.establish(alone.sign_in(user)))
    assert asking(manager, new).data == {}
    with pytest.raises(SessionRequired):
        manager.save_data(me, {"a": 2})
    assert asking(manager, new).data == {}


def test_a_conflict_answers_for_itself(manager, cookie):
    """Who read before another wrote is told so: a 409 that is no store, and nothing is written over."""
    me = asking(manager, cookie)
    manager.save_data(me, {"a": 1})
    with pytest.raises(SessionConflict) as caught:
        manager.save_data(me, {"a": 2})
    answer = caught.value.respond()
    assert (answer["statusCode"], answer["headers"]["Cache-Control"]) == (409, "no-store")
    assert asking(manager, cookie).data == {"a": 1}


def test_a_lost_answer_is_no_conflict(app, manager, cookie):
    """The write was done and its answer lost: the resend meets our own write, which is known as ours."""
    app.stack.fault(WRITE, "drop_after")
    manager.save_data(asking(manager, cookie), {"a": 1})
    me = asking(manager, cookie)
    assert (dict(me.data), me.data_version) == ({"a": 1}, 1)


def test_no_attribute_of_ours_may_be_a_table_s_key(many):
    """Whatever a session's life writes into the table, PARTITION_KEY and SORT_KEY may not be called so."""
    manager = sealed(many, policy=SessionPolicy(max_sessions=2, on_max_sessions="refuse"))
    user, seen = many.user(), set()
    found = cookie_of(manager.establish(many.sign_in(user), user_agent="Firefox"))
    manager.save_data(asking(manager, found), {"a": 1})
    many.expire()
    with many.stack.gate("GetTokensFromRefreshToken", after=True) as gate:
        flight = in_thread(manager.resolve, found)
        gate.wait_for(1)
        seen |= {name for row in rows(many) for name in row}
    manager.resolve(cookie_of(flight.result().session))
    seen |= {name for row in rows(many) for name in row}
    manager.revoke_all(user.sub)
    seen |= {name for row in rows(many) for name in row}
    assert {"data_op", "sign_ins", "lease_until", "not_before", "ended_at"} <= seen
    for name in seen - {"sub", "sid"}:
        with pytest.raises(ConfigurationError, match="sessions do not use"):
            Configuration.from_env({**many.environment, "SORT_KEY": name})
