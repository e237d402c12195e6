"""The run's stack for the command: each test finds it without calls or faults of another."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from cognito_session.cli import main
from support.stack import fresh, make_app, shared_stack


@pytest.fixture
def stack(request):
    """The stack."""
    yield from fresh(shared_stack(request.config))


@pytest.fixture
def app(stack):
    """An app in the seed's layout, one row per user."""
    return make_app(stack)


@pytest.fixture
def command(monkeypatch):
    """`cognito-session ...` in an environment that holds nothing but what the test names."""
    names = ("SESSION_TABLE", "PARTITION_KEY", "SORT_KEY", "SESSION_KEYS", "SESSION_SECRET_ARN", "CLIENT_ID", "USER_POOL_ID")
    for name in names:
        monkeypatch.delenv(name, raising=False)

    def run(*arguments, env=None, status=0):
        result = CliRunner().invoke(main, arguments, env=dict(env or {}))
        assert result.exit_code == status, (result.output, result.exception)
        return result

    return run
