"""The gateway: the event that a handler receives, the HTTP response of its result, and the server."""

import base64
import http.client
import json
import socket
import threading
import time
from contextlib import closing

import pytest

from cognito_session.local.gateway import MAX_BODY_BYTES, MAX_HEADER_BYTES, Gateway
from cognito_session.testing.clock import ManualClock


class Recorder:
    """A handler that keeps its arguments and returns a given result."""

    def __init__(self, answer=None):
        self.answer = {"statusCode": 204} if answer is None else answer
        self.event = self.context = None

    def __call__(self, event, context):
        self.event, self.context = event, context
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


def send(gateway, method="GET", target="/", *, headers=(), body=b""):
    """One request with exactly these headers, beside Host and Content-Length."""
    with closing(http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)) as connection:
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        if body:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body or None)
        response = connection.getresponse()
        return response.status, response.headers, response.read()


def event_of(method="GET", target="/", *, headers=(), body=b""):
    """The event of one request."""
    recorder = Recorder()
    with Gateway(recorder, clock=ManualClock(now=1_583_348_638.5)) as gateway:
        status, _, _ = send(gateway, method, target, headers=headers, body=body)
        assert status == 204
    return recorder.event


def answer_to(answer, method="GET"):
    """Status, headers and body of the HTTP response to a handler's result."""
    with Gateway(Recorder(answer)) as gateway:
        return send(gateway, method)


def test_an_event_has_the_shape_of_payload_format_2():
    """Every field that AWS documents for a request without body is there, and nothing else."""
    event = event_of("GET", "/a/b?x=1&y=&x=2%2C3", headers=[("User-Agent", "t")])
    assert {name: event[name] for name in ("version", "routeKey", "rawPath", "rawQueryString", "isBase64Encoded")} == {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/a/b",
        "rawQueryString": "x=1&y=&x=2%2C3",
        "isBase64Encoded": False,
    }
    assert event["queryStringParameters"] == {"x": "1,2,3", "y": ""}
    context = event["requestContext"]
    assert context["http"] == {
        "method": "GET",
        "path": "/a/b",
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.1",
        "userAgent": "t",
    }
    assert (context["time"], context["timeEpoch"]) == ("04/Mar/2020:19:03:58 +0000", 1_583_348_638_500)
    assert (context["stage"], context["domainName"]) == ("$default", "127.0.0.1")
    assert json.loads(json.dumps(event)) == event
    assert set(event) == {
        *("version", "routeKey", "rawPath", "rawQueryString", "headers"),
        *("queryStringParameters", "requestContext", "isBase64Encoded"),
    }


def test_cookies_come_one_by_one_and_in_no_header():
    """Several Cookie headers become one array with one entry per cookie, split only at ";"."""
    event = event_of(headers=[("Cookie", 'a=1; b="x,y"'), ("cookie", "a=2;;c=d=e")])
    assert event["cookies"] == ["a=1", 'b="x,y"', "a=2", "c=d=e"]
    assert "cookie" not in event["headers"]


@pytest.mark.parametrize("headers", [(), [("Cookie", " ; ")]])
def test_without_a_cookie_there_is_no_cookies_field(headers):
    """As on AWS the field is absent, not empty."""
    assert "cookies" not in event_of(headers=headers)


def test_headers_are_lower_case_and_joined_by_commas():
    """A repeated header is one entry, in order; only the gateway sets the client's address."""
    sent = [("X-Tag", "one"), ("x-tAG", "two, three"), ("X-Forwarded-For", "6.6.6.6")]
    headers = event_of(headers=sent)["headers"]
    assert headers["x-tag"] == "one,two, three"
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert all(name == name.lower() for name in headers)


@pytest.mark.parametrize(
    ("kind", "as_text"),
    [
        ("application/json", True),
        ("text/csv; charset=utf-8", True),
        ("application/x-www-form-urlencoded", False),
        ("application/octet-stream", False),
        (None, False),
    ],
)
def test_only_some_kinds_of_body_are_text(kind, as_text):
    """JSON and text are unchanged; all other types, forms included, are base64."""
    body = '{"ä": 1}'.encode()
    event = event_of("POST", headers=[("Content-Type", kind)] if kind else (), body=body)
    assert event["isBase64Encoded"] is not as_text
    assert (event["body"].encode() if as_text else base64.b64decode(event["body"])) == body


def test_the_context_is_like_lambdas():
    """It has the function's name and a request id, and its time runs down."""
    recorder = Recorder()
    with Gateway(recorder, function_name="shop", timeout_seconds=10) as gateway:
        send(gateway)
        first = recorder.context
        send(gateway)
    assert first.function_name == "shop"
    assert first.aws_request_id != recorder.context.aws_request_id
    assert 0 < first.get_remaining_time_in_millis() <= 10_000


def test_every_cookie_of_an_answer_is_a_header_of_its_own():
    """Two cookies are two Set-Cookie headers, in order; other headers are sent as given."""
    cookies = ["a=1; Expires=Wed, 09 Jun 2027 10:18:14 GMT", "b=2; HttpOnly"]
    status, headers, body = answer_to({"statusCode": 201, "headers": {"X-N": 7}, "cookies": cookies, "body": "ok"})
    assert (status, body, headers["X-N"]) == (201, b"ok", "7")
    assert headers.get_all("Set-Cookie") == cookies
    assert headers["Content-Type"] == "text/plain;charset=UTF-8"


def test_a_base64_body_is_decoded():
    """Bytes that are no text reach the client as they are."""
    content = bytes(range(256))
    given = {"statusCode": 200, "isBase64Encoded": True, "body": base64.b64encode(content).decode()}
    status, headers, body = answer_to({**given, "headers": {"content-type": "image/png"}})
    assert (status, body, headers.get_all("content-type")) == (200, content, ["image/png"])


@pytest.mark.parametrize(("given", "body"), [({"a": 1}, b'{"a": 1}'), ("Hello", b"Hello"), ([1, 2], b"[1, 2]")])
def test_an_answer_without_status_is_json(given, body):
    """API Gateway infers 200, application/json, and the returned value as body."""
    status, headers, found = answer_to(given)
    assert (status, headers["Content-Type"], found) == (200, "application/json", body)


@pytest.mark.parametrize(
    "given",
    [
        RuntimeError("secret-detail"),
        {"statusCode": "secret-detail"},
        {"statusCode": 99},
        {"statusCode": 200, "body": {"secret-detail": 1}},
        {"statusCode": 200, "body": "secret-detail", "isBase64Encoded": True},
        {"statusCode": 200, "headers": {"X": "secret-detail\r\nX-Evil: 1"}},
        {"statusCode": 200, "cookies": ["a=1\r\nX-Evil: 1"]},
        {"statusCode": 200, "body": "x" * (MAX_BODY_BYTES + 1)},
        {"secret-detail": object()},
    ],
)
def test_a_failing_handler_is_a_500_that_tells_nothing(given, caplog):
    """An exception or an impossible answer becomes API Gateway's own JSON; the log has the reason."""
    status, headers, body = answer_to(given)
    assert (status, json.loads(body)) == (500, {"message": "Internal Server Error"})
    assert headers["Content-Type"] == "application/json"
    assert "X-Evil" not in headers
    assert [record.exc_info is not None for record in caplog.records] == [True]


def test_a_failure_leaves_the_connection_usable(caplog):
    """After a 500 the same connection serves on."""
    recorder = Recorder(RuntimeError("once"))
    with Gateway(recorder) as gateway, closing(http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)) as connection:
        connection.request("GET", "/")
        assert connection.getresponse().read() == b'{"message": "Internal Server Error"}'
        recorder.answer = "fine"
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"fine"
    assert len(caplog.records) == 1


def test_requests_run_in_parallel():
    """Fifty requests that all wait for each other are all answered."""
    together = threading.Barrier(50)

    def handler(event, context):
        together.wait(10)
        return "met"

    found = []
    with Gateway(handler) as gateway:
        threads = [threading.Thread(target=lambda: found.append(send(gateway)[2])) for _ in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert found == [b"met"] * 50


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ([("X", "x" * MAX_HEADER_BYTES)], b"", 431),
        ([("Content-Length", str(MAX_BODY_BYTES + 1))], b"", 413),
        ([("Content-Length", "9" * 5000)], b"", 413),
        ([("Content-Length", "-1")], b"", 400),
        ([("Content-Length", "1"), ("Content-Length", "2")], b"", 400),
        ([("Transfer-Encoding", "chunked")], b"", 411),
    ],
)
def test_what_is_too_large_or_unclear_never_reaches_the_handler(headers, body, status):
    """Such a request is refused in JSON, and its connection closed."""
    recorder = Recorder()
    with Gateway(recorder) as gateway:
        found, answered, text = send(gateway, "POST", headers=headers, body=body)
    assert found == status
    assert answered["Connection"] == "close"
    assert set(json.loads(text)) == {"message"}
    assert recorder.event is None


@pytest.mark.parametrize(("line", "status"), [(b"nonsense\r\n\r\n", b" 400 "), (b"BREW / HTTP/1.1\r\n\r\n", b" 501 ")])
def test_what_is_no_request_is_refused_in_json(line, status):
    """What http.server refuses by itself has no page and quotes nothing either."""
    with Gateway(Recorder()) as gateway, socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as client:
        client.sendall(line)
        said = b"".join(iter(lambda: client.recv(4096), b""))
    assert status in said.partition(b"\r\n")[0]
    assert b'{"message": ' in said
    assert b"nonsense" not in said
    assert b"BREW" not in said


def test_head_and_no_content_have_no_body():
    """HEAD says how long the body would be; 204 has none at all."""
    status, headers, body = answer_to({"statusCode": 200, "body": "12345"}, "HEAD")
    assert (status, headers["Content-Length"], body) == (200, "5", b"")
    status, headers, body = answer_to({"statusCode": 204, "body": "12345"})
    assert (status, headers["Content-Length"], body) == (204, None, b"")


def test_stopping_answers_what_is_under_way_and_waits_for_nobody_idle():
    """A request in the handler gets its answer, an idle connection is ended, the port is free again."""
    inside, go_on = threading.Event(), threading.Event()

    def handler(event, context):
        inside.set()
        go_on.wait(10)
        return "done"

    found = []
    gateway = Gateway(handler)
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as idle:
        under_way = threading.Thread(target=lambda: found.append(send(gateway)[2]))
        under_way.start()
        assert inside.wait(10)
        threading.Timer(0.1, go_on.set).start()
        began = time.monotonic()
        gateway.stop()
        gateway.stop()
        assert time.monotonic() - began < 3
        under_way.join(10)
        assert found == [b"done"]
        assert idle.recv(1) == b""
    with Gateway(handler, gateway.port) as again:
        assert again.url == gateway.url


def test_only_loopback_is_served_and_a_taken_port_is_an_error():
    """The gateway listens on 127.0.0.1, where a second one cannot have the same port."""
    with Gateway(Recorder()) as gateway:
        assert gateway.url == f"http://127.0.0.1:{gateway.port}"
        with pytest.raises(OSError, match="in use"):
            Gateway(Recorder(), gateway.port)
