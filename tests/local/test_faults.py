"""Fault injection and gates."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx
import pytest

from cognito_session.aws.transport.open import open_wire
from cognito_session.local.faults import Fault, Faults
from cognito_session.local.stack import CallRefusedError, StackError

KEY = {"sub": {"S": "alice"}}
GET = {"TableName": "sessions", "Key": KEY}
PUT = {"TableName": "sessions", "Item": KEY}


@pytest.fixture
def table(stack):
    """A table that PUT and GET fit."""
    return stack.create_table("sessions")


def rows(stack):
    """How many rows were written."""
    return len(stack.dynamodb().scan("sessions"))


def test_latency_delays_and_then_works(stack, app, table):
    """latency: the usual response, only later."""
    stack.fault("PutItem", "latency", ms=150)
    began = time.monotonic()
    assert app.dynamodb("PutItem", PUT).status_code == 200
    assert time.monotonic() - began >= 0.15
    assert rows(stack) == 1


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("throttle", (400, "ProvisionedThroughputExceededException", "TooManyRequestsException", 429)),
        ("error500", (500, "InternalServerError", "InternalErrorException", 500)),
    ],
)
def test_refusals_speak_each_services_words(stack, app, table, kind, expected):
    """For throttle and error500 each service reports its own error, and the work is not done."""
    status, dynamodb, cognito, oauth = expected
    stack.fault("*", kind, times=4)
    answer = app.dynamodb("PutItem", PUT)
    assert (answer.status_code, answer.json()["__type"].rsplit("#", 1)[-1]) == (status, dynamodb)
    answer = app.cognito("GetUser", {"AccessToken": "x"})
    assert (answer.status_code, answer.json()["__type"]) == (status, cognito)
    assert app.form("/oauth2/token", {}).status_code == oauth
    assert app.get("/pool/.well-known/jwks.json").status_code == oauth
    assert rows(stack) == 0


@pytest.mark.parametrize("after", [False, True])
def test_any_refusal_of_any_operation(stack, app, table, after):
    """refuse: any code, message, status and further members, with a request id, before or after the work."""
    reasons = {"CancellationReasons": [{"Code": "ThrottlingError"}]}
    stack.refuse("PutItem", "WhateverException", "Because.", status=413, after=after, more=reasons)
    answer = app.dynamodb("PutItem", PUT)
    assert answer.status_code == 413
    assert answer.json() == {"__type": "com.amazonaws.dynamodb.v20120810#WhateverException", "message": "Because.", **reasons}
    assert answer.headers["x-amzn-requestid"]
    assert rows(stack) == after
    stack.refuse("GetUser", "AnyException")
    assert app.cognito("GetUser", {"AccessToken": "x"}).json() == {"__type": "AnyException", "message": ""}
    stack.refuse("jwks", "forbidden", status=403)
    assert app.get("/pool/.well-known/jwks.json").status_code == 403


def test_a_code_belongs_to_a_refusal():
    """A code for a kind that has none, or an error without a code, is refused."""
    for arguments in ({"kind": "error"}, {"kind": "throttle", "code": "X"}):
        with pytest.raises(ValueError, match="code"):
            Fault("PutItem", **arguments)


def test_a_secret_is_kept(stack):
    """GetSecretValue returns the text of a created secret."""
    arn = stack.create_secret("keys", "its text")
    wire = open_wire(environ=stack.environment())
    assert wire.call("secretsmanager", "GetSecretValue", {"SecretId": arn}, timeout_seconds=5)["SecretString"] == "its text"
    assert [call.service for call in stack.calls()] == ["secretsmanager"]


@pytest.mark.parametrize(("kind", "written"), [("drop_before", 0), ("drop_after", 1)])
def test_a_dropped_connection_tells_nothing_of_the_work(stack, app, table, kind, written):
    """drop_before leaves the work undone, drop_after does it; the client sees the same closed connection."""
    stack.fault("PutItem", kind)
    with pytest.raises(httpx.TransportError):
        app.dynamodb("PutItem", PUT)
    assert rows(stack) == written
    [call] = stack.calls("dynamodb")
    assert (call.status, call.worked, call.fault, call.finished) == (None, bool(written), kind, True)


@pytest.mark.parametrize(("kind", "written"), [("hang", 0), ("hang_after", 1)])
def test_a_hang_holds_the_connection(stack, app, table, kind, written):
    """Hang and hang_after keep the connection open beyond the client's timeout, without and with the work done."""
    stack.fault("PutItem", kind, ms=2000)
    app.timeout = 0.2
    with pytest.raises(httpx.ReadTimeout):
        app.dynamodb("PutItem", PUT)
    assert rows(stack) == written


def test_a_hang_ends_in_a_closed_connection(stack, app, table):
    """After its time a hang closes the connection without an answer."""
    stack.fault("PutItem", "hang", ms=50)
    with pytest.raises(httpx.RemoteProtocolError):
        app.dynamodb("PutItem", PUT)


def test_a_fault_counts_its_requests(stack, app, table):
    """The first `skip` requests pass, the next `times` fail, the rest pass; other operations and clients are not affected."""
    stack.fault("GetItem", "error500", skip=1, times=2, caller="a")
    mine = {"x-test-caller": "a"}
    assert [app.dynamodb("GetItem", GET, **mine).status_code for _ in range(4)] == [200, 500, 500, 200]
    stack.fault("GetItem", "error500", times=None, caller="a")
    assert app.dynamodb("GetItem", GET).status_code == 200
    assert [app.dynamodb("GetItem", GET, **mine).status_code for _ in range(3)] == [500] * 3
    stack.clear_faults()
    assert app.dynamodb("GetItem", GET, **mine).status_code == 200


def test_latency_adds_up_and_other_faults_queue():
    """One request takes all latencies and one other fault; the next other fault waits for the next request."""
    faults = Faults()
    for kind in ("latency", "drop_after", "latency", "throttle"):
        faults.add(Fault("GetItem", kind))
    assert [fault.kind for fault in faults.take("GetItem", None)] == ["latency", "drop_after", "latency"]
    assert [fault.kind for fault in faults.take("GetItem", None)] == ["throttle"]
    assert faults.take("GetItem", None) == []


def test_an_unknown_fault_is_refused(stack):
    """A misspelt kind is an error at once."""
    with pytest.raises(CallRefusedError, match="kind: expected one of"):
        stack.fault("GetItem", "latancy")


def test_a_gate_before_holds_the_work_back(stack, app, table):
    """Held before the work: nothing is written until the release, then the request ends as usual."""
    with ThreadPoolExecutor(1) as threads, stack.gate("PutItem") as gate:
        put = threads.submit(app.dynamodb, "PutItem", PUT)
        gate.wait_for(1)
        assert rows(stack) == 0
        assert gate.release() == 1
        assert put.result(5).status_code == 200
    assert rows(stack) == 1


def test_a_gate_after_holds_the_answer_back(stack, app, table):
    """Held after the work: it is written while the caller still waits."""
    with ThreadPoolExecutor(1) as threads, stack.gate("PutItem", after=True) as gate:
        put = threads.submit(app.dynamodb, "PutItem", PUT)
        gate.wait_for(1)
        assert rows(stack) == 1
        assert not put.done()
        gate.release()
        assert put.result(5).status_code == 200


def test_a_gate_lets_go_one_by_one(stack, app, table):
    """release(1) frees the longest held only; leaving the context frees the rest."""
    with ThreadPoolExecutor(3) as threads:
        with stack.gate("GetItem") as gate:
            asked = [threads.submit(app.dynamodb, "GetItem", GET) for _ in range(3)]
            gate.wait_for(3)
            assert gate.release(1) == 1
            gate.wait_for(2)
            assert sum(each.done() for each in asked) <= 1
        assert [each.result(5).status_code for each in asked] == [200] * 3


def test_a_gate_may_hold_only_the_first(stack, app, table):
    """times=1: the first request waits, and a second one passes it."""
    with ThreadPoolExecutor(1) as threads, stack.gate("PutItem", times=1) as gate:
        late = threads.submit(app.dynamodb, "PutItem", PUT)
        gate.wait_for(1)
        assert app.dynamodb("PutItem", PUT).status_code == 200
        assert not late.done()


def test_held_work_is_done_even_when_its_client_has_gone(stack, app, table):
    """A caller that gave up does not stop its request: released, it is carried out late."""
    app.timeout = 0.2
    with stack.gate("PutItem") as gate:
        with pytest.raises(httpx.ReadTimeout):
            app.dynamodb("PutItem", PUT)
        gate.wait_for(1)
        assert rows(stack) == 0
    deadline = time.monotonic() + 5
    while rows(stack) == 0 and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    assert rows(stack) == 1


def test_waiting_in_vain_ends(stack):
    """wait_for gives up with a StackError that says how many came."""
    with stack.gate("PutItem") as gate, pytest.raises(StackError, match="0 of 1"):
        gate.wait_for(1, timeout=0.05)


@pytest.mark.parametrize(
    "case",
    [
        (0, 0, None),
        (299, 0, None),
        (-299, 0, None),
        (320, 0, "Signature expired: "),
        (-320, 0, "Signature not yet current: "),
        (3600, 3600, None),
    ],
)
def test_the_time_of_a_signature_is_judged(stack, app, table, case):
    """Signatures are valid for five minutes in both directions of AWS's clock, which Date shows; the advanced clock has no
    effect.
    """
    ahead, signed, says = case
    stack.advance(7200)
    stack.set_aws_clock(ahead)
    now = datetime.now(UTC)
    answer = app.dynamodb("PutItem", PUT, **{"x-amz-date": f"{now + timedelta(seconds=signed):%Y%m%dT%H%M%SZ}"})
    assert (answer.status_code, rows(stack)) == ((400, 0) if says else (200, 1))
    assert (says or "") in answer.json().get("message", "")
    dated = parsedate_to_datetime(answer.headers["date"]) - now
    assert abs(dated.total_seconds() - ahead) < 30
    [call] = stack.calls("dynamodb")
    assert call.error == ("InvalidSignatureException" if says else None)
