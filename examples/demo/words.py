"""What a refusal is called on a page. One sentence for each reason, with what to do."""

from typing import Final

from cognito_session.signin.outcome import Refusal

__all__ = ["sentence"]

_SENTENCES: Final = {
    Refusal.WRONG_CREDENTIALS: "This user name and password do not belong together. Please try again.",
    Refusal.NOT_CONFIRMED: "This account's address is not confirmed yet.",
    Refusal.PASSWORD_RESET_REQUIRED: "This password may not be used any more: ask for a new one by “Forgot your password?”.",
    Refusal.WRONG_CODE: "This is not the code, or it is too old. Please try again.",
    Refusal.EXPIRED_CODE: "This code is too old. Ask for another one.",
    Refusal.CODE_NOT_SENT: "The account is there, but the code could not be sent. Ask for another one.",
    Refusal.CHALLENGE_EXPIRED: "This sign-in took too long, or went on in another tab. Please begin anew.",
    Refusal.INVALID_PASSWORD: "This password is too simple. Take another one.",
    Refusal.INVALID_INPUT: "Something here cannot be right. Look through the fields and try again.",
    Refusal.USERNAME_EXISTS: "This user name is taken. Take another one.",
    Refusal.TOO_MANY_ATTEMPTS: "That was too often. Please wait a while.",
    Refusal.TOO_MANY_SESSIONS: "You are signed in on as many devices as allowed. Sign out on one of them first.",
    Refusal.SIGN_IN_AGAIN: "This needs a new sign-in: sign out and in again.",
    Refusal.STALE_SIGN_IN: "You signed in a while ago. For this, enter your password again.",
    Refusal.REFUSED: "This was refused. Please ask whoever runs this site.",
}


def sentence(why: Refusal | None) -> str | None:
    """The sentence for a reason; None for none."""
    return None if why is None else _SENTENCES[why]
