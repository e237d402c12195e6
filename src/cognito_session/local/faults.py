"""Faults that a test asks for: what goes wrong, for which operation, and how often.

Each matching request passes by every fault: the first `skip` requests unharmed, the next `times` harmed, the rest
unharmed again. `latency` adds up with others; of all the other kinds the one asked for first wins and the rest stay
for a later request. Kinds ending in `_after` strike when the work is done, all others leave the work undone
(except `latency`, which only delays it). `error` and `error_after` answer with any code, sentence and status.
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
    """One order for trouble. `operation` "*" means every one; `times` None means until faults are cleared.

    ms: how long a `latency` lasts, or a hang before its connection is closed (0: HANG_SECONDS).
    caller: only requests with this `x-test-caller` header.
    code, message, status, more: what an `error` answers; `more` are further members of the body (CancellationReasons).
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
            raise ValueError(f"a fault is one of {', '.join(get_args(FaultKind))}, not {self.kind!r}")

        if (self.kind in ERRORS) != (self.code is not None):
            raise ValueError("a code belongs to the faults `error` and `error_after`, and to no other")

    @property
    def hang_seconds(self) -> float:
        """How long a hang holds the connection."""
        return min(self.ms / 1000 or HANG_SECONDS, HANG_SECONDS)

    def strikes(self, operation: str, caller: str | None) -> bool:
        """Count one request; True when it is to be harmed."""
        if self.operation not in ("*", operation) or self.caller not in (None, caller) or self.times == 0:
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


class Faults:
    """The faults in force, in the order in which they were asked for."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Put a fault in force."""
        self._faults.append(fault)

    def take(self, operation: str, caller: str | None) -> list[Fault]:
        """What happens to this request: any number of latencies, and at most one other fault."""
        struck: list[Fault] = []
        for fault in self._faults:
            taken = any(other.kind != "latency" for other in struck)
            if (fault.kind == "latency" or not taken) and fault.strikes(operation, caller):
                struck.append(fault)
        self._faults = [fault for fault in self._faults if fault.times != 0]
        return struck

    def clear(self) -> None:
        """Lift every fault."""
        self._faults.clear()
