"""SameSite as a setting, and what a manager says of settings that leave out a protection."""

import pytest

from cognito_session import ConfigurationError
from cognito_session.core.cookie import Cookie
from cognito_session.signin.challenge import challenge_cookie
from cognito_session.signin.transaction import transaction_cookie
from managed.scene import sealed
from support.sealing_keys import ring
from support.stack import cookie_of, make_app


@pytest.fixture
def app(stack):
    """A table with a sort key."""
    return make_app(stack, sort_key="sid")


@pytest.mark.parametrize("same_site", ["Lax", "Strict", "None"])
def test_every_cookie_of_a_session_follows_the_setting(app, same_site):
    """Set and deleted alike, always Secure; the managed login's flow cookie stays Lax, since it returns from Cognito's page."""
    manager = sealed(app, same_site=same_site)
    me = manager.establish(app.sign_in(app.user()))
    lines = [*me.set_cookies, *manager.sign_out(cookie_of(me))]
    lines += [challenge_cookie(manager.context).delete_line(), manager.context.cookie.beside("device").delete_line()]
    assert all(line.endswith(f"; Path=/; HttpOnly; Secure; SameSite={same_site}") for line in lines)
    assert transaction_cookie(manager.context, "x").delete_line().endswith("; Secure; SameSite=Lax")


@pytest.mark.parametrize("same_site", ["lax", "none", "", None, True, "Lax; Domain=evil.example"])
def test_anything_else_is_refused(app, same_site):
    """The message names the three."""
    with pytest.raises(ConfigurationError, match=r"same_site.*Lax.*Strict.*None"):
        sealed(app, same_site=same_site)
    with pytest.raises(ConfigurationError, match="same_site"):
        Cookie("x", same_site)


@pytest.mark.parametrize(
    ("keywords", "said"),
    [
        ({"cookie_name": "session"}, ["__Host-session"]),
        ({"cookie_name": "__Secure-session"}, ['Set cookie_name="__Host-session"']),
        ({"cookie": "token", "cookie_name": "__Host-token", "session_keys": None}, ["SESSION_ACCEPT_UNSEALED_ROWS=true"]),
        ({"cookie": "token", "cookie_name": "__Host-token", "session_accept_unsealed_rows": "true"}, ["Remove SESSION_ACC"]),
        ({"cookie": "token", "cookie_name": "token", "session_keys": None}, ["__Host-token", "SESSION_KEYS"]),
        ({"cookie": "token", "cookie_name": "__Host-token"}, []),
        ({"same_site": "None"}, ["SameSite=None"]),
        ({"same_site": "Strict"}, []),
        ({}, []),
    ],
)
def test_a_manager_names_the_protection_that_a_setting_leaves_out(app, caplog, keywords, said):
    """One log line for each, when it is made, with what to set instead."""
    app.manager(**{"cookie": "sealed", "cookie_name": None, "session_keys": ring(1), **keywords})
    lines = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(lines) == len(said)
    assert all(word in line for word, line in zip(said, lines, strict=True))
