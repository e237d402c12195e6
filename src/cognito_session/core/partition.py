"""AWS partitions: which one a region is in, and the hosts, issuers and ARNs that follow from it.

Rule: every name of AWS's that depends on the partition is made here, from one table that is generated from botocore's data
(partition_table.py). It must not know environments or transports.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from cognito_session.core.errors import ConfigurationError
from cognito_session.core.partition_table import EXCEPTIONS, PARTITIONS

__all__ = ["Partition", "arn", "issuers_of", "login_host", "partition_of", "service_host"]

_STANDARD_SUFFIX: Final = "amazonaws."


class Partition(NamedTuple):
    """A partition's id, as in ARNs, and its DNS suffixes; `forms` is the table's word on each service."""

    id: str
    suffix: str
    dual_stack_suffix: str
    forms: dict[str, str]


def partition_of(region: str) -> Partition:
    """The region's partition; "aws" for names that no other one has."""
    for name, prefix, suffix, dual_stack_suffix, forms in PARTITIONS:
        if region.startswith(prefix):
            return Partition(name, suffix, dual_stack_suffix, forms)
    raise ConfigurationError(f"the AWS region {region} is in no partition")


def service_host(service: str, region: str, *, fips: bool = False, dual_stack: bool = False) -> str:
    """The host of "cognito-idp", "dynamodb" or "secretsmanager", e.g. "dynamodb-fips.us-east-1.api.aws" for both flags."""
    partition = partition_of(region)
    form = EXCEPTIONS.get((service, region), partition.forms[service])[fips + 2 * dual_stack]
    name = f"{service}-fips" if form in "fb" else service
    return f"{name}.{region}.{partition.dual_stack_suffix if form in 'db' else partition.suffix}"


def issuers_of(user_pool_id: str) -> tuple[str, str]:
    """The pool's issuer in both of its forms (API_IssuerConfigurationType); endpoints and flags do not change them."""
    region = user_pool_id.partition("_")[0]
    suffix = partition_of(region).suffix
    hosts = (f"cognito-idp.{region}.{suffix}", f"issuer-cognito-idp.{region}.{suffix}")
    return f"https://{hosts[0]}/{user_pool_id}", f"https://{hosts[1]}/{user_pool_id}"


def login_host(prefix: str, region: str, *, fips: bool = False) -> str:
    """The host of managed login for a domain prefix. Raises ConfigurationError for partitions without such domains.

    GovCloud has FIPS endpoints only: https://docs.aws.amazon.com/govcloud-us/latest/UserGuide/govcloud-cog.html
    """
    partition = partition_of(region)
    if not partition.suffix.startswith(_STANDARD_SUFFIX):
        raise ConfigurationError(
            f"COGNITO_DOMAIN: no form of a domain prefix is known for {region}; expected the whole host, like auth.example.com"
        )
    name = "auth-fips" if partition.id == "aws-us-gov" or (fips and region.startswith("us-")) else "auth"
    return f"{prefix}.{name}.{region}.amazoncognito.{partition.suffix.removeprefix(_STANDARD_SUFFIX)}"


def arn(service: str, region: str, account: str, resource: str) -> str:
    """The ARN of a resource in the region's partition."""
    return f"arn:{partition_of(region).id}:{service}:{region}:{account}:{resource}"
