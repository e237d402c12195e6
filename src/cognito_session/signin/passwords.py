"""Passwords from sign-up to reset, as flows: what each calls at Cognito, and how no answer tells who has an account.

Where only a user name is given (a code sent again, a forgotten password), the answer is the same whatever Cognito says;
what an operator should know is reported. What Cognito shows anyway stands in the docstrings of PasswordFlows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cognito_session.core.protocol.device_cookie import find_device
from cognito_session.core.protocol.ports import PoolRefusal
from cognito_session.core.protocol.steps import Flow, Report, ask
from cognito_session.signin.device_proof import call_on_device
from cognito_session.signin.limits import code_of, is_attributes, is_username, password_of
from cognito_session.signin.outcome import CodeSent, Done, PasswordReset, Refusal, Refused, SignInOutcome
from cognito_session.signin.refusals import reported
from cognito_session.signin.reset import after_reset
from cognito_session.signin.step import Visitor, follow
from cognito_session.signin.verdict import refused_code, refused_sign_up

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cognito_session.core.cookie import CookieHeaders
    from cognito_session.signin.pool_context import Answer, PoolContext

__all__ = ["confirm", "confirm_forgot_password", "forgot_password", "register", "resend", "sign_in"]


def register(
    pool_context: PoolContext, username: object, password: object, attributes: object
) -> Flow[CodeSent | Done | Refused]:
    """SignUp. See PasswordFlows.register."""
    if not is_username(username) or not is_attributes(attributes):
        return Refused(Refusal.INVALID_INPUT)
    typed = password_of(password)
    if typed is None:
        return Refused(Refusal.INVALID_PASSWORD)
    said = [{"Name": name, "Value": value} for name, value in attributes.items()]
    answer = yield from pool_context.call("SignUp", pool_context.of_user(username, Password=typed, UserAttributes=said))
    if isinstance(answer, PoolRefusal):
        return refused_sign_up(answer)
    return Done() if answer.get("UserConfirmed") else _sent(answer)


@reported
def confirm(pool_context: PoolContext, username: object, code: object) -> Flow[Done | Refused]:
    """ConfirmSignUp. See PasswordFlows.confirm."""
    typed = code_of(code)
    if not is_username(username) or typed is None:
        return Refused(Refusal.WRONG_CODE)
    answer = yield from pool_context.call("ConfirmSignUp", pool_context.of_user(username, ConfirmationCode=typed))
    return refused_code(answer) if isinstance(answer, PoolRefusal) else Done()


def resend(pool_context: PoolContext, username: object) -> Flow[CodeSent]:
    """ResendConfirmationCode. See PasswordFlows.resend."""
    return (yield from _send_to_whom_it_may_concern(pool_context, "ResendConfirmationCode", username))


@reported
def sign_in(
    pool_context: PoolContext, username: object, password: object, *, presented: CookieHeaders = None, device: str | None = None
) -> Flow[SignInOutcome]:
    """InitiateAuth USER_PASSWORD_AUTH. See PasswordFlows.sign_in."""
    typed = password_of(password)
    if not is_username(username) or typed is None:
        return Refused(Refusal.WRONG_CREDENTIALS)
    known = yield from find_device(pool_context.context, presented, username)

    def payload(on_device: Mapping[str, str]) -> Mapping[str, Any]:
        return pool_context.initiate("USER_PASSWORD_AUTH", username, PASSWORD=typed, **on_device)

    answer, known = yield from call_on_device(pool_context, "InitiateAuth", payload, known)
    return (yield from follow(pool_context, Visitor(username, username, presented, device, known=known), answer))


def forgot_password(pool_context: PoolContext, username: object) -> Flow[CodeSent]:
    """ForgotPassword. See PasswordFlows.forgot_password."""
    return (yield from _send_to_whom_it_may_concern(pool_context, "ForgotPassword", username))


@reported
def confirm_forgot_password(
    pool_context: PoolContext, username: object, code: object, new_password: object, *, sign_out_others: bool | None = None
) -> Flow[PasswordReset | Refused]:
    """ConfirmForgotPassword. See PasswordFlows.confirm_forgot_password."""
    typed = code_of(code)
    if not is_username(username) or typed is None:
        return Refused(Refusal.WRONG_CODE)
    wanted = password_of(new_password)
    if wanted is None:
        return Refused(Refusal.INVALID_PASSWORD)
    payload = pool_context.of_user(username, ConfirmationCode=typed, Password=wanted)
    changed_at = pool_context.context.now()
    answer = yield from pool_context.call("ConfirmForgotPassword", payload)
    if isinstance(answer, PoolRefusal):
        return refused_code(answer)
    ends = "password" in pool_context.context.policy.end_others_after if sign_out_others is None else sign_out_others
    return (yield from after_reset(pool_context, username, wanted, changed_at)) if ends else PasswordReset()


def _send_to_whom_it_may_concern(pool_context: PoolContext, operation: str, username: object) -> Flow[CodeSent]:
    """The same response for every user name: an address, a limit or a refusal would each reveal an account."""
    if is_username(username):
        answer = yield from pool_context.call(operation, pool_context.of_user(username))
        if isinstance(answer, PoolRefusal) and answer.code != "UserNotFoundException":
            yield from ask(Report("code_not_sent", "", None, f"{operation}: {answer.code}", limited=True))
    return CodeSent()


def _sent(answer: Answer) -> CodeSent:
    details: Any = answer.get("CodeDeliveryDetails")
    said: Answer = details if isinstance(details, dict) else {}
    return CodeSent(said.get("Destination"), said.get("DeliveryMedium"))
