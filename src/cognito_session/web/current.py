"""current_session(): the session of the request being served, anywhere below its handler.

A front door that finds out lazily gives the way to ask instead of an answer: a page that nobody asks about costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from cognito_session.web.unsent_cookies import collecting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cognito_session.core.protocol.session import Session
    from cognito_session.web.request_session import RequestSession

__all__ = ["current_session", "serving", "visiting"]

Ask = Callable[[], "Session | None"]


def _nobody() -> Session | None:
    return None


_current: ContextVar[Ask] = ContextVar("cognito_session", default=_nobody)


def current_session() -> Session | None:
    """The session that is being served in this context, or None.

    Below ASGI, where asking would hold up the event loop, it is the one that has been asked for (a guard, `session_of`);
    elsewhere it is found out now, and raises as the front door's own way of asking does.
    """
    return _current.get()()


@contextmanager
def serving(session: Session | Ask | None) -> Iterator[None]:
    """Make `session`, or what asking this way gives, the current one for the time of a handler."""
    token = _current.set(session if callable(session) else lambda: session)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def visiting(request_session: RequestSession) -> Iterator[None]:
    """Make the visit's session the current one once somebody below has asked for it, in whatever task or thread.

    Until then it is whatever it was: of two managers around one application that is the outer one's.
    """
    above = _current.get()
    with collecting(request_session), serving(lambda: request_session.found if request_session.consulted else above()):
        yield
