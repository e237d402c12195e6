"""Engine: what adapters and sign-in flows get of a manager: its settings, its ports, and a way to run flows over them.

A manager owns one engine. Adapters, request sessions and sign-in flows keep the engine, never the manager, so that no module
below the managers depends on them. `context` and `ports` are read at each use: the test kit replaces them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn, Protocol, TypeVar

from cognito_session.core.protocol.resolve import resolve
from cognito_session.drivers import sync
from cognito_session.http.base_path import base_path_of

if TYPE_CHECKING:
    from cognito_session.core.cookie import CookieHeaders
    from cognito_session.core.protocol.context import FlowContext
    from cognito_session.core.protocol.session import Outcome
    from cognito_session.core.protocol.steps import Flow
    from cognito_session.drivers.sync import Ports
    from cognito_session.http.csrf import Csrf

__all__ = ["AnySessionManager", "Engine"]

T = TypeVar("T")


class Engine:
    """One manager's settings and ports. Safe to share between threads and event loops.

    `base_url` is APP_BASE_URL, `base_path` its path. `trusted_proxies` is the number of the operator's own proxies in front.
    `websocket_api` and `websocket_recheck_seconds` are as in SessionManager.
    """

    def __init__(
        self,
        context: FlowContext,
        ports: Ports,
        csrf: Csrf,
        *,
        base_url: str | None = None,
        trusted_proxies: int = 0,
        websocket_api: bool = False,
        websocket_recheck_seconds: float = 30,
    ) -> None:
        self.context: FlowContext = context._replace(alarm=self._alarm)
        self.ports = ports
        self.csrf = csrf
        self.base_url = base_url
        self.base_path: str = base_path_of(base_url)
        self.trusted_proxies = trusted_proxies
        self.websocket_api = websocket_api
        self.websocket_recheck_seconds = websocket_recheck_seconds

    def __repr__(self) -> str:
        return f"Engine(cookie={self.context.cookie.name!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an Engine cannot be pickled or copied, since it holds keys and connections: make one in each process")

    def run(self, flow: Flow[T]) -> T:
        """The flow's result. Raises what the flow raises."""
        return sync.run(flow, self.ports)

    async def arun(self, flow: Flow[T]) -> T:
        """As `run`, without blocking the event loop."""
        from cognito_session.drivers import aio

        return await aio.run(flow, self.ports)

    def resolve(
        self, cookie_header: CookieHeaders, *, remaining_seconds: float | None = None, extend: bool = True
    ) -> Flow[Outcome]:
        """The flow that finds the session of a Cookie header; see SessionManager.resolve for the arguments."""
        deadline = None if remaining_seconds is None else self.context.clock.monotonic() + remaining_seconds
        return resolve(self.context, cookie_header, deadline=deadline, extend=extend)

    def _alarm(self, event: str, sub: str, sid: str | None, detail: str) -> None:
        """Report that a session was refused after it had been served."""
        from cognito_session.core.protocol.steps import Report
        from cognito_session.drivers.alarms import raise_alarm

        raise_alarm(Report(event, sub, sid, detail, limited=True), self.ports)


class AnySessionManager(Protocol):
    """A SessionManager or an AsyncSessionManager: what an adapter accepts."""

    @property
    def engine(self) -> Engine:
        """The manager's engine."""
        ...
