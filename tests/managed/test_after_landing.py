"""What follows the landing of a sign-in changes nothing about it, whichever code the store answers with."""

from __future__ import annotations

import pytest

from cognito_session.core.errors import ConfigurationError
from cognito_session.core.policy import SessionPolicy
from cognito_session.core.protocol.session import Active
from cognito_session.signin.outcome import Established
from managed.scene import Reports, sealed, session_rows
from support.stack import PASSWORD, cookie_of, done, make_app

CODES = ["AccessDeniedException", "KMSAccessDeniedException", "ThrottlingException"]


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("operation", ["Query", "UpdateItem"])
def test_surplus_sessions_that_cannot_be_ended_do_not_cost_the_sign_in(many, operation, code):
    """The new session is served and its cookie sent; that another one was to be ended is reported."""
    reports = Reports()
    sessions = sealed(many, policy=SessionPolicy(max_sessions=1), on_event=reports)
    user = many.user()
    sessions.establish(many.sign_in(user))
    many.stack.refuse(operation, code, "No.", times=None)
    me = sessions.establish(many.sign_in(user))
    many.stack.clear_faults()
    assert isinstance(sessions.resolve(cookie_of(me)), Active)
    assert reports.named("surplus_not_ended")[0].detail in ("configuration", "store_unavailable")


@pytest.mark.parametrize("code", CODES)
def test_a_presented_session_that_cannot_be_ended_does_not_cost_the_sign_in(app, code):
    """The same for the session that the browser had before."""
    reports = Reports()
    sessions = sealed(app, on_event=reports)
    before = sessions.establish(app.sign_in(app.user()))
    app.stack.refuse("UpdateItem", code, "No.", times=None)
    me = sessions.establish(app.sign_in(app.user()), cookie_header=cookie_of(before))
    app.stack.clear_faults()
    assert isinstance(sessions.resolve(cookie_of(me)), Active)
    assert reports.named("presented_session_not_ended")
    assert len(session_rows(app)) == 2


def test_a_cookie_that_browsers_do_not_keep_changes_nothing(stack):
    """The access token is too large for a token cookie: refused before a row is written or another session is ended."""
    groups = tuple(f"{number:03}{'g' * 87}" for number in range(60))
    many = make_app(stack, sort_key="sid", groups=groups)
    sessions = many.manager()
    before = sessions.establish(many.sign_in(many.user()))
    large = many.user(groups=groups)
    with pytest.raises(ConfigurationError, match="bytes"):
        sessions.establish(many.sign_in(large), cookie_header=cookie_of(before))
    assert session_rows(many, large) == []
    assert isinstance(sessions.resolve(cookie_of(before)), Active)


@pytest.mark.parametrize("operation", ["PutItem", "TransactWriteItems", "GetItem"])
def test_a_sign_in_whose_row_is_denied_leaves_no_live_token(app, operation):
    """Nobody has the tokens of a sign-in that could not begin a session: they are revoked."""
    user, flows = app.user(), sealed(app).password_flows()
    app.stack.refuse(operation, "AccessDeniedException", "No.", times=None)
    if operation == ("TransactWriteItems" if app.sort_key is None else "PutItem"):
        assert isinstance(flows.sign_in(user.username, PASSWORD), Established)  # not what this table's sign-in calls
        return
    with pytest.raises(ConfigurationError, match="AccessDenied"):
        flows.sign_in(user.username, PASSWORD)
    assert "RevokeToken" in done(app.stack)
