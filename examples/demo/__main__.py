"""`python -m examples.demo`: serve the sample app, or with --script go through it and check every step."""

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
from examples.demo.script import run
from examples.demo.world import ACCESS_TOKEN_SECONDS, World, base_url

__all__ = ["main"]

_PORT: Final = 8000
_PORTS_TRIED: Final = 10


def main(arguments: Sequence[str] | None = None, out: TextIO | None = None) -> int:
    """The exit status: 0, or 1 where something could not start or was not as expected."""
    asked = _arguments(arguments)
    out = out or _tolerant(sys.stdout)
    try:
        with World.started() as world:
            if asked.script:
                # The journey tries wrong passwords and forbidden pages on purpose; its steps check what is answered.
                logging.getLogger("cognito_session").addHandler(logging.NullHandler())
                return run(world, asked.port or 0, out)
            return _serve(world, asked.port, out)
    except KeyboardInterrupt:
        return 0
    except (StackError, OSError) as error:
        print(f"The demo cannot run: {error}", file=sys.stderr, flush=True)  # noqa: T201 - a command speaks
        return 1


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make demo ARGS=...", description="A sample app on an embedded Cognito and DynamoDB.")
    parser.add_argument("--script", action="store_true", help="go through the whole journey by itself and check each step")
    parser.add_argument("--port", type=_port, help=f"port of the sample app (default: {_PORT} or the next free one)")
    return parser.parse_args(arguments)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 65_536):  # noqa: PLR2004 - ports end there
        raise argparse.ArgumentTypeError("expected a number from 0 to 65535")
    return int(text)


def _tolerant(stream: TextIO) -> TextIO:
    """A terminal without ticks gets question marks instead of an error."""
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="replace")
    return stream


def _serve(world: World, port: int | None, out: TextIO) -> int:
    with _gateway(world, port, out) as gateway:
        people = "\n".join(f"  {each.username:<8}{each.password:<20}{each.remark}" for each in world.people)
        print(
            f"""
cognito-session demo

  open  {base_url(gateway)}

{people}

An access token lives {ACCESS_TOKEN_SECONDS} seconds here: watch it being refreshed. Ctrl-C stops everything.
If Safari does not stay signed in: it may refuse Secure cookies from http://localhost; take another browser.
""",
            file=out,
            flush=True,
        )
        try:
            for signum in (signal.SIGTERM, signal.SIGINT):  # a shell makes background jobs deaf to SIGINT
                signal.signal(signum, signal.default_int_handler)
            threading.Event().wait()
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not interrupt the cleaning up
            print("\nStopped.", file=out, flush=True)
    return 0


@contextmanager
def _gateway(world: World, port: int | None, out: TextIO) -> Iterator[Gateway]:
    """On the port asked for, else on the first free one from the usual one on. Raises OSError."""
    with ExitStack() as stack:
        ports = range(_PORT, _PORT + _PORTS_TRIED) if port is None else (port,)
        yield _first_free(world, ports, stack, out)


def _first_free(world: World, ports: Iterable[int], stack: ExitStack, out: TextIO) -> Gateway:
    for each in ports:
        try:
            return stack.enter_context(world.served(each))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            print(f"Port {each} is taken.", file=out, flush=True)
    raise OSError("no free port; name one with ARGS=--port=NUMBER")


if __name__ == "__main__":
    sys.exit(main())
