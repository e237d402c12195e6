"""The asynchronous driver: the synchronous one in a small thread pool, its pauses on the event loop.

The pool belongs to the module, not to a loop: a loop-bound one dies with each `asyncio.run` of a Lambda. A cancelled
request leaves its running segment alone, so a rotated token is committed although no client waits for the answer.
Under trio anyio's threads take their place. Segments see the caller's context variables, as with `asyncio.to_thread`: an
event hook may want to know whose request it is.
"""

from __future__ import annotations

import asyncio
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, Final, TypeVar

from cognito_session.core.errors import ConfigurationError
from cognito_session.drivers.sync import Done, Ports, segment

if TYPE_CHECKING:
    from cognito_session.core.protocol.steps import Flow

__all__ = ["is_under_trio", "run", "threads"]

T = TypeVar("T")

_THREADS: Final = 16
_pool: list[ThreadPoolExecutor] = []


async def run(flow: Flow[T], ports: Ports) -> T:
    """The flow's result. Raises what the flow raises."""
    if is_under_trio():
        return await _run_under_trio(flow, ports)
    loop = asyncio.get_running_loop()
    faults: list[Exception] = []
    while True:
        paused = await loop.run_in_executor(threads(), copy_context().run, segment, flow, ports, faults)
        if isinstance(paused, Done):
            return paused.value
        await (ports.pause or asyncio.sleep)(paused.seconds)


def is_under_trio() -> bool:
    """Whether a trio task calls. Nothing is imported to find out: its caller has imported trio.

    Asked before asyncio is, since a loop of asyncio may be running around trio (its guest mode).
    """
    trio = sys.modules.get("trio")
    if trio is None:
        return False
    try:
        trio.lowlevel.current_task()
    except RuntimeError:
        return False
    return True


async def _run_under_trio(flow: Flow[T], ports: Ports) -> T:
    """The same through anyio's threads; a cancelled request leaves its running segment alone there too."""
    try:
        import anyio
        import anyio.to_thread
    except ImportError as error:
        raise ConfigurationError("under trio the asynchronous manager needs anyio: pip install anyio") from error
    faults: list[Exception] = []
    while True:
        paused = await anyio.to_thread.run_sync(segment, flow, ports, faults, abandon_on_cancel=True)
        if isinstance(paused, Done):
            return paused.value
        await (ports.pause or anyio.sleep)(paused.seconds)


def threads() -> ThreadPoolExecutor:
    """The driver's threads, started when first needed."""
    if not _pool:
        _pool.append(ThreadPoolExecutor(_THREADS, thread_name_prefix="cognito-session"))
    return _pool[0]


def _forget_threads() -> None:
    """Threads do not survive a fork; the inherited executor is dropped without joining what is not there."""
    _pool.clear()


os.register_at_fork(after_in_child=_forget_threads)
