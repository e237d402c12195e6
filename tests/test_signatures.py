"""What every callable of the package may have as a default, and what session()'s manager is made of."""

from __future__ import annotations

import enum
import importlib
import inspect
import io
import os
import pkgutil
import pydoc
import types
from collections.abc import Mapping

import pytest
from botocore.exceptions import NoCredentialsError, ProfileNotFound

import cognito_session
from cognito_session import AsyncSessionManager, SessionManager
from cognito_session.aws.transport.botocore_chain import file_settings, resolve_keys
from cognito_session.manager import default as manager
from cognito_session.settings import VARIABLES
from support.sealing_keys import ring

HARMLESS = (type(None), bool, int, float, str, bytes, enum.Enum, type, types.FunctionType, types.BuiltinFunctionType)


def modules():
    """Every module of the package that this environment can import."""
    for found in pkgutil.walk_packages(cognito_session.__path__, "cognito_session."):
        if "__main__" not in found.name:  # a module of this name runs when it is imported
            yield importlib.import_module(found.name)


def callables(module):
    """Every function and method, public or not, that the module defines."""
    for name, value in vars(module).items():
        if getattr(value, "__module__", None) != module.__name__:
            continue
        if inspect.isfunction(value):
            yield f"{module.__name__}.{name}", value
        elif inspect.isclass(value):
            for own, member in vars(value).items():
                function = (
                    inspect.unwrap(getattr(member, "__func__", member)) if not isinstance(member, property) else member.fget
                )
                if inspect.isfunction(function):
                    yield f"{module.__name__}.{name}.{own}", function


def is_harmless(value):
    """Whether it can neither change nor show anything of the process."""
    if isinstance(value, tuple | frozenset):
        return all(map(is_harmless, value))
    if isinstance(value, types.MappingProxyType):
        return len(value) == 0
    if isinstance(value, Mapping | list | set | bytearray):
        return False
    if type(value).__name__ == "_HAS_DEFAULT_FACTORY_CLASS":  # a dataclass makes a new one each time
        return True
    if type(value).__hash__ is None:
        return False
    return isinstance(value, HARMLESS) or type(value).__module__.startswith("cognito_session") or type(value) is object


def test_no_default_is_mutable_or_global(monkeypatch):
    """No signature, public or private, has a default that can change or that shows the environment."""
    monkeypatch.setenv("CLIENT_SECRET", "hunter2-hunter2")
    wrong = []
    for module in modules():
        for name, function in callables(module):
            given = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
            wrong += [(name, type(value)) for value in given if not is_harmless(value) or "hunter2" in repr(value)]
    assert wrong == []


@pytest.mark.parametrize("kind", [SessionManager, AsyncSessionManager])
def test_help_shows_no_secret(kind, monkeypatch):
    """help() and inspect.signature print names and types, not the environment."""
    monkeypatch.setenv("CLIENT_SECRET", "hunter2-hunter2")
    shown = io.StringIO()
    pydoc.Helper(output=shown)(kind)
    text = shown.getvalue() + str(inspect.signature(kind)) + str(inspect.signature(kind.from_env))
    assert "hunter2" not in text
    assert "environ(" not in text


class Recording(dict):
    """An environment that remembers which variables it was asked for."""

    def __init__(self, *given):
        super().__init__(*given)
        self.asked = set()

    def get(self, name, default=None):
        self.asked.add(name)
        return super().get(name, default)

    def __getitem__(self, name):
        self.asked.add(name)
        return super().__getitem__(name)

    def __contains__(self, name):
        self.asked.add(name)
        return super().__contains__(name)


REQUIRED = {"SESSION_TABLE": "sessions", "CLIENT_ID": "abc", "USER_POOL_ID": "eu-central-1_A", "AWS_REGION": "eu-central-1"}
SECOND = {
    "SESSION_TABLE": "other",
    "CLIENT_ID": "other",
    "USER_POOL_ID": "eu-central-1_B",
    "APP_BASE_URL": "https://other.example",
    "SESSION_TABLE_REGION": "eu-west-1",
    "SESSION_ACCEPT_UNSEALED_ROWS": "true",
    "SESSION_STORE": "sqlite:////tmp/unused.db",
    "SESSION_KEYS": ring(1),
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER": "http://127.0.0.1:9",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
}


def test_every_variable_that_is_read_is_in_the_table():
    """What a manager and its transport ask the environment for is what session() compares."""
    environ = Recording({**REQUIRED, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"})
    made = SessionManager.from_env(cookie="token", environ=environ)
    made.ports.store._wire()
    assert environ.asked <= set(VARIABLES)


WITHOUT_EFFECT = {"HOME", "AWS_CREDENTIAL_FILE", "BOTO_CONFIG", "AWS_DATA_PATH", "AWS_DEFAULTS_MODE", "AWS_RETRY_MODE"}
"""What botocore looks up besides, which no call of ours depends on."""


def test_every_variable_that_credentials_come_from_is_in_the_table(tmp_path):
    """The same where the environment has no keys and botocore goes through all of its sources."""
    files = {name: str(tmp_path / name) for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")}
    environ = Recording({**REQUIRED, **files, "AWS_EC2_METADATA_DISABLED": "true"})
    with pytest.raises(NoCredentialsError):
        resolve_keys(environ)
    assert environ.asked - WITHOUT_EFFECT <= set(VARIABLES)
    environ = Recording({**REQUIRED, **files, "AWS_PROFILE": "missing"})
    with pytest.raises(ProfileNotFound):
        file_settings(environ)
    assert environ.asked - WITHOUT_EFFECT <= set(VARIABLES)


@pytest.mark.parametrize("variable", [name for name in VARIABLES if name.isupper()])
def test_session_notices_a_changed_variable(variable, monkeypatch):
    """Another value of any variable makes another manager; the old value finds the old one."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(manager, "_defaults", {})
    for name, value in REQUIRED.items():
        monkeypatch.setenv(name, value)
    first = manager.default_manager("token")
    assert manager.default_manager("token") is first
    base = variable.removeprefix("COGNITO_")
    if variable == f"COGNITO_{base}" and base in REQUIRED:
        monkeypatch.delenv(base)
    monkeypatch.setenv(variable, SECOND.get(variable) or SECOND.get(base) or "other")
    second = manager.default_manager("token")
    assert second is not first
    monkeypatch.delenv(variable)
    for name, value in REQUIRED.items():
        monkeypatch.setenv(name, value)
    assert manager.default_manager("token") is first


def test_the_managers_that_are_kept_are_bounded(monkeypatch):
    """Credentials that are renewed in the environment do not make managers without end."""
    monkeypatch.setattr(manager, "_defaults", {})
    for name, value in REQUIRED.items():
        monkeypatch.setenv(name, value)
    for number in range(100):
        monkeypatch.setenv("AWS_SESSION_TOKEN", str(number))
        manager.default_manager("token")
    assert len(manager._defaults) <= 32
    assert "AWS_SESSION_TOKEN" in os.environ
