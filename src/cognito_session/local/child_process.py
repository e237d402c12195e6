"""The stack's child process, as the parent controls it: start, startup report, stop.

The child's stdin is a pipe without a writer. It stays open while this process lives. The child ends when the pipe closes, even
if this process is killed.
"""

import json
import os
import selectors
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

__all__ = ["ChildProcess", "StackError"]


class StackError(RuntimeError):
    """The stack did not start, or a wait timed out; the message says why."""


class ChildProcess:
    """A running child: its `port`, and its `folder`, which contains the clock."""

    def __init__(self, process: subprocess.Popen[bytes], words: dict[str, Any]) -> None:
        self._process = process
        self.pid: int = process.pid
        self.port: int = int(words["port"])
        self.folder: Path = Path(words["folder"])
        self.clock_path: Path = Path(words["clock_path"])

    @classmethod
    def start(cls, timeout: float) -> Self:
        """Start a child and wait until it serves requests. Raises StackError."""
        process = _process()
        try:
            return cls(process, _startup_report(process, timeout))
        except BaseException:
            _end(process)
            raise

    def stop(self) -> None:
        """Stop the child and remove its folder. Stopping twice is harmless."""
        _end(self._process)
        shutil.rmtree(self.folder, ignore_errors=True)


def _process() -> subprocess.Popen[bytes]:
    sources = str(Path(__file__).resolve().parents[2])
    search = os.pathsep.join(filter(None, (sources, os.environ.get("PYTHONPATH"))))
    return subprocess.Popen(
        [sys.executable, "-m", "cognito_session.local.server"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": search},
        start_new_session=True,  # Ctrl-C in the terminal must not reach the child
    )


def _startup_report(process: subprocess.Popen[bytes], timeout: float) -> dict[str, Any]:
    if process.stdout is None:  # _process always passes a pipe; this is for the type checker
        raise StackError("the local stack has no output to listen to")
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        if not selector.select(timeout):
            raise StackError(f"the local stack did not start within {timeout} s")
    line = process.stdout.readline()
    if not line:
        raise StackError("the local stack ended before it was ready; see stderr for the reason")
    words: dict[str, Any] = json.loads(line)
    if "error" in words:
        raise StackError(str(words["error"]))
    return words


def _end(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()
    try:
        process.wait(timeout=3)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout=3)
