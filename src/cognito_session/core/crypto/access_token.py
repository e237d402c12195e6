"""Verifies access tokens: authenticity, never freshness. An expired token verifies too; the flow compares its `exp`.

Only RS256, and only keys of the configured user pool's set (RFC 8725 3.1, 3.8, 3.10). joserfc is imported for the first
signature. The text is parsed strictly: canonical base64url, no duplicate JSON members, bounded sizes.
"""

from __future__ import annotations

from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NewType

from cognito_session.core.crypto.encoding import NotJson, canonical_base64url, is_unicode, read_json
from cognito_session.core.errors import ConfigurationError, InvalidClaim, InvalidSignature, MalformedToken, UnknownKey
from cognito_session.core.partition import issuers_of
from cognito_session.core.redact import redacted_repr

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cognito_session.core.crypto.key_set import KeySet, SigningKey

__all__ = ["AccessToken", "TokenRules", "VerifiedToken", "key_id", "parse", "unverified_claims", "verified_claims", "verify"]

MAX_TOKEN_CHARS: Final = 229_376
"""Beyond what Cognito's own limits allow: 100 groups a user, names of 128 characters, each 12 as escaped, in base64: 204,800.
https://docs.aws.amazon.com/cognito/latest/developerguide/quotas.html
"""
MAX_REFRESH_TOKEN_CHARS: Final = 16_384
"""Cognito's have about 2,000, whatever groups a user is in."""
_MAX_SEGMENT_CHARS: Final = 12_288
"""Of header and signature, which do not grow with the user."""
_MAX_LEVELS: Final = 64
"""Of lists and objects in one another: deeper ones would end Python's own recursion."""
_MAX_LIFE_SECONDS: Final = 86_400
"""Cognito's longest access token life (AccessTokenValidity: 5 minutes to 1 day)."""
_LATEST_INSTANT: Final = 32_503_680_000  # the year 3000
_HOSTILE_HEADERS: Final = frozenset({"crit", "b64", "jku", "jwk", "x5u", "x5c", "zip", "enc"})
_TYPES: Final = frozenset({"JWT", "at+jwt"})


class TokenRules(NamedTuple):
    """The user pool and app client whose tokens are accepted.

    `issuers` are both forms that Cognito has (API_IssuerConfigurationType). `audiences` are the accepted values of `aud` in
    tokens that are bound to a resource (RFC 8707); None accepts any.
    """

    issuers: frozenset[str]
    client_id: str
    user_pool_id: str = ""
    audiences: frozenset[str] | None = None

    @classmethod
    def of_pool(cls, user_pool_id: str, client_id: str, audiences: Iterable[str] | None = None) -> TokenRules:
        """The rules for one user pool, whose region is the part of its id before "_"."""
        accepted = None if audiences is None else frozenset(audiences)
        return cls(frozenset(issuers_of(user_pool_id)), client_id, user_pool_id, accepted)


class AccessToken(NamedTuple):
    """An access token whose claims have the right types and are meant for us. Instants are epoch seconds."""

    text: str
    sub: str
    jti: str
    origin_jti: str
    issued_at: int
    not_before: int
    expires_at: int
    auth_time: int | None
    username: str
    groups: tuple[str, ...]
    scopes: frozenset[str]
    claims: Mapping[str, Any]

    def __repr__(self) -> str:
        return redacted_repr(self, "text", "claims")

    @property
    def device_key(self) -> str | None:
        """The device of the sign-in, where the user pool tracks devices."""
        key = self.claims.get("device_key")
        return key if isinstance(key, str) and key else None


VerifiedToken = NewType("VerifiedToken", AccessToken)
"""An AccessToken whose signature has held. Only `verify` makes one."""


def verify(text: str, keys: KeySet, rules: TokenRules) -> VerifiedToken:
    """The token as VerifiedToken, expired or not.

    Raises MalformedToken, UnknownKey (its `kid` is not in `keys`), InvalidSignature or InvalidClaim; and
    ConfigurationError for an authentic token without `origin_jti`.
    """
    key = keys.find(key_id(text))
    if key is None:
        raise UnknownKey("token: signed with a key that the user pool's key set does not hold")
    return _verified(text, key, rules)


def key_id(text: str) -> str:
    """The `kid` that a token names. Raises MalformedToken for what cannot be ours, before any key is fetched."""
    if not isinstance(text, str) or len(text) > MAX_TOKEN_CHARS or text.count(".") != 2:  # noqa: PLR2004 - RFC 7515 7.1
        raise MalformedToken(f"token: expected a compact JWS of at most {MAX_TOKEN_CHARS} characters")
    return _kid_of(text.partition(".")[0])


@lru_cache(maxsize=512)
def parse(text: str, rules: TokenRules) -> AccessToken:
    """The token's claims, checked for type and addressee, its signature NOT checked.

    For two uses only: a refresh answer that came over TLS from Cognito itself while its keys could not be fetched, and a
    token that had been verified before it was sealed into its row.
    """
    key_id(text)
    _, payload, _, _ = _split(text)
    return _access_token(text, _json_object(payload), rules)


def unverified_claims(text: str) -> dict[str, Any]:
    """The claims of any JWT, NOTHING checked but its form: a description, never a proof. Raises MalformedToken."""
    if not isinstance(text, str) or len(text) > MAX_TOKEN_CHARS or not text.isascii():
        raise MalformedToken(f"token: expected a compact JWS of at most {MAX_TOKEN_CHARS} characters")
    _, payload, _, _ = _split(text)
    return _json_object(payload)


def verified_claims(text: str, keys: KeySet) -> dict[str, Any]:
    """The claims of any token that a key of `keys` has signed: what they must say is the caller's to check.

    Raises MalformedToken, UnknownKey or InvalidSignature.
    """
    key = keys.find(key_id(text))
    if key is None:
        raise UnknownKey("token: signed with a key that the user pool's key set does not hold")
    return _json_object(_signed_payload(text, key))


@lru_cache(maxsize=512)
def _verified(text: str, key: SigningKey, rules: TokenRules) -> VerifiedToken:
    return VerifiedToken(_access_token(text, _json_object(_signed_payload(text, key)), rules))


def _signed_payload(text: str, key: SigningKey) -> bytes:
    _, payload, signing_input, signature = _split(text)
    if not _signature_holds(signing_input, signature, key):
        raise InvalidSignature("token: the signature does not verify under the key it names")
    return payload


def _signature_holds(signing_input: bytes, signature: bytes, key: SigningKey) -> bool:
    algorithm, rsa_key = _rs256(), _imported(key)
    return bool(algorithm.verify(signing_input, signature, rsa_key))


@lru_cache(maxsize=1)
def _rs256() -> Any:
    from joserfc.jws import JWSRegistry

    return JWSRegistry.algorithms["RS256"]


@lru_cache(maxsize=64)
def _imported(key: SigningKey) -> Any:
    from joserfc.jwk import RSAKey

    return RSAKey.import_key({"kty": "RSA", "n": key.n, "e": key.e})


@lru_cache(maxsize=64)
def _kid_of(segment: str) -> str:
    header = _json_object(_decoded(segment))
    if header.get("alg") != "RS256":
        raise MalformedToken("token header: expected alg RS256")
    if not _HOSTILE_HEADERS.isdisjoint(header) or not _is_one_of(header.get("typ", "JWT"), _TYPES):
        raise MalformedToken("token header: expected no crit, b64, jku, jwk, x5u, x5c, zip or enc, and typ JWT or at+jwt")
    kid = header.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= 256:  # noqa: PLR2004
        raise MalformedToken("token header: expected a kid of 1 to 256 characters")
    return kid


def _is_one_of(value: object, allowed: frozenset[str]) -> bool:
    """Membership that no unhashable JSON value can break."""
    return isinstance(value, str) and value in allowed


def _split(text: str) -> tuple[str, bytes, bytes, bytes]:
    parts = text.split(".")
    if len(parts) != 3 or not all(parts):  # noqa: PLR2004 - RFC 7515 7.1
        raise MalformedToken("token: expected three non-empty parts (a compact JWS)")
    header, payload, signature = parts
    return header, _decoded(payload, MAX_TOKEN_CHARS), text[: -len(signature) - 1].encode("ascii"), _decoded(signature)


def _decoded(segment: str, most: int = _MAX_SEGMENT_CHARS) -> bytes:
    """Base64url without padding, canonical only (RFC 7515 2): one value has one spelling."""
    if not segment or len(segment) > most:
        raise MalformedToken(f"token part: expected 1 to {most} characters")
    decoded = canonical_base64url(segment)
    if decoded is None:
        raise MalformedToken("token part: expected canonical base64url without padding")
    return decoded


def _json_object(raw: bytes) -> dict[str, Any]:
    try:
        parsed = read_json(raw, object_pairs_hook=_unique, parse_constant=_no_constant)
    except NotJson as error:
        raise MalformedToken("token part: expected a strict UTF-8 JSON object") from error
    if not isinstance(parsed, dict):
        raise MalformedToken("token part: expected a JSON object")
    return parsed


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate member")
    return members


def _no_constant(_: str) -> None:
    raise ValueError("NaN and Infinity are not JSON")


def _access_token(text: str, claims: dict[str, Any], rules: TokenRules) -> AccessToken:
    if not _is_one_of(claims.get("iss"), rules.issuers):
        raise InvalidClaim("iss", "the configured user pool's issuer")
    if claims.get("token_use") != "access":
        raise InvalidClaim("token_use", "an access token, not an ID token")
    if claims.get("client_id") != rules.client_id:
        raise InvalidClaim("client_id", "the configured app client")
    _check_audience(claims, rules.audiences)
    issued_at, expires_at = _instant(claims, "iat"), _instant(claims, "exp")
    if not issued_at < expires_at <= issued_at + _MAX_LIFE_SECONDS:
        raise InvalidClaim("exp", "an instant up to one day after iat")
    sub = _name(claims, "sub")
    return AccessToken(
        text=text,
        sub=sub,
        jti=_name(claims, "jti"),
        origin_jti=_origin(claims),
        issued_at=issued_at,
        not_before=max(issued_at, _instant(claims, "nbf")) if "nbf" in claims else issued_at,
        expires_at=expires_at,
        auth_time=_instant(claims, "auth_time") if "auth_time" in claims else None,
        username=_text(claims, "username", default=sub),
        groups=_groups(claims),
        scopes=frozenset(_text(claims, "scope", default="").split()),
        claims=_read_only(claims),
    )


def _check_audience(claims: dict[str, Any], accepted: frozenset[str] | None) -> None:
    """`aud` of a token bound to a resource: a text or a list of them (RFC 7519 4.1.3, RFC 8707). Others have none."""
    if "aud" not in claims:
        return
    named = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    if not named or not all(isinstance(name, str) and name and is_unicode(name) for name in named):
        raise InvalidClaim("aud", "a text or a list of texts")
    if accepted is not None and accepted.isdisjoint(named):
        raise InvalidClaim("aud", "one of the policy's audiences")


def _read_only(value: Any, levels: int = _MAX_LEVELS) -> Any:
    """A token's claims are shared by all requests that carry it, so they are read-only."""
    if not isinstance(value, dict | list):
        return value
    if not levels:
        raise MalformedToken(f"token: expected claims of at most {_MAX_LEVELS} levels")
    if isinstance(value, dict):
        return MappingProxyType({name: _read_only(item, levels - 1) for name, item in value.items()})
    return tuple(_read_only(item, levels - 1) for item in value)


def _instant(claims: dict[str, Any], name: str) -> int:
    value = claims.get(name)
    if type(value) is not int or not 0 < value < _LATEST_INSTANT:
        raise InvalidClaim(name, "a whole number of seconds since 1970")
    return value


def _name(claims: dict[str, Any], name: str) -> str:
    """A short identifier of visible ASCII: it becomes part of a database key."""
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= 128 or not _visible(value):  # noqa: PLR2004
        raise InvalidClaim(name, "1 to 128 visible ASCII characters")
    return value


def _visible(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


def _text(claims: dict[str, Any], name: str, *, default: str) -> str:
    value = claims.get(name, default)
    if not isinstance(value, str) or not is_unicode(value):
        raise InvalidClaim(name, "text")
    return value


def _groups(claims: dict[str, Any]) -> tuple[str, ...]:
    groups = claims.get("cognito:groups", [])
    if not isinstance(groups, list) or not all(isinstance(group, str) and is_unicode(group) for group in groups):
        raise InvalidClaim("groups", "a list of texts in cognito:groups")
    return tuple(groups)


def _origin(claims: dict[str, Any]) -> str:
    if "origin_jti" not in claims:
        raise ConfigurationError(
            "The app client's access tokens carry no origin_jti: turn on EnableTokenRevocation for the app client "
            "(Cognito console: App clients, Advanced security, Enable token revocation)."
        )
    return _name(claims, "origin_jti")
