"""Time-based one-time codes as an authenticator app shows them (RFC 6238: SHA-1, 30 seconds, 6 digits), made by pyotp.

The time is an argument. A secret is base32 text (RFC 4648 6), with or without its padding. pyotp belongs to the `local` extra,
so that it is imported only when a code is needed.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import ModuleType

    from pyotp import TOTP

__all__ = ["new_totp_secret", "totp_code", "totp_matches"]

_SECRET_CHARS: Final = 32  # 20 bytes (RFC 4226 4, R6)
_DRIFT_STEPS: Final = 1  # the clocks of an app and a server differ (RFC 6238 5.2)


def new_totp_secret() -> str:
    """A new secret. Raises ImportError if pyotp is not installed."""
    return str(_pyotp().random_base32(_SECRET_CHARS))


def totp_code(secret: str, now: float) -> str:
    """The code that an authenticator app shows at `now` (epoch seconds). Raises ImportError if pyotp is not installed."""
    return _totp(secret).at(_instant(now))


def totp_matches(secret: str, code: object, now: float) -> bool:
    """Whether `code` is the code of `now` (epoch seconds), or of the period before or after it.

    Raises ImportError if pyotp is not installed.
    """
    totp = _totp(secret)
    if not isinstance(code, str) or not code.isascii():  # pyotp accepts digits of every script
        return False
    return totp.verify(code, for_time=_instant(now), valid_window=_DRIFT_STEPS)


def _totp(secret: str) -> TOTP:
    totp: TOTP = _pyotp().TOTP(secret.rstrip("="))
    return totp


def _instant(now: float) -> datetime:
    return datetime.fromtimestamp(now, UTC)  # pyotp reads a naive instant in the machine's time zone


def _pyotp() -> ModuleType:
    try:
        import pyotp
    except ImportError as error:
        raise ImportError("one-time codes need the package pyotp: install cognito-session[local]") from error
    return pyotp
