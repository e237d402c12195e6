"""The message for each reason that a sign-in is refused, with what the user can do."""

from typing import Final

from cognito_session.signin import Refusal

__all__ = ["message_for"]

_MESSAGES: Final = {
    Refusal.WRONG_CREDENTIALS: "The user name or password is incorrect. Try again.",
    Refusal.NOT_CONFIRMED: "The address of this account is not confirmed yet.",
    Refusal.PASSWORD_RESET_REQUIRED: "This password is no longer valid. Choose “Forgot your password?” to set a new one.",
    Refusal.WRONG_CODE: "The code is incorrect or has expired. Try again.",
    Refusal.EXPIRED_CODE: "The code has expired. Ask for another one.",
    Refusal.CODE_NOT_SENT: "The account was created, but the code could not be sent. Ask for another one.",
    Refusal.CHALLENGE_EXPIRED: "This sign-in expired or continued in another tab. Sign in again.",
    Refusal.INVALID_PASSWORD: "This password does not meet the requirements. Choose another one.",
    Refusal.INVALID_INPUT: "One of the fields is invalid. Check them and try again.",
    Refusal.USERNAME_EXISTS: "This user name is taken. Choose another one.",
    Refusal.TOO_MANY_ATTEMPTS: "Too many attempts. Wait a few minutes and try again.",
    Refusal.TOO_MANY_SESSIONS: "You are signed in on the maximum number of devices. Sign out on one of them first.",
    Refusal.SIGN_IN_AGAIN: "Your sign-in is no longer valid for this. Sign out and sign in again.",
    Refusal.STALE_SIGN_IN: "You signed in too long ago for this. Enter your password again.",
    Refusal.REFUSED: "The request was refused. Contact the operator of this site.",
}


def message_for(why: Refusal | None) -> str | None:
    """The message for a reason; None for no reason."""
    return None if why is None else _MESSAGES[why]
