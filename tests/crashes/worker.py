"""A worker that can be stopped at a point, and the template process from which workers are forked.

`python -m crashes.worker FD CLOCK POLICY COOKIE FORM DRIVER` is the template: a manager (`sync` or `aio`) for cookies of the
form (`token` or `sealed`), made from the environment as in a Lambda. It has served COOKIE once, so that everything is
imported and the key set is in memory. It is told on the socket FD, one command at a time: `fork` (with the worker's own socket
as ancillary data; answers the pid), `stopped PID` (returns when it is), `reap PID`. It waits for no worker of its own accord,
so a pid stays its worker's until the one who killed it says `reap`. When FD ends it kills every worker by its pid, and a
worker ends with its template even where it is frozen.

A worker obeys lines of JSON: {"do": "resolve" | "sign_out" | "crowd", "cookies": [...], "stops": [...]}. At a stop it says
{"at": point} and waits for {"stops": [...]} to go on with; a finished job says {"answers": [...]}. The stop "before" stands
for every point before a step.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from cognito_session import AsyncSessionManager, SessionManager, SessionPolicy
from cognito_session.core.protocol.ports import NewTokens
from cognito_session.testing.clock import SharedClock
from crashes.answer import Answer, ask

__all__ = ["main"]

Manager = SessionManager | AsyncSessionManager

_PR_SET_PDEATHSIG = 1
_LIFE_SECONDS = 600
_TOGETHER_SECONDS = 20


class Link:
    """Lines of JSON to and from whoever leads this worker; the worker ends with it."""

    def __init__(self, channel: socket.socket) -> None:
        self._lines = channel.makefile("r", encoding="utf-8")
        self._channel = channel

    def hear(self) -> dict[str, Any]:
        """The next line."""
        line = self._lines.readline()
        if not line:
            os._exit(0)
        found: dict[str, Any] = json.loads(line)
        return found

    def say(self, said: dict[str, Any]) -> None:
        """Write a line."""
        self._channel.sendall(json.dumps(said).encode() + b"\n")


class Stops:
    """Store and provider of a manager, with a stop before and after each of their steps."""

    def __init__(self, manager: Manager, link: Link) -> None:
        self._ports = manager.ports
        self._link = link
        self.wanted: frozenset[str] = frozenset()
        self.tokens: list[str] = []
        manager.ports = manager.ports._replace(store=self, provider=self, sleep=self.sleep, pause=self.pause)

    def _around(self, step: str, work: Callable[[], Any]) -> Any:
        self._stop(f"before {step}")
        answer = work()
        self._stop(f"after {step}")
        return answer

    def _stop(self, point: str) -> None:
        if point in self.wanted or ("before" in self.wanted and point.startswith("before ")):
            self._link.say({"at": point})
            self.wanted = frozenset(self._link.hear()["stops"])

    def __getattr__(self, name):
        """What has no step of its own here."""
        return getattr(self._ports.store, name) if hasattr(self._ports.store, name) else getattr(self._ports.provider, name)

    def load(self, key):
        return self._around("load", lambda: self._ports.store.load(key))

    def rows_of(self, sub):
        return self._around("search", lambda: self._ports.store.rows_of(sub))

    def write(self, change):
        return self._around(change.kind.value, lambda: self._ports.store.write(change))

    def refresh(self, request):
        return self._around("refresh", lambda: self._refresh(request))

    def _refresh(self, request):
        found = self._ports.provider.refresh(request)
        if isinstance(found, NewTokens):
            self.tokens.append(found.refresh_token or request.refresh_token)
        return found

    def revoke(self, refresh_token):
        return self._around("revoke", lambda: self._ports.provider.revoke(refresh_token))

    def sleep(self, seconds):
        """A pause; where every step is led from outside, its length is too."""
        self._stop("before sleep")
        if "before" not in self.wanted:
            time.sleep(seconds)

    async def pause(self, seconds):
        """The same on an event loop."""
        await asyncio.get_running_loop().run_in_executor(None, self.sleep, seconds)


def serve(channel: socket.socket, manager: Manager) -> None:
    """Do jobs until the channel ends."""
    link = Link(channel)
    stops = Stops(manager, link)
    while True:
        job = link.hear()
        stops.wanted = frozenset(job["stops"])
        stops.tokens = []
        work = work_of(manager, "sign_out" if job["do"] == "sign_out" else "resolve")
        answers = _together(work, job["cookies"])
        link.say({"answers": [answer._replace(tokens=tuple(stops.tokens)) for answer in answers]})


def work_of(manager: Manager, name: str) -> Callable[[str], Any]:
    """A method of the manager as a plain function; a coroutine gets an event loop of its own, as in a Lambda."""
    method = getattr(manager, name)
    return method if isinstance(manager, SessionManager) else lambda cookie: asyncio.run(method(cookie))


def _together(work: Callable[[str], Any], cookies: list[str]) -> list[Answer]:
    """One answer for each cookie; of several, each in a thread of its own, let go at once."""
    if len(cookies) == 1:
        return [ask(work, cookies[0])]
    answers: list[Answer] = [Answer("broken", "no answer in time")] * len(cookies)
    barrier = threading.Barrier(len(cookies))

    def run(number: int) -> None:
        barrier.wait(_TOGETHER_SECONDS)
        answers[number] = ask(work, cookies[number])

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(len(cookies))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_TOGETHER_SECONDS)
    return answers


def main() -> None:
    """The template: fork a worker at each command until the one who commands is gone."""
    command = socket.socket(fileno=int(sys.argv[1]))
    cls: type[Manager] = AsyncSessionManager if sys.argv[6] == "aio" else SessionManager
    clock, policy = SharedClock(sys.argv[2]), SessionPolicy(**json.loads(sys.argv[3]))
    manager = cls.from_env(cookie=sys.argv[5], cookie_name="token", clock=clock, policy=policy)
    work_of(manager, "resolve")(sys.argv[4])
    gc.freeze()
    children: set[int] = set()
    command.sendall(b"ready")
    try:
        while True:
            said, sockets, _, _ = socket.recv_fds(command, 64, 1)
            if not said:
                return
            verb, _, pid = said.decode().partition(" ")
            if verb == "fork":
                child = _fork(command, sockets[0], manager)
                children.add(child)
                command.sendall(b"%d" % child)
                continue
            os.waitpid(int(pid), os.WUNTRACED if verb == "stopped" else 0)
            if verb == "reap":
                children.discard(int(pid))
            command.sendall(b"done")
    finally:
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)


def _fork(command: socket.socket, channel: int, manager: Manager) -> int:
    parent = os.getpid()
    child = os.fork()
    if child:
        os.close(channel)
        return child
    try:
        signal.alarm(_LIFE_SECONDS)
        if sys.platform == "linux":  # also a frozen worker must end with its template
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        command.close()
        if os.getppid() == parent:
            serve(socket.socket(fileno=channel), manager)
    finally:
        os._exit(1)


if __name__ == "__main__":
    main()
