"""The stampede: 50 requests in five processes at the instant a token expires, under rotation without any grace."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from cognito_session import Active, Refreshed, SessionPolicy
from support.stack import Program, cookie_of, done, programs

GET_TOKENS = "GetTokensFromRefreshToken"
PROCESSES, THREADS = 5, 10

WORKER = """
import json, os, sys, threading
from cognito_session import SessionManager, SessionPolicy
from cognito_session.core.protocol.ports import RefreshRequest
from cognito_session.testing.clock import SharedClock

clock_path, declared, with_lease = sys.argv[1:4]
cookie, refresh_token = json.loads(sys.stdin.readline())
policy = SessionPolicy(rotation_grace_seconds=0, allow_lossy_rotation=True) if declared == "declared" else SessionPolicy()
manager = SessionManager.from_env(cookie="token", cookie_name="token", clock=(clock := SharedClock(clock_path)), policy=policy)
together = threading.Barrier(10)
found = []

def resolve():
    outcome = manager.resolve(cookie)
    return [type(outcome).__name__, getattr(outcome, "reason", None) or outcome.session.access_token]

def refresh():
    answer = manager.ports.provider.refresh(RefreshRequest(refresh_token, None, None, clock.monotonic() + 60))
    return [type(answer).__name__, getattr(answer, "code", None)]

def work():
    together.wait(20)
    try:
        found.append(resolve() if with_lease == "lease" else refresh())
    except Exception as error:
        found.append([type(error).__name__, str(error)])

manager.resolve(cookie)  # a warm worker
print("warm", flush=True)
sys.stdin.readline()
threads = [threading.Thread(target=work) for _ in range(10)]
for thread in threads: thread.start()
for thread in threads: thread.join(30)
print(json.dumps(found), flush=True)
"""


def stampede(app, cookie, refresh_token, *, declared="declared", with_lease="lease"):
    """What 50 threads of five processes got, all let go when the token had expired."""
    arguments = (str(app.stack.clock_path), declared, with_lease)
    many = [Program(WORKER, *arguments, environment=app.environment) for _ in range(PROCESSES)]
    with programs(many):
        for program in many:
            program.tell(json.dumps([cookie, refresh_token]))
        assert [program.hear() for program in many] == ["warm"] * PROCESSES
        app.expire()
        app.stack.clear_calls()
        for program in many:
            program.tell("go")
        return [tuple(each) for program in many for each in json.loads(program.hear())]


@pytest.fixture
def session(rotating):
    """A session that has been used, its cookie and its refresh token."""
    manager = rotating.manager()
    tokens = rotating.sign_in(rotating.user())
    cookie = cookie_of(manager.establish(tokens))
    assert isinstance(manager.resolve(cookie), Active)
    return manager, cookie, tokens["RefreshToken"]


@pytest.mark.parametrize("declared", ["declared", "undeclared"])
def test_a_stampede_is_one_refresh(rotating, session, declared):
    """50 requests at expiry: one refresh call, two writes, all 50 served with the same new token, nobody refused."""
    manager, cookie, refresh_token = session
    found = stampede(rotating, cookie, refresh_token, declared=declared)
    assert Counter(name for name, _ in found) == {"Refreshed": 1, "Active": PROCESSES * THREADS - 1}
    (token,) = {token for _, token in found}
    spent = Counter(done(rotating.stack))
    assert (spent[GET_TOKENS], spent["UpdateItem"], spent["RevokeToken"]) == (1, 2, 0)
    rotating.expire()
    assert isinstance(manager.resolve(f"token={token}"), Refreshed)


def test_the_same_without_a_lease(rotating, session):
    """The control: 50 refreshes of the same token without a lease, of which one is granted and 49 are refused."""
    manager, cookie, refresh_token = session
    found = stampede(rotating, cookie, refresh_token, with_lease="none")
    expected = [("RefreshDenied", "RefreshTokenReuseException")] * (PROCESSES * THREADS - 1) + [("NewTokens", None)]
    assert sorted(found, key=repr) == sorted(expected, key=repr)
    assert rotating.stack.count(GET_TOKENS) == PROCESSES * THREADS
    assert manager.resolve(cookie).reason == "refresh_denied"


def test_the_policy_says_what_is_lost(rotating):
    """Rotation without grace must be accepted in so many words, and then is."""
    with pytest.raises(ValueError, match="allow_lossy_rotation"):
        SessionPolicy(rotation_grace_seconds=0)
    assert rotating.pool.rotation_grace_seconds == 0
    assert SessionPolicy(rotation_grace_seconds=0, allow_lossy_rotation=True).rotation_grace_seconds == 0
