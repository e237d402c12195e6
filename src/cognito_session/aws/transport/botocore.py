"""The wire on botocore: for injected sessions and clients, for moto, and where libcurl cannot be used.

Rules: clients never retry. After a dropped connection this file tries once more, as libcurl does, but never for a `once`
call. botocore cannot limit a whole call, so `once` calls, documents and forms run in a thread that is abandoned at the limit
(it ends when its socket or the resolver gives up). Must not know what the calls mean.
"""

from __future__ import annotations

import contextvars
import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar
from urllib.parse import urlencode

from botocore import xform_name
from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session

from cognito_session.aws.transport.access_keys import KEYS_REFUSED
from cognito_session.aws.transport.answer import refused_document
from cognito_session.aws.transport.botocore_clients import CONNECT_SECONDS, Clients
from cognito_session.aws.transport.botocore_faults import Dropped, translated
from cognito_session.aws.transport.botocore_hooks import Watch, tells_what_was_sent, watched
from cognito_session.aws.transport.debug_log_filter import without_debug_logs
from cognito_session.aws.transport.endpoint import check_address
from cognito_session.aws.transport.interface import (
    MAX_DOCUMENT_BYTES,
    AnswerLost,
    NotSent,
    ServiceError,
    UnknownOperation,
    basic_authorization,
)
from cognito_session.aws.transport.proxy import proxies
from cognito_session.aws.transport.server_clock import ServerClock
from cognito_session.core.checks import setting
from cognito_session.core.secret import Secret, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cognito_session.aws.transport.credentials import Credentials
    from cognito_session.aws.transport.endpoint import Endpoints
    from cognito_session.aws.transport.interface import JsonAnswer, JsonPayload

__all__ = ["BotocoreWire"]

_T = TypeVar("_T")
_OK: Final = 200


class _Request(NamedTuple):
    """One AWS JSON call, as in `Wire.call`."""

    service: str
    operation: str
    payload: JsonPayload
    signed: bool
    once: bool

    @property
    def name(self) -> str:
        return f"{self.service}.{self.operation}"

    def __repr__(self) -> str:
        return f"_Request({self.name!r})"  # the payload holds tokens


class BotocoreWire:
    """`Wire` on botocore. Signs with `credentials`, or with those of the injected session or clients.

    An injected client keeps its own time limits and, outside `once` calls, its own retries. After a fork the caller must
    replace it; clients made here are replaced automatically.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        environ: Mapping[str, str],
        credentials: Credentials,
        *,
        session: Any = None,
        clients: Mapping[str, Any] | None = None,
    ) -> None:
        self._environ = environ
        self._server_clock = ServerClock()
        self._credentials = credentials
        self._injected = frozenset(clients or ())
        self._has_session = session is not None
        self._clients = Clients(endpoints, environ, credentials, session=session, injected=clients)

    def call(
        self,
        service: str,
        operation: str,
        payload: JsonPayload,
        *,
        timeout_seconds: float,
        signed: bool = True,
        once: bool = False,
    ) -> JsonAnswer:
        """See `Wire.call`. If botocore refuses to send, that is a ServiceError "ValidationException", as from the service."""
        request = _Request(service, operation, payload, signed=signed, once=once)
        _refuse_spent(request.name, timeout_seconds)

        def exchange(ahead_seconds: float, seconds: float) -> JsonAnswer:
            def work() -> JsonAnswer:
                return self._send(request, ahead_seconds, seconds)

            return _within(request.name, seconds, work) if once else _resend_dropped(work)

        return self._server_clock.signed(exchange, timeout_seconds) if signed else exchange(0.0, timeout_seconds)

    def _send(self, request: _Request, ahead_seconds: float, timeout_seconds: float) -> JsonAnswer:
        """Send a request once, with the wire's errors. Drops keys and clients that the error shows to be unusable."""
        with watched(once=request.once, ahead_seconds=ahead_seconds) as watch:
            try:
                return translated(request.name, lambda: self._send_watched(request, watch, timeout_seconds), watch)
            except ServiceError as error:
                if watch.keys is not None and error.code in KEYS_REFUSED:
                    self._credentials.refused(watch.keys)
                raise
            finally:
                if watch.without_credentials:
                    self._clients.renew()  # a client that was made without credentials would never find any

    def _send_watched(self, request: _Request, watch: Watch, timeout_seconds: float) -> JsonAnswer:
        """Send a request once, with botocore's errors."""
        watch.known = True
        injected = request.service in self._injected
        if request.signed and not self._has_session and not injected:
            watch.keys = self._credentials.read(request.name, timeout_seconds)
        client = self._clients.get(request.service, signed=request.signed, once=request.once, timeout_seconds=timeout_seconds)
        watch.known = tells_what_was_sent(client)
        try:
            return _call(client, request.operation, request.payload)
        finally:
            if request.once and not injected:
                client.close()  # the server may close an idle connection just when the next call takes it

    def get(self, url: str, *, timeout_seconds: float, max_bytes: int = MAX_DOCUMENT_BYTES) -> bytes:
        """See `Wire.get`."""
        name = f"GET {check_address(url, 'the address to fetch', self._environ)}"
        status, body, headers = self._exchange(name, AWSRequest("GET", url), timeout_seconds, max_bytes)
        if status != _OK:
            after = headers.get("retry-after", "")
            raise refused_document(name, status, headers, int(after) if after.isdecimal() else None)
        return body

    def post_form(
        self,
        url: str,
        fields: Mapping[str, Any],
        *,
        timeout_seconds: float,
        basic: tuple[str, str | Secret[str]] | None = None,
        once: bool = False,  # noqa: ARG002 - every form uses a fresh connection and one send
    ) -> tuple[int, bytes]:
        """See `Wire.post_form`."""
        name = f"POST {check_address(url, 'the address to post to', self._environ)}"
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if basic is not None:
            headers["Authorization"] = basic_authorization(*basic)
        request = AWSRequest("POST", url, headers, urlencode(plain(fields)))
        status, body, _ = self._exchange(name, request, timeout_seconds, MAX_DOCUMENT_BYTES)
        return status, body

    def _exchange(self, name: str, request: Any, timeout_seconds: float, max_bytes: int) -> tuple[int, bytes, dict[str, str]]:
        """(status, body, headers by lower-case name), over a new connection: these calls are too rare to keep one."""
        _refuse_spent(name, timeout_seconds)
        request.stream_output = True

        def send() -> tuple[int, bytes, dict[str, str]]:
            with without_debug_logs():
                return exchange()

        def exchange() -> tuple[int, bytes, dict[str, str]]:
            prepared = request.prepare()
            answered = self._clients.answered_by_hook(prepared)
            if answered is not None:
                return answered.status_code, answered.content, {key.lower(): value for key, value in answered.headers.items()}
            session = URLLib3Session(
                verify=setting(self._environ, "AWS_CA_BUNDLE") or True,
                proxies=proxies(request.url, self._environ),
                timeout=(min(CONNECT_SECONDS, timeout_seconds), timeout_seconds),
            )
            try:
                response = session.send(prepared)
                body: bytes = response.raw.read(max_bytes + 1)
            finally:
                session.close()
            if len(body) > max_bytes:
                raise AnswerLost(f"{name}: refused an answer of more than {max_bytes} bytes")
            return response.status_code, body, {key.lower(): value for key, value in response.headers.items()}

        return _within(name, timeout_seconds, lambda: translated(name, send))


def _refuse_spent(name: str, timeout_seconds: float) -> None:
    if timeout_seconds <= 0:
        raise NotSent(f"{name}: no time left to send it")


def _call(client: Any, operation: str, payload: Mapping[str, Any]) -> JsonAnswer:
    method = getattr(client, xform_name(operation), None)
    if method is None:
        raise UnknownOperation(f"the installed botocore does not know {operation}: install a newer boto3")
    answer: dict[str, Any] = method(**plain(payload))
    return {key: value for key, value in answer.items() if key != "ResponseMetadata"}


def _resend_dropped(send: Callable[[], _T]) -> _T:
    """Try once more after a dropped connection. Even if the second try is not sent, the first may have been done."""
    try:
        return send()
    except Dropped as dropped:
        first = dropped
    try:
        return send()
    except NotSent:
        raise first from None


def _within(name: str, timeout_seconds: float, work: Callable[[], _T]) -> _T:
    """Run `work()` in its own thread, abandoned after `timeout_seconds` with AnswerLost.

    The thread is a daemon, so that a hung resolver does not delay the interpreter's exit. There is no pool to replace after
    a fork.
    """
    results: list[_T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - raised in the caller's thread
            errors.append(error)

    context = contextvars.copy_context()  # tracing libraries find their spans by context variables
    thread = threading.Thread(target=context.run, args=(run,), name="cognito-session-once", daemon=True)
    thread.start()
    thread.join(timeout_seconds)
    if results:
        return results[0]
    if errors:
        raise errors[0]
    raise AnswerLost(f"{name}: no answer within {timeout_seconds:g} s")
