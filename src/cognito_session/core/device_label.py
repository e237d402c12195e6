"""A device's label as it is stored and shown: one alphabet and one limit, whoever wrote it.

A label comes from a header, and a row from whoever may write the table, so that neither is trusted. A page that forgets to
escape a label can show no markup of it: `<`, `>`, `&`, quotes and controls are no part of the alphabet.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["MAX_LABEL_CHARS", "clean_label"]

MAX_LABEL_CHARS: Final = 60
_OTHERS: Final = re.compile(r"[^A-Za-z0-9 ._/(),:;+-]+")
_MAX_READ: Final = 1_000
"""How much of a text is looked at: a header may be long."""


def clean_label(text: str | None) -> str | None:
    """At most 60 ASCII letters, digits, blanks and `._/(),:;+-`; None where nothing is left."""
    return _OTHERS.sub("", (text or "")[:_MAX_READ])[:MAX_LABEL_CHARS].strip() or None
