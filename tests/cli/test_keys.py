"""`keys new`: a key that parses, the rotation in words, and no key printed that was there before."""

from __future__ import annotations

import os

import pytest

from cognito_session.core.crypto.encoding import to_base64url
from cognito_session.core.crypto.keyring import Keyring
from support.sealing_keys import key_bytes, ring

FIRST = ring(1)
KEYS = f"{ring(2)}, {FIRST}"
SECRETS = [entry.strip().partition(".")[2] for entry in KEYS.split(",")]


def test_a_first_key_is_a_keyring(command):
    """What `keys new` prints is a value of SESSION_KEYS, another one each time."""
    texts = [command("keys", "new").stdout.strip() for _ in range(2)]
    assert [Keyring.parse(text).newest.sequence for text in texts] == [1, 1]
    assert texts[0] != texts[1]


def test_the_next_key_follows_the_present_ones(command):
    """With --keys-from-env the entry has the next number and goes before the present value; the present keys stay unsaid."""
    result = command("keys", "new", "--keys-from-env", env={"SESSION_KEYS": KEYS})
    found = Keyring.parse(f"{result.stdout.strip()},{KEYS}")
    assert [entry.sequence for entry in found.entries] == [3, 2, 1]
    assert not any(secret in result.output for secret in SECRETS)


def test_print_all_prints_the_whole_value(command):
    """--print-all prints the value to set: the new entry first, then the present ones."""
    result = command("keys", "new", "--print-all", env={"ADMIN_SESSION_KEYS": "", "SESSION_KEYS": KEYS})
    found = Keyring.parse(result.stdout)
    assert found.entries[1:] == Keyring.parse(KEYS).entries
    assert not any(secret in result.stderr for secret in SECRETS)


def test_the_rotation_names_its_window(command):
    """The stages say that workers without the newest key answer 503, and how to keep that short."""
    said = command("keys", "new", "--keys-from-env", env={"SESSION_KEYS": KEYS}).stderr
    assert [line[:2] for line in said.splitlines() if line[0].isdigit()] == ["1.", "2.", "3."]
    assert "503" in said
    assert "SESSION_SECRET_ARN" in said


def test_a_forgotten_flag_is_pointed_out(command):
    """A first key beside present ones: the command says that it starts a new keyring, and prints no present key."""
    result = command("keys", "new", env={"SESSION_KEYS": KEYS})
    assert "--keys-from-env" in result.stderr
    assert not any(secret in result.output for secret in SECRETS)


def test_a_first_key_warns_of_sessions_that_exist(command):
    """With the key alone these would be answered 503; the variable is named as the command's prefix has it."""
    result = command("--prefix", "ADMIN_", "keys", "new", env={"ADMIN_SESSION_KEYS": ""})
    assert "set ADMIN_SESSION_ACCEPT_UNSEALED_ROWS=true" in result.stderr


def test_keys_of_a_prefix(command):
    """--prefix reads the variable of that prefix."""
    result = command("--prefix", "ADMIN_", "keys", "new", "--keys-from-env", env={"ADMIN_SESSION_KEYS": FIRST})
    assert result.stdout.startswith("2.")


@pytest.mark.parametrize(
    ("keys", "said"),
    [("", "SESSION_KEYS is not set"), ("nonsense", "entry 1"), (",".join(["1." + "A" * 43] * 17), "1 to 16")],
)
def test_what_cannot_be_continued_is_an_error(command, keys, said):
    """No keys, unreadable keys: one line that says so, and nothing on stdout."""
    result = command("keys", "new", "--keys-from-env", env={"SESSION_KEYS": keys}, status=1)
    assert said in result.stderr
    assert result.stdout == ""


def test_a_full_keyring_takes_no_seventeenth(command):
    """Sixteen keys are the most; one more is refused before it is printed."""
    text = ring(*range(16, 0, -1))
    assert len(Keyring.parse(text).entries) == 16
    result = command("keys", "new", "--keys-from-env", env={"SESSION_KEYS": text}, status=1)
    assert "1 to 16" in result.stderr
    assert result.stdout == ""


def test_a_new_key_is_the_operating_system_s(command, monkeypatch):
    """`keys new` prints what os.urandom gave."""
    monkeypatch.setattr(os, "urandom", lambda size: key_bytes(5)[:size])
    assert command("keys", "new").stdout.strip() == f"1.{to_base64url(key_bytes(5))}"
