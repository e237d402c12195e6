"""How a challenge is answered: what the person typed becomes what Cognito wants to hear.

Which challenge it is says the sealed cookie, never the form. Nothing leaves without such a cookie, nor what cannot be an
answer. Of a throttled or lost call the cookie stays, so that the same answer can be given again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cognito_session.core.protocol.device_cookie import find_device
from cognito_session.core.protocol.ports import PoolRefusal
from cognito_session.core.secret import Secret, plain, secret
from cognito_session.signin.challenge import check_seals, find_challenge, keep_challenge
from cognito_session.signin.device_proof import call_on_device
from cognito_session.signin.limits import code_of, credential_of, is_attributes, is_username, password_of
from cognito_session.signin.outcome import ChallengeRequired, Refusal, Refused, SignInOutcome
from cognito_session.signin.refusals import reported
from cognito_session.signin.step import CODES, PASSWORD, Visitor, asking_for_password, follow, shown
from cognito_session.signin.verdict import refused_by_challenge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cognito_session.core.cookie import CookieHeaders
    from cognito_session.core.protocol.steps import Flow
    from cognito_session.signin.challenge import Challenge
    from cognito_session.signin.pool_context import PoolContext

__all__ = ["answer", "pending", "start"]

_CHANGES: Final = {"NEW_PASSWORD_REQUIRED": "password", "MFA_SETUP": "factor"}
"""Challenges whose answer changes the account, and what of it (`SessionPolicy.end_others_after`)."""
_SELECT: Final = "SELECT_CHALLENGE"
_SENT_WITHOUT_ASKING: Final = frozenset({"EMAIL_OTP", "SMS_OTP", "WEB_AUTHN"})


@reported
def start(
    pool_context: PoolContext,
    username: object,
    *,
    preferred: str | None = None,
    presented: CookieHeaders = None,
    device: str | None = None,
) -> Flow[SignInOutcome]:
    """Choice-based sign-in: InitiateAuth USER_AUTH. See PasswordFlows.start."""
    check_seals(pool_context.context)
    if not is_username(username):
        return Refused(Refusal.WRONG_CREDENTIALS)
    wish = {"PREFERRED_CHALLENGE": preferred} if preferred in _SENT_WITHOUT_ASKING else {}
    known = yield from find_device(pool_context.context, presented, username)

    def payload(on_device: Mapping[str, str]) -> Mapping[str, Any]:
        return pool_context.initiate("USER_AUTH", username, **wish, **on_device)

    said, known = yield from call_on_device(pool_context, "InitiateAuth", payload, known)
    return (yield from follow(pool_context, Visitor(username, username, presented, device, preferred, known=known), said))


def pending(pool_context: PoolContext, presented: CookieHeaders) -> Flow[ChallengeRequired | None]:
    """The challenge that waits, for a page that is loaded again. No call."""
    waiting = yield from find_challenge(pool_context.context, presented)
    return None if waiting is None else shown(pool_context, waiting)


@reported
def answer(
    pool_context: PoolContext,
    response: object,
    *,
    presented: CookieHeaders,
    challenge: str | None = None,
    attributes: Mapping[str, str] | None = None,
    device: str | None = None,
) -> Flow[SignInOutcome]:
    """Answer the challenge of this browser. See PasswordFlows.answer."""
    waiting = yield from find_challenge(pool_context.context, presented)
    if waiting is None or challenge not in (None, waiting.name):
        return Refused(Refusal.CHALLENGE_EXPIRED)
    if response == PASSWORD and PASSWORD in waiting.prompt.choices:
        next_one = asking_for_password(waiting)
        return shown(pool_context, next_one, (yield from keep_challenge(pool_context.context, next_one)))
    responses = _responses(waiting, response, attributes or {})
    if isinstance(responses, Refused):
        return responses
    known = yield from find_device(pool_context.context, presented, waiting.username)
    changed_at = waiting.changed_at
    if changed_at is None and _CHANGES.get(waiting.name) in pool_context.context.policy.end_others_after:
        changed_at = pool_context.context.now()
    if waiting.name == "MFA_SETUP":
        verified = yield from _verified(pool_context, waiting, responses["UserCode"])
        if isinstance(verified, Refused):
            return verified
        said = yield from pool_context.call_on(
            "RespondToAuthChallenge", pool_context.respond(waiting.answers, verified, pool_context.parameters(waiting.username))
        )
    else:

        def payload(on_device: Mapping[str, str]) -> Mapping[str, Any]:
            parameters = pool_context.parameters(waiting.username, **responses, **on_device)
            return pool_context.respond(waiting.answers, waiting.session, parameters)

        said, known = yield from call_on_device(pool_context, "RespondToAuthChallenge", payload, known)
    visitor = Visitor(
        waiting.account, waiting.username, presented, device, answered=waiting, known=known, changed_at=changed_at
    )
    return (yield from follow(pool_context, visitor, said))


def _responses(waiting: Challenge, response: object, attributes: Mapping[str, str]) -> dict[str, Any] | Refused:
    """The ChallengeResponses besides the name, or what is wrong with the answer.

    https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_ChallengeResponseType.html
    """
    if waiting.name in CODES or waiting.name == "MFA_SETUP":
        code = code_of(response)
        return Refused(Refusal.WRONG_CODE) if code is None else {CODES.get(waiting.name, "UserCode"): code}
    if waiting.name == "NEW_PASSWORD_REQUIRED":
        return _new_password(waiting, response, attributes)
    if waiting.name == PASSWORD:
        chosen = {"ANSWER": PASSWORD} if waiting.answers == _SELECT else {}
        typed = password_of(response)
        return Refused(Refusal.WRONG_CREDENTIALS) if typed is None else {**chosen, "PASSWORD": typed}
    if waiting.name == "WEB_AUTHN":
        known = credential_of(response) is not None
        return {"CREDENTIAL": secret(response)} if known else Refused(Refusal.INVALID_INPUT)
    factor = next((each for each in waiting.prompt.choices if each == plain(response)), None)
    return Refused(Refusal.INVALID_INPUT) if factor is None else {"ANSWER": factor}


def _new_password(waiting: Challenge, response: object, attributes: Mapping[str, str]) -> dict[str, Any] | Refused:
    typed = password_of(response)
    if typed is None:
        return Refused(Refusal.INVALID_PASSWORD)
    if not is_attributes(attributes) or not set(waiting.prompt.required_attributes) <= set(attributes):
        return Refused(Refusal.INVALID_INPUT)
    return {"NEW_PASSWORD": typed, **{f"userAttributes.{name}": value for name, value in attributes.items()}}


def _verified(pool_context: PoolContext, waiting: Challenge, code: Secret[str]) -> Flow[str | Refused]:
    """The Session that goes on after the authenticator app's first code."""
    said = yield from pool_context.call("VerifySoftwareToken", {"Session": Secret(waiting.session), "UserCode": code})
    if isinstance(said, PoolRefusal):
        return refused_by_challenge(said)
    if said.get("Status") != "SUCCESS":
        return Refused(Refusal.WRONG_CODE)
    return str(said.get("Session") or waiting.session)
