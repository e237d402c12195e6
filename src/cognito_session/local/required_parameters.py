"""The check for the required parameters of a Cognito API request."""

from collections.abc import Mapping
from typing import Any

from cognito_session.local.grants import OperationRefusedError
from cognito_session.local.http_response import api_error

__all__ = ["required"]


def required(values: Mapping[str, Any], name: str) -> str:
    """A parameter that must be present and a text. Raises OperationRefusedError."""
    value = values.get(name)
    if not isinstance(value, str) or not value:
        raise OperationRefusedError(api_error("InvalidParameterException", f"Missing required parameter {name}"))
    return value
