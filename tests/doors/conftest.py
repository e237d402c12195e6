"""One site for all doors, each door built once, and somebody in front of it."""

from __future__ import annotations

import pytest

from cognito_session import current_session
from cognito_session.http.csrf import Csrf
from doors.doors import DOORS
from doors.page import ADMINS, TRUSTED, Box, Site
from doors.visitor import Visitor
from managed.scene import ring
from support.stack import fresh, make_app, shared_stack


@pytest.fixture(scope="session")
def site(request):
    """A pool with rotation and no grace, the hardest setting, a table with a sort key, and a manager of either kind."""
    app = make_app(shared_stack(request.config), sort_key="sid", groups=(ADMINS,), rotation_grace_seconds=0)
    sealed = {"cookie": "sealed", "cookie_name": None, "session_keys": ring(1), "csrf": Csrf(trusted_origins=[TRUSTED])}
    return Site(app, app.manager(**sealed), app.async_manager(**sealed), Box())


@pytest.fixture(scope="session")
def doors(site):
    """Every door by name."""
    return {name: build(site) for name, build in DOORS.items()}


@pytest.fixture
def stack(request):
    """The run's stack, without calls, faults or rules of another test."""
    yield from fresh(shared_stack(request.config))


@pytest.fixture(params=DOORS)
def door(request):
    """The name of a door; a test that not every door can do names those that can."""
    return request.param


@pytest.fixture
def visitor(stack, site, doors, door):
    """Somebody at the door, not signed in. After every request nobody is current any more."""
    site.box.changes.clear()
    yield Visitor(site, door, doors[door])
    assert current_session() is None


@pytest.fixture
def everywhere(stack, site, doors):
    """One visitor at every door."""
    return [Visitor(site, name, ask) for name, ask in doors.items()]
