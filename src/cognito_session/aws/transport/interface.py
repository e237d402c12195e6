"""Calls to AWS as one small interface, with the errors that matter to a session and the choice of implementation.

Rules: every call has a time limit; a call marked `once` leaves this machine at most once; no text of an error holds a
payload or an answer, because they hold tokens. Three failures are told apart: the service answered no (ServiceError),
the request provably never left (NotSent), nobody knows (AnswerLost). Importing this file loads no transport; it must
not know tables, pools or sessions.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final, Protocol

from cognito_session.aws.transport.endpoint import Endpoints, endpoint_for, plain_http_hosts
from cognito_session.aws.transport.greenlets import patched_by
from cognito_session.aws.transport.sentence import one_line
from cognito_session.core.arguments import setting
from cognito_session.core.errors import ConfigurationError
from cognito_session.core.secret import Secret, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cognito_session.aws.transport.access_keys import Credentials

__all__ = [
    "MAX_ANSWER_BYTES",
    "MAX_DOCUMENT_BYTES",
    "AnswerLost",
    "NotSent",
    "ServiceError",
    "UnknownOperation",
    "Wire",
    "WireError",
    "basic_authorization",
    "endpoint_for",
    "open_wire",
]

MAX_ANSWER_BYTES: Final = 2 * 1024 * 1024  # DynamoDB answers at most 1 MB a page
MAX_DOCUMENT_BYTES: Final = 256 * 1024  # a pool's key set has two keys and under 2 kB
_MAX_REQUEST_ID_CHARS: Final = 100


class WireError(Exception):
    """A call that brought no usable answer; one of the three below."""


class ServiceError(WireError):
    """The service, or something on the way to it, answered with an error.

    `.code` is the error's name without its namespace ("ConditionalCheckFailedException"), or "HTTP503" where the answer
    was not AWS JSON; `.status` the HTTP status; `.message` AWS's sentence in one printable line, without credentials (Cognito's
    may name a user); `.request_id` the x-amzn-RequestId, or ""; `.body` the parsed answer ("Item" of a failed condition is in
    it), maybe empty; `.retry_after` seconds or None; `.date` the answer's Date header, or "".
    """

    def __init__(
        self,
        operation: str,
        code: str,
        status: int,
        *,
        message: str = "",
        body: Mapping[str, Any] | None = None,
        retry_after: int | None = None,
        request_id: str = "",
        date: str = "",
    ) -> None:
        super().__init__(f"{operation}: {code} (HTTP {status})")
        self.operation = operation
        self.code = code
        self.status = status
        self.message = one_line(message)
        self.body: dict[str, Any] = dict(body or {})
        self.retry_after = retry_after
        self.request_id = one_line(request_id, _MAX_REQUEST_ID_CHARS)
        self.date = date
        self.clock_ahead_seconds: float | None = None
        """How far this machine's clock is ahead of AWS's, where the request was refused for its time twice."""


class NotSent(WireError):
    """The request provably never left: name not resolved, connection refused, TLS failed, no time left to connect."""


class AnswerLost(WireError):
    """Time ran out or the connection broke after something may have left: it may or may not have been done."""


class UnknownOperation(ConfigurationError):
    """The installed SDK does not know the operation, so nothing was sent."""


class Wire(Protocol):
    """Sends one call and waits for its answer. Safe to share between threads; usable again after a fork.

    All methods raise ServiceError, NotSent, AnswerLost or ConfigurationError and nothing else for what happens outside.
    """

    def call(
        self,
        service: str,
        operation: str,
        payload: Mapping[str, Any],
        *,
        timeout_seconds: float,
        signed: bool = True,
        once: bool = False,
    ) -> dict[str, Any]:
        """One AWS JSON call to "dynamodb" (JSON 1.0), "cognito-idp" or "secretsmanager" (JSON 1.1).

        `payload` is the API's own JSON, DynamoDB values as {"S": "x"}; no binary values. Values may be a Secret, which is
        revealed by the call that sends it. A call that is not `once` may
        be sent twice where a kept connection drops, so it must be conditional or idempotent. `once` is sent at most
        once and ends within `timeout_seconds`, name resolution included.
        """
        ...

    def get(self, url: str, *, timeout_seconds: float, max_bytes: int = MAX_DOCUMENT_BYTES) -> bytes:
        """The body of a 200 answer; any other status is a ServiceError "HTTP404", redirects included."""
        ...

    def post_form(
        self,
        url: str,
        fields: Mapping[str, Any],
        *,
        timeout_seconds: float,
        basic: tuple[str, str | Secret[str]] | None = None,
        once: bool = False,
    ) -> tuple[int, bytes]:
        """POST application/x-www-form-urlencoded, as Cognito's /oauth2/token takes; (status, body) of any answer.

        Values may be a Secret. `basic` is (client id, client secret) as they are, for HTTP Basic authentication (RFC 6749
        2.3.1).
        """
        ...


def basic_authorization(client_id: str, client_secret: str | Secret[str]) -> str:
    """The value of an Authorization header that proves an OAuth client (RFC 6749 2.3.1).

    Id and secret are form-encoded first (RFC 6749 appendix B). A space becomes %20, not a plus sign: servers that decode
    forms and servers that decode percent signs only both understand it.
    """
    from base64 import b64encode
    from urllib.parse import quote

    pair = f"{quote(client_id, safe='')}:{quote(plain(client_secret), safe='')}"
    return f"Basic {b64encode(pair.encode()).decode('ascii')}"


def open_wire(
    *,
    boto3_session: Any = None,
    clients: Mapping[str, Any] | None = None,
    region: str | None = None,
    regions: Mapping[str, str] | None = None,
    endpoints: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Wire:
    """The implementation that fits: libcurl where it can be loaded, else botocore.

    botocore sends for a `boto3_session`, for injected `clients` (by service, "dynamodb" and so on), without pycurl, and
    where gevent or eventlet has patched the sockets.
    Keys come from the environment; where it has none, botocore resolves and renews those of containers, web identities,
    instances, profiles and SSO, whichever of the two sends. `regions` and `endpoints` are by service; `region` is for the
    others, before AWS_REGION and AWS_DEFAULT_REGION. Raises ConfigurationError where the packages for it are missing.
    """
    from cognito_session.aws.transport.access_keys import Credentials

    environ = os.environ if environ is None else environ
    credentials = Credentials(environ)
    _warn_of_plain_http(environ)

    def where(environ: Mapping[str, str]) -> Endpoints:
        return Endpoints(environ, region=region, regions=regions, addresses=endpoints)

    if boto3_session is not None or clients:
        return _botocore_wire(where(environ), environ, credentials, boto3_session, clients) or _refuse()
    if (patches := patched_by()) is not None:
        return _cooperative_wire(patches, where, environ, credentials)
    wire = _curl_wire(where(environ), environ, credentials) if has_credentials(environ) else None
    if wire is not None:
        return wire
    environ = _with_files(environ)  # botocore is needed anyway
    found = where(environ)
    return _curl_wire(found, environ, credentials) or _botocore_wire(found, environ, credentials) or _refuse()


def has_credentials(environ: Mapping[str, str]) -> bool:
    """Whether the environment itself holds AWS credentials, as in Lambda and most CI."""
    return bool(setting(environ, "AWS_ACCESS_KEY_ID") and setting(environ, "AWS_SECRET_ACCESS_KEY"))


def _with_files(environ: Mapping[str, str]) -> Mapping[str, str]:
    """The environment, completed by the AWS configuration file's region, endpoints and authorities.

    Raises ConfigurationError for a profile that cannot be read, and where botocore is missing, which reads such files.
    """
    try:
        from cognito_session.aws.transport.botocore_chain import file_settings
    except ImportError:
        if has_credentials(environ) or not _importable("pycurl"):
            _refuse()
        raise ConfigurationError(
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set: set them, or install botocore"
            " (cognito-session[boto3]), which also finds the credentials of profiles, roles and containers"
        ) from None
    from cognito_session.aws.transport.botocore_faults import translated

    found = translated("the AWS configuration", lambda: file_settings(environ))
    return {**found, **{name: value for name, value in environ.items() if value}} if found else environ


def _warn_of_plain_http(environ: Mapping[str, str]) -> None:
    """Plain http to other machines never goes unnoticed."""
    if hosts := plain_http_hosts(environ):
        from logging import getLogger

        getLogger("cognito_session").warning(
            "SESSION_PLAIN_HTTP_HOSTS is set: tokens and refresh tokens may go unencrypted to %s; never set it in production",
            ", ".join(sorted(hosts)),
        )


def _cooperative_wire(
    patches: str, where: Callable[[Mapping[str, str]], Endpoints], environ: Mapping[str, str], credentials: Credentials
) -> Wire:
    """Botocore's, on the patched sockets. Raises ConfigurationError where botocore is missing."""
    from logging import getLogger

    try:
        from cognito_session.aws.transport.botocore import BotocoreWire
    except ImportError:
        raise ConfigurationError(
            f"{patches} has patched this process's sockets, and libcurl would stop every greenlet while it waits: install"
            " botocore (cognito-session[boto3]), whose sockets are cooperative"
        ) from None
    getLogger("cognito_session").info("%s has patched the sockets: calls to AWS go through botocore, not libcurl", patches)
    environ = _with_files(environ)
    return BotocoreWire(where(environ), environ, credentials)


def _curl_wire(where: Endpoints, environ: Mapping[str, str], credentials: Credentials) -> Wire | None:
    """The libcurl implementation, or None where pycurl is missing, too old, or does not load (a wheel for another glibc)."""
    try:
        from cognito_session.aws.transport.curl import CurlWire
    except ImportError:
        return None
    return CurlWire(where, environ, credentials)


def _botocore_wire(
    where: Endpoints,
    environ: Mapping[str, str],
    credentials: Credentials,
    session: Any = None,
    clients: Mapping[str, Any] | None = None,
) -> Wire | None:
    """The botocore implementation, or None where botocore is missing."""
    try:
        from cognito_session.aws.transport.botocore import BotocoreWire
    except ImportError:
        return None
    return BotocoreWire(where, environ, credentials, session=session, clients=clients)


def _refuse() -> Wire:
    """Raise the ConfigurationError that says why no implementation fits."""
    raise ConfigurationError(
        "calls to AWS need pycurl or botocore: install cognito-session[curl] (pycurl, recommended)"
        " or cognito-session[boto3] (boto3 and botocore)"
    )


def _importable(package: str) -> bool:
    try:
        __import__(package)
    except ImportError:
        return False
    return True
