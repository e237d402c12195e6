"""Whether this process's sockets were made cooperative, by gevent's or eventlet's monkey-patching.

libcurl waits in C, where no such patch reaches: one call would stop every greenlet of the worker. It is not imported to
find out, only looked at. https://www.gevent.org/api/gevent.monkey.html
"""

from __future__ import annotations

import sys

__all__ = ["patched_by"]


def patched_by() -> str | None:
    """The name of gevent or eventlet where it has patched `socket`, else None."""
    gevent = sys.modules.get("gevent.monkey")
    if gevent is not None and gevent.is_module_patched("socket"):
        return "gevent"
    eventlet = sys.modules.get("eventlet.patcher")
    if eventlet is not None and eventlet.is_monkey_patched("socket"):
        return "eventlet"
    return None
