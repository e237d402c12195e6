"""What a form sent: each field once, as text.

API Gateway hands a form over as base64. A field that is missing, or there several times, is None: what takes it says no to
that. A body that is no form is an empty one.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs, urlencode

from cognito_session.signin.return_to import safe_return_to

__all__ = ["Form", "query_of", "with_query"]

_MAX_FIELDS: Final = 50


class Form(dict[str, list[str]]):
    """Fields by name, with all their values."""

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> "Form":
        """The form in an event's body."""
        body = str(event.get("body") or "")
        if event.get("isBase64Encoded"):
            try:
                body = base64.b64decode(body).decode(errors="replace")
            except (binascii.Error, ValueError):
                body = ""
        return cls(_parsed(body))

    def one(self, name: str) -> str | None:
        """The field's value, where it came exactly once."""
        values = self.get(name, [])
        return values[0] if len(values) == 1 else None

    def text(self, name: str) -> str:
        """The same, empty where there is none."""
        return self.one(name) or ""

    @property
    def return_to(self) -> str:
        """Where to go afterwards: a path of this site, whatever was sent."""
        return safe_return_to(self.one("return_to"))


def query_of(event: Mapping[str, Any]) -> Form:
    """The query's parameters."""
    return Form(_parsed(str(event.get("rawQueryString") or "")))


def with_query(path: str, **parameters: str) -> str:
    """The path with those parameters that say something."""
    said = {name: value for name, value in parameters.items() if value}
    return f"{path}?{urlencode(said)}" if said else path


def _parsed(text: str) -> dict[str, list[str]]:
    try:
        return parse_qs(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        return {}
