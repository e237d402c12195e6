"""Error codes of the user pools API that are about neither a user nor a token: what the operator does about them.

Cognito's own sentences may name a user, so none of them is repeated, except those of IAM, which name the caller.
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
"""Common codes that Cognito also uses for what a user typed in, or for a setting of the pool."""
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
"""Of the operations that an operator's credentials sign, and of every operation where `is_about_the_request`."""


def is_about_the_request(error: ServiceError) -> bool:
    """Whether the code is about credentials, signature, transport or the service itself, and so never about a user."""
    return error.code == "ForbiddenException" or (error.code in COMMON and error.code not in _ABOUT_USERS)


def pool_failure(error: ServiceError, *, sent: bool | None = True) -> ConfigurationError | ProviderUnavailable:
    """What such an error answer is to the caller. `sent` as in ProviderUnavailable."""
    meaning = meaning_of(error, COGNITO)
    shown = error if error.code in _FROM_IAM else _without_sentence(error)
    text = explain(shown, meaning, "Cognito")
    return ProviderUnavailable(text, sent=sent, retry_after=error.retry_after) if meaning.passing else ConfigurationError(text)


def _without_sentence(error: ServiceError) -> ServiceError:
    shown = type(error)(error.operation, error.code, error.status, request_id=error.request_id)
    shown.clock_ahead_seconds = error.clock_ahead_seconds
    return shown
