"""What a Lambda pays for at its cold start: importing the package, and making a manager, load nothing they need not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import cognito_session

SOURCE = Path(cognito_session.__file__).parents[1]
ENVIRONMENT = {
    "PYTHONPATH": str(SOURCE),
    "SESSION_TABLE": "sessions",
    "CLIENT_ID": "client",
    "USER_POOL_ID": "eu-central-1_AbC",
    "AWS_REGION": "eu-central-1",
}
HEAVY = {"asyncio", "botocore", "boto3", "pycurl", "joserfc", "cryptography", "flask", "django", "starlette", "fastapi"}
NOT_AT_IMPORT = HEAVY | {"logging", "http.client", "email", "ssl", "ministack", "uvicorn", "httpx", "pytest", "urllib.request"}
NOT_IN_A_MANAGER = HEAVY | {"logging", "http.client", "email", "ssl"}


def loaded_by(*lines: str) -> set[str]:
    """The modules that a fresh interpreter has after these lines, beyond those it starts with."""
    program = ["import sys; before = set(sys.modules)", *lines, "import json; print(json.dumps([*set(sys.modules) - before]))"]
    command = [sys.executable, "-S", "-W", "error", "-c", "\n".join(program)]
    paths = [str(SOURCE), *(path for path in sys.path if path.endswith("site-packages"))]
    environment = {**ENVIRONMENT, "PYTHONPATH": ":".join(paths)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


def test_importing_the_package_loads_no_weight():
    """`import cognito_session`, as for `except SessionError`, loads no transport, cryptography, framework or logging."""
    loaded = loaded_by("import cognito_session")
    assert "cognito_session.core.errors" in loaded
    assert loaded & NOT_AT_IMPORT == set()
    assert not {name for name in loaded if name.startswith(("cognito_session.aws", "cognito_session.local"))}


@pytest.mark.parametrize("kind", ["SessionManager", "AsyncSessionManager"])
def test_making_a_manager_connects_to_nothing(kind):
    """A manager made from the environment has neither loop nor transport nor cryptography until a request needs them."""
    loaded = loaded_by(f"from cognito_session import {kind}", f"{kind}.from_env(cookie='token')")
    assert "cognito_session.manager" in loaded
    assert loaded & NOT_IN_A_MANAGER == set()


def test_a_request_without_a_cookie_pays_for_nothing():
    """Decorating a handler and refusing a request that brings no cookie needs none of them either."""
    loaded = loaded_by(
        "from cognito_session import SessionManager",
        "handler = SessionManager.from_env(cookie='token').protect(lambda event, context, me: me)",
        "response = handler({'version': '2.0', 'headers': {}, 'requestContext': {'http': {'method': 'GET'}}}, None)",
        "if response['statusCode'] != 401: sys.exit(str(response))",
    )
    assert loaded & NOT_IN_A_MANAGER == set()


def test_the_check_would_notice():
    """The measurement sees what is loaded: asyncio and joserfc, where they are."""
    assert loaded_by("import asyncio, joserfc") >= {"asyncio", "joserfc", "logging"}
