"""LocalStack: Cognito and DynamoDB in a child process on one loopback port, for a test or a demo.

    with LocalStack.start() as stack:
        pool = stack.create_pool(groups=("admin",))
        user = stack.create_user(pool, "alice", "Password1!", groups=["admin"])
        tokens = stack.sign_in(pool, "alice", "Password1!")

Only the child imports ministack and a server. The child and its folder disappear with this process, however it ends. Calls of
the stack's own methods are never logged, held by a gate or affected by a fault.
"""

from pathlib import Path
from typing import Self

from cognito_session.local.child_process import ChildProcess, StackError
from cognito_session.local.control_client import ControlClient, HeldGate
from cognito_session.local.pool import Pool, User, stack_environment
from cognito_session.local.rows import Rows
from cognito_session.local.stack_client import CallRefusedError, StackClient
from cognito_session.local.totp import totp_code
from cognito_session.local.user_pool_admin import UserPoolAdmin
from cognito_session.testing.clock import SharedClock

__all__ = ["CallRefusedError", "HeldGate", "LocalStack", "Pool", "Rows", "StackError", "User"]


class LocalStack(UserPoolAdmin, ControlClient):
    """A running stack. Make one with `start`."""

    region = "us-east-1"

    def __init__(self, child: ChildProcess) -> None:
        super().__init__(StackClient(child.port, self.region))
        self._child = child
        self.url: str = self._client.url
        self.clock_path: Path = child.clock_path
        self.clock: SharedClock = SharedClock(child.clock_path)

    @classmethod
    def start(cls, *, timeout: float = 20.0) -> Self:
        """Start a stack. Raises StackError if it cannot start or takes longer than `timeout` seconds."""
        return cls(ChildProcess.start(timeout))

    def stop(self) -> None:
        """Stop the child and remove its folder. Stopping twice is harmless."""
        self.clock.close()
        self._child.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._child.pid

    def environment(self) -> dict[str, str]:
        """The environment that makes AWS SDKs and the library use this stack; `Pool.environment` adds the ids of a pool."""
        return stack_environment(self.url, self.region)

    def create_table(
        self,
        name: str,
        *,
        partition_key: str = "sub",
        sort_key: str | None = None,
        ttl_attribute: str | None = None,
        strong_consistency: bool = False,
    ) -> str:
        """A table with string keys and on-demand capacity; returns its name.

        strong_consistency: whether it is a global table with multi-Region strong consistency (no transactions, no TTL).
        """
        keys = [partition_key] if sort_key is None else [partition_key, sort_key]
        self.dynamodb().call(
            "CreateTable",
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            KeySchema=[{"AttributeName": k, "KeyType": t} for k, t in zip(keys, ("HASH", "RANGE"), strict=False)],
        )
        if ttl_attribute is not None:
            ttl = {"Enabled": True, "AttributeName": ttl_attribute}
            self.dynamodb().call("UpdateTimeToLive", TableName=name, TimeToLiveSpecification=ttl)
        if strong_consistency:
            self._client.control("strong_table", name=name)
        return name

    def create_secret(self, name: str, text: str) -> str:
        """A secret in Secrets Manager with this text; returns its ARN."""
        return str(self._client.api("secretsmanager", "CreateSecret", {"Name": name, "SecretString": text})["ARN"])

    def dynamodb(self) -> Rows:
        """The tables, with rows as Python dictionaries."""
        return Rows(self._client)

    def advance(self, seconds: float) -> None:
        """Advance the clock of the stack and of all processes that share it."""
        self.clock.advance(seconds)

    def totp(self, secret: str) -> str:
        """The code that an authenticator app with this secret shows now. Raises ImportError if pyotp is not installed."""
        return totp_code(secret, self.clock.now())

    def reset(self) -> None:
        """Delete pools, users, tables, sign-ins, calls, faults, gates and rules. The clock stays."""
        self._client.control("reset")
