"""An AWS JSON answer: bytes and a status become a dict or a ServiceError.

Rule: every answer, a proxy's HTML page included, becomes one of those two. A 200 that is not the service's own is never
taken for an empty answer, because "no such item" would end a session. Must not know transports.
"""

from __future__ import annotations

import json
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from cognito_session.aws.transport.interface import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["error_code", "read_answer", "read_object", "refused_document", "request_id"]

_OK: Final = 200
_CODE: Final = r"[A-Za-z][A-Za-z0-9.]{0,99}"
# By its API page, RevokeToken answers 200 with an empty body; DynamoDB and Secrets Manager never do.
_MAY_BE_EMPTY: Final = frozenset({"cognito-idp"})


def read_answer(
    service: str,
    operation: str,
    status: int,
    body: bytes,
    *,
    retry_after: int | None = None,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """The answer of a successful call. Raises ServiceError for any other. `headers` by lower-case name."""
    document = read_object(service, body)
    if status == _OK and document is not None:
        return document
    document = document or {}
    # Smithy puts the name in the body or in a header (https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html).
    name = (document.get("__type") or headers.get("x-amzn-errortype")) if status != _OK else None
    raise ServiceError(
        operation,
        error_code(name, status),
        status,
        message=_text(document.get("message") or document.get("Message")),
        body=document,
        retry_after=retry_after,
        request_id=request_id(headers),
        date=headers.get("date", ""),
    )


def refused_document(name: str, status: int, headers: Mapping[str, str], retry_after: int | None) -> ServiceError:
    """The error of a GET whose status is not 200. Its body is not kept. `headers` by lower-case name."""
    return ServiceError(
        name,
        f"HTTP{status}",
        status,
        retry_after=retry_after,
        request_id=request_id(headers),
        date=headers.get("date", ""),
    )


def request_id(headers: Mapping[str, str]) -> str:
    """AWS's id of the request, for a support case; "" if the answer has none. `headers` by lower-case name."""
    return headers.get("x-amzn-requestid") or headers.get("x-amz-request-id") or ""


def read_object(service: str, body: bytes) -> dict[str, Any] | None:
    """The JSON object in `body`; None if there is none. An error name must be text, as botocore's parser expects.

    Lone surrogates are refused: AWS sends none, and such a text could not be encoded later.
    """
    if not body and service in _MAY_BE_EMPTY:
        return {}
    try:
        document = json.loads(body.decode("utf-8"))
        if b"\\u" in body:  # only an escape can spell a lone surrogate
            json.dumps(document, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) and isinstance(document.get("__type", ""), str) else None


def error_code(name: object, status: int) -> str:
    """The error's name without its namespace: "com.example.service#X" and "X:http://..." give "X". Otherwise "HTTP503".

    AWS JSON 1.0/1.1 protocol, "Operation error serialization" (https://smithy.io/2.0/aws/protocols/).
    """
    bare = _text(name).rpartition("#")[2].partition(":")[0]
    return bare if re.fullmatch(_CODE, bare) else f"HTTP{status}"


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
