"""Attacks are seen: an event and a log line for each kind, with the client's address, no secret, and never a flood."""

from __future__ import annotations

import asyncio
import logging
import re
import threading
import time
from contextvars import ContextVar
from pathlib import Path

import pytest

from cognito_session import SessionForbidden
from cognito_session.core.errors import ConfigurationError
from cognito_session.core.protocol import device_cookie
from cognito_session.core.protocol.authenticate import identify
from cognito_session.core.protocol.ports import PoolRefusal
from cognito_session.core.protocol.steps import Report, ask
from cognito_session.drivers import alarms, sync
from cognito_session.drivers.notices import Notices
from cognito_session.http.request import Request
from cognito_session.manager import AsyncSessionManager, SessionManager
from cognito_session.signin import transaction
from cognito_session.testing.clock import ManualClock
from cognito_session.web.asgi import CognitoSessionMiddleware as Asgi
from cognito_session.web.wsgi import CognitoSessionMiddleware as Wsgi
from cognito_session.web.wsgi import request_session_of

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {
    "SESSION_TABLE": "sessions",
    "SORT_KEY": "sid",
    "CLIENT_ID": "client",
    "USER_POOL_ID": "eu-central-1_AbCdEf123",
    "SESSION_KEYS": "1." + "AbCd0123-_zyXW9876vutsrqPONMLKJIhgfedcba111"[:42] + "A",
}
FORGED = "__Host-session=v1.1." + "A" * 80
CLIENT = "203.0.113.7"


class Seen:
    """A manager in the test kit, and the events and lines that it told."""

    def __init__(self, cognito, caplog, kind=SessionManager, **keywords):
        caplog.set_level(logging.WARNING, logger="cognito_session")
        self.caplog = caplog
        self.events = []
        self.manager = kind.from_env(environ=ENVIRONMENT, on_event=self.events.append, **keywords)
        cognito.attach(self.manager)
        self.cognito = cognito

    @property
    def told(self):
        """(event, detail, address) of each event that tells of an attack."""
        return [(each.event, each.detail, each.address) for each in self.events if each.limited]

    @property
    def lines(self):
        return [record.getMessage() for record in self.caplog.records]


@pytest.fixture
def seen(cognito, caplog):
    """A synchronous manager."""
    return Seen(cognito, caplog)


def test_a_forged_cookie_is_told(seen):
    """A forged seal, junk, and a retired key: one event of each reason, and one line each; neither holds the cookie."""
    seen.manager.resolve(FORGED)
    seen.manager.resolve("__Host-session=junk")
    assert seen.told == [("cookie_refused", "invalid_seal", ""), ("cookie_refused", "malformed_cookie", "")]
    assert [line.partition(",")[0].partition(":")[0] for line in seen.lines] == ["cookie_refused"] * 2
    assert "AAAA" not in repr(seen.events) + str(seen.lines)


FORGED_VALUE = FORGED.partition("=")[2]


def test_forged_cookies_of_other_steps_are_told(seen):
    """The sealed cookies of a challenge, a sign-in and a device are told as well, each by its kind."""
    seen.manager.password_flows().pending(f"__Host-session-challenge={FORGED_VALUE}")
    device = device_cookie._cookie(seen.manager.context).name
    sync.run(device_cookie.find_device(seen.manager.context, f"{device}={FORGED_VALUE}", "alice"), seen.manager.ports)
    state = transaction.Transaction.begun(seen.manager.context, "/").state
    begun = transaction.transaction_cookie(seen.manager.context, state).name
    sync.run(transaction.find_transaction(seen.manager.context, state, (f"{begun}={FORGED_VALUE}",)), seen.manager.ports)
    assert {each[:2] for each in seen.told} == {
        ("cookie_refused", "challenge cookie"),
        ("cookie_refused", "device cookie"),
        ("cookie_refused", "sign-in cookie"),
    }


def test_a_request_without_a_cookie_is_no_attack(seen):
    """No event where there is no cookie of the name."""
    seen.manager.resolve("other=1")
    seen.manager.resolve(None)
    assert seen.told == []


def test_two_authentic_cookies_are_told(seen, cognito):
    """Several valid cookies of the name prove nothing and are an event of their own."""
    first, second = cognito.sign_in("alice", manager=seen.manager), cognito.sign_in("bob", manager=seen.manager)
    both = "; ".join(browser.cookie_header for browser in (first, second))
    seen.manager.resolve(both)
    assert [each[0] for each in seen.told] == ["ambiguous_cookie"]


def test_junk_is_limited_and_counted(seen, cognito):
    """A flood of forged cookies: ten events a second at most, one line a minute, and the next line says how many."""
    for _ in range(500):
        seen.manager.resolve(FORGED)
    assert len(seen.told) == 10
    assert len(seen.lines) == 1
    cognito.advance(61)
    seen.manager.resolve(FORGED)
    assert "(499 more like it were not logged)" in seen.lines[-1]


def test_memory_is_bounded():
    """However many names and details are told, the notices keep a bounded number of them."""
    notices, most = Notices(), 0
    for number in range(5_000):
        event = Report("e", "", None, str(number), limited=True)
        assert notices.admits(event, number)
        notices.tell_event(event, [], number)
        most = max(most, len(notices._admitted), len(notices._told))
    assert most == 200


WHOSE: ContextVar[str] = ContextVar("whose", default="nobody's")


@pytest.mark.parametrize("kind", [alarms.raise_alarm, alarms.raise_alarm_async], ids=lambda kind: kind.__name__)
async def test_a_hook_beside_the_loop_knows_whose_request_it_is(kind):
    """It runs in a thread and sees the context variables of the request that told it."""
    told, threads, done = [], [], threading.Event()

    def hook(event):
        told.append(WHOSE.get())
        threads.append(threading.current_thread())
        done.set()

    WHOSE.set("alice's")
    clock = ManualClock()
    answer = kind(Report("e", "", None, limited=True), sync.Ports(None, None, None, clock, clock.advance, hook))
    if answer is not None:
        await answer
    assert await asyncio.to_thread(done.wait, 10)
    assert told == ["alice's"]
    assert threads != [threading.current_thread()]


def test_a_forged_cookie_stays_cheap(seen):
    """What is over the limit is not built: the flow's report is one object for all requests."""
    reports = []

    def steps(headers):
        flow, answer = identify(seen.manager.context, headers), None
        while True:
            try:
                step = flow.send(answer)
            except StopIteration:
                return
            answer = sync._answer(step, seen.manager.ports, [])
            if isinstance(step, Report):
                reports.append(step)

    for _ in range(3):
        steps(FORGED)
    assert len(reports) == 3
    assert len(set(map(id, reports))) == 1
    began = time.perf_counter()
    for _ in range(1_000):
        seen.manager.resolve(FORGED)
    assert (time.perf_counter() - began) / 1_000 < 0.002  # microseconds on an idle machine


GUARDS = [
    ({"any_group": ["admin"]}, "group_required"),
    ({"all_groups": ["admin"]}, "group_required"),
    ({"scopes": ["orders/read"]}, "scope_required"),
    ({"max_age": 0}, "stale_sign_in"),
]


@pytest.mark.parametrize(("guard", "reason"), GUARDS)
def test_a_refused_guard_is_told(seen, cognito, guard, reason):
    """me.require that refuses is an event with user, session and reason, wherever the session came from."""
    cookie = cognito.sign_in("alice", manager=seen.manager).cookie_header
    cognito.advance(1)
    me = seen.manager.resolve(cookie).session
    with pytest.raises(SessionForbidden):
        me.require(**guard)
    [event] = [each for each in seen.events if each.event == "access_denied"]
    assert (event.sub, event.sid, event.detail) == (me.sub, me.sid, reason)
    assert any(line.startswith(f"access_denied, user {me.sub}, session {me.sid}: {reason}") for line in seen.lines)


def test_the_session_after_saving_data_still_tells(seen, cognito):
    """A session that was replaced (save_data, respond) keeps telling of refused guards."""
    me = seen.manager.resolve(cognito.sign_in("alice", manager=seen.manager).cookie_header).session
    me = seen.manager.save_data(me, {"a": 1})
    with pytest.raises(SessionForbidden):
        me.require(any_group=["admin"])
    assert [each[0] for each in seen.told] == ["access_denied"]


def test_wrong_passwords_and_codes_are_told(seen, cognito):
    """A refused password or code is an event with the flow and the reason, and without anything that was typed."""
    flows = seen.manager.password_flows()
    flows.sign_in("alice", "wrong-password-1", cookie_header=None)
    flows.confirm("alice", "999999")
    flows.confirm_forgot_password("alice", "999999", "New-Password-1")
    me = seen.manager.resolve(cognito.sign_in("alice", manager=seen.manager).cookie_header).session
    flows.change_password(me, "wrong-password-1", "New-Password-1")
    assert [each[:2] for each in seen.told] == [
        ("credentials_refused", "sign_in: wrong_credentials"),
        ("code_refused", "confirm: wrong_code"),
        ("code_refused", "confirm_forgot_password: wrong_code"),
        ("credentials_refused", "change_password: wrong_credentials"),
    ]
    assert seen.events[-1].sub == me.sub
    said = repr(seen.events) + str(seen.lines)
    assert not [typed for typed in ("alice", "wrong-password-1", "999999", "New-Password-1") if typed in said]


def login_of(seen):
    """Managed login of this manager."""
    seen.manager.configuration = seen.manager.configuration._replace(cognito_domain="app.auth.eu-central-1.amazoncognito.com")
    return seen.manager.managed_login(base_url="https://app.example")


def came_back(seen, query, login=None):
    """What `callback` answers to a stranger's address."""
    return (login or login_of(seen)).callback(Request("GET", "/auth/callback", query, {}, client=CLIENT))


def test_texts_that_strangers_write_are_limited_together(seen, cognito):
    """A flood of callbacks, each with an error and a text of its own: ten events a second of all of them, and one line."""
    login = login_of(seen)
    for number in range(500):
        assert came_back(seen, f"error=e{number}&error_description=text+{number}", login).status == 400
    assert [each[0] for each in seen.told] == ["sign_in_refused"] * 10
    assert len(seen.events) == 10
    assert len(seen.lines) == 1
    cognito.advance(61)
    came_back(seen, "error=another", login)
    assert "(499 more like it were not logged)" in seen.lines[-1]


def test_a_strangers_texts_push_no_other_event_out(seen):
    """Ever new texts do not make the limits of other events begin anew."""
    for _ in range(20):
        seen.manager.resolve(FORGED)
    login = login_of(seen)
    for number in range(300):
        came_back(seen, f"error=e{number}", login)
    seen.manager.resolve(FORGED)
    assert sum(each[0] == "cookie_refused" for each in seen.told) == 10


def test_codes_that_are_not_sent_are_limited(seen, cognito):
    """Whoever asks for codes until Cognito refuses fills no log and calls no hook without end."""
    flows = seen.manager.password_flows()
    refused = PoolRefusal("LimitExceededException", "Attempt limit exceeded, please try after some time.")
    seen.manager.ports = seen.manager.ports._replace(user_pool=Refusing(refused))
    for _ in range(50):
        flows.forgot_password("alice")
    assert seen.told == [("code_not_sent", "ForgotPassword: LimitExceededException", "")] * 10


class Refusing:
    """A user pool that refuses every call."""

    client_id = "client"

    def __init__(self, refusal):
        self.refusal = refusal

    def call(self, _operation, _payload):
        return self.refusal


# --- the client's address


def test_events_of_managed_login_have_the_clients_address(seen):
    """The callback tells the address also where no adapter stands around it, as in Lambda."""
    came_back(seen, "error=server_error")
    assert seen.told == [("sign_in_refused", "server_error", CLIENT)]


def wsgi(seen, *, cookie="", method="GET", **environ):
    """One request through the WSGI middleware."""

    def application(environ, start_response):
        me = request_session_of(environ).session()
        if me is not None:
            me.require(any_group=["admin"])
        start_response("200 OK", [])
        return [b""]

    environ = {"REQUEST_METHOD": method, "PATH_INFO": "/", "HTTP_COOKIE": cookie, "REMOTE_ADDR": CLIENT, **environ}
    list(Wsgi(application, seen.manager)(environ, lambda *_: None))


def asgi(seen, *, cookie="", method="GET", kind="http", headers=()):
    """One request or handshake through the ASGI middleware."""

    async def application(scope, receive, send):
        me = await scope["cognito_session"][0].asession()
        if me is not None:
            me.require(any_group=["admin"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def receive():
        return {"type": "websocket.connect"}

    async def send(_):
        pass

    pairs = [(b"cookie", cookie.encode()), *headers]
    scope = {"type": kind, "method": method, "path": "/", "headers": pairs, "client": (CLIENT, 1234), "query_string": b""}
    asyncio.run(Asgi(application, seen.manager)(scope, receive, send))


@pytest.mark.parametrize("door", [wsgi, asgi])
@pytest.mark.parametrize("kind", [SessionManager, AsyncSessionManager])
def test_events_have_the_clients_address(cognito, caplog, door, kind):
    """Forged cookies, refused guards and cross-site requests are told with the address that the server says."""
    seen = Seen(cognito, caplog, kind)
    door(seen, cookie=FORGED)
    door(seen, cookie=cognito.sign_in("alice", manager=seen.manager).cookie_header)
    door(seen, method="POST")
    deadline = time.monotonic() + 5
    while len(seen.told) < 3 and time.monotonic() < deadline:  # on an event loop a guard's event is told by another thread
        time.sleep(0.01)
    assert sorted(seen.told) == [
        ("access_denied", "group_required", CLIENT),
        ("cookie_refused", "invalid_seal", CLIENT),
        ("cross_site_refused", "", CLIENT),
    ]
    assert sum(f"from {CLIENT}" in line for line in seen.lines) == 3


def test_a_cross_site_handshake_is_told(seen):
    """A WebSocket handshake from another site is told as well."""
    asgi(seen, kind="websocket", headers=[(b"origin", b"https://evil.example"), (b"host", b"app.example")])
    assert seen.told == [("cross_site_refused", "", CLIENT)]


@pytest.mark.parametrize("form", ["http-v2", "http-v1", "rest"])
def test_lambda_events_have_the_gateways_address(seen, cognito, form):
    """API Gateway's sourceIp is the address, in every form that has one."""
    handler = seen.manager.protect(lambda event, context, me: {"statusCode": 200})
    event = cognito.event(form, signed_in=False, cookies=FORGED)
    handler(event, cognito.context)
    handler(cognito.event(form, method="POST", site="cross-site", signed_in=False), cognito.context)
    context = event["requestContext"]
    address = (context.get("http") or context["identity"])["sourceIp"]
    assert address
    assert seen.told == [("cookie_refused", "invalid_seal", address), ("cross_site_refused", "", address)]


@pytest.mark.parametrize(
    ("proxies", "headers", "address"),
    [
        (0, ("198.51.100.1",), CLIENT),
        (1, ("198.51.100.1",), "198.51.100.1"),
        (1, ("6.6.6.6, 198.51.100.1",), "198.51.100.1"),
        (2, ("6.6.6.6, 198.51.100.1, 10.0.0.1",), "198.51.100.1"),
        (2, ("6.6.6.6", "198.51.100.1, 10.0.0.1"), "198.51.100.1"),
        (2, ("198.51.100.1",), ""),
        (1, (), ""),
        (1, ("\x1b[31mevil\nline",), ""),
        (1, ("[2001:db8::1]:443",), "[2001:db8::1]:443"),
    ],
)
def test_forwarded_addresses_are_believed_where_the_application_says_so(proxies, headers, address):
    """X-Forwarded-For counts from its end, by as many proxies as are the operator's own, and only as an address."""
    found = {"x-forwarded-for": headers} if headers else {}
    assert Request("GET", "/", "", found, client=CLIENT).client_address(proxies) == address


@pytest.mark.parametrize("value", [True, -1, 11, "1", None])
def test_trusted_proxies_is_a_small_number(value):
    """Anything but a whole number from 0 to 10 is refused by name."""
    with pytest.raises(ConfigurationError, match="trusted_proxies"):
        SessionManager.from_env(environ=ENVIRONMENT, trusted_proxies=value)


def test_a_hook_that_fails_changes_nothing(cognito, caplog):
    """The answer stays the same where the hook raises."""
    seen = Seen(cognito, caplog)

    def fail(_):
        raise RuntimeError

    cognito.detach()
    seen.manager.ports = seen.manager.ports._replace(on_event=fail)
    assert seen.manager.resolve(FORGED).reason == "invalid_seal"


def test_addresses_are_the_requests_own():
    """Outside of a request an event has no address."""
    events = []
    ports = sync.Ports(None, None, None, ManualClock(now=1), None, on_event=events.append)
    sync.run(ask(Report("reuse", "sub", "sid")), ports)
    assert events[0].address == ""


NAMES = re.compile(r'(?:Report\(|alarm\(|report_if_late\(\s*|_EVENTS|Refusal\.[A-Z_]+: )\s*"?([a-z_]+)"')


def test_every_event_is_documented():
    """docs/logging.md has a row for each event that the library tells."""
    told = set()
    package = ROOT / "src/cognito_session"
    for path in package.rglob("*.py"):
        if not {"local", "testing"} & set(path.relative_to(package).parts):
            told |= set(NAMES.findall(path.read_text(encoding="utf-8")))
    told |= {"write_failed", "misconfigured"}  # write_attempts.py chooses between the two
    page = (ROOT / "docs/logging.md").read_text(encoding="utf-8")
    tables = page[page.index("### Events of an attack") : page.index("### The client's address")]
    rows = set(re.findall(r"^\| `([a-z_]+)` \|", tables, re.MULTILINE))
    assert {"reuse", "cookie_refused", "cross_site_refused", "code_refused", "asked_too_late"} <= told
    assert told == rows


async def test_a_running_event_loop_is_noticed():
    """In a coroutine there is one, in a thread beside it there is none."""
    assert alarms._is_on_event_loop()
    assert not await asyncio.to_thread(alarms._is_on_event_loop)


def test_without_a_loop_there_is_none():
    """Although asyncio has been imported."""
    assert not alarms._is_on_event_loop()
