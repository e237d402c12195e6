"""Attaches a manager to the test kit: replaces its clock, store, pool and keys, and restores them at the end.

The manager keeps its ids, policy, cookie and table layout. What the kit itself does for a manager uses plain ports: it is not
in the call log, and no fault affects it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from cognito_session.aws.keyring_source import FixedKeyring
from cognito_session.core.errors import ConfigurationError
from cognito_session.core.protocol.context import Searched
from cognito_session.core.protocol.establish import SignedIn, establish
from cognito_session.core.protocol.session import Rejected
from cognito_session.drivers.notices import Notices
from cognito_session.drivers.sync import Ports, run
from cognito_session.http.csrf import origin_of
from cognito_session.testing import environment
from cognito_session.testing.fake_authorization_server import FakeAuthorizationServer
from cognito_session.testing.instrumented_ports import (
    ClockSleep,
    InstrumentedAuthorizationServer,
    InstrumentedKeys,
    InstrumentedPool,
    InstrumentedProvider,
    InstrumentedStore,
)
from cognito_session.testing.pool_operations import PoolOperations
from cognito_session.testing.pool_provider import PoolKeys, PoolProvider

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cognito_session import AsyncSessionManager, SessionManager
    from cognito_session.core.protocol.session import Session
    from cognito_session.core.protocol.steps import Flow, Report
    from cognito_session.testing.fake_pool import FakePool
    from cognito_session.testing.kit_state import KitState

__all__ = ["Attachment"]

T = TypeVar("T")
_DOMAIN: Final = "https://sign-in.example"


class Attachment:
    """A manager of either kind, attached from construction until `restore`."""

    def __init__(self, manager: SessionManager | AsyncSessionManager, state: KitState) -> None:
        names = manager.configuration
        self.manager = manager
        self._state = state
        self._before = manager.context, manager.ports
        self.pool: FakePool = state.pool(names.user_pool_id, names.client_id)
        if manager.context.policy.rotation_grace_seconds is not None:
            self.pool.grace_seconds = manager.context.policy.rotation_grace_seconds
        self.authorization_server: FakeAuthorizationServer = FakeAuthorizationServer(
            self.pool, _domain(manager.ports), state.clock
        )
        self._own = self._plain_ports()
        self._searched = Searched()
        self._keys = InstrumentedKeys(PoolKeys(state.clock), state)
        manager.context = manager.context._replace(clock=state.clock, entropy=state.entropy, searched=self._searched)
        manager.ports = self._instrumented_ports()

    def __repr__(self) -> str:
        return f"Attachment({self.manager!r})"

    @property
    def cookie_name(self) -> str:
        """The session cookie's name."""
        return self.manager.context.cookie.name

    @property
    def origin(self) -> str:
        """The application's origin."""
        return self.manager.engine.csrf.own_origin or origin_of(environment.DEFAULTS["APP_BASE_URL"])

    def establish(self, tokens: Mapping[str, object], user_agent: str | None) -> Session:
        """Begin a session with Cognito's AuthenticationResult. Raises ValueError if the manager refuses it."""
        found = self.run(establish(self.manager.context, SignedIn.of(dict(tokens)), device=user_agent))
        if isinstance(found, Rejected):
            raise ValueError(  # noqa: TRY004 - the sign-in is wrong, not the type
                f"sign_in: the manager refused the session ({found.reason}); check the policy's max_sessions"
            )
        return found

    def run(self, flow: Flow[T]) -> T:
        """The result of a flow, with the plain ports."""
        return run(flow, self._own)

    def forget_keys(self) -> None:
        """Forget the key set, so that the next request fetches it."""
        self._keys.forget()

    def mark(self) -> Callable[[], None]:
        """A function that restores the current keys."""
        keys = self._keys.mark()

        def restore() -> None:
            keys()
            self._searched.clear()

        return restore

    def restore(self) -> None:
        """Give the manager its own context and ports back."""
        self.manager.context, self.manager.ports = self._before

    def _plain_ports(self) -> Ports:
        state, ports, names = self._state, self.manager.ports, self.manager.configuration
        table = (names.session_table, names.session_store, names.partition_key, names.sort_key)
        keyrings = None if ports.keyrings is None else FixedKeyring(environment.DEFAULTS["SESSION_KEYS"])
        return ports._replace(
            store=state.store(*table, one_row_per_user=ports.store.one_row_per_user),
            provider=PoolProvider(self.pool),
            keys=PoolKeys(state.clock),
            clock=state.clock,
            sleep=state.clock.advance,
            on_event=None,
            keyrings=keyrings,
            user_pool=PoolOperations(self.pool),
            authorization_server=self.authorization_server,
            notices=Notices(),
        )

    def _instrumented_ports(self) -> Ports:
        state, own = self._state, self._own
        waiting = ClockSleep(state.clock, state)
        return own._replace(
            store=InstrumentedStore(own.store, state),
            provider=InstrumentedProvider(PoolProvider(self.pool), state),
            keys=self._keys,
            sleep=waiting.sleep,
            on_event=self._report,
            user_pool=InstrumentedPool(PoolOperations(self.pool), state),
            authorization_server=InstrumentedAuthorizationServer(self.authorization_server, state),
            pause=waiting.pause,
        )

    def _report(self, report: Report) -> None:
        """Record the report, then pass it to the application's own hook."""
        self._state.reports.append(report)
        told = self._before[1].on_event
        if told is not None:
            told(report)


def _domain(ports: Ports) -> str:
    """The configured domain of the user pool, or the kit's own."""
    try:
        return _DOMAIN if ports.authorization_server is None else ports.authorization_server.domain
    except ConfigurationError:
        return _DOMAIN
