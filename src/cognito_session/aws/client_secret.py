"""ClientSecret: the app client's secret: a text, one in Secrets Manager that is read when needed, or none (a public client)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cognito_session.core.errors import ProviderUnavailable, SessionUnavailable
from cognito_session.core.secret import Secret, plain

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ClientSecret", "secret_hash"]


class ClientSecret:
    """`found` is the secret itself, or a function that returns it."""

    def __init__(self, found: str | Callable[[], str | None] | None) -> None:
        self._found = found if callable(found) else None
        self._kept = None if found is None or callable(found) else Secret(found)

    def __repr__(self) -> str:
        return "ClientSecret(hidden)"

    def read(self) -> Secret[str] | None:
        """The secret; None for a public client. May ask Secrets Manager.

        Raises ConfigurationError, and ProviderUnavailable (sent=False) if the secret cannot be read.
        """
        if self._found is None:
            return self._kept
        try:
            return Secret(found) if (found := self._found()) is not None else None
        except SessionUnavailable as error:
            raise ProviderUnavailable(f"the app client's secret could not be read: {error}", sent=False) from error

    def hash_for(self, username: str, client_id: str) -> str | None:
        """SECRET_HASH for this user name; None for a public client. Raises as `read`."""
        secret = self.read()
        return None if secret is None else secret_hash(username, client_id, secret)


def secret_hash(username: str, client_id: str, client_secret: str | Secret[str]) -> str:
    """Cognito's SECRET_HASH.

    https://docs.aws.amazon.com/cognito/latest/developerguide/signing-up-users-in-your-app.html#cognito-user-pools-computing-secret-hash
    """
    import hmac
    from base64 import b64encode

    digest = hmac.digest(str(plain(client_secret)).encode(), (username + client_id).encode(), "sha256")
    return b64encode(digest).decode("ascii")
