"""Configuration: which pool, client and table, from keywords and the environment.

Keyword beats variable, empty means unset; a missing or malformed value is a ConfigurationError that names the variable
and says where its value is found. Values that are secret never show in repr.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from cognito_session.core.arguments import check_kind, check_text, setting, trimmed
from cognito_session.core.errors import ConfigurationError
from cognito_session.core.protocol.record import SessionRecord
from cognito_session.core.redact import redacted_repr

__all__ = ["VARIABLES", "Configuration"]

_WHERE: Final = {
    "SESSION_TABLE": "the name of the DynamoDB table that holds the sessions",
    "CLIENT_ID": "the app client's id (Cognito console: User pools, your pool, App clients)",
    "USER_POOL_ID": "the user pool's id, like eu-central-1_AbCdEf123 (Cognito console: User pools, your pool, Overview)",
}
_WITH_SPACES: Final = frozenset({"SESSION_KEYS", "SESSION_STORE"})
"""Entries of the one are separated by commas and blanks, the other may be a file's name."""
_ALSO_PREFIXED: Final = frozenset({"CLIENT_ID", "CLIENT_SECRET", "USER_POOL_ID"})
_FORMS: Final = {
    "USER_POOL_ID": (
        re.compile(r"[a-z]{2,5}(-[a-z]+)+-[0-9]{1,2}_[0-9A-Za-z]{1,55}"),
        "a value like eu-central-1_AbCdEf123",
    ),
    "CLIENT_ID": (re.compile(r"[\w+]{1,128}", re.ASCII), "1 to 128 letters, digits, + or _"),
    "SESSION_TABLE": (
        re.compile(r"[A-Za-z0-9_.-]{3,255}|arn:[A-Za-z0-9_.:/-]{3,1020}"),
        "a table name (3 to 255 characters of a-z A-Z 0-9 _ . -) or its ARN",
    ),
    "SESSION_TABLE_REGION": (re.compile(r"[a-z]{2,5}(-[a-z0-9]+)+"), "an AWS region like eu-central-1"),
    "SESSION_ACCEPT_UNSEALED_ROWS": (re.compile(r"true|false"), "true or false"),
    "PARTITION_KEY": (re.compile(r"\S{1,255}"), "an attribute name without spaces"),
    "SORT_KEY": (re.compile(r"\S{1,255}"), "an attribute name without spaces"),
    "COGNITO_DOMAIN": (
        re.compile(r"[a-z0-9-]{1,63}|(https?://)?[A-Za-z0-9.:\[\]-]{1,255}/?"),
        "the domain prefix of the user pool, a host like auth.example.com, or an address",
    ),
    "APP_BASE_URL": (re.compile(r"https?://[!-~]{1,1000}"), "the address of your application, like https://app.example"),
}
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


class Configuration(NamedTuple):
    """The names of things at AWS."""

    session_table: str
    client_id: str
    user_pool_id: str
    partition_key: str = "sub"
    sort_key: str | None = None
    client_secret: str | None = None
    session_keys: str | None = None
    session_secret_arn: str | None = None
    session_store: str | None = None
    cognito_domain: str | None = None
    app_base_url: str | None = None
    session_table_region: str | None = None
    session_accept_unsealed_rows: str | None = None

    def __repr__(self) -> str:
        return redacted_repr(self, "client_secret", "session_keys")

    @classmethod
    def from_env(cls, environ: Mapping[str, str], *, prefix: str = "", **keywords: str | None) -> Configuration:
        """From `environ`, its variables' names beginning with `prefix`; a keyword that is not None wins.

        Reads SESSION_TABLE (and SESSION_TABLE_REGION) or SESSION_STORE, PARTITION_KEY, SORT_KEY, SESSION_KEYS,
        SESSION_SECRET_ARN, SESSION_ACCEPT_UNSEALED_ROWS, COGNITO_DOMAIN, APP_BASE_URL, CLIENT_ID, CLIENT_SECRET and
        USER_POOL_ID; the last three also as COGNITO_CLIENT_ID and so on.
        Raises ConfigurationError.
        """
        check_text("prefix", prefix)
        check_kind("environ", environ, Mapping, "the variables, a mapping like os.environ")
        unknown = set(keywords) - set(cls._fields)
        if unknown:
            raise TypeError(f"unknown setting: {', '.join(sorted(unknown))}")
        look = _Lookup(environ, prefix, keywords)
        partition_key = look.optional("PARTITION_KEY") or "sub"
        sort_key = look.optional("SORT_KEY")
        session_store = look.optional("SESSION_STORE")
        if partition_key == sort_key or {partition_key, sort_key} & _OUR_ATTRIBUTES or partition_key == "sid":
            raise ConfigurationError(
                f"{prefix}PARTITION_KEY and {prefix}SORT_KEY: expected two different names that sessions do not use"
                f" themselves, not {partition_key} and {sort_key}"
            )
        session_table, client_id, user_pool_id = look.required(*_WHERE, but="SESSION_TABLE" if session_store else None)
        return cls(
            session_table=session_table,
            client_id=client_id,
            user_pool_id=user_pool_id,
            partition_key=partition_key,
            sort_key=sort_key,
            client_secret=look.optional("CLIENT_SECRET"),
            session_keys=look.optional("SESSION_KEYS"),
            session_secret_arn=look.optional("SESSION_SECRET_ARN"),
            session_store=session_store,
            cognito_domain=look.optional("COGNITO_DOMAIN"),
            app_base_url=look.optional("APP_BASE_URL"),
            session_table_region=_table_region(look, prefix),
            session_accept_unsealed_rows=look.optional("SESSION_ACCEPT_UNSEALED_ROWS"),
        )

    @property
    def pool_region(self) -> str:
        """The user pool's region: the part of its id before "_"."""
        return self.user_pool_id.partition("_")[0]

    @property
    def regions(self) -> dict[str, str]:
        """The region of each service where a setting names it: the pool's id, SESSION_TABLE_REGION, an ARN."""
        secret = _region_in_arn(self.session_secret_arn)
        named = {"cognito-idp": self.pool_region, "dynamodb": self.session_table_region, "secretsmanager": secret}
        return {service: region for service, region in named.items() if region}


def _table_region(look: _Lookup, prefix: str) -> str | None:
    """SESSION_TABLE_REGION, else the region in SESSION_TABLE where that is an ARN."""
    named, in_arn = look.optional("SESSION_TABLE_REGION"), _region_in_arn(look.optional("SESSION_TABLE"))
    if named and in_arn and named != in_arn:
        raise ConfigurationError(f"{prefix}SESSION_TABLE_REGION is {named}, but the ARN in {prefix}SESSION_TABLE says {in_arn}")
    return named or in_arn


def _region_in_arn(text: str | None) -> str | None:
    parts = (text or "").split(":")
    return (parts[3] or None) if parts[0] == "arn" and len(parts) > 3 else None  # noqa: PLR2004 - arn:partition:service:region


_AWS: Final = (
    *("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CONFIG_FILE"),
    *("AWS_SHARED_CREDENTIALS_FILE", "AWS_CREDENTIAL_EXPIRATION", "AWS_STS_REGIONAL_ENDPOINTS"),
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"),
    *("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER"),
    *("AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_CA_BUNDLE"),
    *("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"),
    *("AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE"),
    *("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
    *("AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_EC2_METADATA_DISABLED"),
    *("AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_EC2_METADATA_V1_DISABLED", "AWS_ENDPOINT_URL_STS"),
    *("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "AWS_IMDS_USE_IPV6", "AWS_METADATA_SERVICE_TIMEOUT"),
    *("AWS_METADATA_SERVICE_NUM_ATTEMPTS", "AWS_ENDPOINT_URL_SSO", "AWS_ENDPOINT_URL_SSO_OIDC"),
    *("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY", "SESSION_PLAIN_HTTP_HOSTS"),
)
VARIABLES: Final = (
    *(name.upper() for name in Configuration._fields),
    *(f"COGNITO_{name}" for name in sorted(_ALSO_PREFIXED)),
    *_AWS,
)
"""Every variable of the environment that a manager without a prefix is made of."""


class _Lookup:
    """One value after another, by the same rules."""

    def __init__(self, environ: Mapping[str, str], prefix: str, keywords: Mapping[str, str | None]) -> None:
        self._environ = environ
        self._prefix = prefix
        self._keywords = keywords

    def required(self, *variables: str, but: str | None) -> tuple[str, ...]:
        """Their values; "" for `but` where it is unset. The error names all that are missing."""
        values = {variable: self.optional(variable) for variable in variables}
        missing = [variable for variable, value in values.items() if value is None and variable != but]
        if missing:
            raise ConfigurationError(
                "; ".join(f"{self._prefix}{variable} is not set: it is {_WHERE[variable]}" for variable in missing)
            )
        return tuple(value or "" for value in values.values())

    def optional(self, variable: str) -> str | None:
        value = trimmed(self._keywords.get(variable.lower()), variable) or self._from_environment(variable)
        if value is None:
            return None
        form = _FORMS.get(variable)
        if form is not None and not form[0].fullmatch(value):
            raise ConfigurationError(f"{self._prefix}{variable}: expected {form[1]}")
        if variable not in _WITH_SPACES and any(map(str.isspace, value)):
            raise ConfigurationError(f"{self._prefix}{variable}: expected a value without spaces in it")
        return value

    def _from_environment(self, variable: str) -> str | None:
        name = self._prefix + variable
        plain = self._read(name)
        if variable not in _ALSO_PREFIXED:
            return plain
        prefixed_name = f"{self._prefix}COGNITO_{variable}"
        prefixed = self._read(prefixed_name)
        if plain and prefixed and plain != prefixed:
            raise ConfigurationError(f"{name} and {prefixed_name} disagree: set one of them")
        return plain or prefixed

    def _read(self, name: str) -> str | None:
        return setting(self._environ, name)
