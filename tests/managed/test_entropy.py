"""Where secrets come from: the operating system's randomness, never a generator that can be seeded or foreseen."""

from __future__ import annotations

import ast
import os
import random
from pathlib import Path

import pytest

import cognito_session
from cognito_session import AsyncSessionManager, SessionManager
from managed.scene import rows, sealed, value_of
from support.sealing_keys import ring
from support.stack import cookie_of, make_app

PACKAGE = Path(cognito_session.__file__).parent
FORESEEABLE = {"random", "uuid", "numpy"}
ENVIRONMENT = {"SESSION_TABLE": "sessions", "CLIENT_ID": "c", "USER_POOL_ID": "eu-central-1_A", "AWS_REGION": "eu-central-1"}


@pytest.mark.parametrize("kind", [SessionManager, AsyncSessionManager])
def test_a_manager_takes_the_operating_system_s(kind):
    """Lease ids, nonces, states and device passwords are made of `case.entropy`."""
    assert kind.from_env(environ={**ENVIRONMENT, "SESSION_KEYS": ring(1)}).context.entropy is os.urandom


def test_no_file_imports_a_generator_that_can_be_foreseen():
    """Neither `random` nor `uuid` is imported in the library; its parts for tests and development are left out."""
    found = []
    for path in PACKAGE.rglob("*.py"):
        if path.relative_to(PACKAGE).parts[0] in ("local", "testing"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [f"{path.name}: {name}" for name in names if name.split(".")[0] in FORESEEABLE]
    assert found == []


def test_a_seeded_generator_decides_nothing(stack):
    """Two sessions of the same user, each begun right after the same seed, have different nonces in cookie and row."""
    app = make_app(stack, sort_key="sid")
    manager, user = sealed(app), app.user()
    seen = []
    for _ in range(2):
        tokens = app.sign_in(user)
        random.seed(7)
        seen.append(value_of(cookie_of(manager.establish(tokens)))[5:21])
    seen += [row["token"].split(".")[-1][:16] for row in rows(app) if "token" in row]
    assert len(set(seen)) == len(seen) == 4
