"""Error codes of the user pools API that are about neither a user nor a token, with advice for the operator.

Cognito's messages may name a user, so no text quotes them. IAM's messages name the caller and are quoted.
https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/CommonErrors.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cognito_session.aws.common_codes import COMMON, Meaning, explain, meaning_of
from cognito_session.core.errors import ConfigurationError, ProviderUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cognito_session.aws.transport.interface import ServiceError

__all__ = ["COGNITO", "is_about_the_request", "pool_failure"]

_ABOUT_USERS: Final = frozenset(
    {
        "InvalidParameterException",
        "LimitExceededException",
        "NotAuthorizedException",
        "UnsupportedOperationException",
        "ValidationException",
    }
)
"""Common codes that Cognito also uses for a user's input or for a setting of the pool."""
_FROM_IAM: Final = frozenset({"AccessDeniedException", "AccessDenied"})

COGNITO: Final[Mapping[str, Meaning]] = {
    "ResourceNotFoundException": Meaning(
        passing=False, advice="check CLIENT_ID, and that USER_POOL_ID names its user pool and region"
    ),
    "NotAuthorizedException": Meaning(passing=False, advice="allow {action} on the user pool to the role that is used"),
    "UnauthorizedException": Meaning(passing=False, advice="check CLIENT_ID and CLIENT_SECRET (Cognito console: App clients)"),
    "OperationNotEnabledException": Meaning(passing=False, advice="the user pool or its app client has it turned off"),
    "ForbiddenException": Meaning(
        passing=True, advice="AWS WAF blocked it: check the web ACL of the user pool and its rules for this machine's address"
    ),
    "ConcurrentModificationException": Meaning(passing=True, advice="the user pool is being changed"),
}
"""Codes of signed operations, and of any operation if `is_about_the_request`."""


def is_about_the_request(error: ServiceError) -> bool:
    """Whether the code is about credentials, signature, transport or the service, and never about a user."""
    return error.code == "ForbiddenException" or (error.code in COMMON and error.code not in _ABOUT_USERS)


def pool_failure(error: ServiceError, *, sent: bool | None = True) -> ConfigurationError | ProviderUnavailable:
    """The error to raise for such an answer. `sent` as in ProviderUnavailable."""
    meaning = meaning_of(error, COGNITO)
    shown = error if error.code in _FROM_IAM else _without_sentence(error)
    text = explain(shown, meaning, "Cognito")
    return ProviderUnavailable(text, sent=sent, retry_after=error.retry_after) if meaning.passing else ConfigurationError(text)


def _without_sentence(error: ServiceError) -> ServiceError:
    shown = type(error)(error.operation, error.code, error.status, request_id=error.request_id)
    shown.clock_ahead_seconds = error.clock_ahead_seconds
    return shown
