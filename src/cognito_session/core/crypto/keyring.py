"""Keyring: the sealing keys of SESSION_KEYS, newest first. The first seals, all open.

Each entry is `SEQUENCE.KEY`: a whole number that grows by one per rotation, and 256 random bits in base64url. The number
travels with every sealed value, so that a worker can tell a key it has not received yet (try again later) from one that
was retired (refused). Hence the one rule for operators: never take the newest entry away, put a newer one before it.
Knows nothing of ciphers; keys never show in repr or in an error.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from cognito_session.core.crypto.encoding import canonical_base64url, to_base64url
from cognito_session.core.crypto.weak_key import weakness
from cognito_session.core.errors import ConfigurationError
from cognito_session.core.redact import redacted_repr

__all__ = ["KEY_BYTES", "KeyEntry", "Keyring", "new_entry"]

KEY_BYTES: Final = 32
_MAX_ENTRIES: Final = 16
_ENTRY: Final = re.compile(r"([1-9][0-9]{0,8})\.([A-Za-z0-9_-]{43})")


class KeyEntry(NamedTuple):
    """One entry: its sequence number and the 32 bytes that purpose keys are derived from, never used directly."""

    sequence: int
    key: bytes

    def __repr__(self) -> str:
        return redacted_repr(self, "key")


class Keyring(NamedTuple):
    """1 to 16 entries, sequence numbers strictly falling. Made by `parse`."""

    entries: tuple[KeyEntry, ...]

    @classmethod
    def parse(cls, text: str) -> Keyring:
        """The keyring of SESSION_KEYS: entries separated by commas, blanks and line ends around them allowed.

        Raises ConfigurationError that names the entry's position, never its content; also for a key that cannot be random
        (weak_key.py).
        """
        parts = text.split(",", _MAX_ENTRIES)
        if not text.strip(_BLANKS) or len(parts) > _MAX_ENTRIES:
            raise _unusable(f"expected 1 to {_MAX_ENTRIES} entries separated by commas")
        entries: list[KeyEntry] = []
        for position, part in enumerate(parts, start=1):
            entry = _entry(part.strip(_BLANKS), position)
            if entries and entry.sequence >= entries[-1].sequence:
                raise _unusable(f"entry {position}: expected a lower sequence number than entry {position - 1} (newest first)")
            if any(entry.key == other.key for other in entries):
                raise _unusable(f"entry {position}: expected a key of its own, found the key of an earlier entry again")
            entries.append(entry)
        return cls(tuple(entries))

    @property
    def newest(self) -> KeyEntry:
        """The entry that seals."""
        return self.entries[0]

    def find(self, sequence: int) -> KeyEntry | None:
        """The entry of that number, or None."""
        for entry in self.entries:
            if entry.sequence == sequence:
                return entry
        return None


_BLANKS: Final = " \t\r\n"


def new_entry(keyring: Keyring | None, random_bytes: bytes) -> str:
    """The text to put, with a comma, before the entries of `keyring`: the next number and these 32 random bytes.

    Two entries made from the same keyring get the same number: make each rotation's entry in one place. Raises ValueError
    for another length.
    """
    if len(random_bytes) != KEY_BYTES:
        raise ValueError(f"new_entry: expected {KEY_BYTES} random bytes")
    sequence = keyring.newest.sequence + 1 if keyring is not None else 1
    return f"{sequence}.{to_base64url(random_bytes)}"


def _entry(text: str, position: int) -> KeyEntry:
    found = _ENTRY.fullmatch(text)
    key = canonical_base64url(found[2]) if found is not None else None
    if found is None or key is None:
        raise _unusable(
            f"entry {position}: expected SEQUENCE.KEY, a number from 1 to 999999999 and 32 bytes in base64url without padding"
        )
    weak = weakness(key, found[2])
    if weak is not None:
        raise ConfigurationError(
            f"SESSION_KEYS: entry {position}: expected 32 random bytes, found {weak}. Replace the entry by one that "
            "`cognito-session keys new` prints; what it sealed can be forged, so its sessions sign in again."
        )
    return KeyEntry(int(found[1]), key)


def _unusable(expected: str) -> ConfigurationError:
    return ConfigurationError(
        f"SESSION_KEYS: {expected}. `cognito-session keys new` prints an entry; put it first and keep the others after it "
        "until the sessions they sealed have ended."
    )
