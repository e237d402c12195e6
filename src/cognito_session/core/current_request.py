"""The request that is being served: the errors that were made during it, and the client that sent it.

A framework may catch every error of its handlers. Its adapter then learns of them from this list alone
(http/caught_errors.py). Outside of a request nothing is noted.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, Final

__all__ = ["client_address", "current_request_session", "note_error", "noted_errors"]

_MOST: Final = 8
"""A request makes few errors; a loop that makes many keeps the newest."""

noted_errors: Final[ContextVar[list[Any] | None]] = ContextVar("cognito_session_noted_errors", default=None)
"""The errors of the request that is being served, in the order in which they were made."""


current_request_session: Final[ContextVar[Any]] = ContextVar("cognito_session_client", default=None)
"""The RequestSession of the request that is being served, which knows the client's address."""


def client_address() -> str:
    """The address of the request's client; "" outside of a request, and where the adapter does not know it."""
    request_session = current_request_session.get()
    return "" if request_session is None else str(getattr(request_session, "client_address", ""))


def note_error(error: object) -> None:
    """Add an error to the request's, where a request is being served."""
    noted = noted_errors.get()
    if noted is not None:
        noted.append(error)
        del noted[:-_MOST]
