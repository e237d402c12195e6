"""Checks a setup: configuration, keys, key set, app client and table. Each finding has its fix.

An error in one part does not stop the checks of the others. Nothing is changed and no user is signed in (probe.py does that).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cognito_session.aws.cognito_codes import pool_failure
from cognito_session.aws.jwks import CognitoKeySource
from cognito_session.aws.keyring_source import FixedKeyring
from cognito_session.aws.stored_secret import StoredSecret
from cognito_session.aws.transport.endpoint import endpoint_for
from cognito_session.aws.transport.interface import AnswerLost, NotSent, ServiceError, WireError
from cognito_session.clock import SystemClock
from cognito_session.core.crypto.keyring import Keyring
from cognito_session.core.errors import ProviderUnavailable, SessionError
from cognito_session.ops.app_client import Expected, check_app_client, grace_seconds
from cognito_session.ops.device_tracking import check_device_tracking
from cognito_session.ops.finding import Finding
from cognito_session.ops.table import Layout, Tables, Wanted, check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from cognito_session.aws.transport.interface import Wire
    from cognito_session.configuration import Configuration

__all__ = ["Doctor", "Paths"]

_TIMEOUT_SECONDS: Final = 10.0
_DENIED: Final = frozenset({"AccessDeniedException", "NotAuthorizedException"})


class Paths(NamedTuple):
    """The paths that the application passes to managed_login(). They follow APP_BASE_URL."""

    callback: str = "/auth/callback"
    after_sign_out: str = "/"


class Doctor:
    """Checks one application's setup. `session_days` is its policy's absolute timeout.

    After `examine`, `grace_seconds` is the app client's; None if rotation is off or the grace is not known.
    """

    def __init__(
        self,
        wire: Wire,
        names: Configuration,
        environ: Mapping[str, str],
        *,
        session_days: int = 7,
        paths: Paths | None = None,
    ) -> None:
        self._wire = wire
        self._names = names
        self._environ = environ
        self._session_days = session_days
        self._paths = paths or Paths()
        arn = names.session_secret_arn
        self._secret = None if arn is None else StoredSecret(lambda: wire, arn)
        self._client: Mapping[str, Any] | None = None
        self.grace_seconds: int | None = None

    def examine(self) -> Iterator[tuple[str, list[Finding]]]:
        """Each part's name and findings. An error of a part becomes a finding."""
        parts: dict[str, Callable[[], list[Finding]]] = {
            "keys": self._keys,
            "key set": self._key_set,
            "app client": self._app_client,
            "device tracking": self._device_tracking,
            "managed login": self._managed_login,
            "table": self._table,
        }
        for name, look in parts.items():
            try:
                yield name, look()
            except (SessionError, WireError) as error:  # one part must not hide the others
                yield name, [Finding("problem", str(error), "Correct this first, then run the command again.")]

    def client_secret(self) -> str | None:
        """CLIENT_SECRET, from the setting or the stored secret. Raises SessionUnavailable and ConfigurationError."""
        known = self._names.client_secret
        return known if known is not None or self._secret is None else self._secret.client_secret()

    def _keys(self) -> list[Finding]:
        if self._names.session_keys is not None:
            ring = FixedKeyring(self._names.session_keys).keyring(newer=False)
        elif self._secret is not None:
            ring = Keyring.parse(self._secret.keys())
        else:
            fix = (
                "Sealed cookies and managed login need them: `cognito-session keys new` prints an entry for SESSION_KEYS. If"
                " the table has sessions, set SESSION_ACCEPT_UNSEALED_ROWS=true with it until they have ended."
            )
            return [Finding("difference", "there are no sealing keys: secrets at rest are stored as they are", fix)]
        if len(ring.entries) == 1:
            return []
        fix = "Remove the last ones once the sessions that they sealed have ended."
        return [Finding("note", f"the first of {len(ring.entries)} keys seals, and all of them open", fix)]

    def _key_set(self) -> list[Finding]:
        names = self._names
        url = f"{endpoint_for('cognito-idp', names.pool_region, self._environ)}/{names.user_pool_id}/.well-known/jwks.json"
        CognitoKeySource(lambda: self._wire, url=url, clock=SystemClock()).keys(None)
        return []

    def _app_client(self) -> list[Finding]:
        names = self._names
        answer = self._described("DescribeUserPoolClient", UserPoolId=names.user_pool_id, ClientId=names.client_id)
        if isinstance(answer, Finding):
            return [answer]
        address = names.app_base_url.rstrip("/") if names.app_base_url and names.cognito_domain else None
        expected = Expected(
            self.client_secret(),
            self._session_days,
            callback_url=address and address + self._paths.callback,
            logout_url=address and address + self._paths.after_sign_out,
        )
        self._client = client = answer["UserPoolClient"]
        self.grace_seconds = grace_seconds(client)
        return check_app_client(client, expected)

    def _device_tracking(self) -> list[Finding]:
        """Runs after the app client's check, because its scopes decide whether managed login can confirm a device."""
        answer = self._described("DescribeUserPool", UserPoolId=self._names.user_pool_id)
        if isinstance(answer, Finding):
            return [answer]
        used = self._names.cognito_domain is not None
        seals = self._names.session_keys is not None or self._secret is not None
        return check_device_tracking(answer["UserPool"], self._client, managed_login=used, seals=seals)

    def _described(self, operation: str, **payload: str) -> dict[str, Any] | Finding:
        """Cognito's description, or a finding if it may not be read."""
        try:
            return self._wire.call("cognito-idp", operation, payload, timeout_seconds=_TIMEOUT_SECONDS)
        except ServiceError as error:
            if error.code in _DENIED:  # the caller of this command often may not read the pool
                fix = f"Allow cognito-idp:{operation} on the user pool to the caller of this command (not to the application)."
                return Finding("difference", f"its settings could not be read ({error.code})", fix)
            if error.code == "ResourceNotFoundException":
                return Finding("problem", "the user pool has no such app client", "Check USER_POOL_ID and CLIENT_ID.")
            raise pool_failure(error) from error
        except (NotSent, AnswerLost) as error:
            raise ProviderUnavailable(f"Cognito: {error}: check the network") from error

    def _managed_login(self) -> list[Finding]:
        """Its two settings belong together. Without both, the application has its own sign-in."""
        names = self._names
        if (names.cognito_domain is None) == (names.app_base_url is None):
            return []
        if names.cognito_domain is None:
            fix = "Set COGNITO_DOMAIN (Cognito console: Domain) if managed_login() is used; APP_BASE_URL alone is for CSRF."
            return [Finding("note", "APP_BASE_URL is set and COGNITO_DOMAIN is not", fix)]
        fix = "Set it to your application's address, like https://app.example."
        return [Finding("problem", "COGNITO_DOMAIN is set and APP_BASE_URL is not", fix)]

    def _table(self) -> list[Finding]:
        names = self._names
        if names.session_store is not None:
            return []
        layout = Layout(names.session_table, names.partition_key, names.sort_key)
        return check(Tables(self._wire), Wanted(layout))
