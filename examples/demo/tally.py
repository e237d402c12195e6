"""Tally: what something cost at AWS, as reads, writes and calls to Cognito; the operations themselves beside it.

A transaction counts as one write, a query as one read, as DynamoDB is asked and not as it bills. The key set is counted by
itself: it is fetched once in a long time, whoever asks.
"""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from cognito_session.local.request_log import LoggedRequest

__all__ = ["Meter", "Tally", "counted"]

_READS: Final = frozenset({"GetItem", "Query", "BatchGetItem", "Scan"})
_WRITES: Final = frozenset({"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem"})
_OF_THE_APP: Final = frozenset({"oauth2/token", "oauth2/revoke"})
_NAMES: Final = {"dynamodb": "DynamoDB", "cognito": "Cognito", "oauth2": "Cognito", "jwks": "Cognito"}


class Tally(NamedTuple):
    """`operations` are (service, operation with what went wrong, how often), in order of their first call."""

    reads: int
    writes: int
    cognito: int
    key_sets: int
    operations: tuple[tuple[str, str, int], ...]

    @classmethod
    def of(cls, calls: Iterable[LoggedRequest]) -> "Tally":
        """Of what the stack saw; pages of managed login, which the browser asks for itself, are left out."""
        ours = [call for call in calls if call.service in _NAMES and not _is_the_browsers(call)]
        return cls(
            reads=sum(call.operation in _READS for call in ours),
            writes=sum(call.operation in _WRITES for call in ours),
            cognito=sum(call.service in ("cognito", "oauth2") for call in ours),
            key_sets=sum(call.service == "jwks" for call in ours),
            operations=_operations(ours),
        )

    def __str__(self) -> str:
        told = [counted(self.reads, "read"), counted(self.writes, "write"), f"{counted(self.cognito, 'call')} to Cognito"]
        return ", ".join([*told, *(["the key set"] if self.key_sets else [])])


class Meter:
    """What the stack saw between two looks at its log; `calls` gives the calls after a number."""

    def __init__(self, calls: Callable[[int], list[LoggedRequest]]) -> None:
        self._calls = calls
        self._last = 0

    def mark(self) -> int:
        """Where the log ends now."""
        self._last = max((call.number for call in self._calls(self._last)), default=self._last)
        return self._last

    def since(self, mark: int) -> Tally:
        """All that came after."""
        return Tally.of(self._calls(mark))


def counted(number: int, noun: str) -> str:
    """The number with its noun: 1 read, 2 reads."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _is_the_browsers(call: LoggedRequest) -> bool:
    return call.service == "oauth2" and call.operation not in _OF_THE_APP


def _operations(calls: Iterable[LoggedRequest]) -> tuple[tuple[str, str, int], ...]:
    found: dict[tuple[str, str], int] = {}
    for call in calls:
        key = (_NAMES[call.service], _named(call))
        found[key] = found.get(key, 0) + 1
    return tuple((*key, number) for key, number in found.items())


def _named(call: LoggedRequest) -> str:
    name = "key set" if call.service == "jwks" else call.operation
    trouble = call.error or (None if call.status else "no answer")
    return f"{name} ({trouble})" if trouble else name
