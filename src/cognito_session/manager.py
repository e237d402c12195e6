"""SessionManager and AsyncSessionManager: the parts put together; session(): the seed's call.

The two managers differ only in the driver that runs the same flows over the same ports. Nothing is connected to before
the first request needs it.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from cognito_session.aws.authorization_server import CognitoAuthorizationServer
from cognito_session.aws.client_secret import ClientSecret
from cognito_session.aws.cognito import CognitoProvider
from cognito_session.aws.dynamodb import DynamoDBStore
from cognito_session.aws.endpoint import check_address, endpoint_for
from cognito_session.aws.key_source import CognitoKeySource
from cognito_session.aws.keyring_source import FixedKeyring, RenewedKeyring
from cognito_session.aws.stored_secret import StoredSecret
from cognito_session.aws.user_pool import CognitoUserPool
from cognito_session.clock import SystemClock
from cognito_session.configuration import Configuration
from cognito_session.core.case import Case
from cognito_session.core.cookie import Cookie
from cognito_session.core.data import save_data
from cognito_session.core.devices import SessionInfo, revoke, revoke_all, sessions_of
from cognito_session.core.ending import log_out
from cognito_session.core.errors import ConfigurationError, SessionForbidden, SessionRequired
from cognito_session.core.establish import SignedIn, establish
from cognito_session.core.flow import resolve
from cognito_session.core.outcome import Reason, Rejected, Session
from cognito_session.core.policy import SessionPolicy
from cognito_session.core.token import TokenRules
from cognito_session.drivers.sync import Ports, run
from cognito_session.web.base_path import base_path_of
from cognito_session.web.csrf import Csrf, origin_of
from cognito_session.web.device import device_label

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from typing import TypedDict, Unpack

    from cognito_session.aws.wire import Wire
    from cognito_session.core.cookie import CookieHeaders
    from cognito_session.core.outcome import Outcome
    from cognito_session.core.ports import Clock, IdentityProvider, KeyringSource, KeySource, SessionStore
    from cognito_session.core.steps import Flow, Report
    from cognito_session.signin.flows import PasswordFlows
    from cognito_session.signin.flows_async import AsyncPasswordFlows
    from cognito_session.signin.login_site import LoginSite
    from cognito_session.signin.managed_login import AsyncManagedLogin, ManagedLogin
    from cognito_session.web.authorizer import Authorizer
    from cognito_session.web.protect import (
        AsyncHandler,
        Handler,
        OptionalAsyncHandler,
        OptionalHandler,
        OptionalProtector,
        ProtectedCoroutine,
        ProtectedHandler,
        Protector,
    )

    class ManagerSettings(TypedDict, total=False):
        """The keywords of `from_env`: names of things at AWS, then what the constructor takes."""

        session_table: str | None
        client_id: str | None
        user_pool_id: str | None
        partition_key: str | None
        sort_key: str | None
        client_secret: str | None
        session_keys: str | None
        session_secret_arn: str | None
        session_store: str | None
        cognito_domain: str | None
        app_base_url: str | None
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


__all__ = ["AsyncSessionManager", "SessionManager", "default_manager", "session"]

CookieKind = Literal["sealed", "token"]
T = TypeVar("T")


class _Manager:
    """What both managers are made of."""

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
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.configuration = configuration
        self._open = _wire_opener(configuration, boto3_session, clients, environ)
        arn = configuration.session_secret_arn
        self._secret = None if arn is None else StoredSecret(self._open, arn)
        clock = clock or SystemClock()
        if cookie not in ("sealed", "token"):
            raise ConfigurationError("cookie: expected 'sealed' or 'token'")
        keyrings = self._keyrings(keyring, clock)
        if cookie == "sealed" and keyrings is None:
            raise ConfigurationError(
                "SESSION_KEYS is not set: a sealed cookie needs keys. `cognito-session keys new` prints an entry; or name"
                ' a secret in SESSION_SECRET_ARN; or carry the access token itself with cookie="token"'
            )
        self.csrf = _csrf(csrf or Csrf(), configuration.app_base_url)
        self.base_path = base_path_of(configuration.app_base_url)
        store = store or self._store()
        self.case = Case(
            policy=policy or SessionPolicy(),
            rules=TokenRules.of_pool(configuration.user_pool_id, configuration.client_id),
            cookie=Cookie(cookie_name or ("token" if cookie == "token" else "__Host-session")),
            clock=clock,
            entropy=os.urandom,
            one_row_per_user=store.one_row_per_user,
            sealed_cookie=cookie == "sealed",
            seals=keyrings is not None,
        )
        self.ports = Ports(
            store=store,
            provider=provider or self._cognito(clock),
            keys=keys or self._key_source(clock, environ),
            clock=clock,
            sleep=time.sleep,
            on_event=on_event,
            keyrings=keyrings,
            user_pool=self._user_pool(),
            authorization_server=self._authorization_server(),
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}(table={self.configuration.session_table!r}, cookie={self.case.cookie.name!r})"

    def _store(self) -> SessionStore:
        """DynamoDB, or the file that SESSION_STORE names."""
        names = self.configuration
        if names.session_store is not None:
            from cognito_session.sqlite_store import SQLiteStore

            return SQLiteStore.from_url(names.session_store)
        return DynamoDBStore(self._open, table=names.session_table, partition_key=names.partition_key, sort_key=names.sort_key)

    def _keyrings(self, read: Callable[[], str] | None, clock: Clock) -> KeyringSource | None:
        """Keys from a callable, from SESSION_KEYS, or from Secrets Manager; None where there are none."""
        names = self.configuration
        if read is not None:
            return RenewedKeyring(read, clock)
        if names.session_keys is not None:
            return FixedKeyring(names.session_keys)
        if self._secret is not None:
            return RenewedKeyring(self._secret.keys, clock)
        return None

    def _client_secret(self) -> ClientSecret:
        """CLIENT_SECRET, else what the secret in Secrets Manager says."""
        known = self.configuration.client_secret
        return ClientSecret(known if known is not None or self._secret is None else self._secret.client_secret)

    def _cognito(self, clock: Clock) -> CognitoProvider:
        names = self.configuration
        return CognitoProvider(
            self._open,
            client_id=names.client_id,
            client_secret=self._client_secret(),
            clock=clock,
            user_pool_id=names.user_pool_id,
        )

    def _user_pool(self) -> CognitoUserPool:
        names = self.configuration
        return CognitoUserPool(self._open, client_id=names.client_id, client_secret=self._client_secret())

    def _authorization_server(self) -> CognitoAuthorizationServer:
        names = self.configuration
        return CognitoAuthorizationServer(
            self._open,
            domain=names.cognito_domain,
            region=names.pool_region,
            client_id=names.client_id,
            client_secret=self._client_secret(),
        )

    def _login_site(self, base_url: str | None, paths: Mapping[str, str], scopes: Sequence[str]) -> LoginSite:
        """Where signing in happens, all of it checked now: the domain, the address and the paths."""
        from cognito_session.signin.managed_login import login_site

        base_url = base_url or self.configuration.app_base_url
        if base_url is None:
            raise ConfigurationError("APP_BASE_URL is not set: it is the address of your application, like https://app.example")
        server = self.ports.authorization_server
        if server is not None:
            server.domain  # noqa: B018 - raises where COGNITO_DOMAIN is not set
        if self.ports.keyrings is None:
            raise ConfigurationError("SESSION_KEYS is not set: managed login seals what it must remember while you sign in")
        address = check_address(base_url, "APP_BASE_URL")
        return login_site(base_url=address, client_id=self.configuration.client_id, scopes=scopes, **paths)

    def _key_source(self, clock: Clock, environ: Mapping[str, str]) -> CognitoKeySource:
        names = self.configuration
        base = endpoint_for("cognito-idp", names.pool_region, environ)
        return CognitoKeySource(self._open, url=f"{base}/{names.user_pool_id}/.well-known/jwks.json", clock=clock)

    def flow(
        self, cookie_header: CookieHeaders, *, remaining_seconds: float | None = None, extend: bool = True
    ) -> Flow[Outcome]:
        """The question "who is asking?" as a flow that a driver can run."""
        left = remaining_seconds
        deadline = None if left is None else self.case.clock.monotonic() + left
        return resolve(self.case, cookie_header, deadline=deadline, extend=extend)

    @classmethod
    def _configured(
        cls, environ: Mapping[str, str], prefix: str, keywords: dict[str, Any]
    ) -> tuple[Configuration, dict[str, Any]]:
        """Split keywords into those that name things at AWS and those that are the constructor's."""
        names = {name: keywords.pop(name) for name in _NAMES if name in keywords}
        return Configuration.from_env(environ, prefix=prefix, **names), keywords


def _csrf(csrf: Csrf, base_url: str | None) -> Csrf:
    """With APP_BASE_URL's origin as our own, where no other is named."""
    if base_url is None or csrf.own_origin is not None:
        return csrf
    return Csrf(csrf.trusted_origins, csrf.exempt, csrf.header_token, origin_of(base_url))


_NAMES = (
    *("session_table", "client_id", "user_pool_id", "partition_key", "sort_key", "client_secret"),
    *("session_keys", "session_secret_arn", "session_store", "cognito_domain", "app_base_url"),
)


def _wire_opener(
    configuration: Configuration, boto3_session: Any, clients: Mapping[str, Any] | None, environ: Mapping[str, str]
) -> Callable[[], Wire]:
    """The wire, opened when first called for: a cold start that is refused at the cookie pays for none."""
    opened: list[Wire] = []

    def wire() -> Wire:
        if not opened:
            from cognito_session.aws.wire import open_wire

            opened.append(
                open_wire(
                    boto3_session=boto3_session,
                    clients=clients,
                    regions={"cognito-idp": configuration.pool_region},
                    environ=environ,
                )
            )
        return opened[0]

    return wire


class SessionManager(_Manager):
    """Sessions for synchronous code. Safe to share between threads; make one per process.

    `resolve` answers with values: Active, Refreshed (an Active) or Rejected. What could not be found out is a
    SessionUnavailable (503), what is set up wrong a ConfigurationError (500).
    """

    @classmethod
    def from_env(
        cls, *, prefix: str = "", environ: Mapping[str, str] = os.environ, **keywords: Unpack[ManagerSettings]
    ) -> SessionManager:
        """From the environment (see Configuration.from_env); keywords win, and are the constructor's otherwise."""
        configuration, rest = cls._configured(environ, prefix, dict(keywords))
        return cls(configuration, environ=environ, **rest)

    def resolve(self, cookie_header: CookieHeaders, *, remaining_seconds: float | None = None, extend: bool = True) -> Outcome:
        """Who is asking. `remaining_seconds` is what is left of the function's time, if limited; with `extend=False` the
        session's idle end stays where it is (polling).
        """
        return run(self.flow(cookie_header, remaining_seconds=remaining_seconds, extend=extend), self.ports)

    def establish(self, tokens: object, *, cookie_header: CookieHeaders = None, user_agent: str | None = None) -> Session:
        """Begin a session with Cognito's AuthenticationResult; send its `set_cookies`.

        The session that `cookie_header` (the sign-in request's own) stands for is ended. `user_agent` becomes the device's
        label in `sessions_of`. Raises SessionRequired where this very sign-in's session has been ended or the user signed
        out everywhere since; SessionForbidden where the policy refuses one more session; SessionUnavailable.
        """
        flow = establish(self.case, SignedIn.of(tokens), presented=cookie_header, device=device_label(user_agent))
        return _established(run(flow, self.ports))

    def sign_out(self, cookie_header: CookieHeaders) -> tuple[str, ...]:
        """End the session of this cookie and revoke its tokens; the Set-Cookie values that delete the cookie."""
        run(log_out(self.case, cookie_header), self.ports)
        return (self.case.cookie.delete_line(),)

    def sessions_of(self, sub: str, *, current: str | None = None) -> list[SessionInfo]:
        """The user's live sessions, newest first, without secrets; `current` is the asking session's `sid`."""
        return run(sessions_of(self.case, sub, current=current), self.ports)

    def revoke(self, sub: str, sid: str) -> bool:
        """End one session and revoke its tokens; False where there was none. Raises SessionUnavailable."""
        return run(revoke(self.case, sub, sid), self.ports)

    def revoke_all(self, sub: str, *, keep: str | None = None) -> int:
        """Sign the user out everywhere, or everywhere but in `keep`; how many sessions ended. Raises SessionUnavailable."""
        return run(revoke_all(self.case, sub, keep=keep), self.ports)

    def save_data(self, me: Session, data: Mapping[str, Any]) -> Session:
        """Replace the session's data, written only if it differs; the session with its new data.

        Raises SessionConflict (409) where another request changed it since `me` was served, SessionRequired where the
        session has ended, ConfigurationError (a ValueError) for what is not JSON or over 16 kB.
        """
        return me.with_data(data, run(save_data(self.case, me, data), self.ports))

    def csrf_token(self, me: Session) -> str:
        """A token for X-CSRF-Token, for pages of browsers too old for Sec-Fetch-Site and Origin (`Csrf(header_token=True)`).

        Bound to the session; another text each time. Raises ConfigurationError where there are no keys.
        """
        from cognito_session.web.visit import csrf_token

        return run(csrf_token(self.case, me.sid), self.ports)

    def managed_login(
        self,
        *,
        base_url: str | None = None,
        scopes: Sequence[str] = ("openid", "email", "profile"),
        callback_path: str = "/auth/callback",
        login_path: str = "/login",
        after_sign_in: str = "/",
        after_sign_out: str = "/",
    ) -> ManagedLogin:
        """Signing in and out through Cognito's managed login; see cognito_session.signin.managed_login.

        `base_url` (else APP_BASE_URL) is your site's address; the app client must allow `base_url` + `callback_path` as a
        callback and `base_url` + `after_sign_out` as a sign-out address. Raises ConfigurationError.
        """
        from cognito_session.signin.managed_login import ManagedLogin

        paths = {
            "callback_path": callback_path,
            "login_path": login_path,
            "after_sign_in": after_sign_in,
            "after_sign_out": after_sign_out,
        }
        return ManagedLogin(self, self._login_site(base_url, paths, scopes))

    def password_flows(self, *, issuer: str | None = None) -> PasswordFlows:
        """Signing up and in on your own pages, without a redirect; see cognito_session.signin.flows.

        `issuer` is how authenticator apps name your site; the host of APP_BASE_URL where none is given.
        """
        from cognito_session.signin.flows import PasswordFlows

        return PasswordFlows(self, issuer)

    @overload
    def protect(
        self, handler: AsyncHandler, *, optional: Literal[False] = False, login_path: str | None = None
    ) -> ProtectedCoroutine: ...

    @overload
    def protect(
        self, handler: Handler, *, optional: Literal[False] = False, login_path: str | None = None
    ) -> ProtectedHandler: ...

    @overload
    def protect(
        self, handler: OptionalAsyncHandler, *, optional: Literal[True], login_path: str | None = None
    ) -> ProtectedCoroutine: ...

    @overload
    def protect(
        self, handler: OptionalHandler, *, optional: Literal[True], login_path: str | None = None
    ) -> ProtectedHandler: ...

    @overload
    def protect(
        self, handler: None = None, *, optional: Literal[False] = False, login_path: str | None = None
    ) -> Protector: ...

    @overload
    def protect(self, handler: None = None, *, optional: Literal[True], login_path: str | None = None) -> OptionalProtector: ...

    def protect(
        self, handler: Callable[..., Any] | None = None, *, optional: bool = False, login_path: str | None = None
    ) -> Any:
        """Decorate a Lambda handler `handler(event, context, me)`; see cognito_session.web.protect."""
        from cognito_session.web.protect import protect

        return protect(self, handler, optional=optional, login_path=login_path)

    def authorizer(
        self,
        *,
        any_group: Collection[str] | None = None,
        all_groups: Collection[str] = (),
        scopes: Collection[str] = (),
        simple: bool = True,
    ) -> Authorizer:
        """A Lambda authorizer for REST, HTTP and WebSocket APIs, as a handler; see cognito_session.web.authorizer."""
        from cognito_session.web.authorizer import authorizer

        return authorizer(self, any_group=any_group, all_groups=all_groups, scopes=scopes, simple=simple)


class AsyncSessionManager(_Manager):
    """The same sessions for asynchronous code, on whatever event loop calls."""

    @classmethod
    def from_env(
        cls, *, prefix: str = "", environ: Mapping[str, str] = os.environ, **keywords: Unpack[ManagerSettings]
    ) -> AsyncSessionManager:
        """As SessionManager.from_env."""
        configuration, rest = cls._configured(environ, prefix, dict(keywords))
        return cls(configuration, environ=environ, **rest)

    async def resolve(
        self, cookie_header: CookieHeaders, *, remaining_seconds: float | None = None, extend: bool = True
    ) -> Outcome:
        """As SessionManager.resolve. A cancelled call still commits a refresh it has begun."""
        return await self._run(self.flow(cookie_header, remaining_seconds=remaining_seconds, extend=extend))

    async def establish(self, tokens: object, *, cookie_header: CookieHeaders = None, user_agent: str | None = None) -> Session:
        """As SessionManager.establish."""
        flow = establish(self.case, SignedIn.of(tokens), presented=cookie_header, device=device_label(user_agent))
        return _established(await self._run(flow))

    async def sign_out(self, cookie_header: CookieHeaders) -> tuple[str, ...]:
        """As SessionManager.sign_out."""
        await self._run(log_out(self.case, cookie_header))
        return (self.case.cookie.delete_line(),)

    async def sessions_of(self, sub: str, *, current: str | None = None) -> list[SessionInfo]:
        """As SessionManager.sessions_of."""
        return await self._run(sessions_of(self.case, sub, current=current))

    async def revoke(self, sub: str, sid: str) -> bool:
        """As SessionManager.revoke."""
        return await self._run(revoke(self.case, sub, sid))

    async def revoke_all(self, sub: str, *, keep: str | None = None) -> int:
        """As SessionManager.revoke_all."""
        return await self._run(revoke_all(self.case, sub, keep=keep))

    async def save_data(self, me: Session, data: Mapping[str, Any]) -> Session:
        """As SessionManager.save_data."""
        return me.with_data(data, await self._run(save_data(self.case, me, data)))

    def managed_login(
        self,
        *,
        base_url: str | None = None,
        scopes: Sequence[str] = ("openid", "email", "profile"),
        callback_path: str = "/auth/callback",
        login_path: str = "/login",
        after_sign_in: str = "/",
        after_sign_out: str = "/",
    ) -> AsyncManagedLogin:
        """As SessionManager.managed_login."""
        from cognito_session.signin.managed_login import AsyncManagedLogin

        paths = {
            "callback_path": callback_path,
            "login_path": login_path,
            "after_sign_in": after_sign_in,
            "after_sign_out": after_sign_out,
        }
        return AsyncManagedLogin(self, self._login_site(base_url, paths, scopes))

    def password_flows(self, *, issuer: str | None = None) -> AsyncPasswordFlows:
        """As SessionManager.password_flows."""
        from cognito_session.signin.flows_async import AsyncPasswordFlows

        return AsyncPasswordFlows(self, issuer)

    async def csrf_token(self, me: Session) -> str:
        """As SessionManager.csrf_token."""
        from cognito_session.web.visit import csrf_token

        return await self._run(csrf_token(self.case, me.sid))

    async def _run(self, flow: Flow[T]) -> T:
        from cognito_session.drivers import aio

        return await aio.run(flow, self.ports)


def _established(found: Session | Rejected) -> Session:
    if isinstance(found, Rejected) and found.reason is Reason.TOO_MANY_SESSIONS:
        raise SessionForbidden("this user has as many sessions as the policy allows", reason=found.reason)
    if isinstance(found, Rejected):
        raise SessionRequired("this sign-in's session has been ended", reason=found.reason)
    return found


_defaults: dict[tuple[str | None, ...], SessionManager] = {}
_VARIABLES = (
    *(
        "SESSION_TABLE",
        "PARTITION_KEY",
        "SORT_KEY",
        "CLIENT_ID",
        "CLIENT_SECRET",
        "USER_POOL_ID",
        "SESSION_KEYS",
        "SESSION_STORE",
        "SESSION_SECRET_ARN",
    ),
    *("COGNITO_CLIENT_ID", "COGNITO_CLIENT_SECRET", "COGNITO_USER_POOL_ID", "AWS_REGION", "AWS_DEFAULT_REGION"),
    *("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER"),
)
"""What the configuration of session() is made of."""


def session(cookie_name: str, event: Mapping[str, Any], context: Any = None) -> Session:
    """The session of a Lambda event's token cookie, configured by the environment.

    `me.cognito` is {"AuthenticationResult": {"AccessToken": ...}} exactly when the browser needs a new cookie, else
    None. Raises SessionRequired (401), SessionUnavailable (503), ConfigurationError (500); each answers for itself
    with `.respond()`.
    """
    from cognito_session.web.protect import resolve_event

    return resolve_event(default_manager(cookie_name), event, context)


def default_manager(cookie_name: str) -> SessionManager:
    """The manager behind `session(cookie_name, ...)` in this environment, made when first asked for."""
    key = (cookie_name, *(os.environ.get(name) for name in _VARIABLES))
    manager = _defaults.get(key)
    if manager is None:
        manager = _defaults[key] = SessionManager.from_env(cookie="token", cookie_name=cookie_name)
    return manager
