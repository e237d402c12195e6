"""The Lambda context of the test kit and of the local gateway: its remaining time follows a clock that it is given.

https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cognito_session.core.partition import arn

if TYPE_CHECKING:
    from cognito_session.core.protocol.ports import Clock

__all__ = ["LambdaContext"]


class LambdaContext:
    """The second argument of a Lambda handler. `seconds`: the time left, from now on the clock."""

    function_version = "$LATEST"
    memory_limit_in_mb = "512"
    log_group_name = "/aws/lambda/function-in-tests"
    log_stream_name = "2023/11/14/[$LATEST]testing"
    identity = None
    client_context = None

    def __init__(self, clock: Clock, aws_request_id: str, *, seconds: float, function_name: str = "function-in-tests") -> None:
        self.aws_request_id = aws_request_id
        self.function_name = function_name
        self.invoked_function_arn: str = arn("lambda", "eu-central-1", "123456789012", f"function:{function_name}")
        self._clock = clock
        self._ends_at = clock.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda stops the function."""
        return max(0, round((self._ends_at - self._clock.monotonic()) * 1000))
