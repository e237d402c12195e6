"""Credentials: the AWS access keys of each call, from the environment, else from a role or a profile.

Rules: keys in the environment win and are read at each call, because a process may replace them; with them botocore is not
loaded. botocore resolves all other sources (container, IRSA, instance, SnapStart, profile, SSO). This file must not know
transports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cognito_session.aws.transport.access_keys import AccessKeys, keys_in
from cognito_session.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cognito_session.aws.transport.renewed_keys import RenewedKeys

__all__ = ["Credentials"]


class Credentials:
    """The source of a transport's access keys. Safe to share between threads; usable again after a fork."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._renewed: RenewedKeys | None = None

    def read(self, name: str, timeout_seconds: float) -> AccessKeys:
        """The keys to sign the call `name` with. If none are known yet, waits at most `timeout_seconds`.

        Raises ConfigurationError, and NotSent if a source does not answer.
        """
        return keys_in(self._environ) or self.elsewhere().read(name, timeout_seconds)

    def refused(self, keys: AccessKeys) -> None:
        """Drop keys that AWS refused as expired or unknown; the next call resolves others. Ignores the environment's keys."""
        if self._renewed is not None:
            self._renewed.refused(keys)

    def elsewhere(self) -> RenewedKeys:
        """The keys of botocore's chain of sources. Raises ConfigurationError if botocore is not installed."""
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
