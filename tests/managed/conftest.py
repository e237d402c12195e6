"""The run's stack for managed sessions: each test finds it without calls, faults or rules of another."""

from __future__ import annotations

import pytest

from support.stack import fresh, make_app, shared_stack


@pytest.fixture
def stack(request):
    """The stack."""
    yield from fresh(shared_stack(request.config))


@pytest.fixture
def alone(stack):
    """An app in the seed's layout: one row per user."""
    return make_app(stack)


@pytest.fixture
def many(stack):
    """An app whose table has a sort key: one row per session."""
    return make_app(stack, sort_key="sid")


@pytest.fixture(params=[None, "sid"], ids=["one row", "two keys"])
def app(stack, request):
    """An app in each of the two layouts."""
    return make_app(stack, sort_key=request.param)


@pytest.fixture(params=[None, "sid"], ids=["one row", "two keys"])
def rotating(stack, request):
    """The same with rotation on and no grace at all: the hardest setting."""
    return make_app(stack, sort_key=request.param, rotation_grace_seconds=0)
