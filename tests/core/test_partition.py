"""Partitions: the table is botocore's, and every name that depends on a partition is made from it."""

from __future__ import annotations

import re
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

import cognito_session
from cognito_session.aws.oauth import domain_address
from cognito_session.aws.transport.endpoint import endpoint_for
from cognito_session.core.crypto.access_token import TokenRules
from cognito_session.core.errors import ConfigurationError
from cognito_session.core.partition import arn, partition_of, service_host
from cognito_session.core.partition_table import BOTOCORE as MADE_FROM
from partitions import BOTOCORE, FLAGS, SERVICES, TABLE, expected_host, generated, regions

SOURCE = Path(cognito_session.__file__).parent
made_from_this = pytest.mark.skipif(
    BOTOCORE < MADE_FROM, reason="an older botocore than the table is made from has older rules"
)
REGIONS = [(partition, region) for partition, names in regions().items() for region in names]


@made_from_this
def test_the_table_is_what_botocore_says():
    """Generated again it is the same; where not, run `make partitions` and read what has changed."""
    assert TABLE.read_text() == generated()


@made_from_this
@pytest.mark.parametrize(("partition", "region"), REGIONS)
def test_every_endpoint_is_botocores(partition, region):
    """Each service, region and pair of flags has the host that botocore's own rules name, and is in its partition."""
    assert partition_of(region).id == partition
    for service in SERVICES:
        for fips, dual_stack in FLAGS:
            expected = expected_host(service, region, fips=fips, dual_stack=dual_stack)
            assert service_host(service, region, fips=fips, dual_stack=dual_stack) == expected
            environ = {"AWS_USE_FIPS_ENDPOINT": str(fips), "AWS_USE_DUALSTACK_ENDPOINT": str(dual_stack)}
            assert endpoint_for(service, region, environ) == f"https://{expected}"


@made_from_this
@pytest.mark.parametrize("flags", FLAGS)
@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "us-gov-west-1", "cn-north-1", "eusc-de-east-1"])
def test_a_client_of_boto3_dials_the_same(region, flags):
    """The control: the request of a client that boto3 makes goes to the host that we compute."""
    config = Config(use_fips_endpoint=flags[0], use_dualstack_endpoint=flags[1])
    client = boto3.Session("a", "b", region_name=region).client("dynamodb", config=config)
    sent = []

    def stop(request, **_):
        sent.append(request.url)
        raise InterruptedError

    client.meta.events.register("before-send", stop)
    with pytest.raises(InterruptedError):
        client.list_tables()
    assert sent == [f"https://{service_host('dynamodb', region, fips=flags[0], dual_stack=flags[1])}/"]


@pytest.mark.parametrize(
    ("pool", "suffix"),
    [
        ("eu-central-1_A", "eu-central-1.amazonaws.com"),
        ("us-gov-west-1_A", "us-gov-west-1.amazonaws.com"),
        ("cn-north-1_A", "cn-north-1.amazonaws.com.cn"),
        ("eusc-de-east-1_A", "eusc-de-east-1.amazonaws.eu"),
        ("us-iso-east-1_A", "us-iso-east-1.c2s.ic.gov"),
        ("us-isob-east-1_A", "us-isob-east-1.sc2s.sgov.gov"),
        ("eu-isoe-west-1_A", "eu-isoe-west-1.cloud.adc-e.uk"),
        ("us-isof-south-1_A", "us-isof-south-1.csp.hci.ic.gov"),
    ],
)
def test_issuers(pool, suffix):
    """Both forms of issuer end as the partition's names do."""
    found = TokenRules.of_pool(pool, "client").issuers
    assert found == {f"https://cognito-idp.{suffix}/{pool}", f"https://issuer-cognito-idp.{suffix}/{pool}"}


@pytest.mark.parametrize(
    ("region", "fips", "host"),
    [
        ("eu-central-1", False, "my-app.auth.eu-central-1.amazoncognito.com"),
        ("us-east-1", True, "my-app.auth-fips.us-east-1.amazoncognito.com"),
        ("eu-central-1", True, "my-app.auth.eu-central-1.amazoncognito.com"),
        ("us-gov-west-1", False, "my-app.auth-fips.us-gov-west-1.amazoncognito.com"),
        ("cn-north-1", False, "my-app.auth.cn-north-1.amazoncognito.com.cn"),
        ("eusc-de-east-1", False, "my-app.auth.eusc-de-east-1.amazoncognito.eu"),
    ],
)
def test_managed_login(region, fips, host):
    """A domain prefix has its host in each partition; GovCloud's is always the one with FIPS."""
    assert domain_address("my-app", region, {"AWS_USE_FIPS_ENDPOINT": str(fips)}) == f"https://{host}"


def test_managed_login_where_no_prefix_is_known():
    """For an isolated partition a prefix is an error that asks for the host; a host works."""
    with pytest.raises(ConfigurationError, match="whole host"):
        domain_address("my-app", "us-iso-east-1", {})
    assert domain_address("auth.example.gov", "us-iso-east-1", {}) == "https://auth.example.gov"


def test_arns():
    """An ARN names its partition."""
    assert arn("dynamodb", "us-isob-east-1", "1", "table/t") == "arn:aws-iso-b:dynamodb:us-isob-east-1:1:table/t"
    assert arn("dynamodb", "eu-west-1", "1", "table/t") == "arn:aws:dynamodb:eu-west-1:1:table/t"


def test_no_name_of_a_partition_is_written_by_hand():
    """Outside of the table no source spells a DNS suffix or an ARN's beginning (com.amazonaws is an error's namespace)."""
    suffixes = {part for each in regions() for part in (partition_of(regions()[each][0]).suffix,)}
    names = "|".join(re.escape(f".{suffix}") for suffix in suffixes)
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        if path == TABLE:
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            written = re.search(rf"arn:aws|{names}", line)
            if written:
                found.append(f"{path.relative_to(SOURCE)}:{number}: {written[0]}")
    assert found == []
