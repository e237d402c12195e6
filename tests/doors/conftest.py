"""One app for all doors, and each door built once: what differs between tests is who asks."""

from __future__ import annotations

import pytest

from doors.page import Box
from doors.sites import DOORS, SEALED
from doors.visitor import Visitor
from managed.scene import ring
from support.stack import fresh, make_app, shared_stack

_built = {}


@pytest.fixture
def stack(request):
    """The run's stack, without calls, faults or rules of another test."""
    yield from fresh(shared_stack(request.config))


def built(stack, name):
    """The door, its app and its box; made when first asked for."""
    if not _built:
        app = make_app(stack, sort_key="sid", groups=("admins",))
        SEALED["session_keys"] = ring(1)
        _built[None] = app
    if name not in _built:
        app, box = _built[None], Box()
        _built[name] = (app, box, DOORS[name](app, lambda: app.manager(**SEALED), box))
    return _built[name]


@pytest.fixture(params=DOORS)
def visitor(stack, request):
    """Somebody at one of the doors, not signed in."""
    app, box, ask = built(stack, request.param)
    made = Visitor(app, box, ask, door=request.param)
    stack.clear_calls()
    return made


@pytest.fixture
def everywhere(stack):
    """One visitor at every door."""
    return [Visitor(*built(stack, name), door=name) for name in DOORS]
