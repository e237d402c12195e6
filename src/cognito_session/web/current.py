"""current_session(): the session of the request being served, anywhere below its handler."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cognito_session.core.outcome import Session

__all__ = ["current_session", "serving"]

_current: ContextVar[Session | None] = ContextVar("cognito_session", default=None)


def current_session() -> Session | None:
    """The session that is being served in this context, or None."""
    return _current.get()


@contextmanager
def serving(session: Session | None) -> Iterator[None]:
    """Make `session` the current one for the time of a handler."""
    token = _current.set(session)
    try:
        yield
    finally:
        _current.reset(token)
