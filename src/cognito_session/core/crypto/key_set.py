"""KeySet: an immutable snapshot of the user pool's signing keys (JWKS, RFC 7517).

Only RSA keys that can check RS256 are kept, by `kid`; anything else in the document is passed over. A snapshot
is replaced, never changed; when it may be replaced is a question of two instants, not of a timer (timers do not
run in a frozen Lambda).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cognito_session.core.crypto.encoding import canonical_base64url
from cognito_session.core.errors import KeysUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["REFETCH_COOLDOWN_SECONDS", "KeySet", "SigningKey"]

REFETCH_COOLDOWN_SECONDS: Final = 10
"""At most one fetch for unknown key ids in this span, however many arrive."""
_MAX_KEYS: Final = 50
_MIN_MODULUS_BITS: Final = 2048
_MAX_MODULUS_BITS: Final = 8192


class SigningKey(NamedTuple):
    """One RSA public key: `kid` and the JWK members `n` and `e` as published (base64url)."""

    kid: str
    n: str
    e: str


class KeySet(NamedTuple):
    """Keys by `kid`, and the monotonic instant (seconds) at which they were fetched."""

    keys: Mapping[str, SigningKey]
    fetched_at: float

    @classmethod
    def parse(cls, document: object, *, fetched_at: float) -> KeySet:
        """A parsed JWKS document as a KeySet. Raises KeysUnavailable where it holds no usable key."""
        entries = document.get("keys") if isinstance(document, dict) else None
        if not isinstance(entries, list):
            raise KeysUnavailable("key set: expected a JSON object with a list 'keys'")
        keys: dict[str, SigningKey] = {}
        for entry in entries[:_MAX_KEYS]:
            key = _signing_key(entry)
            if key is not None and keys.setdefault(key.kid, key) != key:
                raise KeysUnavailable("key set: two different keys share one kid")
        if not keys:
            raise KeysUnavailable("key set: no RSA signing key of 2048 bits or more for RS256 in it")
        return cls(keys, fetched_at)

    def find(self, kid: str) -> SigningKey | None:
        """The key of that id, or None."""
        return self.keys.get(kid)

    def may_refetch(self, now: float) -> bool:
        """Whether an unknown kid may cause a fetch at the monotonic instant `now`."""
        return now - self.fetched_at >= REFETCH_COOLDOWN_SECONDS


def _signing_key(entry: Any) -> SigningKey | None:
    if not isinstance(entry, dict) or entry.get("kty") != "RSA":
        return None
    if entry.get("use", "sig") != "sig" or entry.get("alg", "RS256") != "RS256":
        return None
    if "key_ops" in entry and entry["key_ops"] != ["verify"]:
        return None
    kid, n, e = entry.get("kid"), entry.get("n"), entry.get("e")
    if not (isinstance(kid, str) and isinstance(n, str) and isinstance(e, str)) or not 0 < len(kid) <= 256:  # noqa: PLR2004
        return None
    modulus, exponent = _uint(n), _uint(e)
    if not _MIN_MODULUS_BITS <= modulus.bit_length() <= _MAX_MODULUS_BITS:
        return None
    if not 3 <= exponent < 1 << 64 or exponent % 2 == 0:  # noqa: PLR2004 - OpenSSL's own limit
        return None
    return SigningKey(kid, n, e)


def _uint(text: str) -> int:
    """The number, 0 where the text is not base64url: a key that cannot be imported must not be kept."""
    return int.from_bytes(canonical_base64url(text) or b"", "big")
