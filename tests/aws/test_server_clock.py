"""A machine whose clock is off, and a request that was signed long ago: signed again once, on both wires."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from types import SimpleNamespace

import boto3
import botocore.auth
import botocore.credentials
import pytest
from botocore.awsrequest import AWSRequest

from aws.echo_server import EchoServer
from cognito_session.aws.dynamodb import DynamoDBStore
from cognito_session.aws.stored_secret import StoredSecret
from cognito_session.aws.transport.interface import ServiceError
from cognito_session.aws.transport.open import open_wire
from cognito_session.aws.transport.server_clock import ServerClock, amz_date
from cognito_session.core.errors import ConfigurationError
from cognito_session.core.protocol.conditions import Change, WriteKind
from cognito_session.core.protocol.record import SessionKey

KEY = SessionKey("sub-1", "sid-1")
EXPIRED = "Signature expired: 20260101T000000Z is now earlier than 20260101T000500Z (20260101T001000Z - 5 min.)"
_numbers = count(1)


@pytest.fixture(params=["curl", "botocore", "an injected client"])
def make_wire(request):
    """Makes a wire of each kind, for an address."""

    def make(url, region="us-east-1"):
        environ = {"AWS_ENDPOINT_URL": url, "AWS_REGION": region, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        session = boto3.Session("test", "test", region_name=region)
        if request.param == "curl":
            return open_wire(environ=environ)
        if request.param == "botocore":
            return open_wire(environ=environ, boto3_session=session)
        clients = {name: session.client(name, endpoint_url=url) for name in ("dynamodb", "secretsmanager")}
        return open_wire(environ=environ, clients=clients)

    return make


@pytest.mark.parametrize("ahead", [3600, -3600, 40 * 86_400])
def test_a_clock_that_is_off_costs_one_request(stack, make_wire, caplog, ahead):
    """AWS's clock is taken from its refusal: reads, writes and secrets work, and only the first request is sent twice."""
    table = stack.create_table(f"clock-{next(_numbers)}", sort_key="sid")
    wire = make_wire(stack.url)
    store = DynamoDBStore(lambda: wire, table=table, partition_key="sub", sort_key="sid")
    arn = stack.create_secret(f"clock-{next(_numbers)}", "text")
    stack.set_aws_clock(ahead)
    assert store.load(KEY) is None
    assert store.write(Change(WriteKind.CREATE, KEY, (), put={"sub": KEY.sub, "sid": KEY.sid}, replace=True)).applied
    assert store.load(KEY) is not None
    assert StoredSecret(lambda: wire, arn).keys() == "text"
    assert [call.error for call in stack.calls()] == ["InvalidSignatureException", None, None, None, None]
    (line,) = [record for record in caplog.records if record.name == "cognito_session"]
    assert "behind AWS's" in line.message if ahead > 0 else "ahead of AWS's" in line.message


def test_a_clock_that_is_set_right_is_followed(stack, make_wire):
    """A learned difference is learned again once it no longer holds."""
    table = stack.create_table(f"clock-{next(_numbers)}")
    wire = make_wire(stack.url)
    store = DynamoDBStore(lambda: wire, table=table, partition_key="sub", sort_key=None)
    for ahead in (3600, 0, -7200):
        stack.set_aws_clock(ahead)
        stack.clear_calls()
        assert store.load(KEY) is None
        assert [call.error for call in stack.calls()] == ["InvalidSignatureException", None]


def test_a_request_that_was_signed_long_ago(stack, make_wire, caplog):
    """A function frozen between signing and sending has a right clock: the request is signed again by that clock."""
    table = stack.create_table(f"clock-{next(_numbers)}")
    wire = make_wire(stack.url)
    store = DynamoDBStore(lambda: wire, table=table, partition_key="sub", sort_key=None)
    stack.refuse("GetItem", "InvalidSignatureException", EXPIRED)
    assert store.load(KEY) is None
    assert store.load(KEY) is None
    assert len(stack.calls()) == 3
    assert "clock" not in caplog.text


@pytest.mark.parametrize("code", ["RequestExpired", "RequestTimeTooSkewed", "InvalidSignatureException"])
def test_a_second_refusal_says_how_far_the_clock_is_off(stack, make_wire, code):
    """Where the server's own time does not help, the operator's error names the difference; there is no third request."""
    wire = make_wire(stack.url)
    store = DynamoDBStore(lambda: wire, table="rows", partition_key="sub", sort_key=None)
    stack.set_aws_clock(7200)
    stack.refuse("GetItem", code, EXPIRED, times=None)
    with pytest.raises(ConfigurationError, match=r"clock is 7\d\d\d seconds behind AWS's"):
        store.load(KEY)
    assert len(stack.calls()) == 2


def test_a_wrong_secret_is_not_tried_twice(stack, make_wire):
    """A signature that is refused for something else than its time is sent once."""
    wire = make_wire(stack.url)
    store = DynamoDBStore(lambda: wire, table="rows", partition_key="sub", sort_key=None)
    sentence = "The request signature we calculated does not match the signature you provided."
    stack.refuse("GetItem", "InvalidSignatureException", sentence, times=None)
    with pytest.raises(ConfigurationError, match="AWS_SECRET_ACCESS_KEY"):
        store.load(KEY)
    assert len(stack.calls()) == 1


def test_an_unsigned_call_has_no_time(stack, make_wire):
    """A call without signature is never sent again for its time."""
    stack.refuse("InitiateAuth", "InvalidSignatureException", EXPIRED, times=None)
    payload = {"AuthFlow": "REFRESH_TOKEN_AUTH", "ClientId": "c", "AuthParameters": {"REFRESH_TOKEN": "r"}}
    with pytest.raises(ServiceError):
        make_wire(stack.url).call("cognito-idp", "InitiateAuth", payload, timeout_seconds=2, signed=False, once=True)
    assert len(stack.calls()) == 1


def test_the_second_signature_is_right(make_wire, monkeypatch):
    """Signed by the server's time, over the same headers, as an independent signer would."""
    server = EchoServer()
    body = b'{"__type":"InvalidSignatureException","message":"Signature expired"}'
    server.plan.append((400, body, {"Date": "Fri, 02 Jan 2026 03:04:05 GMT"}))
    wire = make_wire(server.url, "eu-central-1")
    wire.call("dynamodb", "GetItem", {"TableName": "t", "Key": {"sub": {"S": "k"}}}, timeout_seconds=2)
    server.stop()
    sent = server.requests[1]
    assert sent.headers["x-amz-date"].startswith("20260102T0304")
    names = sent.headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    headers = {name: sent.headers[name] for name in names if name not in ("host", "x-amz-date")}
    at = datetime.strptime(sent.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    if hasattr(botocore.auth, "get_current_datetime"):
        monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_, **__: at)
    else:  # an older botocore asks the datetime module
        fixed = type("Fixed", (datetime,), {"utcnow": classmethod(lambda _: at)})
        monkeypatch.setattr(botocore.auth, "datetime", SimpleNamespace(datetime=fixed))
    request = AWSRequest("POST", f"{server.url}/", headers, sent.body)
    signer = botocore.auth.SigV4Auth(botocore.credentials.Credentials("test", "test"), "dynamodb", "eu-central-1")
    signer.add_auth(request)
    assert request.headers["Authorization"] == sent.headers["authorization"]


def test_what_is_learned(clock):
    """Without a date the machine's own time is used again; a difference under a minute is none; no third try."""
    server_clock = ServerClock(clock)
    tried = []

    def send(ahead, seconds):
        tried.append((ahead, seconds))
        clock.advance(0.5)
        raise ServiceError("dynamodb.GetItem", "RequestExpired", 400, date="no date")

    with pytest.raises(ServiceError) as caught:
        server_clock.signed(send, 2.0)
    assert tried == [(0.0, 2.0), (0.0, 1.5)]
    assert caught.value.clock_ahead_seconds == 0
    tried.clear()
    with pytest.raises(ServiceError):
        server_clock.signed(send, 0.5)
    assert tried == [(0.0, 0.5)]
    assert amz_date(3600, clock) > amz_date(0.0, clock)
