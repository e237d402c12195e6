"""Guards: who may, by exact names of groups and scopes and by the age of the sign-in; whatever is not known is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cognito_session import ConfigurationError, SessionForbidden
from managed.scene import by_hand, sealed
from support.stack import COOKIE, cookie_of, event_v1, event_v2, make_app


@pytest.fixture
def app(stack):
    """An app whose pool has groups."""
    return make_app(stack, groups=("admin", "administrators", "staff"))


@pytest.fixture
def me(app):
    """A session of somebody in `administrators` and `staff`."""
    clock = by_hand(app)
    manager = sealed(app, clock=clock)
    cookie = cookie_of(manager.establish(app.sign_in(app.user(groups=["administrators", "staff"]))))
    return replace(manager.resolve(cookie).session, scopes=frozenset({"orders/read", "openid"}))


def refusal(me, **wanted):
    """The reason for which the guard refuses."""
    with pytest.raises(SessionForbidden) as caught:
        me.require(**wanted)
    assert caught.value.status == 403
    return caught.value.reason


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"any_group": ["administrators"]},
        {"any_group": ["admin", "staff"]},
        {"any_group": {"staff"}},
        {"all_groups": ["staff", "administrators"]},
        {"scopes": ["orders/read"]},
        {"scopes": ("openid", "orders/read"), "any_group": ["staff"], "all_groups": ["staff"], "max_age": 60},
    ],
    ids=repr,
)
def test_who_may(me, wanted):
    """Everything that is asked for is there."""
    assert me.require(**wanted) is None


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ({"any_group": ["admin"]}, "group_required"),
        ({"any_group": ["Administrators"]}, "group_required"),
        ({"any_group": ["administrators "]}, "group_required"),
        ({"any_group": ["administrators,staff"]}, "group_required"),
        ({"any_group": ["*"]}, "group_required"),
        ({"any_group": []}, "group_required"),
        ({"all_groups": ["staff", "admin"]}, "group_required"),
        ({"scopes": ["orders"]}, "scope_required"),
        ({"scopes": ["orders/read", "orders/write"]}, "scope_required"),
        ({"scopes": ["ORDERS/READ"]}, "scope_required"),
        ({"any_group": ["admin"], "scopes": ["orders"]}, "group_required"),
    ],
    ids=repr,
)
def test_who_may_not(me, wanted, reason):
    """Names are compared whole and exactly, an empty choice lets nobody in, and the reason says what is missing."""
    assert refusal(me, **wanted) == reason


@pytest.mark.parametrize("name", ["any_group", "all_groups", "scopes"])
def test_one_text_is_not_a_list(me, name):
    """A single text would be taken letter by letter: it is the programmer's error, never a yes."""
    with pytest.raises(ConfigurationError, match="list of names"):
        me.require(**{name: "staff"})


def test_nobody_has_no_groups(me):
    """A user without groups and scopes is in none."""
    bare = replace(me, groups=(), scopes=frozenset())
    assert refusal(bare, any_group=["staff"]) == "group_required"
    assert refusal(bare, all_groups=["staff"]) == "group_required"
    assert refusal(bare, scopes=["openid"]) == "scope_required"


@pytest.mark.parametrize(("age", "allowed"), [(0, True), (299, True), (300, True), (301, False), (86_400, False)])
def test_the_age_of_the_sign_in(app, age, allowed):
    """A sign-in of exactly max_age seconds is young enough, one second more is not; use and refresh do not make it younger."""
    clock = by_hand(app)
    manager = sealed(app, clock=clock)
    cookie = cookie_of(manager.establish(app.sign_in(app.user())))
    began = manager.resolve(cookie).session.auth_time
    passed = began + age - int(clock.now())
    clock.advance(max(0, passed))
    app.stack.advance(max(0, passed))
    me = manager.resolve(cookie).session
    assert me.auth_time == began
    me = replace(me, served_at=began + age)
    if allowed:
        me.require(max_age=300)
    else:
        assert refusal(me, max_age=300) == "stale_sign_in"


def test_an_unknown_sign_in_is_old(me):
    """Without an auth_time the sign-in is never young enough."""
    unknown = replace(me, auth_time=None)
    assert refusal(unknown, max_age=10**9) == "stale_sign_in"
    unknown.require(any_group=["staff"])


def test_a_wish_of_zero_seconds(me):
    """max_age=0 is a wish, not "no limit"."""
    assert refusal(replace(me, served_at=me.auth_time + 1), max_age=0) == "stale_sign_in"


@pytest.mark.parametrize("event", [event_v1, event_v2], ids=["v1", "v2"])
def test_through_a_handler(app, event):
    """No session is a 401, a session that may not is a 403, one that may is served; each says its reason and no-store."""
    manager = app.manager()

    @manager.protect
    def handler(event, context, me):
        me.require(any_group=["admin"])
        return {"statusCode": 200, "body": me.sub}

    admin = cookie_of(manager.establish(app.sign_in(app.user(groups=["admin"]))))
    other = cookie_of(manager.establish(app.sign_in(app.user(groups=["administrators"]))))
    answers = [handler(event(cookie), None) for cookie in (admin, other, f"{COOKIE}=EVIL")]
    assert [answer["statusCode"] for answer in answers] == [200, 403, 401]
    assert '"group_required"' in answers[1]["body"]
    assert '"malformed_token"' in answers[2]["body"]
    for answer in answers[1:]:
        headers = {**answer.get("headers", {}), **answer.get("multiValueHeaders", {})}
        assert "no-store" in str(headers)
        assert "Set-Cookie" not in headers
        assert "cookies" not in answer


def test_a_refusal_after_a_refresh_keeps_the_cookie(app):
    """The tokens were refreshed and then a guard said no: the 403 carries the new cookie, or the session would be lost."""
    manager = sealed(app)

    @manager.protect
    def handler(event, context, me):
        me.require(any_group=["admin"])

    cookie = cookie_of(manager.establish(app.sign_in(app.user())))
    app.expire()
    answer = handler(event_v2(cookie), None)
    assert answer["statusCode"] == 403
    assert len(answer["cookies"]) == 1
