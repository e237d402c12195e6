"""The run's stack for signing in: each test finds it without calls, faults or rules of another."""

from __future__ import annotations

import pytest

from signin.browser import BASE_URL, Site
from support.stack import fresh, make_app, shared_stack


@pytest.fixture
def stack(request):
    """The stack."""
    yield from fresh(shared_stack(request.config))


@pytest.fixture(params=[False, True], ids=["public client, sync", "confidential client, async"])
def app(stack, request):
    """An app whose client allows managed login, public or confidential."""
    return make_app(
        stack,
        sort_key="sid",
        client_secret=request.param,
        callback_urls=(f"{BASE_URL}/auth/callback",),
        logout_urls=(f"{BASE_URL}/",),
    )


@pytest.fixture
def site(app):
    """A site with managed login and its browser; every promise holds for both kinds of client and of manager."""
    with Site(app, asynchronous=app.pool.client_secret is not None) as made:
        yield made
