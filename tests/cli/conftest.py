"""A stack for the command: each test finds it without calls or faults of another."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from cognito_session.cli import main
from cognito_session.local.stack import LocalStack
from cognito_session.settings import SETTINGS
from support.stack import fresh, make_app


@pytest.fixture(scope="session")
def stack_in_time():
    """A separate stack whose clock stays close to the machine's, which the command uses."""
    with LocalStack.start() as stack:
        yield stack


@pytest.fixture
def stack(stack_in_time):
    """The stack."""
    yield from fresh(stack_in_time)


@pytest.fixture
def app(stack):
    """An app in the seed's layout, one row per user."""
    return make_app(stack)


@pytest.fixture
def command(monkeypatch):
    """`cognito-session ...` in an environment that holds nothing but what the test names."""
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)

    def run(*arguments, env=None, status=0):
        result = CliRunner().invoke(main, arguments, env=dict(env or {}))
        assert result.exit_code == status, (result.output, result.exception)
        return result

    return run
