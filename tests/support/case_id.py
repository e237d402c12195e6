"""The id of a test's case, as text that pytest also selects the case by."""

from __future__ import annotations


def case_id(value: object) -> str:
    """The value in ASCII. pytest turns each backslash of a node id into a slash and then finds no test of that name."""
    return ascii(value).replace("\\", "/")[:60]
