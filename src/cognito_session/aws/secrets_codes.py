"""Secrets Manager's error codes: the meaning of each for the secret that SESSION_SECRET_ARN names.

https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cognito_session.aws.common_codes import Meaning, explain, meaning_of
from cognito_session.core.errors import ConfigurationError, SessionUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cognito_session.aws.transport.interface import ServiceError

__all__ = ["SECRETS_MANAGER", "secret_failure"]

SECRETS_MANAGER: Final[Mapping[str, Meaning]] = {
    "ResourceNotFoundException": Meaning(
        passing=False, advice="there is no such secret, or it has no current version: check the ARN and its region"
    ),
    "InvalidRequestException": Meaning(passing=False, advice="the secret is being deleted, or has no value yet: restore it"),
    "InvalidParameterException": Meaning(passing=False, advice="expected the ARN or the name of a secret"),
    "DecryptionFailure": Meaning(
        passing=False, advice="check the KMS key of the secret, and that its policy and the role allow kms:Decrypt"
    ),
}
"""Codes of GetSecretValue, in addition to the common ones."""


def secret_failure(error: ServiceError) -> ConfigurationError | SessionUnavailable:
    """The error to raise for an error answer of GetSecretValue."""
    meaning = meaning_of(error, SECRETS_MANAGER)
    text = explain(error, meaning, "SESSION_SECRET_ARN: Secrets Manager")
    if meaning.passing:
        return SessionUnavailable(text, reason="keyring_unavailable", retry_after=error.retry_after)
    return ConfigurationError(text)
