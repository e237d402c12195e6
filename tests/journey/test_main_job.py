"""The main job: whose token is it, is the session alive, and does the browser need a new cookie."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from cognito_session import (
    Active,
    ConfigurationError,
    Refreshed,
    Rejected,
    SessionError,
    SessionRequired,
    SessionUnavailable,
    session,
)
from support.stack import COOKIE, cookie_of, done, event_v1, event_v2, eventually, in_thread, make_app
from support.tokens import flipped

GET_TOKENS = "GetTokensFromRefreshToken"
READ, WRITE = "GetItem", "UpdateItem"
EXPIRY = [READ, WRITE, GET_TOKENS, WRITE]

events = pytest.mark.parametrize("event", [event_v1, event_v2], ids=["v1", "v2"])


@pytest.fixture
def call(app, monkeypatch):
    """`session("token", event)`, configured by the environment, on the stack's clock."""
    for name, value in app.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("cognito_session.assembly.SystemClock", lambda: app.stack.clock)
    return lambda event, context=None: session(COOKIE, event, context)


@pytest.fixture
def signed_in(app):
    """A user with a session, and its cookie."""
    user = app.user()
    me = app.manager().establish(app.sign_in(user))
    app.stack.clear_calls()
    return SimpleNamespace(app=app, user=user, cookie=cookie_of(me), token=me.access_token, sub=user.sub)


def context(milliseconds):
    """A Lambda context with so much time left."""
    return SimpleNamespace(get_remaining_time_in_millis=lambda: milliseconds)


def set_cookies(answer):
    """The Set-Cookie values of an answer in either form."""
    return [*answer.get("cookies", []), *answer.get("multiValueHeaders", {}).get("Set-Cookie", [])]


# --- the one thing it is for


@events
def test_an_expired_token_is_refreshed(app, call, signed_in, event):
    """A token of this pool, expired, with a row in the table: served with a new one, in one read, two writes, one call."""
    app.expire()
    me = call(event(signed_in.cookie))
    assert me.sub == signed_in.sub
    assert me.username == signed_in.user.username
    assert me.access_token != signed_in.token
    assert me.token_expires_at > app.stack.clock.now()
    assert me.cognito == {"AuthenticationResult": {"AccessToken": me.access_token}}
    assert cookie_of(me) == f"token={me.access_token}"
    assert done(app.stack) == EXPIRY


@events
@pytest.mark.parametrize("part", [1, 2])
@pytest.mark.parametrize("expired", [True, False])
def test_one_byte_changed_is_refused_unseen(call, signed_in, event, part, expired):
    """The same token with one byte of payload or signature changed: rejected, no read, no write, no call to Cognito."""
    app = signed_in.app
    if expired:
        app.expire()
    before = app.row(signed_in.user)
    starts = [0, signed_in.token.index(".") + 1, signed_in.token.rindex(".") + 1]
    for offset in (0, 5, 40):
        changed = flipped(signed_in.token, starts[part] + offset)
        with pytest.raises(SessionRequired) as caught:
            call(event(f"token={changed}"))
        assert caught.value.reason in {"invalid_signature", "malformed_token"}
        assert set_cookies(caught.value.respond()) == []
    assert done(app.stack) == []
    assert app.row(signed_in.user) == before


@events
def test_a_changed_header_is_refused_unseen(app, call, signed_in, event):
    """A byte of the header changed names another key or no key: rejected without a read, a write or a refresh."""
    header = signed_in.token.index(".")
    for position in (0, header // 2, header - 2):
        with pytest.raises(SessionRequired) as caught:
            call(event(f"token={flipped(signed_in.token, position)}"))
        assert caught.value.reason in {"malformed_token", "unknown_key", "invalid_signature"}
    assert done(app.stack) == []


@events
def test_a_token_without_a_row(app, call, event):
    """An authentic token whose user has no row, valid or expired: rejected, nothing but read, and no row comes to be."""
    user = app.user()
    token = app.sign_in(user)["AccessToken"]
    app.stack.clear_calls()
    for _ in range(2):
        with pytest.raises(SessionRequired) as caught:
            call(event(f"token={token}"))
        assert caught.value.reason == "unknown_session"
        spent = done(app.stack)
        assert spent[0] == READ
        assert set(spent) <= {READ, "Query"}
        app.expire()
    assert app.row(user) is None


@pytest.mark.parametrize("sort_key", [None, "sid"], ids=["one row", "two keys"])
def test_an_origin_that_changes(stack, sort_key):
    """Should Cognito give refreshed tokens a new origin_jti: the session keeps its id, lives on, and can be signed out."""
    stack.set_rules(origin_jti_changes=True)
    app = make_app(stack, sort_key=sort_key, rotation_grace_seconds=0)
    events = []
    manager = app.manager(on_event=lambda report: events.append(report.event))
    user = app.user()
    me = manager.establish(app.sign_in(user))
    cookie = cookie_of(me)
    for _ in range(3):
        app.expire()
        outcome = manager.resolve(cookie)
        assert isinstance(outcome, Refreshed)
        assert cookie_of(manager.resolve(cookie).session) == cookie_of(outcome.session)
        cookie = cookie_of(outcome.session)
        assert manager.resolve(cookie).session.sid == me.sid
    assert events.count("origin_changed") == 3
    assert not {"reuse", "ended"} & set(events)
    manager.sign_out(cookie)
    assert app.row(user)["state"] == "ended"


# --- which cookie


@events
@pytest.mark.parametrize(
    "header",
    [
        "xtoken=EVIL; token={}",
        "token={}; xtoken=EVIL",
        "tokenx=EVIL; token={}; token-2=EVIL",
        "Token=EVIL; token={}",
        "a=token=EVIL; token={}",
        'x={{"a":1}}; token={}; y="token=EVIL"',
        "token=EVIL; token={}",
        "token={}; token=EVIL",
        "token={0}; token={0}",
        "token=; token={}",
        "token={};",
        " ;;  token={} ; ",
    ],
)
def test_the_right_cookie_is_found(app, call, signed_in, event, header):
    """Only the cookie of exactly that name counts, and of several the only one that verifies."""
    assert call(event(header.format(signed_in.token))).sub == signed_in.sub
    assert done(app.stack) == [READ, WRITE]


@events
def test_two_cookies_that_verify_prove_nothing(app, call, signed_in, event):
    """Two authentic tokens under one name, even of one user: rejected unseen."""
    other = app.sign_in(signed_in.user)["AccessToken"]
    with pytest.raises(SessionRequired) as caught:
        call(event(f"token={signed_in.token}; token={other}"))
    assert caught.value.reason == "ambiguous_cookie"
    assert done(app.stack) == []


def test_two_cookie_headers_are_one(call, signed_in):
    """A REST event with several Cookie headers is read whole."""
    assert call(event_v1(signed_in.cookie, "theme=dark")).sub == signed_in.sub


@events
@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("theme=dark", "no_cookie"),
        ("token", "no_cookie"),
        ("token=", "malformed_cookie"),
        ("token=a b", "malformed_cookie"),
        ('token="eyJ"', "malformed_cookie"),
        ("token=\x00\xff", "malformed_cookie"),
        ("token=EVIL", "malformed_token"),
        ("token=" + "A" * 70_000, "malformed_cookie"),
    ],
)
def test_no_cookie_of_ours(app, call, event, header, reason):
    """Without a usable cookie there is no session, for a stable reason, and nobody is asked anything."""
    with pytest.raises(SessionRequired) as caught:
        call(event(header))
    assert caught.value.reason == reason
    assert app.stack.calls() == []


# --- events


@pytest.mark.parametrize(
    "event",
    [
        None,
        {},
        [],
        "token=x",
        5,
        {"version": "2.0"},
        {"headers": {"Cookie": "token=x"}},
        {"Records": [{"eventSource": "aws:sqs"}]},
        {"version": "3.0", "cookies": []},
    ],
    ids=repr,
)
def test_an_event_of_unknown_shape(app, call, event, caplog):
    """What is no event of a door that we know is a 500 that names the shapes, and answers for itself."""
    with pytest.raises(ConfigurationError, match=r"REST.*HTTP API") as caught:
        call(event)
    assert caught.value.respond()["statusCode"] == 500
    assert app.stack.calls() == []
    assert "the event has no known shape" in caplog.text


@pytest.mark.parametrize("form", ["v1", "v2", "alb-multi"])
def test_a_missing_setting_is_named_in_the_log(call, monkeypatch, caplog, form):
    """The handler answers with `error.respond()`: in the event's form, and with the setting's name for the operator alone."""
    monkeypatch.delenv("USER_POOL_ID")
    event = event_v2("token=x") if form == "v2" else event_v1("token=x")
    if form == "alb-multi":
        event["requestContext"] = {"elb": {"targetGroupArn": "arn"}}
    with pytest.raises(ConfigurationError, match="USER_POOL_ID is not set") as caught:
        call(event)
    answer = caught.value.respond()
    assert json.loads(answer["body"]) == {"error": "misconfigured", "reason": "configuration"}
    assert ("multiValueHeaders" in answer) is (form == "alb-multi")
    assert "USER_POOL_ID is not set" in caplog.text


@pytest.mark.parametrize(
    "strange",
    [
        {"headers": None, "multiValueHeaders": None},
        {"headers": {"Cookie": None}},
        {"headers": {"cookie": 5, "Cookie": {"token": "x"}}},
        {"headers": ["Cookie", "token=x"]},
        {"headers": {5: "token=x"}},
        {"multiValueHeaders": {"Cookie": [None, 5, ["token=x"]]}},
        {"cookies": None},
        {"cookies": 5},
        {"cookies": [None, 5, {}]},
        {"cookies": {"token": "x"}},
    ],
    ids=repr,
)
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_strange_parts_of_an_event(app, call, strange, version):
    """Null, numbers and lists where texts belong: no cookie, no other exception."""
    with pytest.raises(SessionRequired) as caught:
        call({"version": version, "requestContext": {"httpMethod": "GET", "http": {"method": "GET"}}, "headers": {}, **strange})
    assert caught.value.reason == "no_cookie"
    assert app.stack.calls() == []


# --- outages


@events
@pytest.mark.parametrize("kind", ["error500", "throttle", "drop_before"])
@pytest.mark.parametrize("expired", [True, False])
def test_dynamodb_is_down(call, signed_in, event, kind, expired):
    """A 503 with Retry-After, the cookie and the row untouched, no refresh; and well again when DynamoDB is."""
    app = signed_in.app
    before = app.row(signed_in.user)
    if expired:
        app.expire()
    app.stack.fault(READ, kind, times=None)
    with pytest.raises(SessionUnavailable) as caught:
        call(event(signed_in.cookie))
    answer = caught.value.respond()
    assert (answer["statusCode"], answer["headers"]["Retry-After"]) == (503, "1")
    assert set_cookies(answer) == []
    assert app.row(signed_in.user) == before
    assert done(app.stack) == []
    app.stack.clear_faults()
    assert call(event(signed_in.cookie)).sub == signed_in.sub


@pytest.mark.parametrize("kind", ["error500", "throttle", "drop_after"])
def test_a_commit_that_is_lost_on_the_way(rotating, kind):
    """DynamoDB stumbles at the commit: the rotated token is written again, and nobody is signed out."""
    manager = rotating.manager()
    me = manager.establish(rotating.sign_in(rotating.user()))
    rotating.expire()
    rotating.stack.clear_calls()
    rotating.stack.fault(WRITE, kind, skip=1)
    outcome = manager.resolve(cookie_of(me))
    assert isinstance(outcome, Refreshed)
    assert rotating.stack.count(GET_TOKENS) == 1
    rotating.expire()
    assert isinstance(manager.resolve(cookie_of(outcome.session)), Refreshed)


@events
def test_cognito_is_down_and_the_token_is_valid(app, call, signed_in, event):
    """A valid token needs no Cognito: served, also within the refresh window, then without a new cookie."""
    app.stack.fault(GET_TOKENS, "error500", times=None)
    assert call(event(signed_in.cookie)).cognito is None
    app.stack.advance(575)
    me = call(event(signed_in.cookie))
    assert me.access_token == signed_in.token
    assert me.cognito is None
    assert app.stack.count(GET_TOKENS) == 1


@events
@pytest.mark.parametrize("kind", ["error500", "throttle"])
def test_cognito_stumbles_and_the_token_is_expired(app, call, signed_in, event, kind):
    """A 503 without a cookie, and a pause in which Cognito is not asked again; then the session is healed."""
    app.expire()
    app.stack.fault(GET_TOKENS, kind, times=2)
    for number, asked in enumerate((1, 2, 2)):
        with pytest.raises(SessionUnavailable) as caught:
            call(event(signed_in.cookie))
        assert set_cookies(caught.value.respond()) == []
        assert caught.value.retry_after >= 1
        assert app.stack.count(GET_TOKENS) == asked
        if number == 0:
            app.stack.advance(2)  # the second pause is two seconds at least, so the third request falls into it
    app.stack.advance(3)
    assert call(event(signed_in.cookie)).cognito is not None
    assert app.stack.count(GET_TOKENS) == 3


@pytest.mark.parametrize("kind", ["drop_before", "drop_after"])
def test_cognito_answers_into_the_void(app, signed_in, kind):
    """A refresh whose answer is lost is not repeated while its lease lives; then one more, and the request is served."""
    app.expire()
    app.stack.fault(GET_TOKENS, kind)
    waiting = in_thread(app.manager().resolve, signed_in.cookie)
    assert eventually(lambda: app.stack.count(READ) >= 3)
    assert app.stack.count(GET_TOKENS) == 1
    app.stack.advance(9)
    assert isinstance(waiting.result(), Refreshed)
    assert app.stack.count(GET_TOKENS) == 2


def test_the_keys_are_not_to_be_had(app, call, signed_in):
    """A cold start without a key set can neither accept nor refuse: 503, whatever the token is."""
    app.stack.fault("jwks", "error500", times=None)
    for token in (signed_in.token, flipped(signed_in.token, len(signed_in.token) - 20)):
        with pytest.raises(SessionUnavailable) as caught:
            call(event_v2(f"token={token}"))
        assert caught.value.reason == "keys_unavailable"
    assert done(app.stack) == []


# --- verdicts


def test_a_revoked_session_ends_once(app, call, signed_in):
    """Cognito says revoked: 401 for a stable reason, and from then on without asking Cognito again."""
    app.stack.revoke(app.pool, app.row(signed_in.user)["token"])
    app.expire()
    reasons = []
    for _ in range(3):
        with pytest.raises(SessionRequired) as caught:
            call(event_v2(signed_in.cookie))
        reasons.append(caught.value.reason)
    assert reasons == ["refresh_denied", "session_ended", "session_ended"]
    assert app.stack.count(GET_TOKENS) == 1
    row = app.row(signed_in.user)
    assert row["state"] == "ended"
    assert not {"token", "access_token", "device_key"} & row.keys()


# --- when the browser needs a new cookie


def test_a_new_cookie_exactly_when_needed(app, call, signed_in):
    """`cognito` is set by the request that refreshes and for an old cookie beside it, and by no other."""
    assert call(event_v2(signed_in.cookie)).cognito is None
    app.expire()
    mine = call(event_v2(signed_in.cookie))
    assert mine.cognito is not None
    beside = call(event_v2(signed_in.cookie))
    assert beside.cognito == mine.cognito
    assert cookie_of(beside) == cookie_of(mine)
    for _ in range(2):
        assert call(event_v2(cookie_of(mine))).cognito is None
    assert app.stack.count(GET_TOKENS) == 1


def test_a_refresh_ahead_sets_the_cookie_of_its_own_request(app, call, signed_in):
    """Within the refresh window one request refreshes ahead and gets the new cookie."""
    app.stack.advance(575)
    ahead = call(event_v2(signed_in.cookie))
    assert ahead.cognito is not None
    assert ahead.access_token != signed_in.token
    assert app.stack.count(GET_TOKENS) == 1


def test_a_lost_response_is_healed(app, call, signed_in):
    """The new cookie never reached the browser: the old one is still good for it, however late."""
    app.expire()
    lost = call(event_v2(signed_in.cookie))
    app.stack.advance(300)
    healed = call(event_v2(signed_in.cookie))
    assert healed.cognito == lost.cognito


def test_an_old_cookie_after_the_new_one_is_reuse(app, signed_in):
    """Once the new cookie is at home, an old one turning up a while later ends the session, and its token at Cognito."""
    manager = app.manager()
    app.expire()
    new = cookie_of(manager.resolve(signed_in.cookie).session)
    assert isinstance(manager.resolve(new), Active)
    app.stack.advance(59)
    assert isinstance(manager.resolve(signed_in.cookie), Active)
    app.stack.advance(2)
    app.stack.clear_calls()
    assert manager.resolve(signed_in.cookie) == Rejected("reuse")
    assert done(app.stack) == [READ, WRITE, "RevokeToken"]
    assert manager.resolve(new) == Rejected("session_ended")


def seed_handler(call):
    """The handler of the seed's README, written for this library: its caller makes the cookie by hand."""

    def handler(event, context=None):
        try:
            data = call(event, context)
            token = ((data.cognito or {}).get("AuthenticationResult") or {}).get("AccessToken")
            cookie = {"Set-Cookie": f"token={token}; HttpOnly;"} if token else {}
            body = json.dumps({"message": "Request successful"})
            return {"statusCode": 200, "body": body, "headers": {"Content-Type": "application/json", **cookie}}
        except SessionError as error:
            return {"statusCode": error.status, "body": json.dumps({"error": "Unauthorized"}), "headers": {}}

    return handler


@events
def test_a_handler_in_the_seeds_manner(app, call, signed_in, event):
    """It answers 200 without a cookie, 200 with one after a refresh, 401 for a stranger: it never fails by itself."""
    handler = seed_handler(call)
    plain = handler(event(signed_in.cookie))
    assert (plain["statusCode"], "Set-Cookie" in plain["headers"]) == (200, False)
    app.expire()
    renewed = handler(event(signed_in.cookie))
    assert renewed["statusCode"] == 200
    new = renewed["headers"]["Set-Cookie"].partition(";")[0]
    assert new != signed_in.cookie
    again = handler(event(new))
    assert (again["statusCode"], "Set-Cookie" in again["headers"]) == (200, False)
    assert handler(event("token=EVIL"))["statusCode"] == 401


@events
def test_a_handler_in_two_lines(app, call, signed_in, event):
    """`me.respond` and `error.respond` speak the event's form, with the cookie where it belongs and no caching."""
    app.expire()
    me = call(event(signed_in.cookie))
    answer = me.respond(200, {"hello": me.username})
    assert set_cookies(answer) == list(me.set_cookies)
    assert ("cookies" in answer) is (event is event_v2)
    assert json.loads(answer["body"]) == {"hello": signed_in.user.username}
    with pytest.raises(SessionRequired) as caught:
        call(event())
    refusal = caught.value.respond()
    assert (refusal["statusCode"], json.loads(refusal["body"])["reason"]) == (401, "no_cookie")
    for each in (answer, refusal):
        assert (each["headers"]["Cache-Control"], each["headers"]["Vary"]) == ("no-store", "Cookie")


# --- little time left


@pytest.mark.parametrize("left", [0, 3000, 5900])
def test_too_little_time_to_refresh(app, call, signed_in, left):
    """With less than six seconds left no refresh is begun: 503 naming the function's timeout, nothing written."""
    app.expire()
    before = app.row(signed_in.user)
    with pytest.raises(SessionUnavailable, match="timeout") as caught:
        call(event_v2(signed_in.cookie), context(left))
    assert caught.value.reason == "function_timeout"
    assert done(app.stack) == [READ]
    assert app.row(signed_in.user) == before


def test_too_little_time_to_refresh_ahead(app, call, signed_in):
    """In the refresh window a request with little time left is served with the token it has."""
    app.stack.advance(575)
    me = call(event_v2(signed_in.cookie), context(3000))
    assert (me.access_token, me.cognito) == (signed_in.token, None)
    assert app.stack.count(GET_TOKENS) == 0


@pytest.mark.parametrize("left", [context(9000), context(900_000), SimpleNamespace(), None, object()])
def test_enough_time_to_refresh(app, call, signed_in, left):
    """With enough time left, or a context that does not say, the session is refreshed."""
    app.expire()
    assert call(event_v2(signed_in.cookie), left).cognito is not None


def test_waiting_ends_before_the_function_does(app, signed_in):
    """Who waits for another's refresh gives up a second before its function is stopped: 503, nothing taken over."""
    manager = app.manager()
    app.expire()
    with app.stack.gate(GET_TOKENS) as gate:
        first = in_thread(manager.resolve, signed_in.cookie)
        gate.wait_for(1)
        with pytest.raises(SessionUnavailable) as caught:
            manager.resolve(signed_in.cookie, remaining_seconds=1.3)
        assert caught.value.reason == "lease_busy"
    assert isinstance(first.result(), Refreshed)
    assert app.stack.count(GET_TOKENS) == 1
