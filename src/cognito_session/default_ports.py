"""DefaultPorts: the ports that a configuration asks for: DynamoDB or SQLite, Cognito, its key set, the sealing keys.

No port connects before a request needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cognito_session.aws.client_secret import ClientSecret
from cognito_session.aws.dynamodb import DynamoDBStore
from cognito_session.aws.jwks import CognitoKeySource
from cognito_session.aws.keyring_source import FixedKeyring, RenewedKeyring
from cognito_session.aws.oauth import CognitoAuthorizationServer
from cognito_session.aws.stored_secret import StoredSecret
from cognito_session.aws.token_refresh import CognitoProvider
from cognito_session.aws.transport.endpoint import endpoint_for
from cognito_session.aws.user_pool import CognitoUserPool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cognito_session.aws.transport.interface import Wire
    from cognito_session.configuration import Configuration
    from cognito_session.core.policy import SessionPolicy
    from cognito_session.core.protocol.ports import Clock, KeyringSource, SessionStore

__all__ = ["DefaultPorts"]


class DefaultPorts:
    """Makes the ports of one manager. They share one transport."""

    def __init__(
        self,
        configuration: Configuration,
        clock: Clock,
        *,
        boto3_session: Any,
        clients: Mapping[str, Any] | None,
        environ: Mapping[str, str],
    ) -> None:
        self._configuration = configuration
        self._clock = clock
        self._environ = environ
        self._wire = _wire_opener(configuration, boto3_session, clients, environ)
        arn = configuration.session_secret_arn
        self._secret = None if arn is None else StoredSecret(self._wire, arn)

    def store(self) -> SessionStore:
        """DynamoDB, or the file that SESSION_STORE names."""
        names = self._configuration
        if names.session_store is not None:
            from cognito_session.sqlite_store import SQLiteStore

            return SQLiteStore.from_url(names.session_store)
        return DynamoDBStore(self._wire, table=names.session_table, partition_key=names.partition_key, sort_key=names.sort_key)

    def keyrings(self, read: Callable[[], str] | None) -> KeyringSource | None:
        """Keys from a callable, from SESSION_KEYS, or from Secrets Manager; None where there are none."""
        names = self._configuration
        if read is not None:
            return RenewedKeyring(read, self._clock)
        if names.session_keys is not None:
            return FixedKeyring(names.session_keys)
        if self._secret is not None:
            return RenewedKeyring(self._secret.keys, self._clock)
        return None

    def _client_secret(self) -> ClientSecret:
        """CLIENT_SECRET, else the client secret in Secrets Manager."""
        known = self._configuration.client_secret
        return ClientSecret(known if known is not None or self._secret is None else self._secret.client_secret)

    def provider(self) -> CognitoProvider:
        """Refreshes and revokes tokens at Cognito."""
        names = self._configuration
        return CognitoProvider(
            self._wire,
            client_id=names.client_id,
            client_secret=self._client_secret(),
            clock=self._clock,
            user_pool_id=names.user_pool_id,
        )

    def user_pool(self) -> CognitoUserPool:
        """The user pool API, for sign-in without a redirect."""
        names = self._configuration
        return CognitoUserPool(self._wire, client_id=names.client_id, client_secret=self._client_secret())

    def authorization_server(self) -> CognitoAuthorizationServer:
        """The OAuth endpoints of managed login."""
        names = self._configuration
        return CognitoAuthorizationServer(
            self._wire,
            domain=names.cognito_domain,
            region=names.pool_region,
            client_id=names.client_id,
            client_secret=self._client_secret(),
            environ=self._environ,
        )

    def keys(self, policy: SessionPolicy) -> CognitoKeySource:
        """The user pool's key set."""
        names = self._configuration
        base = endpoint_for("cognito-idp", names.pool_region, self._environ)
        return CognitoKeySource(
            self._wire,
            url=f"{base}/{names.user_pool_id}/.well-known/jwks.json",
            clock=self._clock,
            max_age_seconds=policy.key_set_max_age_seconds,
            outage_seconds=policy.key_set_outage_seconds,
        )


def _wire_opener(
    configuration: Configuration, boto3_session: Any, clients: Mapping[str, Any] | None, environ: Mapping[str, str]
) -> Callable[[], Wire]:
    """Opens the transport at the first call: a cold start whose cookie is refused opens none."""
    opened: list[Wire] = []

    def wire() -> Wire:
        if not opened:
            from cognito_session.aws.transport.open import open_wire

            opened.append(
                open_wire(
                    boto3_session=boto3_session,
                    clients=clients,
                    regions=configuration.regions,
                    environ=environ,
                )
            )
        return opened[0]

    return wire
