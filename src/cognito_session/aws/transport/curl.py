"""The wire on libcurl: pooling, TLS and SigV4 signing are its own (pycurl).

Rules: every option that matters is set at each call, and a handle is discarded after a failed call. A `once` call opens a
connection, sends, and closes it, because libcurl resends by itself if a kept connection drops. Credentials are read at each
call, since they may be replaced. Must not know what the calls mean, nor where credentials come from.
"""

from __future__ import annotations

import json
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import pycurl

from cognito_session.aws.transport.access_keys import KEYS_REFUSED
from cognito_session.aws.transport.answer import read_answer, refused_document
from cognito_session.aws.transport.curl_pool import give_back, take, throw_away
from cognito_session.aws.transport.endpoint import check_address, is_loopback_http
from cognito_session.aws.transport.interface import (
    MAX_ANSWER_BYTES,
    MAX_DOCUMENT_BYTES,
    AnswerLost,
    NotSent,
    ServiceError,
    basic_authorization,
)
from cognito_session.aws.transport.proxy import no_proxy, proxy
from cognito_session.aws.transport.server_clock import ServerClock, amz_date
from cognito_session.core.checks import setting
from cognito_session.core.secret import Secret, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cognito_session.aws.transport.access_keys import AccessKeys
    from cognito_session.aws.transport.credentials import Credentials
    from cognito_session.aws.transport.endpoint import Endpoints
    from cognito_session.aws.transport.interface import JsonAnswer, JsonPayload

__all__ = ["CurlWire"]

_CONNECT_SECONDS: Final = 2.0  # name, TCP and TLS together; TLS takes half a second in a small Lambda
_OK: Final = 200
_RETRY_AFTER: Final = getattr(pycurl, "RETRY_AFTER", None)  # pycurl before 7.48 has no name for it: retry_after is then None
_QUICK_EXIT: Final = 322  # CURLOPT_QUICK_EXIT, libcurl 7.87; pycurl has no name for it
_LIBCURL: Final = 0x075700

if pycurl.version_info()[2] < _LIBCURL or not hasattr(pycurl, "AWS_SIGV4"):
    raise ImportError("this pycurl is built on a libcurl before 7.87, which cannot sign or leave a hung resolver behind")

# service -> (X-Amz-Target prefix, AWS JSON version)
_PROTOCOLS: Final = {
    "dynamodb": ("DynamoDB_20120810", "1.0"),
    "cognito-idp": ("AWSCognitoIdentityProviderService", "1.1"),
    "secretsmanager": ("secretsmanager", "1.1"),
}

_ALWAYS: Final[list[tuple[int, Any]]] = [
    (pycurl.NOSIGNAL, 1),  # signals for timeouts would hit other threads
    (pycurl.FOLLOWLOCATION, 0),
    (pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS),
    (pycurl.SSL_VERIFYPEER, 1),
    (pycurl.SSL_VERIFYHOST, 2),
    (pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2),
    # HTTP/2 resends refused streams by itself, and a handle has one exchange at a time in any case.
    (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
    (pycurl.TCP_KEEPALIVE, 1),
    (pycurl.USERAGENT, "cognito-session"),
]
_ONCE: Final[list[tuple[int, Any]]] = [(pycurl.FRESH_CONNECT, 1), (pycurl.FORBID_REUSE, 1)]


class _Body:
    """Collects an answer up to `limit` bytes. If more arrives, libcurl ends the transfer."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.chunks: list[bytes] = []
        self.size = 0

    def write(self, chunk: bytes) -> int:
        self.size += len(chunk)
        if self.size > self.limit:
            return 0
        self.chunks.append(chunk)
        return len(chunk)


class CurlWire:
    """`Wire` on libcurl. All instances of a process share one pool of handles."""

    def __init__(self, endpoints: Endpoints, environ: Mapping[str, str], credentials: Credentials) -> None:
        self._endpoints = endpoints
        self._credentials = credentials
        self._environ = environ
        self._server_clock = ServerClock()
        self._proxies: list[tuple[int, Any]] = [(pycurl.PROXY, proxy(environ)), (pycurl.NOPROXY, no_proxy(environ))]

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
        """See `Wire.call`."""

        def send(ahead_seconds: float, seconds: float) -> JsonAnswer:
            return self._call(service, operation, payload, ahead_seconds, seconds, signed=signed, once=once)

        return self._server_clock.signed(send, timeout_seconds) if signed else send(0.0, timeout_seconds)

    def _call(
        self,
        service: str,
        operation: str,
        payload: JsonPayload,
        ahead_seconds: float,
        timeout_seconds: float,
        *,
        signed: bool,
        once: bool,
    ) -> JsonAnswer:
        """One request, signed by a clock that is `ahead_seconds` ahead of this machine's."""
        address, region = self._endpoints.locate(service)
        target, version = _PROTOCOLS[service]
        headers = [f"Content-Type: application/x-amz-json-{version}", f"X-Amz-Target: {target}.{operation}", "Expect:"]
        sent = Secret(json.dumps(dict(payload), separators=(",", ":"), default=Secret.reveal))
        options: list[tuple[int, Any]] = [(pycurl.POSTFIELDS, sent)]
        name, keys = f"{service}.{operation}", None
        if signed:
            began = monotonic()
            keys = self._credentials.read(name, timeout_seconds)
            timeout_seconds -= monotonic() - began  # waiting for keys counts against the call's limit
            options += _signing(keys, service, region, headers)
            if ahead_seconds:  # libcurl signs by this header where it is there
                headers.append(f"X-Amz-Date: {amz_date(ahead_seconds)}")
        options.append((pycurl.HTTPHEADER, Secret(headers)))
        lines: list[bytes] = []
        options.append((pycurl.HEADERFUNCTION, lines.append))
        status, body, retry_after = self._exchange(
            name, address + "/", options, timeout_seconds=timeout_seconds, max_bytes=MAX_ANSWER_BYTES, once=once
        )
        try:
            return read_answer(
                service, name, status, body, retry_after=retry_after, headers={} if status == _OK else _by_name(lines)
            )
        except ServiceError as error:
            if keys is not None and error.code in KEYS_REFUSED:
                self._credentials.refused(keys)
            raise

    def get(self, url: str, *, timeout_seconds: float, max_bytes: int = MAX_DOCUMENT_BYTES) -> bytes:
        """See `Wire.get`."""
        name = f"GET {check_address(url, 'the address to fetch', self._environ)}"
        lines: list[bytes] = []
        options = [(pycurl.HEADERFUNCTION, lines.append)]
        status, body, retry_after = self._exchange(
            name, url, options, timeout_seconds=timeout_seconds, max_bytes=max_bytes, once=False
        )
        if status != _OK:
            raise refused_document(name, status, _by_name(lines), retry_after)
        return body

    def post_form(
        self,
        url: str,
        fields: Mapping[str, Any],
        *,
        timeout_seconds: float,
        basic: tuple[str, str | Secret[str]] | None = None,
        once: bool = False,
    ) -> tuple[int, bytes]:
        """See `Wire.post_form`."""
        from urllib.parse import urlencode

        name = f"POST {check_address(url, 'the address to post to', self._environ)}"
        headers = ["Expect:"]
        if basic is not None:
            headers.append(f"Authorization: {basic_authorization(*basic)}")
        options: list[tuple[int, Any]] = [
            (pycurl.POSTFIELDS, Secret(urlencode(plain(fields)))),
            (pycurl.HTTPHEADER, Secret(headers)),
        ]
        status, body, _ = self._exchange(
            name, url, options, timeout_seconds=timeout_seconds, max_bytes=MAX_DOCUMENT_BYTES, once=once
        )
        return status, body

    def _exchange(
        self,
        name: str,
        url: str,
        options: Iterable[tuple[int, Any]],
        *,
        timeout_seconds: float,
        max_bytes: int,
        once: bool,
    ) -> tuple[int, bytes, int | None]:
        """(status, body, Retry-After in seconds) of one exchange. Raises NotSent and AnswerLost."""
        body = _Body(max_bytes)
        settings = [*_ALWAYS, *_limits(name, timeout_seconds), *options, (pycurl.URL, url)]
        settings.append((pycurl.WRITEFUNCTION, body.write))
        settings += _ONCE if once else ()
        settings += self._route(url)
        status, retry_after = _perform(name, settings, body)
        return status, b"".join(body.chunks), retry_after

    def _route(self, url: str) -> list[tuple[int, Any]]:
        """Proxy and authorities, always said: libcurl would read the process's own variables."""
        if is_loopback_http(url):
            return [(pycurl.NOPROXY, "*")]  # http_proxy would carry clear text off this machine
        found = [*self._proxies]
        bundle = setting(self._environ, "AWS_CA_BUNDLE")
        return [*found, (pycurl.CAINFO, bundle)] if bundle else found


def _signing(keys: AccessKeys, service: str, region: str, headers: list[str]) -> list[tuple[int, Any]]:
    """Options that make libcurl sign (CURLOPT_AWS_SIGV4); adds the session token to `headers`, which it signs."""
    if keys.session_token is not None:
        headers.append(f"X-Amz-Security-Token: {keys.session_token}")
    return [
        (pycurl.AWS_SIGV4, f"aws:amz:{region}:{service}"),
        (pycurl.USERNAME, keys.key_id),
        (pycurl.PASSWORD, Secret(keys.secret)),
    ]


def _by_name(lines: Iterable[bytes]) -> dict[str, str]:
    """Header lines by lower-case name. A proxy's own come first, so the last line of a name is the service's."""
    pairs = (line.decode("latin-1").partition(":") for line in lines)
    return {name.strip().lower(): value.strip() for name, colon, value in pairs if colon}


def _limits(name: str, timeout_seconds: float) -> list[tuple[int, Any]]:
    """Time limits in milliseconds. libcurl reads 0 as "no limit", so a spent budget raises NotSent here."""
    milliseconds = int(timeout_seconds * 1000)
    if milliseconds < 1:
        raise NotSent(f"{name}: no time left to send it")
    connect = min(milliseconds, int(_CONNECT_SECONDS * 1000))
    return [(pycurl.TIMEOUT_MS, milliseconds), (pycurl.CONNECTTIMEOUT_MS, connect)]


def _perform(name: str, settings: Iterable[tuple[int, Any]], body: _Body) -> tuple[int, int | None]:
    curl = take()
    try:
        _leave_hung_resolvers(curl)
        for option, value in settings:
            curl.setopt(option, value.reveal() if type(value) is Secret else value)
        curl.perform()
        outcome = curl.getinfo(pycurl.RESPONSE_CODE), (_RETRY_AFTER and curl.getinfo(_RETRY_AFTER)) or None
    except pycurl.error as error:
        failure = _failure(name, curl, error, body)
        throw_away(curl)
        raise failure from error
    except BaseException:
        throw_away(curl)
        raise
    give_back(curl)
    return outcome


def _leave_hung_resolvers(curl: Any) -> None:
    """Set QUICK_EXIT. Without it, closing a handle waits for its resolver thread, up to tens of seconds over the limit."""
    if _HAS_QUICK_EXIT:
        curl.setopt(_QUICK_EXIT, 1)


_HAS_QUICK_EXIT: Final = pycurl.version_info()[2] >= 0x075700  # noqa: PLR2004 - libcurl 7.87.0, as libcurl writes it


def _failure(name: str, curl: Any, error: pycurl.error, body: _Body) -> NotSent | AnswerLost:
    """NotSent or AnswerLost, decided by the bytes handed to the socket and not by the error's number.

    "Connection refused" also ends a call that was sent on a kept connection, dropped, and could not be sent again.
    """
    code = error.args[0]
    if body.size > body.limit:
        return AnswerLost(f"{name}: refused an answer of more than {body.limit} bytes")
    if code != pycurl.E_SEND_ERROR and curl.getinfo(pycurl.REQUEST_SIZE) == 0:
        return NotSent(f"{name}: not sent (libcurl {code}: {error.args[1]})")
    return AnswerLost(f"{name}: no answer (libcurl {code}: {error.args[1]})")
