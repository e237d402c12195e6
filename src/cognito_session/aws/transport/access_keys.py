"""The AWS access keys that a call is signed with: from the environment, else from a role or a profile.

Rules: keys in the environment win and are read at each call, because a process may replace them; with them nothing of
botocore is loaded. All other sources (container, IRSA, instance, SnapStart, profile, SSO) are botocore's to resolve. It
must not know transports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from cognito_session.core.arguments import setting
from cognito_session.core.errors import ConfigurationError
from cognito_session.core.redact import redacted_repr

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cognito_session.aws.transport.renewed_keys import RenewedKeys

__all__ = ["KEYS_REFUSED", "AccessKeys", "Credentials", "keys_in"]

KEYS_REFUSED: Final = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"}
)
"""What a service answers where keys have expired or were replaced, whatever their source said of their end."""


class AccessKeys(NamedTuple):
    """An access key id, its secret key, and the session token of temporary credentials."""

    key_id: str
    secret: str
    session_token: str | None = None

    def __repr__(self) -> str:
        return redacted_repr(self, "secret", "session_token")


def keys_in(environ: Mapping[str, str]) -> AccessKeys | None:
    """The keys that the environment holds, None where it has no AWS_ACCESS_KEY_ID; ConfigurationError for half a pair.

    The older name of the session token, AWS_SECURITY_TOKEN, comes first, as in botocore.
    """
    key_id = setting(environ, "AWS_ACCESS_KEY_ID")
    if not key_id:
        return None
    secret = setting(environ, "AWS_SECRET_ACCESS_KEY")
    if not secret:
        raise ConfigurationError("AWS_SECRET_ACCESS_KEY is not set: AWS_ACCESS_KEY_ID is, and is of no use without it")
    return AccessKeys(key_id, secret, setting(environ, "AWS_SECURITY_TOKEN") or setting(environ, "AWS_SESSION_TOKEN"))


class Credentials:
    """Where a transport gets the keys for each call. Safe to share between threads; usable again after a fork."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._renewed: RenewedKeys | None = None

    def read(self, name: str, timeout_seconds: float) -> AccessKeys:
        """The keys to sign the call `name` with; waits at most `timeout_seconds` where none are known yet.

        Raises ConfigurationError, and NotSent where a source gives no answer.
        """
        return keys_in(self._environ) or self.elsewhere().read(name, timeout_seconds)

    def refused(self, keys: AccessKeys) -> None:
        """AWS refused these keys as expired or unknown: the next call resolves others, if they came from a source."""
        if self._renewed is not None:
            self._renewed.refused(keys)

    def elsewhere(self) -> RenewedKeys:
        """The keys of botocore's chain. Raises ConfigurationError where botocore is not installed."""
        if self._renewed is None:
            try:
                from cognito_session.aws.transport.botocore_chain import resolve_keys
            except ImportError:
                raise ConfigurationError(
                    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set: set them, or install botocore"
                    " (cognito-session[boto3]), which also finds the credentials of profiles, roles and containers"
                ) from None
            from cognito_session.aws.transport.renewed_keys import RenewedKeys

            environ = self._environ
            self._renewed = RenewedKeys(lambda: resolve_keys(environ))
        return self._renewed
