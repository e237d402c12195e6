"""TLS to AWS: the certificate must be for the host that is called, and no version before 1.2 is spoken."""

from __future__ import annotations

import socket
import ssl

import pycurl
import pytest

from aws.echo_server import EchoServer, write_certificate
from cognito_session.aws.transport import curl as wire_curl
from support.stack import Program

both = pytest.mark.parametrize("kind", ["curl", "botocore"])

CALLS = """
import sys
from cognito_session.aws.transport.interface import NotSent
from cognito_session.aws.transport.open import open_wire
if sys.argv[1] == "botocore":
    sys.modules["pycurl"] = None
environ = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}
LOGIN = {"AuthFlow": "REFRESH_TOKEN_AUTH", "ClientId": "c", "AuthParameters": {"REFRESH_TOKEN": "r"}}
link = open_wire(environ={**environ, "AWS_ENDPOINT_URL": sys.argv[2], "AWS_CA_BUNDLE": sys.argv[3]})
for work in (
    lambda: link.get(sys.argv[2] + "/keys.json", timeout_seconds=5),
    lambda: link.call("dynamodb", "GetItem", {"TableName": "t", "Key": {"sub": {"S": "v"}}}, timeout_seconds=5),
    lambda: link.call("cognito-idp", "InitiateAuth", LOGIN, timeout_seconds=5, signed=False, once=True),
    lambda: link.post_form(sys.argv[2] + "/token", {"a": "b"}, timeout_seconds=5),
):
    try:
        print("answered", work() is not None, flush=True)
    except NotSent:
        print("NotSent", flush=True)
    except Exception as error:
        print(type(error).__name__, flush=True)
"""

LOOSE = """
openssl_conf = main
[main]
ssl_conf = defaults
[defaults]
system_default = loose
[loose]
MinProtocol = TLSv1
CipherString = ALL:@SECLEVEL=0
"""


def called(kind, url, bundle, **environment):
    """What a document, a read, a refresh and a token request meet in a process of their own."""
    program = Program(CALLS, kind, url, bundle, environment=environment or None)
    try:
        return program.finish().split("\n")
    finally:
        program.end()


@both
@pytest.mark.parametrize("host", ["127.0.0.2", "other.example"])
def test_a_certificate_for_another_host_is_refused(tmp_path, kind, host):
    """A trusted authority vouches for it, but not for the host that is called: nothing is sent, whatever the call."""
    certificate = write_certificate(tmp_path, host)
    server = EchoServer(certificate=certificate)
    try:
        assert called(kind, server.url, certificate) == ["NotSent"] * 4
    finally:
        server.stop()
    assert server.requests == []


@both
def test_a_certificate_for_the_host_is_accepted(tmp_path, kind):
    """The control: the same authority and server, and the name is right."""
    certificate = write_certificate(tmp_path)
    server = EchoServer(certificate=certificate)
    try:
        assert "NotSent" not in called(kind, server.url, certificate)
    finally:
        server.stop()
    assert len(server.requests) >= 3


@both
def test_tls_before_1_2_is_refused(tmp_path, kind):
    """A server that knows TLS 1.1 only, on a machine whose OpenSSL would take it: nothing is sent."""
    certificate, loose = write_certificate(tmp_path), tmp_path / "openssl.cnf"
    loose.write_text(LOOSE)
    server = EchoServer(certificate=certificate)
    server._tls.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        server._tls.minimum_version = ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        server._tls.maximum_version = ssl.TLSVersion.TLSv1_1
    try:
        assert _speaks_1_1(server.port)
        assert called(kind, server.url, certificate, OPENSSL_CONF=str(loose)) == ["NotSent"] * 4
    finally:
        server.stop()
    assert server.requests == []


def _speaks_1_1(port: int) -> bool:
    """The control: a client that takes any version gets through."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", port)) as raw, context.wrap_socket(raw) as connection:
        return connection.version() == "TLSv1.1"


def test_the_floor_is_asked_of_libcurl():
    """Newer libcurls refuse TLS 1.1 by default and older ones do not, so that the setting itself is looked at."""
    assert (pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2) in wire_curl._ALWAYS
