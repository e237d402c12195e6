"""PasswordFlows: signing up, in and out of a forgotten password on your own pages, without a redirect.

    flows = sessions.password_flows()
    match flows.sign_in(form["username"], form["password"], cookie_header=cookies, user_agent=agent):
        case Established(session=me): ...            # send me.set_cookies
        case ChallengeRequired() as step: ...        # send step.set_cookies, show a form for step.name and step.prompt
        case Refused(reason=why): ...                # say so

Decisions are values. An outage raises SessionUnavailable, a wrong setting ConfigurationError. Forms that call these methods
change something: keep the CSRF check of your adapter on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from cognito_session.argument_checks import checked
from cognito_session.core.device_label import device_label
from cognito_session.core.errors import ConfigurationError
from cognito_session.signin import account, answering, passwords
from cognito_session.signin.pool_context import PoolContext
from cognito_session.web.unsent_cookies import made

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cognito_session.core.cookie import CookieHeaders
    from cognito_session.core.protocol.session import Session
    from cognito_session.engine import Engine
    from cognito_session.signin.outcome import (
        ChallengeRequired,
        CodeSent,
        Done,
        PasskeyOptions,
        PasswordChanged,
        PasswordReset,
        Refused,
        SignInOutcome,
        TotpSecret,
    )

__all__ = ["FlowsDesk", "PasswordFlows", "noted"]


Sent = TypeVar("Sent", "SignInOutcome", "PasswordReset | Refused")


class FlowsDesk:
    """What both classes hold: the engine, whose parts are read at each call."""

    def __init__(self, engine: Engine, issuer: str | None) -> None:
        self._engine = engine
        self._issuer = issuer or urlsplit(engine.base_url or "").hostname or "cognito-session"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._engine!r})"

    @property
    def _desk(self) -> PoolContext:
        pool = self._engine.ports.user_pool
        if pool is None:
            raise ConfigurationError("this manager's ports have no user_pool to sign in at")
        return PoolContext(self._engine.context, pool, self._issuer)


def noted(call: str, outcome: Sent) -> Sent:
    """`outcome`, its cookies noted where an adapter serves a request: the caller has to send them."""
    if outcome.set_cookies:
        made(f"PasswordFlows.{call}", outcome.set_cookies)
    return outcome


@checked
class PasswordFlows(FlowsDesk):
    """For synchronous code. Text that a form did not send may be given as None: it is refused like an empty one."""

    def register(
        self, username: str | None, password: str | None, *, attributes: Mapping[str, str] | None = None
    ) -> CodeSent | Done | Refused:
        """Sign a new user up. CodeSent: ask for the code and call `confirm`; Done: confirmed already, by a Lambda trigger.

        Give only those `attributes` that people may set about themselves, not a form as it came. Refused: username_exists,
        invalid_password (the user pool's policy), invalid_input; code_not_sent, where the user now exists and `resend` is
        the next step. Cognito itself tells here who has an account, unless people sign up by an alias, whose owner is told
        by email.
        """
        return self._engine.run(passwords.register(self._desk, username, password, attributes or {}))

    def confirm(self, username: str | None, code: str | None) -> Done | Refused:
        """Confirm a sign-up with the code that was sent. It does not sign the user in.

        Refused: wrong_code, also for an expired or used code and for an unknown user; username_exists, where another user
        has confirmed this email or phone number; too_many_attempts.
        """
        return self._engine.run(passwords.confirm(self._desk, username, code))

    def resend(self, username: str | None) -> CodeSent:
        """Send the code of a sign-up again. The response is the same for every user name, whether or not a code was sent."""
        return self._engine.run(passwords.resend(self._desk, username))

    def sign_in(
        self, username: str | None, password: str | None, *, cookie_header: CookieHeaders = None, user_agent: str | None = None
    ) -> SignInOutcome:
        """Sign in with a password; the app client needs ALLOW_USER_PASSWORD_AUTH.

        The session of `cookie_header` ends when the new one begins. Refused: wrong_credentials for an
        unknown user, a wrong password, a disabled user and one who is locked out for the moment alike, whatever
        PreventUserExistenceErrors says; not_confirmed (Cognito tells it before it looks at the password: then `resend` and
        `confirm`); password_reset_required (then `forgot_password`); too_many_sessions.
        """
        flow = passwords.sign_in(self._desk, username, password, presented=cookie_header, device=device_label(user_agent))
        return noted("sign_in", self._engine.run(flow))

    def start(
        self,
        username: str | None,
        *,
        preferred: str | None = None,
        cookie_header: CookieHeaders = None,
        user_agent: str | None = None,
    ) -> SignInOutcome:
        """Sign in by choice: email code, SMS code, passkey or password; the app client needs ALLOW_USER_AUTH.

        `preferred` is EMAIL_OTP, SMS_OTP, WEB_AUTHN or PASSWORD; without it, or where this user does not have it, the
        challenge is SELECT_CHALLENGE, whose answer is one of `prompt.choices`. Refused: wrong_credentials. Cognito tells
        here who has an account, and by which factors, unless the app client has PreventUserExistenceErrors ENABLED.
        """
        flow = answering.start(
            self._desk, username, preferred=preferred, presented=cookie_header, device=device_label(user_agent)
        )
        return noted("start", self._engine.run(flow))

    def pending(self, cookie_header: CookieHeaders) -> ChallengeRequired | None:
        """The challenge that waits for this browser's answer, for a page that is loaded again; None where none does."""
        return self._engine.run(answering.pending(self._desk, cookie_header))

    def answer(
        self,
        cookie_header: CookieHeaders,
        response: str | None,
        *,
        challenge: str | None = None,
        attributes: Mapping[str, str] | None = None,
        user_agent: str | None = None,
    ) -> SignInOutcome:
        """Answer the challenge of this browser's cookie.

        `response` is the code (SMS_MFA, EMAIL_OTP, SMS_OTP, SOFTWARE_TOKEN_MFA, and MFA_SETUP, where it is the first one of
        the new authenticator app), the new password (NEW_PASSWORD_REQUIRED, with `attributes` for what
        `prompt.required_attributes` names), the password (PASSWORD), one of `prompt.choices` (SELECT_CHALLENGE,
        SELECT_MFA_TYPE), or the JSON text of the passkey's answer (WEB_AUTHN). Put `challenge`, the name, into the form and
        give it here: then a form of another tab is refused and not taken for an answer to this challenge.

        Refused: wrong_code, expired_code and wrong_credentials, after which the same challenge may be answered again as long
        as Cognito allows; challenge_expired, where the user must sign in again; invalid_password, invalid_input,
        too_many_attempts, too_many_sessions. Raises ConfigurationError where Cognito goes on with a challenge that is not
        supported here: CUSTOM_CHALLENGE and SRP other than a device's.
        """
        flow = answering.answer(
            self._desk,
            response,
            presented=cookie_header,
            challenge=challenge,
            attributes=attributes,
            device=device_label(user_agent),
        )
        return noted("answer", self._engine.run(flow))

    def forgot_password(self, username: str | None) -> CodeSent:
        """Send a code for a new password. The response is the same for every user name, whether or not a code was sent."""
        return self._engine.run(passwords.forgot_password(self._desk, username))

    def confirm_forgot_password(
        self, username: str | None, code: str | None, new_password: str | None, *, sign_out_others: bool | None = None
    ) -> PasswordReset | Refused:
        """Set a new password with the code that was sent. It does not sign the user in.

        Every session of the user ends, unless `sign_out_others` is False; without it the policy's `end_others_after` decides.
        To learn who the user is, the library signs in at Cognito with the new password and revokes those tokens at once. Where
        Cognito asks for a second factor, the outcome has that `challenge`: send its `set_cookies` and show its form, and the
        sessions end with the answer. Refused: wrong_code, also for one that has expired, was never sent or has no user;
        invalid_password; too_many_attempts, which Cognito says only of users who exist.
        """
        flow = passwords.confirm_forgot_password(self._desk, username, code, new_password, sign_out_others=sign_out_others)
        return noted("confirm_forgot_password", self._engine.run(flow))

    def change_password(
        self, me: Session, previous: str | None, proposed: str | None, *, sign_out_others: bool | None = None
    ) -> PasswordChanged | Refused:
        """Change the password of the signed-in user; all other sessions are ended and their tokens revoked.

        This session and its tokens go on. Without `sign_out_others` the policy's `end_others_after` decides about the others.
        Refused: stale_sign_in, where the sign-in is older than the policy's `recent_sign_in_seconds`; wrong_credentials
        (`previous`), invalid_password (`proposed`), too_many_attempts, sign_in_again.
        """
        flow = account.change_password(self._desk, me, previous, proposed, sign_out_others=sign_out_others)
        return self._engine.run(flow)

    def account_changed(self, me: Session, what: str) -> Done:
        """Call it after your own code has changed the user's account: `what` is "password", "factor" or "address".

        If the policy's `end_others_after` names it, the other sessions end, and the answer is an AccountChanged. Ask for a
        recent sign-in before the change: `me.require(max_age=300)`. Raises ConfigurationError for another `what`.
        """
        return self._engine.run(account.account_changed(self._desk, me, what))

    def begin_totp(self, me: Session, *, account_name: str | None = None) -> TotpSecret | Refused:
        """A secret for the signed-in user's authenticator app, not in force until `confirm_totp`.

        `account_name` (an email address) is what the app shows, the user name where none is given. Refused: sign_in_again,
        stale_sign_in.
        """
        return self._engine.run(account.begin_totp(self._desk, me, account_name))

    def confirm_totp(self, me: Session, code: str | None) -> Done | Refused:
        """Take the authenticator app into use with its first code: from now on it is asked for at each sign-in.

        Refused: wrong_code, sign_in_again, stale_sign_in.
        """
        return self._engine.run(account.confirm_totp(self._desk, me, code))

    def begin_passkey(self, me: Session) -> PasskeyOptions | Refused:
        """What the browser of the signed-in user needs to make a passkey. Refused: sign_in_again, stale_sign_in."""
        return self._engine.run(account.begin_passkey(self._desk, me))

    def complete_passkey(self, me: Session, credential: str | None) -> Done | Refused:
        """Register the passkey: `credential` is the JSON text of what `navigator.credentials.create` brought.

        Refused: invalid_input, challenge_expired, too_many_attempts, sign_in_again, stale_sign_in.
        """
        return self._engine.run(account.complete_passkey(self._desk, me, credential))

    def remember_device(self, me: Session, *, remembered: bool = True) -> Done | Refused:
        """Let Cognito remember the browser of the signed-in user, or not, where the user pool asks users first
        (DeviceOnlyRememberedOnUserPrompt). A remembered browser proves itself at its next sign-in.

        Refused: invalid_input where the session has no device (the user pool tracks none); sign_in_again;
        stale_sign_in, for `remembered=True`; refused.
        """
        return self._engine.run(account.remember_device(self._desk, me, remembered=remembered))
