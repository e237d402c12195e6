"""What Cognito says in English: the one place where a sentence decides, because one code has several causes.

Sentences are compared by their letters alone, so that "SecretHash", "secret_hash" and "secret hash" are one word. No
list of sentences is complete: where a refusal of a refresh is in none of them, the control experiment decides.
https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_GetTokensFromRefreshToken.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cognito_session.aws.transport.interface import ServiceError

__all__ = ["WRONG_SECRET", "advice_for", "is_dead_token", "is_invalid_token", "same_words", "speaks_of_secret"]

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
"""Code, letters of a sentence that the operator must act on, and what to do."""


def speaks_of_secret(code: str, message: str) -> bool:
    """Whether the app client's secret is at fault: wrong, missing, or sent for a client that has none.

    Seen: "Unable to verify secret hash for client ID", "SecretHash does not match for the client: ID", "Client ID is
    configured with secret but SECRET_HASH was not received".
    """
    letters = _letters(message)
    return code in _ABOUT_THE_CLIENT and "secret" in letters and ("client" in letters or "hash" in letters)


def advice_for(error: ServiceError) -> str | None:
    """What the operator does about a refusal of sign-in, sign-up or a password operation; None: it is about the user.

    `speaks_of_secret` comes before it.
    """
    letters = _letters(error.message)
    return next((advice for code, known, advice in _KNOWN if code == error.code and known in letters), None)


def is_dead_token(message: str) -> bool:
    """Whether a NotAuthorizedException says that the refresh token was revoked or has expired, or its user is disabled."""
    letters = _letters(message)
    return any(known in letters for known in _DEAD)


def is_invalid_token(message: str) -> bool:
    """Whether it says "Invalid Refresh Token": never issued, another client's, or sent without its device's key."""
    return _INVALID in _letters(message)


def same_words(message: str, *names: str | None) -> str:
    """A form of the sentence that two refusals for one cause share: without `names`, and without words that hold a digit.

    Those are ids of clients, requests and devices, which differ from call to call.
    """
    for name in names:
        message = message.replace(name, " ") if name else message
    return _letters(" ".join(word for word in message.split() if not any(map(str.isdigit, word))))


def _letters(message: str) -> str:
    return "".join(character for character in message.lower() if "a" <= character <= "z")
