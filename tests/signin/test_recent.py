"""A stolen session does not become the account: changing it, and ending others, ask for a sign-in of the last five minutes."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace
from html import unescape

import pytest

from cognito_session import Active, ConfigurationError, Refreshed, Rejected, SessionForbidden, SessionPolicy
from cognito_session.core.errors import StaleSignIn
from cognito_session.http.error_response import refusal
from cognito_session.signin.outcome import Done, PasswordChanged, TotpSecret
from managed.scene import rows
from signin.browser import BASE_URL, Site, location, query_of
from signin.counter import Counter, refused
from support.stack import PASSWORD, make_app

MOST = 300
NEW_PASSWORD = "Another-Password2!"
STALE = refused("stale_sign_in")
OPERATIONS = {
    "change_password": (PASSWORD, NEW_PASSWORD),
    "begin_totp": (),
    "confirm_totp": ("123456",),
    "begin_passkey": (),
    "complete_passkey": ("{}",),
    "remember_device": (),
}


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def counter(stack, request):
    """A site with its own pages, for both kinds of manager."""
    return Counter(make_app(stack, sort_key="sid", mfa="OPTIONAL"), asynchronous=request.param)


def signed_in(counter):
    """A user and their session."""
    user = counter.app.user()
    return user, counter.arrived(counter.sign_in(user.username), user)


def served(counter):
    """The session of the browser's next request."""
    outcome = counter.manager.resolve(counter.cookies)
    return asyncio.run(outcome) if counter.asynchronous else outcome


# --- your own pages


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_session_of_six_days_ago_changes_nothing_of_the_account(counter, operation):
    """Refused as `stale_sign_in`, whatever the fields hold, and before anything is sent: no password can be tried out."""
    _, me = signed_in(counter)
    counter.app.stack.advance(6 * 86_400)
    counter.calls()
    for arguments in (OPERATIONS[operation], tuple("x" for _ in OPERATIONS[operation])):
        assert counter.do(operation, me, *arguments) == STALE
    assert counter.calls() == []


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_recent_sign_in_may_change_the_account_until_its_time_is_over(counter, operation):
    """Within 300 seconds nothing is stale, after 301 everything is."""
    _, me = signed_in(counter)
    counter.app.stack.advance(MOST - 60)
    try:
        assert counter.do(operation, me, *OPERATIONS[operation]) != STALE
    except ConfigurationError:
        assert operation.endswith("_passkey")  # it was asked for; the local stack knows no registration
    counter.app.stack.advance(61)
    assert counter.do(operation, me, *OPERATIONS[operation]) == STALE


def test_no_refresh_makes_a_sign_in_younger(counter):
    """The age is that of the record's sign-in, though the new access token was issued a moment ago."""
    signed_in(counter)
    counter.app.stack.advance(3601)
    outcome = served(counter)
    assert isinstance(outcome, Refreshed)
    assert counter.do("begin_totp", outcome.session) == STALE


def test_signing_in_again_in_this_browser_helps(counter):
    """A new session in the place of the old one, and the password changes."""
    user, _ = signed_in(counter)
    counter.app.stack.advance(MOST + 1)
    again = counter.arrived(counter.sign_in(user.username), user)
    assert counter.do("change_password", again, PASSWORD, NEW_PASSWORD) == PasswordChanged(0)


def test_a_device_is_always_forgotten(counter):
    """Only to remember one needs a recent sign-in: to forget it takes nothing from the owner."""
    _, me = signed_in(counter)
    counter.app.stack.advance(MOST + 1)
    assert counter.do("remember_device", me, remembered=False) == refused("invalid_input")  # the pool tracks no devices


def test_the_setting(stack):
    """Another age, or None for none; a session of an unknown time of sign-in is too old for any."""
    app = make_app(stack, sort_key="sid", mfa="OPTIONAL")
    for seconds, answer in ((60, STALE.__class__), (None, TotpSecret)):
        counter = Counter(app, policy=SessionPolicy(recent_sign_in_seconds=seconds))
        _, me = signed_in(counter)
        stack.advance(61)
        assert isinstance(counter.do("begin_totp", me), answer)
    assert SessionPolicy().recent_sign_in_seconds == MOST
    for wrong in (0, -1, "300", True, 1.5):
        with pytest.raises(ConfigurationError, match="recent_sign_in_seconds: expected whole number from 1"):
            SessionPolicy(recent_sign_in_seconds=wrong)


# --- managed login


def link_of(response):
    """The address of the page's one link."""
    return unescape(re.search(r'href="([^"]+)"', response.body)[1])


@pytest.mark.parametrize("where", ["elsewhere", "everywhere"])
def test_an_old_session_ends_no_other(site, where):
    """A 403 that says how to go on; nothing is written, both sessions live, no cookie goes."""
    user = site.app.user()
    with Site(site.app) as other:
        other.sign_in(user)
        other.resolve()
        site.sign_in(user)
        site.resolve()
        site.app.stack.advance(MOST + 1)
        before = rows(site.app)
        response = site.sign_out(where=where)
        assert (response.status, response.cookies) == (403, ())
        assert rows(site.app) == before
        assert all(isinstance(each.resolve(), Active) for each in (site, other))


@pytest.mark.parametrize("where", ["elsewhere", "everywhere"])
def test_the_way_back_to_the_button(site, where):
    """The page's link asks Cognito for the password and leads back to the page with the button, which then works."""
    user = site.app.user()
    with Site(site.app) as other:
        other.sign_in(user)
        site.sign_in(user)
        site.app.stack.advance(MOST + 1)
        own = (("sec-fetch-site", "same-origin"), ("referer", f"{BASE_URL}/devices?page=2"))
        link = link_of(site.sign_out(*own, where=where))
        assert link == "/login?prompt=login&return_to=/devices%3Fpage%3D2"
        away = site.keep(site._run(site.login.start(site.request("GET", link))))
        assert query_of(location(away))["prompt"] == "login"
        back = site.callback(site.sign_in_at_cognito(location(away), user))
        assert location(back) == "/devices?page=2"
        assert site.sign_out(*own, where=where).status == 303
        assert isinstance(other.resolve(), Rejected)


@pytest.mark.parametrize(
    ("site_said", "origin", "back"),
    [
        ("same-origin", BASE_URL, "&return_to=/devices%3Fpage%3D2"),
        ("same-origin", "null", ""),
        ("cross-site", BASE_URL, ""),
    ],
)
def test_the_way_back_behind_a_proxy_that_changes_host(site, site_said, origin, back):
    """The browser's own word that the page is of this site counts there; without it the link leads to sign in alone."""
    sent = {"sec-fetch-site": site_said, "origin": origin, "referer": f"{BASE_URL}/devices?page=2", "host": "internal.example"}
    asked = site.request("POST", "/sign-out")
    asked = asked._replace(headers={**asked.headers, **{name: (value,) for name, value in sent.items()}})
    assert link_of(refusal(asked, StaleSignIn(300), login_path="/login")) == f"/login?prompt=login{back}"


@pytest.mark.parametrize("referer", ["https://evil.example/devices", "//evil.example", "https://[", "", "about:blank"])
def test_the_way_back_is_a_page_of_this_site(site, referer):
    """A Referer of elsewhere, or none: the link leads to sign in, and back to where every sign-in does."""
    site.sign_in(site.app.user())
    site.app.stack.advance(MOST + 1)
    response = site.sign_out(("sec-fetch-site", "same-origin"), ("referer", referer), where="elsewhere")
    assert link_of(response) == "/login?prompt=login"


def test_a_program_is_told_by_the_challenge(site):
    """JSON with the reason, and RFC 9470's challenge with the age that is asked for."""
    site.sign_in(site.app.user())
    site.app.stack.advance(MOST + 1)
    request = site.request("POST", "/sign-out", ("sec-fetch-site", "same-origin"))
    request = request._replace(headers={**request.headers, "sec-fetch-mode": ("cors",)})
    response = site._run(site.login.sign_out(request, where="elsewhere"))
    assert (response.status, json.loads(response.body)["reason"]) == (403, "stale_sign_in")
    assert response.headers["WWW-Authenticate"] == 'Bearer error="insufficient_user_authentication", max_age="300"'


def test_signing_out_here_asks_nothing(site):
    """Whoever leaves may leave, however long ago they came."""
    user = site.app.user()
    site.sign_in(user)
    site.app.stack.advance(6 * 3600)
    assert site.sign_out().status == 303
    assert isinstance(site.resolve(), Rejected)


def test_a_thief_who_ends_the_others_every_second_keeps_nobody_out(site):
    """The stolen session is fresh, so that it may: each sign-in of the owner lands all the same, and ends it at last."""
    user = site.app.user()
    with Site(site.app) as thief:
        thief.sign_in(user)
        for _ in range(3):
            away = site.start(prompt="login")
            back = site.sign_in_at_cognito(away, user)
            assert thief.sign_out(where="elsewhere").status == 303
            assert site.callback(back).status == 303
            assert isinstance(site.resolve(), Active)
            site.app.stack.advance(1)
        assert site.sign_out(where="elsewhere").status == 303
        assert isinstance(thief.resolve(), Rejected)


# --- an application's own guard


@pytest.mark.parametrize(("ahead", "recent"), [(10, True), (11, False), (10**9, False)])
def test_a_sign_in_of_the_future_is_not_recent(counter, ahead, recent):
    """Ten seconds ahead is a clock's difference, more is not. A session without its time of serving proves no age."""
    _, me = signed_in(counter)
    early = replace(me, served_at=me.auth_time - ahead)
    if recent:
        early.require(max_age=MOST)
    else:
        with pytest.raises(SessionForbidden) as caught:
            early.require(max_age=MOST)
        assert caught.value.reason == "stale_sign_in"


def test_done_is_what_a_fresh_session_gets(counter):
    """The authenticator app of a user who has just signed in is taken into use without another question."""
    _, me = signed_in(counter)
    secret = counter.do("begin_totp", me).secret
    assert counter.do("confirm_totp", me, counter.app.stack.totp(secret)) == Done()
