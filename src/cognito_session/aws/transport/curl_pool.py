"""libcurl's handles of this process, each with the connections it keeps.

Rules: a handle serves one call at a time, so threads never share one. After a fork the child starts with an empty pool and
leaks the inherited handles. List and set operations are atomic, so no lock is needed that a fork could catch held. Must not
know what the handles are used for.
"""

from __future__ import annotations

from typing import Any, Final

import pycurl

from cognito_session.fork import leak, renew_in_child

__all__ = ["give_back", "take", "throw_away"]

_IDLE_HANDLES: Final = 16  # more concurrent threads than this open new connections


class _Pool:
    """`every` also holds handles in use, so that a forked child can leak those of threads that it does not have."""

    def __init__(self) -> None:
        self.idle: list[Any] = []
        self.every: set[Any] = set()


_pool = _Pool()


def take() -> Any:
    """A pycurl.Curl with no options set: the most recently used one, whose connections are most likely open."""
    try:
        return _pool.idle.pop()
    except IndexError:
        curl = pycurl.Curl()
        _pool.every.add(curl)
        return curl


def give_back(curl: Any) -> None:
    """Return a handle after a completed call. Its payload and credentials are cleared, its connections kept."""
    curl.reset()
    if len(_pool.idle) < _IDLE_HANDLES:
        _pool.idle.append(curl)
    else:
        throw_away(curl)


def throw_away(curl: Any) -> None:
    """Close a handle and its connections."""
    _pool.every.discard(curl)
    curl.close()


def _renew() -> None:
    global _pool  # noqa: PLW0603 - one pool for the process is intended
    if _pool.every:
        leak(_pool)
    _pool = _Pool()


renew_in_child(_renew)
