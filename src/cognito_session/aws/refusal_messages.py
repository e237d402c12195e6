"""Cognito's English refusal messages: the only place where a message decides, because one code has several causes.

Messages are compared by their letters alone, so that "SecretHash", "secret_hash" and "secret hash" are equal. No list of
messages is complete: for a refused refresh that is in none of them, a control call decides.
https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_GetTokensFromRefreshToken.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cognito_session.aws.transport.interface import ServiceError

__all__ = ["WRONG_SECRET", "advice_for", "comparable_form", "is_about_client_secret", "is_dead_token", "is_invalid_token"]

WRONG_SECRET: Final = (
    "CLIENT_SECRET: Cognito does not accept it, or expects none (Cognito console: App clients; a public client has none)"
)
_ABOUT_THE_CLIENT: Final = frozenset(
    {"NotAuthorizedException", "InvalidParameterException", "InvalidClientException", "UnauthorizedException", "invalid_grant"}
    | {"invalid_request"}
)
_DEAD: Final = ("refreshtokenhasexpired", "refreshtokenexpired", "tokenhasbeenrevoked", "userisdisabled")
_INVALID: Final = "invalidrefreshtoken"

_KNOWN: Final = (
    (
        "InvalidParameterException",
        "flownotenabledforthisclient",
        (
            "add ALLOW_USER_PASSWORD_AUTH to the app client's ExplicitAuthFlows, and ALLOW_USER_AUTH for the choice among first"
            " factors (Cognito console: App clients, Authentication flows)"
        ),
    ),
    (
        "InvalidParameterException",
        "notenabledfortheclient",
        "add ALLOW_USER_AUTH to the app client's ExplicitAuthFlows (Cognito console: App clients, Authentication flows)",
    ),
    (
        "NotAuthorizedException",
        "signupisnotpermitted",
        "turn on self-registration for the user pool (AllowAdminCreateUserOnly is what forbids it)",
    ),
    (
        "InvalidParameterException",
        "authmethodnotsupported",
        "check the app client's ExplicitAuthFlows, and that the user pool's feature plan includes choice-based sign-in",
    ),
    (
        "NotAuthorizedException",
        "writeunauthorizedattribute",
        (
            "let the app client write every attribute that is passed, and pass none that Cognito sets itself, like"
            " email_verified (Cognito console: App clients, Attribute permissions)"
        ),
    ),
    (
        "NotAuthorizedException",
        "requiredscopes",
        (
            "the session's access token lacks the scope aws.cognito.signin.user.admin: add it to the app client and to the"
            " scopes that managed login asks for"
        ),
    ),
)
"""Code, letters of the message, and the configuration hint for the operator."""


def is_about_client_secret(code: str, message: str) -> bool:
    """Whether the app client's secret is wrong, missing, or sent for a client that has none.

    Seen: "Unable to verify secret hash for client ID", "SecretHash does not match for the client: ID", "Client ID is
    configured with secret but SECRET_HASH was not received".
    """
    letters = _letters(message)
    return code in _ABOUT_THE_CLIENT and "secret" in letters and ("client" in letters or "hash" in letters)


def advice_for(error: ServiceError) -> str | None:
    """The configuration hint for a refused sign-in, sign-up or password operation; None if the refusal is about the user.

    Call `is_about_client_secret` first.
    """
    letters = _letters(error.message)
    return next((advice for code, known, advice in _KNOWN if code == error.code and known in letters), None)


def is_dead_token(message: str) -> bool:
    """Whether a NotAuthorizedException means a revoked or expired refresh token, or a disabled user."""
    letters = _letters(message)
    return any(known in letters for known in _DEAD)


def is_invalid_token(message: str) -> bool:
    """Whether it means "Invalid Refresh Token": never issued, another client's, or sent without its device key."""
    return _INVALID in _letters(message)


def comparable_form(message: str, *names: str | None) -> str:
    """The message in a form that two refusals for one cause share: without `names` and without words that hold a digit.

    Such words are ids of clients, requests and devices, which differ from call to call.
    """
    for name in names:
        message = message.replace(name, " ") if name else message
    return _letters(" ".join(word for word in message.split() if not any(map(str.isdigit, word))))


def _letters(message: str) -> str:
    return "".join(character for character in message.lower() if "a" <= character <= "z")
