"""One session check by this library, from a bare interpreter."""

import sys

from cognito_session import Active, SessionManager

sessions = SessionManager.from_env(cookie="token", cookie_name="token")
sys.exit(0 if isinstance(sessions.resolve(f"token={sys.argv[1]}"), Active) else 1)
