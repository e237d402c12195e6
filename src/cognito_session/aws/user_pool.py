"""CognitoUserPool: sign-up, sign-in and password operations of the user pools API as a UserPool.

Every call is unsigned and sent at most once: a code or a password must not be used twice because an answer was lost. Errors
are translated by their code, and by their message only if Cognito has one code for several causes. A wrong setup is a
ConfigurationError, "could not find out" a ProviderUnavailable, and everything else a refusal. No error quotes the request or
Cognito's message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cognito_session.aws.refusal_messages import WRONG_SECRET, advice_for, is_about_client_secret
from cognito_session.aws.transport.interface import AnswerLost, NotSent, ServiceError
from cognito_session.core.errors import ConfigurationError, ProviderUnavailable
from cognito_session.core.protocol.ports import PoolRefusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cognito_session.aws.client_secret import ClientSecret
    from cognito_session.aws.transport.interface import Wire

__all__ = ["CognitoUserPool"]

_TIMEOUT_SECONDS: Final = 5.0
_SERVER_ERROR: Final = 500
_PASSING: Final = frozenset(
    {
        "TooManyRequestsException",
        "ThrottlingException",
        "InternalErrorException",
        "ConcurrentModificationException",
    }
)
_TRIGGER_CRASHED: Final = "UnexpectedLambdaException"
"""Not about the user. Some triggers run after the operation, so it may have been done."""
_CLIENT: Final = "check CLIENT_ID and that USER_POOL_ID names its user pool and region"
_POOL: Final = "check the user pool's settings (Cognito console: Authentication)"
_PASSKEYS: Final = "turn on passkeys and set a relying party id for the user pool (Cognito console: Sign-in, Passkey)"
_DELIVERY: Final = "check the user pool's roles for sending SMS and email (Cognito console: Authentication methods)"
_TRIGGER: Final = "a Lambda trigger of the user pool answers in a form that Cognito does not know"
_CONFIGURATION_HINTS: Final = {
    "ResourceNotFoundException": _CLIENT,
    "InvalidClientException": _CLIENT,
    "InvalidUserPoolConfigurationException": _POOL,
    "OperationNotEnabledException": _POOL,
    "UnsupportedOperationException": _POOL,
    "FeatureUnavailableInTierException": "the user pool's feature plan does not include it (Cognito console: Settings)",
    "UserPoolAddOnNotEnabledException": _POOL,
    "SoftwareTokenMFANotFoundException": "turn on authenticator apps for the user pool (Cognito console: Sign-in, MFA)",
    "WebAuthnNotEnabledException": _PASSKEYS,
    "WebAuthnConfigurationMissingException": _PASSKEYS,
    "InvalidSmsRoleAccessPolicyException": _DELIVERY,
    "InvalidSmsRoleTrustRelationshipException": _DELIVERY,
    "InvalidEmailRoleAccessPolicyException": _DELIVERY,
    "InvalidLambdaResponseException": _TRIGGER,
    "UnknownOperationException": "this endpoint does not know the operation",
    "InvalidAction": "this endpoint does not know the operation",
}


class CognitoUserPool:
    """Operations for one app client. `wire` is called at the first use."""

    def __init__(self, wire: Callable[[], Wire], *, client_id: str, client_secret: ClientSecret) -> None:
        self._wire = wire
        self._client_id = client_id
        self._client_secret = client_secret

    def __repr__(self) -> str:
        return f"CognitoUserPool(client_id={self._client_id!r})"

    @property
    def client_id(self) -> str:
        """The app client's id."""
        return self._client_id

    def call(self, operation: str, payload: Mapping[str, Any]) -> dict[str, Any] | PoolRefusal:
        """Send one call, at most once and for at most 5 seconds. Returns its answer or the user pool's refusal.

        Adds SECRET_HASH for the payload's user name. Raises ProviderUnavailable (`.sent` as far as it is known) and
        ConfigurationError.
        """
        proved = self._proved(payload)
        try:
            return self._wire().call(
                "cognito-idp", operation, proved, timeout_seconds=_TIMEOUT_SECONDS, signed=False, once=True
            )
        except ServiceError as error:
            return _refusal(operation, error)
        except NotSent as error:
            raise ProviderUnavailable(f"Cognito: {error}", sent=False) from error
        except AnswerLost as error:
            raise ProviderUnavailable(f"Cognito: {error}", sent=None) from error

    def _proved(self, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        """The payload with the hash that a confidential client sends with every user name."""
        if "Username" in payload:
            return self._with_hash(payload, "Username", "SecretHash")
        parameters = {name: payload[name] for name in ("AuthParameters", "ChallengeResponses") if name in payload}
        return {**payload, **{name: self._with_hash(found, "USERNAME", "SECRET_HASH") for name, found in parameters.items()}}

    def _with_hash(self, named: Mapping[str, Any], username: str, name: str) -> Mapping[str, Any]:
        made = self._client_secret.hash_for(named[username], self._client_id)
        return named if made is None else {**named, name: made}


def _is_passing(error: ServiceError) -> bool:
    """Whether a later try may succeed, or the answer is not Cognito's own."""
    return error.status >= _SERVER_ERROR or error.code in _PASSING or error.code.startswith("HTTP")


def _refusal(operation: str, error: ServiceError) -> PoolRefusal:
    """The refusal in an error answer. Raises ProviderUnavailable or ConfigurationError if it is not a refusal."""
    if error.code == _TRIGGER_CRASHED:
        raise ProviderUnavailable(f"Cognito: {error}: a Lambda trigger of the user pool failed", sent=None) from error
    if _is_passing(error):
        raise ProviderUnavailable(f"Cognito: {error}", sent=True, retry_after=error.retry_after) from error
    from cognito_session.aws.cognito_codes import is_about_the_request, pool_failure

    if is_about_client_secret(error.code, error.message):  # before the codes about requests: it shares some of them
        raise ConfigurationError(f"Cognito refused {operation} ({error.code}): {WRONG_SECRET}") from error
    if is_about_the_request(error):
        raise pool_failure(error) from error
    if error.code == "ResourceNotFoundException" and "device" in error.message.lower():
        return PoolRefusal(error.code, error.message)  # the browser's device was forgotten, so the setup is right
    advice = _CONFIGURATION_HINTS.get(error.code) or advice_for(error)
    if advice is not None:
        raise ConfigurationError(f"Cognito refused {operation} ({error.code}): {advice}") from error
    return PoolRefusal(error.code, error.message)
