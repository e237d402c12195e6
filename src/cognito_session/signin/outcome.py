"""What signing in with a password, a code or a passkey can come to, as values.

Denied is a value (`Refused`), "could not find out" an exception: an outage never looks like a refusal. A refusal says no
more than its reason; Cognito's own texts are not shown. Secrets do not show in any repr.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from cognito_session.core.redact import redacted_repr

if TYPE_CHECKING:
    from cognito_session.core.protocol.session import Session

__all__ = [
    "AccountChanged",
    "ChallengeRequired",
    "CodeSent",
    "Done",
    "Established",
    "PasskeyOptions",
    "PasswordChanged",
    "PasswordReset",
    "Prompt",
    "Refusal",
    "Refused",
    "SignInOutcome",
    "TotpSecret",
]


class Refusal(StrEnum):
    """Why the answer is no. The values are stable.

    wrong_credentials: the user name, the password or the passkey; it is not said which, nor that a user is unknown,
    disabled or locked out for the moment. wrong_code: where a user name was given beside it, also a code that has expired,
    was never sent, or has no user. challenge_expired: the user must sign in again. sign_in_again: Cognito does not
    honour this session's access token any more, or the user was signed out everywhere at this very moment. stale_sign_in: the
    session is good, but its sign-in is longer ago than the policy's `recent_sign_in_seconds`. refused: a
    firewall or a Lambda trigger of the user pool said no, or a reason that is not known here.
    """

    WRONG_CREDENTIALS = "wrong_credentials"
    NOT_CONFIRMED = "not_confirmed"
    PASSWORD_RESET_REQUIRED = "password_reset_required"
    WRONG_CODE = "wrong_code"
    EXPIRED_CODE = "expired_code"
    CODE_NOT_SENT = "code_not_sent"
    CHALLENGE_EXPIRED = "challenge_expired"
    INVALID_PASSWORD = "invalid_password"
    INVALID_INPUT = "invalid_input"
    USERNAME_EXISTS = "username_exists"
    TOO_MANY_ATTEMPTS = "too_many_attempts"
    TOO_MANY_SESSIONS = "too_many_sessions"
    SIGN_IN_AGAIN = "sign_in_again"
    STALE_SIGN_IN = "stale_sign_in"
    REFUSED = "refused"


class Refused(NamedTuple):
    """No. Send `set_cookies`, if there are any: the challenge then goes on with a new one."""

    reason: Refusal
    set_cookies: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return redacted_repr(self, "set_cookies")


class Established(NamedTuple):
    """Signed in. The session's `set_cookies` bring its cookie and remove that of the challenge; send them all.

    `others_signed_out`: where a new password was set on the way (NEW_PASSWORD_REQUIRED, a reset with a second factor), or a
    factor was added and the policy says so, how many other sessions were ended; None where none were asked for, or where that
    could not be completed.
    """

    session: Session
    others_signed_out: int | None = None

    @property
    def set_cookies(self) -> tuple[str, ...]:
        """The session's."""
        return self.session.set_cookies


class Prompt(NamedTuple):
    """What a page needs to put a challenge.

    choices: of SELECT_CHALLENGE and SELECT_MFA_TYPE. destination and medium ("EMAIL", "SMS"): where a code went, masked by
    Cognito. required_attributes: what NEW_PASSWORD_REQUIRED wants besides. secret (base32) and otpauth_uri (to be shown as
    a QR code): of MFA_SETUP. credential_request: of WEB_AUTHN, PublicKeyCredentialRequestOptionsJSON as text, for
    `PublicKeyCredential.parseRequestOptionsFromJSON`; None on a page that is shown again where it is too long to be kept.
    """

    choices: tuple[str, ...] = ()
    destination: str | None = None
    medium: str | None = None
    required_attributes: tuple[str, ...] = ()
    secret: str | None = None
    otpauth_uri: str | None = None
    credential_request: str | None = None

    def __repr__(self) -> str:
        return redacted_repr(self, "secret", "otpauth_uri", "credential_request")


class ChallengeRequired(NamedTuple):
    """One more step. `name` is Cognito's ChallengeName; send `set_cookies`, show a form, give its answer to `answer`."""

    name: str
    prompt: Prompt = Prompt()
    set_cookies: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return redacted_repr(self, "set_cookies")


class CodeSent(NamedTuple):
    """A code is on its way, if there is anybody to send it to. `destination` is masked by Cognito, and None where naming
    it would tell who has an account.
    """

    destination: str | None = None
    medium: str | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """It is done, and there is nothing more to say about it."""


@dataclass(frozen=True, slots=True)
class AccountChanged(Done):
    """It is done, and the policy ends the user's other sessions after it (`end_others_after`).

    `others_signed_out`: how many were ended; None where that could not be completed.
    """

    others_signed_out: int | None = None


@dataclass(frozen=True, slots=True)
class PasswordReset(Done):
    """The forgotten password is a new one. It does not sign the user in.

    `sub`: the user, where known. `others_signed_out`: how many sessions were ended, which are all that the user had; None
    where none were: not asked for, not completed, or the user is not known yet. `challenge`: Cognito asks for a second factor
    before it says who the user is. Send `set_cookies` and show its form: with the answer the user is signed in and the other
    sessions end. If the user signs in by another way instead, call `revoke_all(me.sub, keep=me.sid)` there.
    """

    sub: str | None = None
    others_signed_out: int | None = None
    challenge: ChallengeRequired | None = None

    @property
    def set_cookies(self) -> tuple[str, ...]:
        """The challenge's."""
        return () if self.challenge is None else self.challenge.set_cookies


class PasswordChanged(NamedTuple):
    """The password is another one now. `others_signed_out`: how many other sessions were ended; None where that could not
    be completed or was not asked for, so that it should be offered (again): `revoke_all(me.sub, keep=me.sid)`.
    """

    others_signed_out: int | None = None


class TotpSecret(NamedTuple):
    """What an authenticator app is given, as base32 and as a URI to be shown as a QR code."""

    secret: str
    otpauth_uri: str

    def __repr__(self) -> str:
        return redacted_repr(self, "secret", "otpauth_uri")


class PasskeyOptions(NamedTuple):
    """PublicKeyCredentialCreationOptionsJSON as text, for `PublicKeyCredential.parseCreationOptionsFromJSON`."""

    credential_creation: str

    def __repr__(self) -> str:
        return redacted_repr(self, "credential_creation")


SignInOutcome = Established | ChallengeRequired | Refused
"""The result of each step of a sign-in."""
