"""Sealing keys for tests: they look random, as SESSION_KEYS must, and are the same in every run."""

from __future__ import annotations

from hashlib import sha256

from cognito_session.core.crypto.encoding import to_base64url

__all__ = ["key_bytes", "ring"]


def key_bytes(number: int, of: str = "") -> bytes:
    """The 32 bytes of the key with this number."""
    return sha256(f"a test's key {of}{number}".encode()).digest()


def ring(*sequences: int, of: str = "") -> str:
    """SESSION_KEYS with these numbers, newest first; `of` tells keys of one number apart."""
    return ",".join(f"{number}.{to_base64url(key_bytes(number, of))}" for number in sequences)
