"""botocore's chain of credential sources and its configuration files, read from a given environment.

Rule: a mapping other than os.environ replaces it completely. No key, profile, file name or metadata address of the process
is then used. botocore has no single place for that, so each part that reads variables gets the mapping. It must not know
transports.
"""

from __future__ import annotations

import bisect
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import botocore.session
from botocore import configprovider, credentials
from botocore.config import Config
from botocore.exceptions import NoCredentialsError

from cognito_session.aws.transport.access_keys import AccessKeys
from cognito_session.aws.transport.endpoint import ADDRESS_VARIABLES
from cognito_session.aws.transport.proxy import proxies
from cognito_session.aws.transport.renewed_keys import Resolved
from cognito_session.core.checks import setting

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["file_settings", "new_session", "resolve_keys"]

_LONGEST_SECONDS: Final = 2 * 86_400  # keys that live longer are resolved again by then
_WEB_IDENTITY: Final = {
    "web_identity_token_file": "AWS_WEB_IDENTITY_TOKEN_FILE",
    "role_session_name": "AWS_ROLE_SESSION_NAME",
    "role_arn": "AWS_ROLE_ARN",
}
_FILE_SETTINGS: Final = {
    "AWS_REGION": "region",
    "AWS_CA_BUNDLE": "ca_bundle",
    "AWS_USE_FIPS_ENDPOINT": "use_fips_endpoint",
    "AWS_USE_DUALSTACK_ENDPOINT": "use_dualstack_endpoint",
}


def new_session(environ: Mapping[str, str]) -> Any:
    """A botocore session that takes configuration and credentials from `environ` and the files that it names."""
    session = botocore.session.Session()
    if environ is not os.environ:
        _configure(session, environ)
        _guide_clients(session, environ)
    region = setting(environ, "AWS_REGION") or setting(environ, "AWS_DEFAULT_REGION")
    if region:  # botocore itself does not read AWS_REGION; STS is asked in this region
        session.set_config_variable("region", region)
    if environ is not os.environ:
        session.lazy_register_component("credential_provider", lambda: _chain(session, environ))
    return session


def resolve_keys(environ: Mapping[str, str]) -> Resolved:
    """Ask the sources now and return the keys of the first that has some. Raises botocore's errors, OSError and ValueError."""
    found = new_session(environ).get_credentials()
    if found is None:
        raise NoCredentialsError
    frozen = found.get_frozen_credentials()
    return Resolved(AccessKeys(frozen.access_key, frozen.secret_key, frozen.token or None), _seconds_left(found))


def file_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """The configuration file's values for variables that `environ` does not set, by name. Raises botocore's errors."""
    if not _has_files(environ):  # as in Lambda, where making a session takes a tenth of a cold start
        return {}
    session = new_session(environ)
    found = {name: session.get_config_variable(variable) for name, variable in _FILE_SETTINGS.items()}
    settings = {name: str(value) for name, value in found.items() if value}
    for service, variable in ADDRESS_VARIABLES.items():
        address = _configured_address(session, service, environ)
        if address:
            settings[variable] = address
    return settings


def _has_files(environ: Mapping[str, str]) -> bool:
    """Whether there is a file to read. With a profile the answer is yes, so that botocore reports a missing one."""
    if environ.get("AWS_PROFILE") or environ.get("AWS_DEFAULT_PROFILE"):
        return True
    names = (
        environ.get("AWS_CONFIG_FILE") or "~/.aws/config",
        environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials",
    )
    return any(Path(os.path.expandvars(name)).expanduser().is_file() for name in names)


def _configured_address(session: Any, service: str, environ: Mapping[str, str]) -> str | None:
    if session.get_config_variable("ignore_configured_endpoint_urls"):
        return None
    files = session.full_config, session.get_scoped_config()
    found: str | None = configprovider.ConfiguredEndpointProvider(*files, service, environ).provide()
    return found


def _seconds_left(found: Any) -> float:
    """How long credentials are valid. botocore gives no instant; it only tells whether they end within a number of seconds."""
    ends_within = getattr(found, "refresh_needed", None)
    if ends_within is None:
        return math.inf
    return max(0, bisect.bisect_left(range(_LONGEST_SECONDS), 1, key=ends_within) - 1)


def _configure(session: Any, environ: Mapping[str, str]) -> None:
    """Replace the source of each of the session's configuration variables."""
    store = session.get_component("config_store")
    chains = configprovider.ConfigChainFactory(session, environ)
    for name, (in_file, variables, default, convert) in configprovider.BOTOCORE_DEFAUT_SESSION_VARIABLES.items():
        chain = chains.create_config_chain(
            instance_name=name,
            env_var_names=variables,
            config_property_names=in_file,
            default=default,
            conversion_func=convert,
        )
        store.set_config_provider(name, chain)


def _guide_clients(session: Any, environ: Mapping[str, str]) -> None:
    """Pass to each client of the session, STS's and SSO's too, what botocore would read from the process's variables."""
    make = session.create_client

    def create_client(service: str, region_name: str | None = None, **settings: Any) -> Any:
        address = settings.get("endpoint_url") or _configured_address(session, service, environ)
        if settings.get("verify") is None:
            settings["verify"] = session.get_config_variable("ca_bundle") or True
        config = settings.get("config") or Config()
        if config.proxies is None:
            config = config.merge(Config(proxies=proxies(address or "https://", environ)))
        if address is None:  # else botocore would take the process's AWS_ENDPOINT_URL
            config = config.merge(Config(ignore_configured_endpoint_urls=True))
        return make(service, region_name=region_name, **{**settings, "endpoint_url": address, "config": config})

    session.create_client = create_client


def _chain(session: Any, environ: Mapping[str, str]) -> Any:
    """The chain of botocore, with the sources that read variables replaced by ones that read `environ`."""
    chain = credentials.create_credential_resolver(session, region_name=session.get_config_variable("region"))
    profile = session.get_config_variable("profile") or "default"
    variables, container = credentials.EnvProvider(environ), credentials.ContainerProvider(environ)
    own = {
        variables.METHOD: variables,
        container.METHOD: container,
        "assume-role-with-web-identity": _web_identity(session, environ, profile),
        "assume-role": credentials.AssumeRoleProvider(
            load_config=lambda: session.full_config,
            client_creator=session.create_client,
            cache={},
            profile_name=profile,
            credential_sourcer=credentials.CanonicalNameCredentialSourcer(
                [variables, container, chain.get_provider("iam-role")]
            ),
            profile_provider_builder=credentials.ProfileProviderBuilder(session, cache={}),
        ),
        "ec2-credentials-file": credentials.OriginalEC2Provider(environ),
        "boto-config": credentials.BotoProvider(environ),
    }
    chain.providers = [own.get(provider.METHOD, provider) for provider in chain.providers]
    return chain


def _web_identity(session: Any, environ: Mapping[str, str], profile: str) -> Any:
    """A role that a token file assumes (IRSA), named by the variables of `environ`, else by the profile."""

    def settings() -> dict[str, Any]:
        named = {name: environ[variable] for name, variable in _WEB_IDENTITY.items() if environ.get(variable)}
        of_profile = session.full_config.get("profiles", {}).get(profile, {})
        return {"profiles": {profile: {**of_profile, **named}}}

    return credentials.AssumeRoleWithWebIdentityProvider(
        load_config=settings,
        client_creator=session.create_client,
        profile_name=profile,
        cache={},
        disable_env_vars=True,
    )
