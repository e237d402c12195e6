"""Real RS256 signatures with one 2048-bit key per process, created when the first token is signed.

Creating a key is slow, so all pools of a test run share it. It never leaves the process.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from cognito_session.core.crypto.encoding import to_base64url
from cognito_session.core.crypto.key_set import KeySet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

__all__ = ["jwks", "key_set", "signed"]

_KID: Final = "testing-key-1"


@lru_cache(maxsize=1)
def _key() -> RSAPrivateKey:
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

    return generate_private_key(public_exponent=65537, key_size=2048)


def signed(claims: Mapping[str, Any]) -> str:
    """A compact JWS over the claims, like Cognito's tokens (RFC 7515, alg RS256)."""
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256

    signing_input = f"{_part({'kid': _KID, 'alg': 'RS256'})}.{_part(claims)}"
    return f"{signing_input}.{to_base64url(_key().sign(signing_input.encode('ascii'), PKCS1v15(), SHA256()))}"


def jwks() -> dict[str, Any]:
    """The key set document as Cognito publishes it (RFC 7517)."""
    numbers = _key().public_key().public_numbers()
    return {
        "keys": [
            {"alg": "RS256", "e": _number(numbers.e), "kid": _KID, "kty": "RSA", "n": _number(numbers.n), "use": "sig"},
        ]
    }


def key_set(*, fetched_at: float) -> KeySet:
    """The key set as a KeySet, fetched at this monotonic instant."""
    return KeySet.parse(jwks(), fetched_at=fetched_at)


def _part(value: Mapping[str, Any]) -> str:
    return to_base64url(json.dumps(value, separators=(",", ":")).encode())


def _number(value: int) -> str:
    return to_base64url(value.to_bytes((value.bit_length() + 7) // 8, "big"))
