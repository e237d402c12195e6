"""AWS's own sentence about an error, made fit for a message or a log: one line, printable, short, without credentials."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["MAX_SENTENCE_CHARS", "one_line"]

MAX_SENTENCE_CHARS: Final = 600
"""IAM's longest sentence names a caller, an action, a resource and a policy's ARN."""
# A refused signature is explained with the request as the service read it: the Authorization header, or the canonical
# request with the session token (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html).
_REQUEST: Final = re.compile(
    r"(?i)the canonical string|the string-to-sign|canonical request|authorization=|aws4-hmac-sha256|x-amz-security-token"
)
_VALUES: Final = (
    re.compile(r"(?i)\bvalue '.*' at '"),  # "Value 'hunter2' at 'password' failed to satisfy constraint"
    re.compile(r"[A-Za-z0-9_+=.~-]{100,}"),  # a token; no part of an ARN is so long (roles and their sessions have 64)
)
_REDACTED: Final = ("value '...' at '", "...")
_ELLIPSIS: Final = "..."


def one_line(text: str, limit: int = MAX_SENTENCE_CHARS) -> str:
    """`text` up to where it quotes the request, without values: one line of at most `limit` printable characters."""
    quoted = _REQUEST.search(text[: 4 * limit])
    shown = text[: quoted.start()] if quoted else text[: 4 * limit]
    line = " ".join("".join(char if char.isprintable() else " " for char in shown).split())
    for value, redacted in zip(_VALUES, _REDACTED, strict=True):
        line = value.sub(redacted, line)
    return line if len(line) <= limit else line[: limit - len(_ELLIPSIS)] + _ELLIPSIS
