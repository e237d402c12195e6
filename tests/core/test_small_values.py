"""Pauses, representations, refusals of arguments and cleared tracebacks: small functions, each held to its statement."""

from __future__ import annotations

import pytest

from cognito_session.core.checks import check_cookie_header, check_names
from cognito_session.core.cookie import Cookie
from cognito_session.core.errors import ConfigurationError, StaleSignIn
from cognito_session.core.protocol.context import next_delay, refresh_window
from cognito_session.core.protocol.establish import SignedIn
from cognito_session.core.protocol.write_attempts import Again, repeated
from cognito_session.core.tracebacks import forget_locals
from core.test_flow import World


def test_pauses_start_short_and_stay_within_their_bounds():
    """The first pause is 50 to 150 ms, a later one never over 500 ms."""
    least, most = (lambda size: b"\0" * size), (lambda size: b"\xff" * size)
    assert (next_delay(0.0, least), next_delay(0.5, least)) == (0.05, 0.05)
    assert next_delay(0.0, most) == pytest.approx(0.15)
    assert next_delay(0.15, most) == pytest.approx(0.45)
    assert next_delay(0.5, most) == pytest.approx(0.5)


def test_a_repeated_write_begins_with_the_short_pause():
    """Another writer got in the way once: the next attempt follows within 150 ms."""
    world = World()
    context = world.context._replace(entropy=lambda size: b"\xff" * size)

    def attempt():
        return Again.AGAIN
        yield

    assert next(repeated(context, attempt, busy="busy")).seconds == pytest.approx(0.15)


def test_sessions_spread_over_the_whole_refresh_window():
    """Between half of the window and all of it, so that sessions of one moment do not refresh together."""
    windows = [refresh_window(f"origin-{number}", 3600) for number in range(300)]
    assert 150 <= min(windows) < 165
    assert 285 < max(windows) <= 300


def test_no_repr_shows_what_is_secret():
    """A context hides what draws random bytes, a sign-in hides its tokens and its device."""
    context = World().context._replace(alarm=lambda *told: None)
    assert "entropy=..., " in repr(context)
    assert "alarm=..." in repr(context)
    assert "<function" not in repr(context)
    shown = repr(SignedIn("access", "refresh", "device", "group"))
    assert shown == ("SignedIn(access_token=..., refresh_token=..., device_key=..., device_group='group', device_known=False)")


def test_a_stale_sign_in_challenges_with_the_age_in_whole_seconds():
    """The header of RFC 9470, 3, beside the headers of every error."""
    headers = StaleSignIn(300.5).public_headers()
    assert headers["WWW-Authenticate"] == 'Bearer error="insufficient_user_authentication", max_age="300"'
    assert headers["Cache-Control"] == "no-store"


def test_a_wrong_argument_is_named_with_the_place_of_the_fault():
    """The parameter, what it takes, the type that came, and that it was inside a list."""
    with pytest.raises(ConfigurationError, match=r"^scopes: expected a list of names, not int in it$"):
        check_names("scopes", ["openid", 7])
    with pytest.raises(ConfigurationError, match=r"^cookie_header: expected the Cookie header, .* not bytes in it$"):
        check_cookie_header([b"session=x"])
    with pytest.raises(ConfigurationError, match=r'^same_site: expected "Lax", "Strict" or "None"$'):
        Cookie("session", same_site="lax")


# --- cleared tracebacks


def held(error):
    """The values of every local variable in the error's frames."""
    frames, found = error.__traceback__, []
    while frames is not None:
        found += [each for name, each in frames.tb_frame.f_locals.items() if name == "password"]
        frames = frames.tb_next
    return found


def fails(password):
    raise KeyError(len(password))


def fails_while_it_handles(password):
    try:
        fails(password)
    except KeyError:
        raise ValueError("while handling") from None


def fails_in_a_group(password):
    found = []
    for _ in range(2):
        try:
            fails(password)
        except KeyError as error:
            found.append(error)
    raise ExceptionGroup("several", found)


def caught(function):
    """The error of a function that was called with a password."""
    try:
        function("hunter2")
    except Exception as error:
        return error


def test_the_error_that_was_being_handled_is_cleared_too():
    """It is the context of the error and not its cause."""
    error = caught(fails_while_it_handles)
    assert set(held(error.__context__)) == {"hunter2"}
    forget_locals(error, None)
    assert held(error) == held(error.__context__) == []


def test_every_error_of_a_group_is_cleared():
    """A group's own frames and those of its members."""
    error = caught(fails_in_a_group)
    assert [set(held(each)) for each in error.exceptions] == [{"hunter2"}, {"hunter2"}]
    forget_locals(error, None)
    assert [held(each) for each in (error, *error.exceptions)] == [[], [], []]
