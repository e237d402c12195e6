"""botocore's errors as the wire's.

Rule: NotSent is claimed only where botocore's error proves it; what is not recognised is AnswerLost. Texts carry the
class of botocore's error and none of its words, which may quote the request.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any, Final, TypeVar

import botocore.exceptions as faults

from cognito_session.aws.answer import error_code
from cognito_session.aws.wire import AnswerLost, NotSent, ServiceError, WireError
from cognito_session.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Dropped", "translated"]

_T = TypeVar("_T")
_BAD_REQUEST: Final = 400

_NOT_SENT: Final = (
    faults.EndpointConnectionError,
    faults.ConnectTimeoutError,
    faults.ProxyConnectionError,
    faults.CredentialRetrievalError,
    faults.MetadataRetrievalError,
    faults.TokenRetrievalError,
)
_SET_UP_WRONG: Final = (
    faults.NoCredentialsError,
    faults.PartialCredentialsError,
    faults.NoRegionError,
    faults.InvalidRegionError,
    faults.ProfileNotFound,
    faults.ConfigNotFound,
    faults.ConfigParseError,
)


class Dropped(AnswerLost):
    """The connection closed before an answer: what libcurl resends."""


def translated(name: str, send: Callable[[], _T]) -> _T:
    """`send()` with the wire's errors. They are raised outside the handler, without a chain.

    botocore's own texts quote values of the request or AWS's message, and a traceback prints the whole chain.
    """
    try:
        return send()
    except (WireError, ConfigurationError):
        raise
    except faults.ClientError as error:
        failure: Exception = _service_error(name, error)
    except faults.BotoCoreError as error:
        failure = _fault(name, error)
    except Exception as error:  # noqa: BLE001 - urllib3 while a body is read, botocore's parser, an injected client
        failure = AnswerLost(f"{name}: no answer ({type(error).__name__})")
    raise failure


def _service_error(name: str, error: Any) -> ServiceError:
    response = error.response
    meta, details = response.get("ResponseMetadata", {}), response.get("Error", {})
    status = int(meta.get("HTTPStatusCode", _BAD_REQUEST))
    after = str(meta.get("HTTPHeaders", {}).get("retry-after", ""))
    return ServiceError(
        name,
        error_code(details.get("Code"), status),
        status,
        message=str(details.get("Message", "")),
        body={key: value for key, value in response.items() if key not in {"Error", "ResponseMetadata"}},
        retry_after=int(after) if after.isdecimal() else None,
    )


def _fault(name: str, error: Any) -> Exception:
    """A BotoCoreError as ConfigurationError, ServiceError, NotSent, or AnswerLost where nothing better is certain."""
    kind = type(error).__name__
    if isinstance(error, _SET_UP_WRONG):
        return ConfigurationError(f"{name}: {error}; check the AWS credentials, profile and region (botocore {kind})")
    if isinstance(error, faults.ParamValidationError):
        return ServiceError(name, "ValidationException", _BAD_REQUEST)
    if isinstance(error, _NOT_SENT) or _failed_in_handshake(error):
        return NotSent(f"{name}: not sent (botocore {kind})")
    if isinstance(error, faults.ConnectionClosedError):
        return Dropped(f"{name}: connection dropped (botocore {kind})")
    return AnswerLost(f"{name}: no answer (botocore {kind})")


def _failed_in_handshake(error: BaseException) -> bool:
    """Whether TLS was still being set up, so that no byte of the request had left.

    Neither class nor text of the error tells: an end of file or a time-out looks the same while an answer is read.
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
