"""Errors that a framework has answered with a 500 of its own, found again.

Some frameworks catch every exception of a handler, so that a SessionError never reaches a middleware around them. Each error
notes itself with the request that is being served. Where the answer is a 500, the traceback tells who caught the error: an
error that the application has dealt with ends in the application's frame, an unhandled one in the framework's.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from cognito_session.core.current_request import noted_errors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cognito_session.core.errors import SessionError

__all__ = ["Noted", "forget", "noting"]

_CATCHERS: Final = frozenset(
    {
        "blacksheep",
        "bottle",
        "cherrypy",
        "connexion",
        "django",
        "emmett",
        "falcon",
        "flask",
        "litestar",
        "ninja",
        "pyramid",
        "quart",
        "rest_framework",
        "sanic",
        "tornado",
    }
)
"""Packages that turn an unhandled exception into a 500."""
_CATCHING_MODULES: Final = frozenset({"starlette.middleware.errors"})
"""Of other packages only this part does: what their exception handlers answer is the application's own."""


class Noted(list["SessionError"]):
    """The errors of one request, in the order in which they were made."""

    @property
    def swallowed(self) -> SessionError | None:
        """The newest one that a framework has caught; None where there is none."""
        return next((error for error in reversed(self) if _is_caught_by_framework(error)), None)


@contextmanager
def noting() -> Iterator[Noted]:
    """Note the errors that are made below, in whatever task or thread that knows this context."""
    noted = Noted()
    token = noted_errors.set(noted)
    try:
        yield noted
    finally:
        noted_errors.reset(token)
        noted.clear()  # their tracebacks hold frames, and these hold the request


def forget(error: SessionError) -> None:
    """The error has been answered."""
    noted = noted_errors.get()
    if noted is not None:
        noted[:] = [other for other in noted if other is not error]


def _is_caught_by_framework(error: SessionError) -> bool:
    traceback = error.__traceback__
    if traceback is None:
        return False
    module = str(traceback.tb_frame.f_globals.get("__name__", ""))
    return module in _CATCHING_MODULES or module.partition(".")[0] in _CATCHERS
