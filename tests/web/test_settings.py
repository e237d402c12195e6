"""Settings become a manager: every keyword, in capitals or not, and nothing that is not one."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from cognito_session import AsyncSessionManager, ConfigurationError, SessionManager, SessionPolicy
from cognito_session.http.csrf import Csrf
from cognito_session.web.settings import AdapterSettings
from support.sealing_keys import ring
from support.stack import fresh, make_app, shared_stack

SPELLED = "COGNITO_SESSION_{}"
KEYS = ring(1)


@pytest.fixture
def stack(request):
    """The stack."""
    yield from fresh(shared_stack(request.config))


@pytest.fixture
def environ(stack):
    """What an operator of an app sets."""
    return make_app(stack).environment


def test_capitals_do_not_matter_and_none_is_unset(environ):
    """Names at AWS, keywords of the constructor and the path of the sign-in page are taken; None leaves the default."""
    given = {"ENVIRON": environ, "cookie_name": "mine", "CLIENT_ID": "client1", "Session_Keys": KEYS, "COOKIE": None}
    found = AdapterSettings.of({**given, "LOGIN_PATH": "/login"}, spelled=SPELLED)
    assert type(found.manager) is SessionManager
    assert (found.manager.context.cookie.name, found.manager.context.sealed_cookie) == ("mine", True)
    assert (found.manager.configuration.client_id, found.login_path) == ("client1", "/login")
    assert found.manager.configuration.session_table == environ["SESSION_TABLE"]


def test_what_is_not_set_comes_from_the_environment(environ, monkeypatch):
    """Without any setting the process's own environment says everything."""
    for name, value in {**environ, "SESSION_KEYS": KEYS}.items():
        monkeypatch.setenv(name, value)
    found = AdapterSettings.of({}, spelled=SPELLED)
    assert found.manager.configuration.session_table == environ["SESSION_TABLE"]
    assert found.login_path is None


def test_a_policy_and_csrf_may_be_mappings(environ):
    """A settings file need not import our classes; what they refuse is refused, by name."""
    given = {"environ": environ, "cookie": "token"}
    made = {"POLICY": {"IDLE_SECONDS": 60}, "CSRF": {"exempt": ["/hooks/*"]}}
    manager = AdapterSettings.of({**given, **made}, spelled=SPELLED).manager
    assert (manager.context.policy.idle_seconds, manager.engine.csrf.exempt) == (60, ("/hooks/*",))
    ours = {"policy": SessionPolicy(idle_seconds=61), "csrf": Csrf(exempt=["/own"])}
    manager = AdapterSettings.of({**given, **ours}, spelled=SPELLED).manager
    assert (manager.context.policy.idle_seconds, manager.engine.csrf.exempt) == (61, ("/own",))
    with pytest.raises(ConfigurationError, match="COGNITO_SESSION_POLICY: expected the keywords of SessionPolicy"):
        AdapterSettings.of({**given, "policy": {"idle": 60}}, spelled=SPELLED)


def test_a_manager_may_be_handed_over_named_or_be_of_the_other_kind(environ, monkeypatch):
    """A finished manager is used as it is, by itself or by its dotted path; a class is asked for one."""
    finished = SessionManager.from_env(environ=environ, cookie="token")
    assert AdapterSettings.of({"MANAGER": finished, "LOGIN_PATH": "/in"}, spelled=SPELLED) == (finished, "/in")
    named = {"MANAGER": "cognito_session.AsyncSessionManager", "environ": environ, "cookie": "token"}
    assert type(AdapterSettings.of(named, spelled=SPELLED).manager) is AsyncSessionManager
    monkeypatch.setitem(sys.modules, "myproject", SimpleNamespace(sessions=finished))
    assert AdapterSettings.of({"MANAGER": "myproject.sessions"}, spelled=SPELLED).manager is finished


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"TABEL": "x"}, "COGNITO_SESSION_TABEL: no such setting"),
        ({"configuration": "x"}, "COGNITO_SESSION_CONFIGURATION: no such setting"),
        ({"keys": KEYS}, "COGNITO_SESSION_KEYS: takes an object; a text goes to COGNITO_SESSION_SESSION_KEYS"),
        ({"store": "sqlite:///x"}, "COGNITO_SESSION_STORE: takes an object; a text goes to COGNITO_SESSION_SESSION_STORE"),
        ({"MANAGER": object(), "CLIENT_ID": "x"}, "COGNITO_SESSION_CLIENT_ID: COGNITO_SESSION_MANAGER is a finished manager"),
        ({"MANAGER": "nowhere.sessions"}, "COGNITO_SESSION_MANAGER: expected a manager or its dotted path"),
        ({"MANAGER": "sessions"}, "COGNITO_SESSION_MANAGER: expected a manager or its dotted path"),
        ({"MANAGER": "cognito_session.nothing"}, "COGNITO_SESSION_MANAGER: expected a manager or its dotted path"),
        ({"CLIENT_ID": "not one"}, "CLIENT_ID: expected 1 to 128"),
    ],
)
def test_what_is_no_setting_is_refused_by_its_name(given, words, environ):
    """A typing error must not leave a setting at its default in silence."""
    with pytest.raises(ConfigurationError, match=words):
        AdapterSettings.of(
            {"environ": environ, "cookie": "token", **given} if "MANAGER" not in given else given, spelled=SPELLED
        )
