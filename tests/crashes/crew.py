"""Crew: the parent's side of a template process and of the workers forked from it.

Every wait is bounded. Leaving the block ends the template, which ends its workers; so does this process's death.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from crashes.answer import Answer
from crashes.make import Make

__all__ = ["Crew", "Worker"]

_SECONDS = 40.0


class Worker:
    """A worker process. It does one job at a time and stops where it was told to."""

    def __init__(self, crew: Crew, pid: int, channel: socket.socket) -> None:
        self.pid = pid
        self._crew = crew
        self._channel = channel
        self._lines = channel.makefile("r", encoding="utf-8")

    def begin(self, do: str, *cookies: str, stops: tuple[str, ...] = ()) -> None:
        """Give it a job."""
        self._say({"do": do, "cookies": cookies, "stops": stops})

    def go(self, stops: tuple[str, ...] = ()) -> None:
        """Let it go on from where it stands."""
        self._say({"stops": stops})

    def stands(self) -> str | None:
        """The point at which it now waits; None where the job is done instead and `answers` are there."""
        said = self._hear()
        self._said = said
        at: str | None = said.get("at")
        return at

    @property
    def answers(self) -> list[Answer]:
        """The job's answers, once `stands` has given None."""
        return [Answer(each[0], each[1], each[2], tuple(each[3])) for each in self._said["answers"]]

    def finish(self) -> Answer:
        """The answer of a job that stops nowhere any more."""
        at = self.stands()
        assert at is None, f"a worker stopped at {at}"
        return self.answers[0]

    def freeze(self) -> None:
        """SIGSTOP; returns when it stands still."""
        os.kill(self.pid, signal.SIGSTOP)
        self._crew.command(f"stopped {self.pid}")

    def thaw(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL; returns when it is gone. Its pid cannot be another's: nobody but this method lets it be reaped."""
        os.kill(self.pid, signal.SIGKILL)
        self._crew.command(f"reap {self.pid}")
        self._lines.close()
        self._channel.close()

    def _say(self, said: dict[str, Any]) -> None:
        self._channel.sendall(json.dumps(said).encode() + b"\n")

    def _hear(self) -> dict[str, Any]:
        line = self._lines.readline()
        assert line, f"worker {self.pid} is gone"
        said: dict[str, Any] = json.loads(line)
        return said


class Crew:
    """The template process of an app, warmed by one request with `cookie`. As a context manager it leaves nobody behind."""

    def __init__(
        self, environment: Mapping[str, str], clock_path: Path, policy: Mapping[str, Any], cookie: str, make: Make
    ) -> None:
        arguments = [str(clock_path), json.dumps(dict(policy)), cookie, make.cookie, "aio" if make.asynchronous else "sync"]
        ours, theirs = socket.socketpair()
        plain = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        paths = os.pathsep.join(path for path in sys.path if path)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "crashes.worker", str(theirs.fileno()), *arguments],
                env={**plain, **environment, "PYTHONPATH": paths},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # a Ctrl-C in the terminal is for this process alone
            )
        self.pid = self._process.pid
        self._command = ours
        ours.settimeout(_SECONDS)
        try:
            self._hear()
        except BaseException:
            self.close()
            raise

    def worker(self) -> Worker:
        """A new worker."""
        ours, theirs = socket.socketpair()
        ours.settimeout(_SECONDS)
        with theirs:
            socket.send_fds(self._command, [b"fork"], [theirs.fileno()])
            return Worker(self, int(self._hear()), ours)

    def command(self, said: str) -> None:
        """One command to the template, and its answer."""
        self._command.sendall(said.encode())
        self._hear()

    def _hear(self) -> bytes:
        heard = self._command.recv(64)
        assert heard, "the template process is gone; its reason is on stderr"
        return heard

    def close(self) -> None:
        """End the template and with it every worker."""
        self._command.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
