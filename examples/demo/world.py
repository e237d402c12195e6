"""The demo's AWS: the embedded stack with a pool, people and a table, and the sample app on it.

Refresh tokens rotate, with Cognito's longest grace; access tokens live for seconds, so that one can watch. The app is at
localhost and Cognito at 127.0.0.1: two sites to a browser, as in production.
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
from examples.demo.account import EDITORS
from examples.demo.app import sample_app
from examples.demo.backstage import Person
from examples.demo.doors import CALLBACK
from examples.demo.recent import RECENT_SECONDS
from examples.demo.tally import Meter

__all__ = ["ACCESS_TOKEN_SECONDS", "ALICE", "BOB", "PEOPLE", "TABLE", "World", "base_url"]

ACCESS_TOKEN_SECONDS: Final = 20
TABLE: Final = "sessions"

ALICE: Final = Person("alice", "Wonderland-1865", "in the group editors")
BOB: Final = Person("bob", "Sherwood-1377!", "in no group")
_CAROL: Final = Person("carol", "Christmas-1843", "has an authenticator app")
_DAVE: Final = Person("dave", "Copperfield-1850", "gets a code by email")
_ERIN: Final = Person("erin", "Temporary-1916!", "must choose a new password")
PEOPLE: Final = (ALICE, BOB, _CAROL, _DAVE, _ERIN)
_GRACE_SECONDS: Final = 60


@dataclass(frozen=True)
class World:
    """A stack with a pool, a table and people in it, and what they have: mail, authenticator apps."""

    stack: LocalStack
    pool: Pool
    people: tuple[Person, ...] = PEOPLE
    _authenticators: dict[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    @contextmanager
    def started(cls) -> Iterator["World"]:
        """A world that ends with the `with` block. Raises StackError."""
        with LocalStack.start() as stack:
            pool = stack.create_pool(groups=(EDITORS,), mfa="OPTIONAL")
            stack.create_table(TABLE, partition_key="sub", sort_key="sid", ttl_attribute="ttl")
            world = cls(stack, pool)
            world.add(ALICE, groups=(EDITORS,))
            world.add(BOB)
            world.add(_CAROL)
            world.give_authenticator(_CAROL.username)
            world.add(_DAVE)
            stack.set_mfa(pool, _DAVE.username, "EMAIL_OTP", preferred="EMAIL_OTP")
            stack.create_user(pool, _ERIN.username, temporary_password=_ERIN.password, email="erin@example.com")
            yield world

    def add(self, person: Person, groups: Iterable[str] = ()) -> User:
        """Somebody with a confirmed address."""
        email = f"{person.username}@example.com"
        return self.stack.create_user(self.pool, person.username, person.password, groups=groups, email=email)

    def give_authenticator(self, username: str) -> None:
        """An authenticator app, asked for at each sign-in from now on."""
        self._authenticators[username] = self.stack.enroll_totp(self.pool, username)

    @contextmanager
    def served(self, port: int = 0) -> Iterator[Gateway]:
        """The sample app behind a gateway; `base_url` is where a browser finds it. Raises OSError where the port is taken."""
        with Gateway(_not_yet, port, clock=self.stack.clock) as gateway:
            gateway.handler = self.app(base_url(gateway))
            yield gateway

    def app(self, address: str) -> Handler:
        """The sample app as it is at this address, in this world's environment and time."""
        policy = SessionPolicy(rotation_grace_seconds=_GRACE_SECONDS, max_sessions=5, recent_sign_in_seconds=RECENT_SECONDS)
        sessions = SessionManager.from_env(policy=policy, environ=self.environment(address), clock=self.stack.clock)
        return sample_app(sessions, self)

    def environment(self, address: str) -> dict[str, str]:
        """What the app's Lambda function would be given: an app client of its own, the table, keys made just now."""
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
        """Which generation of tokens the session's row holds; 0 where the row has gone."""
        row = self.stack.dynamodb().get_item(TABLE, {"sub": me.sub, "sid": me.sid})
        return int(row["gen"]) if row else 0

    @property
    def meter(self) -> Meter:
        """What the stack sees, counted."""
        return Meter(lambda after: self.stack.calls(after=after))

    def mail(self, username: str) -> str | None:
        """The latest code that was sent to a user."""
        sent = self.stack.outbox(username) if username else []
        return sent[-1].code if sent else None

    def authenticator(self, username: str) -> str | None:
        """What this user's authenticator app shows now."""
        secret = self._authenticators.get(username)
        return None if secret is None else self.totp(secret)

    def totp(self, secret: str) -> str:
        """What an authenticator app with this secret shows now."""
        return self.stack.totp(secret)


def base_url(gateway: Gateway) -> str:
    """Where a browser finds the app."""
    return f"http://localhost:{gateway.port}"


def _not_yet(_event: dict[str, object], _context: object) -> dict[str, object]:
    return {"statusCode": 503, "body": "The demo is starting: reload in a moment."}
