"""Users of the test pools: create them, sign them in, and change them at Cognito.

These methods bypass the application: they are not in `calls`, and no fault affects them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import parse_qs, urlsplit

from cognito_session.core.crypto.access_token import verify
from cognito_session.core.errors import ConfigurationError
from cognito_session.core.protocol.session import Session
from cognito_session.testing import environment, signing
from cognito_session.testing.browser import Browser, SignedInAs
from cognito_session.testing.pool_state import PASSWORD
from cognito_session.testing.token_claims import API_SCOPE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from cognito_session import AsyncSessionManager, SessionManager
    from cognito_session.testing.attachment import Attachment
    from cognito_session.testing.fake_pool import FakePool
    from cognito_session.testing.kit_state import KitState
    from cognito_session.testing.pool_state import PoolUser

    Manager = SessionManager | AsyncSessionManager
    Who = str | Browser | None

__all__ = ["DEFAULT_USER", "SignInOptions", "Users"]

DEFAULT_USER: Final = "alice"
_FAR_SECONDS: Final = 7 * 86_400


class SignInOptions(NamedTuple):
    """The user to sign in, and the options of the sign-in; None: the default."""

    username: str
    groups: Collection[str] | None = None
    scopes: Collection[str] | None = None
    auth_time: int | None = None
    claims: Mapping[str, Any] | None = None
    user_agent: str | None = None


class Users:
    """The part of `Cognito` for users. `manager` selects one of several attached managers; by default the first."""

    _state: KitState
    _attachments: list[Attachment]
    _browser: Browser
    _last: Browser
    _named: dict[str, Browser]

    def user(
        self,
        username: str = DEFAULT_USER,
        *,
        password: str = PASSWORD,
        groups: Collection[str] | None = None,
        attributes: Mapping[str, str] | None = None,
        mfa: str | None = None,
        confirmed: bool = True,
        must_change_password: bool = False,
        manager: Manager | None = None,
    ) -> PoolUser:
        """Create or change a user of the pool without signing in, for applications with their own sign-in form.

        `mfa` is the challenge after the password, such as "SOFTWARE_TOKEN_MFA", "EMAIL_OTP" or "SMS_MFA"; the code is always
        "123456".
        """
        account = self._account(self._pool(manager), username, groups)
        account.password, account.mfa = password, mfa
        account.confirmed, account.must_change_password = confirmed, must_change_password
        account.attributes |= attributes or {}
        return account

    def sign_in(
        self,
        username: str = DEFAULT_USER,
        *,
        groups: Collection[str] | None = None,
        scopes: Collection[str] | None = None,
        auth_time: int | None = None,
        claims: Mapping[str, Any] | None = None,
        user_agent: str | None = None,
        manager: Manager | None = None,
    ) -> Browser:
        """Sign a user in on a new browser, which sends later events unless they name another.

        `groups` are the user's from now on; `auth_time` (epoch seconds) is the time of the sign-in, by default now; `claims`
        are added to the access tokens, as by a pre token generation trigger. Sign in twice for two devices.
        """
        self._browser = self._last = browser = Browser(self._state.clock)
        wanted = SignInOptions(username, groups, scopes, auth_time, claims, user_agent)
        self._sign_in(browser, self._attachment(manager), wanted)
        return browser

    def tokens(
        self,
        username: str = DEFAULT_USER,
        *,
        groups: Collection[str] | None = None,
        scopes: Collection[str] | None = None,
        auth_time: int | None = None,
        claims: Mapping[str, Any] | None = None,
        manager: Manager | None = None,
    ) -> dict[str, Any]:
        """Cognito's AuthenticationResult of a sign-in, for `sessions.establish(...)` in your own test."""
        pool = self._pool(manager)
        self._account(pool, username, groups)
        return pool.sign_in(username, scopes=_scopes(scopes), auth_time=auth_time, claims=claims)

    def session(
        self,
        username: str = DEFAULT_USER,
        *,
        groups: Collection[str] | None = None,
        scopes: Collection[str] | None = None,
        auth_time: int | None = None,
        claims: Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
        manager: Manager | None = None,
    ) -> Session:
        """A Session as a request receives it, without a row or cookie, for a dependency override or a function that takes one.

        It needs no attached manager.
        """
        pool, now = self._pool(manager), int(self._state.clock.now())
        made = self.tokens(username, groups=groups, scopes=scopes, auth_time=auth_time, claims=claims, manager=manager)
        token = verify(made["AccessToken"], signing.key_set(fetched_at=0.0), pool.rules)
        end = now + _FAR_SECONDS
        return Session.of(token, sid=token.origin_jti, auth_time=auth_time, expires_at=end, now=now, data=data or {})

    def authorize(
        self,
        url: str,
        username: str = DEFAULT_USER,
        *,
        groups: Collection[str] | None = None,
        error: str | None = None,
    ) -> str:
        """Sign in at managed login: from the address of `login.start()` to the address that Cognito redirects to.

        Pass the result as the `path` of the next event or request. With `error` ("access_denied") Cognito redirects with it
        instead of a code. Raises ValueError for an address that Cognito refuses.
        """
        asked = parse_qs(urlsplit(url).query).get("client_id", [""])[0]
        found = [attachment for attachment in self._attachments if attachment.pool.client_id == asked]
        attachment = found[0] if found else self._attachment(None)
        self._account(attachment.pool, username, groups)
        return attachment.authorization_server.authorize(url, username, error=error)

    def disable(self, user: Who = None) -> None:
        """Disable a user at Cognito: the next refresh is refused. By default the user of the latest sign-in."""
        self._change(user, lambda account: setattr(account, "enabled", False))

    def enable(self, user: Who = None) -> None:
        """Enable a user again."""
        self._change(user, lambda account: setattr(account, "enabled", True))

    def set_groups(self, user: Who, groups: Collection[str]) -> None:
        """Put a user into exactly these groups; the next refresh brings them."""
        self._change(user, lambda account: setattr(account, "groups", tuple(groups)))

    def delete(self, user: Who = None) -> None:
        """Delete a user at Cognito."""
        for pool, username in self._holders(user):
            pool.delete(username)

    def sign_out_everywhere(self, user: Who = None) -> None:
        """Revoke all of a user's tokens at Cognito, as an administrator does; the application is not notified."""
        for pool, username in self._holders(user):
            pool.sign_out_everywhere(username)

    def _sign_in(self, browser: Browser, attachment: Attachment, wanted: SignInOptions) -> None:
        account = self._account(attachment.pool, wanted.username, wanted.groups)
        if not account.enabled:
            raise ValueError(f"sign_in: the user {wanted.username!r} is disabled")
        scopes = _scopes(wanted.scopes)
        tokens = attachment.pool.sign_in(wanted.username, scopes=scopes, auth_time=wanted.auth_time, claims=wanted.claims)
        me = attachment.establish(tokens, wanted.user_agent)
        identity = SignedInAs(wanted.username, account.groups, scopes, account.sub, me.sid)
        browser.signed_in(attachment.cookie_name, identity, me.set_cookies)
        self._named[wanted.username] = browser

    def _account(self, pool: FakePool, username: str, groups: Collection[str] | None) -> PoolUser:
        if isinstance(groups, str):
            raise TypeError("groups: expected a list of names, not a text")
        account = pool.ensure(username)
        if groups is not None:
            account.groups = tuple(groups)
        return account

    def _change(self, user: Who, change: Callable[[PoolUser], None]) -> None:
        for pool, username in self._holders(user):
            change(pool.account(username))

    def _holders(self, user: Who) -> Iterator[tuple[FakePool, str]]:
        """The pools that have the user. Raises LookupError if there are none."""
        username = user if isinstance(user, str) else (user or self._browser).username
        found = [pool for pool in self._state.pools.values() if username in pool.state.users]
        if not found:
            raise LookupError(f"no user {username!r} in the test pool: create one with cognito.user({username!r})")
        return ((pool, username) for pool in found)

    def _pool(self, manager: Manager | None) -> FakePool:
        """The manager's pool, or the kit's own if no manager is attached."""
        if manager is not None or self._attachments:
            return self._attachment(manager).pool
        return self._state.pool(environment.DEFAULTS["USER_POOL_ID"], environment.DEFAULTS["CLIENT_ID"])

    def _attachment(self, manager: Manager | None) -> Attachment:
        found = [each for each in self._attachments if manager is None or each.manager is manager]
        if not found:
            raise ConfigurationError("attach the manager first: cognito.attach(sessions)")
        return found[0]


def _scopes(scopes: Collection[str] | None) -> tuple[str, ...]:
    return (API_SCOPE,) if scopes is None else tuple(scopes)
