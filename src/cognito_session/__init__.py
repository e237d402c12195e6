"""Cookie sessions for Python web apps that sign in with Amazon Cognito.

A request's journey: an adapter in `web` reads the Cookie header. `core` turns it into a credential, loads the session
record, and serves the request, refreshes the tokens under a lease, or rejects it. The adapter sends the Set-Cookie header.

The public names are those of this package, `signin`, `store`, `testing` and the adapters in `web`. docs/api.md lists them.
Everything else may change in any release.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cognito_session._lazy import lazy_names
from cognito_session.core.errors import (
    ConfigurationError,
    KeysUnavailable,
    LeaseBusy,
    ProviderUnavailable,
    SessionConflict,
    SessionError,
    SessionForbidden,
    SessionRequired,
    SessionUnavailable,
    StaleSignIn,
    StoreUnavailable,
)
from cognito_session.core.policy import SessionPolicy
from cognito_session.core.protocol.session import Active, Outcome, Reason, Refreshed, Rejected, Session

if TYPE_CHECKING:
    from cognito_session.core.protocol.devices import SessionInfo
    from cognito_session.core.protocol.steps import Report
    from cognito_session.http.csrf import Csrf
    from cognito_session.http.request import Request
    from cognito_session.manager import AsyncSessionManager, SessionManager, session
    from cognito_session.signin.decode import decode_token
    from cognito_session.web.current import current_session
    from cognito_session.web.request_session import RequestSession

__all__ = [
    "Active",
    "AsyncSessionManager",
    "ConfigurationError",
    "Csrf",
    "KeysUnavailable",
    "LeaseBusy",
    "Outcome",
    "ProviderUnavailable",
    "Reason",
    "Refreshed",
    "Rejected",
    "Report",
    "Request",
    "RequestSession",
    "Session",
    "SessionConflict",
    "SessionError",
    "SessionForbidden",
    "SessionInfo",
    "SessionManager",
    "SessionPolicy",
    "SessionRequired",
    "SessionUnavailable",
    "StaleSignIn",
    "StoreUnavailable",
    "current_session",
    "decode_token",
    "session",
]

# `except SessionError` alone should not pay for a manager: the test of cold starts measures it
_LAZY = {
    "AsyncSessionManager": "cognito_session.manager",
    "Csrf": "cognito_session.http.csrf",
    "Report": "cognito_session.core.protocol.steps",
    "Request": "cognito_session.http.request",
    "RequestSession": "cognito_session.web.request_session",
    "SessionInfo": "cognito_session.core.protocol.devices",
    "SessionManager": "cognito_session.manager",
    "current_session": "cognito_session.web.current",
    "decode_token": "cognito_session.signin.decode",
    "session": "cognito_session.manager",
}

if not TYPE_CHECKING:
    __getattr__ = lazy_names(globals(), _LAZY)


def __dir__() -> list[str]:
    return __all__
