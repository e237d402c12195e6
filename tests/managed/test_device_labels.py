"""Device labels from a header to the list of sessions, and from a row that another program has written."""

import pytest

from cognito_session.core.protocol.establish import SignedIn, establish
from cognito_session.drivers.sync import run
from managed.scene import session_rows
from support.stack import make_app

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def app(stack):
    """A table with a sort key."""
    return make_app(stack, sort_key="sid")


def test_a_header_brings_no_markup_into_the_row_or_the_list(app):
    """Stored and listed without the marks of HTML, and at most 60 characters of it."""
    manager, user = app.manager(), app.user()
    me = manager.establish(app.sign_in(user), user_agent=SCRIPT + "x" * 500)
    (row,) = session_rows(app)
    (info,) = manager.sessions_of(me.sub)
    for label in (row["device"], info.device):
        assert label.startswith("scriptalert(1)/script")
        assert len(label) == 60


def test_a_row_s_own_label_is_read_as_strictly(app):
    """A label that came into the row by another way shows no markup either."""
    manager, user = app.manager(), app.user()
    me = manager.establish(app.sign_in(user), user_agent="Firefox/1 Windows")
    (row,) = session_rows(app)
    app.stack.dynamodb().put_item(app.table, {**row, "device": SCRIPT * 20})
    (info,) = manager.sessions_of(me.sub)
    assert "<" not in info.device
    assert len(info.device) == 60


def test_the_flow_itself_stores_no_other_label(app):
    """Whatever calls it: a label is cleaned where the row is made, too."""
    manager = app.manager()
    run(establish(manager.context, SignedIn.of(app.sign_in(app.user())), device=SCRIPT * 20), manager.ports)
    (row,) = session_rows(app)
    assert "<" not in row["device"]
    assert len(row["device"]) == 60
