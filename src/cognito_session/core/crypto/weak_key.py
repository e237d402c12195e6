"""Why the 32 bytes of a sealing key cannot be random: the weakness in words, or None.

Every rule is one that random bytes break less than once in a thousand million keys. A key that passes is not proven to be
random: a hash of a password passes. The rules find what people put in the place of a key: zeros, a repeated pattern, a
counter, padded bytes, text, and a key that anyone can read in published source code.
"""

from __future__ import annotations

from hashlib import sha256
from itertools import pairwise
from typing import Final

__all__ = ["weakness"]

_LEAST_DISTINCT: Final = 16
"""Of 32 random bytes about 30 differ: fewer than 16 happen once in 10**15 keys."""
_MOST_OF_ONE: Final = 8
"""A value that stands 9 times or more is padding: once in 10**12 keys."""
_LONGEST_PERIOD: Final = 24
"""A key that repeats itself after 24 bytes or less has 8 equal bytes or more: once in 10**17 keys."""
_FEWEST_CHANGES: Final = 7
"""Fewer changes between upper case, lower case and digits than this in 43 characters: once in 10**9 keys."""
_PUBLISHED: Final = frozenset({sha256(b"cognito_session.testing: no secret").digest()})
"""The key that earlier versions of the test kit set, the same for everyone."""


def weakness(key: bytes, text: str) -> str | None:
    """What is wrong with a key of 32 bytes that `text`, its base64url form, spells. The answer holds neither of them."""
    if key in _PUBLISHED:
        return "the public key of the test kit, which everyone can read"
    if not any(key):
        return "nothing but zeros"
    if _repeats(key):
        return "repeated bytes"
    if _is_text(key) or _is_typed(text):
        return "text, such as a passphrase"
    if len(set(key)) < _LEAST_DISTINCT or max(map(key.count, set(key))) > _MOST_OF_ONE:
        return "a few values in most of its bytes"
    if len(set(_steps(key))) < _LEAST_DISTINCT:
        return "bytes that count up or down"
    return None


def _repeats(key: bytes) -> bool:
    return any(key[period:] == key[:-period] for period in range(1, _LONGEST_PERIOD + 1))


def _steps(key: bytes) -> list[int]:
    return [(after - before) % 256 for before, after in pairwise(key)]


def _is_text(key: bytes) -> bool:
    """Whether the bytes are UTF-8 of visible characters and blanks: once in 10**11 random keys."""
    try:
        decoded = key.strip(b"\0").decode()
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character.isspace() for character in decoded)


def _is_typed(text: str) -> bool:
    """Whether the base64url form itself was typed: words in one case, or words joined by a few signs."""
    kinds = ["A" if character.isupper() else "a" if character.islower() else "0" for character in text]
    changes = sum(before != after for before, after in pairwise(kinds))
    return "A" not in kinds or "a" not in kinds or changes < _FEWEST_CHANGES
