"""The public names, exactly."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import cognito_session

PUBLIC = [
    "Active",
    "AsyncSessionManager",
    "ConfigurationError",
    "Refreshed",
    "Rejected",
    "Session",
    "SessionConflict",
    "SessionError",
    "SessionForbidden",
    "SessionManager",
    "SessionPolicy",
    "SessionRequired",
    "SessionUnavailable",
    "current_session",
    "decode_token",
    "session",
]


def test_the_exports_are_these():
    """A name is added to or taken from the package on purpose, here and there."""
    assert cognito_session.__all__ == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_every_name_can_be_imported(name):
    """Each is there, lazy or not, and is the same object each time."""
    assert getattr(cognito_session, name) is getattr(importlib.import_module("cognito_session"), name)
    assert callable(getattr(cognito_session, name))


def test_dir_lists_the_names_before_they_are_loaded():
    """Completion shows the lazy names in a fresh interpreter, and shows nothing private."""
    program = "import sys, cognito_session; print(*dir(cognito_session)); print('cognito_session.manager' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=_environment())
    names, loaded = shown.stdout.splitlines()
    assert names.split() == PUBLIC
    assert loaded == "False"


def test_a_star_import_brings_exactly_the_names():
    """`from cognito_session import *` brings the public names, the lazy ones too."""
    scope: dict[str, object] = {}
    exec("from cognito_session import *", scope)
    assert sorted(scope.keys() - {"__builtins__"}) == PUBLIC


def test_an_unknown_name_is_an_attribute_error():
    """Names that are not there say so, so that hasattr works."""
    assert not hasattr(cognito_session, "SesionManager")
    with pytest.raises(AttributeError, match="SesionManager"):
        cognito_session.SesionManager  # noqa: B018 - reading it is the test


def test_the_package_says_that_it_is_typed():
    """py.typed lies beside the package, so that type checkers read its annotations."""
    from importlib.resources import files

    assert files("cognito_session").joinpath("py.typed").is_file()


def _environment() -> dict[str, str]:
    from pathlib import Path

    return {"PYTHONPATH": str(Path(cognito_session.__file__).parents[1])}
