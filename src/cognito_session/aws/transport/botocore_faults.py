"""Translates botocore's errors into the wire's.

Rule: NotSent needs proof, by botocore's error or by the call's Watch: a call that fails before its first request reaches the
network never left. Every other unrecognized error is AnswerLost. Messages hold the class of botocore's error and not its
text, which may quote the request.
"""

from __future__ import annotations

import ssl
import traceback
from typing import TYPE_CHECKING, Any, Final, TypeVar

import botocore.exceptions as faults
from botocore.client import BaseClient

from cognito_session.aws.transport.answer import error_code, request_id
from cognito_session.aws.transport.credential_faults import credential_failure
from cognito_session.aws.transport.interface import AnswerLost, NotSent, ServiceError, WireError
from cognito_session.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cognito_session.aws.transport.botocore_hooks import Watch

__all__ = ["Dropped", "translated"]

_T = TypeVar("_T")
_BAD_REQUEST: Final = 400

_NOT_SENT: Final = (faults.EndpointConnectionError, faults.ConnectTimeoutError, faults.ProxyConnectionError)


class Dropped(AnswerLost):
    """The connection closed before an answer arrived. libcurl would resend such a call."""


def translated(name: str, send: Callable[[], _T], watch: Watch | None = None) -> _T:
    """Run `send()` and raise the wire's errors, outside the handler and without a chain.

    botocore's texts quote values of the request or AWS's message, and a traceback would print the whole chain.
    """
    try:
        return send()
    except (WireError, ConfigurationError):
        raise
    except Exception as error:  # noqa: BLE001 - urllib3 while a body is read, botocore's parser, an injected client
        if watch is not None and watch.known and not watch.sent and not _is_answer(name, error):
            failure: Exception = _before_sending(name, error)
            watch.without_credentials = not isinstance(failure, ServiceError)
        else:
            failure = _fault(name, error)
    raise failure


def _is_answer(name: str, error: Exception) -> bool:
    """Whether this is the operation's own error answer, which a hook may give in place of the network."""
    return isinstance(error, faults.ClientError) and error.operation_name == name.rpartition(".")[2]


def _before_sending(name: str, error: Exception) -> Exception:
    """Translate an error before the first send: the payload was refused, or credentials or settings were not found."""
    if isinstance(error, faults.ParamValidationError) and not _is_of_another_call(error):
        return ServiceError(name, "ValidationException", _BAD_REQUEST)
    return credential_failure(name, error)


def _is_of_another_call(error: Exception) -> bool:
    """Whether a nested call failed: one that asks for credentials."""
    frames = (frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__))
    return sum(code is BaseClient._make_api_call.__code__ for code in frames) > 1  # noqa: SLF001 - every call runs it


def _service_error(name: str, error: Any) -> ServiceError:
    response = error.response
    meta, details = response.get("ResponseMetadata", {}), response.get("Error", {})
    status = int(meta.get("HTTPStatusCode", _BAD_REQUEST))
    headers = {str(key).lower(): str(value) for key, value in meta.get("HTTPHeaders", {}).items()}
    after = headers.get("retry-after", "")
    return ServiceError(
        name,
        error_code(_name(details.get("Code")) or headers.get("x-amzn-errortype"), status),
        status,
        message=str(details.get("Message", "")),
        body={key: value for key, value in response.items() if key not in {"Error", "ResponseMetadata"}},
        retry_after=int(after) if after.isdecimal() else None,
        request_id=request_id(headers) or str(meta.get("RequestId", "")),
        date=headers.get("date", ""),
    )


def _name(code: object) -> object:
    """Without an error name, botocore gives the status as the code."""
    return None if str(code).isdecimal() else code


def _fault(name: str, error: Exception) -> Exception:
    """ServiceError, NotSent, an error about credentials if the class proves it, else AnswerLost."""
    kind = type(error).__name__
    if isinstance(error, faults.ClientError):
        return _service_error(name, error) if _is_answer(name, error) else credential_failure(name, error)
    if isinstance(error, faults.ParamValidationError):
        return ServiceError(name, "ValidationException", _BAD_REQUEST)
    if isinstance(error, _NOT_SENT) or _failed_in_handshake(error):
        return NotSent(f"{name}: not sent (botocore {kind})")
    if isinstance(error, faults.ConnectionClosedError):
        return Dropped(f"{name}: connection dropped (botocore {kind})")
    if isinstance(error, faults.BotoCoreError) and not isinstance(error, faults.HTTPClientError):
        return credential_failure(name, error)
    return AnswerLost(
        f"{name}: no answer (botocore {kind})" if isinstance(error, faults.BotoCoreError) else f"{name}: no answer ({kind})"
    )


def _failed_in_handshake(error: BaseException) -> bool:
    """Whether the error happened in the TLS handshake, before any byte of the request left.

    Class and text of the error do not tell: an end of file or a time-out looks the same while an answer is read.
    """
    link: BaseException | None = error
    while link is not None:
        frames = link.__traceback__
        while frames is not None:
            if frames.tb_frame.f_code is ssl.SSLSocket.do_handshake.__code__:
                return True
            frames = frames.tb_next
        link = link.__context__
    return False
