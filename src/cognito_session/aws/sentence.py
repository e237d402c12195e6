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
_ELLIPSIS: Final = "..."


def one_line(text: str, limit: int = MAX_SENTENCE_CHARS) -> str:
    """`text` up to where it quotes the request, in one line of printable characters, at most `limit` of them."""
    quoted = _REQUEST.search(text[: 4 * limit])
    shown = text[: quoted.start()] if quoted else text[: 4 * limit]
    line = " ".join("".join(char if char.isprintable() else " " for char in shown).split())
    return line if len(line) <= limit else line[: limit - len(_ELLIPSIS)] + _ELLIPSIS
