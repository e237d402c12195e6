"""The managers, which are what an application calls, and `session()`, the call that the environment configures.

SessionManager (`sync`) and AsyncSessionManager (`aio`) differ only in the driver that runs the same flows over the same
ports (assembly.py).
"""

from __future__ import annotations

from cognito_session.manager.aio import AsyncSessionManager
from cognito_session.manager.default import default_manager, session
from cognito_session.manager.sync import SessionManager

__all__ = ["AsyncSessionManager", "SessionManager", "default_manager", "session"]
