"""From the Cookie header to a Credential: which candidate is authentic.

Authentic first (protocol.md: General rules): nothing is looked up because of a claim whose signature has not held. The only
thing that may be fetched here is the key set. Several cookies of the name: the only one that verifies; two that
verify prove nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cognito_session.core.crypto.access_token import AccessToken, VerifiedToken, key_id, parse, unverified_claims, verify
from cognito_session.core.crypto.credential import Credential, TokenCredential
from cognito_session.core.errors import InvalidClaim, KeysUnavailable, SessionUnavailable, TokenError
from cognito_session.core.policy import FUTURE_TOLERANCE_SECONDS
from cognito_session.core.protocol.authenticity import tampered
from cognito_session.core.protocol.sealing import open_cookie, open_secret
from cognito_session.core.protocol.session import Reason, Rejected
from cognito_session.core.protocol.steps import Flow, Keys, Report, Sleep, ask

if TYPE_CHECKING:
    from cognito_session.core.cookie import CookieHeaders
    from cognito_session.core.crypto.key_set import KeySet
    from cognito_session.core.protocol.context import FlowContext
    from cognito_session.core.protocol.record import SessionRecord

__all__ = ["authenticate", "identify", "keys_for", "stored_token"]

_REFUSED: Final = {reason: Report("cookie_refused", "", None, reason.value, limited=True) for reason in Reason}
_AMBIGUOUS: Final = Report("ambiguous_cookie", "", None, limited=True)
"""Made once: a forged cookie costs its request nothing more."""
_PAUSES_SECONDS: Final = (1.0, 1.0)


def identify(context: FlowContext, headers: CookieHeaders) -> Flow[Credential | Rejected]:
    """The one authentic credential in the Cookie headers. Raises SessionUnavailable where that cannot be known."""
    found = context.cookie.candidates(headers)
    if not found.values:
        return (yield from _refused(Reason.MALFORMED_COOKIE)) if found.malformed else Rejected(Reason.NO_COOKIE)
    authentic: list[Credential] = []
    refusal = Reason.MALFORMED_COOKIE
    outage: SessionUnavailable | None = None
    for value in found.values:
        try:
            authentic.append((yield from _credential(context, value)))
        except TokenError as error:
            refusal = Reason(error.reason)
        except SessionUnavailable as error:
            outage = error
    if len(authentic) > 1:
        yield from ask(_AMBIGUOUS)
        return Rejected(Reason.AMBIGUOUS_COOKIE)
    if authentic:
        return (yield from _in_its_time(context, authentic[0]))
    if outage is not None:
        raise outage
    return (yield from _refused(refusal))


def _refused(reason: Reason) -> Flow[Rejected]:
    """The rejection of a cookie that is not authentic, reported."""
    yield from ask(_REFUSED[reason])
    return Rejected(reason)


def _credential(context: FlowContext, value: str) -> Flow[Credential]:
    if context.sealed_cookie:
        return (yield from open_cookie(context, value))
    return TokenCredential((yield from authenticate(context, value)))


def authenticate(context: FlowContext, text: str, *, from_cognito: bool = False, waits: bool = True) -> Flow[VerifiedToken]:
    """The access token, verified; expired or not. Keywords as in `keys_for`. Raises TokenError or KeysUnavailable."""
    keys = yield from keys_for(context, text, from_cognito=from_cognito, waits=waits)
    return verify(text, keys, context.rules)


def keys_for(context: FlowContext, text: str, *, from_cognito: bool = False, waits: bool = True) -> Flow[KeySet]:
    """The key set to check this JWT with. `from_cognito`: it is Cognito's own answer, over TLS, to a call of ours.

    What came from Cognito cannot be asked for again, so the key set is waited for a little, unless `waits` is False. Its key
    exists, whatever the key set says: one without it has not been published everywhere yet. Raises MalformedToken, and
    KeysUnavailable where it is not known whether the token's key exists.
    """
    if from_cognito:
        return (yield from _keys_of_answer(context, text, _PAUSES_SECONDS if waits else ()))
    kid, asked_at = key_id(text), context.clock.monotonic()
    keys = yield from ask(Keys())
    if keys.find(kid) is not None or keys.fetched_at >= asked_at:  # one fetched for this very question has the last word
        return keys
    return (yield from ask(Keys(kid)))


def _keys_of_answer(context: FlowContext, text: str, pauses: tuple[float, ...]) -> Flow[KeySet]:
    for pause in pauses:
        try:
            return (yield from _published(context, text))
        except KeysUnavailable:
            yield from ask(Sleep(pause, holding=True))
    return (yield from _published(context, text))


def _published(context: FlowContext, text: str) -> Flow[KeySet]:
    """A key set with the key of Cognito's own answer; also one without it where the token is another pool's."""
    kid = key_id(text)
    keys = yield from ask(Keys(kid, from_cognito=True))
    if keys.find(kid) is None and _names_our_issuer(context, text):
        raise KeysUnavailable("the user pool's key set does not hold yet the key of a token that Cognito has just sent")
    return keys


def _names_our_issuer(context: FlowContext, text: str) -> bool:
    issuer = unverified_claims(text).get("iss")
    return isinstance(issuer, str) and issuer in context.rules.issuers


def _in_its_time(context: FlowContext, credential: Credential) -> Flow[Credential | Rejected]:
    """A token from the future is refused; small differences of clocks are not (FAPI 2.0 5.3.2.1).

    Its signature was checked, so this machine's clock is wrong and every new sign-in is refused: the operator is told.
    """
    if isinstance(credential, TokenCredential):
        begins = credential.token.not_before
        if begins > context.clock.now() + FUTURE_TOLERANCE_SECONDS:
            behind = (
                f"this machine's clock is {begins - context.clock.now():.0f} seconds behind Cognito's: synchronize it (NTP)"
            )
            yield from ask(Report("not_yet_valid", credential.token.sub, None, behind))
            return Rejected(Reason.NOT_YET_VALID)
    return credential


def stored_token(context: FlowContext, record: SessionRecord) -> Flow[AccessToken]:
    """The row's access token, expired or not: verified before it was sealed into the row; a plain one is verified now.

    Raises KeysUnavailable; StoreUnavailable for one that was moved, cut or altered, or that is not the token that the row is
    about: of another user, sign-in or generation, or one that expires at another time. Reports it.
    """
    sid = record.sid or record.key.sid
    try:
        text = yield from open_secret(context, record.access_token or "", sub=record.key.sub, sid=sid, attribute="access_token")
        sealed = text != record.access_token and not record.unverified
        if sealed:
            token: AccessToken = parse(text, context.rules)
        else:  # an unverified one came from Cognito, to another request
            token = yield from authenticate(context, text, from_cognito=record.unverified, waits=False)
        _check_is_the_record_s(token, record)
        return token
    except TokenError as error:
        raise (yield from tampered(record, error)) from error


def _check_is_the_record_s(token: AccessToken, record: SessionRecord) -> None:
    """Whatever a row says: issuer and client are checked with every token, the rest of whose it is here."""
    if token.sub != record.key.sub:
        raise InvalidClaim("sub", "the user of the row")
    if not record.holds(token.origin_jti):
        raise InvalidClaim("origin_jti", "the sign-in of the row")
    if token.jti != record.jti_cur:
        raise InvalidClaim("jti", "the token that the row holds as jti_cur")
    if token.expires_at != record.access_exp:  # by which it is decided whether it may be served
        raise InvalidClaim("exp", "the instant that the row holds as access_exp")
