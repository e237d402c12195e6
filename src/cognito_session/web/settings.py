"""AdapterSettings: makes a manager from the settings in Flask's config or Django's settings.

Every keyword of `SessionManager.from_env` may be set, in any case; None means unset, and unset settings come from the
environment. `MANAGER` may be a manager, its dotted path, or the dotted path of a class with `from_env`. The default class is
named, not imported, because managers import this package.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from inspect import signature
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cognito_session.argument_checks import check_manager
from cognito_session.configuration import Configuration
from cognito_session.core.errors import ConfigurationError
from cognito_session.core.policy import SessionPolicy
from cognito_session.http.csrf import Csrf
from cognito_session.settings import SETTINGS

if TYPE_CHECKING:
    from cognito_session.engine import AnySessionManager

__all__ = ["AdapterSettings"]

_DEFAULT: Final = "cognito_session.SessionManager"
_OBJECTS: Final = {described.similar: name for name, described in SETTINGS.items() if described.similar}
"""Keywords that take an object, each with the setting of a similar name, which takes a text."""


class AdapterSettings(NamedTuple):
    """The settings of an adapter."""

    manager: AnySessionManager
    login_path: str | None = None

    @classmethod
    def of(cls, given: Mapping[str, Any], *, spelled: str) -> AdapterSettings:
        """From names and values. `spelled` is the form of a name in their source, like "COGNITO_SESSION_{}".

        Raises ConfigurationError, which names the setting.
        """
        values = {name.lower(): value for name, value in given.items() if value is not None}
        login_path = values.pop("login_path", None)
        manager = _named(values.pop("manager", _DEFAULT), spelled)
        if isinstance(manager, type):
            return cls(manager.from_env(**_keywords(manager, values, spelled)), login_path)  # type: ignore[attr-defined]
        if values:
            raise ConfigurationError(
                f"{_spell(spelled, min(values))}: {_spell(spelled, 'manager')} is a finished manager, which takes no settings"
            )
        return cls(check_manager(_spell(spelled, "manager"), manager), login_path)


def _keywords(manager: Any, values: dict[str, Any], spelled: str) -> dict[str, Any]:
    """The keywords of the manager's `from_env`, each checked."""
    known = {*Configuration._fields, *signature(manager).parameters, *signature(manager.from_env).parameters}
    for name, value in values.items():
        if name not in known - {"configuration", "keywords"}:
            raise ConfigurationError(f"{_spell(spelled, name)}: no such setting; SessionManager.from_env says which there are")
        if name in _OBJECTS and isinstance(value, str):
            raise ConfigurationError(
                f"{_spell(spelled, name)}: takes an object; a text goes to {_spell(spelled, _OBJECTS[name])}"
            )
    made = {"policy": SessionPolicy, "csrf": Csrf}
    return values | {
        name: _made(kind, values[name], _spell(spelled, name))
        for name, kind in made.items()
        if isinstance(values.get(name), Mapping)
    }


def _made(kind: Any, values: Mapping[str, Any], spelled: str) -> Any:
    """A policy or CSRF settings from a mapping."""
    try:
        return kind(**{name.lower(): value for name, value in values.items()})
    except TypeError as error:
        raise ConfigurationError(f"{spelled}: expected the keywords of {kind.__name__}") from error


def _named(manager: Any, spelled: str) -> Any:
    """The object at a dotted path. Any other value is returned unchanged."""
    if not isinstance(manager, str):
        return manager
    module, _, name = manager.rpartition(".")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(
            f"{_spell(spelled, 'manager')}: expected a manager or its dotted path, like myproject.sessions.sessions"
        ) from error


def _spell(spelled: str, name: str) -> str:
    return spelled.format(name.upper())
