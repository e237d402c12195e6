"""CognitoKeySource: the user pool's key set, fetched when first needed and shared by all threads.

A failed fetch never empties the cache: known keys keep verifying however long the endpoint is down. An unknown `kid`
causes at most one fetch per cooldown, however many arrive; where that fetch failed the answer is "could not find out".
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from cognito_session.aws.fork import ProcessLock
from cognito_session.aws.wire import AnswerLost, NotSent, ServiceError, WireError
from cognito_session.core.errors import ConfigurationError, KeysUnavailable
from cognito_session.core.keys import REFETCH_COOLDOWN_SECONDS, KeySet

if TYPE_CHECKING:
    from collections.abc import Callable

    from cognito_session.aws.wire import Wire
    from cognito_session.core.ports import Clock

__all__ = ["CognitoKeySource"]

_TIMEOUT_SECONDS: Final = 3.0
_FIRST_FETCH_COOLDOWN_SECONDS: Final = 1
_NOT_FOUND: Final = 404
_BUSY: Final = 429
_SERVER_ERROR: Final = 500
_STRANGERS: Final = "check proxies and firewalls (AWS WAF too), and AWS_ENDPOINT_URL"


class CognitoKeySource:
    """A KeySource that reads the JWKS document at `url`. `wire` is called for at the first use."""

    def __init__(self, wire: Callable[[], Wire], *, url: str, clock: Clock) -> None:
        self._wire = wire
        self._url = url
        self._clock = clock
        self._snapshot: KeySet | None = None
        self._failed_at = float("-inf")
        self._failure = ""
        self._cause: BaseException | None = None
        self._lock = ProcessLock()

    def keys(self, missing_kid: str | None) -> KeySet:
        """The keys at hand, or newer ones where `missing_kid` is not among them.

        Raises KeysUnavailable, and ConfigurationError where no transport is to be had.
        """
        snapshot = self._snapshot
        if snapshot is not None and (missing_kid is None or snapshot.find(missing_kid) is not None):
            return snapshot
        with self._lock:
            return self._keys_or_fetch(missing_kid)

    def _keys_or_fetch(self, missing_kid: str | None) -> KeySet:
        snapshot, now = self._snapshot, self._clock.monotonic()
        if snapshot is not None and (missing_kid is None or snapshot.find(missing_kid) is not None):
            return snapshot
        if snapshot is not None and not snapshot.may_refetch(now):
            return snapshot
        cooldown = _FIRST_FETCH_COOLDOWN_SECONDS if snapshot is None else REFETCH_COOLDOWN_SECONDS
        if now - self._failed_at < cooldown:
            told = f"the user pool's key set could not be fetched a moment ago: {self._failure}"
            raise KeysUnavailable(told, retry_after=cooldown) from self._cause
        try:
            self._snapshot = self._fetch()
        except KeysUnavailable as failure:
            self._failed_at = self._clock.monotonic()
            self._failure, cause = str(failure), failure.__cause__
            self._cause = cause and cause.with_traceback(None)  # its frames would live as long as this object
            raise
        return self._snapshot

    def _fetch(self) -> KeySet:
        try:
            body = self._wire().get(self._url, timeout_seconds=_TIMEOUT_SECONDS)
            document = json.loads(body)
        except ConfigurationError:  # it is a ValueError too, and no outage
            raise
        except (ServiceError, NotSent, AnswerLost, ValueError, RecursionError) as error:
            raise KeysUnavailable(f"the user pool's key set could not be fetched: {_why(error)}") from error
        return KeySet.parse(document, fetched_at=self._clock.monotonic())


def _why(error: Exception) -> str:
    """What was answered instead of a key set, and what to look at. Nothing of the answer itself is repeated."""
    if not isinstance(error, WireError):
        return f"the answer is no JSON: {_STRANGERS}"
    if not isinstance(error, ServiceError):
        return f"{error}: check the network"
    if error.status == _NOT_FOUND:
        return f"HTTP {error.status}: there is no such user pool: check USER_POOL_ID and its region"
    if error.status >= _SERVER_ERROR or error.status == _BUSY:
        return f"HTTP {error.status}: Cognito has no answer just now"
    return f"HTTP {error.status}, which Cognito does not answer here: {_STRANGERS}"
