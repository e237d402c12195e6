"""quiet(): what botocore and urllib3 write to the log at DEBUG, passwords and tokens among it, left out for our calls.

The loggers get a filter that looks whether the record comes from one of our calls, in this thread, task or greenlet. What the
application itself calls with botocore is logged as before. Warnings pass: they hold no payload.
"""

from __future__ import annotations

import contextlib
import logging
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["quiet"]

_PACKAGES: Final = ("botocore", "boto3", "urllib3")
_ours: ContextVar[bool] = ContextVar("cognito_session_quiet", default=False)
_seen: list[int] = [0]


class _NotOurs(logging.Filter):
    """Refuses records below WARNING during our calls."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING or not _ours.get()


_FILTER: Final = _NotOurs()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No DEBUG or INFO lines of botocore within this block."""
    _filter_loggers()
    token = _ours.set(True)
    try:
        yield
    finally:
        _ours.reset(token)


def _filter_loggers() -> None:
    """A filter counts for its own logger alone, not for those below it, and modules make theirs when they are imported."""
    known = logging.Logger.manager.loggerDict
    if len(known) == _seen[0]:
        return
    _seen[0] = len(known)
    for name in list(known):
        if name.partition(".")[0] in _PACKAGES:
            logging.getLogger(name).addFilter(_FILTER)  # once: adding it again changes nothing
