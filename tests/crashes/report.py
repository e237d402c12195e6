"""CrashReport: the figures of a run, each with what is expected of it.

A figure whose expectation is None is told and not judged. `evidence` says what happened in the trials that went wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

__all__ = ["CrashReport", "Figure", "Progress"]

Progress = Callable[[str, int, int], None]
"""Called with the name of what is being tried, how much of it is done, and how much there is."""

_EVIDENCE = 200


class Figure(NamedTuple):
    """One line of the report."""

    name: str
    value: Any
    expected: Any
    says: str

    @property
    def right(self) -> bool:
        """Whether the figure is as expected."""
        return self.expected is None or self.value == self.expected


def _told(says: str) -> Any:
    return field(default=0, metadata={"says": says})


def _none(says: str) -> Any:
    return field(default=0, metadata={"says": says, "expected": 0})


@dataclass
class CrashReport:
    """What a run found; see `figures`."""

    trials: int = _told("workers killed at a point, all pools together")
    kills: Counter[str] = field(default_factory=Counter, metadata={"says": "workers killed, by pool"})
    lost: int = _none("live sessions lost to a SIGKILL, rotation off and grace 60")
    stuck: int = _none("sessions that still got a 503 after five tries, any pool")
    clear_401: int = _told("sessions lost at grace 0, each as a 401 with its reason")
    clear_401_at: Counter[str] = field(default_factory=Counter, metadata={"says": "the same by point and reason"})
    lost_without_reason: int = _none("sessions at grace 0 that ended as anything but a 401")
    undone_logouts: int = _none("sessions served, or rows with a token, after a worker died with its logout written")

    freezes: int = _told("workers frozen at a point and thawed after another one had refreshed")
    freeze_ends: Counter[str] = field(default_factory=Counter, metadata={"says": "what the thawed workers answered"})
    freeze_wrong: int = _none("thawed workers that ended neither served, nor as a 503, nor as a 401")
    freeze_refused: int = _none("thawed workers that answered 401 about a live session, rotation off and grace 60")
    freeze_lost: int = _none("sessions that were dead after the thaw, rotation off and grace 60")

    faults: int = _told("answers cut, throttles, errors and hangs, each at one call of one request")
    fault_ends: Counter[str] = field(default_factory=Counter, metadata={"says": "what those requests were answered"})
    faults_missed: int = _none("faults that met no call, so that nothing was tried")
    fault_wrong: int = _none("requests under a fault that ended neither served nor as a 503")
    fault_cookies: int = _none("503s that touched the cookie")
    fault_unhealed: int = _none("sessions not served, or not signed out, by the next request without a fault")

    races: int = _told("logouts in a race with two refreshing workers")
    race_ends: Counter[str] = field(default_factory=Counter, metadata={"says": "how the first worker of a race ended"})
    race_at: Counter[str] = field(
        default_factory=Counter, metadata={"says": "where the two workers stood when the logout was written, in led races"}
    )
    race_wrong: int = _none("refreshing workers that ended neither served, nor as a 503, nor as a 401")
    unacknowledged: int = _none("logouts that ended as anything but signed out")
    resurrections: int = _none("cookies served, or rows with a token, after the logout was acknowledged")
    tokens_left: int = _none("refresh tokens that a process had last in hand and that Cognito still takes")

    expiries: int = _told("expiries of one session under all workers")
    crowd: int = _told("workers that ask at each expiry")
    crowd_requests: int = _told("requests of those workers")
    refresh_calls: int = _told("refresh calls at those expiries")
    refresh_calls_per_expiry: float = field(default=1.0, metadata={"says": "refresh calls for each expiry", "expected": 1.0})
    refreshes_refused: int = _none("refresh calls that Cognito refused")
    crowd_refused: int = _none("workers that were answered 401")
    crowd_unserved: int = _none("workers that were answered anything else but served")

    bad_secret_sessions: int = _told("sessions served by workers with a wrong client secret")
    ended_by_bad_secret: int = _none("sessions ended by it")
    bad_secret_wrong: int = _none("answers under it that are neither served while valid, nor a 500, nor a 503 while cooling")
    bad_secret_unhealed: int = _none("sessions not served when the right secret was back")

    seconds: dict[str, float] = field(default_factory=dict, metadata={"says": "seconds that each part took"})
    evidence: list[str] = field(default_factory=list, metadata={"says": "what went wrong, in words"})

    @property
    def figures(self) -> list[Figure]:
        """Every figure with its expectation."""
        return [
            Figure(each.name, getattr(self, each.name), each.metadata.get("expected"), each.metadata["says"])
            for each in fields(self)
            if each.name != "evidence"
        ]

    @property
    def failures(self) -> list[str]:
        """The figures that differ from what is expected."""
        wrong = [each for each in self.figures if not each.right]
        return [f"{each.name} is {each.value}, not {each.expected}: {each.says}" for each in wrong]

    def wrong(self, figure: str, *words: object) -> None:
        """Count one more of a figure that should be zero, and say what happened."""
        setattr(self, figure, getattr(self, figure) + 1)
        if len(self.evidence) < _EVIDENCE:
            self.evidence.append(f"{figure}: {', '.join(map(str, words))}")
