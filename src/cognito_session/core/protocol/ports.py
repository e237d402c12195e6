"""What the core needs from the world. All synchronous: the asynchronous driver runs them in its threads.

A refusal is an answer; not finding out is an exception (StoreUnavailable, ProviderUnavailable, KeysUnavailable).
The contract suite in cognito_session.testing proves a store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol

from cognito_session.core.redact import redacted_repr

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cognito_session.core.crypto.key_set import KeySet
    from cognito_session.core.crypto.keyring import Keyring
    from cognito_session.core.protocol.conditions import Change, Written
    from cognito_session.core.protocol.record import Row, SessionKey

__all__ = [
    "DEVICE_REFUSED",
    "TOO_LATE",
    "AuthorizationServer",
    "Clock",
    "CodeGrant",
    "DeviceConfirmation",
    "GrantRefused",
    "IdentityProvider",
    "KeySource",
    "KeyringSource",
    "NewTokens",
    "PoolRefusal",
    "RefreshDenied",
    "RefreshRequest",
    "SessionStore",
    "UserPool",
]


TOO_LATE: Final = "too_late"
"""Reason of the ProviderUnavailable for a refresh call that was not sent because its lease is nearly over."""


DEVICE_REFUSED: Final = "device_refused"
"""Code of the RefreshDenied for a refresh token whose device Cognito does not accept: never confirmed, or forgotten."""


class Clock(Protocol):
    """Time as a value."""

    def now(self) -> float:
        """Epoch seconds by this worker's wall clock."""
        ...

    def monotonic(self) -> float:
        """Seconds of a clock that never goes back, from any origin."""
        ...


class SessionStore(Protocol):
    """Rows of sessions, written only under conditions. docs/write-a-store.md has the rules and an example.

    Threads and forked workers call it at the same time. Each method raises StoreUnavailable if the result is not known,
    never a value that means "no", and ConfigurationError for wrong settings.
    """

    @property
    def one_row_per_user(self) -> bool:
        """Whether a user has one row, found by `sub` alone. Then `sid` is an ordinary attribute."""
        ...

    def load(self, key: SessionKey) -> Row | None:
        """The row as last committed, or None if there is none. The caller may change the dict."""
        ...

    def write(self, change: Change) -> Written:
        """Check the conditions and apply the change in one atomic step; the result has the row before it.

        After a StoreUnavailable the caller may repeat the same change.
        """
        ...

    def write_all(self, changes: Sequence[Change]) -> bool:
        """Apply all changes in one atomic step, each to another row, if the conditions of all hold.

        Otherwise apply none and return False.
        """
        ...

    def rows_of(self, sub: str) -> list[Row]:
        """All rows of the user as last committed, in any order.

        A store may also have `attributes_of(sub, names)`: the same rows, reduced to `sub`, `sid` and the named attributes that
        they have. Without it the library reads whole rows.
        """
        ...


class RefreshRequest(NamedTuple):
    """One refresh call. `send_before` is the monotonic instant after which it must not be sent any more."""

    refresh_token: str
    username: str | None
    device_key: str | None
    send_before: float

    def __repr__(self) -> str:
        return redacted_repr(self, "refresh_token", "device_key")


class NewTokens(NamedTuple):
    """What Cognito returned; `refresh_token` is None where it did not rotate."""

    access_token: str
    refresh_token: str | None = None

    def __repr__(self) -> str:
        return redacted_repr(self, "access_token", "refresh_token")


class RefreshDenied(NamedTuple):
    """Cognito's verdict on a refresh token.

    `dead`: revoked, expired, invalid, reused, its user disabled or gone. `unknown`: a refusal whose message is not
    known and that nothing has explained, so that no session may be rejected for it, however long it lasts.
    """

    verdict: Literal["dead", "unknown"]
    code: str


class DeviceConfirmation(NamedTuple):
    """One ConfirmDevice. `salt` and `verifier` are DeviceSecretVerifierConfig's, in base64; `name` is shown in ListDevices."""

    access_token: str
    device_key: str
    salt: str
    verifier: str
    name: str

    def __repr__(self) -> str:
        return redacted_repr(self, "access_token", "device_key", "salt", "verifier")


class IdentityProvider(Protocol):
    """Amazon Cognito, as far as a session needs it."""

    def refresh(self, request: RefreshRequest) -> NewTokens | RefreshDenied:
        """Send exactly one refresh call, never resent, cut after four seconds.

        Raises ProviderUnavailable (`.sent` tells what is known) and ConfigurationError.
        """
        ...

    def revoke(self, refresh_token: str) -> None:
        """Revoke the token at Cognito. Raises ProviderUnavailable or ConfigurationError."""
        ...

    def global_sign_out(self, username: str) -> None:
        """Revoke all of the user's tokens (AdminUserGlobalSignOut). Raises ProviderUnavailable or ConfigurationError."""
        ...

    def confirm_device(self, confirmation: DeviceConfirmation) -> PoolRefusal | None:
        """Confirm a tracked device; None also where it was confirmed before. Raises ProviderUnavailable."""
        ...

    def forget_device(self, access_token: str, device_key: str) -> None:
        """Forget a tracked device; one that is unknown is forgotten already. Raises ProviderUnavailable."""
        ...


class KeyringSource(Protocol):
    """The keys that seal cookies and secrets at rest."""

    def keyring(self, *, newer: bool) -> Keyring:
        """The current keyring, or a newer one where there is one. Raises SessionUnavailable or ConfigurationError."""
        ...


class KeySource(Protocol):
    """The user pool's signing keys."""

    def keys(self, missing_kid: str | None) -> KeySet:
        """The cached key set; fetched where there is none, or where `missing_kid` may cause a fetch.

        A key set without `missing_kid` says that no such key exists. Raises KeysUnavailable where that is not known: no key
        set could be fetched, or the cached one is older than the question and must not be fetched again yet.

        A source may have a second method, `keys_of_answer(missing_kid)`, with the same result for a token that came straight
        from Cognito: it may fetch sooner, since no client can flood it with invented key ids.
        """
        ...


class PoolRefusal(NamedTuple):
    """The user pool said no: `code` is the exception's name, `message` its text (never shown to anybody)."""

    code: str
    message: str = ""

    def __repr__(self) -> str:
        return redacted_repr(self, "message")


class UserPool(Protocol):
    """The operations of the user pools API that an app client may call without credentials: sign-up, sign-in, passwords.

    https://docs.aws.amazon.com/cognito/latest/developerguide/authentication-flows-public-server-side.html
    """

    @property
    def client_id(self) -> str:
        """The app client's id."""
        ...

    def call(self, operation: str, payload: Mapping[str, Any]) -> dict[str, Any] | PoolRefusal:
        """One call, sent at most once, with SECRET_HASH where the app client has a secret; its answer, or a refusal.

        Values of `payload` may be a Secret, which is revealed where it is sent. Raises ProviderUnavailable for an outage and
        for throttling, ConfigurationError for what the app's operator must repair.
        """
        ...


class CodeGrant(NamedTuple):
    """An authorization code to be redeemed (RFC 6749 4.1.3, RFC 7636 4.5)."""

    code: str
    verifier: str
    redirect_uri: str

    def __repr__(self) -> str:
        return redacted_repr(self, "code", "verifier")


class GrantRefused(NamedTuple):
    """The token endpoint said no; `error` is OAuth's code (RFC 6749 5.2)."""

    error: str


class AuthorizationServer(Protocol):
    """Cognito's OAuth endpoints at the user pool's domain."""

    @property
    def domain(self) -> str:
        """Their address without a path, for example https://auth.example.com. Raises ConfigurationError."""
        ...

    def exchange(self, grant: CodeGrant) -> dict[str, Any] | GrantRefused:
        """Redeem the code, in one request that is never resent; the token endpoint's answer.

        Raises ProviderUnavailable and ConfigurationError.
        """
        ...
