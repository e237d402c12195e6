"""What follows the landing of a sign-in changes nothing about it, whichever code the store answers with."""

from __future__ import annotations

import pytest

from cognito_session.core.outcome import Active
from cognito_session.core.policy import SessionPolicy
from managed.scene import Reports, sealed, session_rows
from support.stack import cookie_of

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
