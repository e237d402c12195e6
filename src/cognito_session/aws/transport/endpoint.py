"""The address and the region of a service, from arguments and the environment.

Rules: variables mean the same as in AWS's SDKs. Plain http goes to loopback hosts only, unless a developer names others,
because these calls carry tokens. One strict pattern reads an address, so that the checked host and the host that the
transport connects to cannot differ. Must not know transports.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from cognito_session.core.checks import setting
from cognito_session.core.errors import ConfigurationError
from cognito_session.core.partition import service_host

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "ADDRESS_VARIABLES",
    "Endpoints",
    "check_address",
    "endpoint_for",
    "is_loopback_http",
    "plain_http_hosts",
    "wants_fips",
]

# Service id in requests -> its part of AWS_ENDPOINT_URL_<SERVICE>
# (https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html).
ADDRESS_VARIABLES: Final = {
    "dynamodb": "AWS_ENDPOINT_URL_DYNAMODB",
    "cognito-idp": "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER",
    "secretsmanager": "AWS_ENDPOINT_URL_SECRETS_MANAGER",
}
_PLAIN_HTTP_HOSTS: Final = "SESSION_PLAIN_HTTP_HOSTS"
_REGION: Final = re.compile(r"[a-z0-9-]{2,40}")
_ADDRESS: Final = re.compile(r"(https?)://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?(?:/[!-~]*)?")
_HOST: Final = r"[a-z0-9._-]+|\[[0-9a-f:]+\]"
_LOOPBACK: Final = r"(?i:localhost)|127(?:\.[0-9]{1,3}){3}|\[::1\]"


def check_address(address: str, source: str, environ: Mapping[str, str] | None = None) -> str:
    """Return `address` if it may be called: https, or http to localhost, 127.0.0.0/8, ::1 and the hosts of plain_http_hosts.

    `source` names the setting in the message. Raises ConfigurationError.
    """
    match = _ADDRESS.fullmatch(address)
    if match is None:
        raise ConfigurationError(f"{source}: expected an address like https://host or http://localhost:4566")
    if match[1] == "http" and not re.fullmatch(_LOOPBACK, match[2]) and match[2].lower() not in plain_http_hosts(environ or {}):
        allowed = (
            f"; use https, or on a developer's machine name the host in {_PLAIN_HTTP_HOSTS}"
            if environ is not None
            else "; use https"
        )
        raise ConfigurationError(
            f"{source}: plain http is allowed only to localhost, 127.0.0.0/8 and ::1, not to {match[2]}{allowed}"
        )
    return address


def plain_http_hosts(environ: Mapping[str, str]) -> frozenset[str]:
    """The hosts to which SESSION_PLAIN_HTTP_HOSTS allows plain http, like a neighbouring container's. None by default.

    Raises ConfigurationError.
    """
    hosts = frozenset(host.strip().lower() for host in environ.get(_PLAIN_HTTP_HOSTS, "").split(",")) - {""}
    if not all(re.fullmatch(_HOST, host) for host in hosts):
        raise ConfigurationError(
            f"{_PLAIN_HTTP_HOSTS}: expected names of hosts with commas between them, without scheme and port"
        )
    return hosts


def is_loopback_http(address: str) -> bool:
    """Whether a checked address is plain http. Such an address is never reached through a proxy."""
    return address.startswith("http://")


def endpoint_for(service: str, region: str, environ: Mapping[str, str]) -> str:
    """The service's address without a trailing slash: the configured one, else AWS's own for the region.

    AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT choose among AWS's own, as in its SDKs. A pool's key set is at
    `{endpoint_for("cognito-idp", ...)}/{pool id}/.well-known/jwks.json`.
    Raises ConfigurationError for a malformed region or address.
    """
    configured = _configured(service, environ)
    if configured is not None:
        return configured
    if not _REGION.fullmatch(region):
        raise ConfigurationError("the AWS region: expected a name like eu-central-1")
    dual_stack = _is_on(environ, "AWS_USE_DUALSTACK_ENDPOINT")
    return f"https://{service_host(service, region, fips=wants_fips(environ), dual_stack=dual_stack)}"


def wants_fips(environ: Mapping[str, str]) -> bool:
    """Whether AWS_USE_FIPS_ENDPOINT asks for endpoints with FIPS 140 cryptography."""
    return _is_on(environ, "AWS_USE_FIPS_ENDPOINT")


def _is_on(environ: Mapping[str, str], variable: str) -> bool:
    return (setting(environ, variable) or "").lower() == "true"


def _configured(service: str, environ: Mapping[str, str]) -> str | None:
    """The service's address in the environment, checked. Empty means unset."""
    if _is_on(environ, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"):
        return None
    for variable in (ADDRESS_VARIABLES[service], "AWS_ENDPOINT_URL"):
        if address := setting(environ, variable):
            return check_address(address, variable, environ).rstrip("/")
    return None


class Endpoints:
    """Address and region of each service: arguments first, then the environment.

    `regions` and `addresses` are by service ("dynamodb", "cognito-idp", "secretsmanager"); `region` is for services
    without an entry, before AWS_REGION and AWS_DEFAULT_REGION.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        region: str | None = None,
        regions: Mapping[str, str] | None = None,
        addresses: Mapping[str, str] | None = None,
    ) -> None:
        self._environ = environ
        self._region = region
        self._regions = regions or {}
        self._addresses = addresses or {}
        self._found: dict[str, tuple[str, str]] = {}

    def region(self, service: str) -> str | None:
        """The service's region, or None if neither names it (botocore may find one in a profile)."""
        environ = self._environ
        named = self._regions.get(service) or self._region
        return named or setting(environ, "AWS_REGION") or setting(environ, "AWS_DEFAULT_REGION")

    def configured(self, service: str) -> str | None:
        """The service's configured address without a trailing slash; None means AWS's own."""
        if address := self._addresses.get(service):
            return check_address(address, f"the endpoint of {service}", self._environ).rstrip("/")
        return _configured(service, self._environ)

    def locate(self, service: str) -> tuple[str, str]:
        """(address, region) of the service. Raises ConfigurationError if the region is not set."""
        found = self._found.get(service)
        if found is None:
            found = self._found[service] = self._look_up(service)
        return found

    def _look_up(self, service: str) -> tuple[str, str]:
        region = self.region(service)
        if region is None:
            raise ConfigurationError(
                f"the AWS region of {service} is not set: set AWS_REGION (or AWS_DEFAULT_REGION), e.g. eu-central-1"
            )
        return self.configured(service) or endpoint_for(service, region, self._environ), region
