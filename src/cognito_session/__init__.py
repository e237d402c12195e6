"""Cookie sessions for Python web apps that sign in with Amazon Cognito.

A request's journey:
    event --web--> Cookie header --core.cookie--> candidates --core.identify--> credential
          --core.flow--> load the record --> serve | refresh under a lease (core.renewal) | reject
          --> outcome --core.cookie--> Set-Cookie --web--> response

The core thinks and touches nothing; `drivers` carry its questions to `aws` (behind us), `web` stands in front of us, and
`manager` puts the parts together. `local` is the embedded stack, `testing` the kit for your own tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cognito_session.core.errors import (
    ConfigurationError,
    SessionConflict,
    SessionError,
    SessionForbidden,
    SessionRequired,
    SessionUnavailable,
)
from cognito_session.core.policy import SessionPolicy
from cognito_session.core.protocol.session import Active, Refreshed, Rejected, Session

if TYPE_CHECKING:
    from cognito_session.manager import AsyncSessionManager, SessionManager, session
    from cognito_session.signin.decode import decode_token
    from cognito_session.web.current import current_session

__all__ = [
    "Active",
    "AsyncSessionManager",
    "ConfigurationError",
    "Refreshed",
    "Rejected",
    "Session",
    "SessionConflict",
    "SessionError",
    "SessionForbidden",
    "SessionManager",
    "SessionPolicy",
    "SessionRequired",
    "SessionUnavailable",
    "current_session",
    "decode_token",
    "session",
]

_LAZY = {
    "AsyncSessionManager": "cognito_session.manager",
    "SessionManager": "cognito_session.manager",
    "session": "cognito_session.manager",
    "current_session": "cognito_session.web.current",
    "decode_token": "cognito_session.signin.decode",
}


def __getattr__(name: str) -> Any:
    """Load a manager when it is first named: `except SessionError` alone should not pay for one."""
    if name in _LAZY:
        from importlib import import_module

        value = getattr(import_module(_LAZY[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
