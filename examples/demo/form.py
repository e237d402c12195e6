"""The fields of a form or query, each taken as text only if it was sent exactly once.

API Gateway encodes a form as base64. A body that is not a form becomes an empty form.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs

from cognito_session.signin.return_to import safe_return_to

__all__ = ["Form", "query_of"]

_MAX_FIELDS: Final = 50


class Form(dict[str, list[str]]):
    """Fields by name, each with all its values."""

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
        """The field's value; None if the field is missing or repeated."""
        values = self.get(name, [])
        return values[0] if len(values) == 1 else None

    def text(self, name: str) -> str:
        """The field's value; empty if the field is missing or repeated."""
        return self.one(name) or ""

    @property
    def return_to(self) -> str:
        """Where to go after sign-in: always a path of this site."""
        return safe_return_to(self.one("return_to"))


def query_of(event: Mapping[str, Any]) -> Form:
    """The parameters of an event's query."""
    return Form(_parsed(str(event.get("rawQueryString") or "")))


def _parsed(text: str) -> dict[str, list[str]]:
    try:
        return parse_qs(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        return {}
