"""Secure Remote Password as Cognito computes it (SRP-6a, RFC 5054): a client proves a password without sending it.

Pure arithmetic over the 3072-bit group of RFC 3526 with SHA-256. An identity is two names written one after the other: for
a device its group key and its key, for a user the pool id's second part and the user name. Cognito writes numbers as signed
big-endian bytes, so a zero byte precedes a set high bit; RFC 5054 pads to the group's length instead.
https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-device-tracking.html
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Final, NamedTuple

from cognito_session.core.redact import redacted_repr

__all__ = ["GENERATOR", "GROUP", "SECRET_BYTES", "SrpExchange", "claim_key", "number_bytes", "verifier"]

GROUP: Final = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B"
    "302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE6"
    "49286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB9ED529077096966D"
    "670C354E4ABC9804F1746C08CA18217C32905E462E36CE3BE39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF695581718"
    "3995497CEA956AE515D2261898FA051015728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7D"
    "B3970F85A6E1E4C7ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864D87602733EC86A64521F2B18177B200C"
    "BBE117577A615D6C770988C0BAD946E208E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF",
    16,
)
GENERATOR: Final = 2
SECRET_BYTES: Final = 48
"""Size of a private exponent: 384 random bits for a group of 3,072."""
_MAX_HEX_CHARS: Final = 1024


def number_bytes(number: int) -> bytes:
    """A natural number as Cognito hashes it: big-endian, with a zero byte before a set high bit."""
    return number.to_bytes(number.bit_length() // 8 + 1, "big")


def verifier(identity: str, password: str, salt: int) -> int:
    """What a server stores in place of the password (RFC 5054 2.5.3)."""
    return pow(GENERATOR, _password_exponent(identity, password, salt), GROUP)


class SrpExchange(NamedTuple):
    """One attempt of a client. `secret` is its private exponent, 48 random bytes as a number, used once."""

    secret: int

    def __repr__(self) -> str:
        return redacted_repr(self, "secret")

    @property
    def public(self) -> str:
        """SRP_A, as hexadecimal text."""
        return f"{pow(GENERATOR, self.secret, GROUP):x}"

    def signature(self, identity: str, password: str, *, salt: str, server_public: str, block: str, timestamp: str) -> str:
        """PASSWORD_CLAIM_SIGNATURE for the SALT, SRP_B and SECRET_BLOCK of a challenge, as base64.

        Raises ValueError for parameters that no honest server sends (RFC 5054 2.5.4: SRP_B must not be 0 modulo the group).
        """
        if max(len(salt), len(server_public)) > _MAX_HEX_CHARS:
            raise ValueError("SRP: expected SALT and SRP_B of at most 1,024 hexadecimal digits")
        theirs, salted = int(server_public, 16), int(salt, 16)
        scramble = _hash(number_bytes(pow(GENERATOR, self.secret, GROUP)) + number_bytes(max(theirs, 0)))
        if theirs <= 0 or theirs % GROUP == 0 or scramble == 0 or salted < 0:
            raise ValueError("SRP: expected SRP_B other than 0 modulo the group")
        exponent = _password_exponent(identity, password, salted)
        blinded = theirs - _MULTIPLIER * pow(GENERATOR, exponent, GROUP)
        shared = pow(blinded, self.secret + scramble * exponent, GROUP)
        try:
            message = identity.encode() + base64.b64decode(block, validate=True) + timestamp.encode()
        except binascii.Error as error:
            raise ValueError("SRP: expected SECRET_BLOCK as base64") from error
        return base64.b64encode(hmac.digest(claim_key(shared, scramble), message, "sha256")).decode()


def claim_key(shared: int, scramble: int) -> bytes:
    """The key that signs the claim: HKDF (RFC 5869) of the shared secret, in Cognito's form."""
    extracted = hmac.digest(number_bytes(scramble), number_bytes(shared), "sha256")
    return hmac.digest(extracted, b"Caldera Derived Key\x01", "sha256")[:16]


def _password_exponent(identity: str, password: str, salt: int) -> int:
    inner = hashlib.sha256(f"{identity}:{password}".encode()).digest()
    return _hash(number_bytes(salt) + inner)


def _hash(text: bytes) -> int:
    return int.from_bytes(hashlib.sha256(text).digest(), "big")


_MULTIPLIER: Final = _hash(number_bytes(GROUP) + number_bytes(GENERATOR))
