"""refuse_empty_names(): DynamoDB refuses empty attribute names at every depth, and ministack accepts them.

"Attribute names must be at least one character long":
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
"""

import json
from typing import Any

from cognito_session.local.http_response import HttpResponse, api_error

__all__ = ["refuse_empty_names"]

_REFUSAL = "com.amazon.coral.validate#ValidationException"


def refuse_empty_names(body: bytes) -> HttpResponse | None:
    """The refusal of a request with an empty attribute name; None for any other request."""
    if b'""' not in body:  # a fast path: most requests contain no empty text
        return None
    try:
        payload = json.loads(body)
    except ValueError:
        return None
    if _has_empty_name(payload):
        return api_error(_REFUSAL, "One or more parameter values are not valid. Empty attribute name")
    return None


def _has_empty_name(value: Any) -> bool:
    if isinstance(value, dict):
        return "" in value or any(_has_empty_name(item) for item in value.values())
    return isinstance(value, list) and any(_has_empty_name(item) for item in value)
