"""Sealed texts and the keys they are sealed with: what opens is what was sealed, and everything else has its own refusal."""

# ruff: noqa: PT017 - a refusal is one of a target's results, with claims of its own

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from itertools import pairwise

from hypothesis import strategies as st

from cognito_session.core.crypto.aead import (
    STORED_PREFIX,
    SealKeyUnavailable,
    open_cookie,
    open_sealed,
    open_secret,
    seal,
    seal_cookie,
    seal_secret,
)
from cognito_session.core.crypto.credential import SealedCredential
from cognito_session.core.crypto.keyring import Keyring
from cognito_session.core.crypto.weak_key import weakness
from cognito_session.core.errors import ConfigurationError, TokenError
from fuzz.harness import fuzz
from fuzz.shapes import JSON_TEXTS, TEXTS, damaged, json_bytes, one_in
from managed.scene import ring

RING = Keyring.parse(ring(5, 3))
FOREIGN = st.sampled_from([Keyring.parse(ring(number, of="other")) for number in (7, 5, 4, 3)])
"""Others' keys: of a number to come, of numbers of ours, of one that we have not any more."""
COOKIE_OF = {"pool": "eu-central-1_TestPool1", "client_id": "client", "cookie_name": "__Host-session"}
ROW_OF = {"pool": "eu-central-1_TestPool1", "client_id": "client", "sub": "sub-1", "sid": "sid-1", "attribute": "token"}
NONCES = st.binary(min_size=12, max_size=12)
CREDENTIALS = st.builds(SealedCredential, st.text("ab-19", min_size=1), st.text("cd-28", min_size=1), st.integers(0, 10**12))
PLAINTEXTS = one_in(2, json_bytes(JSON_TEXTS).map(lambda raw: raw[:20_000]), st.binary(max_size=60))
FRAMES = st.builds(
    "v{}.{}.{}".format,
    st.sampled_from([1, 1, 1, 2, 99, 0, 100]),
    st.sampled_from([5, 5, 3, 4, 6, 10**9 - 1, 10**9, 0, "05", "\u0665"]),
    st.one_of(
        st.text("AQgwZ19-_", min_size=36, max_size=60),
        st.binary(min_size=28, max_size=60).map(lambda b: b64encode(b, b"-_").decode()),
    ),
)


NOTHING = st.just("")


@st.composite
def _sealed(draw: st.DrawFn, of, prefixes=NOTHING) -> tuple[str, object]:
    """A text with something before it, and what was sealed in it where it is whole and ours; else None."""
    kind, prefix = draw(st.integers(0, 4)), draw(prefixes)
    if kind == 0:
        return prefix + draw(one_in(4, TEXTS, FRAMES)), None
    text, content = draw(of(draw(FOREIGN) if kind == 1 else RING))
    found = prefix + (draw(damaged(st.just(text))) if kind == 2 else text)
    return found, content if found == text and kind != 1 else None


@st.composite
def _cookies(draw: st.DrawFn, keyring: Keyring):
    credential = draw(CREDENTIALS)
    return seal_cookie(keyring, credential, **COOKIE_OF, nonce=draw(NONCES)), credential


@st.composite
def _values(draw: st.DrawFn, keyring: Keyring):
    plaintext = draw(PLAINTEXTS)
    return seal(keyring, plaintext, purpose="x", bound_to=("a", "b"), nonce=draw(NONCES)), plaintext


@st.composite
def _secrets(draw: st.DrawFn, keyring: Keyring):
    secret = draw(TEXTS)
    return seal_secret(keyring, secret, **ROW_OF, nonce=draw(NONCES)), secret


@fuzz(sees={"opened", "MalformedSeal", "InvalidSeal", "RetiredKey", "SealKeyUnavailable"}, given=_sealed(_values))
def test_a_sealed_text_opens_to_what_was_sealed(given):
    """What is whole and ours opens to exactly what was sealed; nothing else opens."""
    text, plaintext = given
    try:
        found = open_sealed(RING, text, purpose="x", bound_to=("a", "b"))
    except (TokenError, SealKeyUnavailable) as error:
        assert plaintext is None
        return type(error).__name__
    assert found == plaintext
    return "opened"


@fuzz(sees={"opened", "MalformedSeal", "InvalidSeal", "RetiredKey", "SealKeyUnavailable"}, given=_sealed(_cookies))
def test_a_sealed_cookie_opens_to_its_credential(given):
    """A cookie that is whole and ours opens to its credential; nothing else opens."""
    text, credential = given
    try:
        found = open_cookie(RING, text, **COOKIE_OF)
    except (TokenError, SealKeyUnavailable) as error:
        assert credential is None
        return type(error).__name__
    assert found == credential
    return "opened"


@fuzz(sees={"a credential", "none"}, plaintext=PLAINTEXTS, credential=CREDENTIALS, extra=st.lists(st.integers(), max_size=2))
def test_what_a_newer_version_may_have_sealed(plaintext, credential, extra):
    """Any plaintext that our own key has sealed as a cookie is a credential or a refusal."""
    if len(plaintext) < 8:
        plaintext = json.dumps([*credential, *extra]).encode()
    text = seal(RING, plaintext, purpose="cookie", bound_to=tuple(COOKIE_OF.values()), nonce=bytes(12))
    try:
        found = open_cookie(RING, text, **COOKIE_OF)
    except TokenError:
        return "none"
    assert [*found] == json.loads(plaintext)[:3]
    return "a credential"


@fuzz(
    sees={"opened", "plain", "damaged", "no keys"},
    rarely={"RetiredKey", "SealKeyUnavailable"},
    given=_sealed(_secrets, one_in(2, st.sampled_from([STORED_PREFIX, "sealed", "sealed,", "eyJ"]), st.just(""))),
    keyring=one_in(5, st.none(), st.just(RING)),
)
def test_a_secret_at_rest_opens_or_is_plain(given, keyring):
    """What our key sealed comes back; what never was sealed stays as it is; nothing that looks sealed passes for plain."""
    stored, secret = given
    try:
        found = open_secret(keyring, stored, **ROW_OF)
    except ConfigurationError:
        assert keyring is None
        return "no keys"
    except (TokenError, SealKeyUnavailable) as error:
        assert secret is None
        return "damaged" if error.reason == "invalid_seal" else type(error).__name__
    if found == stored:
        assert not stored.startswith("sealed.")
        assert not re.fullmatch(r"v[1-9]\d?\.[1-9]\d{0,8}\.[\w-]{38,}", stored[7:], re.ASCII)
        return "plain"
    assert found == secret
    return "opened"


@st.composite
def _rings(draw: st.DrawFn) -> str:
    sequences = draw(st.lists(st.integers(1, 30), max_size=18))
    if draw(st.integers(1, 3)) > 1:
        sequences = sorted(set(sequences), reverse=True)
    blank = draw(st.sampled_from(["", "", " ", "\n", "\r\n\t"]))
    text = ",".join(f"{blank}{ring(number, of=draw(st.sampled_from('aaaab')))}{blank}" for number in sequences)
    return text if draw(st.integers(1, 3)) > 1 else draw(damaged(st.just(text)))


def plain_ring(text: str):
    """SESSION_KEYS as their page describes them: falling numbers and different random keys of 32 bytes; None for others."""
    entries = []
    for part in text.split(","):
        number, _, key = part.strip(" \t\r\n").partition(".")
        if not re.fullmatch("[1-9][0-9]{0,8}", number) or not re.fullmatch("[A-Za-z0-9_-]{43}", key):
            return None
        raw = b64decode(key + "=", b"-_")
        if b64encode(raw, b"-_").decode() != key + "=" or weakness(raw, key) is not None:
            return None
        entries.append((int(number), raw))
    numbers = [number for number, _ in entries]
    falls = all(first > second for first, second in pairwise(numbers))
    return entries if falls and len({key for _, key in entries}) == len(entries) <= 16 else None


@fuzz(sees={"keys", "refused"}, text=one_in(6, TEXTS, _rings()))
def test_a_ring_of_keys_is_read_as_its_page_says(text):
    """SESSION_KEYS of any text give the keys that a plain reading gives, or a ConfigurationError that shows none of them."""
    expected = plain_ring(text)
    try:
        found = Keyring.parse(text)
    except ConfigurationError as error:
        assert expected is None
        assert not [part for part in text.split(",") if len(part) > 20 and part[-20:] in str(error)]
        return "refused"
    assert [tuple(entry) for entry in found.entries] == expected
    return "keys"
