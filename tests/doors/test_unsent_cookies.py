"""Through every adapter: cookies that the application got from the manager itself and did not send are logged, once."""

from __future__ import annotations

import pytest

from cognito_session.web import unsent_cookies as unsent


@pytest.fixture(autouse=True)
def nothing_reported(monkeypatch):
    """As in a process that has just started."""
    monkeypatch.setattr(unsent, "_reported", set())


def lines(caplog) -> list[str]:
    """The log's lines about cookies that were not sent."""
    return [record.getMessage() for record in caplog.records if record.getMessage().startswith("cookie_not_sent: ")]


def call(visitor, wish):
    """One request whose page calls the manager itself."""
    visitor.sign_in()
    visitor.box.presented = visitor.cookies[0]
    if wish.startswith("establish"):
        visitor.box.tokens = visitor.app.sign_in(visitor.user)
    if wish.startswith("resolve"):
        visitor.app.expire()
    visitor.cookies = ()
    answer = visitor.ask("/by-hand", "POST", body=wish.encode())
    assert answer.status == 200
    return answer


@pytest.mark.parametrize("made", ["establish", "sign_out", "resolve"])
def test_cookies_that_were_not_sent_are_logged_once(visitor, caplog, made):
    """The line names the call and what to do instead, and has no cookie."""
    for _ in range(2):
        assert call(visitor, made).cookies == []
    (line,) = lines(caplog)
    assert line.startswith(f"cookie_not_sent: {made} made Set-Cookie values inside a request")
    assert "add each value to the response" in line
    assert visitor.box.presented not in line


@pytest.mark.parametrize("made", ["establish", "sign_out", "resolve"])
def test_cookies_that_the_application_sent_are_not_logged(visitor, caplog, made):
    """A Set-Cookie of the application's own counts."""
    assert len(call(visitor, f"{made} sent").cookies) == 1
    assert lines(caplog) == []


def test_a_page_that_calls_no_manager_is_not_logged(visitor, caplog):
    """Nothing was made, so nothing is missing."""
    call(visitor, "nothing")
    assert lines(caplog) == []


def test_a_call_outside_a_request_is_not_logged(visitor, caplog):
    """A script or a test has no response."""
    visitor.site.manager.establish(visitor.app.sign_in(visitor.app.user()))
    visitor.ask("/public")
    assert lines(caplog) == []
