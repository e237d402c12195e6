"""The settings of a session's life: their bounds, and the numbers that the protocol was proved with."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from cognito_session.core import policy
from cognito_session.core.errors import ConfigurationError
from cognito_session.core.policy import SessionPolicy, lease_seconds

DAY = 86_400


def test_the_defaults_are_the_documented_ones():
    """One day idle, seven days in all, refresh tokens of thirty days, rotation undeclared, reuse ends, twenty sessions live."""
    default = SessionPolicy()
    assert (default.max_sessions, default.on_max_sessions) == (20, "evict")
    assert (default.idle_seconds, default.absolute_seconds, default.refresh_token_days) == (DAY, 7 * DAY, 30)
    assert (default.rotation_grace_seconds, default.allow_lossy_rotation, default.on_reuse) == (None, False, "end")


def test_the_protocol_s_numbers():
    """Lease, tolerance, call limit and overlap are the proved ones, and fit together as the proof needs."""
    assert (policy.LEASE_SECONDS, policy.CLOCK_TOLERANCE_SECONDS, policy.CALL_LIMIT_SECONDS) == (6, 2, 4)
    assert (policy.OVERLAP_SECONDS, policy.MAX_LEASE_SECONDS, policy.PATIENCE_SECONDS) == (60, 30, 12)
    assert policy.CALL_LIMIT_SECONDS < policy.LEASE_SECONDS
    assert policy.TOMBSTONE_SECONDS > DAY + policy.CLOCK_TOLERANCE_SECONDS


@pytest.mark.parametrize(
    ("acquisition", "seconds"), [(1, 6), (2, 6), (3, 12), (4, 24), (5, 30), (6, 30), (1000, 30), (10**9, 30)]
)
def test_leases_grow_from_the_third_acquisition(acquisition, seconds):
    """Six seconds twice, then doubling up to thirty, for any number of acquisitions."""
    assert lease_seconds(acquisition) == seconds
    assert type(lease_seconds(acquisition)) is int


BOUNDS = [
    ("idle_seconds", 60, 400 * DAY, True),
    ("absolute_seconds", 60, 400 * DAY, True),
    ("refresh_token_days", 1, 3650, False),
    ("rotation_grace_seconds", 13, 60, True),
    ("max_sessions", 1, 1000, True),
    ("key_set_max_age_seconds", 300, 30 * DAY, False),
    ("key_set_outage_seconds", 0, 30 * DAY, False),
    ("recent_sign_in_seconds", 1, 400 * DAY, True),
]


@pytest.mark.parametrize(("name", "least", "most", "optional"), BOUNDS, ids=[bound[0] for bound in BOUNDS])
def test_a_span_lies_within_its_bounds(name, least, most, optional):
    """Least and most are accepted, one below and one above are a ConfigurationError that names the setting."""
    for value in (least, most, *((None,) if optional else ())):
        assert getattr(SessionPolicy(**{name: value}), name) == value
    for value in (least - 1, most + 1, 0 if least else -1, -1):
        with pytest.raises(ConfigurationError, match=f"^{name}[:=]"):
            SessionPolicy(**{name: value})
    if not optional:
        with pytest.raises(ConfigurationError, match=name):
            SessionPolicy(**{name: None})


@pytest.mark.parametrize("name", [bound[0] for bound in BOUNDS])
@pytest.mark.parametrize("value", ["60", 60.0, True, [60], float("inf"), float("nan")], ids=repr)
def test_a_span_is_a_whole_number(name, value):
    """Texts, fractions and booleans are refused, though Python would compute with some of them."""
    with pytest.raises(ConfigurationError, match=name):
        SessionPolicy(**{name: value})


@pytest.mark.parametrize("value", ["", "End", "ignore", None, True])
@pytest.mark.parametrize(("name", "words"), [("on_reuse", ("end", "reject")), ("on_max_sessions", ("evict", "refuse"))])
def test_a_choice_is_one_of_two_words(name, words, value):
    """Anything else is refused; both words are taken."""
    with pytest.raises(ConfigurationError, match=name):
        SessionPolicy(**{name: value})
    assert [getattr(SessionPolicy(**{name: word}), name) for word in words] == [*words]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("end_others_after", "password", "end_others_after: expected "),
        ("end_others_after", 7, "end_others_after: expected "),
        ("end_others_after", ("passwords",), "end_others_after: expected one of "),
        ("allow_lossy_rotation", "yes", "allow_lossy_rotation: expected "),
        ("accept_unsealed_rows", "yes", "accept_unsealed_rows: expected "),
        ("forget_device_on_sign_out", "yes", "forget_device_on_sign_out: expected "),
        ("audiences", "x", 'audiences: expected a tuple with one text or more, like ("https://api.example",), or None'),
        ("audiences", (" x",), "audiences: expected texts without spaces around them"),
    ],
)
def test_a_wrong_setting_is_named_first(name, value, said):
    """The error of a wrong type or word begins with the setting as it is written in the call."""
    with pytest.raises(ConfigurationError) as caught:
        SessionPolicy(**{name: value})
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize("grace", [0, 1, 12])
def test_a_grace_too_short_for_one_crash_must_be_spelled_out(grace):
    """Below lease + tolerance + call limit + 1 = 13 s one crash loses the session: refused unless accepted in so many words."""
    with pytest.raises(ConfigurationError, match=r"allow_lossy_rotation=True") as caught:
        SessionPolicy(rotation_grace_seconds=grace)
    assert "RetryGracePeriodSeconds" in str(caught.value)
    assert SessionPolicy(rotation_grace_seconds=grace, allow_lossy_rotation=True).rotation_grace_seconds == grace


def test_lossy_rotation_does_not_lift_the_bounds():
    """Accepting loss does not accept a grace that Cognito does not have."""
    for grace in (-1, 61):
        with pytest.raises(ConfigurationError, match="rotation_grace_seconds"):
            SessionPolicy(rotation_grace_seconds=grace, allow_lossy_rotation=True)


@pytest.mark.parametrize(
    ("absolute", "days", "end"),
    [(7 * DAY, 30, 7 * DAY), (40 * DAY, 30, 30 * DAY), (None, 30, 30 * DAY), (60, 1, 60), (400 * DAY, 3650, 400 * DAY)],
)
def test_no_session_outlives_its_limit_or_its_refresh_token(absolute, days, end):
    """The absolute end is the earlier of the two; without a limit of its own, the refresh token's."""
    assert SessionPolicy(absolute_seconds=absolute, refresh_token_days=days).absolute_end(1_000_000) == 1_000_000 + end


@pytest.mark.parametrize(
    ("idle", "absolute_end", "end"),
    [(600, None, 1_600), (600, 1_601, 1_600), (600, 1_600, 1_600), (600, 1_599, 1_599), (600, 900, 900), (None, 1_599, None)],
)
def test_the_idle_end_follows_use_up_to_the_absolute_end(idle, absolute_end, end):
    """A session used at 1,000 is idle from its idle span later, never after its absolute end; without a span, never."""
    assert SessionPolicy(idle_seconds=idle).idle_end(1_000, absolute_end) == end


@pytest.mark.parametrize(
    ("idle", "stored", "absolute_end", "slides"),
    [
        (600, None, None, True),
        (600, 1_600, None, False),
        (600, 1_541, None, False),
        (600, 1_540, None, True),
        (600, 1_000, None, True),
        (600, 1_500, 1_540, True),  # the absolute end is as far as it can slide: written once, never again
        (600, 1_540, 1_540, False),
        (600, 1_500, 1_560, True),
        (600, 2_000, None, False),
        (None, None, None, False),
        (None, 1_000, None, False),
    ],
)
def test_the_idle_end_is_written_once_in_a_tenth_of_its_span(idle, stored, absolute_end, slides):
    """At 1,000 it moves where that gains a tenth of the span or more, so that not every request writes."""
    assert SessionPolicy(idle_seconds=idle).slides(1_000, stored, absolute_end) is slides


def test_a_policy_is_frozen():
    """Settings cannot change under a running flow."""
    with pytest.raises(FrozenInstanceError):
        SessionPolicy().idle_seconds = 1


def test_settings_are_named_when_given():
    """Positional settings are refused: two spans in the wrong order would go unnoticed."""
    with pytest.raises(TypeError):
        SessionPolicy(60, 60)
