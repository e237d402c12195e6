"""The child process of the stack: `python -m cognito_session.local.server`, started by `LocalStack`.

1. It reports on stdout, in one line of JSON, its address (`port`, `clock_path`, `folder`) or why it cannot start (`error`).
2. It ends with its parent: when stdin closes, which the parent's death causes, or when the parent process changes. It
removes its folder at the end.
3. It listens on 127.0.0.1 only.
"""

import json
import os
import shutil
import signal
import socket
import tempfile
import threading
import time
from pathlib import Path
from typing import NoReturn, TextIO

from cognito_session.testing.clock import SharedClock

__all__ = ["main"]

_PARENT_CHECK_SECONDS = 0.5


def main() -> None:
    """Serve until the parent ends."""
    parent = os.getppid()
    with os.fdopen(os.dup(1), "w") as words:
        os.dup2(2, 1)  # the parent reads only the startup report; all other output goes to stderr
        _run(parent, words)


def _run(parent: int, words: TextIO) -> NoReturn:
    folder = Path(tempfile.mkdtemp(prefix="cognito-session-local-"))
    signal.signal(signal.SIGTERM, lambda *_: _end(folder))
    threading.Thread(target=_end_with_stdin, args=(folder,), daemon=True).start()
    threading.Thread(target=_end_with_parent, args=(folder, parent), daemon=True).start()
    try:
        _serve(folder, words)
    except Exception as error:  # noqa: BLE001 - the parent must receive every error
        _say(words, {"error": f"{type(error).__name__}: {error}"})
    _end(folder)


def _serve(folder: Path, words: TextIO) -> None:
    clock = SharedClock(folder / "clock")
    from cognito_session.local.emulator import Emulator

    emulator = Emulator(clock, folder)
    import uvicorn

    from cognito_session.local.stack_app import StackApp, TransportProtocol

    # With protocol number 0, the default, asyncio leaves Nagle's algorithm on and every response takes 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(512)
    config = uvicorn.Config(
        StackApp(emulator, clock),
        http=TransportProtocol,
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=1,
    )
    port = listener.getsockname()[1]
    _say(words, {"port": port, "clock_path": str(clock.path), "folder": str(folder)})
    uvicorn.Server(config).run(sockets=[listener])


def _say(words: TextIO, said: dict[str, object]) -> None:
    words.write(json.dumps(said) + "\n")
    words.flush()


def _end_with_stdin(folder: Path) -> None:
    while os.read(0, 4096):
        pass
    _end(folder)


def _end_with_parent(folder: Path, parent: int) -> None:
    """End with the parent even if a process that it forked keeps stdin open."""
    while os.getppid() == parent:
        time.sleep(_PARENT_CHECK_SECONDS)
    _end(folder)


def _end(folder: Path) -> NoReturn:
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


if __name__ == "__main__":
    main()
