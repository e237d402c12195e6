"""From the Cookie header to a Credential: which candidate is authentic.

Authentic first (protocol.md: General rules): nothing is looked up because of a claim whose signature has not held. The only
thing that may be fetched here is the key set. Several cookies of the name: the only one that verifies; two that
verify prove nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cognito_session.core.credential import Credential, TokenCredential
from cognito_session.core.errors import KeysUnavailable, SessionUnavailable, TokenError
from cognito_session.core.outcome import Reason, Rejected
from cognito_session.core.policy import FUTURE_TOLERANCE_SECONDS
from cognito_session.core.steps import Flow, Keys, Sleep, ask
from cognito_session.core.token import VerifiedToken, key_id, verify
from cognito_session.core.vault import open_cookie

if TYPE_CHECKING:
    from cognito_session.core.case import Case
    from cognito_session.core.cookie import CookieHeaders
    from cognito_session.core.keys import KeySet

__all__ = ["authenticate", "identify", "keys_for"]

_PAUSES_SECONDS: Final = (1.0, 1.0)


def identify(case: Case, headers: CookieHeaders) -> Flow[Credential | Rejected]:
    """The one authentic credential in the Cookie headers. Raises SessionUnavailable where that cannot be known."""
    found = case.cookie.candidates(headers)
    if not found.values:
        return Rejected(Reason.MALFORMED_COOKIE if found.malformed else Reason.NO_COOKIE)
    authentic: list[Credential] = []
    refusal = Reason.MALFORMED_COOKIE
    outage: SessionUnavailable | None = None
    for value in found.values:
        try:
            authentic.append((yield from _credential(case, value)))
        except TokenError as error:
            refusal = Reason(error.reason)
        except SessionUnavailable as error:
            outage = error
    if len(authentic) > 1:
        return Rejected(Reason.AMBIGUOUS_COOKIE)
    if authentic:
        return _in_its_time(case, authentic[0])
    if outage is not None:
        raise outage
    return Rejected(refusal)


def _credential(case: Case, value: str) -> Flow[Credential]:
    if case.sealed_cookie:
        return (yield from open_cookie(case, value))
    return TokenCredential((yield from authenticate(case, value)))


def authenticate(case: Case, text: str, *, from_cognito: bool = False) -> Flow[VerifiedToken]:
    """The access token, verified; expired or not. `from_cognito` as in `keys_for`. Raises TokenError or KeysUnavailable."""
    keys = yield from keys_for(case, text, from_cognito=from_cognito)
    return verify(text, keys, case.rules)


def keys_for(case: Case, text: str, *, from_cognito: bool = False) -> Flow[KeySet]:
    """The key set to check this JWT with. `from_cognito`: it is Cognito's own answer, over TLS, to a call of ours.

    What came from Cognito cannot be asked for again, so the key set is waited for a little. Raises MalformedToken, and
    KeysUnavailable where it is not known whether the token's key exists.
    """
    kid, asked_at = key_id(text), case.clock.monotonic()
    keys = yield from ask(Keys())
    if keys.find(kid) is not None or keys.fetched_at >= asked_at:  # one fetched for this very question has the last word
        return keys
    for pause in _PAUSES_SECONDS if from_cognito else ():
        try:
            return (yield from ask(Keys(kid, from_cognito=True)))
        except KeysUnavailable:
            yield from ask(Sleep(pause, holding=True))
    return (yield from ask(Keys(kid, from_cognito=from_cognito)))


def _in_its_time(case: Case, credential: Credential) -> Credential | Rejected:
    """A token from the future is refused; small differences of clocks are not (FAPI 2.0 5.3.2.1)."""
    if isinstance(credential, TokenCredential):
        begins = credential.token.not_before
        if begins > case.clock.now() + FUTURE_TOLERANCE_SECONDS:
            return Rejected(Reason.NOT_YET_VALID)
    return credential
