"""In the refresh window a newer cookie is due at once: whoever is served there meanwhile is not handed the one about to go."""

from __future__ import annotations

import pytest

from cognito_session.core.errors import ConfigurationError, ProviderUnavailable
from cognito_session.core.protocol.ports import NewTokens
from cognito_session.core.protocol.session import Active, Refreshed
from core.test_flow import ISSUED_AT, LIFE, World

NOW = ISSUED_AT + 2 * LIFE - 10
"""Ten seconds before the end of the second access token."""


def refreshed():
    """A session whose refresh was answered and whose new cookie never reached the browser."""
    made = World()
    made.sign_in()
    made.clock.advance(LIFE + 1)
    assert isinstance(made.resolve(), Refreshed)
    return made


@pytest.fixture
def world():
    """That session in the window of the new token."""
    made = refreshed()
    made.provider.answers = [NewTokens(made.token("jti-3", at=2 * LIFE), "rt-3")]
    made.clock.advance(NOW - made.clock.now())
    return made


def refused(world):
    """The store takes no write."""

    def write(change):
        raise ConfigurationError("the role may not write")

    world.store.write = write


def failing(world):
    """Cognito does not answer."""
    world.provider.answers = [ProviderUnavailable("away", sent=True)]


BRANCHES = {
    "its device is not confirmed": lambda world: world.edit(device_key="d", device_pending="salt:verifier"),
    "another worker refreshes": lambda world: world.edit(lease_id="theirs", lease_until=(NOW + 4) * 1000),
    "a suspicion is young": lambda world: world.edit(suspect_at=NOW - 1),
    "an old suspicion cannot be written": lambda world: (world.edit(suspect_at=NOW - 60), refused(world)),
    "Cognito is left alone for a while": lambda world: world.edit(retry_at=NOW + 5),
    "Cognito does not answer": failing,
    "the table takes no write": refused,
}


@pytest.mark.parametrize("happens", BRANCHES.values(), ids=BRANCHES)
def test_a_previous_cookie_is_served_and_not_replaced_by_one_about_to_go(world, happens):
    """Served with the current token, without a cookie."""
    happens(world)
    outcome = world.resolve()
    assert type(outcome) is Active
    assert outcome.session.claims["jti"] == "jti-2"
    assert outcome.session.set_cookies == ()


def test_the_same_where_too_little_time_is_left(world):
    """The function ends before a refresh could: nothing is begun, and no cookie is set."""
    outcome = world.resolve(deadline=world.clock.monotonic() + 3)
    assert type(outcome) is Active
    assert outcome.session.set_cookies == ()
    assert len(world.provider.requests) == 1


def test_before_the_window_it_is_healed():
    """The opposite: a cookie that stays good for a while is handed out."""
    outcome = refreshed().resolve()
    assert type(outcome) is Active
    assert len(outcome.session.set_cookies) == 1


def test_max_age_is_counted_to_the_moment_of_a_refresh(world):
    """A request that refreshes serves as of now: a guard on the age of the sign-in holds there as on any other request."""
    from cognito_session.core.errors import SessionForbidden

    outcome = world.resolve()
    assert type(outcome) is Refreshed
    assert outcome.session.served_at == world.clock.now()
    outcome.session.require(max_age=2 * LIFE)
    with pytest.raises(SessionForbidden) as caught:
        outcome.session.require(max_age=300)
    assert caught.value.reason == "stale_sign_in"
