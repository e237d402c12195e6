"""A client's half of Cognito's SRP: what a browser computes to prove a password without sending it.

SRP-6a over the 3072-bit group of RFC 3526 with SHA-256, and Cognito's own key derivation and message.
"""

import base64
import hashlib
import hmac
import secrets
from datetime import UTC, datetime

__all__ = ["SrpClient"]

GROUP = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B"
    "302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE6"
    "49286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB9ED529077096966D"
    "670C354E4ABC9804F1746C08CA18217C32905E462E36CE3BE39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF695581718"
    "3995497CEA956AE515D2261898FA051015728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7D"
    "B3970F85A6E1E4C7ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864D87602733EC86A64521F2B18177B200C"
    "BBE117577A615D6C770988C0BAD946E208E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF",
    16,
)


def padded(number):
    """Big-endian, with a zero byte in front of a set high bit."""
    return number.to_bytes(number.bit_length() // 8 + 1)


def hashed(*parts):
    """SHA-256 as a number."""
    return int.from_bytes(hashlib.sha256(b"".join(parts)).digest())


class SrpClient:
    """One attempt: `public` goes into SRP_A, `proof` answers PASSWORD_VERIFIER."""

    def __init__(self):
        self._secret = secrets.randbits(256)
        self._public = pow(2, self._secret, GROUP)
        self.public = f"{self._public:x}"

    def proof(self, pool_id, parameters, password, now):
        """The ChallengeResponses to the ChallengeParameters, at an instant (epoch seconds)."""
        name, user = pool_id.partition("_")[2], parameters["USER_ID_FOR_SRP"]
        server, salt = int(parameters["SRP_B"], 16), int(parameters["SALT"], 16)
        inner = hashlib.sha256(f"{name}{user}:{password}".encode()).digest()
        x, u = hashed(padded(salt), inner), hashed(padded(self._public), padded(server))
        k = hashed(padded(GROUP), padded(2))
        shared = pow(server - k * pow(2, x, GROUP), self._secret + u * x, GROUP)
        extracted = hmac.digest(padded(u), padded(shared), "sha256")
        key = hmac.digest(extracted, b"Caldera Derived Key\x01", "sha256")[:16]
        moment = datetime.fromtimestamp(now, UTC)
        timestamp = f"{moment:%a %b} {moment.day} {moment:%H:%M:%S} UTC {moment.year}"
        message = f"{name}{user}".encode() + base64.b64decode(parameters["SECRET_BLOCK"]) + timestamp.encode()
        return {
            "USERNAME": user,
            "TIMESTAMP": timestamp,
            "PASSWORD_CLAIM_SECRET_BLOCK": parameters["SECRET_BLOCK"],
            "PASSWORD_CLAIM_SIGNATURE": base64.b64encode(hmac.digest(key, message, "sha256")).decode(),
        }
