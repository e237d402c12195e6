"""Chromium in a thread of its own: Playwright's sync API keeps an event loop running in the thread that uses it, and in the
main thread that would be in the way of every asynchronous test.

Whatever touches the browser is done by `run`. A piece of work that hangs is given up after a while, and so is the browser.
"""

from __future__ import annotations

import os
import queue
import shutil
import threading
from concurrent.futures import Future
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

__all__ = ["ACTION_SECONDS", "TEST_SECONDS", "Chromium", "chromium_of", "executable"]

TEST_SECONDS = 60.0
ACTION_SECONDS = 10.0
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# The first two: as root, and with a small /dev/shm. The third: what a software renderer draws is not worth its start.
_ARGUMENTS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
_MISSING = (
    "the browser tests need Chromium: `apt-get install chromium` (Debian, Ubuntu), or name a Chrome or Chromium of your own"
    " in CHROMIUM=/path/to/it. What make test installs with pip is Playwright, which brings no browser."
)


def executable() -> str:
    """The browser that the tests use. Raises RuntimeError that says how to get one."""
    named = os.environ.get("CHROMIUM")
    if named:
        found = shutil.which(named)
        if found is None:
            raise RuntimeError(f"CHROMIUM is set to something that cannot be run; {_MISSING}")
        return found
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        raise RuntimeError(_MISSING)
    return found


class Chromium:
    """One browser, started when first used."""

    def __init__(self) -> None:
        self._executable = executable()
        self._work: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._hangs = False
        self._thread = threading.Thread(target=self._serve, name="chromium", daemon=True)
        self._thread.start()
        self.browser: Browser = self.run(lambda: self._browser)

    def run(self, work: Any, *arguments: Any, seconds: float = TEST_SECONDS, **keywords: Any) -> Any:
        """What `work` returns, done in the browser's thread; raises what it raises, TimeoutError where it hangs."""
        if self._hangs:
            raise RuntimeError("an earlier test hung in the browser")
        future: Future[Any] = Future()
        self._work.put((future, work, arguments, keywords))
        try:
            return future.result(seconds)
        except TimeoutError:
            self._hangs = not future.done()
            raise

    def stop(self) -> None:
        """End the browser."""
        self._work.put(None)
        self._thread.join(ACTION_SECONDS)

    def _serve(self) -> None:
        try:
            with sync_playwright() as playwright:
                self._browser = playwright.chromium.launch(executable_path=self._executable, headless=True, args=_ARGUMENTS)
                while (job := self._work.get()) is not None:
                    _do(*job)
                self._browser.close()
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        """Nobody waits for a browser that could not be started."""
        while True:
            job = self._work.get()
            if job is None:
                return
            job[0].set_exception(error)


def chromium_of(config: pytest.Config) -> Chromium:
    """The run's browser; started by the first who asks."""
    if _CHROMIUM not in config.stash:
        try:
            config.stash[_CHROMIUM] = chromium = Chromium()
        except RuntimeError as error:
            pytest.fail(str(error), pytrace=False)
        config.add_cleanup(chromium.stop)
    return config.stash[_CHROMIUM]


def _do(future: Future[Any], work: Any, arguments: Any, keywords: Any) -> None:
    try:
        result = work(*arguments, **keywords)
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)


_CHROMIUM: pytest.StashKey[Chromium] = pytest.StashKey()
