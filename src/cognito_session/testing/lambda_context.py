"""A Lambda context whose remaining time runs on the test's clock.

https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cognito_session.core.partition import arn

if TYPE_CHECKING:
    from cognito_session.core.protocol.ports import Clock

__all__ = ["LambdaContext"]


class LambdaContext:
    """What Lambda calls a handler with, beside the event; `seconds` are left when it is made."""

    function_name = "function-in-tests"
    function_version = "$LATEST"
    invoked_function_arn: str = arn("lambda", "eu-central-1", "123456789012", "function:function-in-tests")
    memory_limit_in_mb = "512"
    log_group_name = "/aws/lambda/function-in-tests"
    log_stream_name = "2023/11/14/[$LATEST]testing"
    identity = None
    client_context = None

    def __init__(self, clock: Clock, aws_request_id: str, *, seconds: float) -> None:
        self.aws_request_id = aws_request_id
        self._clock = clock
        self._ends_at = clock.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda stops the function."""
        return max(0, round((self._ends_at - self._clock.monotonic()) * 1000))
