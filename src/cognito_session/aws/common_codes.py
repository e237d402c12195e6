"""Error codes of every AWS JSON service: the meaning of each, and what the operator can do.

Rules: the code decides, never AWS's message; the message only selects the advice. An unknown code means "could not find out".
A service's own table comes before this one. Every text holds AWS's message and request id; neither reaches a client
(SessionError.public_body).
https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cognito_session.aws.transport.interface import ServiceError

__all__ = ["COMMON", "KMS", "Meaning", "explain", "meaning_of"]

_SERVER_ERROR: Final = 500


class Meaning(NamedTuple):
    """`passing`: a later try may succeed (SessionUnavailable); else the operator must act (ConfigurationError).

    `advice` may hold `{action}`, the IAM action of the call.
    """

    passing: bool
    advice: str


def _later(advice: str) -> Meaning:
    return Meaning(passing=True, advice=advice)


def _set_up(advice: str) -> Meaning:
    return Meaning(passing=False, advice=advice)


_THROTTLED: Final = _later("the service limits the rate of requests; nothing is lost")
_BROKEN: Final = _later("the service has an internal error; no setting needs to change")
_DENIED: Final = _set_up(
    "allow {action} to the role or user whose credentials are used (`cognito-session table policy` prints"
    " what an application needs)"
)
_EXPIRED: Final = _later(
    "the temporary credentials have expired: credentials in AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN are"
    " not renewed by this process; use a role, or replace them"
)
_UNKNOWN_KEY: Final = _set_up(
    "AWS does not know these credentials: check AWS_ACCESS_KEY_ID, that AWS_SESSION_TOKEN belongs to it (unset for a user's"
    " own key), and that the account has the region turned on"
)
_WRONG_SIGNATURE: Final = _set_up(
    "check that AWS_SECRET_ACCESS_KEY belongs to AWS_ACCESS_KEY_ID, and that no proxy changes requests"
)
_UNSIGNED: Final = _set_up("the request arrived without its signature: check AWS_ENDPOINT_URL and proxies that drop headers")
_ALTERED: Final = _set_up("the request did not arrive as it was sent: check AWS_ENDPOINT_URL and proxies on the way")
_NO_OPERATION: Final = _set_up("this endpoint does not know the operation: check AWS_ENDPOINT_URL")
_NOT_SUBSCRIBED: Final = _set_up("the AWS account is not subscribed to the service, or is being closed")
_INVALID: Final = _set_up("the service does not accept the request")
_KEY: Final = _set_up(
    "check the KMS key that encrypts it: that it exists, is enabled, and that its key policy and the role allow kms:Decrypt"
)

COMMON: Final[Mapping[str, Meaning]] = {
    **dict.fromkeys(
        (
            "Throttling",
            "ThrottlingException",
            "ThrottledException",
            "RequestThrottled",
            "RequestThrottledException",
            "TooManyRequestsException",
            "RequestLimitExceeded",
            "LimitExceeded",
            "LimitExceededException",
            "BandwidthLimitExceeded",
            "PriorRequestNotComplete",
            "SlowDown",
        ),
        _THROTTLED,
    ),
    **dict.fromkeys(
        (
            "InternalFailure",
            "InternalError",
            "InternalServerError",
            "InternalServerException",
            "InternalServiceError",
            "InternalErrorException",
            "ServiceUnavailable",
            "ServiceUnavailableException",
            "Unavailable",
            "RequestTimeout",
            "RequestTimeoutException",
            "RequestAbortedException",
        ),
        _BROKEN,
    ),
    **dict.fromkeys(
        (
            "AccessDenied",
            "AccessDeniedException",
            "NotAuthorized",
            "UnauthorizedOperation",
            "UnauthorizedException",
            "UnauthorizedAccess",
            "Blocked",
        ),
        _DENIED,
    ),
    **dict.fromkeys(("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"), _EXPIRED),
    **dict.fromkeys(
        (
            "UnrecognizedClientException",
            "InvalidClientTokenId",
            "InvalidAccessKeyId",
            "InvalidToken",
            "InvalidSecurity",
            "AuthFailure",
        ),
        _UNKNOWN_KEY,
    ),
    **dict.fromkeys(
        (
            "InvalidSignatureException",
            "InvalidSignature",
            "SignatureDoesNotMatch",
            "RequestExpired",
            "RequestTimeTooSkewed",
            "RequestInTheFuture",
        ),
        _WRONG_SIGNATURE,
    ),
    **dict.fromkeys(
        (
            "IncompleteSignature",
            "IncompleteSignatureException",
            "MissingAuthenticationToken",
            "MissingAuthenticationTokenException",
        ),
        _UNSIGNED,
    ),
    **dict.fromkeys(
        (
            "SerializationException",
            "MalformedHttpRequestException",
            "MalformedQueryString",
            "InvalidQueryParameter",
            "RequestEntityTooLargeException",
            "UnsupportedMediaTypeException",
        ),
        _ALTERED,
    ),
    **dict.fromkeys(
        (
            "UnknownOperationException",
            "UnknownOperation",
            "InvalidAction",
            "MissingAction",
            "UnsupportedOperation",
            "UnsupportedOperationException",
            "NotImplemented",
        ),
        _NO_OPERATION,
    ),
    **dict.fromkeys(("OptInRequired", "SubscriptionRequiredException", "PendingVerification"), _NOT_SUBSCRIBED),
    **dict.fromkeys(
        (
            "ValidationException",
            "ValidationError",
            "InvalidParameterCombination",
            "InvalidParameterValue",
            "InvalidParameterException",
            "MissingParameter",
            "InvalidRequestException",
        ),
        _INVALID,
    ),
}
"""By code without namespace: AWS's "Common Error Types", in the spellings of older and newer services."""

KMS: Final[Mapping[str, Meaning]] = {
    **dict.fromkeys(
        (
            "KMSAccessDeniedException",
            "KMSDisabledException",
            "KMSInvalidStateException",
            "KMSNotFoundException",
            "KMSOptInRequired",
            "InaccessibleEncryptionCredentialsException",
            "DisabledException",
            "InvalidKeyUsageException",
            "IncorrectKeyException",
            "InvalidCiphertextException",
        ),
        _KEY,
    ),
    **dict.fromkeys(
        ("KMSThrottlingException", "KMSInternalException", "KeyUnavailableException", "DependencyTimeoutException"),
        _later("AWS KMS, whose key encrypts it, is unavailable at the moment"),
    ),
}
"""Codes of AWS KMS, which the services that use its keys pass on."""

_WHO_DENIES: Final = (
    ("kms", "allow kms:Decrypt on the key that encrypts it, in the key's policy and in the role's"),
    ("vpc endpoint policy", "allow {action} in the policy of the VPC endpoint that the request went through"),
    ("service control policy", "a service control policy of the AWS organization must allow {action}"),
    ("resource control policy", "a resource control policy of the AWS organization must allow {action}"),
    ("permissions boundary", "allow {action} in the permissions boundary of the role or user"),
    ("session policy", "allow {action} in the session policy that the credentials were issued with"),
    ("resource-based policy", "allow {action} in the resource's own policy"),
)
"""A part of AWS's message, and where to allow the action.

https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
"""

_ACTIONS: Final = {"dynamodb.TransactWriteItems": "dynamodb:PutItem, dynamodb:UpdateItem and dynamodb:ConditionCheckItem"}
"""The IAM actions of an operation that has none of its own: IAM checks each part of a transaction.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
"""


def meaning_of(error: ServiceError, known: Mapping[str, Meaning]) -> Meaning:
    """The meaning of an error, by the service's own codes `known`, then KMS's, then the common ones."""
    found = known.get(error.code) or KMS.get(error.code) or COMMON.get(error.code)
    if found is not None:
        return found if error.status < _SERVER_ERROR else Meaning(passing=True, advice=found.advice)
    if error.code.startswith("HTTP"):
        return _later("the answer is not the service's own: check proxies, firewalls and AWS_ENDPOINT_URL")
    if error.status < _SERVER_ERROR and error.code.startswith("KMS"):
        return _KEY
    return _later("this version does not know the code")


def explain(error: ServiceError, meaning: Meaning, subject: str, target: str = "") -> str:
    """The text for the operator: the service, the operation, AWS's code, the advice, AWS's message and the request id.

    `subject` is the service, `target` the resource (" on table rows").
    """
    operation = error.operation.rpartition(".")[2]
    action = _ACTIONS.get(error.operation) or error.operation.replace(".", ":")
    advice = _advice(error, meaning).replace("{action}", action)
    told = f"{subject} refused {operation}{target} ({error.code}): {advice}"
    if error.message:
        told += f"; AWS says: {error.message}"
    return f"{told}; request id {error.request_id}" if error.request_id else told


def _advice(error: ServiceError, meaning: Meaning) -> str:
    if error.clock_ahead_seconds is not None:
        return _clock_advice(error.clock_ahead_seconds)
    if meaning is _DENIED:
        words = error.message.lower()
        return next((advice for who, advice in _WHO_DENIES if who in words), meaning.advice)
    return meaning.advice


_SURELY_OFF_SECONDS: Final = 60


def _clock_advice(ahead_seconds: float) -> str:
    if abs(ahead_seconds) < _SURELY_OFF_SECONDS:
        return "the request arrived minutes after it was signed: check proxies that hold requests"
    direction = "ahead of" if ahead_seconds > 0 else "behind"
    return f"this machine's clock is {abs(ahead_seconds):.0f} seconds {direction} AWS's: synchronize it (NTP)"
