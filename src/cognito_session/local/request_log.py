"""The log of every request that reached the stack.

A request is logged when it arrives and completed when it is answered, so that held and hanging requests are in the log. An
entry names the operation and its result. It never contains a token, a secret or any other part of a body.
"""

from bisect import bisect_right
from dataclasses import asdict, dataclass
from typing import Any

from cognito_session.testing.log import Log

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


class RequestLog(Log[LoggedRequest]):
    """The requests, in order of arrival. `clear` does not restart the numbering."""

    def __init__(self) -> None:
        super().__init__()
        self._seen = 0

    def open(self, service: str, operation: str, at: float, caller: str | None) -> LoggedRequest:
        """Log a request that has just arrived."""
        self._seen += 1
        request = LoggedRequest(self._seen, service, operation, at, caller)
        self.add(request)
        return request

    def rows(self, service: str | None = None, after: int = 0) -> list[dict[str, Any]]:
        """The requests with a number above `after`, of one service or of all, as plain values."""
        begin = bisect_right(self, after, key=lambda request: request.number)
        return [asdict(request) for request in self[begin:] if service in (None, request.service)]
