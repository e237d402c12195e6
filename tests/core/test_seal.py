"""Sealed values: what opens, what is refused, what cannot be known here; and that nothing secret ever shows."""

from __future__ import annotations

import os
import pprint
import re
import struct
import subprocess
import sys
import traceback
from base64 import urlsafe_b64decode
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given, settings
from hypothesis import strategies as st

from cognito_session.core.cookie import Cookie
from cognito_session.core.crypto.aead import (
    AT_REST,
    COOKIE,
    MAX_SEALED_CHARS,
    STORED_PREFIX,
    InvalidSeal,
    MalformedSeal,
    RetiredKey,
    SealKeyUnavailable,
    open_cookie,
    open_sealed,
    open_secret,
    seal,
    seal_cookie,
    seal_secret,
)
from cognito_session.core.crypto.credential import SealedCredential
from cognito_session.core.crypto.encoding import canonical_base64url, to_base64url
from cognito_session.core.crypto.keyring import KeyEntry, Keyring, new_entry
from cognito_session.core.errors import ConfigurationError, SessionError, SessionUnavailable, TokenError
from support.sealing_keys import key_bytes
from support.tokens import CLIENT_ID, POOL_ID, SUB, b64url

KEY_1, KEY_2, KEY_3 = (key_bytes(number) for number in (1, 2, 3))
NONCE = b"twelve bytes"
SID = "c2lkLXNpZC1zaWQtc2lkLXNpZA"
CREDENTIAL = SealedCredential(SUB, SID, 7)
COOKIE_PLACE = {"pool": POOL_ID, "client_id": CLIENT_ID, "cookie_name": "__Host-session"}
ROW_PLACE = {"pool": POOL_ID, "client_id": CLIENT_ID, "sub": SUB, "sid": SID, "attribute": "token"}
REFRESH_TOKEN = "eyJjdHkiOiJKV1QiLCJlbmMiOiJBMjU2R0NNIn0.CANARY-key.CANARY-iv.CANARY-text.CANARY-tag"
REFUSALS = (MalformedSeal, InvalidSeal, RetiredKey)
NOT_OPENED = (*REFUSALS, SealKeyUnavailable)


def ring(*entries: tuple[int, bytes]) -> Keyring:
    """A keyring, by way of its text."""
    return Keyring.parse(",".join(f"{sequence}.{b64url(key)}" for sequence, key in entries))


OLD, BOTH, NEW = ring((1, KEY_1)), ring((2, KEY_2), (1, KEY_1)), ring((2, KEY_2))
FULL = ring(*((sequence, key_bytes(sequence)) for sequence in (16, 15, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1)))
"""Seals with a two-digit number; a changed digit meets a held key, a retired one or a newer one."""


def cookie_of(keyring: Keyring, nonce: bytes = NONCE) -> str:
    """CREDENTIAL sealed for its place."""
    return seal_cookie(keyring, CREDENTIAL, **COOKIE_PLACE, nonce=nonce)


def stored_of(keyring: Keyring, secret: str = REFRESH_TOKEN) -> str:
    """`secret` sealed for its row."""
    return seal_secret(keyring, secret, **ROW_PLACE, nonce=NONCE)


def refused(keyring: Keyring, text: object, **place: str) -> SessionError:
    """What opening a cookie value raises."""
    with pytest.raises(NOT_OPENED) as caught:
        open_cookie(keyring, text, **{**COOKIE_PLACE, **place})
    return caught.value


def bit_flips(text: str) -> list[str]:
    """Every text that differs from an ASCII `text` in one bit of one byte."""
    raw = text.encode("ascii")
    return [
        bytes(byte ^ (1 << bit if at == index else 0) for at, byte in enumerate(raw)).decode("latin-1")
        for index in range(len(raw))
        for bit in range(8)
    ]


def distinct_nonces(count: int) -> int:
    """How many different nonces `count` sealed cookies carry, each sealed with one from the operating system."""
    seen = set()
    for _ in range(count):
        text = cookie_of(OLD, os.urandom(12))
        seen.add(text[5:21])  # after "v1.1.": 12 bytes are 16 characters
    return len(seen)


# --- round trips and vectors


def test_a_cookie_value_opens_to_its_credential():
    """sub, sid and generation come back, and the value has only a cookie's characters, few of them."""
    text = cookie_of(BOTH)
    assert open_cookie(BOTH, text, **COOKIE_PLACE) == CREDENTIAL
    assert re.fullmatch(r"[A-Za-z0-9._~-]{1,200}", text)
    assert Cookie("__Host-session").candidates(f"__Host-session={text}").values == (text,)


@pytest.mark.parametrize(
    "credential",
    [
        SealedCredential("u", "s", 0),
        SealedCredential('quote"comma,[', "\\", 1 << 40),
        SealedCredential("\u00fcser-\U0001f600", "\ud800", 1),
    ],
)
def test_any_text_is_carried_unchanged(credential):
    """Quotes, non-ASCII text and lone surrogates survive."""
    text = seal_cookie(OLD, credential, **COOKIE_PLACE, nonce=NONCE)
    assert open_cookie(OLD, text, **COOKIE_PLACE) == credential


@given(st.binary(max_size=200), st.tuples(st.text(max_size=20), st.text(max_size=20)), st.binary(min_size=12, max_size=12))
@settings(max_examples=100, deadline=None)
def test_open_sealed_undoes_seal(plaintext, context, nonce):
    """Any bytes, any context, any nonce."""
    text = seal(BOTH, plaintext, purpose="x", bound_to=context, nonce=nonce)
    assert open_sealed(BOTH, text, purpose="x", bound_to=context) == plaintext


@pytest.mark.parametrize("first", ["\x00", "\x01", "\x00\x01", "\x01\x00"])
@pytest.mark.parametrize("rest", ["", "a", "eyJh.e30.AAAA", "\x00\x00\x00\x01A"])
def test_a_secret_that_begins_like_a_mark_is_carried_unchanged(first, rest):
    """The first byte of a sealed text says how a token was packed; a secret may begin with the same byte."""
    assert open_secret(BOTH, stored_of(BOTH, first + rest), **ROW_PLACE) == first + rest


@given(st.text(st.characters(), max_size=200))
@settings(max_examples=100, deadline=None)
def test_open_secret_undoes_seal_secret(secret):
    """Any text, lone surrogates included."""
    assert open_secret(BOTH, stored_of(BOTH, secret), **ROW_PLACE) == secret


def by_hand(key: bytes, purpose: str, sequence: int, context: tuple[str, ...], plaintext: bytes) -> str:
    """A sealed text computed from `cryptography`'s HKDF and AESGCM alone."""

    def framed(*fields: str) -> bytes:
        return b"".join(struct.pack(">I", len(field.encode())) + field.encode() for field in fields)

    derived = HKDF(SHA256(), 32, salt=None, info=framed("cognito-session", "1", purpose)).derive(key)
    associated = framed("cognito-session", "1", purpose, str(sequence), *context)
    return f"v1.{sequence}.{b64url(NONCE + AESGCM(derived).encrypt(NONCE, plaintext, associated))}"


def test_a_cookie_value_is_what_the_primitives_give():
    """HKDF-SHA256, AES-256-GCM and the frame, computed independently."""
    plaintext = f'["{SUB}","{SID}",7]'.encode()
    context = (POOL_ID, CLIENT_ID, "__Host-session")
    assert cookie_of(BOTH) == by_hand(KEY_2, "cookie", 2, context, plaintext)


def test_a_stored_secret_is_what_the_primitives_give():
    """The same for secrets at rest, with their own key and context."""
    context = (POOL_ID, CLIENT_ID, SUB, SID, "token")
    assert stored_of(OLD) == "sealed." + by_hand(KEY_1, "at-rest", 1, context, REFRESH_TOKEN.encode())


def test_the_format_never_changes():
    """Values sealed by earlier releases open: a literal, not a computation."""
    text = "v1.1.dHdlbHZlIGJ5dGVzYieXHdw4K1UfEhWQkrO95MMiaWON7g"
    keyring = Keyring((KeyEntry(1, bytes(range(16, 48))),))
    assert seal(keyring, b"vector", purpose=COOKIE, bound_to=("a", "b"), nonce=NONCE) == text
    assert open_sealed(keyring, text, purpose=COOKIE, bound_to=("a", "b")) == b"vector"


# --- nonces


def test_the_nonce_is_used_as_given():
    """The same key, nonce and plaintext give the same text, another nonce another: freshness is the caller's duty."""
    assert cookie_of(OLD) == cookie_of(OLD)
    assert cookie_of(OLD) != cookie_of(OLD, b"TWELVE BYTES")
    assert urlsafe_b64decode(cookie_of(OLD)[5:21]) == NONCE


@pytest.mark.parametrize("size", [0, 8, 11, 13, 16])
def test_another_size_of_nonce_is_an_error(size):
    """Only 96 bits: another size would be hashed by GCM and weaken the count of safe uses."""
    with pytest.raises(ValueError, match="seal: expected a nonce of 12 bytes"):
        cookie_of(OLD, bytes(size))


def test_no_nonce_repeats():
    """20,000 values sealed with the operating system's randomness carry 20,000 nonces."""
    assert distinct_nonces(20_000) == 20_000


# --- altered values


def test_no_flipped_bit_of_a_cookie_is_accepted():
    """Each bit of version, sequence, dots, nonce, ciphertext, tag and padding bits, where each sequence has a key."""
    text = cookie_of(FULL)
    assert open_cookie(FULL, text, **COOKIE_PLACE) == CREDENTIAL
    flips = bit_flips(text)
    assert len(flips) == 8 * len(text)
    reasons = {refused(FULL, flip).reason for flip in flips}
    assert reasons == {"malformed_cookie", "invalid_seal", "retired_key", "seal_key_unavailable"}


def test_no_flipped_bit_of_a_stored_secret_is_accepted():
    """The prefix too: damage never turns a sealed text into a plain one."""
    stored = stored_of(FULL, "eyJ-short")
    for flip in bit_flips(stored):
        with pytest.raises((InvalidSeal, RetiredKey, SealKeyUnavailable)):
            open_secret(FULL, flip, **ROW_PLACE)


@pytest.mark.parametrize("length", range(6))
def test_no_padding_bit_is_left_free(length):
    """Whatever the length, each other last character of the same value is refused as a second spelling or as altered."""
    text = seal(OLD, bytes(length), purpose="x", bound_to=(), nonce=NONCE)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for character in set(alphabet) - {text[-1]}:
        with pytest.raises((MalformedSeal, InvalidSeal)):
            open_sealed(OLD, text[:-1] + character, purpose="x", bound_to=())


def test_a_truncated_cookie_is_refused():
    """Every prefix of a value, from either end."""
    text = cookie_of(OLD)
    for cut in range(len(text)):
        assert isinstance(refused(OLD, text[:cut]), MalformedSeal | InvalidSeal)
        assert isinstance(refused(OLD, text[cut + 1 :]), MalformedSeal | InvalidSeal)


def test_a_truncated_secret_is_refused():
    """Every prefix of a stored secret but the empty one, which was never sealed."""
    stored = stored_of(OLD)
    for cut in range(1, len(stored)):
        with pytest.raises(InvalidSeal):
            open_secret(OLD, stored[:cut], **ROW_PLACE)


@pytest.mark.parametrize("tail", ["A", "AA", "AAA", "AAAA", "=", "==", ".", ".A", " ", "\n", "\x00", "\u00e9"])
def test_an_extended_value_is_refused(tail):
    """Nothing may follow, nothing may precede."""
    assert isinstance(refused(OLD, cookie_of(OLD) + tail), MalformedSeal | InvalidSeal)
    assert isinstance(refused(OLD, tail + cookie_of(OLD)), MalformedSeal)
    with pytest.raises(InvalidSeal):
        open_secret(OLD, stored_of(OLD) + tail, **ROW_PLACE)


def frames(body: str) -> list[object]:
    """Texts that no sealer writes, some around an authentic body."""
    return [
        "",
        ".",
        "..",
        "v1",
        "v1.1",
        "v1.1.",
        f"v0.1.{body}",
        f"v01.1.{body}",
        f"V1.1.{body}",
        f"1.1.{body}",
        f"v1.0.{body}",
        f"v1.01.{body}",
        f"v1.+1.{body}",
        f"v1.-1.{body}",
        f"v1. 1.{body}",
        f"v1.1_0.{body}",
        f"v1.\u0661.{body}",
        f"v1.1000000000.{body}",
        f"v1..{body}",
        f"v1.1.{body}.",
        f"v1.1.{body}=",
        f"v1.1.{body}==",
        f"v1.1.{body[:20]} {body[20:]}",
        f"v1.1.{body[:20]}\n{body[20:]}",
        f"v1.1.{body[:20]}%{body[20:]}",
        f"v1.1.{body[:20]}~{body[20:]}",
        f"v1.1.{body[:20]}\u00e9{body[20:]}",
        f"v1.1.{body[:20]}\ud800{body[20:]}",
        f"v1.1.{body[:-1]}\uff21",
        f"v1.1.{'A' * 37}",
        f"v1.1.{'A' * 41}",
        f'"v1.1.{body}"',
        f"sealed.v1.1.{body}",
        "v1.1." + "A" * 400_000,
        "v1.1." + "A" * MAX_SEALED_CHARS,
        "\u00e9" * 100_000,
        "." * 100_000,
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl",
        f"v1.1.{body}".encode(),
        None,
        7,
    ]


@pytest.mark.parametrize("number", range(len(frames("A" * 120))))
def test_what_no_sealer_writes_is_malformed(number):
    """Wrong frames, alphabets, spellings, sizes and types are refused before any key is used."""
    body = cookie_of(OLD).rpartition(".")[2]
    assert type(refused(OLD, frames(body)[number])) is MalformedSeal


def test_the_standard_base64_alphabet_is_refused():
    """A value whose body has - and _ is not accepted with + and / in their place."""
    texts = (cookie_of(OLD, bytes([count]) * 12) for count in range(256))
    text = next(text for text in texts if "-" in text and "_" in text)
    assert type(refused(OLD, text.replace("-", "+"))) is MalformedSeal
    assert type(refused(OLD, text.replace("_", "/"))) is MalformedSeal


def test_what_opens_but_holds_no_credential_is_refused():
    """An authentic text for this cookie with other members."""
    context = tuple(COOKIE_PLACE.values())
    for plaintext in (
        b"",
        b"\xff",
        b"{}",
        b"[]",
        b"7",
        b"null",
        b'["a","b"]',
        b'["a","b","c"]',
        b'["a","b",true]',
        b'["a","b",1.0]',
        b'["a","b",-1]',
        b'["a",1,2]',
        b'[null,"b",2]',
        b'{"a":1,"b":2,"c":3}',
        b'"abc"',
        b'["a","b",' + b"9" * 5000 + b"]",
    ):
        assert type(refused(OLD, seal(OLD, plaintext, purpose=COOKIE, bound_to=context, nonce=NONCE))) is MalformedSeal


def test_members_of_a_later_release_are_passed_over():
    """A cookie with more members opens to the same credential."""
    plaintext = f'["{SUB}","{SID}",7,"more",{{"x":1}}]'.encode()
    text = seal(OLD, plaintext, purpose=COOKIE, bound_to=tuple(COOKIE_PLACE.values()), nonce=NONCE)
    assert open_cookie(OLD, text, **COOKIE_PLACE) == CREDENTIAL


# --- values in another place


@pytest.mark.parametrize("name", COOKIE_PLACE)
def test_a_cookie_opens_in_its_own_place_only(name):
    """Another pool, app client or cookie name."""
    assert type(refused(OLD, cookie_of(OLD), **{name: COOKIE_PLACE[name] + "x"})) is InvalidSeal
    assert type(refused(OLD, cookie_of(OLD), **{name: ""})) is InvalidSeal


@pytest.mark.parametrize("name", ROW_PLACE)
def test_a_secret_opens_in_its_own_place_only(name):
    """Another pool, app client, user, session or attribute."""
    with pytest.raises(InvalidSeal):
        open_secret(OLD, stored_of(OLD), **{**ROW_PLACE, name: ROW_PLACE[name] + "x"})


def test_a_purpose_never_opens_as_another():
    """Cookie and row have different keys, even with the same context."""
    context = ("a", "b", "c")
    for sealed_for, opened_for in ((COOKIE, AT_REST), (AT_REST, COOKIE), (COOKIE, "Cookie"), (COOKIE, "")):
        text = seal(OLD, b"x", purpose=sealed_for, bound_to=context, nonce=NONCE)
        with pytest.raises(InvalidSeal):
            open_sealed(OLD, text, purpose=opened_for, bound_to=context)


@pytest.mark.parametrize(
    "other", [("ab",), ("a", "b", ""), ("", "a", "b"), ("b", "a"), ("a\x00", "b"), ("a,b",), ("a",), (), ("a", "b\x00")]
)
def test_no_two_contexts_are_the_same(other):
    """Fields cannot be split, joined, reordered, dropped or added."""
    text = seal(OLD, b"x", purpose="p", bound_to=("a", "b"), nonce=NONCE)
    with pytest.raises(InvalidSeal):
        open_sealed(OLD, text, purpose="p", bound_to=other)


def test_a_sequence_number_is_bound():
    """The same key under another number does not open: the number cannot be rewritten."""
    text = cookie_of(OLD)
    assert type(refused(ring((3, KEY_1)), text.replace("v1.1.", "v1.3."))) is InvalidSeal


def test_another_key_under_the_same_number_is_refused():
    """A stranger's keyring forges nothing."""
    assert type(refused(OLD, cookie_of(ring((1, KEY_3))))) is InvalidSeal


# --- rotation


@pytest.mark.parametrize(
    ("held", "sealed_by", "expected"),
    [
        (OLD, OLD, None),
        (OLD, BOTH, SealKeyUnavailable),
        (OLD, NEW, SealKeyUnavailable),
        (BOTH, OLD, None),
        (BOTH, BOTH, None),
        (BOTH, NEW, None),
        (NEW, OLD, RetiredKey),
        (NEW, BOTH, None),
        (NEW, NEW, None),
    ],
)
def test_three_stages_of_a_rotation(held, sealed_by, expected):
    """Before, during and after: a key not yet received is a 503, a retired one a refusal, everything else opens."""
    if expected is None:
        assert open_cookie(held, cookie_of(sealed_by), **COOKIE_PLACE) == CREDENTIAL
        assert open_secret(held, stored_of(sealed_by), **ROW_PLACE) == REFRESH_TOKEN
        return
    assert type(refused(held, cookie_of(sealed_by))) is expected
    with pytest.raises(expected):
        open_secret(held, stored_of(sealed_by), **ROW_PLACE)


def test_a_number_between_ours_is_retired():
    """Not newer than the newest and not held: refused."""
    assert type(refused(ring((9, KEY_2), (1, KEY_1)), cookie_of(ring((5, KEY_3))))) is RetiredKey


def test_a_forged_high_number_is_no_refusal_and_no_entry():
    """Anybody can write one; all they get is a 503 for themselves."""
    error = refused(OLD, cookie_of(OLD).replace("v1.1.", "v1.999999999."))
    assert (type(error), error.status, error.retry_after) == (SealKeyUnavailable, 503, 1)


def test_a_later_format_is_not_refused():
    """A worker of an older release neither rejects nor overwrites what a newer one sealed."""
    assert type(refused(OLD, cookie_of(OLD).replace("v1.", "v2."))) is SealKeyUnavailable
    with pytest.raises(SealKeyUnavailable):
        open_secret(OLD, stored_of(OLD).replace("v1.", "v2."), **ROW_PLACE)


def test_denied_and_unknown_share_no_type():
    """A refusal is a TokenError, an unknown key a SessionUnavailable, and never both; the reasons are stable."""
    assert [kind.default_reason for kind in NOT_OPENED] == [
        "malformed_cookie",
        "invalid_seal",
        "retired_key",
        "seal_key_unavailable",
    ]
    assert all(issubclass(kind, TokenError) and not issubclass(kind, SessionUnavailable) for kind in REFUSALS)
    assert not issubclass(SealKeyUnavailable, TokenError)


# --- secrets at rest


@pytest.mark.parametrize("plain", [REFRESH_TOKEN, "", "opaque", "v1.1.short", "a.b.c", "eyJ.v1.1", "Sealed", "s\u00e9"])
def test_a_plain_text_of_other_code_is_returned_as_it_is(plain):
    """With and without a keyring."""
    assert open_secret(OLD, plain, **ROW_PLACE) == plain
    assert open_secret(None, plain, **ROW_PLACE) == plain


def test_a_sealed_text_without_a_keyring_is_a_configuration_error():
    """It names the setting; the session is not touched."""
    with pytest.raises(ConfigurationError, match="SESSION_KEYS"):
        open_secret(None, stored_of(OLD), **ROW_PLACE)


def test_a_stored_secret_starts_as_no_token_does():
    """JWS and JWE start with a base64url-encoded "{": eyJ."""
    assert stored_of(OLD).startswith(STORED_PREFIX)
    assert not STORED_PREFIX.startswith("eyJ")


@pytest.mark.parametrize("rest", ["", "x", "v1.1.", "v1.1." + "A" * 41, "v1.1." + "A" * 400_000, "eyJ.eyJ.x"])
def test_a_damaged_secret_is_invalid_not_a_malformed_cookie(rest):
    """The reason speaks of the seal: no cookie is at fault."""
    with pytest.raises(InvalidSeal) as caught:
        open_secret(OLD, STORED_PREFIX + rest, **ROW_PLACE)
    assert caught.value.reason == "invalid_seal"


def test_sealed_bytes_that_are_no_text_are_refused():
    """An authentic secret that is not UTF-8."""
    text = seal(OLD, b"\xff", purpose=AT_REST, bound_to=tuple(ROW_PLACE.values()), nonce=NONCE)
    with pytest.raises(InvalidSeal):
        open_secret(OLD, STORED_PREFIX + text, **ROW_PLACE)


def test_a_text_that_could_not_be_opened_is_not_sealed():
    """The largest text opens; a larger one is an error when it is sealed, not when it is needed."""
    fits = MAX_SEALED_CHARS * 3 // 4 - 40
    text = seal(OLD, bytes(fits), purpose="x", bound_to=(), nonce=NONCE)
    assert open_sealed(OLD, text, purpose="x", bound_to=()) == bytes(fits)
    with pytest.raises(ValueError, match="at most 311296"):
        seal(OLD, bytes(MAX_SEALED_CHARS), purpose="x", bound_to=(), nonce=NONCE)


# --- one value, one spelling


@given(st.binary(max_size=60))
@settings(max_examples=100, deadline=None)
def test_base64url_is_the_unpadded_one_of_the_rfc(raw):
    """Both directions agree with the standard library (RFC 4648 5)."""
    assert to_base64url(raw) == b64url(raw)
    assert canonical_base64url(b64url(raw)) == raw


@given(st.text(st.one_of(st.sampled_from("AQgwz09-_+/=! "), st.characters()), max_size=9))
@settings(max_examples=300, deadline=None)
def test_no_other_spelling_is_decoded(text):
    """What decodes at all is exactly how its bytes are written."""
    decoded = canonical_base64url(text)
    assert decoded is None or b64url(decoded) == text


# --- the keyring's text


def test_a_keyring_keeps_its_entries_newest_first():
    """Order, numbers and keys as written."""
    assert BOTH.entries == (KeyEntry(2, KEY_2), KeyEntry(1, KEY_1))
    assert BOTH.newest == KeyEntry(2, KEY_2)
    assert BOTH.find(1) == KeyEntry(1, KEY_1)
    assert BOTH.find(3) is None


@pytest.mark.parametrize("blank", [" ", "\n", "\r\n", "\t", " \n  "])
def test_blanks_around_entries_are_tolerated(blank):
    """As a secret's text or a shell leaves them."""
    text = f"{blank}2.{b64url(KEY_2)}{blank},{blank}1.{b64url(KEY_1)}{blank}"
    assert Keyring.parse(text) == BOTH


def test_sixteen_entries_are_accepted_and_seventeen_are_not():
    """The limit of a keyring."""
    entries = [f"{sequence}.{b64url(key_bytes(sequence, 'f'))}" for sequence in range(17, 0, -1)]
    assert len(Keyring.parse(",".join(entries[1:])).entries) == 16
    with pytest.raises(ConfigurationError, match="1 to 16 entries"):
        Keyring.parse(",".join(entries))


A, B = b64url(KEY_1), b64url(KEY_2)
BAD_TEXTS = {
    "": "1 to 16 entries",
    " \n": "1 to 16 entries",
    "," * 100_000: "1 to 16 entries",
    ",": "entry 1",
    f"1.{A},": "entry 2",
    f",1.{A}": "entry 1",
    f"2.{B},,1.{A}": "entry 2",
    A: "entry 1",
    f".{A}": "entry 1",
    f"1.{A[:-1]}": "entry 1",
    f"1.{A}A": "entry 1",
    f"1.{A}=": "entry 1",
    f"1.{A[:-1]}9": "entry 1",
    f"1.{A[:-1]}+": "entry 1",
    f"1.{A[:-1]}\u00e9": "entry 1",
    f"1.{A[:20]} {A[21:]}": "entry 1",
    f"1.{A}.x": "entry 1",
    f"1:{A}": "entry 1",
    f"0.{A}": "entry 1",
    f"01.{A}": "entry 1",
    f"-1.{A}": "entry 1",
    f"+1.{A}": "entry 1",
    f"1_0.{A}": "entry 1",
    f"\u0661.{A}": "entry 1",
    f"1000000000.{A}": "entry 1",
    f"\u00a01.{A}": "entry 1",
    f"1.{A};2.{B}": "entry 1",
    f"2.{B},2.{A}": "entry 2",
    f"1.{A},2.{B}": "entry 2",
    f"2.{A},1.{A}": "entry 2",
    f"2.{B},1.{A}x": "entry 2",
    f'"2.{B}"': "entry 1",
    f"1.{KEY_1.hex()}": "entry 1",
    "1." + "A" * 100_000: "entry 1",
}


@pytest.mark.parametrize("number", range(len(BAD_TEXTS)))
def test_a_bad_keyring_names_setting_position_and_command_but_no_key(number):
    """Each way of writing SESSION_KEYS wrongly."""
    text, where = list(BAD_TEXTS.items())[number]
    with pytest.raises(ConfigurationError) as caught:
        Keyring.parse(text)
    shown = "".join(traceback.format_exception(caught.value))
    assert str(caught.value).startswith(f"SESSION_KEYS: {'expected ' if where.startswith('1') else ''}{where}")
    assert "cognito-session keys new" in shown
    assert A[:20] not in shown
    assert B[:20] not in shown
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_new_entry_goes_in_front_and_seals():
    """The first has number 1, each further one the next; put in front, the keyring parses and the old values open."""
    first = new_entry(None, KEY_1)
    assert Keyring.parse(first) == OLD
    rotated = Keyring.parse(f"{new_entry(OLD, KEY_2)},{first}")
    assert rotated == BOTH
    assert open_cookie(rotated, cookie_of(OLD), **COOKIE_PLACE) == CREDENTIAL
    for size in (0, 16, 31, 33):
        with pytest.raises(ValueError, match="32 random bytes"):
            new_entry(None, bytes(size))


# --- nothing shows


def test_keys_and_plaintexts_never_show():
    """Neither in repr, str, format or pprint of a keyring, nor in any error with its traceback and arguments."""
    key = b"CANARYKEY" + key_bytes(9)[:23]
    keyring = ring((2, key))
    shown = [repr(keyring), str(keyring), f"{keyring}", pprint.pformat(keyring), repr(keyring.newest), str(keyring.newest)]
    attempts = [
        (open_cookie, cookie_of(ring((2, KEY_1))), COOKIE_PLACE),
        (open_cookie, cookie_of(ring((3, KEY_1))), COOKIE_PLACE),
        (open_cookie, cookie_of(ring((1, KEY_1))), COOKIE_PLACE),
        (open_cookie, cookie_of(keyring)[:-2] + "\u00e9A", COOKIE_PLACE),
        (
            open_cookie,
            seal(keyring, b"[CANARY", purpose=COOKIE, bound_to=tuple(COOKIE_PLACE.values()), nonce=NONCE),
            COOKIE_PLACE,
        ),
        (open_secret, stored_of(keyring)[:-2], ROW_PLACE),
        (open_secret, stored_of(keyring), {**ROW_PLACE, "sid": "other"}),
    ]
    texts = {text for _, text, _ in attempts}
    for attempt, text, place in attempts:
        with pytest.raises(NOT_OPENED) as caught:
            attempt(keyring, text, **place)
        shown += [*traceback.format_exception(caught.value), repr(caught.value), repr(caught.value.args)]
    everything = "\n".join(shown)
    secrets = [key[9:].hex(), key.hex(), b64url(key), repr(key), "CANARY", *(text[5:60] for text in texts), SUB, SID]
    source = "open_cookie, seal("  # a traceback quotes this test's own lines; none of them is a frame of the library
    assert source not in everything
    assert not [secret for secret in secrets if secret in everything]


def test_a_keyring_cannot_be_changed():
    """Neither its entries nor an entry's key."""
    with pytest.raises(AttributeError):
        OLD.entries = ()
    with pytest.raises(AttributeError):
        OLD.newest.key = KEY_2


# --- whatever the text


@given(
    st.one_of(
        st.text(st.characters(), max_size=300),
        st.builds(
            "v{}.{}.{}".format, st.integers(0, 100), st.integers(0, 10**9), st.binary(min_size=20, max_size=90).map(b64url)
        ),
        st.builds(
            lambda at, insert: cookie_of(OLD)[:at] + insert + cookie_of(OLD)[at + len(insert) :],
            st.integers(0, 150),
            st.text(st.characters(), min_size=1, max_size=5),
        ),
    )
)
@settings(max_examples=400, deadline=None)
def test_no_text_raises_anything_else(text):
    """Arbitrary text is refused or unknown, in cookie and row alike; a row's plain text comes back."""
    if text == cookie_of(OLD):
        return
    refused(OLD, text)
    with pytest.raises(NOT_OPENED):
        open_secret(OLD, STORED_PREFIX + text, **ROW_PLACE)
    with pytest.raises(NOT_OPENED):
        open_sealed(OLD, text, purpose=AT_REST, bound_to=())


def test_threads_share_a_keyring():
    """Eight threads seal and open with the same cached cipher and never see each other's values."""

    def work(worker: int) -> int:
        place = {**ROW_PLACE, "sid": str(worker)}
        secrets = [f"{worker}-{count}" for count in range(500)]
        sealed = [seal_secret(BOTH, secret, **place, nonce=os.urandom(12)) for secret in secrets]
        return [open_secret(BOTH, stored, **place) for stored in sealed] == secrets

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))


# --- cost


def test_importing_and_opening_load_no_more_than_they_need():
    """Import loads no `cryptography`; opening a cookie loads neither X.509 nor key formats nor joserfc."""
    script = (
        "import sys\n"
        "from cognito_session.core.crypto import aead, keyring\n"
        "assert not [name for name in sys.modules if name.startswith('cryptography')]\n"
        f"ring = keyring.Keyring.parse('2.{b64url(KEY_2)}')\n"
        f"aead.open_cookie(ring, {cookie_of(BOTH)!r}, **{COOKIE_PLACE!r})\n"
        "unwanted = ('cryptography.x509', 'cryptography.hazmat.primitives.serialization', 'joserfc', 'asyncio')\n"
        "print([name for name in unwanted if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.strip() == "[]"
