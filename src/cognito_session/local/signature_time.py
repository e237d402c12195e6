"""AWS's clock, and the check of a signature's time against it.

The clock is the machine's real time plus an offset that a test sets. The stack's own clock, which tests advance by hours, is
not the clock that clients sign with. ministack checks the signatures. The message texts are DynamoDB's.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from cognito_session.local.http_response import HttpResponse, api_error
from cognito_session.testing.clock import SharedClock

__all__ = ["SignatureTime"]

_ALLOWED = timedelta(minutes=5)
_FORM = "%Y%m%dT%H%M%SZ"


class SignatureTime:
    """Checks X-Amz-Date."""

    def __init__(self, clock: SharedClock) -> None:
        self._clock = clock
        self.ahead_seconds: float = 0.0
        """How far AWS's clock is ahead of this machine's."""

    def refusal(self, headers: Mapping[str, str]) -> HttpResponse | None:
        """The refusal of a request that was signed too early or too late; None for an unsigned one."""
        signed = _signed_at(headers)
        if signed is None:
            return None
        sentence = _complaint(signed, datetime.fromtimestamp(self.now(), UTC))
        return api_error("com.amazon.coral.service#InvalidSignatureException", sentence) if sentence else None

    def now(self) -> float:
        """AWS's clock, which is also in the Date header of responses."""
        return self._clock.now() - self._clock.offset + self.ahead_seconds


def _signed_at(headers: Mapping[str, str]) -> datetime | None:
    if not headers.get("authorization", "").startswith("AWS4-HMAC-SHA256") or "x-amz-date" not in headers:
        return None
    try:
        return datetime.strptime(headers["x-amz-date"], _FORM).replace(tzinfo=UTC)
    except ValueError:
        return None


def _complaint(signed: datetime, now: datetime) -> str | None:
    if signed < now - _ALLOWED:
        return f"Signature expired: {signed:{_FORM}} is now earlier than {now - _ALLOWED:{_FORM}} ({now:{_FORM}} - 5 min.)"
    if signed > now + _ALLOWED:
        return (
            f"Signature not yet current: {signed:{_FORM}} is still later than {now + _ALLOWED:{_FORM}} ({now:{_FORM}} + 5 min.)"
        )
    return None
