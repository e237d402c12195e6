"""Workers that differ, on a real table over HTTP: a keyring that is being rolled out, clocks, and a table that is throttled."""

from __future__ import annotations

import pytest

from cognito_session import Active, SessionPolicy, SessionUnavailable
from cognito_session.core.policy import CLOCK_TOLERANCE_SECONDS
from managed.scene import Reports, ring, rows, sealed
from managed.test_devices import is_dead
from support.stack import cookie_of


@pytest.fixture(params=["sign-in", "everywhere"])
def next_meeting(request):
    """What a user does next on a worker that has the newer key."""
    return request.param


def test_a_revocation_waits_for_a_worker_with_the_key(app, next_meeting):
    """The older worker ends the session and reports; the row is clean; the newer one revokes at the user's next request."""
    reports = Reports()
    newer, older = sealed(app, ring(2, 1)), sealed(app, ring(1), on_event=reports)
    user = app.user()
    tokens = app.sign_in(user)
    me = newer.establish(tokens)
    assert older.revoke(user.sub, me.sid) is True
    (report,) = reports.named("revoke_failed")
    assert report.detail.startswith("seal_key_unavailable: kept sealed")
    assert not any("token" in row or "access_token" in row for row in rows(app))
    assert app.stack.refresh(app.pool, tokens["RefreshToken"])
    if next_meeting == "sign-in":
        newer.establish(app.sign_in(user))
    else:
        newer.revoke_all(user.sub)
    assert is_dead(app, tokens["RefreshToken"])
    assert not any("unrevoked" in row for row in rows(app) if row["sid"] == "#user" or not app.sort_key)


def test_a_throttled_sign_in_names_the_cause(app):
    """Four tries, then the 503 with DynamoDB's own word; the next one, when the table answers again, succeeds."""
    manager, user, slept = sealed(app), app.user(), []
    manager.ports = manager.ports._replace(sleep=slept.append)
    write = "TransactWriteItems" if app.sort_key else "PutItem"
    app.stack.fault(write, "throttle", times=None)
    app.stack.clear_calls()
    with pytest.raises(SessionUnavailable, match=r"Throttling|Throughput") as caught:
        manager.establish(app.sign_in(user))
    assert caught.value.reason == "store_unavailable"
    assert len([call for call in app.stack.calls() if call.operation == write]) == 4
    assert len(slept) == 3
    app.stack.clear_faults()
    assert isinstance(manager.resolve(cookie_of(manager.establish(app.sign_in(user)))), Active)


class Off:
    """The stack's clock as a worker sees it whose own is off by so many seconds."""

    def __init__(self, clock, seconds):
        self._clock, self._seconds = clock, seconds

    def now(self):
        return self._clock.now() + self._seconds

    def monotonic(self):
        return self._clock.monotonic()


@pytest.mark.parametrize("off", [-CLOCK_TOLERANCE_SECONDS, CLOCK_TOLERANCE_SECONDS])
def test_a_sign_in_is_alive_on_arrival(many, off):
    """Under max_sessions=1, in one second, by workers whose clocks differ: each new session is served and alone."""
    policy, user = SessionPolicy(max_sessions=1), many.user()
    workers = [sealed(many, policy=policy), sealed(many, policy=policy, clock=Off(many.stack.clock, off))]
    before = None
    for n in range(4):
        me = workers[n % 2].establish(many.sign_in(user), cookie_header=before)
        assert isinstance(workers[0].resolve(cookie_of(me)), Active)
        assert [info.sid for info in workers[0].sessions_of(user.sub)] == [me.sid]
        before = cookie_of(me)
