"""The browser of these tests: how it is found, how it ends when it hangs, and its thread."""

from __future__ import annotations

import asyncio
import threading

import pytest

from browser import chromium
from browser.chromium import Chromium, chromium_of, executable


@pytest.mark.parametrize("named", ["", "/nowhere/chromium"])
def test_without_a_browser_the_tests_say_how_to_get_one(monkeypatch, tmp_path, named):
    """A missing browser is a failure that names the command to install one, not a skip."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CHROMIUM", named)
    with pytest.raises(RuntimeError, match="apt-get install chromium"):
        executable()
    with pytest.raises(RuntimeError, match="apt-get install chromium"):
        Chromium()


def test_the_variable_names_a_browser(monkeypatch, tmp_path):
    """CHROMIUM names the browser, and takes precedence over the path."""
    own = tmp_path / "my-browser"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o700)
    monkeypatch.setenv("CHROMIUM", str(own))
    assert executable() == str(own)


def test_the_main_thread_stays_free(request):
    """The browser runs no event loop in the main thread, so asynchronous tests still work."""
    browser = chromium_of(request.config)
    assert browser.run(lambda: browser.browser.version)
    with pytest.raises(RuntimeError, match="no running event loop"):
        asyncio.get_running_loop()
    assert asyncio.run(asyncio.sleep(0, "ran")) == "ran"


async def test_an_asynchronous_test_beside_it():
    """An asynchronous test runs beside the browser."""
    assert asyncio.get_running_loop().is_running()


def test_hanging_work_times_out(monkeypatch):
    """Work that does not end raises TimeoutError, and later work in that browser fails at once."""
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
