"""The test's side of the control endpoints: request log, fault injection, gates, rules, keys, outbox."""

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
    """A gate that holds requests. As a context manager it opens at the end, even after an error."""

    def __init__(self, client: StackClient, number: int) -> None:
        self._client = client
        self._number = number

    def wait_for(self, count: int, timeout: float = 10.0) -> None:
        """Return when the gate holds at least `count` requests. Raises StackError after `timeout` seconds."""
        waited = self._client.control("gate_wait", timeout=timeout + 5, gate=self._number, count=count, seconds=timeout)
        if waited["held"] < count:
            raise StackError(f"{waited['held']} of {count} requests were held after {timeout} s")

    def release(self, count: int | None = None) -> int:
        """Release the `count` longest-held requests and return how many; None opens the gate for good."""
        return int(self._client.control("gate_release", gate=self._number, count=count)["released"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class ControlClient:
    """Request log, faults, gates, rules, authenticator apps and sent codes of a stack."""

    def __init__(self, client: StackClient) -> None:
        self._client = client

    def calls(self, service: str | None = None, *, after: int = 0) -> list[LoggedRequest]:
        """The requests so far, of "cognito", "dynamodb", "jwks", "oauth2", "other" or all, with numbers above `after`."""
        return [LoggedRequest(**row) for row in self._client.control("calls", service=service, after=after)["calls"]]

    def count(self, operation: str, *, caller: str | None = None) -> int:
        """How many requests of an operation there were, from one caller or all."""
        return sum(call.operation == operation and caller in (None, call.caller) for call in self.calls())

    def clear_calls(self) -> None:
        """Clear the request log."""
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
        """Inject a fault into requests of an operation ("*": all); see `faults`. times None: until `clear_faults`."""
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
        """Answer requests of an operation with this code, message and status, before or after its work.

        `more`: further members of the response body, for example CancellationReasons.
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
        """Set how many seconds AWS's clock, which checks signatures, is ahead of this machine's (negative: behind)."""
        self._client.control("aws_clock", ahead_seconds=ahead_seconds)

    def clear_faults(self) -> None:
        """Remove every fault, and set AWS's clock to this machine's."""
        self._client.control("clear_faults")

    def gate(self, operation: str, *, after: bool = False, times: int | None = None, caller: str | None = None) -> HeldGate:
        """Hold requests of an operation before or after its work. times None: all requests; n: the first n."""
        made = self._client.control("gate", operation=operation, after=after, times=times, caller=caller)
        return HeldGate(self._client, made["gate"])

    def enroll_totp(self, pool: Pool, username: str) -> str:
        """Give a user an authenticator app as the preferred second factor. Returns its secret, base32."""
        enrolled = self._client.control("enroll_totp", user_pool_id=pool.user_pool_id, username=username)
        return str(enrolled["secret"])

    def rotate_keys(self, pool: Pool) -> None:
        """Sign with new keys from now on. The key set keeps the old ones, as at Cognito."""
        self._client.control("rotate_keys", user_pool_id=pool.user_pool_id)

    def withdraw_keys(self, pool: Pool) -> None:
        """Remove the keys of before the last rotation from the key set, as Cognito does some time after a rotation."""
        self._client.control("withdraw_keys", user_pool_id=pool.user_pool_id)

    def outbox(self, username: str | None = None) -> list[SentMessage]:
        """The messages with codes that Cognito would have sent, to one user (by user name, not alias) or to all."""
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
        """Choose among the interpretations of what AWS does not document; see `RotationRules`. Returns all rules."""
        named: dict[str, Any] = {
            "semantics": semantics,
            "reuse_kills_family": reuse_kills_family,
            "revoke_scope": revoke_scope,
            "origin_jti_changes": origin_jti_changes,
            "words": words if words is None else dict(words),
        }
        return self._client.control("rules", **{name: value for name, value in named.items() if value is not None})
