"""Base64url without padding (RFC 7515 2), in its one canonical spelling: what two texts decode to, only one of them is."""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from typing import Final

__all__ = ["canonical_base64url", "to_base64url"]


def to_base64url(raw: bytes) -> str:
    """The spelling of these bytes."""
    return b2a_base64(raw, newline=False).translate(_TO_URL).rstrip(b"=").decode("ascii")


def canonical_base64url(text: str) -> bytes | None:
    """The bytes that `text` is the one unpadded base64url spelling of, None where it is not."""
    try:
        standard = text.encode("ascii").translate(_TO_STANDARD)
        decoded = a2b_base64(standard + b"=" * (-len(standard) % 4))
    except ValueError:
        return None
    return decoded if b2a_base64(decoded, newline=False).rstrip(b"=") == standard else None


_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
_TO_STANDARD: Final = bytes.maketrans(b"-_+/", b"+/!!")
"""The other alphabet's + and / become what neither has. Without base64's wrappers: this is on every request's path."""
