"""A small HTTP server in front of a Lambda handler, like API Gateway's HTTP API: payload format 2.0, on loopback only.

    with Gateway(handler) as gateway:
        urllib.request.urlopen(gateway.url)

Each request runs in its own thread. An exception of the handler is logged and never sent to the client. The gateway knows
nothing about sessions: it takes any handler for payload format 2.0.
"""

import logging
import socket
import threading
import uuid
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self

from cognito_session.clock import SystemClock
from cognito_session.core.protocol.ports import Clock
from cognito_session.local.gateway_payload import GatewayRequest, GatewayResponse
from cognito_session.testing.lambda_context import LambdaContext

__all__ = ["MAX_BODY_BYTES", "MAX_HEADER_BYTES", "Gateway", "Handler"]

Handler = Callable[[dict[str, Any], Any], Any]

MAX_BODY_BYTES: Final = 6 * 1024 * 1024
"""Lambda's limit of a synchronous call."""
MAX_HEADER_BYTES: Final = 10_240
"""API Gateway's limit of a request's line and headers together."""

_TIMEOUT_SECONDS: Final = 30.0
_DRAIN_SECONDS: Final = 5.0
_LOG: Final = logging.getLogger(__name__)


class Gateway:
    """A gateway that serves requests from construction on. `port` 0 picks a free port. Raises OSError if the port is in use."""

    def __init__(
        self,
        handler: Handler,
        port: int = 0,
        *,
        function_name: str = "local",
        timeout_seconds: float = _TIMEOUT_SECONDS,
        clock: Clock | None = None,
    ) -> None:
        self.handler = handler
        self.function_name = function_name
        self.timeout_seconds = timeout_seconds
        self._real_time = SystemClock()
        self.clock: Clock = clock or self._real_time
        self._server = _Server(port, self)
        self.port: int = self._server.server_address[1]
        self.url: str = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Accept no more requests and let running ones finish within a few seconds. Stopping twice is harmless."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._server.drain()

    def context(self) -> LambdaContext:
        """A new Lambda context. Its time is real time, whatever `clock` is; the gateway does not stop a late handler."""
        seconds, name = self.timeout_seconds, self.function_name
        return LambdaContext(self._real_time, str(uuid.uuid4()), seconds=seconds, function_name=name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    """Tracks its open connections, so that stopping does not wait for idle ones, and never forever."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, gateway: Gateway) -> None:
        self.gateway = gateway
        self._open: set[Any] = set()
        self._changed = threading.Condition()
        super().__init__(("127.0.0.1", port), _Connection)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._changed:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        with self._changed:
            self._open.discard(request)
            self._changed.notify_all()

    def drain(self) -> None:
        """Stop reading from all connections; a running request still gets its response."""
        with self._changed:
            for connection in self._open:
                _read_no_more(connection)
            self._changed.wait_for(lambda: not self._open, _DRAIN_SECONDS)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - socketserver's signature
        """Log that a client disconnected."""
        _LOG.debug("a connection broke", exc_info=True)


def _read_no_more(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RD)
    except OSError:  # the client has already closed it
        return


class _RefusedError(Exception):
    """A request that does not reach the handler."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = _TIMEOUT_SECONDS
    server: _Server

    def _serve(self) -> None:
        gateway = self.server.gateway
        try:
            event = self._request().event()
            context = gateway.context()
            answer = GatewayResponse.of(gateway.handler(event, context))
        except _RefusedError as refused:
            self.close_connection = True  # the unread rest of the body must not be parsed as a request
            answer = GatewayResponse.message(refused.status, refused.status.phrase)
        except Exception:  # noqa: BLE001 - Lambda answers every exception of a handler in the same way
            _LOG.exception("the handler failed on %s %s", self.command, self.path.partition("?")[0])
            answer = GatewayResponse.message(500, "Internal Server Error")
        self._send(answer)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve  # noqa: N815 - http.server's names

    def _request(self) -> GatewayRequest:
        headers = self.headers.items()
        if len(self.requestline) + sum(len(name) + len(value) for name, value in headers) > MAX_HEADER_BYTES:
            raise _RefusedError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        return GatewayRequest(
            method=self.command,
            target=self.path,
            protocol=self.request_version,
            headers=headers,
            body=self._body(),
            source_ip=self.client_address[0],
            port=self.server.gateway.port,
            at=self.server.gateway.clock.now(),
        )

    def _body(self) -> bytes:
        if "transfer-encoding" in self.headers:
            raise _RefusedError(HTTPStatus.LENGTH_REQUIRED)
        lengths = self.headers.get_all("content-length") or ["0"]
        if len(lengths) > 1 or not (lengths[0].isascii() and lengths[0].isdigit()):
            raise _RefusedError(HTTPStatus.BAD_REQUEST)
        digits = lengths[0].lstrip("0") or "0"
        if len(digits) > len(str(MAX_BODY_BYTES)) or int(digits) > MAX_BODY_BYTES:
            raise _RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        body = self.rfile.read(int(digits))
        if len(body) < int(digits):
            raise _RefusedError(HTTPStatus.BAD_REQUEST)
        return body

    def _send(self, answer: GatewayResponse) -> None:
        """Send head and body in one write: two writes would wait for a delayed acknowledgement."""
        has_body = answer.status not in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
        phrase = next((known.phrase for known in HTTPStatus if known == answer.status), "")
        lines = [f"{self.protocol_version} {int(answer.status)} {phrase}", f"Date: {self.date_time_string()}"]
        lines += [f"{name}: {value}" for name, value in answer.headers]
        lines += [f"Content-Length: {len(answer.body)}"] * has_body + ["Connection: close"] * self.close_connection
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        self.wfile.write(head + answer.body if has_body and self.command != "HEAD" else head)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """http.server's own refusals, in API Gateway's format instead of an HTML page."""
        self.close_connection = True
        self._send(GatewayResponse.message(code, HTTPStatus(code).phrase))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's own name
        """Write no log line per request."""
