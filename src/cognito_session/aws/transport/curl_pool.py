"""libcurl's handles of this process, each with the connections it keeps.

Rules: a handle serves one call at a time, so threads never share one; after a fork the child starts with an empty pool
and leaks what it inherited. List and set operations are atomic, so there is no lock that a fork could catch held.
Must not know what the handles are used for.
"""

from __future__ import annotations

from typing import Any, Final

import pycurl

from cognito_session.fork import leak, renew_in_child

__all__ = ["give_back", "take", "throw_away"]

_IDLE_HANDLES: Final = 16  # more threads than this at once open connections anew


class _Pool:
    """`every` also holds the handles in use: a child must be able to leak those of threads it does not have."""

    def __init__(self) -> None:
        self.idle: list[Any] = []
        self.every: set[Any] = set()


_pool = _Pool()


def take() -> Any:
    """A pycurl.Curl with no options set; the most recently used one, whose connections are the warmest."""
    try:
        return _pool.idle.pop()
    except IndexError:
        curl = pycurl.Curl()
        _pool.every.add(curl)
        return curl


def give_back(curl: Any) -> None:
    """Return a handle whose call came to its end; payload and credentials are forgotten, connections kept."""
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
    global _pool  # noqa: PLW0603 - one pool a process is the point
    if _pool.every:
        leak(_pool)
    _pool = _Pool()


renew_in_child(_renew)
