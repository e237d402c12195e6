"""The demo's AWS: the embedded stack with a pool, an app client, a table and one user, and the sample app on it.

Refresh tokens rotate, with Cognito's longest grace; access tokens live for seconds, so that one can watch.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from cognito_session import Session, SessionManager, SessionPolicy
from cognito_session.aws.wire import open_wire
from cognito_session.local.demo.app import sample_app
from cognito_session.local.demo.password import PasswordSignIn
from cognito_session.local.gateway import Handler
from cognito_session.local.stack import LocalStack

__all__ = ["ACCESS_TOKEN_SECONDS", "PASSWORD", "TABLE", "USERNAME", "World"]

ACCESS_TOKEN_SECONDS: Final = 20
TABLE: Final = "sessions"
USERNAME: Final = "alice"
PASSWORD: Final = "Wonderland-1865"
_GRACE_SECONDS: Final = 60


@dataclass(frozen=True)
class World:
    """A stack with everything in it; `environment` is what the app's Lambda function would be given."""

    stack: LocalStack
    environment: Mapping[str, str]

    @classmethod
    @contextmanager
    def started(cls) -> Iterator["World"]:
        """A world that ends with the `with` block. Raises StackError."""
        with LocalStack.start() as stack:
            pool = stack.create_pool(
                groups=("readers",), access_token_seconds=ACCESS_TOKEN_SECONDS, rotation_grace_seconds=_GRACE_SECONDS
            )
            stack.create_user(pool, USERNAME, PASSWORD, groups=("readers",))
            stack.create_table(TABLE, partition_key="sub", sort_key="sid", ttl_attribute="ttl")
            names = {"SESSION_TABLE": TABLE, "PARTITION_KEY": "sub", "SORT_KEY": "sid"}
            yield cls(stack, {**pool.environment(), **names})

    def app(self) -> Handler:
        """The sample app, in this world's environment and time."""
        sessions = SessionManager.from_env(
            cookie="token",
            cookie_name="token",
            policy=SessionPolicy(rotation_grace_seconds=_GRACE_SECONDS),
            environ=self.environment,
            clock=self.stack.clock,
        )
        passwords = PasswordSignIn(open_wire(environ=self.environment), self.environment["CLIENT_ID"])
        return sample_app(sessions, passwords, self)

    def now(self) -> float:
        """Epoch seconds of everyone here."""
        return self.stack.clock.now()

    def generation(self, me: Session) -> int:
        """Which generation of tokens the session's row holds; 0 where the row has gone."""
        row = self.stack.dynamodb().get_item(TABLE, {"sub": me.sub, "sid": me.sid})
        return int(row["gen"]) if row else 0

    def refresh_calls(self) -> int:
        """How many refresh calls the stack has seen."""
        return sum(call.operation == "GetTokensFromRefreshToken" for call in self.stack.calls("cognito"))
