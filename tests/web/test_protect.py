"""protect: the handler is called with a session or not at all, and the answer carries what the browser needs."""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from cognito_session import (
    Active,
    ConfigurationError,
    Refreshed,
    Rejected,
    Session,
    SessionForbidden,
    SessionManager,
    SessionRequired,
    current_session,
)
from cognito_session.configuration import Configuration
from cognito_session.core.crypto.access_token import verify
from cognito_session.core.crypto.key_set import KeySet
from cognito_session.core.errors import StoreUnavailable
from cognito_session.core.protocol.session import Reason
from cognito_session.drivers import aio
from cognito_session.drivers.sync import Ports, run
from cognito_session.http.csrf import Csrf
from cognito_session.testing.memory_store import MemoryStore
from cognito_session.web.aws_lambda import event as lambda_event
from cognito_session.web.aws_lambda import protect as protect_module
from cognito_session.web.aws_lambda.protect import protect, resolve_event
from support.tokens import SUB

COOKIE = "token=new; Max-Age=60; Path=/; HttpOnly; Secure; SameSite=Lax"
LOAD_BALANCER = {"httpMethod": "GET", "requestContext": {"elb": {"targetGroupArn": "arn:x"}}}
EVENTS = {
    "alb": {**LOAD_BALANCER, "headers": {"cookie": "token=x"}},
    "alb-multi": {**LOAD_BALANCER, "multiValueHeaders": {"cookie": ["token=x"]}},
    "v1": {"headers": {"Cookie": "token=x"}, "multiValueHeaders": None, "requestContext": {"httpMethod": "GET"}},
    "v2": {"version": "2.0", "headers": {}, "cookies": ["token=x"], "requestContext": {"http": {"method": "GET"}}},
}


PATHS = {"PYTHONPATH": str(Path(protect_module.__file__).parents[3])}


class Context:
    """Lambda's context, as far as it is read."""

    def __init__(self, milliseconds: int) -> None:
        self.milliseconds = milliseconds

    def get_remaining_time_in_millis(self) -> int:
        return self.milliseconds


class FixedEngine:
    """Resolves every request to one outcome, or raises one fault; remembers what it was asked."""

    def __init__(self, outcome: Any) -> None:
        self.outcome = outcome
        self.asked: list[tuple[Any, float | None]] = []
        self.csrf = Csrf()
        self.base_path = ""
        self.context = SimpleNamespace(with_time_left=lambda _seconds: None)  # no flow of the core runs here
        self.ports = Ports(store=None, provider=None, keys=None, clock=None, sleep=None)

    def _found(self, cookie_header: Any, remaining_seconds: float | None) -> Any:
        self.asked.append((cookie_header, remaining_seconds))
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def resolve(self, cookie_header: Any, *, remaining_seconds: float | None = None) -> Any:
        return self._found(cookie_header, remaining_seconds)
        yield  # a flow is a generator, this one asks nothing

    def run(self, flow: Any) -> Any:
        return run(flow, self.ports)

    async def arun(self, flow: Any) -> Any:
        return await aio.run(flow, self.ports)


@pytest.fixture
def me(issuer) -> Session:
    """A session with nothing to tell the browser."""
    token = verify(issuer.access_token(), issuer.key_set(), issuer.rules)
    return Session.of(token, sid="sid-1", auth_time=None, expires_at=None)


@pytest.fixture
def active(me) -> FixedEngine:
    """Serves the session."""
    return FixedEngine(Active(me))


@pytest.fixture
def refreshed(me) -> FixedEngine:
    """Has refreshed, and has a cookie to set."""
    return FixedEngine(Refreshed(replace(me, set_cookies=(COOKIE,))))


@pytest.fixture
def rejected() -> FixedEngine:
    """Denies."""
    return FixedEngine(Rejected(Reason.IDLE_TIMEOUT))


@pytest.fixture
def unwarned() -> Iterator[None]:
    """The process as it starts: nobody has been warned of a short timeout."""
    before = lambda_event._warned[:]
    lambda_event._warned.clear()
    yield
    lambda_event._warned[:] = before


@pytest.fixture(params=["sync", "async"])
def made(request):
    """Protects a plain body as a sync or an async handler: every promise holds for both."""

    def make(engine: FixedEngine, body: Any, *, optional: bool = False) -> Any:
        def handler(event, context, me):
            return body(event, context, me)

        async def coroutine(event, context, me):
            await asyncio.sleep(0)
            return body(event, context, me)

        return protect(engine, coroutine if request.param == "async" else handler, optional=optional)

    return make


def never(event, context, me):
    """A body that must not be reached."""
    raise AssertionError("called without a session")


def cookies_of(response: dict) -> list[str]:
    """The Set-Cookie values of an answer in any form."""
    return [*response.get("cookies", ()), *all_of(response, "Set-Cookie")]


def all_of(response: dict, wanted: str) -> list[str]:
    """Every value of a header."""
    lists = {**{name: [value] for name, value in response.get("headers", {}).items()}, **response.get("multiValueHeaders", {})}
    return [value for name, values in lists.items() if name.lower() == wanted.lower() for value in values]


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_a_handler_is_called_with_event_context_and_session(made, active, me, event):
    """The body gets exactly what Lambda gave, and the session of its cookie."""
    seen = []
    context = Context(30_000)
    handler = made(active, lambda *arguments: seen.append(arguments) or {"statusCode": 200})
    assert handler(event, context)["statusCode"] == 200
    assert seen == [(event, context, me)]
    assert active.asked == [(("token=x",), 30.0)]


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_without_a_session_nobody_is_called(made, rejected, event):
    """A denial is a 401 with its reason, in the event's form, that clears no cookie and may not be kept."""
    response = made(rejected, never)(event, None)
    assert response["statusCode"] == 401
    assert json.loads(response["body"]) == {"error": "unauthorized", "reason": "idle_timeout"}
    assert cookies_of(response) == []
    assert all_of(response, "Cache-Control") == ["no-store"]
    assert all_of(response, "Vary") == ["Cookie"]


def test_an_outage_is_a_503(made):
    """Not finding out answers 503 with Retry-After: no handler, no cookie, and no word of the store."""
    response = made(FixedEngine(StoreUnavailable("table secret-name", retry_after=3)), never)(EVENTS["v2"], None)
    assert (response["statusCode"], response["headers"]["Retry-After"]) == (503, "3")
    assert cookies_of(response) == []
    assert "secret-name" not in json.dumps(response)


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_a_new_cookie_is_added_to_whatever_the_handler_answers(made, refreshed, event):
    """Cookies of a refresh go out with the handler's own, which are kept."""
    assert cookies_of(made(refreshed, lambda *_: {"statusCode": 204, "body": ""})(event, None)) == [COOKIE]
    assert cookies_of(made(refreshed, lambda *_: {"hello": 1})(event, None)) == [COOKIE]
    for own in ({"cookies": ["own=1"]}, {"multiValueHeaders": {"Set-Cookie": ["own=1"]}}, {"headers": {"set-cookie": "own=1"}}):
        assert cookies_of(made(refreshed, lambda *_, own=own: {"statusCode": 200, **own})(event, None)) == ["own=1", COOKIE]


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_cookies_are_added_once(made, refreshed, event):
    """A handler that answers with me.respond() has sent them already."""
    response = made(refreshed, lambda _e, _c, me: me.respond(201, {"a": 1}))(event, None)
    assert (response["statusCode"], response["body"]) == (201, '{"a": 1}')
    assert cookies_of(response) == [COOKIE]


@pytest.mark.parametrize(
    ("error", "status"),
    [(SessionForbidden("no"), 403), (SessionRequired("again", reason="too_old"), 401), (StoreUnavailable("x"), 503),
     (ConfigurationError("x"), 500)],
    ids=["403", "401", "503", "500"],
)  # fmt: skip
@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_a_session_error_of_the_handler_is_answered(made, active, event, error, status):
    """What a guard in the handler raises becomes the answer it stands for."""

    def body(*_):
        raise error

    response = made(active, body)(event, None)
    assert (response["statusCode"], json.loads(response["body"])["reason"]) == (status, error.reason)


def test_any_other_error_of_the_handler_is_the_handler_s(made, active):
    """A bug in the handler stays a bug: it passes through."""

    def body(*_):
        raise KeyError("bug")

    with pytest.raises(KeyError, match="bug"):
        made(active, body)(EVENTS["v2"], None)


def test_an_event_of_no_known_shape_is_an_error(made, active):
    """Without a known shape there is no form to answer in: the ConfigurationError itself comes out, before anything else."""
    with pytest.raises(ConfigurationError, match="known shape"):
        made(active, never)({"Records": []}, None)
    assert active.asked == []


# --- current_session


def test_current_session_is_there_inside_and_gone_outside(made, active, me):
    """Below the handler anybody can ask for the session; before and after there is none."""
    assert current_session() is None
    assert made(active, lambda *_: current_session().sub)(EVENTS["v2"], None)["body"] == me.sub
    assert current_session() is None


def test_current_session_is_reset_after_an_error(made, active):
    """The next request of this process does not find the session of one that failed."""

    def body(*_):
        raise KeyError

    with pytest.raises(KeyError):
        made(active, body)(EVENTS["v2"], None)
    assert current_session() is None


def test_nested_handlers_see_their_own_session(active, me):
    """An inner call with another session does not replace the outer one's."""
    other = FixedEngine(Active(replace(me, sub="other")))
    inner = protect(other, lambda *_: current_session().sub, optional=False)

    def body(event, context, me):
        first = inner(event, context)["body"]
        return [first, current_session().sub]

    assert json.loads(protect(active, body, optional=False)(EVENTS["v2"], None)["body"]) == ["other", me.sub]


async def test_parallel_coroutines_see_their_own_session(me):
    """Two requests on one loop do not see each other's session."""
    turn = asyncio.Event()

    async def body(event, context, me):
        if me.sub == "first":
            await turn.wait()
        turn.set()
        return current_session().sub

    handlers = [protect(FixedEngine(Active(replace(me, sub=sub))), body, optional=False) for sub in ("first", "second")]
    answers = await asyncio.gather(*(handler.aio(EVENTS["v2"], None) for handler in handlers))
    assert [found["body"] for found in answers] == ["first", "second"]
    assert current_session() is None


# --- decoration


async def test_aio_is_the_coroutine(refreshed):
    """For code that already runs on a loop, the coroutine function itself; the handler stays callable without one."""

    async def body(event, context, me):
        return me.respond(200, {"sub": me.sub})

    handler = protect(refreshed, body, optional=False)
    response = await handler.aio(EVENTS["v2"], Context(9_000))
    assert (response["statusCode"], cookies_of(response)) == (200, [COOKIE])
    assert refreshed.asked == [(("token=x",), 9.0)]
    assert not asyncio.iscoroutinefunction(handler)
    assert not hasattr(protect(refreshed, lambda *_: None, optional=False), "aio")


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_handler_that_another_decorator_has_wrapped_is_refused(active, kind):
    """The third argument would break below it: refused when decorating, saying where protect belongs."""

    def handler(event, context, me):
        return None

    async def coroutine(event, context, me):
        return None

    wrapped = functools.wraps(handler if kind == "sync" else coroutine)(lambda *_: None)
    with pytest.raises(ConfigurationError, match=r"innermost decorator of (handler|coroutine)"):
        protect(active, wrapped, optional=False)
    twice = protect(active, handler if kind == "sync" else coroutine, optional=False)
    with pytest.raises(ConfigurationError, match="innermost"):
        protect(active, twice, optional=False)


def test_a_protected_handler_keeps_its_name(active):
    """Name and docstring are the handler's, as tracing and logs expect."""

    def handler(event, context, me):
        """Says hello."""

    assert protect(active, handler, optional=False).__name__ == "handler"
    assert protect(active, handler, optional=False).__doc__ == "Says hello."


def test_decorating_loads_nothing_that_a_cold_start_need_not_pay_for():
    """No event loop, no address parser, no Powertools, no HTTP module before a request needs one."""
    heavy = ["asyncio", "urllib.parse", "http", "aws_lambda_powertools", "cognito_session.web.aws_lambda.websocket", "html"]
    program = f"import sys, cognito_session.web.aws_lambda.protect; print([name for name in {heavy} if name in sys.modules])"
    shown = subprocess.run([sys.executable, "-S", "-c", program], capture_output=True, text=True, check=True, env=PATHS)
    assert shown.stdout.strip() == "[]"


def test_protect_works_with_and_without_parentheses(active, rejected):
    """`@protect`, `@protect()` and `@protect(optional=True)` all decorate."""

    def body(_event, _context, me):
        return "guest" if me is None else "member"

    for decorated in (protect(active, body, optional=False), protect(active, None, optional=False)(body)):
        assert decorated(EVENTS["v2"])["body"] == "member"
    assert protect(rejected, None, optional=True)(body)(EVENTS["v2"])["body"] == "guest"


# --- the function's time


@pytest.mark.parametrize(
    "context",
    [None, object(), type("Odd", (), {"get_remaining_time_in_millis": 7})(), {"get_remaining_time_in_millis": 7}],
    ids=["none", "silent", "attribute of another kind", "mapping"],
)
def test_a_context_that_tells_no_time_limits_nothing(made, active, context):
    """Without a remaining time the flow is told of none."""
    made(active, lambda *_: "x")(EVENTS["v2"], context)
    assert active.asked == [(("token=x",), None)]


def test_a_short_timeout_is_warned_of_once(made, active, unwarned, caplog):
    """An invocation that begins with less than six seconds is logged once per process; enough time never is."""
    handler = made(active, lambda *_: "x")
    with caplog.at_level(logging.WARNING, logger="cognito_session"):
        handler(EVENTS["v2"], Context(6_000))
        assert caplog.messages == []
        handler(EVENTS["v2"], Context(5_999))
        handler(EVENTS["v2"], Context(100))
    assert len(caplog.messages) == 1
    assert "timeout" in caplog.messages[0]
    assert [left for _, left in active.asked] == [6.0, 5.999, 0.1]


# --- session(): the same without a decorator


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_resolve_event_returns_a_session_that_answers(refreshed, event):
    """The session of an event answers in that event's form, cookies included."""
    found = resolve_event(refreshed, event, None)
    response = found.respond(200, {"hello": found.username})
    assert json.loads(response["body"]) == {"hello": "alice"}
    assert cookies_of(response) == [COOKIE]
    assert found.cognito == {"AuthenticationResult": {"AccessToken": found.access_token}}


@pytest.mark.parametrize("outcome", [Rejected(Reason.REUSE), StoreUnavailable("x")], ids=["401", "503"])
@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_resolve_event_raises_an_error_that_answers(event, outcome):
    """What is raised answers in the event's form: a denial with its reason, an outage with Retry-After."""
    with pytest.raises((SessionRequired, StoreUnavailable)) as caught:
        resolve_event(FixedEngine(outcome), event, None)
    response = caught.value.respond()
    assert response["statusCode"] == caught.value.status
    assert json.loads(response["body"])["reason"] == caught.value.reason
    assert cookies_of(response) == []


# --- with a real manager


class Published(NamedTuple):
    """A key source that has its keys."""

    key_set: KeySet

    def keys(self, missing_kid: str | None) -> KeySet:
        return self.key_set


class Silent:
    """A provider that may be asked to revoke and for nothing else."""

    def refresh(self, _request: object) -> object:
        raise AssertionError("nothing is refreshed here")

    def revoke(self, _refresh_token: str) -> None:
        """Done."""

    def global_sign_out(self, _access_token: str) -> None:
        raise AssertionError("nobody is signed out everywhere here")


@pytest.mark.parametrize("kind", ["v1", "v2"])
def test_from_sign_in_to_handler_with_a_real_manager(made, issuer, clock, kind):
    """The cookie that establish sets opens the handler, a forged one beside it does not, and after sign-out neither does."""
    manager = SessionManager(
        Configuration("sessions", issuer.client_id, issuer.pool_id),
        cookie="token",
        store=MemoryStore(),
        provider=Silent(),
        keys=Published(issuer.key_set()),
        clock=clock,
        environ={},
    )
    tokens = {"AccessToken": issuer.access_token(iat=int(clock.now())), "RefreshToken": "rt"}
    line = manager.establish({"AuthenticationResult": tokens}).set_cookies[0]
    cookie = line.partition(";")[0]
    forged = cookie[:-6] + ("AAAAAA" if cookie[-6:] != "AAAAAA" else "BBBBBB")

    def event(*cookies: str) -> dict:
        headers = {"Cookie": "; ".join(cookies)} if kind == "v1" else {}
        return {**EVENTS[kind], "headers": headers, "cookies": [] if kind == "v1" else list(cookies)}

    handler = made(manager.engine, lambda _e, _c, me: me.respond(200, {"sub": me.sub}))
    assert json.loads(handler(event(cookie), None)["body"]) == {"sub": SUB}
    assert handler(event(forged), None)["statusCode"] == 401
    assert handler(event(), None)["statusCode"] == 401
    assert manager.sign_out(cookie)[0].startswith("token=; Max-Age=0")
    assert json.loads(handler(event(cookie), None)["body"])["reason"] == "session_ended"


@pytest.mark.parametrize("form", EVENTS)
@pytest.mark.parametrize("wrap", [lambda me: me, lambda me: {"me": me}, lambda me: [me]])
def test_a_session_in_an_answer_is_its_facts(made, active, me, form, wrap):
    """A handler may return the session, alone or within JSON, and pass it to `respond`; tokens are not in it."""
    expected = json.loads(json.dumps(wrap(me.facts())))
    answer = made(active, lambda *_: wrap(me))(EVENTS[form], None)
    assert json.loads(answer["body"]) == expected
    assert (
        json.loads(made(active, lambda _event, _context, me: me.respond(200, wrap(me)))(EVENTS[form], None)["body"]) == expected
    )
    assert me.access_token not in str(answer)


def test_an_answer_that_is_not_json_names_its_type(made, active):
    """What cannot be written as JSON is the handler's fault, named by its type."""
    with pytest.raises(TypeError, match="expected JSON types or a Session, not object"):
        made(active, lambda *_: {"a": object()})(EVENTS["v2"], None)
