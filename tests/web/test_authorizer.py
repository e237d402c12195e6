"""Lambda authorizers against a model of API Gateway that keeps their answers: who is admitted, what the backend is told."""

from __future__ import annotations

import json

import pytest

from cognito_session import Active, ConfigurationError, Refreshed, Rejected, SessionForbidden, SessionPolicy, SessionUnavailable
from cognito_session.http.csrf import Csrf
from managed.scene import Reports, by_hand, sealed, session_rows
from support.stack import cookie_of, done, in_thread, joined, make_app
from web.gateways import (
    ACCOUNT,
    GATEWAYS,
    HOST,
    Authorizer,
    Call,
    HttpAuthorizer1,
    HttpAuthorizer2,
    SimpleHttpAuthorizer,
    TokenAuthorizer,
    WebSocketApi,
    WebSocketAuthorizer,
)

OURS = f"https://{HOST}"
READ = "GetItem"
KINDS = {
    "REST REQUEST": Authorizer,
    "REST TOKEN": TokenAuthorizer,
    "HTTP 1.0": HttpAuthorizer1,
    "HTTP 2.0": HttpAuthorizer2,
    "HTTP 2.0 simple": SimpleHttpAuthorizer,
    "WebSocket": WebSocketAuthorizer,
}
GROUPS = ("admin", "staff", "a, b")
ROUTES = [("GET", "/"), ("GET", "/orders"), ("DELETE", "/orders/7/lines/3"), ("POST", "/"), ("GET", "/default")]


@pytest.fixture
def app(stack):
    """An app whose pool has groups, one with a comma in its name."""
    return make_app(stack, sort_key="sid", groups=GROUPS)


@pytest.fixture(params=["sealed", "token"])
def sessions(app, request):
    """A manager of each kind of cookie."""
    return sealed(app) if request.param == "sealed" else app.manager()


@pytest.fixture(params=KINDS)
def kind(request):
    """A kind of API with its authorizer."""
    return KINDS[request.param]


def gateway(kind, manager, *, keeps=True, **guards):
    """An API of this kind in front of which the manager's authorizer stands."""
    simple = {} if kind is not HttpAuthorizer2 else {"simple": False}
    return kind(manager.authorizer(**guards, **simple), keeps=keeps)


def signed_in(app, manager, *, groups=("staff",), user=None):
    """The cookie of a new session that has been used."""
    cookie = cookie_of(manager.establish(app.sign_in(user or app.user(groups=list(groups)))))
    manager.resolve(cookie)
    app.stack.clear_calls()
    return cookie


def call(cookie, method="GET", path="/", *, site="same-origin", origin=OURS):
    """A browser's request to a route."""
    headers = tuple((n, v) for n, v in (("Sec-Fetch-Site", site), ("Origin", origin)) if v is not None)
    return Call(method=method, path=path, headers=headers, cookies=(cookie,) if cookie else ())


# --- admitted


def test_one_answer_admits_to_every_route(app, sessions, kind):
    """Kept for the cookie, the policy of the first route lets the session through to every other: no 403 on the second."""
    api, cookie = gateway(kind, sessions), signed_in(app, sessions)
    found = [api.admit(call(cookie, *route)) for route in ROUTES]
    assert [admitted.status for admitted in found] == [200] * len(ROUTES)
    assert [admitted.asked for admitted in found] == [True] + [False] * (len(ROUTES) - 1)
    assert done(app.stack) == [READ]


@pytest.mark.parametrize("first", range(len(ROUTES)))
def test_whichever_route_is_first(app, sessions, kind, first):
    """The root, a deep one, or an HTTP API's "$default": what is kept does not depend on it."""
    api, cookie = gateway(kind, sessions), signed_in(app, sessions)
    assert api.admit(call(cookie, *ROUTES[first])).status == 200
    assert {api.admit(call(cookie, *route)).status for route in ROUTES} == {200}


@pytest.mark.parametrize("kind", [Authorizer, TokenAuthorizer, HttpAuthorizer1, HttpAuthorizer2])
def test_a_policy_of_one_route_would_be_refused_on_the_second(kind):
    """The trap is real: the model of API Gateway answers 403 to what so many authorizers return."""

    def naive(event, context):
        resource = event.get("methodArn") or event["routeArn"]
        statement = {"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": resource}
        return {"principalId": "x", "policyDocument": {"Version": "2012-10-17", "Statement": [statement]}}

    api = kind(naive)
    assert [api.admit(call("a=1", *route)).status for route in ROUTES[:2]] == [200, 403]


@pytest.mark.parametrize(
    ("kind", "resource"),
    [
        (Authorizer, f"{ACCOUNT}/prod/*/*"),
        (TokenAuthorizer, f"{ACCOUNT}/prod/*/*"),
        (HttpAuthorizer1, f"{ACCOUNT}/$default/*"),
        (HttpAuthorizer2, f"{ACCOUNT}/$default/*"),
        (WebSocketAuthorizer, f"{ACCOUNT}/prod/*"),
    ],
)
def test_the_policy_names_the_stage(app, sessions, kind, resource):
    """This API, this stage, every method and path, and nothing of another API."""
    given = []
    api = gateway(kind, sessions)
    function, cookie = api.function, signed_in(app, sessions)
    api.function = lambda event, context: given.append(function(event, context)) or given[-1]
    assert api.admit(call(cookie, "GET", "/a/b")).status == 200
    (answer,) = given
    assert answer["policyDocument"] == {
        "Version": "2012-10-17",
        "Statement": [{"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": resource}],
    }
    assert answer["principalId"] == answer["context"]["sub"]
    assert answer.keys() == {"principalId", "policyDocument", "context"}


def test_other_partitions_and_regions(app, sessions):
    """The ARN's beginning is kept as it came: China's and the government's regions have their own."""
    cookie = signed_in(app, sessions)
    for arn, resource in [
        ("arn:aws-cn:execute-api:cn-north-1:1:a/b/GET/x", "arn:aws-cn:execute-api:cn-north-1:1:a/b/*/*"),
        ("arn:aws-us-gov:execute-api:us-gov-west-1:1:a/b/GET/", "arn:aws-us-gov:execute-api:us-gov-west-1:1:a/b/*/*"),
    ]:
        given = sessions.authorizer()({"type": "TOKEN", "methodArn": arn, "authorizationToken": cookie}, None)
        assert given["policyDocument"]["Statement"][0]["Resource"] == resource


def test_the_backend_is_told_facts_and_no_token(app, sessions, kind):
    """Flat facts, groups as a JSON list whatever marks their names have; no token, cookie or secret among them."""
    user = app.user(groups=["staff", "a, b"])
    cookie = signed_in(app, sessions, user=user)
    me = sessions.resolve(cookie).session
    context = gateway(kind, sessions).admit(call(cookie)).context
    plain = {name: json.loads(value) if name.endswith(("_at", "_time", "_due")) and isinstance(value, str) else value
             for name, value in context.items() if name != "principalId"}  # fmt: skip
    assert sorted(json.loads(plain.pop("groups"))) == ["a, b", "staff"]
    assert plain == {
        "sub": user.sub,
        "sid": me.sid,
        "username": user.username,
        "scopes": " ".join(sorted(me.scopes)),
        "auth_time": me.auth_time,
        "token_expires_at": me.token_expires_at,
        "session_expires_at": me.session_expires_at,
        "refresh_due": False,
    }
    row = str([row for row in session_rows(app) if row["sub"] == user.sub])
    for value in map(str, context.values()):
        assert value not in (me.access_token, cookie, cookie.partition("=")[2])
        assert len(value) < 100
    assert me.access_token not in str(context)
    assert user.sub in row


def test_an_end_that_there_is_none_of_is_left_out(app, kind):
    """A row of other sign-in code has no end of ours: the context holds no null, which API Gateway would refuse."""
    alone = make_app(app.stack)
    user = alone.user()
    tokens = alone.sign_in(user)
    alone.seed_row(user, tokens)
    context = gateway(kind, alone.manager()).admit(call(f"token={tokens['AccessToken']}")).context
    assert "session_expires_at" not in context
    assert context["sub"] == user.sub


# --- refused

NOBODY = {"REST REQUEST": 401, "REST TOKEN": 401, "HTTP 1.0": 403, "HTTP 2.0": 403, "HTTP 2.0 simple": 403, "WebSocket": 401}


@pytest.mark.parametrize("name", KINDS)
def test_without_a_session(app, sessions, name):
    """A forged cookie, an ended session's: 401 where an API makes one of an error, else 403; after a sign-in all is well."""
    api, user = gateway(KINDS[name], sessions), app.user(groups=["staff"])
    cookie = signed_in(app, sessions, user=user)
    name_of_cookie = cookie.partition("=")[0]
    assert api.admit(call(None)).status == 401
    assert done(app.stack) == []
    assert api.admit(call(f"{name_of_cookie}=forged")).status == NOBODY[name]
    assert done(app.stack) == []
    sessions.sign_out(cookie)
    assert api.admit(call(cookie)).status == NOBODY[name]
    assert api.admit(call(signed_in(app, sessions, user=user))).status == 200


@pytest.mark.parametrize("name", KINDS)
def test_a_401_is_kept_by_nobody(app, sessions, name):
    """Where a refusal is raised the next request is judged anew; where it is answered it stays, under this cookie only."""
    api = gateway(KINDS[name], sessions)
    found = [api.admit(call("other=1")) for _ in range(2)]
    assert [admitted.status for admitted in found] == [NOBODY[name]] * 2
    assert [admitted.asked for admitted in found] == [True, NOBODY[name] == 401]


@pytest.mark.parametrize(
    ("guards", "groups", "status"),
    [
        ({"any_group": ["admin"]}, ["staff"], 403),
        ({"any_group": ["admin", "staff"]}, ["staff"], 200),
        ({"all_groups": ["admin", "staff"]}, ["staff"], 403),
        ({"all_groups": ["admin", "staff"]}, ["admin", "staff"], 200),
        ({"any_group": []}, ["staff"], 403),
        ({"scopes": ["orders/write"]}, ["staff"], 403),
        ({"scopes": ["aws.cognito.signin.user.admin"]}, ["staff"], 200),
        ({}, [], 200),
    ],
)
def test_guards(app, kind, guards, groups, status):
    """Groups and scopes of the session decide for every route behind the authorizer, and the decision may be kept."""
    manager = sealed(app)
    api, cookie = gateway(kind, manager, **guards), signed_in(app, manager, groups=groups)
    found = [api.admit(call(cookie, *route)) for route in ROUTES]
    assert {admitted.status for admitted in found} == {status}
    assert [admitted.asked for admitted in found] == [True] + [False] * (len(ROUTES) - 1)


def test_a_guard_s_refusal_says_why(app):
    """A Deny carries the facts and its reason, for access logs and gateway responses."""
    manager = sealed(app)
    cookie = signed_in(app, manager)
    given = manager.authorizer(any_group=["admin"])(Authorizer(None)._event(call(cookie), f"{ACCOUNT}/prod/GET/"), None)
    assert given["policyDocument"]["Statement"][0]["Effect"] == "Deny"
    assert (given["context"]["reason"], given["context"]["username"][:5]) == ("group_required", "user-")


def test_two_guards_in_front_of_two_routes(app):
    """Each authorizer keeps its own answers: refused as an admin, the same cookie is admitted as staff."""
    manager = sealed(app)
    cookie = signed_in(app, manager)
    admins, everybody = gateway(Authorizer, manager, any_group=["admin"]), gateway(Authorizer, manager)
    assert [api.admit(call(cookie)).status for api in (admins, everybody, admins, everybody)] == [403, 200, 403, 200]


@pytest.mark.parametrize("guards", [{"any_group": "admin"}, {"scopes": "orders/read"}, {"all_groups": "admin"}])
def test_a_text_for_a_list_of_names_admits_nobody(app, guards):
    """A slip in the guard is an error when the function starts, not a group of five letters."""
    (name,) = guards
    with pytest.raises(ConfigurationError, match=f"{name}: expected a list of names"):
        sealed(app).authorizer(**guards)


# --- what must not be kept


@pytest.mark.parametrize("operation", [READ, "jwks"])
def test_not_finding_out_is_no_answer(app, kind, operation):
    """An outage is a 500 that nobody keeps: the very next request under the same cookie is admitted."""
    manager = app.manager()
    cookie = signed_in(app, manager)
    if operation == "jwks":
        manager = app.manager()  # has no key set yet
    api = gateway(kind, manager)
    app.stack.fault(operation, "error500", times=None)
    assert api.admit(call(cookie)).status == 500
    app.stack.clear_faults()
    app.stack.advance(30)
    found = api.admit(call(cookie))
    assert (found.status, found.asked) == (200, True)


def test_not_finding_out_is_raised(app):
    """As the SessionUnavailable it is: its message is not the one word that API Gateway takes for a denial."""
    manager = sealed(app)
    cookie = signed_in(app, manager)
    app.stack.fault(READ, "error500", times=None)
    with pytest.raises(SessionUnavailable) as caught:
        manager.authorizer()(Authorizer(None)._event(call(cookie), f"{ACCOUNT}/prod/GET/"), None)
    assert str(caught.value) != "Unauthorized"


@pytest.mark.parametrize("name", KINDS)
def test_a_cross_site_request_is_refused_and_locks_nobody_out(app, sessions, name):
    """A page elsewhere gets no POST (and no WebSocket) through, and its refusal is not kept against the user's cookie."""
    api, cookie = gateway(KINDS[name], sessions), signed_in(app, sessions)
    hostile = call(cookie, "POST", site="same-site", origin="https://evil.example.test")
    status = {"REST TOKEN": 200, "WebSocket": 401, "REST REQUEST": 401}.get(name, 500)
    assert api.admit(hostile).status == status
    assert done(app.stack) == ([READ] if name == "REST TOKEN" else [])
    assert api.admit(call(cookie, "POST")).status == 200


def test_a_kept_answer_lets_cross_site_requests_through(app):
    """The limit, shown: only with a time to live of 0 does every request meet the check; the docs say so."""
    manager = sealed(app)
    cookie = signed_in(app, manager)
    hostile = call(cookie, "POST", site="cross-site", origin="https://evil.test")
    for keeps, status in ((True, 200), (False, 401)):
        api = gateway(Authorizer, manager, keeps=keeps)
        assert api.admit(call(cookie)).status == 200
        assert api.admit(hostile).status == status


def test_exempt_and_trusted(app):
    """The manager's Csrf is the authorizer's as well."""
    manager = sealed(app, csrf=Csrf(exempt=["/hook"], trusted_origins=["https://admin.test"]))
    api, cookie = gateway(Authorizer, manager, keeps=False), signed_in(app, manager)
    for path, origin, status in (
        ("/hook", "https://evil.test", 200),
        ("/", "https://admin.test", 200),
        ("/", "https://x.test", 401),
    ):
        assert api.admit(call(cookie, "POST", path, site="cross-site", origin=origin)).status == status


def test_an_ended_session_stays_admitted_as_long_as_an_answer_is_kept(app, kind):
    """The other limit: an end is seen when the authorizer is asked again."""
    manager = sealed(app)
    cookie = signed_in(app, manager)
    keeping, asking = gateway(kind, manager), gateway(kind, manager, keeps=False)
    assert [api.admit(call(cookie)).status for api in (keeping, asking)] == [200, 200]
    manager.sign_out(cookie)
    assert keeping.admit(call(cookie)).status == 200
    assert asking.admit(call(cookie)).status in (401, 403)


# --- a refresh that no authorizer can hand to the browser


def due(admitted):
    """Whether the backend is told that the browser's cookie is behind."""
    return admitted.context["refresh_due"] in (True, "true")


@pytest.mark.parametrize("rotation", [None, 60])
@pytest.mark.parametrize("cookie_kind", ["sealed", "token"])
def test_a_browser_that_meets_only_authorizers_for_long(stack, cookie_kind, rotation):
    """For days of refreshes that it never hears of its first cookie stays good, and it is told to fetch a new one; the first
    route that can set cookies gives it one, and nothing was taken for a theft.
    """
    settings = {} if rotation is None else {"rotation_grace_seconds": rotation}
    app = make_app(stack, sort_key="sid", **settings)
    reports = Reports()
    policy = SessionPolicy(rotation_grace_seconds=rotation)
    make = sealed if cookie_kind == "sealed" else type(app).manager
    manager = make(app, on_event=reports, policy=policy)
    api, cookie = gateway(Authorizer, manager, keeps=False), signed_in(app, manager, groups=())
    assert not due(api.admit(call(cookie)))
    for _ in range(6):
        app.expire()
        refreshed, again = api.admit(call(cookie)), api.admit(call(cookie))
        assert (refreshed.status, due(refreshed)) == (200, True)
        assert (again.status, due(again)) == (200, True)
        stack.advance(120)
        assert due(api.admit(call(cookie)))

    handler = manager.protect(lambda _event, _context, me: {"statusCode": 200, "body": me.sub})
    rest = GATEWAYS["rest"]
    reply = rest.answer(handler(rest.event(call(cookie)), None))
    (line,) = reply.cookies
    new = line.partition(";")[0]
    assert new != cookie
    assert not due(api.admit(call(new)))
    assert [report.event for report in reports if report.event in ("reuse", "ended")] == []


def test_requests_under_way_with_the_old_cookie(app, sessions):
    """When the browser has its new cookie, the old one is good for 60 seconds more, behind authorizers as anywhere."""
    api, cookie = gateway(Authorizer, sessions, keeps=False), signed_in(app, sessions)
    app.expire()
    assert due(api.admit(call(cookie)))
    new = cookie_of(sessions.resolve(cookie).session)
    assert not due(api.admit(call(new)))
    assert due(api.admit(call(cookie)))


def test_a_copy_of_the_old_cookie_is_refused_later(app):
    """The limit: once the new cookie has been seen, a client that kept the old one is refused after 60 seconds; and once the
    old token has expired it counts as stolen and ends the session. Who stores cookies must store new ones.
    """
    clock = by_hand(app)
    manager = sealed(app, clock=clock)
    api, cookie = gateway(Authorizer, manager, keeps=False), signed_in(app, manager)
    me = manager.resolve(cookie).session
    clock.advance(me.token_expires_at - 20 - clock.now())  # within the refresh window, the old token has 20 s to live
    app.stack.clock.advance(clock.now() - app.stack.clock.now())
    assert due(api.admit(call(cookie)))
    new = cookie_of(manager.resolve(cookie).session)
    assert api.admit(call(new)).status == 200
    clock.advance(60)
    assert api.admit(call(cookie)).status == 200
    clock.advance(1)
    assert api.admit(call(cookie)).status == 401
    assert manager.resolve(new) == Rejected("session_ended")


def test_an_idle_end_moves_only_with_a_refresh_here(app):
    """What is healed slides no idle end: behind authorizers alone a session needs an idle span longer than a token's life."""
    clock = by_hand(app)
    manager = sealed(app, clock=clock, policy=SessionPolicy(idle_seconds=400))
    api, cookie = gateway(Authorizer, manager, keeps=False), signed_in(app, manager)
    me = manager.resolve(cookie).session
    clock.advance(390)
    assert api.admit(call(cookie)).status == 200  # presents the current cookie, slides
    clock.advance(me.token_expires_at - 5 - clock.now())
    app.stack.clock.advance(clock.now() - app.stack.clock.now())
    assert due(api.admit(call(cookie)))
    for seconds, status in ((395, 200), (10, 401)):
        clock.advance(seconds)
        assert api.admit(call(cookie)).status == status


def test_parallel_requests_behind_an_authorizer_refresh_once(app, sessions):
    """Each route's request meets the authorizer at once after the expiry: one refresh, all admitted."""
    api, cookie = gateway(Authorizer, sessions, keeps=False), signed_in(app, sessions)
    app.expire()
    app.stack.clear_calls()
    found = joined([in_thread(api.admit, call(cookie, "GET", f"/{number}")) for number in range(8)])
    assert {admitted.status for admitted in found} == {200}
    assert done(app.stack).count("GetTokensFromRefreshToken") == 1


def test_a_refresh_seen_by_the_manager(app, sessions):
    """The authorizer's refresh is an ordinary one: the row holds the new tokens, another worker serves from them."""
    cookie = signed_in(app, sessions)
    app.expire()
    gateway(Authorizer, sessions).admit(call(cookie))
    assert type(sessions.resolve(cookie)) is Active
    app.expire()
    assert type(sessions.resolve(cookie)) is Refreshed


# --- events

STRANGE = {
    "nothing": {},
    "none": None,
    "a request": GATEWAYS["http-v2"].event(Call()),
    "another type": {"type": "COGNITO", "methodArn": f"{ACCOUNT}/prod/GET/"},
    "no ARN": {"type": "REQUEST", "headers": {}, "requestContext": {}},
    "another service": {"type": "TOKEN", "methodArn": "arn:aws:lambda:eu-central-1:1:function:x/y/z"},
    "a short ARN": {"type": "TOKEN", "methodArn": ACCOUNT},
    "an ARN that is a number": {"type": "TOKEN", "methodArn": 7},
    "an ARN with a wildcard stage": {"type": "TOKEN", "methodArn": "arn:aws:execute-api:*:*:*"},
}


@pytest.mark.parametrize("event", STRANGE.values(), ids=STRANGE)
def test_an_event_that_is_no_authorizer_s_is_an_error(app, event):
    """Nobody is admitted by mistake: a ConfigurationError that says what was expected."""
    with pytest.raises(ConfigurationError, match="expected a Lambda authorizer's event"):
        sealed(app).authorizer()(event, None)


@pytest.mark.parametrize("token", [None, 7, "", "Bearer x", ["token=x"]])
def test_a_token_that_is_no_cookie_header(app, token):
    """TOKEN with another header as its source, or nothing: no session."""
    event = {"type": "TOKEN", "methodArn": f"{ACCOUNT}/prod/GET/", "authorizationToken": token}
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        sealed(app).authorizer()(event, None)


def test_the_time_that_is_left_is_heeded(app):
    """An authorizer with too little time left to refresh does not begin: it raises, and nothing is kept."""

    class Context:
        def get_remaining_time_in_millis(self):
            return 3_000

    manager = sealed(app)
    cookie = signed_in(app, manager)
    app.expire()
    with pytest.raises(SessionUnavailable) as caught:
        manager.authorizer()(Authorizer(None)._event(call(cookie), f"{ACCOUNT}/prod/GET/"), Context())
    assert caught.value.reason == "function_timeout"


@pytest.mark.parametrize("cookie", ["sealed", "token"])
def test_a_websocket_s_connection_knows_who_it_is(app, cookie):
    """What the authorizer seals at $connect is what later messages are served by."""
    sessions = sealed(app, cookie=cookie, websocket_api=True)
    admitted = gateway(WebSocketAuthorizer, sessions).admit(call(signed_in(app, sessions)))
    handler = sessions.protect(lambda _event, _context, me: {"statusCode": 200, "body": me.sid})
    event = WebSocketApi().message_event("x", context=admitted.context)
    assert handler(event, None)["body"] == admitted.context["sid"]


def test_an_http_api_is_told_of_cross_site_by_an_error(app):
    """SessionForbidden comes out of the function itself: an answer would be kept against the cookie."""
    manager = sealed(app)
    cookie = signed_in(app, manager)
    event = SimpleHttpAuthorizer(None)._event(call(cookie, "POST", site="cross-site"), f"{ACCOUNT}/$default/POST/")
    with pytest.raises(SessionForbidden):
        manager.authorizer()(event, None)
