"""One session check by this library with a sealed cookie, from a bare interpreter."""

import os
import sys

from cognito_session import Active, SessionManager

sessions = SessionManager.from_env(session_table=os.environ["SEALED_TABLE"])
sys.exit(0 if isinstance(sessions.resolve(os.environ["SEALED_COOKIE"]), Active) else 1)
