"""The settings of an application, in one table: each field of `Settings` is one setting, described by its annotation.

To add a setting, add a field and the same name to `SettingKeywords`. The field gives the variable's name (in capitals), the
keyword of `from_env`, the type and the default. `Configuration`, the managers that `session()` keeps, Flask's and Django's
settings, `cognito-session doctor --help` and docs/configuration.md follow. This file must not read an environment.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

if TYPE_CHECKING:
    from typing import TypedDict

    class SettingKeywords(TypedDict, total=False):
        """The settings as keywords of `from_env`; a value that is not None wins over the variable."""

        session_table: str | None
        client_id: str | None
        user_pool_id: str | None
        partition_key: str | None
        sort_key: str | None
        client_secret: str | None
        session_keys: str | None
        session_secret_arn: str | None
        session_store: str | None
        cognito_domain: str | None
        app_base_url: str | None
        session_table_region: str | None
        session_accept_unsealed_rows: str | None


__all__ = ["SETTINGS", "VARIABLES", "Setting", "Settings", "variable_names"]


class Setting:
    """How a setting is described, checked and shown.

    - description: the sentence for the documentation and the command's help
    - form: a regular expression that the whole value matches; None for any text
    - expected: the form in words, for the error message
    - found: where an operator finds the value of a required setting; None for an optional one
    - also_cognito: whether the variable is also read as COGNITO_ and its name
    - secret: whether reprs leave the value out
    - similar: a keyword of `from_env` with a similar name, which takes an object
    """

    __slots__ = ("also_cognito", "description", "expected", "form", "found", "secret", "similar")

    def __init__(
        self,
        description: str,
        *,
        form: str | None = r"\S+",
        expected: str = "a value without spaces in it",
        found: str | None = None,
        also_cognito: bool = False,
        secret: bool = False,
        similar: str | None = None,
    ) -> None:
        self.description: str = description
        self.form: str | None = form
        self.expected: str = expected
        self.found: str | None = found
        self.also_cognito: bool = also_cognito
        self.secret: bool = secret
        self.similar: str | None = similar


class Settings(NamedTuple):
    """One application's settings: texts that name things at AWS, and its keys."""

    session_table: Annotated[
        str,
        Setting(
            "the DynamoDB table, its name or its ARN; not needed with SESSION_STORE",
            form=r"[A-Za-z0-9_.-]{3,255}|arn:[A-Za-z0-9_.:/-]{3,1020}",
            expected="a table name (3 to 255 characters of a-z A-Z 0-9 _ . -) or its ARN",
            found="the name of the DynamoDB table that holds the sessions",
        ),
    ]
    client_id: Annotated[
        str,
        Setting(
            "the app client's id",
            form=r"(?a)[\w+]{1,128}",
            expected="1 to 128 letters, digits, + or _",
            found="the app client's id (Cognito console: User pools, your pool, App clients)",
            also_cognito=True,
        ),
    ]
    user_pool_id: Annotated[
        str,
        Setting(
            "the user pool's id; without it no signature can be checked",
            form=r"[a-z]{2,5}(-[a-z]+)+-[0-9]{1,2}_[0-9A-Za-z]{1,55}",
            expected="a value like eu-central-1_AbCdEf123",
            found="the user pool's id, like eu-central-1_AbCdEf123 (Cognito console: User pools, your pool, Overview)",
            also_cognito=True,
        ),
    ]
    partition_key: Annotated[
        str,
        Setting(
            "the table's partition key, which holds the user's `sub`",
            form=r"\S{1,255}",
            expected="an attribute name without spaces",
        ),
    ] = "sub"
    sort_key: Annotated[
        str | None,
        Setting(
            "the table's sort key, which holds the session id; unset: one session per user",
            form=r"\S{1,255}",
            expected="an attribute name without spaces",
        ),
    ] = None
    client_secret: Annotated[
        str | None,
        Setting("the app client's secret, if it has one", also_cognito=True, secret=True),
    ] = None
    session_keys: Annotated[
        str | None,
        Setting(
            "keys that seal cookies and secrets at rest, newest first; `cognito-session keys new` prints an entry",
            form=None,  # blanks may surround its entries
            secret=True,
            similar="keys",
        ),
    ] = None
    session_secret_arn: Annotated[
        str | None,
        Setting("a Secrets Manager secret that holds SESSION_KEYS, and CLIENT_SECRET if there is one"),
    ] = None
    session_store: Annotated[
        str | None,
        Setting(
            "`sqlite:///path` instead of a table",
            form=None,  # a file's name may have spaces
            similar="store",
        ),
    ] = None
    cognito_domain: Annotated[
        str | None,
        Setting(
            "managed login: the user pool's domain prefix, a host, or an address",
            form=r"[a-z0-9-]{1,63}|(https?://)?[A-Za-z0-9.:\[\]-]{1,255}/?",
            expected="the domain prefix of the user pool, a host like auth.example.com, or an address",
        ),
    ] = None
    app_base_url: Annotated[
        str | None,
        Setting(
            "managed login and CSRF: your application's address, with its path if it has one (the stage of a REST API)",
            form=r"https?://[!-~]{1,1000}",
            expected="the address of your application, like https://app.example",
        ),
    ] = None
    session_table_region: Annotated[
        str | None,
        Setting(
            "the table's region, if it is not AWS_REGION",
            form=r"[a-z]{2,5}(-[a-z0-9]+)+",
            expected="an AWS region like eu-central-1",
        ),
    ] = None
    session_accept_unsealed_rows: Annotated[
        str | None,
        Setting(
            "`true` while a table that has sessions gets its first keys",
            form=r"true|false",
            expected="true or false",
        ),
    ] = None


SETTINGS: Final[Mapping[str, Setting]] = MappingProxyType(
    {name.upper(): field.__metadata__[0] for name, field in Settings.__annotations__.items()}
)
"""Each setting by the name of its variable."""


def variable_names(setting: str, prefix: str = "") -> tuple[str, ...]:
    """The variables of the environment that may hold a setting, as ("ADMIN_CLIENT_ID", "ADMIN_COGNITO_CLIENT_ID")."""
    own = f"{prefix}{setting}"
    return (own, f"{prefix}COGNITO_{setting}") if SETTINGS[setting].also_cognito else (own,)


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
VARIABLES: Final = (*(name for setting in SETTINGS for name in variable_names(setting)), *_AWS)
"""Every variable of the environment that a manager without a prefix depends on."""
