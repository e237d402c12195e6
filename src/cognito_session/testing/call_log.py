"""CallLog: every call of an application to DynamoDB, Cognito and the key set, in order.

    handler(event, cognito.context)
    assert (cognito.calls.reads, cognito.calls.writes, cognito.calls.cognito) == (1, 0, 0)

It contains only the calls of the application, not the kit's own calls, for example to sign a user in.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from cognito_session.testing.log import Log

__all__ = ["Call", "CallLog", "Ending", "Service"]

Service = Literal["dynamodb", "cognito", "keys"]
Ending = Literal["done", "refused", "failed", "lost"]
"""refused: a condition failed, or Cognito refused. failed: nothing was done. lost: done, and the response was lost."""

_READS = frozenset({"GetItem", "Query"})


class Call(NamedTuple):
    """One call. `operation`: AWS's name; `purpose`: the reason for a write ("acquire", "commit", "seen" ...).

    The service "clock" occurs only in interleaved runs, for the start and the pauses of a request.
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
        """Whether `name` is its operation or purpose; "read" and "write" match all such calls to DynamoDB."""
        kind = ("write" if self.is_write else "read") if self.service == "dynamodb" else ""
        return name in (self.operation, self.purpose, kind)


class CallLog(Log[Call]):
    """The calls so far, oldest first."""

    @property
    def reads(self) -> int:
        """The number of reads from DynamoDB."""
        return sum(call.service == "dynamodb" and not call.is_write for call in self)

    @property
    def writes(self) -> int:
        """The number of writes to DynamoDB, refused and failed ones included, because AWS bills them."""
        return sum(call.is_write for call in self)

    @property
    def cognito(self) -> int:
        """The number of calls to Cognito, without fetches of the key set."""
        return sum(call.service == "cognito" for call in self)
