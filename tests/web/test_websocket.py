"""WebSocket APIs: who may open a connection, and who is served when messages come over it."""

from __future__ import annotations

import json

import pytest

from cognito_session import Active, ConfigurationError, Refreshed, SessionPolicy, current_session, session
from cognito_session.http.csrf import Csrf
from managed.scene import Reports, by_hand, ring, sealed, session_rows
from support.stack import cookie_of, done, make_app
from web.gateways import HOST, Call, WebSocketApi, WebSocketAuthorizer

API = WebSocketApi()
OURS = f"https://{HOST}"
READ, WRITE = "GetItem", "UpdateItem"


@pytest.fixture(params=["sealed", "token"])
def sessions(app, request):
    """A manager of each kind of cookie."""
    return serving(app) if request.param == "sealed" else app.manager(session_keys=ring(1), websocket_api=True)


@pytest.fixture
def cookie(app, sessions):
    """The cookie of a session that has been used."""
    found = cookie_of(sessions.establish(app.sign_in(app.user(groups=["staff"]))))
    sessions.resolve(found)
    app.stack.clear_calls()
    return found


@pytest.fixture
def app(stack):
    """An app whose pool has groups."""
    return make_app(stack, sort_key="sid", groups=("staff",))


def serving(app, **keywords):
    """A manager with the sealed cookie that serves a WebSocket API's messages."""
    return sealed(app, websocket_api=True, **keywords)


def echo(manager, **keywords):
    """A handler for every route that says who is there."""
    return manager.protect(lambda _event, _context, me: {"statusCode": 200, "body": me.sub if me else "guest"}, **keywords)


def call(cookie=None, *, origin=OURS, site=None):
    """A browser's handshake."""
    named = (("Origin", origin), ("Sec-Fetch-Site", site))
    return Call(headers=tuple((name, value) for name, value in named if value is not None), cookies=(cookie,) if cookie else ())


def told(manager, cookie):
    """What the authorizer on $connect puts into the context of the connection."""
    admitted = WebSocketAuthorizer(manager.authorizer()).admit(call(cookie))
    assert admitted.status == 200
    return admitted.context


# --- $connect


def test_a_handshake_with_a_session_is_let_in(sessions, cookie, app):
    """Resolved from the Cookie header like any request: one read; the handler has the session and current_session()."""
    handler = sessions.protect(lambda _event, _context, me: {"statusCode": 200 if current_session() is me else 500})
    assert API.handshake(handler(API.connect_event(call(cookie)), None)).status == 101
    assert done(app.stack) == [READ]


def test_a_handshake_without_one_is_refused(sessions, app):
    """401 as JSON with its reason, also where a sign-in page is known: a handshake has nowhere to be redirected to."""
    handler = echo(sessions, login_path="/login")
    reply = API.handshake(handler(API.connect_event(call()), None))
    assert (reply.status, json.loads(reply.body)["reason"]) == (401, "no_cookie")
    assert API.handshake(echo(sessions, optional=True)(API.connect_event(call()), None)).status == 101
    assert done(app.stack) == []


@pytest.mark.parametrize(
    ("page", "status"),
    [
        ((OURS, None), 101),
        ((OURS, "same-origin"), 101),
        ((None, None), 101),
        (("https://evil.test", None), 403),
        (("https://evil.test", "cross-site"), 403),
        ((OURS, "cross-site"), 403),
        ((None, "cross-site"), 403),
        (("https://evil.test", "same-origin"), 403),
        (("https://evil.test", "none"), 403),
        (("https://x.example.test", "same-site"), 403),
        ((f"{OURS}.evil.test", None), 403),
        ((f"{OURS}:8443", None), 403),
        ((f"http://{HOST}", None), 403),
        (("null", None), 403),
        (("", None), 403),
        ((f"{OURS}, {OURS}", None), 403),
    ],
)
def test_a_page_of_another_site_opens_no_connection(sessions, cookie, app, page, status):
    """A handshake is a GET with cookies that any page may start: its Origin must be ours. Programs send none and pass."""
    handler = echo(sessions)
    reply = API.handshake(handler(API.connect_event(call(cookie, origin=page[0], site=page[1])), None))
    assert reply.status == status
    assert done(app.stack) == ([READ] if status == 101 else [])


async def test_a_coroutine_s_handshake_is_checked_alike(sessions, cookie):
    """The asynchronous way asks the same question."""

    async def connect(event, context, me):
        return {"statusCode": 200}

    handler = sessions.protect(connect)
    for origin, status in ((OURS, 200), ("https://evil.test", 403)):
        assert (await handler.aio(API.connect_event(call(cookie, origin=origin)), None))["statusCode"] == status


def test_a_trusted_origin_may_connect(app):
    """A page elsewhere that is named as trusted, and where the API has another host than the site, APP_BASE_URL's."""
    trusting = sealed(app, csrf=Csrf(trusted_origins=["https://admin.example.test"]))
    cookie = cookie_of(trusting.establish(app.sign_in(app.user())))
    event = API.connect_event(call(cookie, origin="https://admin.example.test", site="cross-site"))
    assert echo(trusting)(event, None)["statusCode"] == 200
    named = sealed(app, app_base_url="https://public.example.test")
    assert echo(named)(API.connect_event(call(cookie, origin="https://public.example.test")), None)["statusCode"] == 200
    assert echo(named)(API.connect_event(call(cookie)), None)["statusCode"] == 403


def test_a_refresh_at_the_handshake_is_healed_by_the_next_request(sessions, cookie, app):
    """The handshake's answer cannot carry the new cookie and does not pretend to: the old one heals at the next request."""
    app.expire()
    given = echo(sessions)(API.connect_event(call(cookie)), None)
    assert (given["statusCode"], "headers" in given, "cookies" in given, "multiValueHeaders" in given) == (
        200, False, False, False,
    )  # fmt: skip
    healed = sessions.resolve(cookie)
    assert type(healed) is Active
    assert sessions.resolve(cookie_of(healed.session)).session.set_cookies == ()


def test_an_outage_at_the_handshake_is_a_503(sessions, cookie, app):
    """Not finding out lets nobody in, and is no denial."""
    app.stack.fault(READ, "error500", times=None)
    reply = API.handshake(echo(sessions)(API.connect_event(call(cookie)), None))
    assert (reply.status, json.loads(reply.body)["error"]) == (503, "unavailable")


# --- messages


def test_a_message_is_served_from_the_row(sessions, cookie, app):
    """One consistent read and nothing else; the session is the one that opened the connection, groups and data included."""
    me = sessions.save_data(sessions.resolve(cookie).session, {"theme": "dark"})
    context = told(sessions, cookie)
    seen = []
    handler = sessions.protect(lambda _event, _context, mine: seen.append((mine, current_session())) or "ok")
    app.stack.clear_calls()
    assert handler(API.message_event("hello", context=context), None)["statusCode"] == 200
    assert done(app.stack, keys=True) == [READ]
    ((mine, current),) = seen
    assert mine is current
    assert (mine.sub, mine.sid, mine.groups, mine.data) == (me.sub, me.sid, ("staff",), {"theme": "dark"})
    assert (mine.access_token, mine.set_cookies) == (me.access_token, ())
    assert (mine.auth_time, mine.session_expires_at) == (me.auth_time, me.session_expires_at)


@pytest.mark.parametrize("end", ["sign_out", "revoke", "revoke_all"])
def test_a_message_after_the_end_of_its_session_is_refused(sessions, cookie, app, end):
    """The connection stays open, and the very next message is refused."""
    context, me = told(sessions, cookie), sessions.resolve(cookie).session
    {
        "sign_out": lambda: sessions.sign_out(cookie),
        "revoke": lambda: sessions.revoke(me.sub, me.sid),
        "revoke_all": lambda: sessions.revoke_all(me.sub),
    }[end]()
    given = echo(sessions)(API.message_event("x", context=context), None)
    assert (given["statusCode"], json.loads(given["body"])["reason"]) == (401, "session_ended")
    assert echo(sessions, optional=True)(API.message_event("x", context=context), None)["body"] == "guest"


def test_messages_write_nothing_and_do_not_keep_a_session_awake(app):
    """Idle and absolute ends hold on an open connection, and messages slide none: what slides them is the page."""
    clock = by_hand(app)
    policy = SessionPolicy(idle_seconds=300, absolute_seconds=3600)
    manager = serving(app, clock=clock, policy=policy)
    cookie = cookie_of(manager.establish(app.sign_in(app.user())))
    context = told(manager, cookie)
    rows = session_rows(app)
    handler = echo(manager)
    for _ in range(9):
        clock.advance(30)
        assert handler(API.message_event("x", context=context), None)["statusCode"] == 200
    clock.advance(31)
    assert json.loads(handler(API.message_event("x", context=context), None)["body"])["reason"] == "session_ended"
    assert session_rows(app) == rows


def test_a_message_with_an_expired_token_waits_for_the_page_to_refresh(sessions, cookie, app):
    """No refresh from a connection: the browser's cookie could not follow. After the page's next request messages go on."""
    context, handler = told(sessions, cookie), echo(sessions)
    app.expire()
    app.stack.clear_calls()
    given = handler(API.message_event("x", context=context), None)
    assert (given["statusCode"], json.loads(given["body"])["reason"]) == (401, "token_expired")
    assert done(app.stack) == [READ]
    refreshed = sessions.resolve(cookie)
    assert type(refreshed) is Refreshed
    assert handler(API.message_event("x", context=context), None)["statusCode"] == 200
    assert sessions.resolve(cookie_of(refreshed.session)).session.sid == refreshed.session.sid


def test_messages_do_not_harm_the_browser_s_cookie(sessions, cookie, app):
    """A connection that outlives many refreshes of the page never looks like a stolen cookie: nothing ends the session."""
    context, handler, reports = told(sessions, cookie), echo(sessions), Reports()
    sessions.ports = sessions.ports._replace(on_event=reports)
    for _ in range(2):  # API Gateway closes a connection after two hours
        app.expire()
        cookie = cookie_of(sessions.resolve(cookie).session)
        sessions.resolve(cookie)
        app.stack.advance(61)
        assert handler(API.message_event("x", context=context), None)["statusCode"] == 200
    assert isinstance(sessions.resolve(cookie), Active)
    assert [report.event for report in reports if report.event in ("reuse", "ended", "tampered")] == []


def test_a_message_of_a_connection_that_nobody_vouched_for_is_a_setting_to_mend(sessions, app, caplog):
    """Without our authorizer on $connect nobody knows whose a message is: a 500 that says what to do, for guests too."""
    for context in (None, {}, {"sub": "x"}, {"sub": "", "sid": "y"}, {"sub": 7, "sid": 8}, {"principalId": "x"}, "text"):
        for optional in (False, True):
            caplog.clear()
            given = echo(sessions, optional=optional)(API.message_event("x", context=context), None)
            assert (given["statusCode"], json.loads(given["body"])) == (
                500, {"error": "misconfigured", "reason": "configuration"},
            )  # fmt: skip
            assert "sessions.authorizer()" in caplog.text
    assert done(app.stack) == []


def test_nothing_in_a_message_can_say_who_sent_it(sessions, cookie, app):
    """Cookies, headers and a context of the client's own making, wherever a message could bring them, are not looked at."""
    context = told(sessions, cookie)
    event = API.message_event(json.dumps({"requestContext": {"authorizer": context}, "cookies": [cookie]}), context=None)
    event |= {"headers": {"Cookie": cookie}, "cookies": [cookie], "authorizer": context, **context}
    assert echo(sessions)(event, None)["statusCode"] == 500
    assert done(app.stack) == [READ]


def test_another_manager_s_connection_is_nobody_s(app, stack):
    """Two applications in one process: what the authorizer of one has sealed is no proof to the other."""
    here, there = serving(app), serving(make_app(stack, sort_key="sid"))
    cookie = cookie_of(here.establish(app.sign_in(app.user())))
    given = echo(there)(API.message_event("x", context=told(here, cookie)), None)
    assert json.loads(given["body"])["reason"] == "invalid_seal"


def test_a_new_sign_in_over_the_one_row_ends_the_connection_s_session(stack):
    """In a table of one row per user the last sign-in wins, ours or foreign code's: the older connection is not served."""
    app = make_app(stack)
    manager, user = serving(app), app.user()
    for again in (lambda: manager.establish(app.sign_in(user)), lambda: app.foreign_update(user, app.sign_in(user))):
        context = told(manager, cookie_of(manager.establish(app.sign_in(user))))
        assert echo(manager)(API.message_event("x", context=context), None)["statusCode"] == 200
        again()
        given = echo(manager)(API.message_event("x", context=context), None)
        assert json.loads(given["body"])["reason"] == "session_ended"


@pytest.mark.parametrize("name", ["access_token", "auth_time", "abs_exp"])
def test_a_row_that_was_tampered_with_serves_nobody(app, name):
    """A sealed token that was moved from another row, or another instant: reported, and a 503 as for any request."""
    reports = Reports()
    manager = serving(app, on_event=reports)
    contexts = [told(manager, cookie_of(manager.establish(app.sign_in(app.user())))) for _ in range(2)]
    mine, other = (next(row for row in session_rows(app) if row["sub"] == context["sub"]) for context in contexts)
    app.stack.dynamodb().put_item(app.table, {**mine, name: other[name] if name == "access_token" else other[name] + 1})
    given = echo(manager)(API.message_event("x", context=contexts[0]), None)
    assert (given["statusCode"], json.loads(given["body"])["reason"]) == (503, "tampered_record")
    assert [report.sub for report in reports.named("tampered")] == [contexts[0]["sub"]]


def test_a_message_opens_a_session_of_its_own_kind_only(app):
    """A connection that names a sealed session does not reach it through a manager of the token cookie."""
    manager = serving(app)
    context = told(manager, cookie_of(manager.establish(app.sign_in(app.user()))))
    other = app.manager(session_keys=ring(1), websocket_api=True, cookie_name=manager.context.cookie.name)
    given = echo(other)(API.message_event("x", context=context), None)
    assert (given["statusCode"], json.loads(given["body"])["reason"]) == (401, "wrong_cookie_kind")


def test_an_outage_at_a_message_is_a_503(sessions, cookie, app):
    """Not finding out is no denial."""
    context = told(sessions, cookie)
    app.stack.fault(READ, "error500", times=None)
    assert echo(sessions)(API.message_event("x", context=context), None)["statusCode"] == 503


async def test_a_coroutine_s_messages(sessions, cookie):
    """Asynchronous handlers are served alike, and handlers of any kind may be told of the end of the connection."""
    context = told(sessions, cookie)

    async def message(event, context, me):
        return {"statusCode": 200, "body": me.sub if me else "guest"}

    handler = sessions.protect(message, optional=True)
    for event in (API.message_event("x", context=context), API.disconnect_event(context=context)):
        assert (await handler.aio(event, None))["body"] == context["sub"]
    sessions.sign_out(cookie)
    assert (await handler.aio(API.disconnect_event(context=context), None))["body"] == "guest"


def test_the_seed_s_call_knows_connections(app, monkeypatch):
    """session(name, event) serves handshakes, refuses another site's and every message: it was told of no WebSocket API."""
    for name, value in app.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("cognito_session.assembly.SystemClock", lambda: app.stack.clock)
    manager = app.manager()
    me = manager.establish(app.sign_in(app.user()))
    cookie = cookie_of(me)
    assert session("token", API.connect_event(call(cookie))).sid == me.sid
    with pytest.raises(Exception, match="own pages") as caught:
        session("token", API.connect_event(call(cookie, origin="https://evil.test")))
    assert caught.value.respond()["statusCode"] == 403
    for context in (None, told(manager, cookie), {"sub": me.sub, "sid": me.sid}):
        with pytest.raises(ConfigurationError, match="websocket_api=True"):
            session("token", API.message_event("x", context=context))


# --- events of somebody who may invoke the function


def forged(me, **more):
    """A message as API Gateway would have sent it for this session."""
    return API.message_event("x", context={"principalId": me.sub, "sub": me.sub, "sid": me.sid, **more})


def test_an_invoker_s_message_is_served_to_nobody(sessions, cookie, app):
    """Who may invoke the function and knows `sub` and `sid` cannot make a connection's proof: none, another's, a changed
    one, or a sealed value of ours of another purpose.
    """
    me = sessions.resolve(cookie).session
    proof = told(sessions, cookie)["connection"]
    other = told(sessions, cookie_of(sessions.establish(app.sign_in(app.user()))))["connection"]
    app.stack.clear_calls()
    changed = proof[:-1] + ("A" if proof[-1] != "A" else "B")
    values = [None, "", 7, True, "x", changed, cookie.partition("=")[2], sessions.csrf_token(me), proof + "A"]
    for value in values:
        given = echo(sessions)(forged(me, connection=value), None)
        assert given["statusCode"] in (401, 500), value
        assert me.sub not in given["body"]
    assert done(app.stack) == []
    given = echo(sessions)(forged(me, connection=other), None)
    assert me.sub not in given["body"]  # the proof says whose it is, whatever stands beside it


@pytest.mark.parametrize("part", ["connectionId", "apiId", "stage"])
def test_a_proof_is_good_for_its_connection_alone(sessions, cookie, part):
    """Copied into an event of another connection, API or stage it opens nothing."""
    event = API.message_event("x", context=told(sessions, cookie))
    assert echo(sessions)(event, None)["statusCode"] == 200
    event["requestContext"][part] = "another"
    given = echo(sessions)(event, None)
    assert (given["statusCode"], json.loads(given["body"])["reason"]) == (401, "invalid_seal")
    del event["requestContext"][part]
    assert echo(sessions)(event, None)["statusCode"] == 500


def test_a_proof_lasts_as_long_as_api_gateway_keeps_a_connection(app):
    """Two hours and a little: a copy from a log is worthless after that."""
    clock = by_hand(app)
    manager = serving(app, clock=clock)
    cookie = cookie_of(manager.establish(app.sign_in(app.user())))
    event = API.message_event("x", context=told(manager, cookie))
    clock.advance(7499)
    assert json.loads(echo(manager)(event, None)["body"])["reason"] == "token_expired"
    clock.advance(1)
    assert json.loads(echo(manager)(event, None)["body"])["reason"] == "session_ended"


def test_a_manager_that_was_not_told_serves_no_message(app, caplog):
    """Also with a proof: a function without a WebSocket API has no way in but the cookie. Its authorizer makes no proof."""
    telling, silent = serving(app), sealed(app)
    cookie = cookie_of(telling.establish(app.sign_in(app.user())))
    event = API.message_event("x", context=told(telling, cookie))
    assert echo(telling)(event, None)["statusCode"] == 200
    for optional in (False, True):
        assert echo(silent, optional=optional)(event, None)["statusCode"] == 500
    assert "websocket_api=True" in caplog.text
    assert "connection" not in told(silent, cookie)


def test_messages_need_keys(app):
    """Without keys nothing can be sealed: refused when the manager is made, with what to do."""
    with pytest.raises(ConfigurationError, match=r"websocket_api.*SESSION_KEYS"):
        app.manager(websocket_api=True)


def test_an_authorizer_is_asked_about_no_message(sessions, cookie):
    """A message's event in an authorizer's dress would be answered without a cookie."""
    event = API.message_event("x", context=told(sessions, cookie))
    event |= {"type": "REQUEST", "methodArn": "arn:aws:execute-api:eu-central-1:123456789012:abcdef123/prod/$default"}
    with pytest.raises(ConfigurationError, match="authorizer's event"):
        sessions.authorizer()(event, None)
