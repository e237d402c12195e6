"""The browser of these tests itself: found or asked for, ended when it hangs, and in nobody's way."""

from __future__ import annotations

import asyncio
import threading

import pytest

from browser import chromium
from browser.chromium import Chromium, chromium_of, executable


@pytest.mark.parametrize("named", ["", "/nowhere/chromium"])
def test_without_a_browser_the_tests_say_how_to_get_one(monkeypatch, tmp_path, named):
    """No browser is a failure that names the command, not a skip."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CHROMIUM", named)
    with pytest.raises(RuntimeError, match="apt-get install chromium"):
        executable()
    with pytest.raises(RuntimeError, match="apt-get install chromium"):
        Chromium()


def test_a_browser_of_one_s_own(monkeypatch, tmp_path):
    """CHROMIUM names it, and wins over what is on the path."""
    own = tmp_path / "my-browser"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o700)
    monkeypatch.setenv("CHROMIUM", str(own))
    assert executable() == str(own)


def test_the_main_thread_stays_free(request):
    """While the browser runs there is no event loop here, so asynchronous tests run as ever."""
    browser = chromium_of(request.config)
    assert browser.run(lambda: browser.browser.version)
    with pytest.raises(RuntimeError, match="no running event loop"):
        asyncio.get_running_loop()
    assert asyncio.run(asyncio.sleep(0, "ran")) == "ran"


async def test_an_asynchronous_test_beside_it():
    """pytest-asyncio is not disturbed."""
    assert asyncio.get_running_loop().is_running()


def test_what_hangs_is_given_up(monkeypatch):
    """Work that does not end raises TimeoutError, and whatever is asked of that browser afterwards is refused at once."""
    monkeypatch.setattr(chromium, "sync_playwright", lambda: (_ for _ in ()).throw(RuntimeError("no driver")))
    with pytest.raises(RuntimeError, match="no driver"):
        Chromium()
    held = threading.Event()
    idle = Chromium.__new__(Chromium)
    idle._hangs, idle._work = False, chromium.queue.SimpleQueue()
    with pytest.raises(TimeoutError):
        idle.run(held.wait, seconds=0.05)
    with pytest.raises(RuntimeError, match="hung"):
        idle.run(held.wait)
