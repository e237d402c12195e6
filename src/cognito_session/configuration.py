"""Configuration: the values of the settings, from keywords and the environment.

A keyword wins over a variable, and an empty value means unset. A missing or malformed value is a ConfigurationError that
names the variable and says where its value is found. settings.py says which settings there are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from cognito_session.core.checks import check_kind, check_text, setting, trimmed
from cognito_session.core.errors import ConfigurationError
from cognito_session.core.protocol.record import SessionRecord
from cognito_session.core.redact import redacted_repr
from cognito_session.settings import SETTINGS, Settings, variable_names

if TYPE_CHECKING:
    from typing import Unpack

    from cognito_session.settings import SettingKeywords

__all__ = ["Configuration"]

_SECRETS: Final = tuple(name.lower() for name, described in SETTINGS.items() if described.secret)
_OUR_ATTRIBUTES: Final = frozenset(SessionRecord._fields) - {"key", "sid"} | {
    "lease_until",
    "timestamp",
    "ttl",
    "data",
    "ended_at",
    "not_before",
    "data_op",
    "sign_ins",
}


class Configuration(Settings):
    """The settings of one application, checked."""

    __slots__ = ()

    def __repr__(self) -> str:
        return redacted_repr(self, *_SECRETS)

    @classmethod
    def from_env(cls, environ: Mapping[str, str], *, prefix: str = "", **keywords: Unpack[SettingKeywords]) -> Configuration:
        """From `environ`, whose variables have the settings' names after `prefix`; a keyword that is not None wins.

        docs/configuration.md lists the settings. Raises ConfigurationError, and TypeError for an unknown keyword.
        """
        check_text("prefix", prefix)
        check_kind("environ", environ, Mapping, "the variables, a mapping like os.environ")
        unknown = set(keywords) - set(cls._fields)
        if unknown:
            raise TypeError(f"unknown setting: {', '.join(sorted(unknown))}")
        given: Mapping[str, Any] = keywords
        values = {name: _value_of(name, environ, prefix, given.get(name.lower())) for name in SETTINGS}
        _check_keys(values, prefix)
        _check_required(values, prefix)
        values["SESSION_TABLE_REGION"] = _table_region(values, prefix)
        read: dict[str, Any] = {name.lower(): value for name, value in values.items() if value is not None}
        return cls(**{"session_table": "", **read})

    @property
    def pool_region(self) -> str:
        """The user pool's region: the part of its id before "_"."""
        return self.user_pool_id.partition("_")[0]

    @property
    def regions(self) -> dict[str, str]:
        """The region of each service, if a setting names it: the pool's id, SESSION_TABLE_REGION, an ARN."""
        secret = _region_in_arn(self.session_secret_arn)
        named = {"cognito-idp": self.pool_region, "dynamodb": self.session_table_region, "secretsmanager": secret}
        return {service: region for service, region in named.items() if region}


def _value_of(name: str, environ: Mapping[str, str], prefix: str, keyword: object) -> str | None:
    """The value of a setting, checked against its form; None if it is unset."""
    value = trimmed(keyword, name) or _from_environment(name, environ, prefix)
    described = SETTINGS[name]
    if value is not None and described.form is not None and not re.fullmatch(described.form, value):
        raise ConfigurationError(f"{prefix}{name}: expected {described.expected}")
    return value


def _from_environment(name: str, environ: Mapping[str, str], prefix: str) -> str | None:
    names = variable_names(name, prefix)
    values = {value for each in names if (value := setting(environ, each))}
    if len(values) > 1:
        raise ConfigurationError(f"{' and '.join(names)} disagree: set one of them")
    return values.pop() if values else None


def _check_required(values: Mapping[str, str | None], prefix: str) -> None:
    """One error names all settings that are missing. A SESSION_STORE takes the place of the table."""
    needless = "SESSION_TABLE" if values["SESSION_STORE"] else None
    missing = [
        f"{prefix}{name} is not set: it is {described.found}"
        for name, described in SETTINGS.items()
        if described.found and values[name] is None and name != needless
    ]
    if missing:
        raise ConfigurationError("; ".join(missing))


def _check_keys(values: Mapping[str, str | None], prefix: str) -> None:
    """A key column named like an attribute of ours would be written twice in one item."""
    partition_key, sort_key = values["PARTITION_KEY"] or Settings._field_defaults["partition_key"], values["SORT_KEY"]
    if partition_key == sort_key or {partition_key, sort_key} & _OUR_ATTRIBUTES or partition_key == "sid":
        raise ConfigurationError(
            f"{prefix}PARTITION_KEY and {prefix}SORT_KEY: expected two different names that sessions do not use"
            f" themselves, not {partition_key} and {sort_key}"
        )


def _table_region(values: Mapping[str, str | None], prefix: str) -> str | None:
    """SESSION_TABLE_REGION, else the region in SESSION_TABLE if that is an ARN."""
    named, in_arn = values["SESSION_TABLE_REGION"], _region_in_arn(values["SESSION_TABLE"])
    if named and in_arn and named != in_arn:
        raise ConfigurationError(f"{prefix}SESSION_TABLE_REGION is {named}, but the ARN in {prefix}SESSION_TABLE says {in_arn}")
    return named or in_arn


def _region_in_arn(text: str | None) -> str | None:
    parts = (text or "").split(":")
    return (parts[3] or None) if parts[0] == "arn" and len(parts) > 3 else None  # noqa: PLR2004 - arn:partition:service:region
