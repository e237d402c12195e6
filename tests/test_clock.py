"""The machine's clocks in a process that continues on another machine."""

from __future__ import annotations

import json

import pytest

from cognito_session import clock as clocks
from cognito_session.aws.jwks import CognitoKeySource
from cognito_session.aws.keyring_source import RenewedKeyring
from cognito_session.clock import SystemClock
from managed.scene import ring
from support.tokens import Issuer


class Machine:
    """Both clocks of a machine; `restore` continues on another one, whose uptime is `uptime` seconds."""

    def __init__(self) -> None:
        self.uptime, self.wall = 1_000_000.0, 1_700_000_000.0

    def monotonic(self) -> float:
        """Its uptime."""
        return self.uptime

    def time(self) -> float:
        """Epoch seconds."""
        return self.wall

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.uptime += seconds
        self.wall += seconds

    def restore(self, uptime: float, *, after_seconds: float) -> None:
        """Continue on another machine."""
        self.wall += after_seconds
        self.uptime = uptime


@pytest.fixture
def machine(monkeypatch):
    """The machine that this process runs on."""
    made = Machine()
    monkeypatch.setattr(clocks, "time", made)
    return made


@pytest.mark.parametrize("uptime", [5.0, 999_000.0])
def test_the_reading_goes_on_after_a_restore(machine, uptime):
    """By the time that has passed since the last reading, and from then on as the machine's own clock."""
    clock = SystemClock()
    before = clock.monotonic()
    machine.restore(uptime, after_seconds=3600)
    assert clock.monotonic() == before + 3600
    machine.advance(7)
    assert clock.monotonic() == before + 3607
    machine.restore(1.0, after_seconds=60)
    assert clock.monotonic() == before + 3667


def test_a_wall_clock_that_goes_back_as_well_stops_nothing(machine):
    """No reading is ever below an earlier one."""
    clock = SystemClock()
    before = clock.monotonic()
    machine.restore(5.0, after_seconds=-100)
    assert clock.monotonic() == before


def test_readings_of_two_threads_in_the_wrong_order_add_nothing(machine):
    """A little less than the last reading is no other machine."""
    clock = SystemClock()
    before = clock.monotonic()
    machine.uptime -= 0.5
    assert clock.monotonic() == before - 0.5


def test_a_new_signing_key_is_found_after_a_restore(machine, issuer):
    """The key set of the snapshot does not count as fetched just now: the key that it lacks is looked for."""
    newer = Issuer(kid="newer")
    published = [json.dumps(each.jwks()).encode() for each in (issuer, newer)]

    class Wire:
        def get(self, _url: str, *, timeout_seconds: float) -> bytes:
            assert timeout_seconds
            return published.pop(0)

    source = CognitoKeySource(Wire, url="https://keys.example", clock=SystemClock())
    source.keys(None)
    machine.restore(5.0, after_seconds=3600)
    assert source.keys("newer").find("newer") is not None


def test_keys_are_renewed_after_a_restore(machine):
    """A secret that was read before the snapshot is read again when it is due."""
    texts = [ring(1), ring(2, 1)]
    source = RenewedKeyring(lambda: texts.pop(0), SystemClock())
    assert len(source.keyring(newer=False).entries) == 1
    machine.restore(5.0, after_seconds=3600)
    assert len(source.keyring(newer=False).entries) == 2
