"""What an application's requests cost: every call to DynamoDB, Cognito and the key set, in order.

    handler(event, cognito.context)
    assert (cognito.calls.reads, cognito.calls.writes, cognito.calls.cognito) == (1, 0, 0)

Only what the application does is counted, never what the test kit does to sign somebody in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, overload

__all__ = ["Call", "CallLog", "Ending", "Service"]

Service = Literal["dynamodb", "cognito", "keys"]
Ending = Literal["done", "refused", "failed", "lost"]
"""refused: a condition did not hold, or Cognito said no. failed: nothing was done. lost: done, and the answer was lost."""

_READS = frozenset({"GetItem", "Query"})


class Call(NamedTuple):
    """One call. `operation` is AWS's name for it; `purpose` says what a write was for ("acquire", "commit", "seen" ...).

    The service "clock" is there in the turns of an interleaved run only, for its beginning and its pauses.
    """

    service: Service | Literal["clock"]
    operation: str
    purpose: str = ""
    ending: Ending = "done"

    @property
    def is_write(self) -> bool:
        """Whether it writes to DynamoDB."""
        return self.service == "dynamodb" and self.operation not in _READS

    def is_called(self, name: str) -> bool:
        """Whether `name` is its operation or its purpose; "read" and "write" name all such calls of DynamoDB."""
        kind = ("write" if self.is_write else "read") if self.service == "dynamodb" else ""
        return name in (self.operation, self.purpose, kind)


class CallLog(Sequence[Call]):
    """The calls so far, oldest first."""

    def __init__(self) -> None:
        self._calls: list[Call] = []

    def add(self, call: Call) -> None:
        """One more."""
        self._calls.append(call)

    def clear(self) -> None:
        """Forget all calls so far."""
        self._calls.clear()

    def replace(self, calls: Sequence[Call]) -> None:
        """These calls and no others."""
        self._calls[:] = calls

    @property
    def reads(self) -> int:
        """How often DynamoDB was read."""
        return sum(call.service == "dynamodb" and not call.is_write for call in self._calls)

    @property
    def writes(self) -> int:
        """How often DynamoDB was written to, refused and failed attempts included: they are paid for."""
        return sum(call.is_write for call in self._calls)

    @property
    def cognito(self) -> int:
        """How often Cognito was called; fetching the key set is no such call."""
        return sum(call.service == "cognito" for call in self._calls)

    @overload
    def __getitem__(self, index: int) -> Call: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Call]: ...

    def __getitem__(self, index: int | slice) -> Call | Sequence[Call]:
        return self._calls[index]

    def __len__(self) -> int:
        return len(self._calls)

    def __repr__(self) -> str:
        return f"CallLog({self._calls!r})"
