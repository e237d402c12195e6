"""Time-based one-time passwords as an authenticator app makes them: RFC 6238 with SHA-1, 30 seconds and 6 digits.

Pure rules over a time that is passed in. A secret is base32 text (RFC 4648 6), with or without its padding.
"""

import base64
import hmac
import secrets
from typing import Final

__all__ = ["new_totp_secret", "totp_code", "totp_matches"]

_STEP_SECONDS: Final = 30
_DIGITS: Final = 6
_SECRET_BYTES: Final = 20  # RFC 4226 4, R6


def new_totp_secret() -> str:
    """A new secret."""
    return base64.b32encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def totp_code(secret: str, now: float) -> str:
    """The code that an authenticator shows at an instant (epoch seconds)."""
    return _code(secret, int(now // _STEP_SECONDS))


def totp_matches(secret: str, code: object, now: float) -> bool:
    """Whether a code is the one of now, or of the step before or after, for clocks differ (RFC 6238 5.2)."""
    step = int(now // _STEP_SECONDS)
    shown = code.encode() if isinstance(code, str) else b""
    return any(hmac.compare_digest(_code(secret, step + drift).encode(), shown) for drift in (-1, 0, 1))


def _code(secret: str, step: int) -> str:
    """RFC 4226 5.3."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8), casefold=True)
    digest = hmac.digest(key, step.to_bytes(8), "sha1")
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4]) & 0x7FFF_FFFF
    return f"{number % 10**_DIGITS:0{_DIGITS}}"
