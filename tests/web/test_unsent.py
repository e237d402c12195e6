"""Which cookies of a manager must be in the response: those of password flows and session(), and the exemptions."""

from __future__ import annotations

import asyncio

import pytest

from cognito_session import session
from cognito_session.clock import SystemClock
from cognito_session.manager import default
from cognito_session.web import unsent_cookies as unsent
from cognito_session.web.aws_lambda.websocket import MessageSession
from managed.scene import ring
from support.stack import COOKIE, PASSWORD, cookie_of, event_v1, event_v2

SEALED = {"cookie": "sealed", "cookie_name": None, "session_keys": ring(1)}


@pytest.fixture(autouse=True)
def nothing_reported(monkeypatch):
    """As in a process that has just started."""
    monkeypatch.setattr(unsent, "_reported", set())


def calls_of(caplog) -> list[str]:
    """The calls that the log names."""
    lines = [record.getMessage() for record in caplog.records]
    return [line.split()[1] for line in lines if line.startswith("cookie_not_sent: ")]


def answered(manager, work, *cookies, status=200):
    """A Lambda handler that does `work` and answers without its cookies."""

    @manager.protect(optional=True)
    def handler(event, context, me):
        work()
        return {"statusCode": status, "body": ""}

    response = handler(event_v2(*cookies), None)
    assert response["statusCode"] == status
    return response


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("method", ["sign_in", "start"])
def test_the_cookies_of_password_flows(app, caplog, method, asynchronous):
    """The session of a sign-in, and the challenge of one that goes on: both are named by the flow's method."""
    user = app.user()
    manager = (app.async_manager if asynchronous else app.manager)(**SEALED)
    flows = manager.password_flows(issuer="Shop")
    given = {"sign_in": (user.username, PASSWORD), "start": (user.username,)}[method]

    def work():
        outcome = getattr(flows, method)(*given, cookie_header=None)
        outcome = asyncio.run(outcome) if asynchronous else outcome
        assert outcome.set_cookies

    answered(app.manager(**SEALED), work)
    assert calls_of(caplog) == [f"PasswordFlows.{method}"]


def test_a_new_session_beside_a_refreshed_one(app, caplog):
    """The adapter sends the cookie of the session that it served and refreshed: the one of `establish` is still missing."""
    manager, user = app.manager(), app.user()
    old = cookie_of(manager.establish(app.sign_in(user)))
    app.expire()
    response = answered(manager, lambda: manager.establish(app.sign_in(app.user())), old)
    assert len(response["cookies"]) == 1
    assert calls_of(caplog) == ["establish"]


def test_the_served_sessions_own_answer_beside_a_new_session(app, caplog):
    """`me.respond()` has the refreshed cookie of `me`, not the one of the session that `establish` began."""
    manager = app.manager()
    old = cookie_of(manager.establish(app.sign_in(app.user())))
    app.expire()

    @manager.protect
    def handler(event, context, me):
        manager.establish(app.sign_in(app.user()))
        return me.respond(200, {})

    assert handler(event_v2(old), None)["statusCode"] == 200
    assert calls_of(caplog) == ["establish"]


def test_a_session_that_is_refreshed_by_hand_too(app, caplog):
    """A sealed cookie is another text each time: the adapter's own of the same session counts."""
    manager = app.manager(**SEALED)
    old = cookie_of(manager.establish(app.sign_in(app.user())))
    app.expire()
    response = answered(manager, lambda: manager.resolve(old), old)
    assert len(response["cookies"]) == 1
    assert calls_of(caplog) == []


@pytest.mark.parametrize("last", ["establish", "resolve"])
def test_of_several_calls_the_new_session_counts(app, caplog, last):
    """A sign-out, then a sign-in for the same cookie: the sign-in is named, also if resolve follows."""
    manager = app.manager()
    old = cookie_of(manager.establish(app.sign_in(app.user())))
    other = cookie_of(manager.establish(app.sign_in(app.user())))
    app.expire()

    def work():
        manager.sign_out(old)
        manager.establish(app.sign_in(app.user()))
        if last == "resolve":
            manager.resolve(other)

    answered(manager, work)
    assert calls_of(caplog) == ["establish"]


@pytest.mark.parametrize(("status", "calls"), [(302, ["establish"]), (399, ["establish"]), (400, []), (500, [])])
def test_a_response_that_gives_up_is_exempt(app, caplog, status, calls):
    """From 400 on the application has given up what it began; a redirect has not."""
    manager = app.manager()
    answered(manager, lambda: manager.establish(app.sign_in(app.user())), status=status)
    assert calls_of(caplog) == calls


def test_a_websocket_is_exempt(app, caplog):
    """API Gateway sends no Set-Cookie with a handshake or a message, so none is missing."""
    manager = app.manager()
    cookie = cookie_of(manager.establish(app.sign_in(app.user())))
    app.expire()
    event = event_v1(cookie)
    event["requestContext"] = {"connectionId": "c", "eventType": "CONNECT", "routeKey": "x", "stage": "prod"}

    @manager.protect(optional=True)
    def handler(event, context, me):
        assert manager.resolve(cookie).session.set_cookies
        return {"statusCode": 200}

    assert handler(event, None)["statusCode"] == 200
    assert calls_of(caplog) == []
    message = MessageSession(manager, event)
    message.note("establish", ("token=new; Path=/",))
    assert not message.has_noted


def test_session_within_an_adapter(app, caplog, monkeypatch):
    """session() beside an adapter that guards the same request: its refreshed cookie has to be sent as well."""
    manager = app.manager(**SEALED)
    for name, value in app.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(default, "_defaults", {})
    monkeypatch.setattr(SystemClock, "now", lambda _: app.stack.clock.now())
    cookie = cookie_of(app.manager().establish(app.sign_in(app.user())))
    app.expire()
    answered(manager, lambda: session(COOKIE, event_v2(cookie)))
    assert calls_of(caplog) == ["session"]
