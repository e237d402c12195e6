"""The WSGI middleware, environ by environ: what the suite of all doors does not ask for. Bodies, errors, several managers."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from cognito_session import (
    ConfigurationError,
    SessionConflict,
    SessionForbidden,
    SessionRequired,
    SessionUnavailable,
)
from cognito_session.http.csrf import Csrf
from cognito_session.web.aws_lambda import event as lambda_event
from cognito_session.web.establish import establish, sign_out
from cognito_session.web.wsgi import CognitoSessionMiddleware, request_of, request_session_of
from support.sealing_keys import ring
from support.stack import COOKIE, cookie_of, fresh, in_thread, joined, make_app, shared_stack

GET_TOKENS = "GetTokensFromRefreshToken"
KEYS = ring(1)
PAGE = {"Sec-Fetch-Mode": "navigate", "Accept": "text/html"}


@pytest.fixture
def stack(request):
    """The stack."""
    yield from fresh(shared_stack(request.config))


@pytest.fixture
def app(stack):
    """A pool and a table of one row per user, with rotation and no grace: the hardest setting."""
    return make_app(stack, rotation_grace_seconds=0)


@pytest.fixture(params=["sync", "async"])
def sessions(app, request):
    """A manager of either kind."""
    return app.async_manager() if request.param == "async" else app.manager()


@pytest.fixture
def cookie(app):
    """The cookie of a session that has been used."""
    manager = app.manager()
    me = cookie_of(manager.establish(app.sign_in(app.user())))
    assert manager.resolve(me).session.set_cookies == ()
    app.stack.clear_calls()
    return me


class Reply(NamedTuple):
    """What a server was given."""

    line: str
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def status(self) -> int:
        return int(self.line[:3])

    def all(self, name: str) -> list[str]:
        return [value for found, value in self.headers if found.lower() == name.lower()]

    def one(self, name: str) -> str:
        (value,) = self.all(name)
        return value

    @property
    def cookies(self) -> list[str]:
        return self.all("Set-Cookie")

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def environ_of(path: str = "/", *, method: str = "GET", cookie: str | None = None, **headers: str) -> dict[str, Any]:
    """The environ of a request; further entries by their own names."""
    raw, _, query = path.partition("?")
    environ: dict[str, Any] = {"REQUEST_METHOD": method, "PATH_INFO": raw, "QUERY_STRING": query, "SCRIPT_NAME": ""}
    sent = {"Host": "app.example", **({} if cookie is None else {"Cookie": cookie}), **headers}
    environ |= {"HTTP_" + name.upper().replace("-", "_"): value for name, value in sent.items()}
    setup_testing_defaults(environ)
    return environ


def ask(app: Any, environ: dict[str, Any]) -> Reply:
    """Serve one request as PEP 3333 says, which the standard library's validator watches."""
    given: list[Any] = []
    written: list[bytes] = []

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Callable[[bytes], Any]:
        assert not given or exc_info
        given[:] = [status, list(headers)]
        return written.append

    body = validator(app)(environ, start_response)
    try:
        chunks = list(body)
    finally:
        body.close()
    return Reply(given[0], given[1], b"".join([*written, *chunks]))


def answering(status: str = "200 OK", headers: Any = (), chunks: Any = (b"ok",), *, asks: Any = None) -> Any:
    """An application that asks for its session by `asks(visit)` and then answers."""

    def application(environ: Any, start_response: Any) -> Any:
        if asks is not None:
            asks(request_session_of(environ))
        start_response(status, [("Content-Type", "text/plain"), *headers])
        return iter(chunks)

    return validator(application)


def generating(chunks: Any = (b"ok",), *, asks: Any = None) -> Any:
    """The same as a generator, which does nothing before its first bytes are taken."""

    def application(environ: Any, start_response: Any) -> Any:
        if asks is not None:
            asks(request_session_of(environ))
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield from chunks

    return validator(application)


def raising(error: BaseException, *, asks: Any = None) -> Any:
    """An application that asks, if it does, and then raises."""

    def application(environ: Any, start_response: Any) -> Any:
        if asks is not None:
            asks(request_session_of(environ))
        raise error

    return application


def session(visit: Any) -> Any:
    """Ask for the session."""
    return visit.session()


def required(visit: Any) -> Any:
    """Ask for a session that must be there."""
    return visit.required()


def never(environ: Any, start_response: Any) -> Any:
    """An application that must not be reached."""
    raise AssertionError("called")


def test_a_body_that_has_begun_is_handed_on_as_it_is(sessions):
    """A server recognises its own file wrapper: the body of an application that has called start_response is not wrapped."""
    body = [b"ok"]

    def application(environ, start_response):
        start_response("200 OK", [])
        return body

    assert CognitoSessionMiddleware(application, sessions)(environ_of(), lambda *_: None) is body


# --- What somebody asks for


def test_headers_of_caching_in_any_spelling_become_one_of_each_name(sessions, cookie):
    """Vary that comes twice, in two spellings, goes out once with all names; Cache-Control is replaced in any spelling."""
    said = [("cache-control", "public"), ("Vary", "Accept"), ("vary", "Origin")]
    reply = ask(CognitoSessionMiddleware(answering(headers=said, asks=session), sessions), environ_of(cookie=cookie))
    assert (reply.one("Cache-Control"), reply.one("Vary")) == ("no-store", "Accept, Origin, Cookie")


def test_a_generator_is_served_and_closed(app, sessions, cookie):
    """A generator's response carries the cookie, all of its chunks arrive one by one, and it is closed."""
    app.expire()
    steps = []

    def application(environ, start_response):
        try:
            request_session_of(environ).required()
            start_response("200 OK", [("Content-Type", "text/plain")])
            for chunk in (b"a", b"b"):
                steps.append(chunk)
                yield chunk
        finally:
            steps.append("closed")

    body = CognitoSessionMiddleware(application, sessions)(environ_of(cookie=cookie), lambda *_: steps.append("started"))
    assert steps == ["started", b"a"]
    chunks = iter(body)
    assert (next(chunks), steps) == (b"a", ["started", b"a"])
    body.close()
    assert steps == ["started", b"a", "closed"]
    reply = ask(CognitoSessionMiddleware(validator(application), sessions), environ_of(cookie=cookie))
    assert (reply.body, len(reply.cookies)) == (b"ab", 1)


def test_a_cookie_that_the_application_sets_itself_is_newer(app, sessions, cookie):
    """Where the application has set a cookie of our name (a sign-in's answer), the refreshed one stays away."""
    app.expire()
    own = [("set-cookie", f"{COOKIE}=new; Path=/"), ("Cache-Control", "private")]
    reply = ask(CognitoSessionMiddleware(answering(headers=own, asks=session), sessions), environ_of(cookie=cookie))
    assert reply.cookies == [f"{COOKIE}=new; Path=/"]
    assert reply.one("Cache-Control") == "no-store"


def test_a_sign_in_wins_over_the_refresh(app, sessions, cookie):
    """A session begun in a request whose old one was refreshed: the only cookie that goes out is the new session's."""
    app.expire()
    found = []

    def asks(visit):
        old = visit.required()
        found.extend([old, establish(visit, app.sign_in(app.user()))])

    reply = ask(CognitoSessionMiddleware(answering(asks=asks), sessions), environ_of(cookie=cookie))
    old, new = found
    assert old.sub != new.sub
    assert reply.cookies == list(new.set_cookies)


def test_a_sign_out_deletes_the_cookie_in_any_case(app, sessions, cookie):
    """Also where the table does not answer, which is then said: the session is still there, and this browser's no more."""
    middleware = CognitoSessionMiddleware(answering(asks=sign_out), sessions)
    deleted = [f"{COOKIE}=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax"]
    app.stack.fault("UpdateItem", "error500", times=None)
    lost = ask(middleware, environ_of(cookie=cookie))
    assert (lost.status, lost.cookies) == (503, deleted)
    app.stack.clear_faults()
    assert app.manager().resolve(cookie).session is not None


def test_a_lost_cookie_is_sent_again(app, sessions, cookie):
    """An unhandled error takes the response away, not the session: the next request is sent the same new cookie."""
    app.expire()
    with pytest.raises(KeyError):
        ask(CognitoSessionMiddleware(raising(KeyError("bug"), asks=session), sessions), environ_of(cookie=cookie))
    reply = ask(CognitoSessionMiddleware(answering(asks=required), sessions), environ_of(cookie=cookie))
    assert [line.partition("=")[0] for line in reply.cookies] == [COOKIE]
    assert app.stack.count(GET_TOKENS) == 1


def test_eight_requests_at_expiry_are_one_refresh(app, sessions, cookie):
    """8 threads at once: one refresh call, all served, every one sent the same cookie."""
    app.expire()
    middleware = CognitoSessionMiddleware(answering(asks=required), sessions)
    replies = joined([in_thread(ask, middleware, environ_of(cookie=cookie)) for _ in range(8)])
    assert Counter(reply.status for reply in replies) == {200: 8}
    assert len({reply.one("Set-Cookie").partition(";")[0] for reply in replies}) == 1
    assert app.stack.count(GET_TOKENS) == 1


# --- Errors


@pytest.mark.parametrize(
    ("error", "status", "body"),
    [
        (SessionRequired(reason="idle_timeout"), "401 Unauthorized", {"error": "unauthorized", "reason": "idle_timeout"}),
        (SessionForbidden(reason="group_required"), "403 Forbidden", {"error": "forbidden", "reason": "group_required"}),
        (SessionConflict(), "409 Conflict", {"error": "conflict", "reason": "conflict"}),
        (SessionUnavailable(retry_after=7), "503 Service Unavailable", {"error": "unavailable", "reason": "unavailable"}),
    ],
)
@pytest.mark.parametrize("kind", [raising, "generator"], ids=["at once", "at the first bytes"])
def test_an_error_becomes_the_answer_it_stands_for(sessions, kind, error, status, body):
    """Status, reason and caching headers are said as JSON to a program; no cookie is touched."""

    def fails(visit):
        raise error

    application = generating(asks=fails) if kind == "generator" else raising(error)
    reply = ask(CognitoSessionMiddleware(application, sessions), environ_of(cookie=f"{COOKIE}=x"))
    assert (reply.line, reply.json, reply.cookies) == (status, body, [])
    assert (reply.one("Content-Type"), reply.one("Cache-Control"), reply.one("Vary")) == (
        "application/json",
        "no-store",
        "Cookie",
    )
    assert reply.one("Content-Length") == str(len(reply.body))
    assert reply.all("Retry-After") == ([str(error.retry_after)] if error.retry_after else [])


def test_what_is_set_up_wrong_is_told_to_the_operator_alone(sessions, caplog):
    """A ConfigurationError is a 500 whose message is in the log and not in the answer."""
    with caplog.at_level(logging.ERROR, logger="cognito_session"):
        reply = ask(CognitoSessionMiddleware(raising(ConfigurationError("CLIENT_ID: wrong")), sessions), environ_of())
    assert (reply.status, reply.json) == (500, {"error": "misconfigured", "reason": "configuration"})
    assert [record.message for record in caplog.records] == ["CLIENT_ID: wrong"]


def test_an_error_after_start_response_replaces_what_has_not_been_sent(sessions):
    """An application that has only named its headers is answered for, by start_response's exc_info (PEP 3333)."""

    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain"), ("X-Own", "1")])
        raise SessionRequired

    reply = ask(CognitoSessionMiddleware(application, sessions), environ_of())
    assert (reply.status, reply.all("X-Own"), reply.json["reason"]) == (401, [], "no_cookie")


def test_an_error_while_the_body_is_sent_is_left_to_the_server(sessions):
    """Headers that may have been sent cannot be taken back: the error comes out of the iteration as it was raised."""

    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"a"
        raise SessionRequired

    body = CognitoSessionMiddleware(application, sessions)(environ_of(), lambda *_: None)
    assert next(iter(body)) == b"a"
    with pytest.raises(SessionRequired):
        next(iter(body))


@pytest.mark.parametrize("error", [KeyError, SessionRequired])
def test_a_body_that_fails_to_begin_is_closed(sessions, error):
    """The server never sees it and could not close it; what is no SessionError is raised as it was."""
    closed = []

    class Body:
        def __iter__(self):
            return self

        def __next__(self):
            raise error

        def close(self):
            closed.append(True)

    middleware = CognitoSessionMiddleware(lambda *_: Body(), sessions)
    if error is KeyError:
        with pytest.raises(KeyError):
            middleware(environ_of(), never)
    else:
        assert ask(middleware, environ_of()).status == 401
    assert closed == [True]


# --- Who asks: a person or a program


def test_a_page_is_sent_to_sign_in_and_a_program_is_not(sessions):
    """A navigation becomes the redirect with the way back, mount point included; without login_path a page; else JSON."""
    middleware = CognitoSessionMiddleware(answering(asks=required), sessions, login_path="/login")
    environ = environ_of("/a b?x=1&y=%2F", **PAGE) | {"SCRIPT_NAME": "/mounted"}
    sent = ask(middleware, environ)
    assert (sent.status, sent.one("Location")) == (303, "/login?return_to=/mounted/a%2520b%3Fx%3D1%26y%3D%252F")
    page = ask(CognitoSessionMiddleware(answering(asks=required), sessions), environ_of(**PAGE))
    assert (page.status, page.one("Content-Type")) == (401, "text/html; charset=utf-8")
    assert ask(middleware, environ_of(**{"Sec-Fetch-Mode": "cors", "Accept": "text/html"})).json["reason"] == "no_cookie"
    xhr = {"Accept": "text/html", "X-Requested-With": "XMLHttpRequest"}
    assert ask(middleware, environ_of(**xhr)).status == 401


def test_a_refused_head_has_headers_and_no_body(sessions):
    """HEAD is answered as GET would be, without content (RFC 9110 9.3.2)."""
    middleware = CognitoSessionMiddleware(answering(asks=required), sessions)
    get, head = (ask(middleware, environ_of(method=method)) for method in ("GET", "HEAD"))
    assert (head.status, head.headers, head.body) == (get.status, get.headers, b"")


# --- Requests that change something


def test_exempt_paths_are_meant_as_the_browser_sees_them(app):
    """A webhook below a mount point is exempt by its whole path; one that a router may read as another path is not."""
    middleware = CognitoSessionMiddleware(answering(), app.manager(csrf=Csrf(exempt=["/m/hooks/*"])))
    paths = {"/hooks/pay": 200, "/hooks/../admin": 403, "/hooks/a%2e": 403, "/other": 403}
    for path, status in paths.items():
        assert ask(middleware, environ_of(path, method="POST") | {"SCRIPT_NAME": "/m"}).status == status
    assert ask(middleware, environ_of("/hooks/pay", method="POST")).status == 403


def test_an_old_browser_proves_itself_by_the_sessions_token(app, cookie):
    """With header_token the session's own token admits a request without either header, and a wrong one does not."""
    sessions = app.manager(csrf=Csrf(header_token=True), session_keys=KEYS)
    me = cookie_of(sessions.establish(app.sign_in(app.user())))
    token = sessions.csrf_token(sessions.resolve(me).session)
    middleware = CognitoSessionMiddleware(answering(), sessions)
    asked = [ask(middleware, environ_of(method="POST", cookie=me, **{"X-CSRF-Token": text})) for text in (token, "wrong")]
    assert [reply.status for reply in asked] == [200, 403]


# --- Several managers, and what the environ says


def test_two_applications_have_two_managers(stack):
    """Each serves its own cookie in one process and knows nothing of the other's."""
    apps = [make_app(stack), make_app(stack)]
    middlewares = [CognitoSessionMiddleware(answering(asks=required), each.manager()) for each in apps]
    cookies = [cookie_of(each.manager().establish(each.sign_in(each.user()))) for each in apps]
    table = [[ask(each, environ_of(cookie=cookie)).status for cookie in cookies] for each in middlewares]
    assert table == [[200, 401], [401, 200]]


def test_two_managers_stand_around_one_application(app, cookie):
    """Each is asked by name, only the one that was asked adds cookies; without a name it must be said which."""
    one, other = app.manager(), app.manager(cookie_name="other")
    found = []

    def application(environ, start_response):
        with pytest.raises(ConfigurationError, match="several session managers"):
            request_session_of(environ)
        found.extend([request_session_of(environ, one).session(), request_session_of(environ, other).session()])
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b""]

    app.expire()
    reply = ask(CognitoSessionMiddleware(CognitoSessionMiddleware(application, one), other), environ_of(cookie=cookie))
    assert (found[0] is not None, found[1]) == (True, None)
    assert ([line.partition("=")[0] for line in reply.cookies], reply.one("Vary")) == ([COOKIE], "Cookie")


def test_an_environ_that_is_used_again_asks_again(app, cookie):
    """A cascade offers one environ to several applications: the second one's cookies go out as well."""
    app.expire()
    environ = environ_of(cookie=cookie)
    middlewares = [CognitoSessionMiddleware(answering(asks=required), sessions) for sessions in [app.manager()] * 2]
    replies = [ask(middleware, environ) for middleware in middlewares]
    assert [len(reply.cookies) for reply in replies] == [1, 1]


def test_without_the_middleware_it_is_said_what_is_missing():
    """Nobody is taken for signed out because the middleware is not there."""
    with pytest.raises(ConfigurationError, match="no CognitoSessionMiddleware"):
        request_session_of(environ_of())


def test_an_environ_becomes_a_request():
    """Decoded bytes are escaped again, every header is there, and what is no header is not."""
    environ = environ_of("/caf\u00c3\u00a9;v=1 x", method="PUT", **{"X-Two-Words": "1"})
    environ |= {"CONTENT_TYPE": "text/plain", "CONTENT_LENGTH": "", "QUERY_STRING": "a=%20", "SCRIPT_NAME": "/m"}
    request = request_of(environ)
    assert request[:3] == ("PUT", "/m/caf%C3%A9;v=1%20x", "a=%20")
    assert request.headers["x-two-words"] == ("1",)
    assert request.headers["content-type"] == ("text/plain",)
    assert not {"content-length", "wsgi.version", "server-name"} & set(request.headers)
    assert request_of({**environ, "QUERY_STRING": "a=\u00c3\u00b8&b=%zz"}).query == "a=%C3%B8&b=%zz"  # as a program sends it
    assert request_of({"PATH_INFO": "\u20ac"})[:3] == ("", "%3F", "")
    assert request_of({}).path == "/"


def test_below_an_adapter_lambda_says_what_time_is_left_and_which_cookies_came(app, sessions, monkeypatch):
    """apig-wsgi leaves event and context: several Cookie headers stay apart, and a refresh that cannot end is not begun."""
    monkeypatch.setattr(lambda_event, "_warned", [True])

    class Context:
        def get_remaining_time_in_millis(self):
            return 1500

    event = {"version": "2.0", "cookies": ["a=1", f"{COOKIE}=x"], "requestContext": {}}
    environ = environ_of(cookie=f"a=1,{COOKIE}=x") | {"apig_wsgi.full_event": event, "apig_wsgi.context": Context()}
    seen = []
    ask(CognitoSessionMiddleware(answering(asks=seen.append), sessions), environ)
    (visit,) = seen
    assert (visit.request.cookie_headers, visit.remaining_seconds) == (("a=1", f"{COOKIE}=x"), 1.5)


def test_it_needs_no_framework():
    """Importing it loads no framework, no event loop and no AWS library."""
    script = (
        "import sys, cognito_session.web.wsgi\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'flask', 'django', 'werkzeug', 'starlette',"
        " 'asyncio', 'botocore', 'pycurl'}))"
    )
    said = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert said.stdout.strip() == "[]"
