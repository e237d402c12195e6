"""Keys of roles and profiles: botocore resolves them, the wire signs and sends with them, whichever wire it is."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from aws.echo_server import EchoServer
from aws.key_servers import SESSION_TOKEN, Container, Instance, Sso, Sts
from cognito_session.aws.transport.access_keys import AccessKeys, keys_in
from cognito_session.aws.transport.botocore import BotocoreWire
from cognito_session.aws.transport.botocore_chain import file_settings, new_session, resolve_keys
from cognito_session.aws.transport.credentials import Credentials
from cognito_session.aws.transport.curl import CurlWire
from cognito_session.aws.transport.endpoint import Endpoints
from cognito_session.aws.transport.interface import NotSent, ServiceError
from cognito_session.aws.transport.open import open_wire
from cognito_session.aws.transport.renewed_keys import RenewedKeys, Resolved
from cognito_session.configuration import Configuration
from cognito_session.core.errors import ConfigurationError
from cognito_session.testing import ManualClock
from support.stack import eventually, in_thread, joined

ROLE = "arn:aws:iam::123456789012:role/app"
TABLE_ARN = "arn:aws:dynamodb:eu-west-3:123456789012:table/t"
KEY = {"TableName": "t", "Key": {"sub": {"S": "k"}}}


@pytest.fixture
def table():
    """A server that records how calls were signed."""
    server = EchoServer()
    yield server
    server.stop()


@pytest.fixture
def start():
    """Starts a server of keys, which ends with the test."""
    servers = []

    def start(kind):
        servers.append(kind())
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """An environment with nothing of AWS's, while the process's own holds misleading settings."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_PROFILE", "of-the-process")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://of-the-process.invalid")
    monkeypatch.setenv("https_proxy", "http://of-the-process.invalid:1")
    return {
        "AWS_REGION": "eu-central-1",
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "HOME": str(tmp_path),
    }


def environment(source, bare, start, tmp_path):
    """The environment of a machine with that source of keys, and what its keys' ids begin with."""
    if source in ("ECS", "SnapStart"):
        server = start(Container)
        named = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{server.url}/v1/credentials"}
        return {**bare, **named, "AWS_CONTAINER_AUTHORIZATION_TOKEN": server.authorization}, "ASIACONTAINER"
    if source == "EKS Pod Identity":
        server = start(Container)
        (tmp_path / "token").write_text(server.authorization)
        named = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": server.url}
        return {**bare, **named, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(tmp_path / "token")}, "ASIACONTAINER"
    if source == "IMDS":
        named = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": start(Instance).url, "AWS_EC2_METADATA_DISABLED": "false"}
        return {**bare, **named}, "ASIAINSTANCE"
    if source == "IRSA":
        (tmp_path / "token").write_text("a-web-identity-token")
        named = {"AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token")}
        return {**bare, **named, "AWS_ENDPOINT_URL_STS": start(Sts).url}, "ASIASTS"
    profiles = {
        "profile": "[default]\naws_access_key_id = AKIAFILE\naws_secret_access_key = s\n",
        "credential_process": f"[default]\ncredential_process = {sys.executable} {tmp_path / 'program.py'}\n",
        "profile's role": f"[default]\nrole_arn = {ROLE}\nsource_profile = base\n"
        "[profile base]\naws_access_key_id = AKIABASE\naws_secret_access_key = s\n",
    }
    (tmp_path / "config").write_text(profiles[source])
    printed = {"Version": 1, "AccessKeyId": "AKIAPROGRAM", "SecretAccessKey": "s"}
    (tmp_path / "program.py").write_text(f"print('''{json.dumps(printed)}''')")
    sts = {"AWS_ENDPOINT_URL_STS": start(Sts).url}
    prefix = {"profile": "AKIAFILE", "credential_process": "AKIAPROGRAM", "profile's role": "ASIASTS"}
    return {**bare, **sts}, prefix[source]


SOURCES = ["ECS", "EKS Pod Identity", "SnapStart", "IRSA", "IMDS", "profile", "profile's role", "credential_process"]


def make(kind, environ, table):
    """A wire of that kind to the table."""
    environ = {**environ, "AWS_ENDPOINT_URL_DYNAMODB": table.url}
    if kind == "curl":
        wire = open_wire(environ=environ)
        assert isinstance(wire, CurlWire)
        return wire
    return BotocoreWire(Endpoints(environ), environ, Credentials(environ))


def signed_by(wire, table, *, timeout_seconds=5.0):
    """The id of the key that a read was signed with."""
    wire.call("dynamodb", "GetItem", KEY, timeout_seconds=timeout_seconds)
    return table.requests[-1].headers["authorization"].partition("Credential=")[2].partition("/")[0]


@pytest.fixture(params=SOURCES)
def machine(request, bare, start, tmp_path):
    """A machine with each source of keys."""
    return environment(request.param, bare, start, tmp_path)


@pytest.mark.parametrize("kind", ["curl", "botocore"])
def test_every_source_signs(kind, machine, table):
    """The source's keys sign a call over libcurl and over botocore; nothing of the process's own environment is used."""
    environ, prefix = machine
    wire = make(kind, environ, table)
    assert signed_by(wire, table).startswith(prefix)
    token = table.requests[-1].headers.get("x-amz-security-token")
    assert token == (SESSION_TOKEN if prefix.startswith("ASIA") else None)


@pytest.mark.parametrize("kind", ["curl", "botocore"])
def test_sso_signs(kind, bare, start, table, *, tmp_path, monkeypatch):
    """Who has signed in to IAM Identity Center calls with the role's keys."""
    sso, address = start(Sso), "https://example.awsapps.com/start"
    monkeypatch.setattr("botocore.credentials.SSOProvider._SSO_TOKEN_CACHE_DIR", str(tmp_path))
    token = {"accessToken": sso.bearer, "expiresAt": "2099-01-01T00:00:00Z"}
    (tmp_path / f"{hashlib.sha1(address.encode()).hexdigest()}.json").write_text(json.dumps(token))
    role = "sso_region = us-east-1\nsso_account_id = 123456789012\nsso_role_name = app\n"
    (tmp_path / "config").write_text(f"[default]\nsso_start_url = {address}\n{role}")
    wire = make(kind, {**bare, "AWS_ENDPOINT_URL_SSO": sso.url}, table)
    assert signed_by(wire, table) == "ASIASSO1"
    assert table.requests[-1].headers["x-amz-security-token"] == SESSION_TOKEN


def test_sts_is_asked_in_the_region(bare, start, table, tmp_path):
    """AWS_REGION alone, which botocore does not read, is the region of STS: other partitions have no other."""
    environ, _ = environment("IRSA", bare, start, tmp_path)
    del environ["AWS_ENDPOINT_URL_STS"]
    session = new_session({**environ, "AWS_REGION": "cn-north-1"})
    client = session.create_client("sts", aws_access_key_id="a", aws_secret_access_key="b")
    assert client.meta.endpoint_url == "https://sts.cn-north-1.amazonaws.com.cn"


def test_one_resolution_for_a_crowd(bare, start, table, tmp_path):
    """Callers without keys wait for one resolution, each no longer than its own limit; the answer then serves all."""
    environ, _ = environment("ECS", bare, start, tmp_path)
    wire = make("curl", environ, table)
    container = start.__closure__[0].cell_contents[0]
    container.gate.clear()
    with pytest.raises(NotSent, match=r"within 0\.2 s"):
        wire.call("dynamodb", "GetItem", KEY, timeout_seconds=0.2)
    calls = [in_thread(signed_by, wire, table, timeout_seconds=10) for _ in range(8)]
    assert eventually(lambda: container.asked)
    container.gate.set()
    assert set(joined(calls)) == {"ASIACONTAINER1"}
    assert len(container.asked) == 1


class Source:
    """A fake chain of sources: the result of the next resolution, and a gate that holds it."""

    def __init__(self):
        self.next = Resolved(AccessKeys("K1", "s"), 3600)
        self.asked = 0

    def __call__(self):
        self.asked += 1
        if isinstance(self.next, Exception):
            raise self.next
        return self.next


@pytest.fixture
def source():
    return Source()


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def keys(source, clock):
    return RenewedKeys(source, clock)


def read(keys):
    return keys.read("dynamodb.GetItem", 5.0).key_id


def test_renewed_in_the_background_before_the_end(keys, source, clock):
    """A quarter of an hour before the end the present keys still serve, and one renewal begins beside them."""
    assert read(keys) == "K1"
    clock.advance(3600 - 901)
    assert (read(keys), source.asked) == ("K1", 1)
    source.next = Resolved(AccessKeys("K2", "s"), 3600)
    clock.advance(2)
    assert read(keys) == "K1"
    assert eventually(lambda: read(keys) == "K2")
    assert source.asked == 2


def test_a_failed_renewal_keeps_valid_keys(keys, source, clock, caplog):
    """Valid keys serve whatever becomes of their renewal, tried once a minute and told in the log; expired ones do not."""
    read(keys)
    clock.advance(3000)
    source.next = ConnectionError("metadata is down")
    with caplog.at_level(logging.WARNING, "cognito_session"):
        assert read(keys) == "K1"
        assert eventually(lambda: caplog.records)
    assert "600 s" in caplog.text
    assert [read(keys) for _ in range(5)] == ["K1"] * 5
    assert source.asked == 2
    clock.advance(61)
    read(keys)
    assert eventually(lambda: source.asked == 3)
    clock.advance(600)
    with pytest.raises(NotSent):
        read(keys)
    source.next = Resolved(AccessKeys("K2", "s"), 3600)
    clock.advance(2)
    assert read(keys) == "K2"


def test_a_failure_answers_a_crowd(keys, source, clock):
    """Within a second the same failure answers everybody, so that a source in trouble is not stormed."""
    source.next = ConnectionError("down")
    for _ in range(5):
        with pytest.raises(NotSent):
            read(keys)
    assert source.asked == 1


def test_keys_without_an_end_stay(keys, source, clock):
    """Keys of a file are resolved once, until AWS refuses them; then they are resolved again at once, but not repeatedly."""
    source.next = Resolved(AccessKeys("K1", "s"))
    read(keys)
    clock.advance(90 * 86_400)
    assert (read(keys), source.asked) == ("K1", 1)
    source.next = Resolved(AccessKeys("K2", "s"))
    keys.refused(AccessKeys("K1", "s"))
    assert (read(keys), source.asked) == ("K2", 2)
    keys.refused(AccessKeys("K2", "s"))
    keys.refused(AccessKeys("K1", "s"))
    assert (read(keys), source.asked) == ("K2", 2)


@pytest.mark.parametrize("kind", ["curl", "botocore"])
def test_keys_that_aws_refuses_are_resolved_anew(kind, bare, start, table, tmp_path):
    """After ExpiredTokenException the next call is signed with what the source says then, as a file that was rewritten."""
    environ, _ = environment("profile", bare, start, tmp_path)
    wire = make(kind, environ, table)
    clock = ManualClock()
    wire._credentials.elsewhere()._clock = clock
    assert signed_by(wire, table) == "AKIAFILE"
    (tmp_path / "config").write_text("[default]\naws_access_key_id = AKIANEW\naws_secret_access_key = s\n")
    clock.advance(60)
    assert signed_by(wire, table) == "AKIAFILE"
    table.plan.append((400, b'{"__type":"ExpiredTokenException"}', {}))
    with pytest.raises(ServiceError):
        signed_by(wire, table)
    assert signed_by(wire, table) == "AKIANEW"


def test_a_thawed_process_resolves_anew(keys, source, clock):
    """Keys that ended while the machine was frozen are not used: the wall clock decides, not the one that stood still."""
    read(keys)
    source.next = Resolved(AccessKeys("K2", "s"), 3600)
    clock._now += 7200
    assert read(keys) == "K2"


def test_how_long_keys_live_is_found_out(bare, start, tmp_path):
    """The end of botocore's keys is known to the second."""
    environ, _ = environment("ECS", bare, start, tmp_path)
    start.__closure__[0].cell_contents[0].life_seconds = 5000
    assert 4990 < resolve_keys(environ).seconds_left <= 5000


def test_settings_of_the_file(bare, tmp_path):
    """Region, endpoints, authorities and flags of the configuration file hold, as they do where botocore sends."""
    (tmp_path / "config").write_text(
        "[profile app]\nregion = eu-north-1\nca_bundle = /ca.pem\nuse_fips_endpoint = true\nservices = s\n"
        "[services s]\ndynamodb =\n  endpoint_url = https://dynamodb.example\n"
    )
    del bare["AWS_REGION"]
    found = file_settings({**bare, "AWS_PROFILE": "app"})
    assert found == {
        "AWS_REGION": "eu-north-1",
        "AWS_CA_BUNDLE": "/ca.pem",
        "AWS_USE_FIPS_ENDPOINT": "True",
        "AWS_ENDPOINT_URL_DYNAMODB": "https://dynamodb.example",
    }


def test_no_session_is_made_for_files_that_are_not_there(bare, monkeypatch):
    """Without a file and a profile nothing of botocore's is asked; with a profile the missing file is an error."""
    monkeypatch.setattr("cognito_session.aws.transport.botocore_chain.new_session", None)
    assert file_settings(bare) == {}
    monkeypatch.undo()
    with pytest.raises(ConfigurationError, match="missing"):
        open_wire(environ={**bare, "AWS_PROFILE": "missing"})


@pytest.mark.parametrize("kind", ["curl", "botocore"])
def test_the_tables_region_is_signed_for(kind, table):
    """SESSION_TABLE_REGION, or the region in the table's ARN, is where DynamoDB is called; the pool's stays its own."""
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}
    for named in ({"session_table": "tab", "session_table_region": "eu-west-3"}, {"session_table": TABLE_ARN}):
        names = Configuration.from_env(keys, client_id="c", user_pool_id="eu-north-1_A", **named)
        environ = {**keys, "AWS_ENDPOINT_URL_DYNAMODB": table.url}
        where = Endpoints(environ, regions=names.regions)
        wire = {"curl": CurlWire, "botocore": BotocoreWire}[kind](where, environ, Credentials(environ))
        signed_by(wire, table)
        assert "/eu-west-3/dynamodb/aws4_request" in table.requests[-1].headers["authorization"]
        assert where.locate("cognito-idp") == ("https://cognito-idp.eu-north-1.amazonaws.com", "eu-north-1")


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, None),
        ({"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}, AccessKeys("a", "b")),
        ({"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_SESSION_TOKEN": "c"}, AccessKeys("a", "b", "c")),
        ({"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_SECURITY_TOKEN": "c"}, AccessKeys("a", "b", "c")),
        ({"AWS_SECRET_ACCESS_KEY": "b"}, None),
    ],
)
def test_keys_in_the_environment(variables, expected):
    """A pair of keys, with the session token under its present or its older name; nothing without a key id."""
    assert keys_in(variables) == expected
    assert "'b'" not in repr(keys_in(variables))
    assert "'c'" not in repr(keys_in(variables))


def test_half_a_pair():
    """A key id without its secret is an error that names what is missing."""
    with pytest.raises(ConfigurationError, match="AWS_SECRET_ACCESS_KEY"):
        keys_in({"AWS_ACCESS_KEY_ID": "a"})


FORK = """
import os, sys, threading, signal
signal.alarm(25)
from cognito_session.aws.transport.access_keys import AccessKeys
from cognito_session.aws.transport.renewed_keys import RenewedKeys, Resolved
gate = threading.Event()
parent = os.getpid()
def resolve():
    if os.getpid() == parent: gate.wait(20)
    return Resolved(AccessKeys(f"of {'parent' if os.getpid() == parent else 'child'}", "s"), 3600)
keys = RenewedKeys(resolve)
waiting = threading.Thread(target=lambda: keys.read("x", 20))
waiting.start()
while keys._renewal is None: pass
with keys._lock:
    child = os.fork()
if not child: os._exit(0 if keys.read("x", 10).key_id == "of child" else 3)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
gate.set(); waiting.join()
print(keys.read("x", 1).key_id)
"""


def test_fork_during_a_renewal():
    """A child forked while a renewal runs, its lock held, resolves by itself at once; the parent's goes on."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORK],
        env={"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2] / "src"), *sys.path])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.split("\n")[:2] == ["0", "of parent"], done.stderr
