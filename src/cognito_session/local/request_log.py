"""The log of every request that the stack has seen.

A call is written down when it arrives and completed when it is answered, so that a held or hung one shows up too.
It names the operation and how it ended and never holds a token, a secret or any other part of a body.
"""

from bisect import bisect_right
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["LoggedRequest", "RequestLog"]


@dataclass(slots=True)
class LoggedRequest:
    """One request.

    service: "cognito", "dynamodb", "secretsmanager", "jwks", "oauth2" or "other". operation: "GetItem", "jwks",
    "oauth2/token", ...
    at: epoch seconds of arrival on the stack's clock. caller: the request's `x-test-caller` header, if any.
    status: None while it is open and for a connection that was closed without an answer. error: AWS's or OAuth's code.
    fault: the kinds of faults that were applied, joined by "+". worked: whether the operation itself was carried out.
    """

    number: int
    service: str
    operation: str
    at: float
    caller: str | None = None
    status: int | None = None
    error: str | None = None
    fault: str | None = None
    worked: bool = False
    finished: bool = False


class RequestLog:
    """Calls in order of arrival."""

    def __init__(self) -> None:
        self._calls: list[LoggedRequest] = []
        self._seen = 0

    def open(self, service: str, operation: str, at: float, caller: str | None) -> LoggedRequest:
        """Write down a call that has just arrived."""
        self._seen += 1
        call = LoggedRequest(self._seen, service, operation, at, caller)
        self._calls.append(call)
        return call

    def rows(self, service: str | None = None, after: int = 0) -> list[dict[str, Any]]:
        """The calls numbered higher than `after`, of one service or of all, as plain values."""
        begin = bisect_right(self._calls, after, key=lambda call: call.number)
        return [asdict(call) for call in self._calls[begin:] if service in (None, call.service)]

    def clear(self) -> None:
        """Forget the calls; numbering goes on."""
        self._calls.clear()
