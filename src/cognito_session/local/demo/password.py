"""Sign-in by user name and password: Cognito's InitiateAuth with USER_PASSWORD_AUTH, an unsigned call.

https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_InitiateAuth.html
"""

from collections.abc import Mapping
from typing import Any, Final

from cognito_session.aws.wire import ServiceError, Wire

__all__ = ["PasswordSignIn", "WrongPasswordError"]

_REFUSALS: Final = frozenset({"NotAuthorizedException", "UserNotFoundException", "InvalidParameterException"})
_TIMEOUT_SECONDS: Final = 5


class WrongPasswordError(Exception):
    """Cognito does not know this pair of name and password; it is told nothing more, and so is the user."""


class PasswordSignIn:
    """Signs users in at one app client."""

    def __init__(self, wire: Wire, client_id: str) -> None:
        self._wire = wire
        self._client_id = client_id

    def tokens(self, username: str, password: str) -> Mapping[str, Any]:
        """Cognito's answer with its AuthenticationResult. Raises WrongPasswordError, and WireError for an outage."""
        pair = {"USERNAME": username, "PASSWORD": password}
        asked = {"ClientId": self._client_id, "AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": pair}
        try:
            return self._wire.call("cognito-idp", "InitiateAuth", asked, timeout_seconds=_TIMEOUT_SECONDS, signed=False)
        except ServiceError as error:
            if error.code in _REFUSALS:
                raise WrongPasswordError from error
            raise
