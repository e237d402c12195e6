"""FakePool: a user pool with one app client, in memory, with real RS256 tokens, refresh-token rotation and users.

1. Tokens have Cognito's claims, and a refresh brings the user's current groups.
2. `rotation` has the rules of refresh tokens: this pool uses their defaults.
3. If the pool tracks devices, every sign-in comes from a new one. Its refresh token works once the device is confirmed.
4. A refusal of the pool is a return value. Outages belong to the call, not to the pool.
https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-refresh-token.html
"""

from __future__ import annotations

from threading import RLock
from typing import TYPE_CHECKING, Any, Final, TypedDict
from uuid import NAMESPACE_DNS, uuid5

from cognito_session.core.crypto.access_token import TokenRules, verify
from cognito_session.core.crypto.id_token import at_hash
from cognito_session.core.errors import TokenError
from cognito_session.core.protocol.ports import PoolRefusal
from cognito_session.testing import signing
from cognito_session.testing.entropy import CountedBytes
from cognito_session.testing.pool_state import PASSWORD, PoolState, PoolUser, SignIn
from cognito_session.testing.rotation import REFUSALS, RefreshTokenRefusedError, RotationRules, TokenBook
from cognito_session.testing.token_claims import API_SCOPE, TokenIssue

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cognito_session.core.protocol.ports import Clock

__all__ = ["FakePool"]

_DAY_SECONDS: Final = 86_400
_RULES: Final = RotationRules()


class _Use(TypedDict):
    now: float
    grace_seconds: float | None
    rules: RotationRules


class FakePool:
    """A user pool for tests.

    `access_token_seconds`: the lifetime of access and ID tokens. `grace_seconds`: RetryGracePeriodSeconds, None if
    refresh-token rotation is off. `tracks_devices`: whether new sign-ins get a device. All can be changed at any time.
    """

    def __init__(
        self,
        *,
        user_pool_id: str,
        client_id: str,
        clock: Clock,
        entropy: CountedBytes | None = None,
        refresh_token_days: int = 30,
    ) -> None:
        self.user_pool_id = user_pool_id
        self.client_id = client_id
        self.access_token_seconds = 3600
        self.grace_seconds: float | None = None
        self.tracks_devices = False
        self.state: PoolState = PoolState()
        self.entropy: CountedBytes = entropy or CountedBytes()
        self._refresh_token_seconds = refresh_token_days * _DAY_SECONDS
        self._clock = clock
        self.lock: RLock = RLock()

    def __repr__(self) -> str:
        return f"FakePool({self.user_pool_id!r}, {len(self.state.users)} users)"

    @property
    def rules(self) -> TokenRules:
        """The rules that verify this pool's tokens."""
        return TokenRules.of_pool(self.user_pool_id, self.client_id)

    @property
    def issuer(self) -> str:
        """The `iss` of its tokens."""
        return min(self.rules.issuers, key=len)

    def account(self, username: str) -> PoolUser:
        """The user with this name. Raises LookupError."""
        found = self.state.users.get(username)
        if found is None:
            raise LookupError(f"no user {username!r} in the test pool: create one with cognito.user({username!r})")
        return found

    def ensure(self, username: str) -> PoolUser:
        """The user with this name, created if there is none."""
        with self.lock:
            return self.state.users.get(username) or self.add(username)

    def add(self, username: str, *, password: str = PASSWORD, confirmed: bool = True) -> PoolUser:
        """A new user. Raises ValueError if the name is taken."""
        with self.lock:
            if username in self.state.users:
                raise ValueError(f"the test pool already has a user {username!r}")
            self.state.created += 1
            sub = str(uuid5(NAMESPACE_DNS, f"{self.state.created}.{username}.{self.user_pool_id}"))
            account = PoolUser(username, sub, password, confirmed=confirmed)
            account.attributes["email"] = username if "@" in username else f"{username}@example.com"
            self.state.users[username] = account
            return account

    def delete(self, username: str) -> None:
        """Delete the user; a later user of the same name is a different one. Raises LookupError."""
        with self.lock:
            del self.state.users[self.account(username).username]

    def sign_out_everywhere(self, username: str) -> None:
        """AdminUserGlobalSignOut: none of the user's refresh tokens works any more. Raises LookupError."""
        with self.lock:
            sub = self.account(username).sub
            for sign_in in self.state.sign_ins.values():
                sign_in.revoked |= sign_in.sub == sub

    def sign_in(
        self,
        username: str,
        *,
        scopes: Iterable[str] = (API_SCOPE,),
        auth_time: int | None = None,
        claims: Mapping[str, Any] | None = None,
        nonce: str | None = None,
    ) -> dict[str, Any]:
        """Cognito's AuthenticationResult of a sign-in at `auth_time` (epoch seconds; by default now)."""
        with self.lock:
            account, now = self.account(username), self._clock.now()
            at = int(now) if auth_time is None else auth_time
            expires_at = now + self._refresh_token_seconds
            sign_in = SignIn(self.entropy.uuid(), username, account.sub, tuple(scopes), at, expires_at, dict(claims or {}))
            self.state.sign_ins[sign_in.origin_jti] = sign_in
            device = self._new_device(sign_in) if self.tracks_devices else {}
            issue = self._issue(account, sign_in)
            result = self._access(issue)
            of_the_code = {} if nonce is None else {"nonce": nonce, "at_hash": at_hash(result["AccessToken"])}
            id_token = signing.signed(issue.id_token(self.entropy.uuid(), **of_the_code))
            return {**result, "IdToken": id_token, "RefreshToken": self._tokens().issue(sign_in), **device}

    def refresh(self, refresh_token: str, device_key: str | None = None) -> dict[str, Any] | PoolRefusal:
        """New tokens, with a new refresh token if rotation is on; or Cognito's refusal."""
        with self.lock:
            book, use = self._tokens(), self._use()
            sign_in = book.find(refresh_token)
            if sign_in is None:
                return PoolRefusal(*REFUSALS["unknown"])
            user = self.state.users.get(sign_in.username)
            if user is None or user.sub != sign_in.sub:
                return PoolRefusal("UserNotFoundException", "User does not exist.")
            if not user.enabled:
                return PoolRefusal("NotAuthorizedException", "User is disabled.")
            try:
                book.check(refresh_token, **use)
            except RefreshTokenRefusedError as refused:
                return PoolRefusal(*REFUSALS[refused.reason])
            if sign_in.device_key and not (sign_in.device_confirmed and device_key == sign_in.device_key):
                return PoolRefusal(*REFUSALS["unknown"])
            result = self._access(self._issue(user, sign_in))
            new_token = book.use(refresh_token, **use).refresh_token
            return result if new_token is None else {**result, "RefreshToken": new_token}

    def revoke(self, refresh_token: str) -> None:
        """Revoke the token and all others of its sign-in; an unknown token changes nothing (RFC 7009 2.2)."""
        with self.lock:
            self._tokens().revoke(refresh_token, _RULES)

    def set_device(self, access_token: str, device_key: str, *, confirmed: bool) -> PoolRefusal | None:
        """ConfirmDevice and ForgetDevice for a device of the user; a forgotten one stays forgotten."""
        with self.lock:
            account = self.bearer(access_token)
            if account is None:
                return PoolRefusal("NotAuthorizedException", "Access Token has expired")
            for sign_in in self.state.sign_ins.values():
                if sign_in.device_key == device_key and sign_in.sub == account.sub and device_key not in self.state.forgotten:
                    sign_in.device_confirmed = confirmed
                    if not confirmed:
                        self.state.forgotten.add(device_key)
                    return None
            return PoolRefusal("ResourceNotFoundException", "Device does not exist.")

    def bearer(self, access_token: str) -> PoolUser | None:
        """The user of an unexpired access token whose sign-in is not revoked; None for any other text."""
        try:
            token = verify(access_token, signing.key_set(fetched_at=0.0), self.rules)
        except TokenError:
            return None
        sign_in = self.state.sign_ins.get(token.origin_jti)
        account = self.state.users.get(token.username)
        if sign_in is None or sign_in.revoked or token.expires_at <= self._clock.now():
            return None
        return account if account is not None and account.sub == token.sub and account.enabled else None

    def _tokens(self) -> TokenBook[SignIn]:
        """The rotation rules over the tokens of the state, which a test can go back to."""
        return TokenBook(self._new_token, self.state.tokens)

    def _use(self) -> _Use:
        return {"now": self._clock.now(), "grace_seconds": self.grace_seconds, "rules": _RULES}

    def _new_device(self, sign_in: SignIn) -> dict[str, Any]:
        region = self.user_pool_id.partition("_")[0]
        sign_in.device_key = f"{region}_{self.entropy.uuid()}"
        return {"NewDeviceMetadata": {"DeviceKey": sign_in.device_key, "DeviceGroupKey": f"-{self.entropy(4).hex()}"}}

    def _new_token(self) -> str:
        """An opaque text; a real one is longer."""
        return f"refresh.{self.entropy(48).hex()}"

    def _issue(self, account: PoolUser, sign_in: SignIn) -> TokenIssue:
        now = int(self._clock.now())
        expires_at = now + self.access_token_seconds
        self.state.last_expiry = max(self.state.last_expiry, expires_at)
        return TokenIssue(account, sign_in, self.issuer, self.client_id, now, expires_at, self.entropy.uuid())

    def _access(self, issue: TokenIssue) -> dict[str, Any]:
        token = signing.signed(issue.access_token(self.entropy.uuid()))
        return {"AccessToken": token, "ExpiresIn": self.access_token_seconds, "TokenType": "Bearer"}
