"""Secret shows nothing, and the traceback of an error keeps its lines without the variables of calls that have ended."""

from __future__ import annotations

import copy
import json
import pickle
import sys
import traceback
from dataclasses import asdict, dataclass

import pytest

from cognito_session.core.secret import Secret, plain, secret
from cognito_session.core.tracebacks import forget_locals

CANARY = "canary-1234567890"


@pytest.mark.parametrize("value", [CANARY, CANARY.encode(), {"password": CANARY}, [CANARY]])
def test_a_secret_shows_nothing(value):
    """Neither repr, str, format, % nor an f-string with a width or conversion shows the value."""
    hidden = Secret(value)
    for text in (repr(hidden), str(hidden), f"{hidden}", f"{hidden!r:>40}", f"{hidden:>40}", "%s" % hidden, f"{[hidden]}"):  # noqa: UP031
        assert "canary" not in text
    assert not hasattr(hidden, "__dict__")


def test_a_secret_does_not_leave_the_process():
    """JSON and pickle refuse it; asdict, copy and deepcopy keep it hidden."""
    hidden = Secret(CANARY)
    for leave in (json.dumps, pickle.dumps):
        with pytest.raises(TypeError) as caught:
            leave({"password": hidden})
        assert "canary" not in str(caught.value)

    @dataclass
    class Form:
        password: Secret[str]

    assert "canary" not in repr(asdict(Form(hidden)))
    assert copy.copy(hidden) is copy.deepcopy(hidden) is hidden


def test_a_secret_equals_the_same_value_only():
    """It compares with another Secret and with the plain value, and has the value's hash."""
    assert Secret(CANARY) == Secret(CANARY) == CANARY
    assert Secret(CANARY) != CANARY + "x"
    assert Secret("ü") != "ü".encode("latin-1")
    assert Secret({"a": 1}) == {"a": 1}
    assert {Secret(CANARY)} == {CANARY}


class Own:
    """A structure that answers False to whatever is not of its own class."""

    def __eq__(self, other):
        return isinstance(other, Own)

    __hash__ = None


def test_secrets_of_structures_compare_the_structures():
    """Also those whose comparison never asks the other side."""
    assert Secret(Own()) == Secret(Own())
    assert Secret(Own()) == Own()
    assert Secret(Own()) != Secret({})


def test_a_secret_is_revealed_by_what_sends_it():
    """`plain` reveals in mappings and lists; `secret` wraps once and leaves None."""
    payload = {"a": Secret(CANARY), "b": {"c": [Secret("x"), 1]}, "d": None}
    assert plain(payload) == {"a": CANARY, "b": {"c": ["x", 1]}, "d": None}
    assert secret(None) is None
    assert secret(secret(CANARY)).reveal() == CANARY


def shown(error):
    """All variables of all frames of an error and of what it came from, but those of the test itself."""
    seen, links = [], [error]
    while links:
        link = links.pop()
        links += [each for each in (link.__cause__, link.__context__) if each is not None]
        frames = [frame for frame, _ in traceback.walk_tb(link.__traceback__)]
        seen += [repr(frame.f_locals) for frame in frames if not frame.f_code.co_name.startswith(("test_", "caught"))]
    return " ".join(seen)


def failing(password):
    try:
        int(f"no number but {len(password)}")
    except ValueError as error:
        raise RuntimeError("failed") from error


def test_an_error_keeps_its_lines_and_loses_the_variables():
    """The error and its cause have the same lines as before, and no variable of the calls that have ended."""

    def caught():
        with pytest.raises(RuntimeError) as found:
            failing(CANARY)
        return found.value

    error = caught()
    before = traceback.format_exception(error)
    assert "canary" in shown(error)
    forget_locals(error, None)
    assert traceback.format_exception(error) == before
    assert "canary" not in shown(error)


def test_what_the_caller_was_handling_keeps_its_variables():
    """An error that the application was handling when it called is its own: nothing in it is cleared."""
    with pytest.raises(KeyError) as theirs:
        failing_of_the_application(CANARY)
    assert "canary" in shown(theirs.value)

    def caught():
        try:
            raise theirs.value
        except KeyError:
            handled = sys.exception()
            try:
                failing(CANARY)
            except RuntimeError as error:
                forget_locals(error, handled)
                return error

    caught()
    assert "canary" in shown(theirs.value)


def failing_of_the_application(password):
    raise KeyError(len(password))
