"""Runs the journey step by step and prints each step with its result. It stops at the first step that fails."""

import time
from collections.abc import Callable
from typing import TextIO

import httpx

from examples.demo.browser import Browser
from examples.demo.deployment import ACCESS_TOKEN_SECONDS, Deployment, base_url
from examples.demo.journey import Journey, UnexpectedError

__all__ = ["run"]


def run(deployment: Deployment, port: int, out: TextIO) -> int:
    """Runs all steps. Returns 0 if every step passed, else 1."""
    started = time.perf_counter()
    with deployment.served(port) as gateway:
        print("cognito-session: from sign-in to the end of a session\n", file=out)
        where = f"sample Lambda handler at {base_url(gateway)}"
        print(f"  {where}; rotation on, access tokens live {ACCESS_TOKEN_SECONDS} s\n", file=out)
        steps = Journey(deployment, Browser(base_url(gateway))).steps()
        for number, (title, step) in enumerate(steps, 1):
            if not _passes(number, title, step, out):
                print(f"\nStep {number} of {len(steps)} ({title}) failed.", file=out)
                return 1
    print(f"\nAll {len(steps)} steps passed in {time.perf_counter() - started:.1f} s.", file=out)
    return 0


def _passes(number: int, title: str, step: Callable[[], str], out: TextIO) -> bool:
    started = time.perf_counter()
    try:
        result, mark = step(), "✓"
    except (UnexpectedError, httpx.HTTPError) as error:
        result, mark = str(error), "✗"
    spent = (time.perf_counter() - started) * 1000
    print(f"  {mark} {number:2}  {title:<24}{result:<74}{spent:5.0f} ms", file=out, flush=True)
    return mark == "✓"
