"""What the tests of AWS's calls share: the run's stack, and a wire of each kind to it."""

from __future__ import annotations

import boto3
import pytest

from cognito_session.aws.transport.open import open_wire
from support.stack import fresh, shared_stack


@pytest.fixture
def stack(request):
    """The run's stack, without calls, faults or rules of another test."""
    yield from fresh(shared_stack(request.config))


@pytest.fixture(scope="module", params=["curl", "botocore"])
def wire(request):
    """A wire of each kind; making botocore's clients takes a moment, so it serves all tests of a file."""
    stack = shared_stack(request.config)
    session = boto3.Session("test", "test", region_name=stack.region) if request.param == "botocore" else None
    return open_wire(environ=stack.environment(), boto3_session=session)
