"""What a refusal of the user pool means to the person who waits: a PoolRefusal becomes a Refused.

One code means different things in different places. Where a user name was typed in, whatever tells an unknown user from a
known one is made the same; the docstrings of PasswordFlows say what Cognito shows anyway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cognito_session.signin.outcome import Refusal, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cognito_session.core.protocol.ports import PoolRefusal

__all__ = ["refused_by_challenge", "refused_code", "refused_session", "refused_sign_in", "refused_sign_up"]

_MEANINGS: Final = {
    "UserNotFoundException": Refusal.WRONG_CREDENTIALS,
    "NotAuthorizedException": Refusal.WRONG_CREDENTIALS,
    "UserNotConfirmedException": Refusal.NOT_CONFIRMED,
    "PasswordResetRequiredException": Refusal.PASSWORD_RESET_REQUIRED,
    "CodeMismatchException": Refusal.WRONG_CODE,
    "EnableSoftwareTokenMFAException": Refusal.WRONG_CODE,
    "ExpiredCodeException": Refusal.EXPIRED_CODE,
    "CodeDeliveryFailureException": Refusal.CODE_NOT_SENT,
    "InvalidPasswordException": Refusal.INVALID_PASSWORD,
    "PasswordHistoryPolicyViolationException": Refusal.INVALID_PASSWORD,
    "InvalidParameterException": Refusal.INVALID_INPUT,
    "ValidationException": Refusal.INVALID_INPUT,
    "UsernameExistsException": Refusal.USERNAME_EXISTS,
    "AliasExistsException": Refusal.USERNAME_EXISTS,
    "LimitExceededException": Refusal.TOO_MANY_ATTEMPTS,
    "TooManyFailedAttemptsException": Refusal.TOO_MANY_ATTEMPTS,
    "WebAuthnChallengeNotFoundException": Refusal.CHALLENGE_EXPIRED,
    "WebAuthnClientMismatchException": Refusal.INVALID_INPUT,
    "WebAuthnCredentialNotSupportedException": Refusal.INVALID_INPUT,
    "WebAuthnOriginNotAllowedException": Refusal.INVALID_INPUT,
    "WebAuthnRelyingPartyMismatchException": Refusal.INVALID_INPUT,
}
_USERNAME_REFUSALS: Final = {
    "UserNotFoundException": Refusal.WRONG_CODE,
    "NotAuthorizedException": Refusal.WRONG_CODE,  # "Current status is CONFIRMED", "User is disabled"
    "UserNotConfirmedException": Refusal.WRONG_CODE,
    "ExpiredCodeException": Refusal.WRONG_CODE,
}
_OF_A_SESSION: Final = {
    "UserNotFoundException": Refusal.SIGN_IN_AGAIN,
    "UserNotConfirmedException": Refusal.SIGN_IN_AGAIN,
    "PasswordResetRequiredException": Refusal.SIGN_IN_AGAIN,
}


def refused_sign_in(refusal: PoolRefusal) -> Refused:
    """By InitiateAuth. An unknown user, a wrong password, a disabled user and one who is locked out are one answer."""
    return _refused(refusal)


def refused_by_challenge(refusal: PoolRefusal) -> Refused:
    """By RespondToAuthChallenge and VerifySoftwareToken, where Cognito's Session may be over or used up."""
    if refusal.code in ("NotAuthorizedException", "InvalidParameterException") and "session" in refusal.message.lower():
        return Refused(Refusal.CHALLENGE_EXPIRED)
    return _refused(refusal)


def refused_sign_up(refusal: PoolRefusal) -> Refused:
    """By SignUp."""
    return _refused(refusal, {"NotAuthorizedException": Refusal.REFUSED})


def refused_code(refusal: PoolRefusal) -> Refused:
    """By ConfirmSignUp and ConfirmForgotPassword, where code and user name stand side by side."""
    return _refused(refusal, _USERNAME_REFUSALS)


def refused_session(refusal: PoolRefusal) -> Refused:
    """By what a signed-in user asks for: one code for a wrong password and for an access token that is over."""
    if refusal.code == "NotAuthorizedException" and "token" in refusal.message.lower():
        return Refused(Refusal.SIGN_IN_AGAIN)
    return _refused(refusal, _OF_A_SESSION)


def _refused(refusal: PoolRefusal, here: Mapping[str, Refusal] | None = None) -> Refused:
    return Refused((here or _MEANINGS).get(refusal.code) or _MEANINGS.get(refusal.code, Refusal.REFUSED))
