"""FlowContext: the settings, the clock and the randomness of one manager, which its flows use without a step.

The caller passes the clock and the randomness in; the core never imports them.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from math import ceil
from typing import TYPE_CHECKING, Final, NamedTuple

from cognito_session.core.policy import REFRESH_WINDOW_SECONDS
from cognito_session.core.protocol.record import SEALED_COOKIE, TOKEN_COOKIE
from cognito_session.core.redact import redacted_repr

if TYPE_CHECKING:
    from cognito_session.core.cookie import Cookie
    from cognito_session.core.crypto.access_token import TokenRules
    from cognito_session.core.policy import SessionPolicy
    from cognito_session.core.protocol.ports import Clock

__all__ = ["Alarm", "Entropy", "FlowContext", "Searched", "next_delay", "refresh_window"]

Entropy = Callable[[int], bytes]
"""So many random bytes, from the operating system, made when used."""

Alarm = Callable[[str, str, str | None, str], None]
"""Tells an event's name, the user's `sub`, the session's `sid` and a detail."""

_SHORTEST_DELAY: Final = 0.05
_LONGEST_DELAY: Final = 0.5
_MOST_SEARCHED: Final = 4_096


class Searched:
    """Which tokens a worker has searched for in the rows of their user, and the session id of the row that knows each.

    A search reads all rows of a user. A client can present an authentic token of an ended session with every request, so a
    worker searches once for each token. The oldest entries are forgotten first; a forgotten one costs one more search.
    """

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], str | None] = {}

    def __repr__(self) -> str:
        return f"Searched({len(self._found)} tokens)"

    def __contains__(self, token: tuple[str, str]) -> bool:
        return token in self._found

    def sid_of(self, token: tuple[str, str]) -> str | None:
        """Where the token was found; None where it was not, or was not looked for."""
        return self._found.get(token)

    def note(self, token: tuple[str, str], sid: str | None) -> None:
        """Remember the answer of a search that read all rows."""
        while len(self._found) >= _MOST_SEARCHED:
            self._found.pop(next(iter(self._found), token), None)
        self._found[token] = sid

    def clear(self) -> None:
        """As in a new process."""
        self._found.clear()


class FlowContext(NamedTuple):
    """Settings and instruments of one manager.

    `sealed_cookie`: the cookie is a sealed credential, not the access token. `seals`: there is a keyring, so that secrets
    are sealed at rest. `deadline`: the monotonic instant at which this worker is stopped, if one is known.
    `alarm` is what a served session tells of a refused guard.
    `searched`: the answers of searches for tokens without a row; None where each token is searched for each time.
    """

    policy: SessionPolicy
    rules: TokenRules
    cookie: Cookie
    clock: Clock
    entropy: Entropy
    one_row_per_user: bool = False
    sealed_cookie: bool = False
    seals: bool = False
    deadline: float | None = None
    searched: Searched | None = None
    alarm: Alarm | None = None

    def __repr__(self) -> str:
        return redacted_repr(self, "entropy", "alarm")

    @property
    def cookie_kind(self) -> str:
        """Which sessions this manager's cookie may open."""
        return SEALED_COOKIE if self.sealed_cookie else TOKEN_COOKIE

    @property
    def takes_plain(self) -> bool:
        """Whether secrets without a seal are believed: without keys, or where the policy says so, for token cookies.

        A session of a sealed cookie was never without keys.
        """
        return not self.seals or (self.policy.accept_unsealed_rows and not self.sealed_cookie)

    def now(self) -> int:
        """Epoch seconds."""
        return int(self.clock.now())

    def instant_after(self, seconds: float) -> int:
        """The first whole second that is at least so far away."""
        return ceil(self.clock.now() + seconds)

    def with_time_left(self, remaining_seconds: float | None) -> FlowContext:
        """The same for a worker that is stopped in so many seconds; None: at no known time."""
        if remaining_seconds is None:
            return self
        return self._replace(deadline=self.clock.monotonic() + remaining_seconds)

    def fresh_id(self) -> str:
        """128 random bits as text."""
        return self.entropy(16).hex()


def next_delay(previous: float, entropy: Entropy) -> float:
    """Seconds until the next poll: decorrelated jitter between 50 and 500 ms."""
    fraction = int.from_bytes(entropy(4), "big") / 2**32
    longest = min(_LONGEST_DELAY, max(previous, _SHORTEST_DELAY) * 3)
    return _SHORTEST_DELAY + fraction * (longest - _SHORTEST_DELAY)


def refresh_window(sid: str, life_seconds: int) -> float:
    """How long before expiry this session refreshes ahead: up to min(300 s, a tenth of the token's life).

    Spread per session between half and the whole of that, so that sessions begun together part company.
    """
    share = int.from_bytes(sha256(sid.encode("utf-8", "surrogatepass")).digest()[:2], "big") / 2**16
    return min(REFRESH_WINDOW_SECONDS, life_seconds / 10) * (0.5 + share / 2)
