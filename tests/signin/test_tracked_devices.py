"""User pools that track devices: sessions are refreshed, a known browser proves itself, an unconfirmed one ends clearly."""

from __future__ import annotations

import asyncio

import pytest

from cognito_session import Active, Refreshed, Rejected, SessionPolicy, decode_token
from cognito_session.core.protocol.device_cookie import keep_device
from cognito_session.core.protocol.device_tracking import DeviceSecret
from cognito_session.core.protocol.session import Reason
from cognito_session.drivers.sync import run
from cognito_session.signin.outcome import Done
from managed.scene import Reports, ring, session_rows
from signin.browser import BASE_URL, Site
from signin.counter import SESSION, Counter, refused
from support.stack import LIFE_SECONDS, PASSWORD, cookie_of, make_app

DEVICE = "__Host-session-device"
KINDS = [
    pytest.param({"sort_key": "sid", "client_secret": False}, id="two keys, public, sync"),
    pytest.param({"sort_key": None, "client_secret": True}, id="one row, confidential, async"),
]


@pytest.fixture(params=KINDS)
def counter(stack, request):
    """A site with its own sign-in pages, whose user pool tracks devices."""
    return counter_at(stack, **request.param)


def counter_at(stack, *, sort_key="sid", client_secret=False, tracking=True, pool=None, **keywords):
    app = make_app(stack, sort_key=sort_key, client_secret=client_secret, device_tracking=tracking, **(pool or {}))
    return Counter(app, asynchronous=client_secret, **keywords)


def resolved(counter):
    """Who the site thinks is there; the browser keeps the cookies."""
    outcome = counter.manager.resolve(counter.cookies)
    outcome = asyncio.run(outcome) if counter.asynchronous else outcome
    if not isinstance(outcome, Rejected):
        counter.keep(outcome.session)
    return outcome


def signed_out(counter):
    """Press "sign out"; the browser keeps what it is told."""
    lines = counter.manager.sign_out(counter.cookies)
    lines = asyncio.run(lines) if counter.asynchronous else lines
    for line in lines:
        counter.jar.pop(line.partition("=")[0], None)
    return lines


def devices_of(counter, user):
    """The devices that Cognito lists for a user."""
    app = counter.app
    token = app.sign_in(user)["AccessToken"]
    return app.stack.cognito("ListDevices", AccessToken=token)["Devices"]


def only_row(counter, user):
    (row,) = session_rows(counter.app, user)
    return row


def test_a_session_outlives_its_first_token(counter):
    """The device of a sign-in is confirmed with a name, its key goes with each refresh, and the session goes on."""
    user = counter.app.user()
    outcome = counter.sign_in(user.username, user_agent="Mozilla/5.0 (X11; Linux) Firefox/140.0")
    assert outcome.session.sub == user.sub
    assert counter.calls() == ["InitiateAuth", "ConfirmDevice"]
    (listed,) = devices_of(counter, user)
    assert {"Name": "device_name", "Value": "Firefox on Linux"} in listed["DeviceAttributes"]
    row = only_row(counter, user)
    assert (row["device_key"], "device_pending" in row) == (listed["DeviceKey"], False)
    for _ in range(3):
        counter.app.stack.advance(LIFE_SECONDS + 1)
        assert isinstance(resolved(counter), Refreshed)


@pytest.mark.parametrize("sort_key", [None, "sid"], ids=["one row", "two keys"])
@pytest.mark.parametrize("cookie", ["token", "sealed"])
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_establish_confirms_the_device(stack, sort_key, cookie, asynchronous):
    """An AuthenticationResult with NewDeviceMetadata begins a session that is refreshed, in each layout and cookie."""
    app = make_app(stack, sort_key=sort_key, device_tracking=True)
    settings = {"cookie": cookie, "cookie_name": SESSION, "session_keys": ring(1) if cookie == "sealed" else None}
    manager = app.async_manager(**settings) if asynchronous else app.manager(**settings)

    def done(answer):
        return asyncio.run(answer) if asynchronous else answer

    user = app.user()
    me = done(manager.establish(app.sign_in(user)))
    stack.advance(LIFE_SECONDS + 1)
    outcome = done(manager.resolve(cookie_of(me)))
    assert isinstance(outcome, Refreshed)
    assert outcome.session.claims["device_key"]


def test_a_known_browser_proves_its_device(counter):
    """The next sign-in in the same browser names the device and proves it by SRP: no new device, and refreshes work."""
    user = counter.app.user()
    counter.sign_in(user.username)
    first = only_row(counter, user)["device_key"]
    counter.jar.pop(SESSION)
    counter.calls()
    counter.sign_in(user.username)
    assert counter.calls()[:3] == ["InitiateAuth", "RespondToAuthChallenge", "RespondToAuthChallenge"]
    live = [row for row in session_rows(counter.app, user) if row.get("state") == "active"]
    assert {row.get("device_key") for row in live} == {first}  # without it Cognito would refuse the next refresh
    counter.app.stack.advance(LIFE_SECONDS + 1)
    assert isinstance(resolved(counter), Refreshed)


def test_a_known_browser_needs_no_second_factor(stack):
    """Where the pool lets remembered devices replace the second factor, the code is asked of a new browser only."""
    counter = counter_at(stack, tracking="instead_of_mfa", pool={"mfa": "OPTIONAL"})
    user = counter.app.user(email="a@b.example")
    counter.sign_in(user.username)
    stack.set_mfa(counter.app.pool, user.username, "EMAIL_OTP", preferred="EMAIL_OTP")
    counter.jar.pop(SESSION)
    assert counter.sign_in(user.username).session.sub == user.sub
    counter.jar.clear()
    assert counter.sign_in(user.username).name == "EMAIL_OTP"


def test_a_device_is_proved_after_a_code(counter):
    """Where it replaces nothing, the device proves itself after the second factor, in the challenge's answer."""
    stack = counter.app.stack
    counter = counter_at(stack, client_secret=counter.asynchronous, pool={"mfa": "OPTIONAL"})
    user = counter.app.user(email="a@b.example")
    counter.sign_in(user.username)
    stack.set_mfa(counter.app.pool, user.username, "EMAIL_OTP", preferred="EMAIL_OTP")
    counter.jar.pop(SESSION)
    assert counter.sign_in(user.username).name == "EMAIL_OTP"
    counter.calls()
    code = [each.code for each in stack.outbox(user.username) if each.purpose == "mfa"][-1]
    assert counter.answer(code).session.sub == user.sub
    assert counter.calls() == ["RespondToAuthChallenge"] * 3


def test_a_choice_of_first_factors_names_the_device(counter):
    """USER_AUTH: the password chosen there is followed by the device's proof."""
    user = counter.app.user()
    counter.sign_in(user.username)
    counter.jar.pop(SESSION)
    counter.start(user.username, preferred="PASSWORD")
    counter.calls()
    assert counter.answer(PASSWORD).session.sub == user.sub
    assert counter.calls()[:3] == ["RespondToAuthChallenge"] * 3


def test_another_users_device_is_not_named(counter):
    """The cookie counts beside its own user's name only; who signs in next in this browser has a new device."""
    alice, bob = counter.app.user(), counter.app.user()
    counter.sign_in(alice.username)
    counter.calls()
    assert counter.sign_in(bob.username).session.sub == bob.sub
    assert [call for call in counter.calls() if "Device" in call or "Auth" in call][:2] == ["InitiateAuth", "ConfirmDevice"]


def test_a_forgotten_device_is_left_out(counter):
    """Where Cognito does not know the device any more, the sign-in is repeated without it, and the browser gets a new one."""
    user = counter.app.user()
    token = counter.sign_in(user.username).session.access_token
    before = counter.jar[DEVICE]
    counter.app.stack.cognito("ForgetDevice", AccessToken=token, DeviceKey=only_row(counter, user)["device_key"])
    counter.calls()
    assert counter.sign_in(user.username).session.sub == user.sub
    calls = counter.calls()  # the presented session's revocation comes in between
    assert calls[:2] == ["InitiateAuth", "InitiateAuth"]
    assert "ConfirmDevice" in calls[2:]
    assert counter.jar[DEVICE] != before


def test_a_device_that_cannot_prove_itself_is_dropped(counter):
    """A device password that Cognito refuses: the sign-in is over, the cookie removed, and the next try works."""
    user = counter.app.user()
    counter.sign_in(user.username)
    key, context = only_row(counter, user)["device_key"], counter.manager.context
    (line,) = run(
        keep_device(context, DeviceSecret(key, "-group", "wrong"), user.username, user.username), counter.manager.ports
    )
    counter.jar[DEVICE] = line.partition("=")[2].partition(";")[0]
    outcome = counter.sign_in(user.username)
    assert (outcome.reason, DEVICE in counter.jar) == ("challenge_expired", False)
    assert counter.sign_in(user.username).session.sub == user.sub


def test_cognito_refuses_to_refresh_what_was_never_confirmed(counter):
    """Where ConfirmDevice is refused for good, the session ends as a 401 of its own reason, and signing in again works."""
    user, reports = counter.app.user(), Reports()
    counter = Counter(counter.app, asynchronous=counter.asynchronous, on_event=reports)
    counter.app.stack.refuse("ConfirmDevice", "InvalidParameterException", "no")
    counter.sign_in(user.username)
    counter.app.stack.clear_faults()
    assert [each.detail for each in reports.named("device_not_confirmed")] == ["InvalidParameterException"]
    assert isinstance(resolved(counter), Active)
    counter.app.stack.advance(LIFE_SECONDS + 1)
    assert resolved(counter) == Rejected(Reason.DEVICE_REFUSED)
    assert resolved(counter) == Rejected(Reason.SESSION_ENDED)
    counter.sign_in(user.username)
    assert isinstance(resolved(counter), Active)
    counter.app.stack.advance(LIFE_SECONDS + 1)
    assert isinstance(resolved(counter), Refreshed)


@pytest.mark.parametrize(
    "code",
    [
        *(
            "ForbiddenException",
            "InvalidUserPoolConfigurationException",
            "InvalidLambdaResponseException",
            "LimitExceededException",
        ),
        *("AccessDeniedException", "ServiceUnavailable", "ThrottledException", "RequestTimeoutException", "NeverSeenException"),
    ],
)
def test_a_code_that_is_not_about_the_device_is_not_final(counter, code):
    """AWS WAF, a throttle, a setting or an unknown code: a later request confirms the device, and the session goes on."""
    user, reports = counter.app.user(), Reports()
    counter = Counter(counter.app, asynchronous=counter.asynchronous, on_event=reports)
    counter.app.stack.refuse("ConfirmDevice", code, "no")
    counter.sign_in(user.username)
    counter.app.stack.clear_faults()
    assert reports.named("device_not_confirmed")
    counter.app.stack.advance(61)
    assert isinstance(resolved(counter), Active)
    counter.app.stack.advance(LIFE_SECONDS)
    assert isinstance(resolved(counter), Refreshed)


@pytest.mark.parametrize("kind", ["error500", "throttle", "drop_after", "drop_before"])
def test_an_outage_of_confirm_device_loses_nothing(counter, kind):
    """The sign-in stands; a later request confirms the device, one a minute at most, and refreshes and the proof work."""
    user, stack = counter.app.user(), counter.app.stack
    stack.fault("ConfirmDevice", kind, times=2)
    assert counter.sign_in(user.username).session.sub == user.sub
    assert only_row(counter, user)["device_pending"]
    counter.calls()
    for _ in range(3):
        assert isinstance(resolved(counter), Active)
    assert counter.calls() == []
    stack.advance(61)
    for _ in range(3):
        assert isinstance(resolved(counter), Active)
    assert counter.calls() == ["ConfirmDevice"]
    stack.advance(61)
    assert isinstance(resolved(counter), Active)
    row = only_row(counter, user)
    assert "device_pending" not in row
    assert "device_retry_at" not in row
    stack.advance(LIFE_SECONDS + 1)
    assert isinstance(resolved(counter), Refreshed)
    counter.jar.pop(SESSION)
    counter.calls()
    counter.sign_in(user.username)
    assert "ConfirmDevice" not in counter.calls()


def test_an_unconfirmed_device_is_not_refreshed_ahead_of_time(counter):
    """In the refresh window a session whose device waits for its confirmation is served, not refreshed and lost."""
    user, stack = counter.app.user(), counter.app.stack
    stack.fault("ConfirmDevice", "error500", times=100)
    counter.sign_in(user.username)
    counter.calls()
    stack.advance(LIFE_SECONDS - 5)
    assert isinstance(resolved(counter), Active)
    assert "GetTokensFromRefreshToken" not in counter.calls()
    stack.clear_faults()
    stack.advance(10)
    assert resolved(counter) == Rejected(Reason.DEVICE_REFUSED)


def test_signing_out_forgets_the_device(counter):
    """Signing out forgets the device at Cognito before its tokens are revoked, and removes the browser's device cookie."""
    user = counter.app.user()
    counter.sign_in(user.username)
    counter.calls()
    assert any(line.startswith(f"{DEVICE}=;") for line in signed_out(counter))
    assert counter.calls() == ["ForgetDevice", "RevokeToken"]
    assert counter.jar == {}
    assert devices_of(counter, user) == []


def test_a_policy_keeps_the_device_at_sign_out(counter):
    """`forget_device_on_sign_out=False`: the device stays known, and the next sign-in proves it."""
    user = counter.app.user()
    policy = SessionPolicy(forget_device_on_sign_out=False)
    counter = Counter(counter.app, asynchronous=counter.asynchronous, policy=policy)
    counter.sign_in(user.username)
    counter.calls()
    signed_out(counter)
    assert counter.calls() == ["RevokeToken"]
    counter.sign_in(user.username)
    assert counter.calls() == ["InitiateAuth", "RespondToAuthChallenge", "RespondToAuthChallenge"]


def test_signing_out_does_not_wait_for_a_device(counter):
    """An outage of ForgetDevice, or an access token that has expired, changes nothing about the sign-out."""
    user, stack = counter.app.user(), counter.app.stack
    counter.sign_in(user.username)
    stack.fault("ForgetDevice", "error500", times=5)
    signed_out(counter)
    assert resolved(counter) == Rejected(Reason.NO_COOKIE)
    stack.clear_faults()
    counter.sign_in(user.username)
    stack.advance(LIFE_SECONDS + 1)
    counter.calls()
    signed_out(counter)
    assert counter.calls() == ["RevokeToken"]


def test_a_device_that_another_session_shares_is_kept(stack):
    """Ending one of two sessions of the same browser leaves the device of the other."""
    counter = counter_at(stack)
    user = counter.app.user()
    first = counter.sign_in(user.username).session
    counter.jar.pop(SESSION)
    counter.sign_in(user.username)
    counter.calls()
    assert counter.manager.revoke(user.sub, first.sid)
    assert counter.calls() == ["RevokeToken"]
    stack.advance(LIFE_SECONDS + 1)
    assert isinstance(resolved(counter), Refreshed)


def test_a_new_sign_in_in_the_same_browser_keeps_its_device(stack):
    """The session that the sign-in replaces is ended; the device that both share is not forgotten with it."""
    counter = counter_at(stack)
    user = counter.app.user()
    counter.sign_in(user.username)
    counter.sign_in(user.username)
    stack.advance(LIFE_SECONDS + 1)
    assert isinstance(resolved(counter), Refreshed)


def test_a_sign_in_beyond_the_policy_keeps_the_remembered_device(stack):
    """A refused sign-in proves the device and changes nothing of it: once there is room it is the same device again."""
    policy = SessionPolicy(max_sessions=1, on_max_sessions="refuse", forget_device_on_sign_out=False)
    known = counter_at(stack, policy=policy)
    other = Counter(known.app, policy=policy)
    user = known.app.user()
    known.sign_in(user.username)
    first = only_row(known, user)["device_key"]
    signed_out(known)
    other.sign_in(user.username)
    listed, kept = len(devices_of(known, user)), known.jar[DEVICE]
    known.calls()
    assert known.sign_in(user.username) == refused("too_many_sessions")
    assert known.calls() == ["InitiateAuth", "RespondToAuthChallenge", "RespondToAuthChallenge", "RevokeToken"]
    assert known.jar == {DEVICE: kept}
    signed_out(other)
    assert known.sign_in(user.username).session.sub == user.sub
    (row,) = [row for row in session_rows(known.app, user) if row["state"] == "active"]
    assert row["device_key"] == first
    assert len(devices_of(known, user)) == listed
    stack.advance(LIFE_SECONDS + 1)
    assert isinstance(resolved(known), Refreshed)


def test_a_sign_in_beyond_the_policy_remembers_no_device(stack):
    """A new browser's refused sign-in confirms no device at Cognito and sets no cookie."""
    policy = SessionPolicy(max_sessions=1, on_max_sessions="refuse")
    first = counter_at(stack, policy=policy)
    second = Counter(first.app, policy=policy)
    user = first.app.user()
    first.sign_in(user.username)
    first.calls()
    assert second.sign_in(user.username) == refused("too_many_sessions")
    assert (first.calls(), second.jar) == (["InitiateAuth", "RevokeToken"], {})
    stack.advance(LIFE_SECONDS + 1)
    assert isinstance(resolved(first), Refreshed)


def test_without_keys_each_sign_in_is_a_new_device(stack):
    """A token cookie without SESSION_KEYS: no device cookie, devices confirmed all the same, refreshes work."""
    app = make_app(stack, sort_key="sid", device_tracking=True)
    counter = Counter(app, cookie="token", cookie_name=SESSION, session_keys=None)
    user = app.user()
    counter.sign_in(user.username)
    assert list(counter.jar) == [SESSION]
    stack.advance(LIFE_SECONDS + 1)
    assert isinstance(resolved(counter), Refreshed)


@pytest.mark.parametrize("client_secret", [False, True], ids=["public, sync", "confidential, async"])
def test_a_user_is_asked_before_a_device_is_remembered(stack, client_secret):
    """A pool that prompts: sessions are refreshed at once; the browser proves itself once the user has agreed, until not."""
    counter = counter_at(stack, tracking="prompt", client_secret=client_secret)
    user = counter.app.user()

    def calls_of_a_sign_in():
        counter.jar.pop(SESSION)
        counter.calls()
        outcome = counter.sign_in(user.username)
        return outcome.session, [call for call in counter.calls() if call != "RevokeToken"]

    counter.sign_in(user.username)
    stack.advance(LIFE_SECONDS + 1)
    assert isinstance(resolved(counter), Refreshed)
    me, calls = calls_of_a_sign_in()
    assert calls == ["InitiateAuth", "ConfirmDevice"]
    assert counter.do("remember_device", me) == Done()
    me, calls = calls_of_a_sign_in()
    assert calls == ["InitiateAuth", "RespondToAuthChallenge", "RespondToAuthChallenge"]
    assert counter.do("remember_device", me, remembered=False) == Done()
    assert calls_of_a_sign_in()[1] == ["InitiateAuth", "ConfirmDevice"]


def test_a_session_without_a_device_has_none_to_remember(stack):
    """Without device tracking there is nothing to remember, and no call."""
    counter = Counter(make_app(stack, sort_key="sid"))
    me = counter.sign_in(counter.app.user().username).session
    counter.calls()
    assert counter.do("remember_device", me).reason == "invalid_input"
    assert counter.calls() == []


@pytest.mark.parametrize("sort_key", [None, "sid"], ids=["one row", "two keys"])
def test_a_row_of_other_sign_in_code_names_its_own_device(stack, sort_key):
    """Where other code signs in and confirms its device, the refresh sends the key of the presented token, and the row keeps
    it: also where the row's own session, on another device, stood there before.
    """
    app = make_app(stack, sort_key=sort_key, device_tracking=True)
    manager, user = app.manager(cookie_name="token"), app.user()
    before = manager.establish(app.sign_in(user))
    tokens = app.sign_in(user)
    key = tokens["NewDeviceMetadata"]["DeviceKey"]
    stack.cognito("ConfirmDevice", AccessToken=tokens["AccessToken"], DeviceKey=key)
    if sort_key is None:
        app.foreign_update(user, tokens)
    else:
        sid = decode_token(tokens["AccessToken"])["origin_jti"]
        row = {"sub": user.sub, "sid": sid, "token": tokens["RefreshToken"], "timestamp": 1, "device_key": before.sid}
        stack.dynamodb().put_item(app.table, row)
    cookie = f"token={tokens['AccessToken']}"
    for _ in range(2):
        stack.advance(LIFE_SECONDS + 1)
        outcome = manager.resolve(cookie)
        assert isinstance(outcome, Refreshed)
        cookie = cookie_of(outcome.session)
    assert key in [row.get("device_key") for row in session_rows(app, user)]


def test_nothing_of_the_device_is_in_plain(counter):
    """Neither the device's key, group and password nor the verifier's text shows in a cookie, a repr or the row."""
    user = counter.app.user()
    counter.sign_in(user.username)
    row = only_row(counter, user)
    assert row["device_key"] not in counter.jar[DEVICE]
    secret = DeviceSecret("k-canary", "g-canary", "p-canary")
    assert "canary" not in repr(secret)
    assert set(row) & {"device_password", "device_group"} == set()


@pytest.mark.parametrize("client_secret", [False, True], ids=["public, sync", "confidential, async"])
def test_managed_login_confirms_its_device_too(stack, client_secret):
    """A code grant names the device by the access token's claim: it is confirmed, refreshed and forgotten at sign-out."""
    app = make_app(
        stack,
        sort_key="sid",
        client_secret=client_secret,
        device_tracking=True,
        callback_urls=(f"{BASE_URL}/auth/callback",),
        logout_urls=(f"{BASE_URL}/",),
    )
    scopes = ["openid", "aws.cognito.signin.user.admin"]
    with Site(app, asynchronous=client_secret) as site:
        site.login = site.manager.managed_login(scopes=scopes)
        user = app.user()
        assert site.sign_in(user).status == 303
        (row,) = session_rows(app, user)
        assert row["device_key"]
        stack.advance(LIFE_SECONDS + 1)
        assert isinstance(site.resolve(), Refreshed)
        stack.clear_calls()
        site.sign_out()
        assert "ForgetDevice" in [call.operation for call in stack.calls("cognito")]


def test_managed_login_without_the_scope_says_so(stack):
    """Without aws.cognito.signin.user.admin no device can be confirmed: reported at sign-in, and a clear 401 at expiry."""
    app = make_app(stack, sort_key="sid", device_tracking=True, callback_urls=(f"{BASE_URL}/auth/callback",))
    reports = Reports()
    with Site(app, on_event=reports) as site:
        site.login = site.manager.managed_login(scopes=["openid"])
        user = app.user()
        assert site.sign_in(user).status == 303
        (report,) = reports.named("device_not_confirmed")
        assert "aws.cognito.signin.user.admin" in report.detail
        stack.advance(LIFE_SECONDS + 1)
        assert site.resolve() == Rejected(Reason.DEVICE_REFUSED)
