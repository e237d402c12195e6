"""Where a worker is stopped: every place where what it has done so far differs for everybody else.

Stopping "after" a step means that its answer was received and nothing of it processed; "under way" that the request has
arrived and is carried out only when its sender is dead or frozen, the latest that a request can take effect.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["GET_TOKENS", "POINTS", "WRITE", "Point"]

GET_TOKENS = "GetTokensFromRefreshToken"
WRITE = "UpdateItem"


class Point(NamedTuple):
    """A stopping point.

    work: what the worker is asked to do. stop: where it reports and waits. held: the operation that is then sent, and held
    by the stack. fresh: the worker is given a valid cookie that was never presented, instead of an expired one. ends: the
    session is signed out when the worker gets there, so the next answer must be a 401.
    """

    name: str
    stop: str
    work: str = "resolve"
    held: str | None = None
    fresh: bool = False
    ends: bool = False


POINTS = (
    Point("before load", "before load"),
    Point("after load", "after load"),
    Point("acquire under way", "before acquire", held=WRITE),
    Point("after acquire", "after acquire"),
    Point("refresh under way", "before refresh", held=GET_TOKENS),
    Point("after refresh", "after refresh"),
    Point("commit under way", "before commit", held=WRITE),
    Point("after commit", "after commit"),
    Point("seen under way", "before seen", held=WRITE, fresh=True),
    Point("after seen", "after seen", fresh=True),
    Point("after logout", "after logout", work="sign_out", ends=True),
    Point("revoke under way", "before revoke", work="sign_out", held="RevokeToken", ends=True),
)
