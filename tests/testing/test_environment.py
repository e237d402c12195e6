"""Harmless defaults for tests: enough for a manager, never in the place of what is set, never in contradiction to it."""

from __future__ import annotations

import pytest

from cognito_session import ConfigurationError, SessionManager
from cognito_session.core.crypto.keyring import Keyring
from cognito_session.testing.environment import DEFAULTS, set_defaults


def made(**given):
    set_defaults(given)
    return given


def test_a_manager_can_be_made_of_them():
    """Of an empty environment, with managed login as well; without them it says what is missing."""
    with pytest.raises(ConfigurationError, match="SESSION_TABLE"):
        SessionManager.from_env(environ={})
    sessions = SessionManager.from_env(environ=made())
    assert sessions.managed_login().site.redirect_uri == "https://app.example/auth/callback"


def test_what_is_set_stays():
    """Whatever it is; only what is missing is added."""
    mine = {name: f"my-{name}" for name in DEFAULTS}
    assert made(**mine) == mine
    assert made(CLIENT_ID="mine") == {**DEFAULTS, "CLIENT_ID": "mine"}
    assert made(CLIENT_ID="") == DEFAULTS


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("USER_POOL_ID", "COGNITO_USER_POOL_ID"),
        ("CLIENT_ID", "COGNITO_CLIENT_ID"),
        ("SESSION_TABLE", "SESSION_STORE"),
        ("SESSION_KEYS", "SESSION_SECRET_ARN"),
        ("AWS_REGION", "AWS_DEFAULT_REGION"),
    ],
)
def test_nothing_contradicts_what_is_set(name, instead):
    """Where another variable says the same, there is nothing to add."""
    assert name not in made(**{instead: "mine"})
    assert name in made()


def test_settings_and_prefixes():
    """Own settings come before the defaults; a prefix is the manager's, and AWS's variables have none."""
    environ: dict[str, str] = {"ADMIN_CLIENT_ID": "mine"}
    set_defaults(environ, prefix="ADMIN_", SORT_KEY="sid", SESSION_TABLE="admins")
    assert (environ["ADMIN_SORT_KEY"], environ["ADMIN_SESSION_TABLE"], environ["ADMIN_CLIENT_ID"]) == ("sid", "admins", "mine")
    assert environ["AWS_REGION"] == DEFAULTS["AWS_REGION"]
    assert SessionManager.from_env(environ=environ, prefix="ADMIN_").configuration.sort_key == "sid"


def test_the_sealing_key_is_a_keyring():
    """It is made in the form that `cognito-session keys new` prints."""
    assert len(Keyring.parse(DEFAULTS["SESSION_KEYS"]).entries) == 1
