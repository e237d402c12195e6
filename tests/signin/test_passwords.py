"""Passwords without a redirect: sign-up to reset, the same answer for everybody, nothing begun where anything is wrong."""

from __future__ import annotations

import pytest

from cognito_session import Active, ConfigurationError, SessionPolicy, SessionUnavailable
from cognito_session.core.errors import ProviderUnavailable
from cognito_session.signin.outcome import CodeSent, Done, PasswordChanged, PasswordReset
from managed.scene import Reports, ring, session_rows
from signin.counter import SESSION, WRONG, Counter, Watching, refused
from support.clocks import OtherClock
from support.stack import PASSWORD, make_app

NEW = "Another-Password2!"
HUGE = "p" * 100_000
ODD = [None, "", [], ["a", "b"], {"a": "b"}, 7, b"bytes", "\ud800", HUGE]
"""What forms with missing, repeated and oversized fields hand over."""


@pytest.fixture(params=[False, True], ids=["public client, sync", "confidential client, async"])
def counter(stack, request):
    """A site with its own sign-in pages, for both kinds of client and of manager."""
    app = make_app(stack, sort_key="sid", client_secret=request.param)
    return Counter(app, asynchronous=request.param)


@pytest.fixture
def lenient(stack):
    """A site whose app client tells who has an account (PreventUserExistenceErrors LEGACY)."""
    return Counter(make_app(stack, sort_key="sid", prevent_user_existence_errors=False))


def code_for(counter, user, purpose):
    """The code that this user was sent last for this purpose."""
    return [each.code for each in counter.app.stack.outbox(user) if each.purpose == purpose][-1]


def fresh_name(counter):
    """The name of a user who does not exist yet."""
    return f"new-{counter.app.table}"


# --- sign-up


def test_sign_up_confirm_and_sign_in(counter):
    """A new user registers, confirms by code and signs in; each step is one call, and only the last begins a session."""
    name = fresh_name(counter)
    assert counter.do("register", name, PASSWORD, attributes={"email": "a@b.example"}).medium == "EMAIL"
    assert counter.sign_in(name) == refused("not_confirmed")
    assert counter.do("confirm", name, " 000 000 ") == refused("wrong_code")
    assert counter.do("resend", name) == CodeSent()
    code = code_for(counter, name, "resend")
    assert counter.do("confirm", name, f" {code[:3]} {code[3:]} ") == Done()
    counter.nobody()
    me = counter.arrived(counter.sign_in(name, user_agent="Mozilla/5.0 (X11; Linux) Firefox/140.0"))
    assert me.username == name
    (row,) = session_rows(counter.app)
    assert row["device"] == "Firefox on Linux"
    expected = ["SignUp", "InitiateAuth", "ConfirmSignUp", "ResendConfirmationCode", "ConfirmSignUp", "InitiateAuth"]
    assert counter.calls() == expected


def test_sign_up_is_refused_with_a_reason(counter):
    """A name that is taken, a weak password, each by its reason; the first user's password is still theirs."""
    user = counter.app.user()
    assert counter.do("register", user.username, NEW) == refused("username_exists")
    assert counter.do("register", fresh_name(counter), "short") == refused("invalid_password")
    counter.arrived(counter.sign_in(user.username), user)


@pytest.mark.parametrize(
    "attributes",
    [{"email": 7}, {"email": None}, {"email": "a" * 2049}, {"a b": "c"}, {"n" * 33: "c"}, {7: "c"}, {"": "c"}, ["email"], "x"],
)
def test_attributes_out_of_bounds_never_leave(counter, attributes):
    """What cannot be an attribute is refused here."""
    assert counter.do("register", fresh_name(counter), PASSWORD, attributes=attributes) == refused("invalid_input")
    assert counter.calls() == []


def test_confirming_tells_nobody_who_has_an_account(counter, lenient):
    """A wrong code, a user who is confirmed already and one who does not exist: one answer, whatever the app client says."""
    for each in (counter, lenient):
        name, user = fresh_name(each), each.app.user()
        each.do("register", name, PASSWORD, attributes={"email": "a@b.example"})
        answers = [each.do("confirm", who, "999999") for who in (name, user.username, "nobody-at-all")]
        assert answers == [refused("wrong_code")] * 3


# --- sign-in


@pytest.mark.parametrize("sort_key", [None, "sid"], ids=["one row", "two keys"])
@pytest.mark.parametrize("cookie", ["token", "sealed"])
def test_every_layout_and_both_cookies(stack, sort_key, cookie):
    """A password begins the same session in each layout of the table, in a sealed or a token cookie, without keys too."""
    app = make_app(stack, sort_key=sort_key)
    keys = ring(1) if cookie == "sealed" else None
    counter = Counter(app, cookie=cookie, cookie_name=SESSION, session_keys=keys)
    user = app.user()
    counter.arrived(counter.sign_in(user.username), user)
    assert len(session_rows(app)) == 1


def test_a_machine_whose_clock_is_ahead_names_its_clock(stack):
    """Tokens that have expired on arrival are the operator's matter and leave no live token: not "sign in again" for ever."""
    app = make_app(stack, sort_key="sid")
    counter = Counter(app, clock=OtherClock(stack.clock, 700))
    with pytest.raises(ConfigurationError, match="clock is about 70"):
        counter.sign_in(app.user().username)
    assert counter.calls()[-2:] == ["InitiateAuth", "RevokeToken"]


def test_wrong_passwords_and_unknown_users_are_one_answer(counter, lenient):
    """Unknown, wrong, disabled, and disabled with the right password: equal outcomes, with LEGACY too, and no session."""
    for each in (counter, lenient):
        user, disabled = each.app.user(), each.app.user()
        each.app.stack.disable_user(each.app.pool, disabled.username)
        attempts = [
            (user.username, "wrong"),
            ("nobody-at-all", PASSWORD),
            (disabled.username, "x"),
            (disabled.username, PASSWORD),
        ]
        assert [each.sign_in(*attempt) for attempt in attempts] == [WRONG] * 4
        assert [repr(each.sign_in(*attempt)) for attempt in attempts] == [repr(WRONG)] * 4
        each.nobody()
        assert each.lines == []


def test_a_lock_out_looks_like_a_wrong_password(stack):
    """Cognito locks known users only, so that saying so would tell who exists."""

    class Locked(Watching):
        def call(self, operation, payload):
            from cognito_session.core.protocol.ports import PoolRefusal

            return PoolRefusal("NotAuthorizedException", "Password attempts exceeded")

    counter = Counter(make_app(stack))
    counter.manager.ports = counter.manager.ports._replace(user_pool=Locked(counter.manager.ports.user_pool))
    assert counter.sign_in("alice") == WRONG


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: type(odd).__name__ + str(len(str(odd))))
def test_what_cannot_be_right_never_leaves(counter, odd):
    """100 kB passwords, empty, missing and repeated fields: the ordinary refusals, without any call."""
    wrong_code, invalid = refused("wrong_code"), refused("invalid_password")
    assert counter.sign_in("alice", odd) == WRONG
    assert counter.sign_in(odd) == WRONG
    assert counter.start(odd) == WRONG
    assert counter.do("register", odd, PASSWORD) == refused("invalid_input")
    assert counter.do("register", "alice", odd) == invalid
    assert counter.do("confirm", odd, "123456") == wrong_code
    assert counter.do("confirm", "alice", odd if odd != 7 else "x") == wrong_code
    assert counter.do("resend", odd) == CodeSent()
    assert counter.do("forgot_password", odd) == CodeSent()
    assert counter.do("confirm_forgot_password", odd, "123456", NEW) == wrong_code
    assert counter.do("confirm_forgot_password", "alice", odd, NEW) == wrong_code
    assert counter.do("confirm_forgot_password", "alice", "123456", odd) == invalid
    assert counter.calls() == []


@pytest.mark.parametrize("name", ["a" * 129, "a b", "a\tb", "a\nb", "a\x00b", " alice", "al\u200bice"])
def test_names_out_of_bounds_never_leave(counter, name):
    """Cognito's own form of a user name, checked here."""
    assert counter.sign_in(name) == WRONG
    assert counter.calls() == []


@pytest.mark.parametrize("code", ["1234567890", "12345a", "\uff11\uff12\uff13\uff14", "-1", "1.5", "0x1F", " " * 40 + "1"])
def test_codes_out_of_bounds_never_leave(counter, code):
    """A code is up to eight ASCII digits."""
    assert counter.do("confirm", "alice", code) == refused("wrong_code")
    assert counter.calls() == []


def test_the_longest_password_works(counter):
    """256 characters of any kind sign in, and 257 are refused without a call."""
    user, longest = counter.app.user(), "Pä1!" * 64
    counter.app.stack.cognito(
        "AdminSetUserPassword",
        UserPoolId=counter.app.pool.user_pool_id,
        Username=user.username,
        Password=longest,
        Permanent=True,
    )
    counter.arrived(counter.sign_in(user.username, longest), user)
    counter.calls()
    assert counter.sign_in(user.username, longest + "x") == WRONG
    assert counter.calls() == []


def test_a_sign_in_ends_the_session_that_came_along(counter):
    """No fixation: the session presented with a sign-in is ended when the new one begins, and not before."""
    user = counter.app.user()
    counter.arrived(counter.sign_in(user.username), user)
    old = counter.jar[SESSION]
    assert counter.sign_in(user.username, "wrong") == WRONG
    assert counter.jar[SESSION] == old
    counter.arrived(counter.sign_in(user.username), user)
    twin = Counter(counter.app)
    assert not isinstance(twin.manager.resolve(f"{SESSION}={old}"), Active)
    assert isinstance(twin.manager.resolve(counter.cookies), Active)


def test_a_sign_in_beyond_the_policy_leaves_nothing(stack):
    """Where the policy refuses one more session, the fresh tokens are revoked at Cognito."""
    app = make_app(stack, sort_key="sid")
    first, second = (Counter(app, policy=SessionPolicy(max_sessions=1, on_max_sessions="refuse")) for _ in range(2))
    user = app.user()
    first.arrived(first.sign_in(user.username), user)
    first.calls()
    assert second.sign_in(user.username) == refused("too_many_sessions")
    assert first.calls() == ["InitiateAuth", "RevokeToken"]
    assert len(session_rows(app)) == 1
    assert second.jar == {}


@pytest.mark.parametrize("fault", ["throttle", "error500", "drop_before", "drop_after"])
def test_an_outage_of_cognito_is_an_exception(counter, fault):
    """Throttled or down in each operation: ProviderUnavailable, never a refusal; nothing begun, and the retry works."""
    user = counter.app.user(email="a@b.example")
    name = fresh_name(counter)
    attempts = [
        ("SignUp", lambda: counter.do("register", name, PASSWORD, attributes={"email": "a@b.example"})),
        ("ConfirmSignUp", lambda: counter.do("confirm", name, "123456")),
        ("ResendConfirmationCode", lambda: counter.do("resend", name)),
        ("ForgotPassword", lambda: counter.do("forgot_password", user.username)),
        ("ConfirmForgotPassword", lambda: counter.do("confirm_forgot_password", user.username, "654321", NEW)),
        ("InitiateAuth", lambda: counter.sign_in(user.username)),
        ("InitiateAuth", lambda: counter.start(user.username)),
    ]
    for operation, attempt in attempts:
        counter.app.stack.fault(operation, fault)
        counter.calls()
        with pytest.raises(ProviderUnavailable) as caught:
            attempt()
        assert counter.calls() == [operation]
        assert caught.value.status == 503
        assert caught.value.retry_after >= 1
        counter.nobody()
        assert counter.jar == {}
    counter.app.stack.clear_faults()
    password = NEW if fault == "drop_after" else PASSWORD
    counter.arrived(counter.sign_in(user.username, password), user)


def test_an_outage_of_the_store_begins_nothing(counter):
    """A right password while the table is down: an exception, no cookie; the next attempt signs in."""
    user = counter.app.user()
    counter.manager.ports = counter.manager.ports._replace(sleep=counter.app.stack.advance)
    counter.app.stack.fault("TransactWriteItems", "error500", times=None)
    counter.app.stack.fault("GetItem", "error500", times=None)
    with pytest.raises(SessionUnavailable):
        counter.sign_in(user.username)
    counter.app.stack.clear_faults()
    counter.nobody()
    counter.arrived(counter.sign_in(user.username), user)


def test_the_parts_are_read_at_each_call(counter):
    """Ports that are replaced on a living manager are the ones that are used."""
    watching = Watching(counter.manager.ports.user_pool)
    counter.manager.ports = counter.manager.ports._replace(user_pool=watching)
    assert counter.sign_in("nobody-at-all") == WRONG
    assert [operation for operation, _ in watching.payloads] == ["InitiateAuth"]
    counter.manager.ports = counter.manager.ports._replace(user_pool=None)
    with pytest.raises(ConfigurationError, match="user_pool"):
        counter.sign_in("nobody-at-all")


# --- forgotten passwords


def test_a_forgotten_password(counter):
    """A code, a new password, a sign-in with it; the old one is wrong from then on, and the sessions of before have ended."""
    user = counter.app.user(email="a@b.example")
    elsewhere = Counter(counter.app)
    elsewhere.arrived(elsewhere.sign_in(user.username), user)
    assert counter.do("forgot_password", user.username) == CodeSent()
    assert counter.do("confirm_forgot_password", user.username, "000000", NEW) == refused("wrong_code")
    code = code_for(counter, user.username, "forgot_password")
    assert counter.do("confirm_forgot_password", user.username, code, "short") == refused("invalid_password")
    assert counter.do("confirm_forgot_password", user.username, code, NEW) == PasswordReset(user.sub, 1)
    assert counter.do("confirm_forgot_password", user.username, code, NEW) == refused("wrong_code")
    assert counter.sign_in(user.username) == WRONG
    counter.arrived(counter.sign_in(user.username, NEW), user)
    assert not isinstance(elsewhere.manager.resolve(elsewhere.cookies), Active)


def test_a_forgotten_password_tells_nobody_who_has_an_account(counter, lenient):
    """Known and unknown users get equal answers to both steps, with LEGACY too; no address is named."""
    for each in (counter, lenient):
        user, disabled = each.app.user(email="a@b.example"), each.app.user()
        each.app.stack.disable_user(each.app.pool, disabled.username)
        for operation in ("forgot_password", "resend"):
            answers = [each.do(operation, who) for who in (user.username, "nobody-at-all", disabled.username)]
            assert answers == [CodeSent()] * 3
        names = (user.username, "nobody-at-all", each.app.user().username)
        answers = [each.do("confirm_forgot_password", who, "000000", NEW) for who in names]
        assert answers == [refused("wrong_code")] * 3


@pytest.mark.parametrize(
    "code", ["LimitExceededException", "NotAuthorizedException", "InvalidParameterException", "NewException"]
)
@pytest.mark.parametrize("operation", ["forgot_password", "resend"])
def test_what_cognito_refuses_there_is_reported_and_not_told(stack, operation, code):
    """A limit that was reached, or a user who cannot have a code: the same answer, and an event for the operator."""
    from cognito_session.core.protocol.ports import PoolRefusal

    class Refusing(Watching):
        def call(self, operation, payload):
            return PoolRefusal(code, "canary")

    reports = Reports()
    counter = Counter(make_app(stack), on_event=reports)
    counter.manager.ports = counter.manager.ports._replace(user_pool=Refusing(counter.manager.ports.user_pool))
    assert counter.do(operation, "alice") == CodeSent()
    (report,) = reports.named("code_not_sent")
    assert code in report.detail
    assert "canary" not in repr(report)
    assert "alice" not in repr(report)


def test_an_administrators_reset(counter):
    """After AdminResetUserPassword the right password is told apart, for the forgotten-password pages to take over."""
    user = counter.app.user(email="a@b.example")
    counter.app.stack.cognito("AdminResetUserPassword", UserPoolId=counter.app.pool.user_pool_id, Username=user.username)
    assert counter.sign_in(user.username, "wrong") == WRONG
    assert counter.sign_in(user.username) == refused("password_reset_required")
    code = code_for(counter, user.username, "reset_password")
    assert counter.do("confirm_forgot_password", user.username, code, NEW) == PasswordReset(user.sub, 0)
    counter.arrived(counter.sign_in(user.username, NEW), user)


# --- another password


def two_devices(counter):
    """A user in two browsers: this one and another."""
    user, elsewhere = counter.app.user(), Counter(counter.app)
    elsewhere.arrived(elsewhere.sign_in(user.username), user)
    me = counter.arrived(counter.sign_in(user.username), user)
    counter.calls()
    return user, me, elsewhere


def test_changing_the_password_signs_the_others_out(counter):
    """This session goes on; the other is ended and its refresh token revoked; the new password is the one that counts."""
    user, me, elsewhere = two_devices(counter)
    assert counter.do("change_password", me, PASSWORD, NEW) == PasswordChanged(1)
    assert counter.calls() == ["ChangePassword", "RevokeToken"]
    assert not isinstance(elsewhere.manager.resolve(elsewhere.cookies), Active)
    assert isinstance(elsewhere.manager.resolve(counter.cookies), Active)
    assert elsewhere.sign_in(user.username) == WRONG
    elsewhere.arrived(elsewhere.sign_in(user.username, NEW), user)


def test_the_others_may_stay(counter):
    """With sign_out_others=False the other session goes on."""
    _, me, elsewhere = two_devices(counter)
    assert counter.do("change_password", me, PASSWORD, NEW, sign_out_others=False) == PasswordChanged(None)
    assert isinstance(elsewhere.manager.resolve(elsewhere.cookies), Active)
    assert counter.calls() == ["ChangePassword"]


def test_a_change_is_refused_with_a_reason(counter):
    """A wrong previous password and a weak new one, here or at Cognito; nobody is signed out by that."""
    _, me, elsewhere = two_devices(counter)
    assert counter.do("change_password", me, "wrong", NEW) == WRONG
    assert counter.do("change_password", me, PASSWORD, "short") == refused("invalid_password")
    assert counter.calls() == ["ChangePassword"] * 2
    for odd in ODD:
        assert counter.do("change_password", me, odd, NEW) == WRONG
        assert counter.do("change_password", me, PASSWORD, odd) == refused("invalid_password")
    assert counter.calls() == []
    assert isinstance(elsewhere.manager.resolve(elsewhere.cookies), Active)


def test_a_change_by_a_token_that_is_over(counter):
    """An access token that Cognito does not honour any more asks for a new sign-in; the password is as it was."""
    user, me, _ = two_devices(counter)
    counter.app.stack.sign_out_user(counter.app.pool, user.username)
    assert counter.do("change_password", me, PASSWORD, NEW) == refused("sign_in_again")
    counter.arrived(counter.sign_in(user.username), user)


def test_a_change_whose_sign_outs_the_store_refuses(counter):
    """Cognito has changed the password: a denied write is told as sign-outs left to be done, not as a failure."""
    _, me, _ = two_devices(counter)
    counter.app.stack.refuse("UpdateItem", "AccessDeniedException", "No.", times=None)
    assert counter.do("change_password", me, PASSWORD, NEW) == PasswordChanged(None)


def test_a_change_whose_sign_outs_are_not_certain(counter):
    """The table down after Cognito has changed the password: told as changed, with the sign-outs left to be done."""
    user, me, elsewhere = two_devices(counter)
    for operation in ("UpdateItem", "PutItem"):
        counter.app.stack.fault(operation, "error500", times=None)
    assert counter.do("change_password", me, PASSWORD, NEW) == PasswordChanged(None)
    counter.app.stack.clear_faults()
    elsewhere.arrived(elsewhere.sign_in(user.username, NEW), user)


@pytest.mark.parametrize("fault", ["throttle", "error500", "drop_before"])
def test_a_change_during_an_outage(counter, fault):
    """Nothing changed, nobody signed out."""
    _, me, elsewhere = two_devices(counter)
    counter.app.stack.fault("ChangePassword", fault)
    with pytest.raises(ProviderUnavailable):
        counter.do("change_password", me, PASSWORD, NEW)
    assert isinstance(elsewhere.manager.resolve(elsewhere.cookies), Active)
    assert counter.do("change_password", me, PASSWORD, NEW) == PasswordChanged(1)


# --- the app client's secret


@pytest.mark.parametrize(
    "message",
    [
        "SecretHash does not match for the client: 1example",
        "Unable to verify secret hash for client 1example",
        "Client 1example is configured with secret but SECRET_HASH was not received",
        "Client 1example is configured for secret but secret was not received",
    ],
)
def test_a_refused_secret_is_the_operators_in_every_operation(stack, message):
    """No wrong password, no wrong code and no code that was sent: a 500 that names CLIENT_SECRET."""
    counter = Counter(make_app(stack, sort_key="sid", client_secret=True, mfa="OPTIONAL"))
    user = counter.app.user()
    counter.app.stack.enroll_totp(counter.app.pool, user.username)
    counter.challenged("SOFTWARE_TOKEN_MFA", counter.sign_in(user.username))
    asked = {
        "RespondToAuthChallenge": lambda: counter.answer("123456"),
        "SignUp": lambda: counter.do("register", fresh_name(counter), PASSWORD, attributes={"email": "a@b.example"}),
        "ConfirmSignUp": lambda: counter.do("confirm", user.username, "123456"),
        "ResendConfirmationCode": lambda: counter.do("resend", user.username),
        "ForgotPassword": lambda: counter.do("forgot_password", user.username),
        "ConfirmForgotPassword": lambda: counter.do("confirm_forgot_password", user.username, "123456", NEW),
        "InitiateAuth": lambda: counter.sign_in(user.username),
    }
    for operation, ask in asked.items():
        counter.app.stack.refuse(operation, "NotAuthorizedException", message)
        with pytest.raises(ConfigurationError, match="CLIENT_SECRET"):
            ask()
