"""Prints the source files that one request of a protected Lambda handler runs through, in the order in which they first run.

    python tests/walk.py

Two requests are traced: a sealed cookie on a warm worker, and one whose access token has expired, so that it is refreshed.
Store and user pool are the test kit's, in memory: the files of aws/ do not count.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from cognito_session import Session, SessionManager
from cognito_session.testing import Cognito
from cognito_session.testing.environment import set_defaults

SOURCE = Path(sys.modules["cognito_session"].__file__ or "").parent


def files_of(call: Callable[[], object]) -> list[str]:
    """The files in which the call runs a function, without those of the test kit."""
    found: dict[str, None] = {}

    def trace(frame: FrameType, _event: str, _argument: Any) -> None:
        path = Path(frame.f_code.co_filename)
        if frame.f_code.co_name != "<module>" and SOURCE in path.parents and "testing" not in path.parts:
            found.setdefault(path.relative_to(SOURCE).as_posix())

    sys.setprofile(trace)
    try:
        call()
    finally:
        sys.setprofile(None)
    return list(found)


def walks() -> dict[str, list[str]]:
    """The files of each request, by its name. Raises SystemExit where a request is not served."""
    environ: dict[str, str] = {}
    set_defaults(environ, SORT_KEY="sid")
    sessions = SessionManager.from_env(environ=environ)

    @sessions.protect
    def handler(event: Any, context: Any, me: Session) -> dict[str, Any]:
        return {"statusCode": 200, "body": me.sub}

    with Cognito() as cognito:
        cognito.attach(sessions)

        def served() -> list[str]:
            event, context, answers = cognito.event("http-v2"), cognito.context, []
            files = files_of(lambda: answers.append(handler(event, context)))
            if answers[0]["statusCode"] != 200:
                raise SystemExit(f"expected status 200, not {answers[0]['statusCode']}")
            cognito.keep(answers[0])
            return files

        served()  # a worker that has served before
        warm = served()
        cognito.expire()
        return {"warm": warm, "expired": served()}


if __name__ == "__main__":
    for name, files in walks().items():
        print(f"{name}: {len(files)} files", *files, sep="\n  ")
