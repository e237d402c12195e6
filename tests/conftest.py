"""Fixtures for every test: one issuer with its key for the whole run, a clock that stands still."""

from __future__ import annotations

import pytest

from cognito_session.testing.clock import ManualClock
from support.tokens import Issuer


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    """A user pool; making its key takes a moment, so there is one for all tests."""
    return Issuer()


@pytest.fixture(scope="session")
def stranger() -> Issuer:
    """Another party's key under the same names: same pool id, client id and kid."""
    return Issuer()


@pytest.fixture
def clock() -> ManualClock:
    """A clock at the instant at which `issuer`'s tokens are issued."""
    return ManualClock()


def pytest_collection_modifyitems(items):
    """Mark what starts the embedded stack, itself or through a fixture, so that `make test-fast` goes without."""
    for item in items:
        fixtures = [definition.func for found in item._fixtureinfo.name2fixturedefs.values() for definition in found]
        if any(
            "shared_stack" in function.__code__.co_names
            for function in [item.function, *fixtures]
            if hasattr(function, "__code__")
        ):
            item.add_marker("stack")
