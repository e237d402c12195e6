"""Sources of the keyring: a text (SESSION_KEYS), or a callable, for example one that reads Secrets Manager.

A callable is asked again when a sealed value names a newer key, at most once in ten seconds, and every five minutes, so that
keys rotate without a restart. A failed renewal keeps the cached keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cognito_session.core.crypto.keyring import Keyring
from cognito_session.core.errors import SessionError
from cognito_session.fork import ProcessLock

if TYPE_CHECKING:
    from collections.abc import Callable

    from cognito_session.core.protocol.ports import Clock

__all__ = ["FixedKeyring", "RenewedKeyring"]

_RENEW_SECONDS: Final = 300
_NEWER_COOLDOWN_SECONDS: Final = 10


class FixedKeyring:
    """A keyring that never changes while the process lives."""

    def __init__(self, text: str) -> None:
        self._keyring = Keyring.parse(text)

    def keyring(self, *, newer: bool) -> Keyring:  # noqa: ARG002 - there is no newer one
        """The keyring."""
        return self._keyring


class RenewedKeyring:
    """A keyring that `read` returns as a text in the form of SESSION_KEYS."""

    def __init__(self, read: Callable[[], str], clock: Clock) -> None:
        self._read = read
        self._clock = clock
        self._held: Keyring | None = None
        self._asked_at = self._asked_wall = float("-inf")
        self._lock = ProcessLock()

    def keyring(self, *, newer: bool) -> Keyring:
        """The cached keyring. Reads it again if it is old, or if `newer` is set and the cooldown is over."""
        held = self._held
        if held is not None and not self._due(newer=newer):
            return held
        with self._lock:
            if self._held is not None and not self._due(newer=newer):
                return self._held  # another thread has asked in the meantime
            return self._renewed()

    def _due(self, *, newer: bool) -> bool:
        """Whether to ask again, by the clock that shows more: the monotonic one may stop while a process is frozen."""
        passed = max(self._clock.monotonic() - self._asked_at, self._clock.now() - self._asked_wall)
        return passed >= (_NEWER_COOLDOWN_SECONDS if newer else _RENEW_SECONDS)

    def _renewed(self) -> Keyring:
        try:
            self._held = Keyring.parse(self._read())
        except Exception as error:
            if self._held is None:  # with cached keys, requests go on: they are better than none
                raise
            _log(error)
        self._asked_at, self._asked_wall = self._clock.monotonic(), self._clock.now()
        return self._held


def _log(error: Exception) -> None:
    """Log a failed renewal. The text of an error that the application's callable raises may hold a secret, so only its type."""
    import logging

    said = str(error) if isinstance(error, SessionError) else type(error).__name__
    logging.getLogger("cognito_session").warning(
        "keyring_unavailable: the sealing keys were not renewed, the cached ones are used: %s", said
    )
