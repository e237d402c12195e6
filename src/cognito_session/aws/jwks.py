"""CognitoKeySource: the user pool's key set, fetched when first needed and shared by all threads.

1. A failed fetch never empties the cache. Unknown key ids cause at most one fetch per cooldown, however many arrive.
2. Tokens from requests and tokens that Cognito has just sent have separate budgets: made-up key ids cannot delay the key of
   a token that Cognito issued.
3. Only a key set that was fetched to look for a key proves that the key does not exist. Until then, and if that fetch fails,
   the result is "could not find out".
4. A key set has a maximum age, so that a key that Cognito withdrew stops verifying. It is fetched again in the background
   before that. An outage extends the age to a fixed limit; after it the result is "could not find out".
Both clocks measure the age: the monotonic one may stop while a process is frozen, the wall clock may be set back.
"""

from __future__ import annotations

import json
from math import ceil
from typing import TYPE_CHECKING, Final, NamedTuple

from cognito_session.aws.transport.interface import AnswerLost, NotSent, ServiceError, WireError
from cognito_session.core.crypto.key_set import REFETCH_COOLDOWN_SECONDS, KeySet
from cognito_session.core.errors import ConfigurationError, KeysUnavailable
from cognito_session.core.policy import KEY_SET_MAX_AGE_SECONDS, KEY_SET_OUTAGE_SECONDS
from cognito_session.fork import ProcessLock

if TYPE_CHECKING:
    from collections.abc import Callable

    from cognito_session.aws.transport.interface import Wire
    from cognito_session.core.protocol.ports import Clock

__all__ = ["CognitoKeySource"]

_TIMEOUT_SECONDS: Final = 3.0
_FIRST_FETCH_COOLDOWN_SECONDS: Final = 1
_ANSWER_COOLDOWN_SECONDS: Final = 1
_RENEWAL_COOLDOWN_SECONDS: Final = 60
_OUTAGE_KNOWN_SECONDS: Final = 600
"""For so long after a failed renewal, requests use the held key set and do not wait for another renewal."""
_RENEWED_FROM: Final = 0.75
"""The part of the maximum age after which the key set is fetched again in the background."""
_NOT_FOUND: Final = 404
_BUSY: Final = 429
_SERVER_ERROR: Final = 500
_FOREIGN_ANSWER: Final = "check proxies and firewalls (AWS WAF too), and AWS_ENDPOINT_URL"


class _Moment(NamedTuple):
    """One instant by both clocks."""

    monotonic: float
    wall: float

    def since(self, earlier: _Moment) -> float:
        """Seconds since `earlier`, by the clock that shows more."""
        return max(self.monotonic - earlier.monotonic, self.wall - earlier.wall)


class _Held(NamedTuple):
    """A key set, when its fetch began, and the key ids that it says do not exist."""

    keys: KeySet
    at: _Moment
    absent: frozenset[str]


class _Budget:
    """Limits the fetches for one purpose: one at a time, and a pause after each. `failure` is the last fetch's, or None."""

    def __init__(self, cooldown: int) -> None:
        self.cooldown = cooldown
        self.lock = ProcessLock()
        self.tried_at = _Moment(float("-inf"), float("-inf"))
        self.failure: KeysUnavailable | None = None


class CognitoKeySource:
    """A KeySource that reads the JWKS document at `url`. `wire` is called at the first use.

    `max_age_seconds` and `outage_seconds` are those of SessionPolicy (key_set_max_age_seconds, key_set_outage_seconds).
    """

    def __init__(
        self,
        wire: Callable[[], Wire],
        *,
        url: str,
        clock: Clock,
        max_age_seconds: int = KEY_SET_MAX_AGE_SECONDS,
        outage_seconds: int = KEY_SET_OUTAGE_SECONDS,
    ) -> None:
        self._wire = wire
        self._url = url
        self._clock = clock
        self._max_age = max_age_seconds
        self._limit = max_age_seconds + outage_seconds
        self._held: _Held | None = None
        self._publishing = ProcessLock()
        self._of_requests = _Budget(REFETCH_COOLDOWN_SECONDS)
        self._of_answers = _Budget(_ANSWER_COOLDOWN_SECONDS)
        self._renewals = _Budget(_RENEWAL_COOLDOWN_SECONDS)

    def keys(self, missing_kid: str | None) -> KeySet:
        """The cached keys, or newer ones if `missing_kid` is not among them.

        Raises KeysUnavailable, also if the cached key set was fetched within the cooldown for another reason: a key may have
        been published since. Raises ConfigurationError if there is no transport.
        """
        return self._keys(missing_kid, self._of_requests)

    def keys_of_answer(self, missing_kid: str) -> KeySet:
        """As `keys`, for a token that Cognito has just sent. It has its own cooldown of one second.

        A fetch for another token does not delay this one.
        """
        return self._keys(missing_kid, self._of_answers)

    def _keys(self, missing_kid: str | None, budget: _Budget) -> KeySet:
        held = self._held
        if held is None or (missing_kid is not None and held.keys.find(missing_kid) is None):
            with budget.lock:
                return self._looked_for(missing_kid, budget)
        age = self._moment().since(held.at)
        return held.keys if age < self._max_age * _RENEWED_FROM else self._aged(held, age)

    # --- a key that is not cached

    def _looked_for(self, missing_kid: str | None, budget: _Budget) -> KeySet:
        """The key set, fetched if the budget allows it. The caller holds the budget's lock."""
        now = self._moment()
        held = self._held if self._held is not None and now.since(self._held.at) < self._limit else None
        if held is not None and (missing_kid is None or held.keys.find(missing_kid) is not None):
            return held.keys  # another thread has fetched it meanwhile
        if held is not None and budget is self._of_requests:
            left = held.keys.fetched_at + budget.cooldown - now.monotonic
            if left > 0 and missing_kid in held.absent:
                return held.keys
            if left > 0:
                raise _ask_later("was fetched a moment ago", left)
        self._pause(budget, budget.cooldown if held is not None else _FIRST_FETCH_COOLDOWN_SECONDS, now)
        return self._fetched(budget, missing_kid if budget is self._of_requests else None)

    def _pause(self, budget: _Budget, cooldown: int, now: _Moment) -> None:
        """Raise KeysUnavailable if the budget's last fetch was less than `cooldown` seconds ago."""
        left = budget.tried_at.monotonic + cooldown - now.monotonic
        if left > 0 and budget.failure is not None:
            why = f"could not be fetched a moment ago: {budget.failure}"
            raise _ask_later(why, left) from budget.failure.__cause__
        if left > 0 and budget is not self._of_requests:
            raise _ask_later("was fetched a moment ago", left)

    # --- the maximum age

    def _aged(self, held: _Held, age: float) -> KeySet:
        """The keys of a set near or beyond its maximum age."""
        if age < self._max_age or (age < self._limit and self._is_outage_known()):
            self._renew_aside()
            return held.keys
        with self._renewals.lock:
            now, present = self._moment(), self._held
            if present is not None and (present is not held or (age < self._limit and self._is_outage_known())):
                return present.keys  # another thread has tried meanwhile
            try:
                if age >= self._limit:
                    self._pause(self._renewals, _FIRST_FETCH_COOLDOWN_SECONDS, now)
                return self._fetched(self._renewals, None)
            except KeysUnavailable:
                if age >= self._limit:
                    raise
                self._tell_outage()
                return held.keys

    def _is_outage_known(self) -> bool:
        renewals = self._renewals
        return renewals.failure is not None and self._moment().since(renewals.tried_at) < _OUTAGE_KNOWN_SECONDS

    def _renew_aside(self) -> None:
        """Fetch the key set in its own thread, so that no request waits. Without threads, requests wait at the maximum age."""
        now = self._moment()
        if now.since(self._renewals.tried_at) < self._renewals.cooldown:
            return
        self._renewals.tried_at = now
        import threading  # imported here because gevent and eventlet may have replaced it

        try:
            threading.Thread(target=self._renew, name="cognito-session-keys", daemon=True).start()
        except RuntimeError:  # "can't start new thread", or the interpreter is shutting down
            return

    def _renew(self) -> None:
        """Fetch the key set in the thread. A failure is logged; a later request tries again."""
        try:
            with self._renewals.lock:
                self._fetched(self._renewals, None)
        except (KeysUnavailable, ConfigurationError):
            self._tell_outage()

    def _tell_outage(self) -> None:
        import logging

        held, failure = self._held, self._renewals.failure
        if held is None or failure is None:
            return
        left = max(0.0, self._limit - self._moment().since(held.at)) / 3600
        logging.getLogger("cognito_session").warning(
            "keys_unavailable: the user pool's key set was not renewed and is used for %.1f hours more: %s", left, failure
        )

    # --- the fetch

    def _fetched(self, budget: _Budget, missing_kid: str | None) -> KeySet:
        """A new key set. It never replaces one whose fetch began later."""
        budget.tried_at = began = self._moment()
        try:
            found = self._fetch(began.monotonic)
        except KeysUnavailable as failure:
            budget.failure, cause = KeysUnavailable(str(failure)), failure.__cause__
            budget.failure.__cause__ = cause and cause.with_traceback(None)  # its frames would live as long as this object
            raise
        budget.failure = None
        with self._publishing:
            before = self._held
            if before is not None and before.keys.fetched_at > found.fetched_at:
                return before.keys
            # Two kinds of key are known not to exist: the missing one, and keys that Cognito has withdrawn.
            gone = {missing_kid} if missing_kid is not None else set()
            gone |= before.keys.keys.keys() if before is not None else set()
            self._held = _Held(found, began, frozenset(gone - found.keys.keys()))
        return found

    def _fetch(self, began: float) -> KeySet:
        try:
            body = self._wire().get(self._url, timeout_seconds=_TIMEOUT_SECONDS)
            document = json.loads(body)
        except ConfigurationError:  # a ValueError too, but not an outage
            raise
        except (ServiceError, NotSent, AnswerLost, ValueError, RecursionError) as error:
            raise KeysUnavailable(f"the user pool's key set could not be fetched: {_why(error)}") from error
        return KeySet.parse(document, fetched_at=began)

    def _moment(self) -> _Moment:
        return _Moment(self._clock.monotonic(), self._clock.now())


def _why(error: Exception) -> str:
    """The reason why there is no key set, and what to check. Never quotes the answer."""
    if not isinstance(error, WireError):
        return f"the answer is not JSON: {_FOREIGN_ANSWER}"
    if not isinstance(error, ServiceError):
        return f"{error}: check the network"
    if error.status == _NOT_FOUND:
        return f"HTTP {error.status}: there is no such user pool: check USER_POOL_ID and its region"
    if error.status >= _SERVER_ERROR or error.status == _BUSY:
        return f"HTTP {error.status}: Cognito has no answer just now"
    return f"HTTP {error.status}, which Cognito does not answer here: {_FOREIGN_ANSWER}"


def _ask_later(why: str, seconds: float) -> KeysUnavailable:
    return KeysUnavailable(f"the user pool's key set {why}", retry_after=max(1, ceil(seconds)))
