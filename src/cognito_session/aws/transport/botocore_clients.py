"""botocore clients for the wire: made with explicit limits, kept per setting, never retrying by themselves.

Rules: a client's time limits are fixed when it is made, so limits are rounded down to a few steps. A call marked `once` uses
its own client, whose connections are not kept. A forked child makes new clients and leaks the inherited ones. Clients and
sessions of the caller cannot be replaced: their own limits, retries and behaviour after a fork apply.
"""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Any, Final

from botocore import UNSIGNED
from botocore.config import Config
from botocore.credentials import Credentials as BotocoreCredentials

from cognito_session.aws.transport.botocore_chain import new_session
from cognito_session.aws.transport.botocore_hooks import check_answer, install_hooks
from cognito_session.aws.transport.endpoint import check_address
from cognito_session.aws.transport.proxy import proxies
from cognito_session.core.checks import setting
from cognito_session.fork import leak, renew_in_child

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cognito_session.aws.transport.credentials import Credentials
    from cognito_session.aws.transport.endpoint import Endpoints

__all__ = ["CONNECT_SECONDS", "Clients", "step_down"]

CONNECT_SECONDS: Final = 1.0
_STEPS: Final = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 15.0, 30.0)


def step_down(seconds: float) -> float:
    """The largest step not above `seconds`, else the first step."""
    return max((step for step in _STEPS if step <= seconds), default=_STEPS[0])


class Clients:
    """Clients by service, signing, once and time limit. Thread-safe; replaced after a fork, except injected ones."""

    def __init__(
        self,
        endpoints: Endpoints,
        environ: Mapping[str, str],
        credentials: Credentials,
        *,
        session: Any,
        injected: Mapping[str, Any] | None,
    ) -> None:
        self._endpoints = endpoints
        self._credentials = credentials
        self._environ = environ
        self._given_session = session
        self._injected = dict(injected or {})
        for client in self._injected.values():
            install_hooks(client)
        self.renew()
        _alive.add(self)

    def renew(self) -> None:
        """Drop clients, session and lock. A forked child does so before its first call."""
        self._session = self._given_session
        self._made: dict[tuple[str, bool, bool, float], Any] = {}
        self._making = threading.Lock()

    def inherited(self) -> list[object]:
        """The objects that a forked child must neither use nor garbage-collect."""
        return [self._session, self._made, self._injected]

    def answered_by_hook(self, request: Any) -> Any:
        """The answer of a before-send hook in place of the network, as moto's mock_aws gives; None if no hook answers."""
        session = self._given_session or next(iter(self._injected.values()), None) or self._own_session()
        meta = getattr(session, "meta", None)
        emitter = getattr(meta, "events", None) or getattr(session, "events", None)
        if emitter is None and hasattr(session, "get_component"):
            emitter = session.get_component("event_emitter")
        if emitter is None:  # a fake client without events
            return None
        return emitter.emit_until_response("before-send.cognito-session.Get", request=request)[1]

    def _own_session(self) -> Any:
        with self._making:
            if self._session is None:
                self._session = self._new_session()
            return self._session

    def _new_session(self) -> Any:
        session = new_session(self._environ)
        session.register_component("credential_provider", _Provider(self._credentials))
        return session

    def get(self, service: str, *, signed: bool, once: bool, timeout_seconds: float) -> Any:
        """The client for a call. Raises ConfigurationError and botocore's errors about regions and profiles."""
        if service in self._injected:
            return self._injected[service]
        key = (service, signed, once, step_down(timeout_seconds))
        client = self._made.get(key)
        if client is None:
            with self._making:  # a botocore session must not make clients in two threads at once
                client = self._made.get(key)
                if client is None:
                    client = self._made[key] = self._make(*key)
        return client

    def _make(self, service: str, signed: bool, once: bool, timeout_seconds: float) -> Any:
        own = self._given_session is None
        if self._session is None:
            self._session = self._new_session()
        make = getattr(self._session, "client", None) or self._session.create_client
        address, region = self._endpoints.locate(service) if own else self._of_given_session(service)
        client = make(
            service,
            region_name=region,
            endpoint_url=address,
            verify=setting(self._environ, "AWS_CA_BUNDLE")
            or (True if own else None),  # True keeps the process's REQUESTS_CA_BUNDLE out
            config=_config(signed, once, timeout_seconds, own=own, proxies=proxies(address or "https://", self._environ)),
        )
        check_address(client.meta.endpoint_url, f"the endpoint of {service} in the AWS configuration", self._environ)
        client.meta.events.register("before-parse", check_answer)
        install_hooks(client)
        return client

    def _of_given_session(self, service: str) -> tuple[str | None, str | None]:
        """(address, region) from the environment; None leaves the value to the caller's session."""
        region = self._endpoints.region(service) or getattr(self._session, "region_name", None)
        return self._endpoints.configured(service), region


class _Provider:
    """A botocore credential provider that gives the wire's own keys to a signer."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def load_credentials(self) -> Any:
        """Called when a client is made. Keys are resolved only when a request is signed."""
        return _Signing(self._credentials)


class _Signing(BotocoreCredentials):  # type: ignore[misc]  # botocore publishes no types
    """Reads the current keys each time a request is signed."""

    def __init__(self, credentials: Credentials) -> None:
        super().__init__("", "")
        self._credentials = credentials

    def get_frozen_credentials(self) -> Any:
        """See botocore. The wire has already read the keys for this call, so this does not wait."""
        keys = self._credentials.read("signing", CONNECT_SECONDS)
        return BotocoreCredentials(keys.key_id, keys.secret, keys.session_token).get_frozen_credentials()


def _config(signed: bool, once: bool, timeout_seconds: float, *, own: bool, proxies: Mapping[str, str]) -> Any:
    """A botocore Config with every limit explicit and one attempt, because the wire decides about resending."""
    settings: dict[str, Any] = {
        "connect_timeout": min(CONNECT_SECONDS, timeout_seconds),
        "read_timeout": timeout_seconds,
        "retries": {"total_max_attempts": 1},
        "tcp_keepalive": True,
        "max_pool_connections": 1 if once else 16,
        "proxies": proxies,
    }
    if not signed:
        settings["signature_version"] = UNSIGNED
    if own:  # the address is explicit and already takes these two into account
        settings |= {"use_fips_endpoint": False, "use_dualstack_endpoint": False}
    return Config(**settings)


_alive: weakref.WeakSet[Clients] = weakref.WeakSet()


def _renew_clients() -> None:
    for clients in list(_alive):
        leak(clients.inherited())
        clients.renew()


renew_in_child(_renew_clients)
