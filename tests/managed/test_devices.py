"""Many devices: a user's sessions as a list, and ends that are certain: of one, of all, of all but one."""

from __future__ import annotations

import pytest

from cognito_session import Active, Rejected, SessionForbidden, SessionPolicy, SessionRequired, SessionUnavailable
from cognito_session.aws.transport.interface import ServiceError
from managed.scene import Reports, rows, sealed, session_rows
from support.stack import cookie_of, done, in_thread, joined

REVOKE, SIGN_OUT = "RevokeToken", "AdminUserGlobalSignOut"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1"


def device(app, manager, user, **keywords):
    """A sign-in a second after the one before: its tokens, session and cookie."""
    tokens = app.sign_in(user)
    me = manager.establish(tokens, **keywords)
    app.stack.advance(1)
    return tokens["RefreshToken"], me, cookie_of(me)


def is_dead(app, refresh_token):
    """Whether Cognito refuses this refresh token as revoked."""
    with pytest.raises(Exception, match="revoked"):
        app.stack.refresh(app.pool, refresh_token)
    return True


def live_rows(app, user):
    """The user's rows that are not ended."""
    return [row for row in session_rows(app, user) if row["state"] == "active"]


# --- the list


def test_one_row_for_each_sign_in(many):
    """Each sign-in has a row and a session id of its own, all of one user, and every one of them is served."""
    manager, user = sealed(many), many.user()
    found = [device(many, manager, user) for _ in range(4)]
    assert len({me.sid for _, me, _ in found}) == len(live_rows(many, user)) == 4
    assert {type(manager.resolve(cookie)) for *_, cookie in found} == {Active}


def test_the_list_of_sessions(many):
    """Newest first, the asking one marked, with a label of the device and no secret of any kind."""
    manager, user = sealed(many), many.user()
    first, one, _ = device(many, manager, user, user_agent=FIREFOX)
    second, two, cookie = device(many, manager, user, user_agent=IPHONE)
    third, three, _ = device(many, manager, user)
    device(many, manager, many.user())
    many.stack.advance(100)
    manager.resolve(cookie)
    found = manager.sessions_of(user.sub, current=two.sid)
    assert [info.sid for info in found] == [three.sid, two.sid, one.sid]
    assert [info.device for info in found] == [None, "Safari on iPhone", "Firefox on Windows"]
    assert [info.current for info in found] == [False, True, False]
    assert found[1].last_seen_at >= found[1].created_at + 100
    assert found[0].last_seen_at == found[0].created_at
    assert {info.expires_at for info in found} == {one.session_expires_at, two.session_expires_at, three.session_expires_at}
    assert not any(secret in str(found) for secret in (first, second, third, one.access_token, two.access_token))
    assert manager.sessions_of("nobody") == []


def test_what_has_ended_is_not_listed(many):
    """Signed out, past its idle end, past its absolute end: gone from the list, while the rows are still there."""
    policy = SessionPolicy(idle_seconds=1000, absolute_seconds=3000)
    manager, user = sealed(many, policy=policy), many.user()
    *_, cookie = device(many, manager, user)
    manager.sign_out(cookie)
    device(many, manager, user)
    assert len(manager.sessions_of(user.sub)) == 1
    many.stack.advance(1000)
    assert manager.sessions_of(user.sub) == []
    assert len(session_rows(many, user)) == 2


def test_the_list_of_the_one_row_layout(alone):
    """A table without a sort key has one session to list: the last sign-in's."""
    manager, user = sealed(alone), alone.user()
    device(alone, manager, user)
    _, me, _ = device(alone, manager, user)
    (info,) = manager.sessions_of(user.sub, current=me.sid)
    assert (info.sid, info.current) == (me.sid, True)


# --- the end of one


def test_revoke_one(many):
    """One session ends, its refresh token is dead at Cognito, the others go on; a second time there is none to end."""
    manager, user = sealed(many), many.user()
    lost, me, cookie = device(many, manager, user)
    kept, _, other = device(many, manager, user)
    assert manager.revoke(user.sub, me.sid) is True
    assert manager.resolve(cookie) == Rejected("session_ended")
    assert is_dead(many, lost)
    assert isinstance(manager.resolve(other), Active)
    assert many.stack.refresh(many.pool, kept)
    many.stack.clear_calls()
    assert manager.revoke(user.sub, me.sid) is False
    assert manager.revoke(user.sub, "unknown") is False
    assert manager.revoke(user.sub, "#user") is False
    assert set(done(many.stack)) == {"GetItem"}


def test_revoke_by_id_in_the_one_row_layout(alone):
    """Only the session of that id ends: an id of before, or another's, leaves the present session alone."""
    manager, user = sealed(alone), alone.user()
    _, before, _ = device(alone, manager, user)
    token, me, cookie = device(alone, manager, user)
    assert manager.revoke(user.sub, before.sid) is False
    assert isinstance(manager.resolve(cookie), Active)
    assert manager.revoke(user.sub, me.sid) is True
    assert manager.resolve(cookie) == Rejected("session_ended")
    assert is_dead(alone, token)


def test_an_outage_of_cognito_does_not_keep_a_session_alive(many):
    """Cognito is down: the session has ended here all the same, and what could not be revoked is reported."""
    reports = Reports()
    manager, user = sealed(many, on_event=reports), many.user()
    _, me, cookie = device(many, manager, user)
    many.stack.fault(REVOKE, "error500", times=None)
    assert manager.revoke(user.sub, me.sid) is True
    assert manager.resolve(cookie) == Rejected("session_ended")
    assert [report.sid for report in reports.named("revoke_failed")] == [me.sid]


def test_a_store_outage_is_told(many):
    """DynamoDB is down: revoking raises, for the session may be alive, and works when called again."""
    manager, user = sealed(many), many.user()
    _, me, _ = device(many, manager, user)
    many.stack.fault("UpdateItem", "error500", times=None)
    for call in (lambda: manager.revoke(user.sub, me.sid), lambda: manager.revoke_all(user.sub)):
        with pytest.raises(SessionUnavailable):
            call()
    many.stack.clear_faults()
    assert manager.revoke(user.sub, me.sid) is True


# --- the end of all


def test_revoke_all(many):
    """Every session of the user ends and no other user's; each token is revoked, and the user is signed out at Cognito."""
    manager, user, other = sealed(many), many.user(), many.user()
    found = [device(many, manager, user) for _ in range(3)]
    *_, stranger = device(many, manager, other)
    many.stack.clear_calls()
    assert manager.revoke_all(user.sub) == 3
    spent = done(many.stack)
    assert (spent.count(REVOKE), spent.count(SIGN_OUT)) == (3, 1)
    for token, _, cookie in found:
        assert manager.resolve(cookie) == Rejected("session_ended")
        assert is_dead(many, token)
    assert isinstance(manager.resolve(stranger), Active)
    assert manager.revoke_all(user.sub) == 0


def test_revoke_all_but_one(many):
    """With `keep` that session goes on, refresh included, Cognito is not asked to end it too, and a sign-in may follow."""
    manager, user = sealed(many), many.user()
    lost, _, gone = device(many, manager, user)
    _, me, cookie = device(many, manager, user)
    many.stack.clear_calls()
    assert manager.revoke_all(user.sub, keep=me.sid) == 1
    assert many.stack.count(SIGN_OUT) == 0
    assert manager.resolve(gone) == Rejected("session_ended")
    assert is_dead(many, lost)
    *_, at_once = device(many, manager, user)
    assert isinstance(manager.resolve(at_once), Active)
    many.expire()
    assert isinstance(manager.resolve(cookie), Active)


@pytest.mark.parametrize("keep", [True, False])
def test_revoke_all_where_one_row_cannot_be_read(many, keep):
    """Other code wrote over an attribute of one session: it serves nobody, all others end, and then the outage is told."""
    manager, user = sealed(many), many.user()
    *_, broken = device(many, manager, user)
    (row,) = session_rows(many, user)
    lost, _, gone = device(many, manager, user)
    _, me, kept = device(many, manager, user)
    many.stack.dynamodb().put_item(many.table, {**row, "gen": "x"})
    with pytest.raises(SessionUnavailable) as caught:
        manager.revoke_all(user.sub, keep=me.sid if keep else None)
    assert caught.value.reason == "unreadable_record"
    assert manager.resolve(gone) == Rejected("session_ended")
    assert is_dead(many, lost)
    assert isinstance(manager.resolve(kept), Active if keep else Rejected)
    for call in (lambda: manager.resolve(broken), lambda: manager.sessions_of(user.sub)):
        with pytest.raises(SessionUnavailable):
            call()


def test_revoke_all_in_the_one_row_layout(alone):
    """The one session ends, or stays where it is the kept one; a user without a row is forbidden earlier sign-ins too."""
    manager, user = sealed(alone), alone.user()
    token, me, cookie = device(alone, manager, user)
    assert manager.revoke_all(user.sub, keep=me.sid) == 0
    assert isinstance(manager.resolve(cookie), Active)
    assert manager.revoke_all(user.sub) == 1
    assert manager.resolve(cookie) == Rejected("session_ended")
    assert is_dead(alone, token)
    assert manager.revoke_all(alone.user().sub) == 0


@pytest.mark.parametrize("kind", ["sealed", "token"])
def test_a_sign_in_from_before_cannot_land(app, kind):
    """A sign-in that began before "sign out everywhere" is refused behind it; one that begins after it is not."""
    manager = sealed(app) if kind == "sealed" else app.manager()
    for user, sessions in ((app.user(), 1), (app.user(), 0)):
        for _ in range(sessions):
            device(app, manager, user)
        early = app.sign_in(user)
        app.stack.advance(1)
        manager.revoke_all(user.sub)
        for _ in range(2):
            with pytest.raises(SessionRequired) as caught:
                manager.establish(early)
            assert caught.value.reason == "signed_out"
        assert manager.sessions_of(user.sub) == []
        app.stack.advance(3)  # the tolerance of two seconds is counted on the safe side
        *_, cookie = device(app, manager, user)
        assert isinstance(manager.resolve(cookie), Active)
        with pytest.raises(SessionRequired):
            manager.establish(early)
        assert isinstance(manager.resolve(cookie), Active)


def test_a_refresh_in_flight_does_not_survive(many):
    """Signed out everywhere while a worker is refreshing: what Cognito answers it is not stored, and is dead."""
    manager, user = sealed(many), many.user()
    token, _, cookie = device(many, manager, user)
    many.expire()
    with many.stack.gate("GetTokensFromRefreshToken", after=True) as gate:
        flight = in_thread(manager.resolve, cookie)
        gate.wait_for(1)
        manager.revoke_all(user.sub)
    assert flight.result() == Rejected("session_ended")
    assert is_dead(many, token)


class Refusing:
    """A wire on which one operation is not allowed."""

    def __init__(self, wire, operation):
        self._wire, self._operation = wire, operation

    def call(self, service, operation, payload, **how):
        if operation == self._operation:
            sentence = "User: role is not authorized to perform this"
            raise ServiceError(f"{service}.{operation}", "AccessDeniedException", 400, message=sentence)
        return self._wire.call(service, operation, payload, **how)


def test_a_role_that_may_not(many):
    """Where the role may not call AdminUserGlobalSignOut the sessions end all the same, and the report says what to allow."""
    reports = Reports()
    manager, user = sealed(many, on_event=reports), many.user()
    token, _, cookie = device(many, manager, user)
    wire = manager.ports.provider._wire()
    manager.ports.provider._wire = lambda: Refusing(wire, SIGN_OUT)
    assert manager.revoke_all(user.sub) == 1
    assert manager.resolve(cookie) == Rejected("session_ended")
    assert is_dead(many, token)
    (report,) = reports.named("global_sign_out_failed")
    assert report.sub == user.sub
    assert "allow cognito-idp:AdminUserGlobalSignOut" in report.detail


def test_cognito_stumbles_at_the_global_sign_out(many):
    """A throttled AdminUserGlobalSignOut is reported, and neither hides nor undoes what has been done."""
    reports = Reports()
    manager, user = sealed(many, on_event=reports), many.user()
    device(many, manager, user)
    many.stack.fault(SIGN_OUT, "throttle", times=None)
    assert manager.revoke_all(user.sub) == 1
    assert len(reports.named("global_sign_out_failed")) == 1


# --- no fixation


def test_a_sign_in_ends_the_session_it_was_presented_with(many):
    """Whatever cookie the sign-in request carried: the new session has another id and cookie, and the old one has ended."""
    manager, attacker, victim = sealed(many), many.user(), many.user()
    token, planted, cookie = device(many, manager, attacker)
    *_, me, new = device(many, manager, victim, cookie_header=cookie)
    assert me.sid != planted.sid
    assert manager.resolve(cookie) == Rejected("session_ended")
    assert is_dead(many, token)
    assert manager.resolve(new).session.sub == victim.sub
    *_, again, newest = device(many, manager, victim, cookie_header=new)
    assert again.sid != me.sid
    assert manager.resolve(new) == Rejected("session_ended")
    assert isinstance(manager.resolve(newest), Active)


def test_a_sign_in_beside_an_unusable_cookie(many):
    """A forged cookie, an ended one or none at all does not stand in the way of a sign-in."""
    manager, user = sealed(many), many.user()
    *_, ended = device(many, manager, user)
    manager.sign_out(ended)
    for header in (None, "", ended, "__Host-session=EVIL", "__Host-session=v1.9." + "A" * 60):
        *_, cookie = device(many, manager, user, cookie_header=header)
        assert isinstance(manager.resolve(cookie), Active)


# --- how many


def test_the_oldest_makes_room(many):
    """With max_sessions the oldest session ends when one more begins, and its token is revoked."""
    manager, user = sealed(many, policy=SessionPolicy(max_sessions=2)), many.user()
    token, _, first = device(many, manager, user)
    *_, second = device(many, manager, user)
    *_, third = device(many, manager, user)
    assert manager.resolve(first) == Rejected("session_ended")
    assert is_dead(many, token)
    assert {type(manager.resolve(cookie)) for cookie in (second, third)} == {Active}


def test_refused_is_forbidden(many):
    """With on_max_sessions="refuse" one more is a 403 and no row; after a sign-out there is room again."""
    policy = SessionPolicy(max_sessions=2, on_max_sessions="refuse")
    manager, user = sealed(many, policy=policy), many.user()
    cookies = [device(many, manager, user)[2] for _ in range(2)]
    before = rows(many)
    with pytest.raises(SessionForbidden) as caught:
        manager.establish(many.sign_in(user))
    assert (caught.value.status, caught.value.reason) == (403, "too_many_sessions")
    assert rows(many) == before
    assert {type(manager.resolve(cookie)) for cookie in cookies} == {Active}
    manager.sign_out(cookies[0])
    device(many, manager, user)


@pytest.mark.parametrize("what", ["evict", "refuse"])
def test_many_sign_ins_at_once(many, what):
    """64 sign-ins at once: each is answered, and at rest there are never more than five live rows."""
    sign_ins, policy = 64, SessionPolicy(max_sessions=5, on_max_sessions=what)
    manager, user = sealed(many, policy=policy), many.user()
    tokens = [many.sign_in(user) for _ in range(sign_ins)]
    found = joined([in_thread(manager.establish, each) for each in tokens])
    sessions = [each for each in found if not isinstance(each, Exception)]
    refused = [each for each in found if isinstance(each, SessionForbidden)]
    expected = (sign_ins, 0) if what == "evict" else (5, sign_ins - 5)
    assert (len(sessions), len(refused)) == expected
    live = {info.sid for info in manager.sessions_of(user.sub)}
    assert len(live) == 5
    assert {me.sid for me in sessions if isinstance(manager.resolve(cookie_of(me)), Active)} == live
    assert {row["sid"] for row in live_rows(many, user)} == live
