"""The run's stack for the journeys: each test finds it without calls, faults or rules of another."""

from __future__ import annotations

import pytest

from support.stack import fresh, make_app, shared_stack


@pytest.fixture
def stack(request):
    """The stack."""
    yield from fresh(shared_stack(request.config))


@pytest.fixture
def app(stack):
    """An app in the seed's layout, one row per user, whose refresh tokens do not rotate."""
    return make_app(stack)


@pytest.fixture
def rotating(stack):
    """The same with rotation on and no grace at all: the hardest setting."""
    return make_app(stack, rotation_grace_seconds=0)
