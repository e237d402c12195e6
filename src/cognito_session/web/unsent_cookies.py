"""Set-Cookie values that a manager made inside an adapter's request and that the response does not have: logged once.

1. Only calls inside a request are noted. A script, a test or a background task has no response to add a cookie to.
2. A cookie counts as sent if the response sets one of its name, no matter who added it. A refreshed cookie of the session that
   an adapter serves does not count for a session that the application begins or ends in the same request.
3. A response of status 400 or more is not checked: the application has given up what it began.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, Protocol

from cognito_session.core.current_request import current_request_session

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["collecting", "known_client", "made", "report"]

ADVICE: Final = {
    "ASGI": "call session_of, establish or sign_out of cognito_session.web.starlette, or"
    " request_session_of(scope).send(set_cookies)",
    "WSGI": "call request_session_of(environ).session(), or request_session_of(environ).send(set_cookies)",
    "Flask": "call current_session, establish or sign_out of cognito_session.web.flask, or"
    " current_request_session().send(set_cookies)",
    "Django": "use request.cognito_session, call establish or sign_out of cognito_session.web.django, or"
    " request_session_of(request).send(set_cookies)",
    "protect": "use the session that the handler is given",
    "Powertools": 'use app.context["session"]',
}
"""Adapter -> the calls with which it adds the cookies itself."""


class Collector(Protocol):
    """The request session that notes the cookies, and the client's address."""

    @property
    def client_address(self) -> str:
        """The address of the request's client, or ""."""
        ...

    def note(self, call: str, cookies: Iterable[str]) -> None:
        """Note that `call` of a manager made these Set-Cookie values."""
        ...


_request_session: ContextVar[Collector | None] = ContextVar("cognito_session_request", default=None)
_reported: set[tuple[str, str]] = set()


@contextmanager
def collecting(request_session: Collector) -> Iterator[None]:
    """Note the cookies that managers make, in whatever task or thread of this request, with `visit`."""
    token = _request_session.set(request_session)
    try:
        with known_client(request_session):
            yield
    finally:
        _request_session.reset(token)


class known_client:  # noqa: N801 - used as a context manager; a generator would cost every request a microsecond
    """Events that are reported in this block carry the address of this request's client."""

    __slots__ = ("_client", "_token")

    def __init__(self, request_session: Collector) -> None:
        self._client = request_session

    def __enter__(self) -> None:
        self._token = current_request_session.set(self._client)

    def __exit__(self, *_: object) -> None:
        current_request_session.reset(self._token)


def made(call: str, cookies: Iterable[str]) -> None:
    """`call` of a manager or of its flows made these Set-Cookie values, which the caller has to send."""
    request_session = _request_session.get()
    if request_session is not None:
        request_session.note(call, cookies)


def report(adapter: str, call: str) -> None:
    """Write the line to the log, once per process, adapter and call. It has no cookie, no name and no path."""
    if (adapter, call) in _reported:
        return
    _reported.add((adapter, call))
    import logging

    logging.getLogger("cognito_session").warning(
        "cookie_not_sent: %s made Set-Cookie values inside a request, and the response does not have them, so the browser keeps"
        " its old cookie. %s: %s; or add each value to the response as a Set-Cookie header of its own",
        call,
        adapter,
        ADVICE[adapter],
    )
