"""A user in as many groups as Cognito allows: the token is as long as it can get, and the sealed cookie as short as ever."""

from __future__ import annotations

import pytest

from cognito_session import Active, ConfigurationError, Refreshed
from managed.scene import ring
from support.stack import fresh, make_app, shared_stack

GROUPS = tuple(sorted(f"{number:03}-{'g' * 86}" for number in range(100)))


@pytest.fixture
def stack(request):
    """The stack."""
    yield from fresh(shared_stack(request.config))


@pytest.fixture
def app(stack):
    """An app, one of whose users is in 100 groups with names of 90 characters."""
    return make_app(stack, sort_key="sid", groups=GROUPS)


def test_the_whole_life_of_a_session_with_a_large_token(app):
    """Sign-in, requests, a refresh and a sign-out with an access token of over 12 kB; the cookie stays under 4 kB."""
    manager = app.manager(cookie="sealed", cookie_name=None, session_keys=ring(1))
    user = app.user(groups=GROUPS)
    me = manager.establish(app.sign_in(user))
    assert len(me.access_token) > 12_000
    assert set(me.groups) == set(GROUPS)
    (line,) = me.set_cookies
    cookie = line.partition(";")[0]
    assert len(cookie) < 4096
    assert isinstance(manager.resolve(cookie), Active)
    app.stack.advance(3600)
    served = manager.resolve(cookie)
    assert isinstance(served, Refreshed)
    assert set(served.session.groups) == set(GROUPS)
    assert len(manager.sessions_of(me.sub)) == 1
    manager.sign_out(served.session.set_cookies[0].partition(";")[0])
    assert manager.sessions_of(me.sub) == []


def test_a_token_cookie_says_that_it_is_too_large(app):
    """The token itself does not fit into a cookie: the error names the size and the other mode."""
    with pytest.raises(ConfigurationError, match="4096"):
        app.manager().establish(app.sign_in(app.user(groups=GROUPS)))
