"""`python -m examples.demo`: serves the sample app; with --script it runs the journey and checks every step."""

import argparse
import errno
import logging
import signal
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final, TextIO

from cognito_session.local.gateway import Gateway
from cognito_session.local.stack import StackError
from examples.demo.deployment import ACCESS_TOKEN_SECONDS, Deployment, base_url
from examples.demo.script import run

__all__ = ["main"]

_PORT: Final = 8000
_PORTS_TRIED: Final = 10


def main(arguments: Sequence[str] | None = None, out: TextIO | None = None) -> int:
    """Returns the exit status: 0, or 1 if the demo cannot start or a step fails."""
    options = _arguments(arguments)
    out = out or _tolerant(sys.stdout)
    try:
        with Deployment.started() as deployment:
            if options.script:
                # The journey uses wrong passwords and forbidden pages, which would log warnings. Its steps check the responses.
                logging.getLogger("cognito_session").addHandler(logging.NullHandler())
                return run(deployment, options.port or 0, out)
            return _serve(deployment, options.port, out)
    except KeyboardInterrupt:
        return 0
    except (StackError, OSError) as error:
        print(f"The demo cannot run: {error}", file=sys.stderr, flush=True)  # noqa: T201 - a command speaks
        return 1


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make demo ARGS=...", description="A sample app on an embedded Cognito and DynamoDB.")
    parser.add_argument("--script", action="store_true", help="run the whole journey and check each step")
    parser.add_argument("--port", type=_port, help=f"port of the sample app (default: {_PORT} or the next free one)")
    return parser.parse_args(arguments)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 65_536):  # noqa: PLR2004 - ports end there
        raise argparse.ArgumentTypeError("expected a number from 0 to 65535")
    return int(text)


def _tolerant(stream: TextIO) -> TextIO:
    """Lets a terminal that cannot show a tick show a question mark instead."""
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="replace")
    return stream


def _serve(deployment: Deployment, port: int | None, out: TextIO) -> int:
    with _gateway(deployment, port, out) as gateway:
        users = "\n".join(f"  {each.username:<8}{each.password:<20}{each.remark}" for each in deployment.users)
        print(
            f"""
cognito-session demo

  open  {base_url(gateway)}

{users}

Access tokens live {ACCESS_TOKEN_SECONDS} seconds here, so you can watch a refresh. Ctrl-C stops everything.
Safari may refuse Secure cookies from http://localhost. If it does not stay signed in, use another browser.
""",
            file=out,
            flush=True,
        )
        try:
            for signum in (signal.SIGTERM, signal.SIGINT):  # a shell makes background jobs ignore SIGINT
                signal.signal(signum, signal.default_int_handler)
            threading.Event().wait()
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not interrupt the cleanup
            print("\nStopped.", file=out, flush=True)
    return 0


@contextmanager
def _gateway(deployment: Deployment, port: int | None, out: TextIO) -> Iterator[Gateway]:
    """Serves on `port`, or without one on the first free port from 8000 on. Raises OSError."""
    with ExitStack() as stack:
        ports = range(_PORT, _PORT + _PORTS_TRIED) if port is None else (port,)
        yield _first_free(deployment, ports, stack, out)


def _first_free(deployment: Deployment, ports: Iterable[int], stack: ExitStack, out: TextIO) -> Gateway:
    for each in ports:
        try:
            return stack.enter_context(deployment.served(each))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            print(f"Port {each} is taken.", file=out, flush=True)
    raise OSError("no free port; choose one with ARGS=--port=NUMBER")


if __name__ == "__main__":
    sys.exit(main())
