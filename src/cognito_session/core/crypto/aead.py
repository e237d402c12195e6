"""Keyring AEAD (AES-256-GCM): sealed cookie values and secrets at rest.

Sealed text is `v1.SEQUENCE.BODY`, BODY the canonical base64url of nonce (12 bytes), ciphertext and tag (16).
1. A purpose's key is HKDF-SHA256 (RFC 5869, no salt) of the keyring entry, `info` naming the purpose: what was sealed for
   one purpose never opens as another. The associated data binds version, purpose, sequence and the caller's context.
2. Nonces are arguments and must be 12 fresh random bytes each time: a repeated one breaks GCM. Random ones allow 2^32
   values per entry and purpose (NIST SP 800-38D 8.3); rotate long before.
3. Refused and don't-know differ. A key newer than ours is a 503: this worker has not received it yet, and must neither
   reject nor overwrite. Anybody can write a high number into their own cookie and earn themselves a 503, nothing more.

Opens nothing it cannot authenticate; knows no clock and no store. `cryptography` is imported at the first seal.
"""

from __future__ import annotations

import hmac
import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from cognito_session.core.crypto.credential import SealedCredential
from cognito_session.core.crypto.encoding import canonical_base64url, read_json, to_base64url
from cognito_session.core.errors import ConfigurationError, SessionUnavailable, TokenError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    from cognito_session.core.crypto.keyring import KeyEntry, Keyring

__all__ = [
    "AT_REST",
    "COOKIE",
    "NONCE_BYTES",
    "InvalidSeal",
    "MalformedSeal",
    "RetiredKey",
    "SealKeyUnavailable",
    "derived_key",
    "entry_of",
    "is_sealed",
    "open_cookie",
    "open_sealed",
    "open_secret",
    "seal",
    "seal_cookie",
    "seal_secret",
]

COOKIE: Final = "cookie"
AT_REST: Final = "at-rest"
NONCE_BYTES: Final = 12
MAX_SEALED_CHARS: Final = 311_296
"""A token of the greatest length (token.py), sealed; a row may have 400 kB."""
STORED_PREFIX: Final = "sealed."
"""Before a secret at rest. A Cognito token is a JWS or JWE and starts with "eyJ"."""

_TOKEN: Final = "eyJ"
"""A JWS and a JWE begin so: the base64url of `{"`."""
_PACKED: Final = b"\x01"
_PLAIN: Final = b"\x00"
"""Before a packed token, and before any other secret that begins with either of the two."""
_VERSION: Final = "1"
_FRAME: Final = re.compile(r"v([1-9][0-9]?)\.([1-9][0-9]{0,8})\.([A-Za-z0-9_-]{38,})")
"""38 characters are 28 bytes: the nonce and tag of an empty text."""


class MalformedSeal(TokenError):
    """Not a sealed text: another frame, another alphabet, a second spelling, or too long."""

    default_reason = "malformed_cookie"


class InvalidSeal(TokenError):
    """Not sealed by us for this purpose and context, or altered since."""

    default_reason = "invalid_seal"


class RetiredKey(TokenError):
    """Names a key that is not newer than ours and no longer held (or never was): refused."""

    default_reason = "retired_key"


class SealKeyUnavailable(SessionUnavailable):
    """Names a newer key or format than this worker has: neither accepted nor refused here."""

    default_reason = "seal_key_unavailable"


def seal(keyring: Keyring, plaintext: bytes, *, purpose: str, bound_to: tuple[str, ...], nonce: bytes) -> str:
    """`plaintext` sealed with the newest key, to be opened only with the same purpose and context.

    `nonce` is 12 bytes from the operating system's randomness, never used before. Raises ValueError for another length
    and for a text over 32,768 characters.
    """
    if len(nonce) != NONCE_BYTES:
        raise ValueError(f"seal: expected a nonce of {NONCE_BYTES} bytes")
    entry = keyring.newest
    ciphertext = _cipher(entry, purpose).encrypt(nonce, plaintext, _associated(entry.sequence, purpose, bound_to))
    text = f"v{_VERSION}.{entry.sequence}.{to_base64url(nonce + ciphertext)}"
    if len(text) > MAX_SEALED_CHARS:
        raise ValueError(f"seal: expected a plaintext whose sealed text has at most {MAX_SEALED_CHARS} characters")
    return text


def open_sealed(keyring: Keyring, text: str, *, purpose: str, bound_to: tuple[str, ...]) -> bytes:
    """The plaintext of a sealed text.

    Raises MalformedSeal, InvalidSeal or RetiredKey, which are refusals, and SealKeyUnavailable, which is none.
    """
    sequence, body = _parsed(text)
    entry = entry_of(keyring, sequence)
    associated = _associated(entry.sequence, purpose, bound_to)
    try:
        return _cipher(entry, purpose).decrypt(body[:NONCE_BYTES], body[NONCE_BYTES:], associated)
    except _invalid_tag() as error:
        raise InvalidSeal("seal: expected a value sealed by this keyring for this purpose and context") from error


def seal_cookie(
    keyring: Keyring, credential: SealedCredential, *, pool: str, client_id: str, cookie_name: str, nonce: bytes
) -> str:
    """A cookie value: the JSON array `[sub, sid, gen]`, bound to pool, app client and cookie name.

    Its characters are A-Z a-z 0-9 . _ - only. Later versions may append members; readers pass over them.
    """
    members = (credential.sub, credential.sid, credential.gen)
    plaintext = json.dumps(members, separators=(",", ":")).encode("ascii")
    return seal(keyring, plaintext, purpose=COOKIE, bound_to=(pool, client_id, cookie_name), nonce=nonce)


def open_cookie(keyring: Keyring, text: str, *, pool: str, client_id: str, cookie_name: str) -> SealedCredential:
    """The credential in a cookie value. Raises as `open_sealed` does."""
    plaintext = open_sealed(keyring, text, purpose=COOKIE, bound_to=(pool, client_id, cookie_name))
    try:
        sub, sid, gen, *_ = read_json(plaintext)
    except (ValueError, TypeError) as error:
        raise _not_a_credential() from error
    if not (isinstance(sub, str) and isinstance(sid, str) and type(gen) is int and gen >= 0):
        raise _not_a_credential()
    return SealedCredential(sub, sid, gen)


def seal_secret(
    keyring: Keyring, secret: str, *, pool: str, client_id: str, sub: str, sid: str, attribute: str, nonce: bytes
) -> str:
    """`secret` as it is stored: `sealed.` and the sealed text, bound to its pool, app client, row and attribute.

    Not to the table: a backup restored into another table opens.
    """
    bound_to = (pool, client_id, sub, sid, attribute)
    return STORED_PREFIX + seal(keyring, _packed(secret), purpose=AT_REST, bound_to=bound_to, nonce=nonce)


def open_secret(keyring: Keyring | None, stored: str, *, pool: str, client_id: str, sub: str, sid: str, attribute: str) -> str:
    """The secret in a stored text. One that was never sealed (other sign-in code wrote the row) is returned as it is.

    Raises ConfigurationError for a sealed one without a keyring; InvalidSeal for one that was moved, cut or altered;
    RetiredKey and SealKeyUnavailable as `open_sealed` does.
    """
    if not is_sealed(stored):
        return stored
    if keyring is None:
        raise ConfigurationError(
            f"SESSION_KEYS: not set, but the attribute {attribute} is sealed. Set the keys that this table's sessions were "
            "sealed with; the other workers have them (`cognito-session keys new` makes keys for new sessions only)."
        )
    if not stored.startswith(STORED_PREFIX):
        raise _damaged(attribute)
    text = stored[len(STORED_PREFIX) :]
    try:
        plaintext = open_sealed(keyring, text, purpose=AT_REST, bound_to=(pool, client_id, sub, sid, attribute))
    except MalformedSeal as error:
        raise _damaged(attribute) from error
    try:
        return _unpacked(plaintext)
    except UnicodeDecodeError:
        pass
    raise _damaged(attribute)  # out here: a UnicodeDecodeError carries the whole secret, chained or not


def _packed(secret: str) -> bytes:
    """The secret in fewer bytes: the base64url parts of a token are stored decoded, and a row stays within one read unit."""
    parts = [canonical_base64url(part) for part in secret.split(".")] if secret.startswith(_TOKEN) else [None]
    if None in parts:
        plain = _utf8(secret)
        return _PLAIN + plain if plain.startswith((_PACKED, _PLAIN)) else plain
    return _PACKED + b"".join(len(part).to_bytes(4, "big") + part for part in parts if part is not None)


def _unpacked(plaintext: bytes) -> str:
    if not plaintext.startswith(_PACKED):
        return plaintext.removeprefix(_PLAIN).decode("utf-8", "surrogatepass")
    parts, at = list[str](), 1
    while at < len(plaintext):
        begin = at + 4
        at = begin + int.from_bytes(plaintext[at:begin], "big")
        parts.append(to_base64url(plaintext[begin:at]))
    return ".".join(parts)


def is_sealed(stored: str) -> bool:
    """Whether prefix or frame is there: damage to one of them must not turn a sealed text into a plain one."""
    if stored.startswith(STORED_PREFIX):
        return True
    head, rest = stored[: len(STORED_PREFIX)], stored[len(STORED_PREFIX) :]
    return bool(head) and (STORED_PREFIX.startswith(head) or _FRAME.fullmatch(rest) is not None)


def _parsed(text: str) -> tuple[int, bytes]:
    """Sequence and body. One value has one spelling."""
    if not isinstance(text, str) or len(text) > MAX_SEALED_CHARS:
        raise MalformedSeal(f"seal: expected a text of at most {MAX_SEALED_CHARS} characters")
    frame = _FRAME.fullmatch(text)
    if frame is None:
        raise MalformedSeal("seal: expected vVERSION.SEQUENCE.BODY")
    version, sequence, body = frame.groups()
    if version != _VERSION:
        raise SealKeyUnavailable("seal: made by a newer version of cognito-session than this worker runs")
    decoded = canonical_base64url(body)
    if decoded is None:
        raise MalformedSeal("seal: expected canonical base64url without padding")
    return int(sequence), decoded


def entry_of(keyring: Keyring, sequence: int) -> KeyEntry:
    """The entry of that number. Raises SealKeyUnavailable for a newer one than ours, RetiredKey for any other."""
    entry = keyring.find(sequence)
    if entry is not None:
        return entry
    if sequence > keyring.newest.sequence:
        raise SealKeyUnavailable("seal: names a newer key than SESSION_KEYS hold here; give every worker the same keys")
    raise RetiredKey("seal: names a key that SESSION_KEYS no longer hold")


@lru_cache(maxsize=64)
def _cipher(entry: KeyEntry, purpose: str) -> AESGCM:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(derived_key(entry, purpose))


@lru_cache(maxsize=64)
def derived_key(entry: KeyEntry, purpose: str) -> bytes:
    """32 bytes for one purpose: HKDF-SHA256 by hand, one block (RFC 5869 2.2 and 2.3).

    By hand, so that no hash of `cryptography` need be imported.
    """
    extracted = hmac.digest(bytes(32), entry.key, "sha256")
    info = _framed("cognito-session", _VERSION, purpose)
    return hmac.digest(extracted, info + b"\x01", "sha256")


def _invalid_tag() -> type[Exception]:
    """Asked for by `except`, so that only a failure pays for the import."""
    from cryptography.exceptions import InvalidTag

    return InvalidTag


@lru_cache(maxsize=64)
def _associated(sequence: int, purpose: str, bound_to: tuple[str, ...]) -> bytes:
    """Cached because every request's cookie has the same."""
    return _framed("cognito-session", _VERSION, purpose, str(sequence), *bound_to)


def _framed(*fields: str) -> bytes:
    """Each field after its length (4 bytes, big-endian): no two lists of fields give the same bytes."""
    encoded = [_utf8(field) for field in fields]
    return b"".join([len(field).to_bytes(4, "big") + field for field in encoded])


def _utf8(text: str) -> bytes:
    """One text, one spelling, lone surrogates included."""
    return text.encode("utf-8", "surrogatepass")


def _damaged(attribute: str) -> InvalidSeal:
    return InvalidSeal(f"attribute {attribute}: expected a whole sealed text")


def _not_a_credential() -> MalformedSeal:
    return MalformedSeal("sealed cookie: expected a JSON array of sub, sid and gen")
