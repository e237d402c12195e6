"""checksum(): what tells a damaged page from a row; Damage, raised where it does not match.

A checksum covers the key as well as the content, and is salted with the file's id, so that a row that was moved, swapped
or copied from another file does not match. It finds damage, not an attacker: who writes to the file can also compute it.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

__all__ = ["CHECKSUM_BYTES", "Damage", "checksum"]

CHECKSUM_BYTES: Final = 16


class Damage(Exception):
    """What the file holds is not what was written. file.py turns it into a StoreUnavailable; its message holds no value."""


def checksum(*parts: bytes) -> bytes:
    """16 bytes over the parts; the boundaries between them count."""
    found = sha256()
    for part in parts:
        found.update(len(part).to_bytes(8, "big"))
        found.update(part)
    return found.digest()[:CHECKSUM_BYTES]
