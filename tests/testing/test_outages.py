"""Fault injection of the kit: the effect on a request, the duration, and that no session is lost."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest

from cognito_session import SessionManager, SessionPolicy
from cognito_session.core.errors import (
    ConfigurationError,
    KeysUnavailable,
    LeaseBusy,
    ProviderUnavailable,
    SessionUnavailable,
    StoreUnavailable,
)
from cognito_session.core.protocol.ports import NewTokens, RefreshRequest
from cognito_session.ops import iam


@pytest.fixture
def browser(cognito, sessions):
    """A browser with a session of the attached manager after one request; the call log is empty."""
    cognito.attach(sessions)
    browser = cognito.sign_in("alice", groups=["staff"])
    assert sessions.resolve(browser.cookie_header).session.username == "alice"
    cognito.calls.clear()
    return browser


def served(sessions, browser):
    return sessions.resolve(browser.cookie_header).session


def endings(cognito):
    return [(call.operation, call.ending) for call in cognito.calls]


def test_dynamodb_down(cognito, sessions, browser):
    """Without DynamoDB the response is a 503; after `heal` the same cookie is served."""
    cognito.fail("dynamodb")
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            served(sessions, browser)
    assert endings(cognito) == [("GetItem", "failed")] * 3
    cognito.heal()
    assert served(sessions, browser).username == "alice"


def test_cognito_down(cognito, sessions, browser):
    """A valid token is served; an expired one waits for Cognito and survives its outage."""
    cognito.fail("cognito")
    assert served(sessions, browser).username == "alice"
    cognito.expire()
    with pytest.raises(ProviderUnavailable):
        served(sessions, browser)
    cognito.heal()
    cognito.advance(60)
    assert served(sessions, browser).username == "alice"


def test_cognito_throttling(cognito, sessions, browser):
    """A throttled refresh is not tried again at once: the cool-down is kept for all requests."""
    cognito.expire()
    cognito.throttle("cognito", times=1)
    for _ in range(3):
        with pytest.raises(SessionUnavailable):
            served(sessions, browser)
    assert cognito.calls.cognito == 1
    cognito.advance(10)
    assert served(sessions, browser).username == "alice"


def test_times(cognito, sessions, browser):
    """So many calls fail and no more."""
    cognito.fail("dynamodb", times=2)
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            served(sessions, browser)
    assert served(sessions, browser).username == "alice"


def test_only_some_calls(cognito, sessions, browser):
    """By operation, by purpose or by kind: the commit fails twice and is repeated, the rest goes on."""
    cognito.expire()
    cognito.fail("dynamodb", only="commit", times=2)
    assert served(sessions, browser).username == "alice"
    commits = [call.ending for call in cognito.calls if call.purpose == "commit"]
    assert commits == ["failed", "failed", "done"]
    cognito.expire()
    cognito.fail("dynamodb", only="GetItem", times=1)
    with pytest.raises(StoreUnavailable):
        served(sessions, browser)
    cognito.fail("dynamodb", only="write", times=2)
    with pytest.raises(StoreUnavailable):
        served(sessions, browser)


def test_the_key_set_down(cognito, sessions, browser):
    """The cached keys are forgotten, as in a new process: no new sign-in can be checked. Sealed cookies need no keys."""
    assert sessions.establish(cognito.tokens("carol")).username == "carol"
    cognito.fail("keys")
    assert served(sessions, browser).username == "alice"
    with pytest.raises(KeysUnavailable):
        sessions.establish(cognito.tokens("bob"))
    cognito.heal()
    assert sessions.establish(cognito.tokens("bob")).username == "bob"


def test_keys_are_fetched_once(cognito, sessions, browser):
    """As in a real process, the key set is fetched for the first token and held."""
    for name in ("bob", "carol"):
        sessions.establish(cognito.tokens(name))
    assert [call.operation for call in cognito.calls if call.service == "keys"] == ["jwks"]


@pytest.mark.parametrize("grace_seconds", [None, 60])
def test_an_answer_of_cognito_lost(cognito, sessions, browser, grace_seconds):
    """The refresh was done and its response was lost: the lease expires and the session is refreshed again."""
    cognito.rotation(grace_seconds=grace_seconds)
    cognito.expire()
    cognito.lose_answer("cognito")
    cognito.calls.clear()
    assert served(sessions, browser).username == "alice"
    assert endings(cognito).count(("GetTokensFromRefreshToken", "lost")) == 1
    assert endings(cognito).count(("GetTokensFromRefreshToken", "done")) == 1


def test_without_grace_a_lost_answer_ends_the_session(cognito, sessions, browser):
    """What the docs say cannot be saved ends as a clear denial, not as an endless 503."""
    cognito.rotation(grace_seconds=0)
    cognito.expire()
    cognito.lose_answer("cognito")
    with pytest.raises(LeaseBusy):
        sessions.resolve(browser.cookie_header)
    cognito.advance(10)
    assert sessions.resolve(browser.cookie_header).reason == "refresh_lost"


def test_a_grace_that_the_policy_declares(cognito, environ):
    """Where the manager says that rotation is on, it is on in its pool, with that grace."""
    policy = SessionPolicy(rotation_grace_seconds=30)
    cognito.attach(SessionManager.from_env(environ=environ, policy=policy))
    (pool,) = cognito._state.pools.values()
    old = cognito.tokens("alice")["RefreshToken"]
    assert pool.refresh(old)["RefreshToken"] != old
    cognito.advance(30)
    assert pool.refresh(old).code == "RefreshTokenReuseException"


def test_an_answer_of_dynamodb_lost(cognito, sessions, browser):
    """A commit that was written and not acknowledged is found to be done: one refresh, no second one."""
    cognito.rotation(grace_seconds=0)
    cognito.expire()
    cognito.lose_answer("dynamodb", only="commit")
    assert served(sessions, browser).username == "alice"
    assert cognito.calls.cognito == 1
    assert [call.ending for call in cognito.calls if call.purpose == "commit"] == ["lost", "refused"]


def test_lost_answers_of_dynamodb_are_those_of_writes(cognito, sessions, browser):
    """Unless it is said otherwise a read's answer is not lost: that would be a failure like any other."""
    cognito.lose_answer("dynamodb")
    assert served(sessions, browser).username == "alice"
    cognito.expire()
    assert served(sessions, browser).username == "alice"
    assert ("UpdateItem", "lost") in endings(cognito)


def test_waiting_moves_the_clock_and_nothing_else(cognito, async_sessions, browser):
    """The asynchronous driver waits by the test's clock as well: a lost answer costs seconds there and none here."""
    cognito.attach(async_sessions)
    cognito.expire()
    cognito.lose_answer("cognito")
    began = cognito.clock.now()
    outcome = asyncio.run(asyncio.wait_for(async_sessions.resolve(browser.cookie_header), 10))
    assert outcome.session.username == "alice"
    assert 6 <= cognito.clock.now() - began < 20


def test_requests_in_real_threads_wait_for_each_other(cognito, sessions, browser):
    """Thirty-two threads at an expiry: one refresh, all served, although waiting takes next to no time."""
    cognito.rotation(grace_seconds=0)
    cognito.expire()
    barrier, found = threading.Barrier(32), []

    def ask():
        barrier.wait(10)
        found.append(sessions.resolve(browser.cookie_header))

    threads = [threading.Thread(target=ask) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [outcome.session.username for outcome in found] == ["alice"] * 32
    assert cognito.calls.cognito == 1


def test_many_coroutines_wait_for_each_other(cognito, async_sessions, browser):
    """Fifty at an expiry on one event loop: one refresh, all served, and the clock does not run away with so many waiting."""
    cognito.attach(async_sessions)
    cognito.rotation(grace_seconds=0)
    cognito.expire()
    began = cognito.clock.now()

    async def all_of_them():
        return await asyncio.gather(*(async_sessions.resolve(browser.cookie_header) for _ in range(50)))

    outcomes = asyncio.run(asyncio.wait_for(all_of_them(), 30))
    assert [outcome.session.username for outcome in outcomes] == ["alice"] * 50
    assert cognito.calls.cognito == 1
    assert cognito.clock.now() - began < 6


def test_an_outage_is_a_503_for_people_and_programs(cognito, sessions, browser):
    """A handler answers by itself, with Retry-After, and keeps the cookie."""
    handler = sessions.protect(lambda event, context, me: {"statusCode": 200})
    cognito.fail("dynamodb")
    answer = handler(cognito.event("rest"), cognito.context)
    assert (answer["statusCode"], json.loads(answer["body"])["reason"]) == (503, "store_unavailable")
    assert answer["headers"]["Retry-After"] == "1"
    cognito.keep(answer)
    assert cognito.cookie_header == browser.cookie_header


def test_what_cannot_be_meant_is_refused(cognito):
    """Misspelled services and zero calls are errors."""
    with pytest.raises(ValueError, match="dynamodb"):
        cognito.fail("dynamo")
    with pytest.raises(ValueError, match="times"):
        cognito.fail("cognito", times=0)


def test_a_lost_answer_says_so(cognito, sessions, browser):
    """The port raises its own error, which does not say whether the work was done."""
    tokens = cognito.tokens("bob")
    cognito.lose_answer("cognito")
    cognito.rotation(grace_seconds=0)
    request = RefreshRequest(tokens["RefreshToken"], "bob", None, float("inf"))
    with pytest.raises(ProviderUnavailable) as caught:
        sessions.ports.provider.refresh(request)
    assert caught.value.sent is None
    assert not isinstance(sessions.ports.provider.refresh(request), NewTokens)


def test_a_commit_that_the_role_may_not_write(cognito, sessions, browser):
    """Cognito has rotated, the table forbids the commit three times: repeated, served, and nothing is lost."""
    cognito.rotation(grace_seconds=0)
    cognito.expire()
    cognito.forbid("dynamodb", only="commit", times=3)
    browser.keep(sessions.resolve(browser.cookie_header).session)
    assert [call.ending for call in cognito.calls if call.purpose == "commit"] == ["failed"] * 3 + ["done"]
    cognito.expire()
    assert served(sessions, browser).username == "alice"


def test_cognito_that_forbids_every_refresh(cognito, sessions, browser):
    """A 500 however long it lasts, and the session is there when it is over."""
    cognito.expire()
    cognito.forbid("cognito")
    for _ in range(10):
        with pytest.raises(ConfigurationError):
            served(sessions, browser)
        cognito.advance(600)
    cognito.heal()
    assert served(sessions, browser).username == "alice"


def test_a_pool_that_tracks_devices(cognito, sessions):
    """A session whose device is confirmed is refreshed, under rotation too."""
    cognito.attach(sessions)
    cognito.rotation(grace_seconds=0)
    cognito.device_tracking()
    browser = cognito.sign_in("alice")
    cognito.expire()
    assert type(sessions.resolve(browser.cookie_header)).__name__ == "Refreshed"


def test_a_confirmation_that_fails_is_sent_again(cognito, sessions):
    """The sign-in stands, a later request confirms the device, and the session can then be refreshed."""
    cognito.attach(sessions)
    cognito.device_tracking()
    cognito.fail("cognito", only="ConfirmDevice", times=1)
    me = sessions.establish(cognito.tokens("alice"))
    header = me.set_cookies[0].partition(";")[0]
    cognito.advance(61)
    assert sessions.resolve(header).session.username == "alice"
    cognito.expire()
    assert sessions.resolve(header).session.username == "alice"
    assert [call.ending for call in cognito.calls if call.operation == "ConfirmDevice"] == ["failed", "done"]


def test_a_device_that_is_never_confirmed(cognito, sessions):
    """The first refresh ends the session as device_refused."""
    cognito.attach(sessions)
    cognito.device_tracking()
    cognito.fail("cognito", only="ConfirmDevice")
    me = sessions.establish(cognito.tokens("alice"))
    cognito.expire()
    assert sessions.resolve(me.set_cookies[0].partition(";")[0]).reason == "device_refused"


def test_a_sign_out_forgets_the_device(cognito, sessions):
    """ForgetDevice reaches the pool, and off again means that sign-ins get no device."""
    cognito.attach(sessions)
    cognito.device_tracking()
    browser = cognito.sign_in("alice")
    sessions.sign_out(browser.cookie_header)
    assert [call.ending for call in cognito.calls if call.operation == "ForgetDevice"] == ["done"]
    cognito.device_tracking(on=False)
    assert "NewDeviceMetadata" not in cognito.tokens("alice")


@pytest.mark.parametrize("order", ["device_tracking", "rotation"])
def test_a_setting_of_the_user_pool_needs_a_user_pool(cognito, order):
    """Before a manager is attached it would change nothing, and the test would prove nothing."""
    with pytest.raises(ConfigurationError, match=r"attach the manager first: cognito\.attach"):
        getattr(cognito, order)()


@pytest.mark.parametrize("grace_seconds", [-1, 61])
def test_a_grace_that_no_user_pool_has(cognito, sessions, grace_seconds):
    """RetryGracePeriodSeconds is 0 to 60."""
    cognito.attach(sessions)
    with pytest.raises(ValueError, match="grace_seconds: expected 0 to 60"):
        cognito.rotation(grace_seconds=grace_seconds)


@pytest.mark.parametrize("kind", ["fail", "throttle", "forbid", "lose_answer"])
@pytest.mark.parametrize(("service", "only"), [("cognito", "ConfirmDevise"), ("dynamodb", "ConfirmDevice"), ("keys", "read")])
def test_an_outage_of_calls_that_are_never_made(cognito, kind, service, only):
    """A misspelled operation, or another service's, is an error: nothing would fail, and the test would pass."""
    with pytest.raises(ValueError, match=f"^only: expected one of .*, not '{only}'"):
        getattr(cognito, kind)(service, only=only)


@pytest.mark.parametrize(
    ("service", "name"), [(service, name) for service, name, _ in iam.CALLS if service != "secretsmanager"]
)
def test_every_call_can_be_named(cognito, service, name):
    """Each operation that the library calls may be made to fail."""
    cognito.fail("cognito" if service == "cognito-idp" else service, only=name)


@pytest.mark.parametrize("value", [5, None, SessionManager])
def test_what_is_no_manager_is_not_attached(cognito, value):
    """The error says what is attached."""
    with pytest.raises(ConfigurationError, match=r"^attach: expected a SessionManager or AsyncSessionManager"):
        cognito.attach(value)
