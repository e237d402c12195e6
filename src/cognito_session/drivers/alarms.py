"""Alarms: events that a stranger can cause at will, told with the client's address and never more often than is useful.

1. What is over the limit is dropped before anything is built or written: junk costs a dictionary look-up.
2. A hook that is told from an event loop runs in the driver's threads: it may take its time.
3. An alarm never changes what a request is answered. The hook's own errors are logged.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from cognito_session.drivers.sync import deliver, prepared

if TYPE_CHECKING:
    from cognito_session.core.protocol.steps import Report
    from cognito_session.drivers.sync import Ports

__all__ = ["raise_alarm", "raise_alarm_async"]


def raise_alarm(event: Report, ports: Ports) -> None:
    """Tell the log and the application's hook. On an event loop the hook is told by another thread, and soon."""
    told = prepared(event, ports)
    if told is None:
        return
    if ports.on_event is None or not _is_on_event_loop():
        deliver(told, ports, [])
        return
    from contextvars import copy_context

    from cognito_session.drivers.aio import threads

    threads().submit(copy_context().run, deliver, told, ports, [])


async def raise_alarm_async(event: Report, ports: Ports) -> None:
    """As `raise_alarm`; returns once the hook has been told."""
    told = prepared(event, ports)
    if told is None:
        return
    if ports.on_event is None:
        deliver(told, ports, [])
        return
    from cognito_session.core.protocol.steps import Invoke, ask
    from cognito_session.drivers import aio

    await aio.run(ask(Invoke(lambda: deliver(told, ports, []))), ports)


def _is_on_event_loop() -> bool:
    """Whether this thread runs asyncio or trio. Nothing is imported to find out."""
    loops = sys.modules.get("asyncio")
    if loops is not None and loops._get_running_loop() is not None:  # noqa: SLF001 - asyncio's own documented low-level call
        return True
    from cognito_session.drivers.aio import is_under_trio

    return "trio" in sys.modules and is_under_trio()
