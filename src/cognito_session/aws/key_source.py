"""CognitoKeySource: the user pool's key set, fetched when first needed and shared by all threads.

A failed fetch never empties the cache: known keys keep verifying however long the endpoint is down. An unknown `kid`
causes at most one fetch per cooldown, however many arrive. Only a key set that was fetched to look for a key can say that it
does not exist; until then, and where that fetch failed, the answer is "could not find out".
"""

from __future__ import annotations

import json
from math import ceil
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
_ANSWER_COOLDOWN_SECONDS: Final = 1


class CognitoKeySource:
    """A KeySource that reads the JWKS document at `url`. `wire` is called for at the first use."""

    def __init__(self, wire: Callable[[], Wire], *, url: str, clock: Clock) -> None:
        self._wire = wire
        self._url = url
        self._clock = clock
        self._snapshot: KeySet | None = None
        self._absent: set[str | None] = set()
        self._failed_at = float("-inf")
        self._failure = ""
        self._cause: BaseException | None = None
        self._lock = ProcessLock()

    def keys(self, missing_kid: str | None) -> KeySet:
        """The keys at hand, or newer ones where `missing_kid` is not among them.

        Raises KeysUnavailable, also where the key set at hand was fetched less than the cooldown ago for another reason: a
        key may have been published since. Raises ConfigurationError where there is no transport.
        """
        return self._keys(missing_kid, REFETCH_COOLDOWN_SECONDS)

    def keys_of_answer(self, missing_kid: str) -> KeySet:
        """As `keys`, for a token that Cognito itself has just sent: the cooldown is one second."""
        return self._keys(missing_kid, _ANSWER_COOLDOWN_SECONDS)

    def _keys(self, missing_kid: str | None, cooldown: int) -> KeySet:
        snapshot = self._snapshot
        if snapshot is not None and (missing_kid is None or snapshot.find(missing_kid) is not None):
            return snapshot
        with self._lock:
            return self._keys_or_fetch(missing_kid, cooldown)

    def _keys_or_fetch(self, missing_kid: str | None, cooldown: int) -> KeySet:
        snapshot, now = self._snapshot, self._clock.monotonic()
        if snapshot is not None:
            if missing_kid is None or snapshot.find(missing_kid) is not None:
                return snapshot
            if now - snapshot.fetched_at < cooldown:
                if missing_kid in self._absent:
                    return snapshot
                raise _ask_later("was fetched a moment ago", snapshot.fetched_at + cooldown - now)
        pause = _FIRST_FETCH_COOLDOWN_SECONDS if snapshot is None else cooldown
        if now - self._failed_at < pause:
            left = self._failed_at + pause - now
            raise _ask_later(f"could not be fetched a moment ago: {self._failure}", left) from self._cause
        try:
            found = self._fetch()
        except KeysUnavailable as failure:
            self._failed_at = self._clock.monotonic()
            self._failure, cause = str(failure), failure.__cause__
            self._cause = cause and cause.with_traceback(None)  # its frames would live as long as this object
            raise
        # Known not to exist: the key that was looked for, and keys that have been withdrawn.
        self._absent = ({missing_kid} | (snapshot.keys.keys() if snapshot else set())) - found.keys.keys()
        self._snapshot = found
        return found

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


def _ask_later(why: str, seconds: float) -> KeysUnavailable:
    return KeysUnavailable(f"the user pool's key set {why}", retry_after=max(1, ceil(seconds)))
