"""The script: a journey taken step by step and printed, each step with what it cost; it stops where one differs."""

import time
from collections.abc import Callable
from typing import TextIO

from examples.demo.browser import Browser
from examples.demo.journey import Journey, UnexpectedError
from examples.demo.world import ACCESS_TOKEN_SECONDS, World, base_url

__all__ = ["run"]


def run(world: World, port: int, out: TextIO) -> int:
    """Go the whole way and print it; 0 when everything was as expected, 1 with the step that was not."""
    began = time.perf_counter()
    with world.served(port) as gateway:
        print("cognito-session: from sign-in to the end of a session\n", file=out)
        where = f"sample Lambda handler at {base_url(gateway)}"
        print(f"  {where}; rotation on, access tokens live {ACCESS_TOKEN_SECONDS} s\n", file=out)
        steps = Journey(world, Browser(base_url(gateway))).steps()
        for number, (title, step) in enumerate(steps, 1):
            if not _take(number, title, step, out):
                print(f"\nStep {number} of {len(steps)} ({title}) differs from what is expected.", file=out)
                return 1
    print(f"\nAll {len(steps)} steps as expected, in {time.perf_counter() - began:.1f} s.", file=out)
    return 0


def _take(number: int, title: str, step: Callable[[], str], out: TextIO) -> bool:
    began = time.perf_counter()
    try:
        measured, mark = step(), "✓"
    except (UnexpectedError, OSError) as error:
        measured, mark = str(error), "✗"
    spent = (time.perf_counter() - began) * 1000
    print(f"  {mark} {number:2}  {title:<24}{measured:<74}{spent:5.0f} ms", file=out, flush=True)
    return mark == "✓"
