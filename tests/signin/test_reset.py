"""A reset password ends the thief's session: on your own pages, with a second factor, and by the user pool's trigger."""

from __future__ import annotations

import pytest

from cognito_session import Active, ConfigurationError, SessionPolicy, SessionRequired
from cognito_session.core.protocol.session import Reason, Rejected
from cognito_session.signin.outcome import AccountChanged, Done, PasswordChanged, PasswordReset
from managed.scene import Reports, ring, rows
from signin.counter import Counter, refused
from support.stack import PASSWORD, make_app

NEW = "Another-Password2!"


@pytest.fixture(params=[False, True], ids=["public client, sync", "confidential client, async"])
def counter(stack, request):
    """A site with its own pages, for both kinds of client and of manager."""
    app = make_app(stack, sort_key="sid", client_secret=request.param, mfa="OPTIONAL")
    return Counter(app, asynchronous=request.param)


def thief_of(counter, user):
    """Another browser with a session of the user."""
    thief = Counter(counter.app)
    thief.arrived(thief.sign_in(user.username), user)
    return thief


def served(browser):
    """What the browser's next request gets."""
    return browser.manager.resolve(browser.cookies)


def reset(counter, user, **keywords):
    """Forget the password, and set a new one with the code."""
    counter.do("forgot_password", user.username)
    code = counter.app.stack.outbox(user.username)[-1].code
    counter.calls()
    return counter.do("confirm_forgot_password", user.username, code, NEW, **keywords)


def test_a_reset_password_ends_every_session_and_names_the_user(counter):
    """The stolen session ends, the outcome says whose it was, nobody is signed in, and no token of the look-up lives on."""
    user = counter.app.user()
    thief = thief_of(counter, user)
    counter.app.stack.advance(600)
    assert reset(counter, user) == PasswordReset(user.sub, 1)
    assert counter.calls() == ["ConfirmForgotPassword", "InitiateAuth", "RevokeToken", "RevokeToken", "AdminUserGlobalSignOut"]
    assert served(thief) == Rejected(Reason.SESSION_ENDED)
    assert counter.jar == {}
    counter.arrived(counter.sign_in(user.username, NEW), user)  # at once: no sign-in after the reset is refused


def test_a_sign_in_with_the_old_password_does_not_land_after_the_reset(counter):
    """Its tokens were obtained before; the row would be written after."""
    user = counter.app.user()
    tokens = counter.app.sign_in(user)
    counter.app.stack.advance(60)
    reset(counter, user)
    found = rows(counter.app)
    with pytest.raises(SessionRequired, match="sign in again") as caught:
        counter.app.manager(cookie="sealed", cookie_name=None, session_keys=ring(1)).establish(tokens)
    assert caught.value.reason == "signed_out"
    assert rows(counter.app) == found


def test_with_a_second_factor_the_sessions_end_with_its_answer(counter):
    """Cognito does not say who the user is before the second factor: the outcome has its challenge, and the answer ends all."""
    user = counter.app.user()
    thief = thief_of(counter, user)
    secret = counter.app.stack.enroll_totp(counter.app.pool, user.username)
    counter.app.stack.advance(600)
    outcome = reset(counter, user)
    assert (outcome.sub, outcome.others_signed_out, outcome.challenge.name) == (None, None, "SOFTWARE_TOKEN_MFA")
    assert isinstance(served(thief), Active)
    signed_in = counter.answer(counter.app.stack.totp(secret))
    counter.arrived(signed_in, user)
    assert signed_in.others_signed_out == 1
    assert served(thief) == Rejected(Reason.SESSION_ENDED)


@pytest.mark.parametrize("how", ["the call", "the policy"])
def test_the_sessions_go_on_where_that_is_wanted(stack, how):
    """`sign_out_others=False`, or a policy without "password": one call to Cognito, and nothing ends."""
    policy = SessionPolicy(end_others_after=() if how == "the policy" else ("password",))
    counter = Counter(make_app(stack, sort_key="sid"), policy=policy)
    user = counter.app.user()
    other = thief_of(counter, user)
    keywords = {"sign_out_others": False} if how == "the call" else {}
    assert reset(counter, user, **keywords) == PasswordReset()
    assert counter.calls() == ["ConfirmForgotPassword"]
    assert isinstance(served(other), Active)


def test_an_app_client_with_the_choice_of_first_factors_alone(stack):
    """USER_PASSWORD_AUTH is not allowed there: the user is found by USER_AUTH."""
    counter = Counter(make_app(stack, sort_key="sid"))
    user = counter.app.user()
    stack.refuse("InitiateAuth", "InvalidParameterException", "USER_PASSWORD_AUTH flow not enabled for this client", times=1)
    assert reset(counter, user) == PasswordReset(user.sub, 0)


@pytest.mark.parametrize("operation", ["InitiateAuth", "Query", "RevokeToken"])
def test_the_password_is_a_new_one_whatever_fails_afterwards(stack, operation):
    """An outage between: no exception, since the code is used up; the outcome and an event say that sessions may live on."""
    reports = Reports()
    counter = Counter(make_app(stack, sort_key="sid"), on_event=reports)
    counter.manager.ports = counter.manager.ports._replace(sleep=stack.advance)
    user = counter.app.user()
    stack.fault(operation, "error500", times=None)
    outcome = reset(counter, user)
    known = {"InitiateAuth": (None, None), "Query": (user.sub, None), "RevokeToken": (user.sub, 0)}[operation]
    assert (outcome.sub, outcome.others_signed_out) == known
    stack.clear_faults()
    name = "revoke_failed" if operation == "RevokeToken" else "others_not_signed_out"
    assert len(reports.named(name)) == 1
    counter.arrived(counter.sign_in(user.username, NEW), user)


def test_without_keys_a_challenge_is_said_to_be_unknown(stack):
    """There is nothing to seal the challenge with: the user is not known, which is reported; the password is a new one."""
    reports = Reports()
    counter = Counter(
        make_app(stack, sort_key="sid", mfa="OPTIONAL"),
        cookie="token",
        cookie_name="token",
        session_keys=None,
        on_event=reports,
    )
    user = counter.app.user()
    stack.enroll_totp(counter.app.pool, user.username)
    assert reset(counter, user) == PasswordReset()
    assert len(reports.named("others_not_signed_out")) == 1


def test_a_new_password_at_sign_in_ends_the_others(counter):
    """NEW_PASSWORD_REQUIRED is a changed password as well: an administrator set a temporary one after a theft."""
    user = counter.app.user()
    thief = thief_of(counter, user)
    pool = {"UserPoolId": counter.app.pool.user_pool_id, "Username": user.username}
    counter.app.stack.cognito("AdminSetUserPassword", **pool, Password="Temporary-1!", Permanent=False)
    counter.app.stack.advance(600)
    counter.challenged("NEW_PASSWORD_REQUIRED", counter.sign_in(user.username, "Temporary-1!"))
    signed_in = counter.answer(NEW)
    counter.arrived(signed_in, user)
    assert signed_in.others_signed_out == 1
    assert served(thief) == Rejected(Reason.SESSION_ENDED)


# --- what the policy says


@pytest.mark.parametrize("ends", [False, True])
def test_a_new_factor_ends_the_others_where_the_policy_says_so(stack, ends):
    """An authenticator app: Done by default; with "factor" the others end, and the outcome counts them."""
    policy = SessionPolicy(end_others_after={"password", "factor"} if ends else ["password"])
    counter = Counter(make_app(stack, sort_key="sid", mfa="OPTIONAL"), policy=policy)
    user = counter.app.user()
    other = thief_of(counter, user)
    me = counter.arrived(counter.sign_in(user.username), user)
    secret = counter.do("begin_totp", me).secret
    done = counter.do("confirm_totp", me, stack.totp(secret))
    assert done == (AccountChanged(1) if ends else Done())
    assert isinstance(served(other), Rejected if ends else Active)
    assert isinstance(served(counter), Active)


def test_a_factor_that_was_set_up_at_sign_in_ends_the_others_too(stack):
    """MFA_SETUP, with "factor" in the policy."""
    app = make_app(stack, sort_key="sid", mfa="OPTIONAL")
    user = app.user()
    other = thief_of(Counter(app), user)
    pool = {"UserPoolId": app.pool.user_pool_id, "SoftwareTokenMfaConfiguration": {"Enabled": True}}
    stack.cognito("SetUserPoolMfaConfig", **pool, MfaConfiguration="ON")
    try:
        counter = Counter(app, policy=SessionPolicy(end_others_after=["factor"]))
        prompt = counter.challenged("MFA_SETUP", counter.sign_in(user.username))
        signed_in = counter.answer(stack.totp(prompt.secret))
    finally:  # other tests have the same pool
        stack.cognito("SetUserPoolMfaConfig", **pool, MfaConfiguration="OPTIONAL")
    assert signed_in.others_signed_out == 1
    assert isinstance(served(other), Rejected)


def test_a_change_of_your_own_code(counter):
    """`account_changed` ends the others for what the policy names, and nothing for what it does not."""
    user = counter.app.user()
    other = thief_of(counter, user)
    me = counter.arrived(counter.sign_in(user.username), user)
    assert counter.do("account_changed", me, "address") == Done()
    assert isinstance(served(other), Active)
    assert counter.do("account_changed", me, "password") == AccountChanged(1)
    assert isinstance(served(other), Rejected)
    with pytest.raises(ConfigurationError, match="what"):
        counter.do("account_changed", me, "adress")


@pytest.mark.parametrize("wrong", ["password", ["pasword"], None, [1], {"password": True}])
def test_the_policy_names_changes(wrong):
    """A text, a misspelled name and what is no list are refused where the policy is made."""
    with pytest.raises(ConfigurationError, match="end_others_after"):
        SessionPolicy(end_others_after=wrong)


def test_a_changed_password_follows_the_policy(stack):
    """Without "password" the others go on, unless the call asks for their end."""
    counter = Counter(make_app(stack, sort_key="sid"), policy=SessionPolicy(end_others_after=()))
    user = counter.app.user()
    other = thief_of(counter, user)
    me = counter.arrived(counter.sign_in(user.username), user)
    assert counter.do("change_password", me, PASSWORD, NEW) == PasswordChanged(None)
    assert isinstance(served(other), Active)
    assert counter.do("change_password", me, NEW, PASSWORD, sign_out_others=True) == PasswordChanged(1)
    assert isinstance(served(other), Rejected)


# --- the user pool's trigger


def event_of(app, user, source="PostConfirmation_ConfirmForgotPassword", **more):
    """What Cognito calls the trigger with."""
    about = {"version": "1", "region": app.stack.region, "userPoolId": app.pool.user_pool_id, "userName": user.username}
    request = {"userAttributes": {"sub": user.sub, "email": "a@b.example"}}
    return {**about, "triggerSource": source, "request": request, "response": {}, **more}


@pytest.fixture
def app(stack):
    """A table with a sort key."""
    return make_app(stack, sort_key="sid")


def test_a_reset_in_managed_login_ends_the_sessions_by_the_trigger(app):
    """Cognito calls it on its own pages too; the event goes back as it came; a sign-in that follows lands."""
    user, manager = app.user(), app.manager()
    thief = thief_of(Counter(app), user)
    event = event_of(app, user)
    assert manager.password_reset_trigger()(event, None) is event
    assert served(thief) == Rejected(Reason.SESSION_ENDED)
    counter = Counter(app)
    counter.arrived(counter.sign_in(user.username), user)


def test_a_confirmed_sign_up_ends_nothing(app):
    """The same trigger is called for it."""
    user, manager = app.user(), app.manager()
    other = thief_of(Counter(app), user)
    event = event_of(app, user, "PostConfirmation_ConfirmSignUp")
    assert manager.password_reset_trigger()(event, None) is event
    assert isinstance(served(other), Active)


def test_the_trigger_takes_no_other_event(app):
    """Another pool's, another trigger's, one without a user: an error that says so, and nothing ends."""
    user, manager = app.user(), app.manager()
    other = thief_of(Counter(app), user)
    odd = [
        event_of(app, user, userPoolId="eu-central-1_OTHER"),
        event_of(app, user, "PostAuthentication_Authentication"),
        event_of(app, user, request={"userAttributes": {}}),
        event_of(app, user, request=None),
        {},
        None,
    ]
    for event in odd:
        with pytest.raises(ConfigurationError, match="password_reset_trigger"):
            manager.password_reset_trigger()(event, None)
    assert isinstance(served(other), Active)


def test_the_trigger_fails_no_reset(app):
    """The table is down: the event goes back all the same, and the operator is told."""
    reports = Reports()
    user, manager = app.user(), app.manager(on_event=reports)
    manager.ports = manager.ports._replace(sleep=app.stack.advance)
    app.stack.fault("Query", "error500", times=None)
    event = event_of(app, user)
    assert manager.password_reset_trigger()(event, None) is event
    assert len(reports.named("others_not_signed_out")) == 1


def test_a_wrong_code_ends_nothing(counter):
    """The attack from the other side: who has no code cannot end anybody's sessions."""
    user = counter.app.user()
    other = thief_of(counter, user)
    counter.do("forgot_password", user.username)
    assert counter.do("confirm_forgot_password", user.username, "000000", NEW) == refused("wrong_code")
    assert isinstance(served(other), Active)
