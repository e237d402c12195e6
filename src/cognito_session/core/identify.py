"""From the Cookie header to a Credential: which candidate is authentic.

Rule 1 of the protocol: nothing is looked up because of a claim whose signature has not held. The only thing that may be
fetched here is the key set. Several cookies of the name: the only one that verifies; two that verify prove nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cognito_session.core.credential import Credential, TokenCredential
from cognito_session.core.errors import SessionUnavailable, TokenError
from cognito_session.core.outcome import Reason, Rejected
from cognito_session.core.policy import FUTURE_TOLERANCE_SECONDS
from cognito_session.core.steps import Flow, Keys, ask
from cognito_session.core.token import VerifiedToken, key_id, verify
from cognito_session.core.vault import open_cookie

if TYPE_CHECKING:
    from cognito_session.core.case import Case
    from cognito_session.core.cookie import CookieHeaders

__all__ = ["authenticate", "identify"]


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


def authenticate(case: Case, text: str) -> Flow[VerifiedToken]:
    """The access token, verified; expired or not. Raises TokenError or KeysUnavailable."""
    kid = key_id(text)
    keys = yield from ask(Keys())
    if keys.find(kid) is None:
        keys = yield from ask(Keys(missing_kid=kid))
    return verify(text, keys, case.rules)


def _in_its_time(case: Case, credential: Credential) -> Credential | Rejected:
    """A token from the future is refused; small differences of clocks are not (FAPI 2.0 5.3.2.1)."""
    if isinstance(credential, TokenCredential):
        begins = credential.token.not_before
        if begins > case.clock.now() + FUTURE_TOLERANCE_SECONDS:
            return Rejected(Reason.NOT_YET_VALID)
    return credential
