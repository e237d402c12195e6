"""A sealing key that cannot be random is refused, each kind with its own sentence; random keys pass."""

from __future__ import annotations

import os
import random
from hashlib import sha256
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cognito_session import ConfigurationError
from cognito_session.aws.keyring_source import FixedKeyring, RenewedKeyring
from cognito_session.clock import SystemClock
from cognito_session.core.crypto.encoding import canonical_base64url, to_base64url
from cognito_session.core.crypto.keyring import Keyring
from cognito_session.core.crypto.weak_key import weakness
from cognito_session.testing.clock import ManualClock
from cognito_session.testing.environment import DEFAULTS
from support.sealing_keys import key_bytes, ring

RANDOM = key_bytes(1)
UNEVEN = bytes(accumulate([3, *(122 + byte % 12 for byte in RANDOM[:31])], lambda sum_, step: (sum_ + step) % 256))
"""Counts in twelve different steps, each of which overflows at some places and at others does not."""
WEAK = {
    "zeros": (bytes(32), "nothing but zeros"),
    "one byte": (b"\xff" * 32, "repeated bytes"),
    "two bytes": (b"\x01\xfe" * 16, "repeated bytes"),
    "half a key twice": (RANDOM[:16] * 2, "repeated bytes"),
    "24 bytes and their beginning": (RANDOM[:24] + RANDOM[:8], "repeated bytes"),
    "few values in any order": (bytes(RANDOM[n] % 12 for n in range(32)), "a few values"),
    "a short key with zeros behind": (RANDOM[:20] + bytes(12), "a few values"),
    "a short key with zeros before": (bytes(12) + RANDOM[:20], "a few values"),
    "a counter": (bytes(range(32)), "bytes that count up or down"),
    "a counter in steps of 7 that overflows": (bytes(n * 7 % 256 for n in range(100, 132)), "bytes that count up or down"),
    "a counter in uneven steps that overflow": (UNEVEN, "bytes that count up or down"),
    "a counter downwards": (bytes(range(255, 223, -1)), "bytes that count up or down"),
    "a passphrase": (b"Correct horse, battery & staples", "text, such as a passphrase"),
    "a passphrase beyond ASCII": ("größer, schöner, öfter früh".encode(), "text, such as a passphrase"),
    "a short passphrase with zeros behind": (b"Tr0ub4dor&3 is my passphrase\0\0\0\0", "text, such as a passphrase"),
    "hexadecimal digits": (RANDOM.hex()[:32].encode(), "text, such as a passphrase"),
    "base64": (to_base64url(RANDOM)[:32].encode(), "text, such as a passphrase"),
    "the key of the test kit": (sha256(b"cognito_session.testing: no secret").digest(), "the public key of the test kit"),
}
TYPED = (
    "correct-horse-battery-staple-correct-horse0",
    "this_is_the_secret_key_of_our_production_a0",
    "CORRECT-HORSE-BATTERY-STAPLE-CORRECT-HORSE0",
    "Correcthorsebatterystapleandmoreofthesame00",
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEF0",
)


@pytest.mark.parametrize("kind", WEAK)
def test_a_weak_key_is_refused_with_its_sentence(kind):
    """The sentence names the setting, the entry, the weakness and the command, and holds no part of the key."""
    key, said = WEAK[kind]
    assert len(key) == 32
    with pytest.raises(ConfigurationError) as caught:
        Keyring.parse(f"7.{to_base64url(RANDOM)},3.{to_base64url(key)}")
    assert str(caught.value).startswith(f"SESSION_KEYS: entry 2: expected 32 random bytes, found {said}")
    assert "cognito-session keys new" in str(caught.value)
    assert to_base64url(key)[4:12] not in str(caught.value)


@pytest.mark.parametrize("text", TYPED)
def test_a_passphrase_typed_as_the_base64_form_is_refused(text):
    """43 letters of words decode to bytes that look random; their spelling does not."""
    assert canonical_base64url(text) is not None
    with pytest.raises(ConfigurationError, match="entry 1: expected 32 random bytes, found text"):
        Keyring.parse(f"1.{text}")


def test_every_way_in_refuses_it():
    """SESSION_KEYS, and what a callable or Secrets Manager returns."""
    text = f"1.{to_base64url(bytes(range(32)))}"
    with pytest.raises(ConfigurationError, match="count up"):
        FixedKeyring(text)
    with pytest.raises(ConfigurationError, match="count up"):
        RenewedKeyring(lambda: text, SystemClock()).keyring(newer=False)


def test_a_weak_key_that_replaces_a_good_one_is_told(caplog):
    """The keys at hand are used on, and the log says why the new ones are not; what a callable says is not repeated."""
    clock = ManualClock()
    texts = [ring(1), f"2.{to_base64url(bytes(32))}", RuntimeError("hunter2")]

    def read():
        text = texts.pop(0)
        if isinstance(text, Exception):
            raise text
        return text

    source = RenewedKeyring(read, clock)
    held = source.keyring(newer=False)
    for said in ("nothing but zeros", "RuntimeError"):
        caplog.clear()
        clock.advance(300)
        assert source.keyring(newer=False) is held
        assert said in caplog.text
        assert "hunter2" not in caplog.records[-1].getMessage()


def test_keys_are_renewed_by_the_wall_clock_too():
    """A frozen process whose monotonic clock stood still takes a retired key for good no longer than others."""
    clock, texts = ManualClock(), [ring(1), ring(2, 1)]
    source = RenewedKeyring(lambda: texts.pop(0), clock)
    source.keyring(newer=False)
    clock._now += 300
    assert source.keyring(newer=False).newest.sequence == 2


def test_random_keys_pass():
    """20,000 keys of the operating system, and 50,000 of a fixed generator."""
    fixed = random.Random(7)
    keys = [os.urandom(32) for _ in range(20_000)] + [fixed.randbytes(32) for _ in range(50_000)]
    assert [key.hex() for key in keys if weakness(key, to_base64url(key)) is not None] == []


@given(st.text(min_size=32, max_size=32, alphabet=st.characters(min_codepoint=32, max_codepoint=126)))
@settings(max_examples=300, deadline=None)
def test_no_ascii_text_passes(text):
    """Whatever 32 visible characters somebody types."""
    assert weakness(text.encode(), to_base64url(text.encode())) is not None


def test_the_kit_has_no_key_that_everyone_knows():
    """Each process makes its own: a key that the kit set elsewhere seals nothing here."""
    assert Keyring.parse(DEFAULTS["SESSION_KEYS"]).newest.key != Keyring.parse(ring(1)).newest.key
    assert DEFAULTS["SESSION_KEYS"] != "1." + to_base64url(sha256(b"cognito_session.testing: no secret").digest())
