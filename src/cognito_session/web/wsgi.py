"""WSGI: middleware for any WSGI application, without a framework (PEP 3333).

    application = CognitoSessionMiddleware(application, SessionManager.from_env(), login_path="/login")

    me = request_session_of(environ).session()        # a Session or None; .required() raises what becomes a 401

Requests from other sites that change something are refused before the application runs. Cookies and caching headers are
added when it calls start_response: what is asked for after that, while the body is sent, comes too late for them. A
SessionError that the application raises is answered; one raised while its body is sent is left to the server.
"""

from __future__ import annotations

import sys
from http import HTTPStatus
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final

from cognito_session.argument_checks import check_login_path, check_manager
from cognito_session.core.errors import ConfigurationError, SessionError
from cognito_session.http.caught_errors import noting
from cognito_session.http.error_response import refusal
from cognito_session.http.request import Request, headers_of
from cognito_session.http.url_escaping import escaped_path, sent_query
from cognito_session.web.aws_lambda.event import remaining_seconds
from cognito_session.web.current import serving_lazily
from cognito_session.web.request_session import RequestSession

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from cognito_session.engine import AnySessionManager
    from cognito_session.http.caught_errors import Noted

__all__ = [
    "CognitoSessionMiddleware",
    "begin_request_session",
    "lambda_context",
    "request_of",
    "request_session_of",
    "sent_path",
]

_REQUEST_SESSIONS: Final = "cognito_session.request_sessions"
"""The key of the request sessions in the environ, one for each manager."""

_LAMBDA: Final = (
    ("apig_wsgi.full_event", "apig_wsgi.context"),
    ("serverless.event", "serverless.context"),
    ("awsgi.event", "awsgi.context"),
)
"""Where the adapters that run a WSGI application in Lambda (apig-wsgi, serverless-wsgi, aws-wsgi) leave event and context."""

Headers = list[tuple[str, str]]


class CognitoSessionMiddleware:
    """Sessions for the WSGI application `app`.

    `sessions`: the manager. `login_path`: where a person without a session is sent who asked for a page; as the browser
    sees it, where the application is mounted below a path. Several of them, each with a manager of its own, may stand
    around one application.
    """

    answers_swallowed = True
    """Whether a 500 that a framework has made of a SessionError is replaced by the response to the error."""

    adapter = "WSGI"
    """Which adapter this is, for the log."""

    def __init__(self, app: WSGIApplication, sessions: AnySessionManager, *, login_path: str | None = None) -> None:
        self.app = app
        self.sessions: AnySessionManager = check_manager("sessions", sessions)
        self.login_path: str | None = check_login_path("login_path", login_path)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """The application's response with what the browser needs, or the response to a SessionError."""
        request_session = begin_request_session(environ, self.sessions)
        with serving_lazily(request_session), noting() as noted:
            starter = _Starter(request_session, start_response, noted if self.answers_swallowed else None, self.adapter)
            try:
                self.admit(request_session)
                return starter.begun(self.app(environ, starter.start))
            except SessionError as error:
                return starter.refuse(error, self.login_path)

    def admit(self, request_session: RequestSession) -> None:
        """Refuse what may not reach the application. Raises SessionForbidden."""
        request_session.check_csrf()


class _Starter:
    """Starts one response: replaces start_response, and adds what the session needs to the headers."""

    def __init__(
        self, request_session: RequestSession, start_response: StartResponse, noted: Noted | None, adapter: str
    ) -> None:
        self._request_session = request_session
        self._noted = noted
        self._adapter = adapter
        self._swallowed: SessionError | None = None
        self._start_response = start_response
        self._started = False

    def start(self, status: str, headers: Headers, exc_info: Any = None, /) -> Callable[[bytes], object]:
        """The application's start_response."""
        if not self._started and self._noted and status.startswith("500"):
            self._swallowed = self._noted.swallowed
            if self._swallowed is not None:
                return lambda _: None
        self._started = True
        needed = self._request_session.complete(self._adapter, int(status[:3]), headers)
        if needed is not None:
            headers = [
                *((name, value) for name, value in headers if not needed.removes(name)),
                *(("Cache-Control", needed.cache_control), ("Vary", needed.vary)),
                *(("Set-Cookie", line) for line in needed.cookies),
            ]
        return self._start_response(status, headers, *([exc_info] if exc_info else []))

    def begun(self, body: Iterable[bytes]) -> Iterable[bytes]:
        """The body, taken as far as it must go to begin: an application that is a generator does nothing before that.

        Raises the SessionError that a framework has made a 500 of.
        """
        if self._started:
            return body
        rest = iter(body)
        try:
            first = self._first_of(rest)
        except BaseException:
            _close(body)
            raise
        return _Body(chain(first, rest), body)

    def _first_of(self, body: Iterator[bytes]) -> list[bytes]:
        """Raises the SessionError that a framework has made a 500 of."""
        first = [] if self._swallowed else list(islice(body, 1))
        if self._swallowed:
            raise self._swallowed
        return first

    def refuse(self, error: SessionError, login_path: str | None) -> Iterable[bytes]:
        """The response to `error`, in place of one whose headers may have been passed on but not sent."""
        request = self._request_session.request
        response = refusal(
            request,
            error,
            login_path=login_path,
            base_path=self._request_session.engine.base_path,
            cookies=self._request_session.cookies,
        )
        body = response.body.encode()
        headers = [*({"Content-Type": "text/plain"} | dict(response.headers)).items(), ("Content-Length", str(len(body)))]
        headers += [("Set-Cookie", line) for line in response.cookies]
        status = f"{response.status} {HTTPStatus(response.status).phrase}"
        # With exc_info a server replaces the headers it was given, or raises the error again where they have been sent.
        self._start_response(status, headers, *([sys.exc_info()] if self._started else []))
        return [] if request.method == "HEAD" else [body]


class _Body:
    """A body whose first bytes have already been taken."""

    def __init__(self, chunks: Iterator[bytes], body: Iterable[bytes]) -> None:
        self._chunks = chunks
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def close(self) -> None:
        """The server has finished with it, or given up."""
        _close(self._body)


def _close(body: Iterable[bytes]) -> None:
    close = getattr(body, "close", None)
    if close is not None:
        close()


def request_session_of(environ: Mapping[str, Any], sessions: AnySessionManager | None = None) -> RequestSession:
    """The RequestSession for this manager, which may be left out if there is only one. Raises ConfigurationError."""
    found: list[RequestSession] = [
        request_session
        for request_session in environ.get(_REQUEST_SESSIONS, ())
        if sessions is None or request_session.engine is sessions.engine
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigurationError("several session managers serve this application: say which one is meant")
    raise ConfigurationError("no CognitoSessionMiddleware of this manager stands around the application: wrap it in one")


def begin_request_session(environ: WSGIEnvironment, sessions: AnySessionManager) -> RequestSession:
    """A RequestSession, put into the environ for `request_session_of`. It replaces an outer one of the same manager."""
    request_session = RequestSession(
        sessions.engine, request_of(environ), remaining_seconds=remaining_seconds(lambda_context(environ))
    )
    environ[_REQUEST_SESSIONS] = (
        request_session,
        *(other for other in environ.get(_REQUEST_SESSIONS, ()) if other.engine is not sessions.engine),
    )
    return request_session


def request_of(environ: Mapping[str, Any]) -> Request:
    """The environ as a Request. Its path is the whole one, with what the application is mounted below (SCRIPT_NAME).

    Below an adapter that hands on Lambda's event the cookies are taken from there: the adapter joins several Cookie headers
    with commas, which no cookie parser takes apart again.
    """
    path = str(environ.get("SCRIPT_NAME", "")) + str(environ.get("PATH_INFO", ""))
    method, query = str(environ.get("REQUEST_METHOD", "")), str(environ.get("QUERY_STRING", "")).encode("latin-1", "replace")
    headers, client = _headers(environ), str(environ.get("REMOTE_ADDR") or "")
    event, outer = _left_by_lambda(environ, 0), ""
    if event is not None:
        from cognito_session.web.aws_lambda.event import client_of, cookie_headers, outer_path

        outer, client = outer_path(event), client_of(event)
        if "cookie" in headers:
            headers["cookie"] = tuple(cookie_headers(event)) or headers["cookie"]
    sent = sent_path(path.encode("latin-1", "replace")) or "/"
    return Request(method, sent, sent_query(query), headers, outer, client, names_ambiguous=True)


def lambda_context(environ: Mapping[str, Any]) -> Any:
    """Lambda's context, where an adapter has left it; else None."""
    return _left_by_lambda(environ, 1)


def _left_by_lambda(environ: Mapping[str, Any], which: int) -> Any:
    return next((environ[names[which]] for names in _LAMBDA if names[which] in environ), None)


def _headers(environ: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The request's headers (PEP 3333; RFC 3875 4.1.18)."""
    pairs = [(name[5:], value) for name, value in environ.items() if name.startswith("HTTP_") and isinstance(value, str)]
    pairs += [(name, environ[name]) for name in ("CONTENT_TYPE", "CONTENT_LENGTH") if environ.get(name)]
    return headers_of((name.replace("_", "-"), value) for name, value in pairs)


def sent_path(path: str | bytes) -> str:
    """A path that the server has decoded, escaped again as a browser sends it."""
    return escaped_path(path, decoded=True)
