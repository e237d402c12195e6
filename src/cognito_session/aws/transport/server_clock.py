"""ServerClock: how far AWS's clock differs from this machine's, learned from refused signatures.

AWS refuses a signature that is minutes off its own clock: the machine's clock is wrong, or a frozen function sent a request
that it had signed long ago. AWS did not perform such a request, so it is signed again once, by the time in the refusal. The
difference is kept for later requests.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from cognito_session.aws.transport.interface import ServiceError
from cognito_session.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from cognito_session.core.protocol.ports import Clock

__all__ = ["ServerClock", "amz_date"]

T = TypeVar("T")

_TIME_CODES: Final = frozenset({"RequestExpired", "RequestTimeTooSkewed", "RequestInTheFuture"})
_SIGNATURE_CODES: Final = frozenset({"InvalidSignatureException", "InvalidSignature", "SignatureDoesNotMatch"})
_TIME_WORDS: Final = ("signature expired", "signature not yet current")
_SURELY_OFF_SECONDS: Final = 240
"""A little under the five minutes that DynamoDB and Cognito allow. For answers that do not name the reason."""
_NEGLIGIBLE_SECONDS: Final = 60


class ServerClock:
    """One for each transport. Safe to share between threads: a method writes one number."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self.ahead_seconds: float = 0.0
        """How far AWS's clock is ahead of this machine's; 0 if it is not known to differ."""

    def signed(self, send: Callable[[float, float], T], timeout_seconds: float) -> T:
        """Call `send(ahead_seconds, timeout_seconds)`, and once more if AWS refuses the time of the signature.

        Raises the errors of `send`. A second refusal's ServiceError has `.clock_ahead_seconds`.
        """
        began = self._clock.monotonic()
        try:
            return send(self.ahead_seconds, timeout_seconds)
        except ServiceError as error:
            if not self._learned(error):
                raise
            first = error
        left = timeout_seconds - (self._clock.monotonic() - began)
        if left <= 0:
            raise first
        try:
            return send(self.ahead_seconds, left)
        except ServiceError as error:
            if self._learned(error):
                error.clock_ahead_seconds = -self._difference(error)
            raise

    def _learned(self, error: ServiceError) -> bool:
        """Whether AWS refused the signature's time. If so, keeps the difference."""
        if error.code not in _TIME_CODES and error.code not in _SIGNATURE_CODES:
            return False
        difference = self._difference(error)
        words = error.message.lower()
        refused = error.code in _TIME_CODES or any(each in words for each in _TIME_WORDS)
        if not refused and abs(difference - self.ahead_seconds) < _SURELY_OFF_SECONDS:
            return False
        known, self.ahead_seconds = self.ahead_seconds, difference if abs(difference) > _NEGLIGIBLE_SECONDS else 0.0
        if self.ahead_seconds and abs(known - difference) > _NEGLIGIBLE_SECONDS:
            _log(difference)
        return True

    def _difference(self, error: ServiceError) -> float:
        """Seconds from this machine's clock to the answer's Date (RFC 9110 6.6.1); 0 without a date."""
        from email.utils import parsedate_to_datetime

        try:
            return parsedate_to_datetime(error.date).timestamp() - self._clock.now()
        except (ValueError, TypeError, OverflowError):
            return 0.0


def _log(ahead_seconds: float) -> None:
    """Log the difference: requests succeed now, but tokens are still checked by the wrong clock."""
    import logging

    direction = "behind" if ahead_seconds > 0 else "ahead of"
    logging.getLogger("cognito_session").warning(
        "this machine's clock is %.0f seconds %s AWS's: requests are signed by AWS's clock; synchronize the machine's (NTP)",
        abs(ahead_seconds),
        direction,
    )


def amz_date(ahead_seconds: float, clock: Clock | None = None) -> str:
    """The time by AWS's clock in the form of X-Amz-Date: 20261231T235959Z."""
    import time

    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime((clock or SystemClock()).now() + ahead_seconds))
