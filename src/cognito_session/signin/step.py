"""What follows an answer of Cognito's in a sign-in: a session, the next challenge, or a refusal.

The session is begun by core.establish as any other; a sign-in that may not begin one has its tokens revoked. A challenge
is put to the page without anything secret but what the page must show, and kept in the cookie.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cognito_session.core.crypto.encoding import NotJson, read_json
from cognito_session.core.errors import ConfigurationError, ProviderUnavailable
from cognito_session.core.protocol.device_cookie import dropped_device, keep_device
from cognito_session.core.protocol.device_tracking import new_device_secret
from cognito_session.core.protocol.establish import SignedIn, establish
from cognito_session.core.protocol.ports import PoolRefusal
from cognito_session.core.protocol.session import Reason, Rejected
from cognito_session.core.protocol.steps import Flow, Report, Revoke, ask
from cognito_session.core.secret import Secret
from cognito_session.signin.challenge import CHALLENGE_SECONDS, Challenge, forgetting, keep_challenge
from cognito_session.signin.device_proof import DEVICE_CHALLENGE, prove_device
from cognito_session.signin.other_sessions import others_ended
from cognito_session.signin.outcome import ChallengeRequired, Established, Prompt, Refusal, Refused, SignInOutcome
from cognito_session.signin.pool_context import otpauth_uri
from cognito_session.signin.verdict import refused_by_challenge, refused_sign_in

if TYPE_CHECKING:
    from cognito_session.core.cookie import CookieHeaders
    from cognito_session.core.protocol.device_cookie import KnownDevice
    from cognito_session.signin.pool_context import Answer, PoolContext

__all__ = ["CODES", "PASSWORD", "Visitor", "asking_for_password", "follow", "shown"]

PASSWORD: Final = "PASSWORD"

CODES: Final = {
    "SMS_MFA": "SMS_MFA_CODE",
    "EMAIL_OTP": "EMAIL_OTP_CODE",
    "SMS_OTP": "SMS_OTP_CODE",
    "SOFTWARE_TOKEN_MFA": "SOFTWARE_TOKEN_MFA_CODE",
}
"""Challenges that a code answers, and under which name."""
_FIRST_FACTORS: Final = (PASSWORD, "EMAIL_OTP", "SMS_OTP", "WEB_AUTHN")
_SECOND_FACTORS: Final = ("SOFTWARE_TOKEN_MFA", "SMS_MFA", "EMAIL_OTP")
_SUPPORTED: Final = frozenset(
    {*CODES, "NEW_PASSWORD_REQUIRED", "MFA_SETUP", "SELECT_MFA_TYPE", "SELECT_CHALLENGE", PASSWORD, "WEB_AUTHN"}
)
_TOTP: Final = "SOFTWARE_TOKEN_MFA"
_ATTRIBUTE_PREFIX: Final = "userAttributes."


class Visitor(NamedTuple):
    """Who signs in, from where: the cookies that came along, the device's label, and the names.

    `account` is the name that was typed in, `username` the one that Cognito wants to hear from now on; `preferred` the
    first factor that was asked for, `answered` the challenge whose answer this is. `known` is the remembered device that the
    call named, `proved` whether it has proved itself. `changed_at` as in Challenge.
    """

    account: str
    username: str
    presented: CookieHeaders = None
    device: str | None = None
    preferred: str | None = None
    answered: Challenge | None = None
    known: KnownDevice | None = None
    proved: bool = False
    changed_at: int | None = None

    def __repr__(self) -> str:
        return f"Visitor({self.account!r})"


def follow(pool_context: PoolContext, visitor: Visitor, answer: Answer | PoolRefusal) -> Flow[SignInOutcome]:
    """The outcome of InitiateAuth or RespondToAuthChallenge."""
    if isinstance(answer, PoolRefusal):
        return refused_sign_in(answer) if visitor.answered is None else refused_by_challenge(answer)
    if answer.get("AuthenticationResult"):
        return (yield from _established(pool_context, visitor, answer))
    if answer.get("ChallengeName") == DEVICE_CHALLENGE:
        return (yield from _device_asked(pool_context, visitor, answer))
    if isinstance(answer.get("ChallengeName"), str):
        return (yield from _challenged(pool_context, visitor, answer))
    raise ProviderUnavailable("Cognito answered a sign-in with neither tokens nor a challenge", sent=True)


def _device_asked(pool_context: PoolContext, visitor: Visitor, answer: Answer) -> Flow[SignInOutcome]:
    """The device proves itself; one that cannot is dropped, and the person signs in once more without it."""
    known, parameters = visitor.known, answer.get("ChallengeParameters")
    if known is not None and not visitor.proved:
        named = parameters.get("USERNAME") if isinstance(parameters, dict) else None
        proved = yield from prove_device(pool_context, str(named or visitor.username), known, answer)
        if not isinstance(proved, PoolRefusal):
            return (yield from follow(pool_context, visitor._replace(proved=True), proved))
        yield from ask(Report("device_refused", "", None, proved.code))
    return Refused(Refusal.CHALLENGE_EXPIRED, dropped_device(pool_context.context, visitor.presented))


def _established(pool_context: PoolContext, visitor: Visitor, answer: Answer) -> Flow[Established | Refused]:
    signed_in, known = SignedIn.of(answer), visitor.known
    secret = None
    if signed_in.device_key is not None:
        secret = new_device_secret(pool_context.context.entropy, signed_in.device_key, signed_in.device_group)
    elif known is not None and visitor.proved:
        signed_in = signed_in._replace(device_key=known.secret.key, device_known=True)
    try:
        begun = yield from establish(
            pool_context.context,
            signed_in,
            presented=visitor.presented,
            device=visitor.device,
            from_cognito=True,
            secret=secret,
        )
    except ConfigurationError as error:  # no session: the store denies the row, or the clock is wrong
        yield from _revoke(error.reason, signed_in.refresh_token)
        raise
    if isinstance(begun, Rejected):
        yield from _revoke(begun.reason, signed_in.refresh_token)
        full = begun.reason is Reason.TOO_MANY_SESSIONS
        return Refused(Refusal.TOO_MANY_SESSIONS if full else Refusal.SIGN_IN_AGAIN)
    over = forgetting(pool_context.context, visitor.presented)
    kept: tuple[str, ...] = ()
    if secret is not None:
        kept = yield from keep_device(pool_context.context, secret, begun.username, visitor.account)
    elif known is not None and visitor.proved:
        kept = yield from keep_device(pool_context.context, known.secret, begun.username, visitor.account)
    others = None
    if visitor.changed_at is not None:
        others = yield from others_ended(pool_context.context, begun.sub, keep=begun.sid, changed_at=visitor.changed_at)
    return Established(replace(begun, set_cookies=(*begun.set_cookies, *over, *kept)), others)


def _revoke(reason: str, refresh_token: str) -> Flow[None]:
    """A sign-in without a session leaves no live token behind."""
    try:
        yield from ask(Revoke(refresh_token))
    except Exception:  # noqa: BLE001 - whatever a provider raises
        yield from ask(Report("revoke_failed", "", None, reason))


def _challenged(pool_context: PoolContext, visitor: Visitor, answer: Answer) -> Flow[ChallengeRequired | Refused]:
    name, session = str(answer["ChallengeName"]), answer.get("Session")
    parameters = answer.get("ChallengeParameters")
    said: dict[str, Any] = parameters if isinstance(parameters, dict) else {}
    if not isinstance(session, str) or not session:
        raise ProviderUnavailable("Cognito put a challenge without a Session", sent=True)
    username = said.get("USER_ID_FOR_SRP") or said.get("USERNAME") or visitor.username
    expires_at = pool_context.context.now() + CHALLENGE_SECONDS
    prompt, changed_at = _prompt(name, answer, said), visitor.changed_at
    challenge = Challenge(name, name, str(username), visitor.account, session, expires_at, prompt, changed_at)
    if visitor.preferred == PASSWORD and PASSWORD in challenge.prompt.choices:
        challenge = asking_for_password(challenge)
    if name == "MFA_SETUP":
        with_secret = yield from _with_secret(pool_context, challenge)
        if isinstance(with_secret, Refused):
            return with_secret
        challenge = with_secret
    line = yield from keep_challenge(pool_context.context, challenge)
    if visitor.answered is not None and visitor.answered.name == name and name in CODES:
        return Refused(Refusal.WRONG_CODE, (line,))
    return shown(pool_context, challenge, line)


def shown(pool_context: PoolContext, challenge: Challenge, *lines: str) -> ChallengeRequired:
    """The challenge as a page puts it."""
    prompt = challenge.prompt
    if prompt.secret is not None:
        uri = otpauth_uri(prompt.secret, issuer=pool_context.issuer, account=challenge.account)
        prompt = prompt._replace(otpauth_uri=uri)
    return ChallengeRequired(challenge.name, prompt, lines)


def asking_for_password(challenge: Challenge) -> Challenge:
    """PASSWORD, chosen in SELECT_CHALLENGE: Cognito wants the choice and the password in one answer."""
    return challenge._replace(name=PASSWORD, prompt=Prompt())


def _with_secret(pool_context: PoolContext, challenge: Challenge) -> Flow[Challenge | Refused]:
    """MFA_SETUP with the authenticator app's new secret."""
    answer = yield from pool_context.call_on("AssociateSoftwareToken", {"Session": Secret(challenge.session)})
    if isinstance(answer, PoolRefusal):
        return refused_by_challenge(answer)
    secret = pool_context.totp_secret(answer, challenge.account).secret
    session = str(answer.get("Session") or challenge.session)
    return challenge._replace(session=session, prompt=challenge.prompt._replace(secret=secret))


def _prompt(name: str, answer: Answer, said: dict[str, Any]) -> Prompt:
    """What the page needs. Raises ConfigurationError for a challenge that cannot be answered here."""
    if name not in _SUPPORTED:
        raise ConfigurationError(
            f"Cognito asks for {name}, which signing in without redirect does not support: use managed login, or change the"
            " app client's authentication flows and the user pool's triggers and device tracking"
        )
    if name == "SELECT_CHALLENGE":
        return Prompt(choices=_choices(name, answer.get("AvailableChallenges"), _FIRST_FACTORS))
    if name == "SELECT_MFA_TYPE":
        return Prompt(choices=_choices(name, _list(said.get("MFAS_CAN_CHOOSE")), _SECOND_FACTORS))
    if name == "MFA_SETUP":
        _choices(name, _list(said.get("MFAS_CAN_SETUP", json.dumps([_TOTP]))), (_TOTP,))
        return Prompt()
    if name == "NEW_PASSWORD_REQUIRED":
        required = (str(each).removeprefix(_ATTRIBUTE_PREFIX) for each in _list(said.get("requiredAttributes")))
        return Prompt(required_attributes=tuple(required))
    return Prompt(
        destination=_text(said.get("CODE_DELIVERY_DESTINATION")),
        medium=_text(said.get("CODE_DELIVERY_DELIVERY_MEDIUM")),
        credential_request=_text(said.get("CREDENTIAL_REQUEST_OPTIONS")),
    )


def _choices(name: str, offered: object, known: tuple[str, ...]) -> tuple[str, ...]:
    """Those that can be answered here, in our order."""
    found = tuple(each for each in known if isinstance(offered, list) and each in offered)
    if not found:
        raise ConfigurationError(
            f"Cognito's {name} offers nothing that signing in without redirect supports ({', '.join(known)}): allow one of"
            " these in the user pool; for codes by SMS or email as a second factor the user needs a verified address first"
        )
    return found


def _list(text: object) -> list[Any]:
    """The list in a challenge parameter, which Cognito sends as JSON text."""
    try:
        parsed = read_json(text) if isinstance(text, str) else None
    except NotJson:
        parsed = None
    return parsed if isinstance(parsed, list) else []


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
