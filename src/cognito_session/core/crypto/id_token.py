"""The ID token that came with a code: whether it is this user pool's word about this very sign-in (OIDC Core 3.1.3.7).

It is checked once, when the sign-in comes back, and kept nowhere: the session lives by the access token. Text, header and
signature are checked as an access token's are (token.py); what it claims is checked here.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from cognito_session.core.crypto.access_token import verified_claims
from cognito_session.core.crypto.encoding import to_base64url
from cognito_session.core.errors import ExpiredOnArrival, InvalidClaim

if TYPE_CHECKING:
    from cognito_session.core.crypto.access_token import TokenRules, VerifiedToken
    from cognito_session.core.crypto.key_set import KeySet

__all__ = ["verify_id_token"]


def verify_id_token(
    text: str, keys: KeySet, rules: TokenRules, *, access_token: VerifiedToken, nonce: str, now: int
) -> dict[str, Any]:
    """The claims of an ID token of this pool and app client, made for this sign-in and not yet expired at `now`.

    `nonce` is the one that the sign-in was begun with; `access_token` the one that came beside it: same user, and `at_hash`
    must match where it is present (OIDC Core 3.1.3.6). Raises TokenError; ExpiredOnArrival, and ConfigurationError as
    token.verify does.
    """
    claims = verified_claims(text, keys)
    issuer = claims.get("iss")
    if not isinstance(issuer, str) or issuer not in rules.issuers or issuer != access_token.claims.get("iss"):
        raise InvalidClaim("iss", "the configured user pool's issuer, the access token's own")
    if claims.get("token_use") != "id":
        raise InvalidClaim("token_use", "an ID token")
    if claims.get("aud") != rules.client_id:
        raise InvalidClaim("aud", "the configured app client, alone")
    if claims.get("sub") != access_token.sub:
        raise InvalidClaim("sub", "the access token's user")
    if not _same(claims.get("nonce"), nonce):
        raise InvalidClaim("nonce", "the nonce that this sign-in was begun with")
    if "at_hash" in claims and not _same(claims["at_hash"], at_hash(access_token.text)):
        raise InvalidClaim("at_hash", "the hash of the access token beside it")
    _check_times(claims, now)
    return claims


def at_hash(access_token: str) -> str:
    """The left half of the access token's SHA-256 (OIDC Core 3.1.3.6; the hash is RS256's)."""
    return to_base64url(sha256(access_token.encode("ascii")).digest()[:16])


def _check_times(claims: dict[str, Any], now: int) -> None:
    """Checked last: a token of this very sign-in that has expired on arrival tells of a wrong clock.

    `iat` may lie in the future of this machine's clock. The nonce shows that the token is new, and OpenID Connect leaves the
    use of `iat` to the client (OIDC Core 3.1.3.7, 10): a clock that is behind must not refuse every sign-in.
    """
    issued_at, expires_at = claims.get("iat"), claims.get("exp")
    if type(issued_at) is not int:
        raise InvalidClaim("iat", "an instant")
    if type(expires_at) is not int:
        raise InvalidClaim("exp", "an instant")
    if expires_at <= now:
        raise ExpiredOnArrival(now - issued_at)


def _same(claimed: object, expected: str) -> bool:
    return isinstance(claimed, str) and hmac.compare_digest(claimed.encode("utf-8", "surrogatepass"), expected.encode())
