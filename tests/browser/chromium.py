"""Chromium in a thread of its own: Playwright's sync API runs an event loop in the thread that uses it, and an event loop in
the main thread would break asynchronous tests.

`run` does all work with the browser. If a job hangs, its test fails after a timeout, and so does every later job.
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
# The first two are for root and for a small /dev/shm. A software renderer would cost its start and help no test.
_ARGUMENTS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
_MISSING = (
    "the browser tests need Chromium: `apt-get install chromium` (Debian, Ubuntu), or set"
    " CHROMIUM=/path/to/chrome. make test installs Playwright with pip, which contains no browser."
)


def executable() -> str:
    """The path of the browser. Raises RuntimeError with installation instructions."""
    named = os.environ.get("CHROMIUM")
    if named:
        found = shutil.which(named)
        if found is None:
            raise RuntimeError(f"CHROMIUM is not the path of a program; {_MISSING}")
        return found
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        raise RuntimeError(_MISSING)
    return found


class Chromium:
    """One browser; it starts at the first use."""

    def __init__(self) -> None:
        self._executable = executable()
        self._work: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._hangs = False
        self._thread = threading.Thread(target=self._serve, name="chromium", daemon=True)
        self._thread.start()
        self.browser: Browser = self.run(lambda: self._browser)

    def run(self, work: Any, *arguments: Any, seconds: float = TEST_SECONDS, **keywords: Any) -> Any:
        """Runs `work` in the browser's thread. Returns its result or raises its error; raises TimeoutError if it hangs."""
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
        """Closes the browser."""
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
        """Fails every job, so that no test waits for a browser that did not start."""
        while True:
            job = self._work.get()
            if job is None:
                return
            job[0].set_exception(error)


def chromium_of(config: pytest.Config) -> Chromium:
    """The browser of the test run; it starts at the first call."""
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
