"""The public names, exactly: what a user may import, from where, and at what cost."""

from __future__ import annotations

import importlib
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

import cognito_session

PUBLIC = {
    "cognito_session": [
        *("Active", "AsyncSessionManager", "ConfigurationError", "Csrf", "KeysUnavailable", "LeaseBusy", "Outcome"),
        *("ProviderUnavailable", "Reason", "Refreshed", "Rejected", "Report", "Request", "RequestSession", "Session"),
        *("SessionConflict", "SessionError", "SessionForbidden", "SessionInfo", "SessionManager", "SessionPolicy"),
        *("SessionRequired", "SessionUnavailable", "StaleSignIn", "StoreUnavailable", "current_session", "decode_token"),
        "session",
    ],
    "cognito_session.signin": [
        *("AccountChanged", "AsyncManagedLogin", "AsyncPasswordFlows", "ChallengeRequired", "CodeSent", "Done", "Established"),
        *(
            "ManagedLogin",
            "PasskeyOptions",
            "PasswordChanged",
            "PasswordFlows",
            "PasswordReset",
            "Prompt",
            "Refusal",
            "Refused",
        ),
        *("SignInOutcome", "TotpSecret"),
    ],
    "cognito_session.store": [
        *("Change", "Clause", "Comparison", "ConfigurationError", "DynamoDBStore", "Row", "SQLiteStore", "SessionKey"),
        *("SessionStore", "StoreUnavailable", "WriteKind", "Written"),
    ],
    "cognito_session.testing": [
        *("FORMS", "Browser", "Call", "CallLog", "Cognito", "EventForm", "FakePool", "LambdaContext", "ManualClock"),
        *("MemoryStore", "Run", "StoreContract", "set_defaults"),
    ],
    "cognito_session.web.asgi": [
        *("ASGIApp", "CognitoSessionMiddleware", "Message", "Receive", "Scope", "Send", "request_of", "request_session_of"),
    ],
    "cognito_session.web.django": [
        *("CognitoSessionMiddleware", "SessionRequest", "SessionRequiredMixin", "aestablish", "asign_out"),
        *("establish", "request_of", "request_session_of", "respond", "session_manager", "session_required"),
        *("sign_out",),
    ],
    "cognito_session.web.fastapi": ["CognitoAuth"],
    "cognito_session.web.flask": [
        *("CognitoSession", "current_request_session", "current_session", "establish", "request_of", "respond"),
        *("session_manager", "session_required", "sign_out"),
    ],
    "cognito_session.web.powertools": ["session_middleware"],
    "cognito_session.web.starlette": [
        *("CognitoSessionMiddleware", "establish", "request_of", "required_session_of", "respond", "session_of", "sign_out"),
    ],
    "cognito_session.web.wsgi": [
        *("CognitoSessionMiddleware", "begin_request_session", "lambda_context", "request_of"),
        *("request_session_of", "sent_path"),
    ],
}
LAZY = ["cognito_session", "cognito_session.signin", "cognito_session.store", "cognito_session.testing"]
NAMES = [(module, name) for module, names in PUBLIC.items() for name in names]
CHEAP = {
    "cognito_session",
    "cognito_session._lazy",
    "cognito_session.signin",
    "cognito_session.store",
    "cognito_session.testing",
}


def fresh(*lines: str) -> list[str]:
    """The lines that a fresh interpreter prints."""
    command = [sys.executable, "-W", "error", "-c", "\n".join(lines)]
    environment = {"PYTHONPATH": str(Path(cognito_session.__file__).parents[1])}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("module", PUBLIC)
def test_the_exports_are_these(module):
    """A name is added to or removed from a public module on purpose, here and there."""
    assert importlib.import_module(module).__all__ == PUBLIC[module]


@pytest.mark.parametrize(("module", "name"), NAMES, ids=[".".join(name) for name in NAMES])
def test_every_name_can_be_imported(module, name):
    """Each name can be imported, lazy or not, and is the same object each time."""
    found = importlib.import_module(module)
    assert getattr(found, name) is getattr(found, name)


@pytest.mark.parametrize("module", LAZY)
def test_dir_lists_the_names_before_they_are_loaded(module):
    """Completion shows the lazy names in a fresh interpreter, and shows no private name."""
    assert fresh(f"import {module} as found", "print(*dir(found), sep='\\n')") == sorted(PUBLIC[module])


@pytest.mark.parametrize("module", LAZY)
def test_a_star_import_brings_exactly_the_names(module):
    """`import *` brings the public names, the lazy ones too."""
    scope: dict[str, object] = {}
    exec(f"from {module} import *", scope)
    assert sorted(scope.keys() - {"__builtins__"}) == sorted(PUBLIC[module])


@pytest.mark.parametrize("module", LAZY)
def test_a_package_loads_its_lazy_names_when_they_are_used(module):
    """Importing a package loads none of the modules that its lazy names are in; beside the package only core is loaded."""
    loaded = fresh(f"import sys, {module}", "print(*sys.modules, sep='\\n')")
    ours = {name for name in loaded if name.startswith("cognito_session") and not name.startswith("cognito_session.core")}
    assert ours <= CHEAP


@pytest.mark.parametrize("module", LAZY)
def test_an_unknown_name_is_an_attribute_error(module):
    """A missing name raises AttributeError with the module and the name, so that hasattr works."""
    found = importlib.import_module(module)
    assert not hasattr(found, "SesionManager")
    with pytest.raises(AttributeError, match=f"'{module}' has no attribute 'SesionManager'"):
        found.SesionManager  # noqa: B018 - reading it is the test


def test_the_same_error_has_one_class():
    """An error that two modules export is one class, so that `except` catches it under both paths."""
    import cognito_session.store

    assert cognito_session.store.StoreUnavailable is cognito_session.StoreUnavailable
    assert cognito_session.store.ConfigurationError is cognito_session.ConfigurationError


def test_the_package_says_that_it_is_typed():
    """py.typed lies beside the package, so that type checkers read its annotations."""
    assert files("cognito_session").joinpath("py.typed").is_file()
