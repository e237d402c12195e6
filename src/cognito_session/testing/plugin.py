"""The pytest plugin: a fixture `cognito`, and settings for applications that read them when they are imported.

pytest loads this in every test run where the package is installed, so it imports nothing until a test asks for the fixture,
and changes nothing unless it is told to: with

    [tool.pytest.ini_options]
    cognito_session_environment = true

variables that `SessionManager.from_env()` needs and that nobody has set (USER_POOL_ID, CLIENT_ID, SESSION_TABLE,
SESSION_KEYS, AWS_REGION, COGNITO_DOMAIN, APP_BASE_URL) get harmless values before the first conftest.py is imported; what is
set stays. It is off unless asked for because a plugin that sets variables behind a project's back would make tests pass that
ought to say that one is missing. See cognito_session.testing.environment.

Override the fixture `cognito_clock` to begin at another instant than the kit's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cognito_session.testing.clock import ManualClock
    from cognito_session.testing.cognito import Cognito

__all__ = ["cognito", "cognito_clock", "pytest_addoption", "pytest_load_initial_conftests"]

_OPTION = "cognito_session_environment"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the setting."""
    said = "set harmless values for the variables that SessionManager.from_env() needs, where they are not set"
    parser.addini(_OPTION, said, type="bool", default=False)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Set what is missing, where the project asks for it."""
    if early_config.getini(_OPTION):
        from cognito_session.testing.environment import set_defaults

        set_defaults()


@pytest.fixture
def cognito_clock() -> ManualClock:
    """The clock of the fixture `cognito`; override it to begin at another instant."""
    from cognito_session.testing.clock import ManualClock

    return ManualClock()


@pytest.fixture
def cognito(cognito_clock: ManualClock) -> Iterator[Cognito]:
    """Amazon Cognito and DynamoDB in memory for one test; see cognito_session.testing.cognito."""
    from cognito_session.testing.cognito import Cognito

    with Cognito(cognito_clock) as kit:
        yield kit
