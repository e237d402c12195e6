"""The fixture `cognito`: a signed-in request in one line, a clock to turn, and an application that is left as it was."""

from __future__ import annotations

import json

import pytest

from cognito_session import ConfigurationError, Session, SessionManager, SessionPolicy, session
from cognito_session.testing import Browser, Cognito, ManualClock
from cognito_session.testing.environment import set_defaults
from cognito_session.testing.events import FORMS

ANSWERED = [form for form in FORMS if not form.startswith(("authorizer", "websocket-message"))]


def status(answer):
    return answer["statusCode"]


def reason(answer):
    return json.loads(answer["body"])["reason"]


@pytest.mark.parametrize("form", ANSWERED)
def test_a_signed_in_event_in_one_line(cognito, handler, form):
    """In every form the handler is called with the session of the user whose groups were asked for."""
    answer = handler(cognito.event(form, groups=["staff"]), cognito.context)
    assert (status(answer), answer["body"]) == (200, "alice")


FEDERATED = (
    "Google_109283746512345678901",
    "SignInWithApple_000111.0123456789abcdef0123456789abcdef.0011",
    "azuread_First.Last@corp.example",
    "SAML_CORP\\müller",
    "auth0_auth0|5f7c8ec7c33c6c004bbafe82",
    'okta_a b;c=d"e',
    "x" * 128,
)


@pytest.mark.parametrize("username", FEDERATED)
def test_names_of_federated_users(cognito, handler, username):
    """Whatever an identity provider calls its users: served, refreshed, and told by the whole name."""
    cognito.sign_in(username, groups=["staff", "eu-central-1_Testing00_Google"])
    for _ in range(2):
        answer = handler(cognito.event("http-v2"), cognito.context)
        assert (status(answer), answer["body"]) == (200, username)
        cognito.keep(answer)
        cognito.expire()


def test_the_example_of_the_docs(cognito, sessions):
    """Signed in, 200; an hour later with DynamoDB down, 503."""
    cognito.attach(sessions)

    @sessions.protect
    def handler(event, context, me):
        return {"statusCode": 200}

    event = cognito.event("http-v2", groups=["admin"])
    assert handler(event, cognito.context)["statusCode"] == 200
    cognito.advance(3600)
    cognito.fail("dynamodb")
    assert handler(event, cognito.context)["statusCode"] == 503


def test_nobody_is_signed_in(cognito, handler):
    """With signed_in=False the event has no session cookie, also after others had one."""
    cognito.event("rest", groups=["staff"])
    answer = handler(cognito.event("rest", signed_in=False), cognito.context)
    assert (status(answer), reason(answer)) == (401, "no_cookie")


def test_groups_are_the_users(cognito, handler):
    """Without the group the guard refuses; other groups are another sign-in of the same user."""
    assert status(handler(cognito.event("http-v1"), cognito.context)) == 403
    assert status(handler(cognito.event("http-v1", groups=["staff", "night"]), cognito.context)) == 200
    assert status(handler(cognito.event("http-v1", groups=["night"]), cognito.context)) == 403


def test_the_same_user_stays_signed_in(cognito, handler):
    """Events without new groups or scopes come from the same session, however often they are made."""
    first = cognito.event("http-v2", groups=["staff"], scopes=["orders/read"])
    assert cognito.event("http-v2")["cookies"] == first["cookies"]
    assert cognito.event("http-v2", groups=["staff"], scopes=["orders/read"])["cookies"] == first["cookies"]
    assert cognito.event("http-v2", scopes=["orders/write"])["cookies"] != first["cookies"]


def test_users_and_devices(cognito, sessions):
    """Each sign_in is a browser of its own; events come from the latest, or from the user or browser that is named."""
    cognito.attach(sessions)
    phone, laptop = cognito.sign_in("alice"), cognito.sign_in("alice")
    bob = cognito.sign_in("bob", groups=["staff"])

    def who(event):
        return sessions.resolve(event["cookies"][0]).session

    assert cognito.cookie_header == bob.cookie_header != ""
    assert (phone.sub, phone.username) == (laptop.sub, "alice")
    assert phone.sub != bob.sub
    assert who(cognito.event("http-v2")).sub == bob.sub
    assert who(cognito.event("http-v2", user="alice")).sid == who(cognito.event("http-v2", user=laptop)).sid
    assert who(cognito.event("http-v2", user=phone)).sid != who(cognito.event("http-v2", user=laptop)).sid
    assert who(cognito.event("http-v2", user="carol")).username == "carol"
    assert len(sessions.sessions_of(phone.sub)) == 2


def test_the_browser_keeps_what_answers_bring(cognito, handler):
    """After an expiry the answer brings a new cookie; once kept, the next event carries it, and only it."""
    event = cognito.event("rest", groups=["staff"])
    assert status(handler(event, cognito.context)) == 200
    before = cognito.cookie_header
    cognito.expire()
    cognito.keep(handler(event, cognito.context))
    after = cognito.event("rest")["headers"]["Cookie"]
    assert after != before
    assert after.count("__Host-session=") == 1
    cognito.advance(120)
    cognito.calls.clear()
    assert status(handler(cognito.event("rest"), cognito.context)) == 200
    assert (cognito.calls.reads, cognito.calls.writes, cognito.calls.cognito) == (1, 1, 0)


def test_a_sign_out_is_kept_too(cognito, sessions):
    """Who has signed out by the application's own answer is not signed in again behind the test's back."""
    cognito.attach(sessions)
    me = cognito.event("http-v2")["cookies"][0]
    cognito.keep(sessions.sign_out(me))
    assert "cookies" not in cognito.event("http-v2")
    assert "cookies" in cognito.event("http-v2", groups=["staff"])


def test_budgets_can_be_asserted(cognito, handler):
    """The log counts what the application did: first request, ordinary request, expiry; nothing of the kit's own."""
    event = cognito.event("http-v2", groups=["staff"])
    costs = []
    for before in (lambda: None, lambda: None, cognito.expire):
        before()
        cognito.calls.clear()
        assert status(handler(event, cognito.context)) == 200
        costs.append((cognito.calls.reads, cognito.calls.writes, cognito.calls.cognito))
    assert costs == [(1, 1, 0), (1, 0, 0), (1, 2, 1)]
    assert [call.purpose for call in cognito.calls if call.is_write] == ["acquire", "commit"]


def test_everything_is_put_back(sessions, async_sessions):
    """After the kit's end both managers have the very case and ports they had, also where a test failed."""
    before = [(manager.context, manager.ports) for manager in (sessions, async_sessions)]

    def fails(kit):
        for manager in (sessions, sessions, async_sessions):
            assert kit.attach(manager) is manager
            assert manager.context.clock is kit.clock
        assert sessions.ports.store is not before[0][1].store
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), Cognito() as kit:
        fails(kit)
    now = [(manager.context, manager.ports) for manager in (sessions, async_sessions)]
    assert all(a is b for one, other in zip(before, now, strict=True) for a, b in zip(one, other, strict=True))


def test_nothing_can_be_asked_before_a_manager_is_attached(cognito):
    """The error says what to do."""
    with pytest.raises(ConfigurationError, match=r"cognito\.attach\(sessions\)"):
        cognito.event("http-v2")


def test_two_managers_of_one_application_share_their_sessions(cognito, sessions, async_sessions):
    """A session begun under one manager is served by the other, whose table and app client are the same."""
    cognito.attach(sessions)
    cognito.attach(async_sessions)
    browser = cognito.sign_in("alice", manager=sessions)
    assert sessions.revoke_all(browser.sub) == 1
    assert reason(protect_async(async_sessions)(cognito.event("rest", user=browser), None)) == "session_ended"


def protect_async(manager):
    from cognito_session.web.aws_lambda.protect import protect

    async def handler(event, context, me):
        return {"statusCode": 200}

    return protect(manager.engine, handler)


def test_two_applications_are_apart(cognito, environ):
    """Managers of two pools and cookies have their own users and sessions; `manager` says whose a sign-in is."""
    set_defaults(environ := dict(environ), prefix="ADMIN_", USER_POOL_ID="eu-west-1_Admins", SESSION_TABLE="admin-sessions")
    shop = cognito.attach(SessionManager.from_env(environ=environ))
    admin = cognito.attach(SessionManager.from_env(environ=environ, prefix="ADMIN_", cookie_name="__Host-admin"))
    event = cognito.event("alb", manager=admin)
    assert [pair.partition("=")[0] for pair in event["headers"]["cookie"].split("; ")] == ["__Host-admin"]
    header = event["headers"]["cookie"]
    assert admin.resolve(header).session.username == "alice"
    assert shop.resolve(header).reason == "no_cookie"
    both = cognito.event("alb", manager=shop)["headers"]["cookie"]
    assert shop.resolve(both).session.sub != admin.resolve(both).session.sub


def test_a_layout_with_one_row_per_user_is_kept(cognito):
    """Where the manager's table has no sort key, a second sign-in replaces the first, as in production."""
    environ: dict[str, str] = {}
    set_defaults(environ)
    sessions = cognito.attach(SessionManager.from_env(environ=environ))
    first, second = cognito.sign_in("alice"), cognito.sign_in("alice")
    assert sessions.resolve(first.cookie_header).reason == "displaced"
    assert sessions.resolve(second.cookie_header).session.username == "alice"


def test_the_seeds_call(cognito, monkeypatch):
    """An application that calls session(name, event) and has no manager is attached by its cookie's name."""
    set_defaults(environ := {})
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    cognito.attach_session_call("id")
    assert session("id", cognito.event("http-v2"), cognito.context).username == "alice"
    cognito.expire()
    assert session("id", cognito.event("http-v2"), cognito.context).cognito is not None


def test_sign_in_times_and_claims(cognito, sessions):
    """auth_time is when the sign-in happened; claims are in the access token, also after a refresh."""
    cognito.attach(sessions)
    now = int(cognito.clock.now())
    browser = cognito.sign_in("alice", auth_time=now - 600, claims={"tenant": "t1"}, scopes=["orders/read"])
    me = sessions.resolve(browser.cookie_header).session
    assert (me.auth_time, me.claims["tenant"], me.scopes) == (now - 600, "t1", {"orders/read"})
    cognito.expire()
    assert sessions.resolve(browser.cookie_header).session.claims["tenant"] == "t1"


def test_a_session_without_a_request(cognito):
    """session() makes what a handler is given, and needs no manager: guards work on it."""
    me = cognito.session("bob", groups=["staff"], scopes=["a"], data={"theme": "dark"}, claims={"tenant": "t1"})
    assert isinstance(me, Session)
    assert (me.username, me.groups, me.scopes, me.data["theme"], me.claims["tenant"]) == (
        "bob",
        ("staff",),
        {"a"},
        "dark",
        "t1",
    )
    me.require(any_group=["staff"], scopes=["a"], max_age=60)


def test_tokens_for_an_applications_own_sign_in(cognito, sessions):
    """tokens() is Cognito's AuthenticationResult, and establish() takes it."""
    cognito.attach(sessions)
    me = sessions.establish(cognito.tokens("bob", groups=["staff"]), user_agent="Firefox on Linux")
    assert (me.username, me.groups) == ("bob", ("staff",))
    assert [report.event for report in cognito.reports] == ["established"]


def test_reports_reach_the_applications_own_hook_too(cognito, environ):
    """on_event is called as before; the kit writes down what it was told."""
    told = []
    sessions = cognito.attach(SessionManager.from_env(environ=environ, on_event=told.append))
    sessions.sign_out(cognito.sign_in().cookie_header)
    assert [report.event for report in told] == ["ended"] == [report.event for report in cognito.reports]


def test_the_context_runs_on_the_tests_clock(cognito, sessions):
    """Remaining time falls as the clock is turned, and a function without time left does not refresh."""
    cognito.attach(sessions)
    context = cognito.context_with(10)
    assert context.get_remaining_time_in_millis() == 10_000
    cognito.advance(4)
    assert context.get_remaining_time_in_millis() == 6_000
    assert cognito.context.aws_request_id != context.aws_request_id
    browser = cognito.sign_in()
    cognito.expire()
    handler = sessions.protect(lambda event, context, me: {"statusCode": 200})
    assert reason(handler(cognito.event("rest", user=browser), cognito.context_with(2))) == "function_timeout"
    assert cognito.calls.cognito == 0


def test_the_clock_may_be_another(environ):
    """A test may begin at an instant of its own."""
    with Cognito(ManualClock(now=2_000_000_000)) as kit:
        sessions = kit.attach(SessionManager.from_env(environ=environ))
        assert sessions.resolve(kit.sign_in().cookie_header).session.auth_time == 2_000_000_000


def test_what_happens_to_users_at_cognito(cognito, sessions):
    """Disabled, signed out everywhere, deleted: the session lives until its token expires, and ends at the refresh."""
    cognito.attach(sessions)
    for act in (cognito.disable, cognito.sign_out_everywhere, cognito.delete):
        browser = cognito.sign_in(act.__name__)
        act(browser)
        assert sessions.resolve(browser.cookie_header).session.username == act.__name__
        cognito.expire()
        assert sessions.resolve(browser.cookie_header).reason == "refresh_denied"


def test_groups_change_with_the_next_refresh(cognito, sessions):
    """set_groups is felt when the token is refreshed, as at Cognito."""
    cognito.attach(sessions)
    browser = cognito.sign_in("alice", groups=["staff"])
    cognito.set_groups("alice", ["night"])
    assert sessions.resolve(browser.cookie_header).session.groups == ("staff",)
    cognito.expire()
    assert sessions.resolve(browser.cookie_header).session.groups == ("night",)


def test_a_user_who_was_disabled_can_be_enabled(cognito, sessions):
    """Enable reverses disable; a disabled user cannot sign in."""
    cognito.attach(sessions)
    browser = cognito.sign_in("alice")
    cognito.disable()
    with pytest.raises(ValueError, match="disabled"):
        cognito.sign_in("alice")
    cognito.enable("alice")
    cognito.expire()
    assert sessions.resolve(browser.cookie_header).session.username == "alice"


def test_an_unknown_user_is_an_error(cognito, sessions):
    """A misspelled name does not pass silently."""
    cognito.attach(sessions)
    with pytest.raises(LookupError, match="alcie"):
        cognito.disable("alcie")


def test_timeouts_of_the_managers_own_policy(cognito, environ):
    """The policy stays: the idle end comes when the clock passes it."""
    sessions = cognito.attach(SessionManager.from_env(environ=environ, policy=SessionPolicy(idle_seconds=1800)))
    browser = cognito.sign_in()
    cognito.advance(1799)
    assert sessions.resolve(browser.cookie_header).session.username == "alice"
    cognito.advance(1801)
    assert sessions.resolve(browser.cookie_header).reason == "idle_timeout"


def test_reprs_hold_no_secret(cognito, sessions):
    """Nothing that a failing test prints holds a token or a cookie's value."""
    cognito.attach(sessions)
    browser = cognito.sign_in()
    value = browser.cookie_header.partition("=")[2]
    pool = cognito._pool(None)
    shown = (
        f"{cognito!r} {browser!r} {browser.jar!r} {pool!r} {pool.state!r} {cognito._attachments!r} {browser.jar.cookies()!r}"
    )
    assert isinstance(browser, Browser)
    assert value not in shown
    assert all(text not in shown for text in pool.state.tokens)
    assert "eyJ" not in shown
