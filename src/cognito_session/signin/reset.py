"""After a forgotten password was reset: whose sessions must end, and their end.

ConfirmForgotPassword answers with nothing, and a user name is no key of the table. The new password is known, so a sign-in at
Cognito tells the user's `sub`. It begins no session here, and its tokens are revoked at once: the code that was sent is no
second factor. Where Cognito asks for one, the challenge is handed to the page, and the others end with its answer.
https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_ConfirmForgotPassword.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cognito_session.core.errors import ConfigurationError, SessionUnavailable, TokenError
from cognito_session.core.protocol.authenticate import authenticate
from cognito_session.core.protocol.establish import SignedIn
from cognito_session.core.protocol.ports import PoolRefusal
from cognito_session.core.protocol.steps import Flow, Report, Revoke, ask
from cognito_session.signin.other_sessions import others_ended
from cognito_session.signin.outcome import ChallengeRequired, PasswordReset
from cognito_session.signin.step import PASSWORD, Visitor, follow

if TYPE_CHECKING:
    from cognito_session.core.protocol.context import FlowContext
    from cognito_session.signin.pool_context import Answer, PoolContext

__all__ = ["after_reset"]


def after_reset(pool_context: PoolContext, username: str, password: Any, changed_at: int) -> Flow[PasswordReset]:
    """End every session of the user, or say that it is not known whose they are. The password has changed already."""
    try:
        said = yield from _sign_in(pool_context, username, password)
        if isinstance(said, PoolRefusal):
            return (yield from _not_known(said.code))
        if said.get("AuthenticationResult"):
            return (yield from _ended(pool_context.context, said, changed_at))
        step = yield from follow(pool_context, Visitor(username, username, changed_at=changed_at), said)
    except (SessionUnavailable, ConfigurationError, TokenError) as error:
        return (yield from _not_known(error.reason))
    if isinstance(step, ChallengeRequired):
        return PasswordReset(challenge=step)
    return (yield from _not_known("refused"))


def _sign_in(pool_context: PoolContext, username: str, password: Any) -> Flow[Answer | PoolRefusal]:
    """With the new password, by the flow that the app client allows."""
    try:
        return (
            yield from pool_context.call(
                "InitiateAuth", pool_context.initiate("USER_PASSWORD_AUTH", username, PASSWORD=password)
            )
        )
    except ConfigurationError:  # only the choice among first factors (ALLOW_USER_AUTH)
        chosen = pool_context.initiate("USER_AUTH", username, PREFERRED_CHALLENGE=PASSWORD, PASSWORD=password)
        return (yield from pool_context.call("InitiateAuth", chosen))


def _ended(context: FlowContext, said: Answer, changed_at: int) -> Flow[PasswordReset]:
    signed_in = SignedIn.of(said)
    try:
        token = yield from authenticate(context, signed_in.access_token, from_cognito=True)
    finally:
        yield from _revoke(signed_in)
    return PasswordReset(token.sub, (yield from others_ended(context, token.sub, changed_at=changed_at)))


def _revoke(signed_in: SignedIn) -> Flow[None]:
    """This sign-in only asks who the user is: its tokens are revoked."""
    try:
        yield from ask(Revoke(signed_in.refresh_token))
    except (SessionUnavailable, ConfigurationError) as error:
        yield from ask(Report("revoke_failed", "", None, error.reason))


def _not_known(reason: str) -> Flow[PasswordReset]:
    yield from ask(Report("others_not_signed_out", "", None, f"password reset: {reason}"))
    return PasswordReset()
