"""The pytest plugin: a fixture `cognito`, and settings for applications that read them at import.

pytest loads this plugin in every test run of an environment with the package. It imports nothing until a test uses the
fixture, and changes nothing by default. With this setting

    [tool.pytest.ini_options]
    cognito_session_environment = true

it gives harmless values to the variables that `SessionManager.from_env()` needs and that are not set (USER_POOL_ID, CLIENT_ID,
SESSION_TABLE, SESSION_KEYS, AWS_REGION, COGNITO_DOMAIN, APP_BASE_URL), before the first conftest.py is imported. It is off by
default, because it would hide a missing variable from the tests of a project. See cognito_session.testing.environment.

Override the fixture `cognito_clock` to start at another instant than the kit's own.
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
    said = "set harmless values for unset variables that SessionManager.from_env() needs"
    parser.addini(_OPTION, said, type="bool", default=False)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Set missing variables if the project asks for it."""
    if early_config.getini(_OPTION):
        from cognito_session.testing.environment import set_defaults

        set_defaults()


@pytest.fixture
def cognito_clock() -> ManualClock:
    """The clock of the fixture `cognito`; override it to start at another instant."""
    from cognito_session.testing.clock import ManualClock

    return ManualClock()


@pytest.fixture
def cognito(cognito_clock: ManualClock) -> Iterator[Cognito]:
    """Amazon Cognito and DynamoDB in memory for one test; see cognito_session.testing.cognito."""
    from cognito_session.testing.cognito import Cognito

    with Cognito(cognito_clock) as kit:
        yield kit
