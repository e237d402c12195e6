"""current_request.py: the errors and the client of the request that is being served."""

from __future__ import annotations

from contextvars import copy_context

import pytest

from cognito_session.core.current_request import client_address, current_request_session, note_error, noted_errors


def inside(work):
    """What `work` returns in a context of its own."""
    return copy_context().run(work)


def test_errors_are_noted_while_a_request_is_served():
    """In their order, the newest eight; outside of a request nothing is noted."""

    def served():
        noted_errors.set([])
        for number in range(10):
            note_error(number)
        return noted_errors.get()

    assert inside(served) == [2, 3, 4, 5, 6, 7, 8, 9]
    assert inside(lambda: note_error("nobody is served") or noted_errors.get()) is None


class Known:
    """A request whose adapter knows the address."""

    client_address = "203.0.113.7"


@pytest.mark.parametrize(("serving", "address"), [(None, ""), (object(), ""), (Known(), "203.0.113.7")])
def test_the_client_s_address_is_empty_where_it_is_not_known(serving, address):
    """Outside of a request, and under an adapter that does not know it."""
    assert inside(lambda: current_request_session.set(serving) and client_address()) == address
