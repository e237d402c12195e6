"""What the tests of Lambda's front doors share: the run's stack, and an app whose table has a sort key."""

from __future__ import annotations

import pytest

from support.stack import fresh, make_app, shared_stack


@pytest.fixture
def stack(request):
    """The stack, without calls, faults or rules of another test."""
    yield from fresh(shared_stack(request.config))


@pytest.fixture
def app(stack):
    """An app of one row per session, without rotation."""
    return make_app(stack, sort_key="sid")
