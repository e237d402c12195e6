"""The demo's deployment: the embedded stack with a user pool, users and a table, and the sample app that uses them.

Refresh tokens rotate, with Cognito's longest grace period. Access tokens live for seconds, so that you can watch a refresh.
The app is at localhost and Cognito at 127.0.0.1: a browser treats them as two sites, as in production.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from cognito_session import Session, SessionManager, SessionPolicy
from cognito_session.core.crypto.keyring import KEY_BYTES, new_entry
from cognito_session.local.gateway import Gateway, Handler
from cognito_session.local.stack import LocalStack, Pool, User
from examples.demo.app import sample_app
from examples.demo.call_counts import CallMeter
from examples.demo.demo_tools import DemoUser
from examples.demo.recent_sign_in import RECENT_SECONDS
from examples.demo.sign_in_routes import CALLBACK
from examples.demo.signed_in_routes import EDITORS

__all__ = ["ACCESS_TOKEN_SECONDS", "ALICE", "BOB", "TABLE", "USERS", "Deployment", "base_url"]

ACCESS_TOKEN_SECONDS: Final = 20
TABLE: Final = "sessions"

ALICE: Final = DemoUser("alice", "Wonderland-1865", "in the group editors")
BOB: Final = DemoUser("bob", "Sherwood-1377!", "in no group")
_CAROL: Final = DemoUser("carol", "Christmas-1843", "has an authenticator app")
_DAVE: Final = DemoUser("dave", "Copperfield-1850", "gets a code by email")
_ERIN: Final = DemoUser("erin", "Temporary-1916!", "must choose a new password")
USERS: Final = (ALICE, BOB, _CAROL, _DAVE, _ERIN)
_GRACE_SECONDS: Final = 60


@dataclass(frozen=True)
class Deployment:
    """A stack with a pool, a table and users, and the codes that these users receive."""

    stack: LocalStack
    pool: Pool
    users: tuple[DemoUser, ...] = USERS
    _totp_secrets: dict[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    @contextmanager
    def started(cls) -> Iterator["Deployment"]:
        """Starts the stack; it stops at the end of the `with` block. Raises StackError."""
        with LocalStack.start() as stack:
            pool = stack.create_pool(groups=(EDITORS,), mfa="OPTIONAL")
            stack.create_table(TABLE, partition_key="sub", sort_key="sid", ttl_attribute="ttl")
            deployment = cls(stack, pool)
            deployment.add(ALICE, groups=(EDITORS,))
            deployment.add(BOB)
            deployment.add(_CAROL)
            deployment.give_authenticator(_CAROL.username)
            deployment.add(_DAVE)
            stack.set_mfa(pool, _DAVE.username, "EMAIL_OTP", preferred="EMAIL_OTP")
            stack.create_user(pool, _ERIN.username, temporary_password=_ERIN.password, email="erin@example.com")
            yield deployment

    def add(self, user: DemoUser, groups: Iterable[str] = ()) -> User:
        """Creates a user with a confirmed address."""
        email = f"{user.username}@example.com"
        return self.stack.create_user(self.pool, user.username, user.password, groups=groups, email=email)

    def give_authenticator(self, username: str) -> None:
        """Enrolls an authenticator app. Each sign-in of the user needs its code from now on."""
        self._totp_secrets[username] = self.stack.enroll_totp(self.pool, username)

    @contextmanager
    def served(self, port: int = 0) -> Iterator[Gateway]:
        """Serves the sample app; `base_url` is its address. Raises OSError if the port is taken."""
        with Gateway(_starting, port, clock=self.stack.clock) as gateway:
            gateway.handler = self.app(base_url(gateway))
            yield gateway

    def app(self, address: str) -> Handler:
        """The sample app for this address, with the stack's clock."""
        policy = SessionPolicy(rotation_grace_seconds=_GRACE_SECONDS, max_sessions=5, recent_sign_in_seconds=RECENT_SECONDS)
        sessions = SessionManager.from_env(policy=policy, environ=self.environment(address), clock=self.stack.clock)
        return sample_app(sessions, self)

    def environment(self, address: str) -> dict[str, str]:
        """The variables of the app's Lambda function: a new app client, the table, and new keys."""
        client = self.stack.create_client(
            self.pool,
            access_token_seconds=ACCESS_TOKEN_SECONDS,
            rotation_grace_seconds=_GRACE_SECONDS,
            callback_urls=[address + CALLBACK],
            logout_urls=[f"{address}/"],
        )
        names = {
            "SESSION_TABLE": TABLE,
            "PARTITION_KEY": "sub",
            "SORT_KEY": "sid",
            "SESSION_KEYS": new_entry(None, os.urandom(KEY_BYTES)),
        }
        return {**client.environment(), **names, "COGNITO_DOMAIN": client.domain, "APP_BASE_URL": address}

    def generation(self, me: Session) -> int:
        """The generation of tokens in the session's row; 0 without a row."""
        row = self.stack.dynamodb().get_item(TABLE, {"sub": me.sub, "sid": me.sid})
        return int(row["gen"]) if row else 0

    @property
    def meter(self) -> CallMeter:
        """Counts the calls to the stack."""
        return CallMeter(lambda after: self.stack.calls(after=after))

    def mail(self, username: str) -> str | None:
        """The latest code that was sent to a user."""
        sent = self.stack.outbox(username) if username else []
        return sent[-1].code if sent else None

    def authenticator(self, username: str) -> str | None:
        """The current code of a user's authenticator app; None for a user without one."""
        secret = self._totp_secrets.get(username)
        return None if secret is None else self.totp(secret)

    def totp(self, secret: str) -> str:
        """The current code of an authenticator app with this secret."""
        return self.stack.totp(secret)


def base_url(gateway: Gateway) -> str:
    """The app's address in a browser."""
    return f"http://localhost:{gateway.port}"


def _starting(_event: dict[str, object], _context: object) -> dict[str, object]:
    return {"statusCode": 503, "body": "The demo is starting: reload in a moment."}
