"""Counts the calls to AWS: reads and writes of DynamoDB, calls to Cognito, and the operations themselves.

A transaction counts as one write and a query as one read: these are calls, not billed units. The key set counts separately,
because it is fetched rarely and for all users.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from cognito_session.local.request_log import LoggedRequest

__all__ = ["CallCounts", "CallMeter", "counted"]

_READS: Final = frozenset({"GetItem", "Query", "BatchGetItem", "Scan"})
_WRITES: Final = frozenset({"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem"})
_OAUTH_OF_THE_APP: Final = frozenset({"oauth2/token", "oauth2/revoke"})
_SERVICES: Final = {"dynamodb": "DynamoDB", "cognito": "Cognito", "oauth2": "Cognito", "jwks": "Cognito"}


class CallCounts(NamedTuple):
    """`operations` are (service, operation with its error, number of calls), in the order of their first call."""

    reads: int
    writes: int
    cognito: int
    key_sets: int
    operations: tuple[tuple[str, str, int], ...]

    @classmethod
    def of(cls, calls: Iterable[LoggedRequest]) -> "CallCounts":
        """Counts the app's calls. Pages of managed login do not count: the browser requests them."""
        ours = [call for call in calls if call.service in _SERVICES and not _is_from_browser(call)]
        operations = Counter((_SERVICES[call.service], _operation(call)) for call in ours)
        return cls(
            reads=sum(call.operation in _READS for call in ours),
            writes=sum(call.operation in _WRITES for call in ours),
            cognito=sum(call.service in ("cognito", "oauth2") for call in ours),
            key_sets=sum(call.service == "jwks" for call in ours),
            operations=tuple((*key, number) for key, number in operations.items()),
        )

    def __str__(self) -> str:
        parts = [counted(self.reads, "read"), counted(self.writes, "write"), f"{counted(self.cognito, 'call')} to Cognito"]
        return ", ".join([*parts, *(["the key set"] if self.key_sets else [])])


class CallMeter:
    """Counts the calls after a mark in the stack's log. `calls` returns the calls after a number."""

    def __init__(self, calls: Callable[[int], list[LoggedRequest]]) -> None:
        self._calls = calls
        self._last = 0

    def mark(self) -> int:
        """The current end of the log."""
        self._last = max((call.number for call in self._calls(self._last)), default=self._last)
        return self._last

    def since(self, mark: int) -> CallCounts:
        """The calls after the mark."""
        return CallCounts.of(self._calls(mark))


def counted(number: int, noun: str) -> str:
    """The number with its noun: 1 read, 2 reads."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _is_from_browser(call: LoggedRequest) -> bool:
    return call.service == "oauth2" and call.operation not in _OAUTH_OF_THE_APP


def _operation(call: LoggedRequest) -> str:
    name = "key set" if call.service == "jwks" else call.operation
    error = call.error or (None if call.status else "no response")
    return f"{name} ({error})" if error else name
