"""without_debug_logs(): keeps what botocore and urllib3 log below WARNING out of the log during our calls.

They log passwords and tokens at DEBUG. Their loggers get a filter that refuses records of our calls, in this thread, task or
greenlet. What the application calls with botocore is logged as before, and warnings pass: they hold no payload.
"""

from __future__ import annotations

import contextlib
import logging
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["without_debug_logs"]

_PACKAGES: Final = ("botocore", "boto3", "urllib3")
_ours: ContextVar[bool] = ContextVar("cognito_session_quiet", default=False)
_seen: list[int] = [0]


class _NotOurs(logging.Filter):
    """Refuses records below WARNING during our calls."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING or not _ours.get()


_FILTER: Final = _NotOurs()


@contextlib.contextmanager
def without_debug_logs() -> Iterator[None]:
    """Within this block, botocore writes no DEBUG or INFO lines."""
    _filter_loggers()
    token = _ours.set(True)
    try:
        yield
    finally:
        _ours.reset(token)


def _filter_loggers() -> None:
    """Add the filter to every logger: it does not apply to child loggers, and modules create theirs on import."""
    known = logging.Logger.manager.loggerDict
    if len(known) == _seen[0]:
        return
    _seen[0] = len(known)
    for name in list(known):
        if name.partition(".")[0] in _PACKAGES:
            logging.getLogger(name).addFilter(_FILTER)  # adding it twice changes nothing
