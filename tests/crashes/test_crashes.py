"""Real processes, killed, frozen and raced against each other, and services in trouble: nobody is signed out by any of it.

The same trials as the long run's (`trials.run`), in small numbers; and controls, which show that a loss would be counted.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from cognito_session.local.stack import LocalStack
from crashes.crowd import expire_under
from crashes.kills import freeze_at, kill_at
from crashes.make import Make
from crashes.outages import KINDS, TROUBLED, deploy_wrong_secret, trouble
from crashes.points import POINTS
from crashes.races import race_logouts
from crashes.report import CrashReport
from crashes.site import Site
from crashes.trials import makes, run

KILLS, FREEZES, RACES, EXPIRIES, SESSIONS = 2, 3, 20, 3, 20


def quiet(_name, _done, _total):
    """Tell nobody."""


def named(points):
    """Point names as test ids."""
    return [point.name for point in points]


@pytest.fixture(scope="module")
def stack():
    """A stack of this module's own: its clock is moved by weeks."""
    with LocalStack.start() as started:
        yield started


@pytest.fixture(scope="module", params=[None, 60, 0], ids=["off", "grace 60", "grace 0"])
def site(request, stack):
    """An app: rotation off in the layout with one row per user, grace 60 in the one with two keys, and no grace at all."""
    with Site(stack, request.param, sort_key="sid" if request.param else None) as made:
        yield made


@pytest.fixture(scope="module")
def rotating(stack):
    """An app that rotates with the grace of 60 s."""
    with Site(stack, 60, sort_key="sid") as made:
        yield made


@pytest.fixture
def report():
    """A new report."""
    return CrashReport()


def right(report):
    """Nothing differs from what is expected."""
    assert report.failures == [], report.evidence
    return True


@pytest.mark.parametrize("point", POINTS, ids=named(POINTS))
def test_a_killed_worker(site, point, report):
    """SIGKILL at this point: the next request is served (a clear 401 at grace 0, or after a logout), and none is stuck."""
    kill_at(site, point, KILLS, report)
    assert report.trials == KILLS
    assert report.clear_401 == 0 or site.grace == 0
    assert right(report)


@pytest.mark.parametrize("point", POINTS, ids=named(POINTS))
def test_a_frozen_worker(site, point, report):
    """SIGSTOP at this point until another worker has refreshed: thawed, it ends well, and the session is alive."""
    freeze_at(site, point, FREEZES, report)
    assert report.freezes == sum(report.freeze_ends.values()) == FREEZES
    assert right(report)


MAKES = {
    "sealed": Make(sealed=True),
    "SQLite, sealed": Make(sealed=True, file=Path("sessions.db")),
    "asynchronous": Make(asynchronous=True),
    "SQLite, asynchronous": Make(file=Path("sessions.db"), asynchronous=True),
}


@pytest.fixture(scope="module", params=MAKES.values(), ids=MAKES)
def built(request, stack, tmp_path_factory):
    """An app with a grace of 60 s that is built in another way."""
    make = request.param
    if make.file is not None:
        make = make._replace(file=tmp_path_factory.mktemp("rows") / make.file)
    with Site(stack, 60, sort_key="sid", make=make) as made:
        yield made


def test_workers_of_every_make_die_and_freeze(built, report):
    """SIGKILL at every point, SIGSTOP at two: nothing is lost with a sealed cookie, on SQLite, or on event loops."""
    for point in built.make.points:
        kill_at(built, point, 2, report)
    for point in (each for each in POINTS if each.name in ("after acquire", "after refresh")):
        freeze_at(built, point, 1, report)
    assert (report.trials, report.freezes) == (2 * len(built.make.points), 2)
    assert right(report)


def test_logouts_of_every_make_win(built, report):
    """In a race with two refreshing workers a logout wins, whatever the app is built of."""
    race_logouts(built, 4, report, quiet)
    assert right(report)


def test_what_grace_zero_costs(stack, report):
    """Without grace only a worker that dies with Cognito's answer unsaved loses the session, as a 401 refresh_lost.

    What it has under way saves the session where it comes before the next worker's, or, for the call itself, after it.
    """
    with Site(stack, 0) as site:
        for point in POINTS:
            kill_at(site, point, 2, report)
    assert right(report)
    lossy = {"refresh under way": 1, "after refresh": 2, "commit under way": 1}
    assert report.clear_401_at == {f"{point}: refresh_lost": times for point, times in lossy.items()}


def test_trouble_at_each_call(rotating, report):
    """Throttled, broken, cut or hanging, once or throughout: served or 503, no cookie touched, healed by the next request."""
    trouble(rotating, report, quiet, hangs=False)
    assert report.faults == len(TROUBLED) * len(KINDS) * 2
    assert right(report)
    assert {end.split(":")[0] for end in report.fault_ends} == {call.name for call in TROUBLED}


@pytest.mark.parametrize("grace", [None, 60], ids=["off", "grace 60"])
def test_a_logout_wins_every_race(stack, grace, report):
    """A logout among two refreshes, in any order of their steps: no row, cookie or refresh token survives it."""
    with Site(stack, grace, sort_key="sid" if grace else None) as site:
        race_logouts(site, RACES // 2, report, quiet)
    assert report.races == RACES // 2
    assert right(report)


def test_two_hundred_workers_at_each_expiry(stack, report):
    """8 processes with 25 threads at each expiry of one session, no grace: one refresh, everybody served, nobody refused."""
    with Site(stack, 0) as site:
        expire_under(site, report, quiet, expiries=EXPIRIES, processes=8, threads=25)
    assert (report.expiries, report.refresh_calls, report.crowd_requests) == (EXPIRIES, EXPIRIES, EXPIRIES * 200)
    assert right(report)


def test_a_wrong_client_secret(stack, report):
    """Deployed by mistake: served while valid, then a 500 for the operator; no session ends, all are served afterwards."""
    with Site(stack, 60, sort_key="sid", client_secret=True) as site:
        deploy_wrong_secret(site, SESSIONS, report, quiet)
    assert report.bad_secret_sessions == SESSIONS
    assert right(report)


def test_the_long_run_in_miniature():
    """run() does every part, tells its progress to the end, and gives one report."""
    told = {}
    found = run(1, 0, 2, 1, 1, processes=2, threads=2, faults=False, progress=lambda name, *counts: told.update({name: counts}))
    assert right(found)
    plain = Counter({"rotation off": len(POINTS), "grace 60": len(POINTS), "grace 0": len(POINTS)})
    others = [("rotation off", Make(sealed=True)), *(("grace 60", make) for make in makes(Path()))]
    assert found.kills == plain + Counter({", ".join([name, *make.words]): len(make.points) for name, make in others})
    assert (found.races, found.expiries, found.crowd, found.bad_secret_sessions) == (2, 1, 4, 1)
    assert all(done == total for done, total in told.values())


# --- controls: what is counted as zero can be counted


def test_a_loss_is_counted(stack, report):
    """The control: where the grace is shorter than a lease, a worker that dies after the refresh loses its session."""
    with Site(stack, 5) as site:
        kill_at(site, next(point for point in POINTS if point.name == "after refresh"), 2, report)
    assert report.lost == 2
    assert len(report.failures) == 1
    assert "refresh_lost" in report.evidence[0]


def test_a_token_left_is_counted(stack, report):
    """The control: where Cognito revokes nothing, tokens are left over."""
    stack.fault("RevokeToken", "error500", times=None)
    with Site(stack, 60, sort_key="sid") as site:
        race_logouts(site, 2, report, quiet)
    stack.clear_faults()
    assert report.tokens_left >= 2
    assert report.resurrections == 0


ORPHANS = """
import os, sys, time
from cognito_session.local.stack import LocalStack
from crashes.site import Site
stack = LocalStack.start()
site = Site(stack, None)
(browser,) = site.take(1)
workers = [site.crew.worker() for _ in range(2)]
for worker in workers:
    worker.begin("resolve", browser.cookie, stops=("before load",))
    worker.stands()
workers[0].freeze()
print(site.crew.pid, *(worker.pid for worker in workers), flush=True)
time.sleep(60)
"""


def test_no_process_is_left_behind():
    """Whoever leads the trials is killed outright: the template, a waiting worker and a frozen one all end."""
    paths = os.pathsep.join(path for path in sys.path if path)
    leader = subprocess.Popen(
        [sys.executable, "-c", ORPHANS], env={**os.environ, "PYTHONPATH": paths}, stdout=subprocess.PIPE, text=True
    )
    try:
        pids = [int(pid) for pid in leader.stdout.readline().split()]
        assert len(pids) == 3
        assert all(alive(pid) for pid in pids)
    finally:
        leader.send_signal(signal.SIGKILL)
        leader.communicate(timeout=10)
    end = time.monotonic() + 10
    while any(alive(pid) for pid in pids) and time.monotonic() < end:
        time.sleep(0.02)
    assert not any(alive(pid) for pid in pids)


def alive(pid):
    """Whether a process is there and has not ended; a dead one that nobody has collected yet is not."""
    try:
        os.kill(pid, 0)
        state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    except ProcessLookupError:
        return False
    return not state.startswith("Z") and bool(state)
