"""A user pool with one app client, and a user of it, as a test holds them.

Both are frozen values. A client secret never shows in a repr.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass, field

from cognito_session.core.partition import issuers_of

__all__ = ["Pool", "User", "secret_hash", "stack_environment"]


def stack_environment(url: str, region: str) -> dict[str, str]:
    """The environment that makes AWS SDKs and the library use the stack at `url`."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }


def secret_hash(client_id: str, client_secret: str, username: str) -> str:
    """The SECRET_HASH of a user.

    https://docs.aws.amazon.com/cognito/latest/developerguide/signing-up-users-in-your-app.html
    """
    digest = hmac.new(client_secret.encode(), (username + client_id).encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


@dataclass(frozen=True, slots=True)
class Pool:
    """A user pool with one of its app clients.

    issuer: AWS's own, as in the tokens, although it is not reachable here. domain: the base of /oauth2/token and the other
    OAuth endpoints. url: the base of everything else, `/{user_pool_id}/.well-known/jwks.json` included.
    """

    user_pool_id: str
    client_id: str
    client_secret: str | None = field(repr=False)
    url: str
    region: str
    rotation_grace_seconds: int | None = None

    @property
    def issuer(self) -> str:
        """The `iss` of its tokens."""
        return issuers_of(self.user_pool_id)[0]

    @property
    def domain(self) -> str:
        """The base address of its OAuth endpoints."""
        return self.url

    @property
    def jwks_url(self) -> str:
        """The address of its key set."""
        return f"{self.url}/{self.user_pool_id}/.well-known/jwks.json"

    def environment(self) -> dict[str, str]:
        """The stack's environment with USER_POOL_ID, CLIENT_ID and, for a confidential client, CLIENT_SECRET."""
        named = {"USER_POOL_ID": self.user_pool_id, "CLIENT_ID": self.client_id}
        secret = {} if self.client_secret is None else {"CLIENT_SECRET": self.client_secret}
        return {**stack_environment(self.url, self.region), **named, **secret}

    def secret_hash(self, username: str) -> str | None:
        """The SECRET_HASH of a user; None for a public client."""
        return None if self.client_secret is None else secret_hash(self.client_id, self.client_secret, username)


@dataclass(frozen=True, slots=True)
class User:
    """A confirmed user."""

    username: str
    sub: str
