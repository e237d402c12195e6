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
