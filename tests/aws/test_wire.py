"""The wire, both implementations: what is sent, how often, and what comes back when things go wrong."""

from __future__ import annotations

import inspect
import json
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import boto3
import pycurl
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from botocore.exceptions import HTTPClientError

from aws.echo_server import EchoServer, write_certificate
from cognito_session.aws.transport import curl
from cognito_session.aws.transport.botocore import BotocoreWire
from cognito_session.aws.transport.credentials import Credentials
from cognito_session.aws.transport.curl import CurlWire
from cognito_session.aws.transport.endpoint import Endpoints, check_address, endpoint_for
from cognito_session.aws.transport.interface import AnswerLost, NotSent, ServiceError, Wire, one_line
from cognito_session.aws.transport.open import _patched_by, open_wire
from cognito_session.core.errors import ConfigurationError
from cognito_session.core.secret import Secret
from support.stack import eventually

KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalr/XUtn+FEMI=K7"}
BASE = {**KEYS, "AWS_REGION": "eu-central-1"}
LOGIN = {"AuthFlow": "REFRESH_TOKEN_AUTH", "ClientId": "c1", "AuthParameters": {"REFRESH_TOKEN": "very-secret"}}
SESSION = boto3.Session("AKIDEXAMPLE", "secret", region_name="eu-central-1")

both = pytest.mark.parametrize("kind", ["curl", "botocore"])


def make(kind, url=None, **environ):
    """The wire of that kind, with credentials, speaking to `url`."""
    environ = {**BASE, **({"AWS_ENDPOINT_URL": url} if url else {}), **environ}
    wire = open_wire(environ=environ, boto3_session=SESSION if kind == "botocore" else None)
    assert isinstance(wire, CurlWire if kind == "curl" else BotocoreWire)
    return wire


def read(wire, key="k", *, timeout_seconds=2.0, **options):
    """A consistent GetItem; the server's answer holds the key."""
    payload = {"TableName": "t", "Key": {"sub": {"S": key}}, "ConsistentRead": True}
    return wire.call("dynamodb", "GetItem", payload, timeout_seconds=timeout_seconds, **options)


def refresh(wire, *, timeout_seconds=2.0):
    """A once call, as the refresh is sent."""
    call = wire.call("cognito-idp", "InitiateAuth", LOGIN, timeout_seconds=timeout_seconds, signed=False, once=True)
    return call["Session"]


@pytest.fixture
def server():
    """A server in threads of this process."""
    server = EchoServer()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A PEM file with the key and certificate of a TLS server."""
    return write_certificate(tmp_path_factory.mktemp("tls"))


@both
def test_round_trip(kind, server):
    """A call brings back the service's JSON, is signed, and names its operation and its JSON version."""
    assert read(make(kind, server.url), "ü")["Item"]["sub"] == {"S": "ü"}
    headers = server.requests[0].headers
    assert headers["x-amz-target"] == "DynamoDB_20120810.GetItem"
    assert headers["content-type"] == "application/x-amz-json-1.0"
    assert "/eu-central-1/dynamodb/aws4_request" in headers["authorization"]


@both
def test_unsigned(kind, server):
    """An unsigned call carries no signature, and Cognito and Secrets Manager are spoken to in JSON 1.1."""
    wire = make(kind, server.url)
    assert refresh(wire) == "answered"
    wire.call("secretsmanager", "GetSecretValue", {"SecretId": "s"}, timeout_seconds=2)
    first, second = server.requests
    assert "authorization" not in first.headers
    assert json.loads(first.body) == LOGIN
    assert first.headers["x-amz-target"] == "AWSCognitoIdentityProviderService.InitiateAuth"
    assert second.headers["x-amz-target"] == "secretsmanager.GetSecretValue"
    assert {r.headers["content-type"] for r in server.requests} == {"application/x-amz-json-1.1"}


@pytest.mark.parametrize("lacking", ["a libcurl from 7.87 on", "AWS_SIGV4"])
def test_a_pycurl_that_is_too_old_is_not_used(lacking, monkeypatch):
    """Wheels such as pycurl 7.45.3 hold libcurl 7.61: it neither signs nor leaves a hung resolver, so botocore sends."""
    monkeypatch.delitem(sys.modules, "cognito_session.aws.transport.curl", raising=False)
    if lacking == "AWS_SIGV4":
        monkeypatch.delattr(pycurl, lacking)
    else:
        monkeypatch.setattr(pycurl, "version_info", lambda: (0, "7.61.1", 0x073D01))
    environ = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "eu-west-1"}
    assert type(open_wire(environ=environ)).__name__ == "BotocoreWire"


def test_a_pycurl_without_a_name_for_retry_after_still_works(server, monkeypatch):
    """Before 7.48 pycurl has no RETRY_AFTER: calls work, and an error goes without the seconds."""
    monkeypatch.setattr("cognito_session.aws.transport.curl._RETRY_AFTER", None)
    server.plan.append((400, json.dumps({"__type": "X"}).encode(), {"Retry-After": "7"}))
    with pytest.raises(ServiceError) as caught:
        make("curl", server.url).call("dynamodb", "PutItem", {}, timeout_seconds=2)
    assert (caught.value.code, caught.value.retry_after) == ("X", None)


@both
def test_service_error(kind, server):
    """An error answer keeps code, status, body and Retry-After, and none of its texts shows what it holds."""
    item = {"token": {"S": "very-secret"}}
    body = {"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException", "message": "secret text"}
    server.plan.append((400, json.dumps({**body, "Item": item}).encode(), {"Retry-After": "7"}))
    payload = {"TableName": "t", "Item": {"sub": {"S": "my-secret"}}, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    with pytest.raises(ServiceError) as caught:
        make(kind, server.url).call("dynamodb", "PutItem", payload, timeout_seconds=2)
    error = caught.value
    assert (error.code, error.status, error.retry_after) == ("ConditionalCheckFailedException", 400, 7)
    assert error.body["Item"] == item
    assert error.message == "secret text"
    assert str(error) == "dynamodb.PutItem: ConditionalCheckFailedException (HTTP 400)"
    assert "secret" not in repr(error)
    assert error.__cause__ is None
    assert error.__context__ is None


@both
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (503, b"<html>busy</html>"),
        (503, b"busy"),
        (500, b""),
        (400, b"[]"),
        (200, b"<html>sign in to our wifi</html>"),
        (200, b""),
        (200, b'{"Item": '),
        (200, b"null"),
        (302, b""),
        (400, b'{"__type": 5}'),
        (413, b"{" * 5000),
    ],
)
def test_not_aws_json(kind, server, status, body):
    """What is not the service's own JSON is an error named by its status; a strange 200 is no empty answer."""
    server.plan.append((status, body, {"Location": "http://127.0.0.1:1/"}))
    with pytest.raises(ServiceError) as caught:
        read(make(kind, server.url))
    assert (caught.value.code, caught.value.status) == (f"HTTP{status}", status)


@both
def test_once_is_sent_once(kind, server):
    """A once call whose connection drops is not sent again, on a fresh connection even after a warm one."""
    wire = make(kind, server.url)
    assert refresh(wire) == "answered"
    for act in ("drop", "reset"):
        server.plan.append(act)
        with pytest.raises(AnswerLost):
            refresh(wire)
    assert refresh(wire) == "answered"
    assert [r.connection for r in server.requests] == [1, 2, 3, 4]
    assert "very-secret" not in repr(server.plan)


@both
def test_default_is_resent(kind, server):
    """The control: an ordinary call on a kept connection that drops is sent again, so the server's drop is real."""
    wire = make(kind, server.url)
    read(wire)
    server.plan.append("drop")
    assert read(wire)["Item"]
    assert len(server.requests) == 3


@both
def test_resent_to_nobody_is_lost(kind, server):
    """A call that was sent, dropped and then refused is AnswerLost: "connection refused" does not prove NotSent."""
    wire = make(kind, server.url)
    read(wire)
    server.plan.append("stop")
    with pytest.raises(AnswerLost):
        read(wire)


@both
def test_restart(kind, server):
    """A restarted server is used again by the very next call."""
    wire = make(kind, server.url)
    read(wire)
    server.stop()
    server.start()
    assert read(wire, "after")["Item"]["sub"] == {"S": "after"}


@both
def test_idle_close(kind, server):
    """A connection that the server closed while idle costs nothing but a new one."""
    server.idle_seconds = 0.1
    wire = make(kind, server.url)
    read(wire)
    assert eventually(lambda: server.is_idle)
    assert read(wire)["Item"]
    assert [r.connection for r in server.requests] == [1, 2]


@both
@pytest.mark.parametrize("once", [False, True])
def test_hang_ends_at_the_limit(kind, server, once):
    """No answer: AnswerLost at the time limit, not at a default of the library's."""
    wire = make(kind, server.url)
    if kind == "botocore":
        read(wire, timeout_seconds=0.3)  # makes the client, which takes longer than the limit
    server.plan.append("hang")
    started = time.monotonic()
    with pytest.raises(AnswerLost):
        read(wire, timeout_seconds=0.3, once=once)
    assert 0.25 < time.monotonic() - started < 1.0


@both
@pytest.mark.parametrize("once", [False, True])
def test_refused(kind, server, once):
    """A refused connection is NotSent."""
    server.stop()
    with pytest.raises(NotSent):
        read(make(kind, server.url), once=once)


@both
@pytest.mark.parametrize("once", [False, True])
def test_unknown_name(kind, once):
    """A name that does not resolve is NotSent."""
    with pytest.raises(NotSent):
        read(make(kind, "https://nowhere.invalid"), timeout_seconds=5, once=once)


@both
@pytest.mark.parametrize("seconds", [0, -1.5])
def test_spent_time(kind, server, seconds):
    """No time left is NotSent; libcurl would take 0 for "no limit"."""
    with pytest.raises(NotSent):
        read(make(kind, server.url), timeout_seconds=seconds)
    assert server.requests == []


@both
def test_threads_share_a_wire(kind, server):
    """Eight threads on one wire get their own answers."""
    wire, wrong = make(kind, server.url), []

    def work(name):
        for number in range(25):
            key = f"{name}-{number}"
            if read(wire, key)["Item"]["sub"] != {"S": key}:
                wrong.append(key)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert wrong == []
    assert len(server.requests) == 200
    assert len({r.connection for r in server.requests}) <= 8


@pytest.mark.parametrize("token", [None, "IQoJb3//Ab+c=="])
def test_signature(server, token):
    """What libcurl signs equals what botocore signs for the bytes on the wire, with a session token too."""
    read(make("curl", server.url, **({"AWS_SESSION_TOKEN": token} if token else {})), "ü/+ ")
    request = server.requests[0]
    assert request.headers.get("x-amz-security-token") == token
    parts = dict(part.split("=", 1) for part in request.headers["authorization"].split(" ", 1)[1].split(", "))
    names = parts["SignedHeaders"].split(";")
    assert ("x-amz-security-token" in names) == (token is not None)
    assert {"host", "x-amz-date", "x-amz-target"} <= set(names)
    auth = SigV4Auth(BotocoreCredentials(KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"]), "dynamodb", "eu-central-1")
    again = AWSRequest("POST", server.url + request.path, {n: request.headers[n] for n in names}, request.body)
    again.context["timestamp"] = request.headers["x-amz-date"]
    text = auth.string_to_sign(again, auth.canonical_request(again))
    assert parts["Signature"] == auth.signature(text, again)


def test_credentials_are_read_each_time(server):
    """Replaced credentials are used by the next call, and missing ones are a ConfigurationError that names them."""
    environ = {**BASE, "AWS_ENDPOINT_URL": server.url}
    wire = open_wire(environ=environ)
    read(wire)
    environ["AWS_ACCESS_KEY_ID"] = "AKIDSECOND"
    read(wire)
    assert "AKIDSECOND" in server.requests[1].headers["authorization"]
    del environ["AWS_SECRET_ACCESS_KEY"]
    with pytest.raises(ConfigurationError, match="AWS_ACCESS_KEY_ID"):
        read(wire)


@both
def test_oversize(kind, server):
    """An answer over the cap is refused, with and without a Content-Length that says so."""
    wire = make(kind, server.url)
    server.plan += [(200, b"x" * 1001, {}), (200, b"x" * 1000, {}), (200, b'{"a":"' + b"x" * 2_200_000 + b'"}', {})]
    with pytest.raises(AnswerLost, match="1000 bytes"):
        wire.get(server.url + "/pool", timeout_seconds=2, max_bytes=1000)
    assert wire.get(server.url + "/pool", timeout_seconds=2, max_bytes=1000) == b"x" * 1000
    with pytest.raises(AnswerLost, match="refused an answer"):
        read(wire)


@both
def test_get(kind, server):
    """A document is the body of a 200; a redirect is not followed and is an error like any other status."""
    wire = make(kind, server.url)
    server.plan += [(200, b"{}", {}), (302, b"", {"Location": server.url}), (404, b"no", {})]
    url = f"{server.url}/eu-central-1_x/.well-known/jwks.json"
    assert wire.get(url, timeout_seconds=2) == b"{}"
    for status in (302, 404):
        with pytest.raises(ServiceError) as caught:
            wire.get(url, timeout_seconds=2)
        assert (caught.value.code, caught.value.status) == (f"HTTP{status}", status)
    assert [(r.method, r.path) for r in server.requests] == [("GET", "/eu-central-1_x/.well-known/jwks.json")] * 3


@both
def test_post_form(kind, server):
    """A form is url-encoded, may carry Basic authentication, and brings any status with its body."""
    server.plan.append((400, b'{"error":"invalid_grant"}', {}))
    fields = {"grant_type": "refresh_token", "refresh_token": "a b&ü"}
    answer = make(kind).post_form(server.url + "/oauth2/token", fields, timeout_seconds=2, basic=("id", "s:c"), once=True)
    assert answer == (400, b'{"error":"invalid_grant"}')
    request = server.requests[0]
    assert request.body == b"grant_type=refresh_token&refresh_token=a+b%26%C3%BC"
    assert request.headers["authorization"] == "Basic aWQ6cyUzQWM="  # id:s%3Ac, RFC 6749 2.3.1
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"


@both
def test_post_form_once(kind, server):
    """A once form that drops is sent once, and one that hangs ends at the limit."""
    wire = make(kind)
    server.plan += ["drop", "hang"]
    for _ in range(2):
        with pytest.raises(AnswerLost):
            wire.post_form(server.url, {"a": "b"}, timeout_seconds=0.3, once=True)
    assert len(server.requests) == 2


@both
def test_plain_http_never_goes_through_a_proxy(kind, server, monkeypatch):
    """http_proxy is not used for loopback addresses: clear text stays on the machine."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    wire = make(kind, server.url)
    assert read(wire)["Item"]
    assert wire.get(server.url, timeout_seconds=2) == b"document"


@both
@pytest.mark.parametrize("url", ["http://example.com", "http://127.0.0.1.example.com", "http://localhost@example.com"])
def test_plain_http_elsewhere_is_refused(kind, url):
    """Plain http to another machine is a ConfigurationError before anything is sent, wherever it is named."""
    wire = make(kind, url)
    for use in (
        lambda: read(wire),
        lambda: wire.get(url, timeout_seconds=1),
        lambda: wire.post_form(url, {}, timeout_seconds=1),
        lambda: endpoint_for("dynamodb", "eu-central-1", {"AWS_ENDPOINT_URL": url}),
    ):
        with pytest.raises(ConfigurationError):
            use()


@pytest.mark.parametrize(
    ("address", "good"),
    [
        ("http://localhost:4566", True),
        ("http://LOCALHOST", True),
        ("http://127.8.9.1:1/x", True),
        ("http://[::1]:80", True),
        ("https://example.com/path?x=1", True),
        ("http://[::2]", False),
        ("http://0.0.0.0", False),
        ("http://localhost.example.com", False),
        ("https://a@b", False),
        ("https://a\\b", False),
        ("https://a/\n", False),
        ("ftp://localhost", False),
        ("file:///etc/passwd", False),
        ("localhost:4566", False),
        ("", False),
    ],
)
def test_addresses(address, good):
    """Only https and loopback http are addresses, read by one strict pattern."""
    if good:
        assert check_address(address, "X") == address
    else:
        with pytest.raises(ConfigurationError, match=r"^X: "):
            check_address(address, "X")


@pytest.mark.parametrize(
    ("service", "region", "environ", "expected"),
    [
        ("dynamodb", "eu-central-1", {}, "https://dynamodb.eu-central-1.amazonaws.com"),
        ("cognito-idp", "cn-north-1", {}, "https://cognito-idp.cn-north-1.amazonaws.com.cn"),
        ("dynamodb", "x1", {"AWS_ENDPOINT_URL": "http://localhost:1/"}, "http://localhost:1"),
        ("dynamodb", "x1", {"AWS_ENDPOINT_URL": "https://a", "AWS_ENDPOINT_URL_DYNAMODB": "https://b"}, "https://b"),
        ("cognito-idp", "x1", {"AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER": "https://c"}, "https://c"),
        ("secretsmanager", "x1", {"AWS_ENDPOINT_URL_SECRETS_MANAGER": "https://s"}, "https://s"),
        ("secretsmanager", "x1", {"AWS_ENDPOINT_URL_DYNAMODB": "https://b"}, "https://secretsmanager.x1.amazonaws.com"),
        ("dynamodb", "x1", {"AWS_ENDPOINT_URL": "https://a", "AWS_ENDPOINT_URL_DYNAMODB": ""}, "https://a"),
        (
            "dynamodb",
            "x1",
            {"AWS_ENDPOINT_URL": "https://a", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "TRUE"},
            "https://dynamodb.x1.amazonaws.com",
        ),
    ],
)
def test_endpoint_for(service, region, environ, expected):
    """Endpoints are found as in AWS's SDKs: the service's variable, then the common one, then AWS's own host."""
    assert endpoint_for(service, region, environ) == expected


@both
def test_regions_and_endpoints_by_service(kind, server):
    """Each service has its own region and address; arguments beat the environment."""
    session = SESSION if kind == "botocore" else None
    environ = {**KEYS, "AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": "https://nowhere.invalid"}
    endpoints = dict.fromkeys(("dynamodb", "cognito-idp"), server.url)
    wire = open_wire(environ=environ, boto3_session=session, regions={"cognito-idp": "eu-west-1"}, endpoints=endpoints)
    read(wire)
    wire.call("cognito-idp", "GetUserPoolMfaConfig", {"UserPoolId": "eu-west-1_x"}, timeout_seconds=2)
    assert ["/us-east-1/dynamodb/" in r.headers["authorization"] for r in server.requests] == [True, False]
    assert "/eu-west-1/cognito-idp/" in server.requests[1].headers["authorization"]


def test_region_missing():
    """Without a region the message names the variable."""
    with pytest.raises(ConfigurationError, match="AWS_REGION"):
        read(open_wire(environ=KEYS))
    with pytest.raises(ConfigurationError, match="region"):
        read(open_wire(environ={**KEYS, "AWS_REGION": "evil.example/"}))


@both
def test_tls(kind, certificate):
    """An untrusted certificate is NotSent; AWS_CA_BUNDLE is trusted, for documents too."""
    server = EchoServer(certificate=certificate)
    try:
        with pytest.raises(NotSent):
            read(make(kind, server.url))
        with pytest.raises(NotSent):
            make(kind, server.url).get(server.url, timeout_seconds=2)
        wire = make(kind, server.url, AWS_CA_BUNDLE=certificate)
        assert read(wire)["Item"]
        assert wire.get(server.url, timeout_seconds=2) == b"document"
    finally:
        server.stop()


@both
def test_tls_to_a_plain_server(kind, server):
    """A failed TLS handshake is NotSent."""
    with pytest.raises(NotSent):
        read(make(kind, server.url.replace("http:", "https:")), once=True)


@both
def test_hang_in_the_handshake(kind):
    """Time that runs out before TLS is up is NotSent: nothing of the request had left."""
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(NotSent):
        read(make(kind, f"https://127.0.0.1:{silent.getsockname()[1]}"), timeout_seconds=0.3)


SLOW_RESOLVER = """
#include <netdb.h>
#include <unistd.h>
int getaddrinfo(const char *n, const char *s, const struct addrinfo *h, struct addrinfo **r)
{ sleep(2); return EAI_AGAIN; }
"""

HUNG = """
import sys, time
from cognito_session.aws.transport import curl as wire_curl
from cognito_session.aws.transport.interface import NotSent
from cognito_session.aws.transport.open import open_wire
from cognito_session.core.errors import ConfigurationError
if sys.argv[1] == "control": wire_curl._HAS_QUICK_EXIT = False
link = open_wire(environ={"AWS_REGION": "x1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"})
started = time.monotonic()
try: link.call("cognito-idp", "InitiateAuth", {}, timeout_seconds=0.3, signed=False, once=True)
except NotSent: print("NotSent", time.monotonic() - started)
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler to stand in for a hung resolver")
@pytest.mark.parametrize(("mode", "low", "high"), [("quick", 0.2, 1.2), ("control", 1.8, 5.0)])
def test_hung_resolver(tmp_path, mode, low, high):
    """A resolver that hangs does not hold a once call over its limit; without QUICK_EXIT (the control) it does."""
    (tmp_path / "slow.c").write_text(SLOW_RESOLVER)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", "slow.so", "slow.c"], cwd=tmp_path, check=True)
    ran = subprocess.run(
        [sys.executable, "-c", HUNG, mode],
        env={"LD_PRELOAD": str(tmp_path / "slow.so"), "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    name, seconds = ran.stdout.split()
    assert name == "NotSent"
    assert low < float(seconds) < high


IMPORTS = """
import sys
import cognito_session.aws.transport.interface
import cognito_session.aws.transport.open
heavy = {"pycurl", "botocore", "boto3", "asyncio", "http.client", "urllib.request", "ssl", "logging", "email"}
print(sorted(heavy & set(sys.modules)))
"""

CHOICE = """
import sys
for name in sys.argv[2].split(","): sys.modules[name] = None
from cognito_session.aws.transport.open import open_wire
from cognito_session.core.errors import ConfigurationError
keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"} if sys.argv[1] == "keys" else {}
class Client: get_item = lambda self, **payload: {"Item": payload}
clients = {"dynamodb": Client()} if sys.argv[1] == "client" else None
try: wire = open_wire(environ={"AWS_REGION": "x1", **keys}, clients=clients)
except ConfigurationError as error: print(error)
else:
    print(type(wire).__name__, "botocore" in sys.modules and sys.modules["botocore"] is not None)
    if clients: print(wire.call("dynamodb", "GetItem", {"k": 1}, timeout_seconds=1))
"""


def run(script, *arguments):
    """What a script prints in an interpreter of its own, warnings being errors."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, *arguments],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def test_importing_the_wire_is_cheap():
    """The interface loads no transport and none of the standard library's slow modules."""
    assert run(IMPORTS) == "[]"


@pytest.mark.parametrize(
    ("given", "blocked", "expected"),
    [
        ("keys", "nothing", ["CurlWire False"]),
        ("keys", "boto3,botocore", ["CurlWire False"]),
        ("keys", "pycurl", ["BotocoreWire True"]),
        ("none", "nothing", ["CurlWire True"]),
        ("none", "pycurl", ["BotocoreWire True"]),
        ("none", "boto3,botocore", ["AWS_ACCESS_KEY_ID", "cognito-session[boto3]"]),
        ("keys", "pycurl,boto3,botocore", ["pycurl", "botocore", "cognito-session[curl]", "cognito-session[boto3]"]),
        ("client", "pycurl,boto3,botocore", ["cognito-session[boto3]"]),
        ("client", "pycurl", ["BotocoreWire True", "{'Item': {'k': 1}}"]),
    ],
)
def test_choice(given, blocked, expected):
    """It is libcurl wherever it loads, with botocore beside it where keys must be resolved, and a message that names both."""
    printed = run(CHOICE, given, blocked)
    for text in expected:
        assert text in printed


@both
def test_plain_http_to_a_named_host(kind, server, monkeypatch, caplog):
    """A container's name is called by plain http where SESSION_PLAIN_HTTP_HOSTS has it, with a warning; no other is."""
    resolve = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: resolve("127.0.0.1", *rest, **more))
    url = f"http://dynamodb:{server.port}"
    allowed = {"SESSION_PLAIN_HTTP_HOSTS": "Cognito, dynamodb"}
    wire = make(kind, url, **allowed)
    assert "unencrypted to cognito, dynamodb" in caplog.text
    if kind == "botocore":  # libcurl resolves by itself, and there is no such name here
        assert read(wire)["Item"]
        assert wire.get(f"{url}/document", timeout_seconds=2) == b"document"
    else:
        with pytest.raises(NotSent):
            read(wire)
    for refused in ("http://dynamodb.example:1", "http://elsewhere:1"):
        with pytest.raises(ConfigurationError, match="SESSION_PLAIN_HTTP_HOSTS"):
            read(make(kind, refused, **allowed))
    assert endpoint_for("dynamodb", "x1", {"AWS_ENDPOINT_URL": url, **allowed}) == url
    for hosts in (url, f"dynamodb:{server.port}", "dynamodb cognito"):
        with pytest.raises(ConfigurationError, match=r"^SESSION_PLAIN_HTTP_HOSTS: expected names of hosts"):
            make(kind, url, SESSION_PLAIN_HTTP_HOSTS=hosts)


@both
@pytest.mark.parametrize("elsewhere", ["call", "get"])
def test_the_proxy_is_the_given_environments(kind, elsewhere, monkeypatch):
    """Https goes through the proxy that the given mapping names, never through the process's own; no_proxy is obeyed."""
    asked = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def listen():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                asked.append(connection.recv(1000).split(b"\r\n")[0].decode())
                connection.sendall(b"HTTP/1.1 407 no\r\nContent-Length: 0\r\n\r\n")
                connection.close()

        threading.Thread(target=listen, daemon=True).start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"

        def use(**environ):
            environ = {**BASE, "AWS_ENDPOINT_URL": "https://service.invalid", **environ}
            credentials = Credentials(environ)
            made = CurlWire if kind == "curl" else BotocoreWire
            wire = made(Endpoints(environ), environ, credentials)
            sends = {
                "call": lambda: read(wire, timeout_seconds=4),
                "get": lambda: wire.get("https://service.invalid/document", timeout_seconds=4),
            }
            with pytest.raises((NotSent, AnswerLost)):
                sends[elsewhere]()

        use(https_proxy=address)
        assert set(asked) == {"CONNECT service.invalid:443 HTTP/1.1"} or set(asked) == {"CONNECT service.invalid:443 HTTP/1.0"}
        asked.clear()
        use(https_proxy=address, no_proxy="other.example,service.invalid")
        monkeypatch.setenv("https_proxy", address)
        monkeypatch.setenv("HTTPS_PROXY", address)
        use()
        assert asked == []


# --- the choice of the implementation


def blocked(monkeypatch, *packages):
    """Make these packages missing and drop the modules that imported them."""
    for package in packages:
        monkeypatch.setitem(sys.modules, package, None)
    for name in ("curl", "botocore", "botocore_chain"):
        if (name == "curl") == ("pycurl" in packages) or "botocore" in packages:
            monkeypatch.delitem(sys.modules, f"cognito_session.aws.transport.{name}", raising=False)


BOTO = ("boto3", "botocore")
NEITHER = "^calls to AWS need pycurl or botocore: "


def test_keys_in_the_environment_need_no_botocore(monkeypatch):
    """With keys in the environment, as in Lambda, libcurl sends without botocore."""
    blocked(monkeypatch, *BOTO)
    assert type(open_wire(environ=BASE)).__name__ == "CurlWire"


@pytest.mark.parametrize(
    ("environ", "missing", "words"),
    [
        ({}, BOTO, "^AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set: "),
        ({}, ("pycurl", *BOTO), NEITHER),
        (KEYS, ("pycurl", *BOTO), NEITHER),
    ],
)
def test_what_is_missing_is_named(environ, missing, words, monkeypatch):
    """The message asks for keys if libcurl could send with them, and for packages if none can send."""
    blocked(monkeypatch, *missing)
    with pytest.raises(ConfigurationError, match=words):
        open_wire(environ={"AWS_REGION": "eu-central-1", **environ})


@pytest.mark.parametrize("choice", ["without pycurl", "with a client of another service", "patched sockets"])
def test_whichever_wire_signs_with_the_environments_keys(choice, server, monkeypatch, caplog):
    """The botocore implementation signs with the keys of the environment, for each reason to choose it."""
    caplog.set_level("INFO", logger="cognito_session")
    environ, clients = {**BASE, "AWS_ENDPOINT_URL": server.url}, None
    if choice == "without pycurl":
        blocked(monkeypatch, "pycurl")
    elif choice == "patched sockets":
        monkeypatch.setattr("cognito_session.aws.transport.open._patched_by", lambda: "gevent")
    else:
        clients = {"cognito-idp": object()}
    wire = open_wire(environ=environ, clients=clients)
    assert type(wire).__name__ == "BotocoreWire"
    read(wire)
    assert "Credential=AKIDEXAMPLE/" in server.requests[0].headers["authorization"]
    assert ("gevent has patched the sockets: " in caplog.text) == (choice == "patched sockets")


def test_patched_sockets_need_botocore(monkeypatch):
    """The message names the library that patched the sockets and the package to install."""
    monkeypatch.setattr("cognito_session.aws.transport.open._patched_by", lambda: "eventlet")
    blocked(monkeypatch, *BOTO)
    with pytest.raises(ConfigurationError, match=r"^eventlet has patched this process's sockets.*cognito-session\[boto3\]"):
        open_wire(environ=BASE)


def test_both_wires_take_what_the_interface_says():
    """The interface and both implementations have the same defaults: signed, and not `once`."""
    for method in ("call", "get", "post_form"):
        said = [
            {name: each.default for name, each in inspect.signature(getattr(wire, method)).parameters.items()}
            for wire in (Wire, CurlWire, BotocoreWire)
        ]
        assert said[0] == said[1] == said[2]
        assert {"signed": True, "once": False}.items() >= {n: v for n, v in said[0].items() if n in ("signed", "once")}.items()


# --- errors


def test_an_error_of_the_service_says_of_what_call():
    """The error has the operation; message and request id are empty by default."""
    error = ServiceError("dynamodb.GetItem", "X", 400)
    assert (error.operation, error.message, error.request_id) == ("dynamodb.GetItem", "", "")


@both
def test_an_error_keeps_what_support_asks_for(kind, server):
    """An error has the request id and AWS's date, and the error of a document has Retry-After."""
    wire = make(kind, server.url)
    server.plan.append((400, b'{"__type":"X"}', {"x-amzn-RequestId": "rid", "Date": "Tue, 14 Nov 2023 22:13:20 GMT"}))
    server.plan.append((503, b"", {"Retry-After": "7"}))
    with pytest.raises(ServiceError) as caught:
        read(wire)
    assert (caught.value.request_id, caught.value.date) == ("rid", "Tue, 14 Nov 2023 22:13:20 GMT")
    with pytest.raises(ServiceError) as caught:
        wire.get(server.url + "/jwks.json", timeout_seconds=2)
    assert caught.value.retry_after == 7


@both
def test_a_failure_names_its_call(kind, server):
    """The message names the call, also if no time was left or the connection was refused."""
    wire, url = make(kind, server.url), server.url + "/jwks.json"
    with pytest.raises(NotSent, match=rf"^GET {re.escape(url)}: no time left"):
        wire.get(url, timeout_seconds=0)
    with pytest.raises(NotSent, match=r"^dynamodb\.GetItem: no time left"):
        read(wire, timeout_seconds=0)
    server.stop()
    by = r"libcurl 7: " if kind == "curl" else "botocore EndpointConnectionError"
    with pytest.raises(NotSent, match=rf"^GET {re.escape(url)}: not sent \({by}"):
        wire.get(url, timeout_seconds=2)


# --- what is sent


@both
def test_an_empty_answer_of_cognito_is_one(kind, server):
    """RevokeToken answers 200 without a body."""
    server.plan.append((200, b"", {}))
    wire = make(kind, server.url)
    payload = {"Token": Secret("rt"), "ClientId": "c"}
    assert wire.call("cognito-idp", "RevokeToken", payload, timeout_seconds=2, signed=False) == {}
    assert json.loads(server.requests[0].body) == {"Token": "rt", "ClientId": "c"}


@both
def test_the_time_of_a_signature_is_learned_and_only_of_a_signature(kind, server):
    """After RequestTimeTooSkewed a signed call is sent again by AWS's clock; an unsigned call is not sent again."""
    wire = make(kind, server.url)
    ahead = (400, b'{"__type":"RequestTimeTooSkewed"}', {"Date": "Wed, 01 Jan 2098 12:00:00 GMT"})
    server.plan.append(ahead)
    with pytest.raises(ServiceError):
        wire.call("cognito-idp", "InitiateAuth", LOGIN, timeout_seconds=2, signed=False)
    assert len(server.requests) == 1
    server.plan.append(ahead)
    read(wire)
    assert len(server.requests) == 3
    assert server.requests[2].headers["x-amz-date"].startswith("20980101T")


@both
@pytest.mark.parametrize(("code", "dropped"), [("ExpiredTokenException", True), ("AccessDeniedException", False)])
def test_keys_that_aws_refuses_are_dropped(kind, code, dropped, server):
    """Expired keys are dropped; a missing permission does not drop them."""

    class Held(Credentials):
        def read(self, name, timeout_seconds):
            asked.append((name, 0 < timeout_seconds <= 2))
            return super().read(name, timeout_seconds)

        def refused(self, keys):
            gone.append(keys.key_id)

    asked, gone, environ = [], [], {**BASE, "AWS_ENDPOINT_URL": server.url}
    wire = (CurlWire if kind == "curl" else BotocoreWire)(Endpoints(environ), environ, Held(environ))
    server.plan.append((400, json.dumps({"__type": code}).encode(), {}))
    with pytest.raises(ServiceError):
        read(wire)
    assert asked[0] == ("dynamodb.GetItem", True)
    assert gone == (["AKIDEXAMPLE"] if dropped else [])


def test_libcurl_sends_no_header_of_its_own(server):
    """The request has only the headers it needs: no Expect, which would delay a large body."""
    wire = make("curl", server.url)
    wire.call("dynamodb", "PutItem", {"TableName": "t", "Item": {"a": {"S": "x" * 1_200_000}}}, timeout_seconds=5)
    needed = {"host", "user-agent", "accept", "authorization", "x-amz-date", "content-type", "x-amz-target", "content-length"}
    assert set(server.requests[0].headers) == needed
    assert server.requests[0].body.startswith(b'{"TableName":"t","Item":{"a":{"S":"xx')


def test_documents_and_forms_share_a_connection(server):
    """Libcurl keeps the connection for the next call that is not `once`."""
    wire = make("curl", server.url)
    for _ in range(2):
        wire.get(server.url + "/jwks.json", timeout_seconds=2)
        wire.post_form(server.url + "/oauth2/token", {}, timeout_seconds=2)
    assert [each.connection for each in server.requests] == [1, 1, 1, 1]


def test_libcurls_limits():
    """One millisecond is enough to send; connecting takes two seconds at most."""
    limits = curl._limits
    assert limits("x", 0.001) == [(pycurl.TIMEOUT_MS, 1), (pycurl.CONNECTTIMEOUT_MS, 1)]
    assert limits("x", 10) == [(pycurl.TIMEOUT_MS, 10_000), (pycurl.CONNECTTIMEOUT_MS, 2_000)]


def test_a_sentence_of_aws_ends_where_it_quotes_the_request():
    """A refused signature quotes headers of the request: none of them gets into a message."""
    assert one_line("The signature does not match. The Canonical String for this request is GET x-amz-date") == (
        "The signature does not match."
    )


@pytest.mark.parametrize(
    ("module", "asked", "name"),
    [("gevent.monkey", "is_module_patched", "gevent"), ("eventlet.patcher", "is_monkey_patched", "eventlet")],
)
def test_who_has_patched_the_sockets_is_known_without_an_import(monkeypatch, module, asked, name):
    """Only a library that has patched `socket` counts, and each is told by its own name."""
    for other in ("gevent.monkey", "eventlet.patcher"):
        monkeypatch.delitem(sys.modules, other, raising=False)
    assert _patched_by() is None
    for patched, found in ((False, None), (True, name)):
        monkeypatch.setitem(
            sys.modules, module, SimpleNamespace(**{asked: lambda what, patched=patched: patched and what == "socket"})
        )
        assert _patched_by() == found


def test_a_client_that_cannot_be_made_has_sent_nothing(monkeypatch, server):
    """A refresh whose client does not come into being may be made again: the token was not used."""
    wire = make("botocore", server.url)

    def fail(*_arguments, **_keywords):
        raise HTTPClientError(error="no client")

    monkeypatch.setattr(wire._clients, "get", fail)
    with pytest.raises(NotSent):
        wire.call("cognito-idp", "GetTokensFromRefreshToken", {}, timeout_seconds=2, signed=False, once=True)
    assert server.requests == []
