"""An issuer of really signed tokens: a user pool's signing key, its key set, and tokens of any shape.

`Issuer.access_token` makes what Cognito makes. `mint` and `sign` put no limits on header, claims or bytes, so that tests
can write what an attacker would. Each Issuer has its own key, made when it is first used; nothing secret is stored.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256

from cognito_session.core.crypto.access_token import TokenRules
from cognito_session.core.crypto.key_set import KeySet

__all__ = ["CLIENT_ID", "ISSUED_AT", "LIFE_SECONDS", "POOL_ID", "SUB", "Issuer", "b64url", "flipped"]

POOL_ID = "eu-central-1_TestPool1"
CLIENT_ID = "7testclient0id"
SUB = "11111111-2222-4333-8444-555555555555"
ISSUED_AT = 1_700_000_000
"""Where ManualClock starts, so that a token made without instants is valid there."""
LIFE_SECONDS = 3600


def b64url(raw: bytes) -> str:
    """Base64url without padding (RFC 7515 2)."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def flipped(text: str, index: int) -> str:
    """`text` with the base64url character at `index` exchanged for another one."""
    return text[:index] + ("A" if text[index] != "A" else "B") + text[index + 1 :]


class Issuer:
    """A user pool with one app client and one signing key."""

    def __init__(
        self, *, pool_id: str = POOL_ID, client_id: str = CLIENT_ID, kid: str = "key-1", key: RSAPrivateKey | None = None
    ) -> None:
        self.pool_id = pool_id
        self.client_id = client_id
        self.kid = kid
        self._given_key = key

    @cached_property
    def private_key(self) -> RSAPrivateKey:
        """The signing key, made for this process only."""
        return self._given_key or generate_private_key(public_exponent=65537, key_size=2048)

    @cached_property
    def rules(self) -> TokenRules:
        """The rules by which this issuer's tokens are ours."""
        return TokenRules.of_pool(self.pool_id, self.client_id)

    @cached_property
    def url(self) -> str:
        """The `iss` of its tokens, spelled out here on its own: region from the pool id, documented host."""
        return f"https://cognito-idp.{self.pool_id.split('_')[0]}.amazonaws.com/{self.pool_id}"

    def jwk(self, **members: Any) -> dict[str, Any]:
        """The public key as Cognito publishes it; `members` replace or add, None removes."""
        numbers = self.private_key.public_key().public_numbers()
        published = {
            "alg": "RS256",
            "e": b64url(numbers.e.to_bytes((numbers.e.bit_length() + 7) // 8, "big")),
            "kid": self.kid,
            "kty": "RSA",
            "n": b64url(numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")),
            "use": "sig",
        }
        return {name: value for name, value in {**published, **members}.items() if value is not None}

    def jwks(self) -> dict[str, Any]:
        """The key set document."""
        return {"keys": [self.jwk()]}

    def key_set(self, *, fetched_at: float = 0.0) -> KeySet:
        """The key set as the library holds it."""
        return KeySet.parse(self.jwks(), fetched_at=fetched_at)

    def claims(
        self,
        *,
        sub: Any = SUB,
        jti: Any = "jti-1",
        origin_jti: Any = "origin-1",
        iat: Any = ISSUED_AT,
        exp: Any = None,
        **claims: Any,
    ) -> dict[str, Any]:
        """An access token's claims; `exp` is an hour after `iat` unless given, a claim given as `...` is left out."""
        made = {
            "sub": sub,
            "iss": self.url,
            "client_id": self.client_id,
            "origin_jti": origin_jti,
            "event_id": "11111111-0000-4000-8000-000000000000",
            "token_use": "access",
            "scope": "aws.cognito.signin.user.admin",
            "auth_time": iat,
            "exp": iat + LIFE_SECONDS if exp is None else exp,
            "iat": iat,
            "jti": jti,
            "username": "alice",
            **claims,
        }
        return {name: value for name, value in made.items() if value is not ...}

    def access_token(self, **claims: Any) -> str:
        """A signed access token; keywords as in `claims`."""
        return self.mint(self.claims(**claims))

    def id_token(self, **claims: Any) -> str:
        """A signed ID token of the same user: authentic, and not for us."""
        made = self.claims(token_use="id", aud=self.client_id, client_id=..., scope=..., username=..., **claims)
        return self.mint({**made, "cognito:username": "alice", "email": "alice@example.com"})

    def mint(self, claims: Mapping[str, Any] | bytes, headers: Mapping[str, Any] | bytes | None = None) -> str:
        """Any claims under any header, correctly signed with this key.

        Bytes are signed as they are. A header that is a mapping is laid over `{"kid": ..., "alg": "RS256"}`; a member given
        as `...` is left out.
        """
        if not isinstance(headers, bytes):
            laid_over = {"kid": self.kid, "alg": "RS256", **(headers or {})}
            headers = _json({name: value for name, value in laid_over.items() if value is not ...})
        return self.sign(b64url(headers), b64url(claims if isinstance(claims, bytes) else _json(claims)))

    def sign(self, header: str, payload: str) -> str:
        """Two finished parts and the RS256 signature over them."""
        signed = f"{header}.{payload}"
        return f"{signed}.{b64url(self.private_key.sign(signed.encode(), PKCS1v15(), SHA256()))}"


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
