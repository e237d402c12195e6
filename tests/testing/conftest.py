"""Managers as an application creates them: at module level, from the environment."""

from __future__ import annotations

import pytest

from cognito_session import AsyncSessionManager, SessionManager
from cognito_session.testing.environment import set_defaults


@pytest.fixture(scope="session")
def environ() -> dict[str, str]:
    """An environment with a table of many sessions per user."""
    made: dict[str, str] = {}
    set_defaults(made, SORT_KEY="sid")
    return made


@pytest.fixture
def sessions(environ) -> SessionManager:
    """A manager that calls AWS unless it is attached."""
    return SessionManager.from_env(environ=environ)


@pytest.fixture
def async_sessions(environ) -> AsyncSessionManager:
    """The asynchronous one of the same application."""
    return AsyncSessionManager.from_env(environ=environ)


@pytest.fixture(params=["sync", "async"])
def handler(request, cognito):
    """A protected Lambda handler over an attached manager of either kind; it says who asks."""
    manager = cognito.attach(request.getfixturevalue("sessions" if request.param == "sync" else "async_sessions"))
    return protected(manager)


def protected(manager):
    """A Lambda handler for the group "staff" only."""
    from cognito_session.web.aws_lambda.protect import protect

    def plain(event, context, me):
        me.require(any_group=["staff"])
        return {"statusCode": 200, "body": me.username}

    async def coroutine(event, context, me):
        return plain(event, context, me)

    return protect(manager.engine, coroutine if isinstance(manager, AsyncSessionManager) else plain)
