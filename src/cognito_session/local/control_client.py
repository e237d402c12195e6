"""The test half of what a test holds: what was called, what shall fail, who shall wait, which rules hold, who has what."""

from collections.abc import Mapping
from typing import Any, Literal, Self

from cognito_session.local.child_process import StackError
from cognito_session.local.faults import FaultKind
from cognito_session.local.outbox import SentMessage
from cognito_session.local.pool import Pool
from cognito_session.local.request_log import LoggedRequest
from cognito_session.local.stack_client import StackClient

__all__ = ["ControlClient", "HeldGate"]


class HeldGate:
    """A gate in force. As a context manager it opens at the end, whatever happened."""

    def __init__(self, client: StackClient, number: int) -> None:
        self._client = client
        self._number = number

    def wait_for(self, count: int, timeout: float = 10.0) -> None:
        """Return when at least `count` requests are held. Raises StackError after `timeout` seconds."""
        waited = self._client.control("gate_wait", timeout=timeout + 5, gate=self._number, count=count, seconds=timeout)
        if waited["held"] < count:
            raise StackError(f"{waited['held']} of {count} requests were held after {timeout} s")

    def release(self, count: int | None = None) -> int:
        """Let the `count` longest held requests go; None opens the gate for good. How many were let go."""
        return int(self._client.control("gate_release", gate=self._number, count=count)["released"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class ControlClient:
    """LoggedRequest log, faults, gates, rules, authenticator apps and sent codes of a stack."""

    def __init__(self, client: StackClient) -> None:
        self._client = client

    def calls(self, service: str | None = None, *, after: int = 0) -> list[LoggedRequest]:
        """The requests seen so far, of "cognito", "dynamodb", "jwks", "oauth2", "other" or all, numbered above `after`."""
        return [LoggedRequest(**row) for row in self._client.control("calls", service=service, after=after)["calls"]]

    def count(self, operation: str, *, caller: str | None = None) -> int:
        """How many requests of an operation were seen, of one caller or of all."""
        return sum(call.operation == operation and caller in (None, call.caller) for call in self.calls())

    def clear_calls(self) -> None:
        """Forget the requests seen so far."""
        self._client.control("clear_calls")

    def fault(
        self,
        operation: str,
        kind: FaultKind,
        *,
        times: int | None = 1,
        skip: int = 0,
        ms: float = 0,
        caller: str | None = None,
    ) -> None:
        """Order trouble for requests of an operation, "*" for all: see `faults`. times None: until lifted."""
        self._client.control("fault", operation=operation, kind=kind, times=times, skip=skip, ms=ms, caller=caller)

    def refuse(
        self,
        operation: str,
        code: str,
        message: str = "",
        *,
        status: int = 400,
        times: int | None = 1,
        skip: int = 0,
        after: bool = False,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        """Answer requests of an operation with this code, sentence and status, before or after its work.

        `more` are further members of the answer's body, CancellationReasons for instance.
        """
        self._client.control(
            "fault",
            operation=operation,
            kind="error_after" if after else "error",
            times=times,
            skip=skip,
            code=code,
            message=message,
            status=status,
            more=dict(more or {}),
        )

    def set_aws_clock(self, ahead_seconds: float) -> None:
        """Let AWS's clock, by which signatures are judged, be so far ahead of this machine's (behind it: negative)."""
        self._client.control("aws_clock", ahead_seconds=ahead_seconds)

    def clear_faults(self) -> None:
        """Lift every fault; AWS's clock is this machine's again."""
        self._client.control("clear_faults")

    def gate(self, operation: str, *, after: bool = False, times: int | None = None, caller: str | None = None) -> HeldGate:
        """Hold requests of an operation before or after its work. times None: all of them, n: the first n."""
        made = self._client.control("gate", operation=operation, after=after, times=times, caller=caller)
        return HeldGate(self._client, made["gate"])

    def enroll_totp(self, pool: Pool, username: str) -> str:
        """Give a user an authenticator app, its preferred second factor from now on; the app's secret, base32."""
        enrolled = self._client.control("enroll_totp", user_pool_id=pool.user_pool_id, username=username)
        return str(enrolled["secret"])

    def rotate_keys(self, pool: Pool) -> None:
        """Let a pool sign with new keys from now on; the old ones stay in its key set, as at Cognito."""
        self._client.control("rotate_keys", user_pool_id=pool.user_pool_id)

    def withdraw_keys(self, pool: Pool) -> None:
        """Publish a pool's keys of before its last rotation no longer, as Cognito does some time after it."""
        self._client.control("withdraw_keys", user_pool_id=pool.user_pool_id)

    def outbox(self, username: str | None = None) -> list[SentMessage]:
        """The messages with codes that Cognito would have sent, to one user (by its own name, no alias) or to all."""
        return [SentMessage(**row) for row in self._client.control("outbox", username=username)["messages"]]

    def set_rules(
        self,
        *,
        semantics: Literal["A", "B", "C"] | None = None,
        reuse_kills_family: bool | None = None,
        revoke_scope: Literal["token", "family"] | None = None,
        origin_jti_changes: bool | None = None,
        words: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Choose among the readings of what AWS does not document: see `rotation.Rules`. All that are in force."""
        named: dict[str, Any] = {
            "semantics": semantics,
            "reuse_kills_family": reuse_kills_family,
            "revoke_scope": revoke_scope,
            "origin_jti_changes": origin_jti_changes,
            "words": words if words is None else dict(words),
        }
        return self._client.control("rules", **{name: value for name, value in named.items() if value is not None})
