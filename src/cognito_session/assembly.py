"""Assembly: what both managers are made of: the parts that a configuration asks for, put together.

Nothing is connected to before the first request needs it, and no part is made that none asks for.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn

from cognito_session.argument_checks import checked
from cognito_session.aws.transport.endpoint import check_address
from cognito_session.clock import SystemClock
from cognito_session.configuration import Configuration
from cognito_session.core.checks import check_kind, no_keyword, trimmed
from cognito_session.core.cookie import Cookie
from cognito_session.core.crypto.access_token import TokenRules
from cognito_session.core.errors import ConfigurationError
from cognito_session.core.policy import SessionPolicy
from cognito_session.core.protocol.context import FlowContext, Searched
from cognito_session.default_ports import DefaultPorts
from cognito_session.drivers.notices import Notices
from cognito_session.drivers.sync import Ports
from cognito_session.engine import Engine
from cognito_session.http.csrf import Csrf, origin_of
from cognito_session.setup_warnings import warn_of_weak_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from cognito_session.core.protocol.ports import Clock, IdentityProvider, KeySource, SessionStore
    from cognito_session.core.protocol.steps import Report
    from cognito_session.settings import SettingKeywords
    from cognito_session.signin.login_site import LoginSite

    class ManagerSettings(SettingKeywords, total=False):
        """The keywords of `from_env`: the settings, then the constructor's keywords."""

        cookie: CookieKind
        cookie_name: str | None
        policy: SessionPolicy | None
        boto3_session: Any
        clients: Mapping[str, Any] | None
        store: SessionStore | None
        provider: IdentityProvider | None
        keys: KeySource | None
        keyring: Callable[[], str] | None
        clock: Clock | None
        csrf: Csrf | None
        on_event: Callable[[Report], None] | None
        trusted_proxies: int
        same_site: SameSite
        websocket_api: bool
        websocket_recheck_seconds: float


__all__ = ["Assembly"]

CookieKind = Literal["sealed", "token"]
SameSite = Literal["Lax", "Strict", "None"]
_COOKIE_NAMES: Final[Mapping[str, str]] = {"sealed": "__Host-session", "token": "token"}


def _sleep(seconds: float) -> None:
    """By the present time.sleep: gevent and eventlet may replace it after a manager was made."""
    time.sleep(seconds)


@checked
class Assembly:
    """One application's parts. `engine` is what adapters and sign-in flows get of them."""

    def __init__(
        self,
        configuration: Configuration,
        *,
        cookie: CookieKind = "sealed",
        cookie_name: str | None = None,
        policy: SessionPolicy | None = None,
        boto3_session: Any = None,
        clients: Mapping[str, Any] | None = None,
        store: SessionStore | None = None,
        provider: IdentityProvider | None = None,
        keys: KeySource | None = None,
        keyring: Callable[[], str] | None = None,
        clock: Clock | None = None,
        csrf: Csrf | None = None,
        on_event: Callable[[Report], None] | None = None,
        trusted_proxies: int = 0,
        same_site: SameSite = "Lax",
        websocket_api: bool = False,
        websocket_recheck_seconds: float = 30,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        environ = os.environ if environ is None else environ
        self.configuration: Configuration = check_kind(
            "configuration", configuration, Configuration, f"a Configuration, which {type(self).__name__}.from_env() makes"
        )
        clock = clock or SystemClock()
        default = DefaultPorts(configuration, clock, boto3_session=boto3_session, clients=clients, environ=environ)
        keyrings = default.keyrings(keyring)
        if cookie == "sealed" and keyrings is None:
            raise ConfigurationError(
                "SESSION_KEYS is not set: a sealed cookie needs keys. `cognito-session keys new` prints an entry; or name"
                ' a secret in SESSION_SECRET_ARN; or carry the access token itself with cookie="token"'
            )
        if websocket_api and keyrings is None:
            raise ConfigurationError(
                "websocket_api: needs SESSION_KEYS, because whose a connection is must be sealed: who may invoke the function"
                " can write any event. `cognito-session keys new` prints an entry"
            )
        store = store or default.store()
        policy = policy or SessionPolicy()
        if configuration.session_accept_unsealed_rows == "true":
            policy = replace(policy, accept_unsealed_rows=True)
        context = FlowContext(
            policy=policy,
            rules=TokenRules.of_pool(configuration.user_pool_id, configuration.client_id, policy.audiences),
            cookie=Cookie(_COOKIE_NAMES[cookie] if cookie_name is None else cookie_name, same_site),
            clock=clock,
            entropy=os.urandom,
            one_row_per_user=store.one_row_per_user,
            sealed_cookie=cookie == "sealed",
            seals=keyrings is not None,
            searched=Searched(),
        )
        ports = Ports(
            store=store,
            provider=provider or default.provider(),
            keys=keys or default.keys(policy),
            clock=clock,
            sleep=_sleep,
            on_event=on_event,
            keyrings=keyrings,
            user_pool=default.user_pool(),
            authorization_server=default.authorization_server(),
            notices=Notices(),
        )
        self.engine: Engine = Engine(
            context,
            ports,
            _csrf(csrf or Csrf(), configuration.app_base_url),
            base_url=configuration.app_base_url,
            trusted_proxies=trusted_proxies,
            websocket_api=websocket_api,
            websocket_recheck_seconds=websocket_recheck_seconds,
        )
        warn_of_weak_settings(context)

    @property
    def context(self) -> FlowContext:
        """The engine's, which may be replaced."""
        return self.engine.context

    @context.setter
    def context(self, context: FlowContext) -> None:
        self.engine.context = context

    @property
    def ports(self) -> Ports:
        """The engine's, which may be replaced."""
        return self.engine.ports

    @ports.setter
    def ports(self, ports: Ports) -> None:
        self.engine.ports = ports

    def __repr__(self) -> str:
        return f"{type(self).__name__}(table={self.configuration.session_table!r}, cookie={self.context.cookie.name!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"{type(self).__name__} cannot be pickled or copied, since it holds keys and connections: make one in each process"
        )

    def _login_site(
        self, base_url: str | None, paths: Mapping[str, str], scopes: Sequence[str], clear_site_data: Collection[str]
    ) -> LoginSite:
        """Where signing in happens, all of it checked now: the domain, the address and the paths."""
        from cognito_session.signin.managed_login import login_site

        given = trimmed(base_url, "base_url")
        base_url, source = (self.configuration.app_base_url, "APP_BASE_URL") if given is None else (given, "base_url")
        if base_url is None:
            raise ConfigurationError("APP_BASE_URL is not set: it is the address of your application, like https://app.example")
        server = self.ports.authorization_server
        if server is not None:
            server.domain  # noqa: B018 - raises where COGNITO_DOMAIN is not set
        if self.ports.keyrings is None:
            raise ConfigurationError("SESSION_KEYS is not set: managed login seals what it must remember while you sign in")
        address = check_address(base_url, source)
        origin_of(address, source)
        client_id = self.configuration.client_id
        return login_site(base_url=address, client_id=client_id, scopes=scopes, clear_site_data=clear_site_data, **paths)

    @classmethod
    def _configured(
        cls, environ: Mapping[str, str], prefix: str, keywords: dict[str, Any]
    ) -> tuple[Configuration, dict[str, Any]]:
        """Split keywords into those that name things at AWS and those that are the constructor's. Raises TypeError."""
        for name in keywords:
            if name in SessionPolicy.__dataclass_fields__:
                raise TypeError(f"{cls.__name__}.from_env() has no keyword {name!r}: use policy=SessionPolicy({name}=...)")
            if name not in Configuration._fields and name not in _PARTS:
                raise no_keyword(f"{cls.__name__}.from_env()", name, (*Configuration._fields, *_PARTS))
        names = {name: keywords.pop(name) for name in Configuration._fields if name in keywords}
        return Configuration.from_env(environ, prefix=prefix, **names), keywords


def _csrf(csrf: Csrf, base_url: str | None) -> Csrf:
    """With APP_BASE_URL's origin as our own, where no other is named."""
    if base_url is None or csrf.own_origin is not None:
        return csrf
    return Csrf(csrf.trusted_origins, csrf.exempt, csrf.header_token, origin_of(base_url))


_PARTS = (
    *("cookie", "cookie_name", "policy", "boto3_session", "clients", "store", "provider", "keys", "keyring", "clock"),
    *("csrf", "on_event", "trusted_proxies", "same_site", "websocket_api", "websocket_recheck_seconds"),
)
