"""The botocore wire: injected sessions and clients, and what is particular to botocore."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time

import boto3
import botocore.session
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError

from aws.echo_server import EchoServer
from cognito_session.aws.transport.botocore_clients import step_down
from cognito_session.aws.transport.interface import AnswerLost, NotSent, ServiceError
from cognito_session.aws.transport.open import open_wire
from cognito_session.core.errors import ConfigurationError

ENVIRON = {"AWS_REGION": "eu-central-1"}
KEY = {"TableName": "t", "Key": {"sub": {"S": "k"}}}
LOGIN = {"AuthFlow": "REFRESH_TOKEN_AUTH", "ClientId": "c", "AuthParameters": {"REFRESH_TOKEN": "very-secret"}}


@pytest.fixture
def server():
    """A server in threads of this process."""
    server = EchoServer()
    yield server
    server.stop()


def session(**options):
    """A boto3 session with credentials of its own."""
    return boto3.Session("AKID", "secret", region_name="eu-west-3", **options)


def client(service, url, **config):
    """A client as a user makes one; by default it retries."""
    return session().client(service, endpoint_url=url, config=Config(**config))


def refresh(wire, *, timeout_seconds=2.0):
    """A once call, as the refresh is sent."""
    return wire.call("cognito-idp", "InitiateAuth", LOGIN, timeout_seconds=timeout_seconds, signed=False, once=True)


class Body:
    """The raw body of an answer that a before-send hook makes up."""

    def __init__(self, body):
        self.body = body

    def stream(self, *_, **__):
        yield self.body


def test_hooks_answer_in_place_of_the_network():
    """What moto's mock_aws does works: a before-send hook on the session's clients answers, once calls included."""
    mocked = session()
    seen = []

    def answer(request, **_):
        seen.append(request.url)
        body = b'{"Item": {"a": {"S": "b"}}}' if b"GetItem" in request.headers["X-Amz-Target"] else b'{"Session": "x"}'
        return AWSResponse(request.url, 200, {}, Body(body))

    mocked.events.register("before-send", answer)
    wire = open_wire(boto3_session=mocked, environ=ENVIRON)
    assert wire.call("dynamodb", "GetItem", KEY, timeout_seconds=2) == {"Item": {"a": {"S": "b"}}}
    assert refresh(wire) == {"Session": "x"}
    assert seen == ["https://dynamodb.eu-central-1.amazonaws.com/", "https://cognito-idp.eu-central-1.amazonaws.com/"]


def test_region_of_the_session(server):
    """A session's own region serves where the environment names none; botocore sessions do as well as boto3's."""
    wire = open_wire(boto3_session=session(), environ={"AWS_ENDPOINT_URL": server.url})
    wire.call("dynamodb", "GetItem", KEY, timeout_seconds=2)
    assert "/eu-west-3/dynamodb/" in server.requests[0].headers["authorization"]
    plain = botocore.session.Session()
    plain.set_credentials("AKID2", "secret")
    wire = open_wire(boto3_session=plain, environ={**ENVIRON, "AWS_ENDPOINT_URL": server.url})
    wire.call("dynamodb", "GetItem", KEY, timeout_seconds=2)
    assert "AKID2/" in server.requests[1].headers["authorization"]


def test_injected_client_is_used(server):
    """An injected client serves its service; the others are made here."""
    wire = open_wire(
        clients={"dynamodb": client("dynamodb", server.url)},
        boto3_session=session(),
        environ=ENVIRON,
        region="eu-north-1",
    )
    assert wire.call("dynamodb", "GetItem", KEY, timeout_seconds=2)["Item"]["sub"] == {"S": "k"}
    assert "/eu-west-3/dynamodb/" in server.requests[0].headers["authorization"]


def test_injected_client_sends_once(server):
    """A once call is sent once even by a client that was told to try five times; ordinary calls keep its retries."""
    retrying = {"retries": {"total_max_attempts": 5, "mode": "standard"}}
    clients = {name: client(name, server.url, **retrying) for name in ("cognito-idp", "dynamodb")}
    wire = open_wire(clients=clients, environ=ENVIRON)
    server.plan += ["drop"]
    with pytest.raises(AnswerLost):
        refresh(wire, timeout_seconds=4)
    assert len(server.requests) == 1
    assert refresh(wire)["Session"] == "answered"
    server.plan += ["drop"]
    wire.call("dynamodb", "GetItem", KEY, timeout_seconds=2)
    assert len(server.requests) == 4


def test_throttling_is_not_retried(server):
    """An error answer is reported at once: no retry by botocore, whose own would sleep and send up to ten times."""
    server.plan.append((400, b'{"__type":"ProvisionedThroughputExceededException"}', {}))
    wire = open_wire(boto3_session=session(), environ={**ENVIRON, "AWS_ENDPOINT_URL": server.url})
    with pytest.raises(ServiceError) as caught:
        wire.call("dynamodb", "GetItem", KEY, timeout_seconds=2)
    assert caught.value.code == "ProvisionedThroughputExceededException"
    assert len(server.requests) == 1


def test_hung_resolver(monkeypatch):
    """A resolver that hangs does not hold a once call, a document or a form over its limit."""
    wire = open_wire(boto3_session=session(), environ={**ENVIRON, "AWS_ENDPOINT_URL": "https://nowhere.invalid"})
    with pytest.raises(NotSent):
        refresh(wire)  # makes the client
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(1.5))
    for use in (
        lambda: refresh(wire, timeout_seconds=0.3),
        lambda: wire.get("https://nowhere.invalid/", timeout_seconds=0.3),
        lambda: wire.post_form("https://nowhere.invalid/", {}, timeout_seconds=0.3),
    ):
        started = time.monotonic()
        with pytest.raises((AnswerLost, NotSent)):
            use()
        assert time.monotonic() - started < 1.2


def test_what_botocore_refuses_leaks_nothing(server):
    """A payload that botocore's models refuse is a ValidationException without the text that quotes its values."""
    wire = open_wire(boto3_session=session(), environ={**ENVIRON, "AWS_ENDPOINT_URL": server.url})
    with pytest.raises(ServiceError) as caught:
        wire.call("dynamodb", "GetItem", {"TableName": "t", "Key": {"sub": "very-secret"}}, timeout_seconds=2)
    error = caught.value
    assert (error.code, error.status, error.__context__) == ("ValidationException", 400, None)
    assert "secret" not in f"{error} {error!r} {error.message} {error.body}"


def test_misconfiguration(monkeypatch, tmp_path):
    """Missing credentials, an unknown profile and an unknown operation are ConfigurationErrors."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setitem(sys.modules, "pycurl", None)
    monkeypatch.delitem(sys.modules, "cognito_session.aws.transport.curl", raising=False)
    wire = open_wire(environ={**os.environ, **ENVIRON})
    with pytest.raises(ConfigurationError, match="credentials"):
        wire.call("dynamodb", "GetItem", KEY, timeout_seconds=3)
    wire = open_wire(boto3_session=session(), environ=ENVIRON)
    with pytest.raises(ConfigurationError, match="newer boto3"):
        wire.call("dynamodb", "GetItemFromTheFuture", {}, timeout_seconds=1)
    monkeypatch.setenv("AWS_PROFILE", "missing")
    with pytest.raises(ConfigurationError, match="missing"):
        open_wire(environ={**os.environ, **ENVIRON})


def test_endpoint_of_the_profile_is_checked_too(monkeypatch, tmp_path):
    """Plain http to another machine is refused also where only botocore's own configuration names it."""
    (tmp_path / "config").write_text("[default]\nendpoint_url = http://example.com\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    with pytest.raises(ConfigurationError, match="plain http"):
        open_wire(boto3_session=session(), environ=ENVIRON).call("dynamodb", "GetItem", KEY, timeout_seconds=1)


@pytest.mark.parametrize(("asked", "given"), [(4.0, 4.0), (3.9, 3.0), (0.31, 0.3), (0.001, 0.05), (900, 30.0)])
def test_time_steps(asked, given):
    """Time limits are rounded down, so that a few clients serve every remaining time."""
    assert step_down(asked) == given


def test_a_document_that_does_not_come_is_given_up(monkeypatch):
    """The call ends at its limit; the thread that it abandons has a name and sockets with the same limit."""
    made, released = [], threading.Event()

    class HeldSession:
        """An HTTP session that gets no answer until it is released."""

        def __init__(self, **options):
            made.append((options["timeout"], threading.current_thread().name))

        def send(self, _request):
            released.wait(10)
            raise ConnectionClosedError(endpoint_url="x")

        def close(self):
            pass

    monkeypatch.setattr("cognito_session.aws.transport.botocore.URLLib3Session", HeldSession)
    wire = open_wire(boto3_session=session(), environ=ENVIRON)
    try:
        with pytest.raises(AnswerLost, match=r"^GET https://x\.example/jwks\.json: no answer within 0\.1 s$"):
            wire.get("https://x.example/jwks.json", timeout_seconds=0.1)
    finally:
        released.set()
    assert made == [((0.1, 0.1), "cognito-session-once")]


def test_a_hooks_document_keeps_its_headers():
    """An answer of a hook is read like one of the network: header names in any case."""
    mocked = session()
    answer = AWSResponse("https://x.example/", 503, {"Retry-After": "7"}, Body(b""))
    mocked.events.register("before-send", lambda **_: answer)
    with pytest.raises(ServiceError) as caught:
        open_wire(boto3_session=mocked, environ=ENVIRON).get("https://x.example/", timeout_seconds=2)
    assert caught.value.retry_after == 7


def test_a_form_is_posted(server):
    """The token endpoint takes only POST (RFC 6749 3.2)."""
    wire = open_wire(boto3_session=session(), environ=ENVIRON)
    wire.post_form(server.url + "/oauth2/token", {"a": "b"}, timeout_seconds=2)
    assert [each.method for each in server.requests] == ["POST"]
