"""Clocks that tests advance."""

import subprocess
import sys
import time

import pytest

from cognito_session.testing.clock import ManualClock, SharedClock


def test_a_manual_clock_moves_only_by_hand():
    """It stands still until it is advanced, and then both readings have advanced alike."""
    clock = ManualClock(now=100, monotonic=5)
    assert (clock.now(), clock.now(), clock.monotonic()) == (100, 100, 5)
    clock.advance(2.5)
    assert (clock.now(), clock.monotonic()) == (102.5, 7.5)


def test_a_shared_clock_runs_with_real_time(tmp_path):
    """With a new file it has real time."""
    with SharedClock(tmp_path / "clock") as clock:
        assert clock.now() == pytest.approx(time.time(), abs=1)
        assert clock.monotonic() == pytest.approx(time.monotonic(), abs=1)


def test_two_processes_share_one_clock(tmp_path):
    """When one process advances the clock, the other one sees it, in both directions."""
    path = tmp_path / "clock"
    script = (
        "import sys; from cognito_session.testing.clock import SharedClock; c = SharedClock(sys.argv[1]);"
        "print(c.offset); c.advance(40)"
    )
    with SharedClock(path) as clock:
        clock.advance(1000)
        said = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True)
        assert float(said.stdout) == 1000
        assert clock.offset == 1040
        assert clock.now() == pytest.approx(time.time() + 1040, abs=1)


def test_a_process_may_replace_time_by_the_clock(tmp_path, monkeypatch):
    """A shared clock holds the real functions, so that replacing time.time by it does not recurse."""
    with SharedClock(tmp_path / "clock") as clock:
        real = time.time()
        monkeypatch.setattr(time, "time", clock.now)
        clock.advance(500)
        assert time.time() == pytest.approx(real + 500, abs=1)


@pytest.mark.parametrize("seconds", [-1, float("nan")])
def test_time_never_runs_backwards(tmp_path, seconds):
    """Both clocks refuse to go back."""
    with SharedClock(tmp_path / "clock") as clock:
        for each in (clock, ManualClock()):
            with pytest.raises(ValueError):
                each.advance(seconds)


def test_a_closed_clock_says_so(tmp_path):
    """Reading after close is an error with a hint; closing twice is not."""
    clock = SharedClock(tmp_path / "clock")
    clock.close()
    clock.close()
    with pytest.raises(ValueError, match="closed"):
        clock.now()
