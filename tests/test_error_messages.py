"""Every error of the package that the source makes is given a message: no caller is left with a type alone."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import cognito_session
from cognito_session.core.crypto import aead
from cognito_session.core.errors import SessionError

SOURCE = Path(cognito_session.__file__).parent


def below(kind):
    """The class and every class that is derived from it."""
    return {kind, *(each for sub in kind.__subclasses__() for each in below(sub))}


assert aead  # defines further errors
NAMES = {kind.__name__ for kind in below(SessionError)} | {"ValueError", "TypeError"}


def without_message(source):
    """The lines of raised or returned errors whose first argument is missing, None or an empty text."""
    found = []
    for node in ast.walk(ast.parse(source)):
        made = node.exc if isinstance(node, ast.Raise) else node.value if isinstance(node, ast.Return) else None
        if not isinstance(made, ast.Call) or not isinstance(made.func, ast.Name) or made.func.id not in NAMES:
            continue
        given = made.args[:1] or [each.value for each in made.keywords if each.arg == "message"]
        if not given or (isinstance(given[0], ast.Constant) and given[0].value in (None, "")):
            found.append(node.lineno)
    return found


def test_every_error_is_given_a_message():
    """Wherever the package raises or returns one of its errors."""
    lines = {
        str(path.relative_to(SOURCE)): lines
        for path in sorted(SOURCE.rglob("*.py"))
        if (lines := without_message(path.read_text(encoding="utf-8")))
    }
    assert lines == {}


@pytest.mark.parametrize(
    "made", ["StoreUnavailable()", "ConfigurationError(None)", "TypeError('')", "KeysUnavailable(reason='x')"]
)
def test_a_missing_message_is_found(made):
    """The check sees each way of leaving it out, in a `raise` and in a `return`."""
    assert without_message(f"raise {made}") == [1]
    assert without_message(f"def f():\n    return {made} ") == [2]
    assert without_message("raise StoreUnavailable('down', reason='x') from error") == []
