"""current_session(): the session of the request that is being served, anywhere below its handler.

Adapters that resolve lazily store a function in place of a session: a page that does not use the session costs nothing.
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

__all__ = ["current_session", "serving", "serving_lazily"]

Ask = Callable[[], "Session | None"]


def _no_session() -> Session | None:
    return None


_current: ContextVar[Ask] = ContextVar("cognito_session", default=_no_session)


def current_session() -> Session | None:
    """The session of the current request, or None.

    Below ASGI, where asking would hold up the event loop, it is the one that has been asked for (a guard, `session_of`);
    elsewhere it is resolved now, and raises what the adapter's own function raises.
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
def serving_lazily(request_session: RequestSession) -> Iterator[None]:
    """Make the session of this request current once the application has asked for it, in any task or thread of the request.

    Until then the outer adapter's session stays current, if two managers serve one application.
    """
    above = _current.get()
    with collecting(request_session), serving(lambda: request_session.found if request_session.consulted else above()):
        yield
