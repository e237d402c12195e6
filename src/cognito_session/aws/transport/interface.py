"""The interface to AWS: one call, its payload, its answer and its three failures.

Rules: every call has a time limit; a call marked `once` leaves this machine at most once; no text of an error holds a
payload or an answer, because they hold tokens. A call fails in one of three ways: the service refused it (ServiceError),
the request provably never left (NotSent), or its outcome is unknown (AnswerLost). This file imports no implementation:
`open.py` chooses one. It must not know tables, pools or sessions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Protocol, TypeAlias

from cognito_session.core.errors import ConfigurationError
from cognito_session.core.secret import Secret, plain

__all__ = [
    "MAX_ANSWER_BYTES",
    "MAX_DOCUMENT_BYTES",
    "MAX_SENTENCE_CHARS",
    "AnswerLost",
    "JsonAnswer",
    "JsonPayload",
    "NotSent",
    "ServiceError",
    "UnknownOperation",
    "Wire",
    "WireError",
    "basic_authorization",
    "one_line",
]

JsonPayload: TypeAlias = Mapping[str, Any]
"""The API's own JSON, DynamoDB values as {"S": "x"}, no binary values. A value may be a Secret: the call reveals it."""
JsonAnswer: TypeAlias = dict[str, Any]
"""The parsed JSON object of a successful answer; {} where the answer has no content."""

MAX_ANSWER_BYTES: Final = 2 * 1024 * 1024  # DynamoDB answers at most 1 MB a page
MAX_DOCUMENT_BYTES: Final = 256 * 1024  # a pool's key set has two keys and under 2 kB
_MAX_REQUEST_ID_CHARS: Final = 100
MAX_SENTENCE_CHARS: Final = 600
"""IAM's longest sentence names a caller, an action, a resource and a policy's ARN."""
# When AWS refuses a signature, it quotes the request: the Authorization header, or the canonical request with the session
# token (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html).
# Patterns are compiled when an error is first met, not in a cold start.
_REQUEST: Final = (
    r"(?i)the canonical string|the string-to-sign|canonical request|authorization=|aws4-hmac-sha256|x-amz-security-token"
)
_VALUES: Final = (
    r"(?i)\bvalue '.*' at '",  # "Value 'hunter2' at 'password' failed to satisfy constraint"
    r"[A-Za-z0-9_+=.~-]{100,}",  # a token; no part of an ARN is so long (roles and their sessions have 64)
)
_REDACTED: Final = ("value '...' at '", "...")
_ELLIPSIS: Final = "..."


class WireError(Exception):
    """A call without a usable answer: one of the three failures below."""


class ServiceError(WireError):
    """The service, or a proxy on the way to it, answered with an error.

    - `.code`: the error's name without its namespace ("ConditionalCheckFailedException"); "HTTP503" if it is not AWS JSON
    - `.status`: the HTTP status
    - `.message`: AWS's sentence in one printable line, without credentials; Cognito's may name a user
    - `.request_id`: the x-amzn-RequestId, or ""
    - `.body`: the parsed answer, with "Item" if a condition failed; may be empty
    - `.retry_after`: seconds, or None
    - `.date`: the Date header, or ""
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
        self.message: str = one_line(message)
        self.body: dict[str, Any] = dict(body or {})
        self.retry_after = retry_after
        self.request_id: str = one_line(request_id, _MAX_REQUEST_ID_CHARS)
        self.date = date
        self.clock_ahead_seconds: float | None = None
        """How far this machine's clock is ahead of AWS's, if AWS refused the request's time twice; else None."""


class NotSent(WireError):
    """The request provably never left: the name was not resolved, the connection or TLS failed, or no time was left."""


class AnswerLost(WireError):
    """Time ran out or the connection broke after the request may have left. The service may or may not have done it."""


class UnknownOperation(ConfigurationError):
    """The installed SDK does not support the operation. Nothing was sent."""


class Wire(Protocol):
    """Sends one call and waits for its answer. Safe to share between threads; usable again after a fork.

    All methods raise ServiceError, NotSent, AnswerLost or ConfigurationError, and no other error of the network or of AWS.
    """

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
        """One AWS JSON call to "dynamodb" (JSON 1.0), "cognito-idp" or "secretsmanager" (JSON 1.1).

        A call that is not `once` may be sent twice where a kept connection drops, so it must be conditional or
        idempotent. A `once` call is sent at most once and ends within `timeout_seconds`, name resolution included.
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
        """POST application/x-www-form-urlencoded, as for Cognito's /oauth2/token. Returns (status, body) of any answer.

        Values may be a Secret. `basic` is (client id, client secret), unencoded, for HTTP Basic authentication (RFC 6749
        2.3.1).
        """
        ...


def one_line(text: str, limit: int = MAX_SENTENCE_CHARS) -> str:
    """AWS's sentence in one line of at most `limit` printable characters, cut before it quotes the request, without values."""
    quoted = re.search(_REQUEST, text[: 4 * limit])
    shown = text[: quoted.start()] if quoted else text[: 4 * limit]
    line = " ".join("".join(char if char.isprintable() else " " for char in shown).split())
    for value, redacted in zip(_VALUES, _REDACTED, strict=True):
        line = re.sub(value, redacted, line)
    return line if len(line) <= limit else line[: limit - len(_ELLIPSIS)] + _ELLIPSIS


def basic_authorization(client_id: str, client_secret: str | Secret[str]) -> str:
    """The value of an Authorization header that proves an OAuth client (RFC 6749 2.3.1).

    Id and secret are form-encoded first (RFC 6749 appendix B). A space becomes %20, not a plus sign: servers that decode
    forms and servers that decode percent signs only both understand it.
    """
    from base64 import b64encode
    from urllib.parse import quote

    pair = f"{quote(client_id, safe='')}:{quote(plain(client_secret), safe='')}"
    return f"Basic {b64encode(pair.encode()).decode('ascii')}"
