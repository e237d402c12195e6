"""The public names of the kit: exactly these, loaded only when they are used, and the imports of the plugin."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import cognito_session
from cognito_session import testing
from cognito_session.testing import MemoryStore, StoreContract

SOURCE = str(Path(cognito_session.__file__).parents[1])
NAMES = [
    *("FORMS", "Browser", "Call", "CallLog", "Cognito", "EventForm", "FakePool", "LambdaContext", "ManualClock", "MemoryStore"),
    *("Run", "StoreContract", "set_defaults"),
]
ALWAYS = {"cognito_session", "cognito_session.core", "cognito_session.testing", "cognito_session.testing.plugin"}


def loaded_by(*lines: str) -> set[str]:
    """What of the package a fresh interpreter has loaded after these lines."""
    program = [*lines, "import json, sys; print(json.dumps([*sys.modules]))"]
    command = [sys.executable, "-W", "error", "-c", "\n".join(program)]
    done = subprocess.run(command, env={"PYTHONPATH": SOURCE}, capture_output=True, text=True, check=True, timeout=60)
    return set(json.loads(done.stdout))


def test_the_names_are_these():
    """A name is added or taken away on purpose."""
    assert testing.__all__ == NAMES
    assert dir(testing) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_there(name):
    """Each name is in the package, and is the same object as in its own module."""
    own = import_module(f"cognito_session.testing.{testing._LAZY[name]}")
    assert getattr(testing, name) is getattr(own, name)
    assert name in own.__all__


def test_other_names_are_not():
    """An unknown name is an AttributeError, so that hasattr works."""
    with pytest.raises(AttributeError, match="Cognitos"):
        testing.Cognitos  # noqa: B018 - reading it is the test


def test_the_package_loads_nothing_by_itself():
    """Neither pytest nor the kit, until a name is used."""
    loaded = loaded_by("import cognito_session.testing")
    assert "pytest" not in loaded
    assert {name for name in loaded if name.startswith("cognito_session.testing")} == {"cognito_session.testing"}
    loaded = loaded_by("from cognito_session.testing import Cognito")
    assert "pytest" not in loaded
    assert not {"starlette", "flask", "django", "boto3", "pycurl", "joserfc"} & loaded


def test_the_plugin_loads_nothing_by_itself():
    """Pytest imports it in every run of every project that has the package: of the package only its errors and values come."""
    loaded = {name for name in loaded_by("import cognito_session.testing.plugin") if name.startswith("cognito_session")}
    public = loaded_by("import cognito_session")
    assert loaded - public == {"cognito_session.testing", "cognito_session.testing.plugin"}


class TestContractByItsPublicName(StoreContract):
    """The contract suite runs on a third-party store under its documented name."""

    threads = 2
    rounds = 2

    def make_store(self, request, *, one_row_per_user):
        return MemoryStore(one_row_per_user=one_row_per_user)
