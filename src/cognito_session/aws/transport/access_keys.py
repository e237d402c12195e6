"""AccessKeys: the AWS access keys that a call is signed with, and those that the environment holds.

Plain values: this file must know neither transports nor other sources of keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from cognito_session.core.checks import setting
from cognito_session.core.errors import ConfigurationError
from cognito_session.core.redact import redacted_repr

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["KEYS_REFUSED", "AccessKeys", "keys_in"]

KEYS_REFUSED: Final = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"}
)
"""Error codes for keys that have expired or were replaced, even if their source gave a later end."""


class AccessKeys(NamedTuple):
    """An access key id, its secret key, and the session token of temporary credentials."""

    key_id: str
    secret: str
    session_token: str | None = None

    def __repr__(self) -> str:
        return redacted_repr(self, "secret", "session_token")


def keys_in(environ: Mapping[str, str]) -> AccessKeys | None:
    """The keys in the environment; None without AWS_ACCESS_KEY_ID. Raises ConfigurationError for half a pair.

    AWS_SECURITY_TOKEN, the session token's older name, wins, as in botocore.
    """
    key_id = setting(environ, "AWS_ACCESS_KEY_ID")
    if not key_id:
        return None
    secret = setting(environ, "AWS_SECRET_ACCESS_KEY")
    if not secret:
        raise ConfigurationError("AWS_SECRET_ACCESS_KEY is not set: AWS_ACCESS_KEY_ID is, and is of no use without it")
    return AccessKeys(key_id, secret, setting(environ, "AWS_SECURITY_TOKEN") or setting(environ, "AWS_SESSION_TOKEN"))
