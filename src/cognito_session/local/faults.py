"""Fault injection: which operation fails, how, and how often.

Each fault lets the first `skip` matching requests pass, applies to the next `times`, and lets the rest pass. Latencies add up.
Of all other kinds the earliest fault applies, and the rest wait for a later request. Kinds ending in `_after` apply after the
work; all others replace the work, except `latency`, which delays it. `error` and `error_after` answer with any code, message
and status.
"""

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

__all__ = ["ERRORS", "HANG_SECONDS", "Fault", "FaultKind", "Faults"]

FaultKind = Literal[
    "latency", "throttle", "error500", "error", "error_after", "drop_before", "drop_after", "hang", "hang_after"
]
HANG_SECONDS = 60.0
ERRORS = frozenset({"error", "error_after"})


@dataclass(slots=True)
class Fault:
    """One fault. `operation` "*" means every operation; `times` None means until faults are cleared.

    ms: the length of a `latency`, or of a hang before its connection closes (0: HANG_SECONDS). caller: only requests with this
    `x-test-caller` header. code, message, status, more: the response of an `error`; `more` are further members of the body
    (CancellationReasons).
    """

    operation: str
    kind: FaultKind
    times: int | None = 1
    skip: int = 0
    ms: float = 0
    caller: str | None = None
    code: str | None = None
    message: str = ""
    status: int = 400
    more: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in get_args(FaultKind):
            raise ValueError(f"kind: expected one of {', '.join(get_args(FaultKind))}, not {self.kind!r}")

        if (self.kind in ERRORS) != (self.code is not None):
            raise ValueError("code: only the kinds `error` and `error_after` have one")

    @property
    def hang_seconds(self) -> float:
        """How long a hang keeps the connection open."""
        return min(self.ms / 1000 or HANG_SECONDS, HANG_SECONDS)

    def strikes(self, operation: str, caller: str | None) -> bool:
        """Count one request; True if the fault applies to it."""
        if self.operation not in ("*", operation) or self.caller not in (None, caller) or self.times == 0:
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


class Faults:
    """The active faults, oldest first."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Add a fault."""
        self._faults.append(fault)

    def take(self, operation: str, caller: str | None) -> list[Fault]:
        """The faults of this request: any number of latencies, and at most one other."""
        struck: list[Fault] = []
        for fault in self._faults:
            taken = any(other.kind != "latency" for other in struck)
            if (fault.kind == "latency" or not taken) and fault.strikes(operation, caller):
                struck.append(fault)
        self._faults = [fault for fault in self._faults if fault.times != 0]
        return struck

    def clear(self) -> None:
        """Remove every fault."""
        self._faults.clear()
