"""A session's life in a real browser: its cookie, its tokens' refreshes, its end, and an outage that does not end it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from browser.visitor import COOKIE
from examples.demo.deployment import ACCESS_TOKEN_SECONDS

PARALLEL = 20
AT_ONCE = f"""async () => {{
    const answers = await Promise.all(Array.from({{length: {PARALLEL}}}, () => fetch('/status')));
    return Promise.all(answers.map(async (answer) => [answer.status, (await answer.json()).generation]));
}}"""


def test_the_cookie_as_the_browser_holds_it(visit, user):
    """HttpOnly, Secure, Lax, for this host and all its paths; scripts see no cookie at all; the value is sealed."""
    alice = visit()
    alice.managed(user)
    cookie = alice.session_cookie()
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "Lax")
    assert (cookie["domain"], cookie["path"]) == ("localhost", "/")
    assert all(each["httpOnly"] and each["secure"] for each in alice.context.cookies(alice.site.url))
    assert alice.page.evaluate("document.cookie") == ""
    assert alice.page.evaluate("JSON.stringify({...localStorage, ...sessionStorage})") == "{}"
    assert user.username not in cookie["value"]
    assert "eyJ" not in cookie["value"]


def test_cookies_of_a_flow_are_as_careful(visit, site, user):
    """The cookies of a sign-in under way, too, are HttpOnly, Secure and Lax, and gone afterwards."""
    site.deployment.give_authenticator(user.username)
    alice = visit()
    alice.begin_managed()
    alice.go("/sign-in")
    alice.fill(user_name=user.username, password=user.password)
    alice.press("Sign in")
    alice.sees("Code from your authenticator app")
    found = {cookie["name"]: cookie for cookie in alice.context.cookies(site.url)}
    ours = [cookie for name, cookie in found.items() if name.startswith(f"{COOKIE}-")]
    assert len(ours) == 2
    assert {(each["httpOnly"], each["secure"], each["sameSite"], each["path"]) for each in ours} == {(True, True, "Lax", "/")}
    assert alice.page.evaluate("document.cookie") == ""


def test_an_ordinary_page_is_one_read(visit, site, user):
    """One read, no write, no call to Cognito; and the panel on the page says just that."""
    alice = visit()
    alice.sign_in(user)
    alice.go("/editors")
    cost = site.cost(lambda: alice.go("/"))
    assert cost[:3] == (1, 0, 0)
    expect(alice.page.get_by_role("complementary")).to_contain_text("1 read, 0 writes, 0 calls to Cognito")


def test_the_panel_shows_the_way_here(visit, user):
    """The page after a sign-in shows the requests that led to it, with their calls, and no query, code or state."""
    alice = visit()
    alice.managed(user, "/profile")
    panel = alice.page.get_by_role("complementary")
    expect(panel.locator(".requests > li")).to_have_count(3)
    expect(panel).to_contain_text("/auth/callback")
    expect(panel).to_contain_text("oauth2/token")
    expect(panel).to_contain_text("TransactWriteItems")
    assert re.search(r"code=|state=|\?", panel.inner_text()) is None


def test_parallel_fetches_after_expiry(visit, site, user):
    """20 fetches with an expired token: all are served, for one refresh call, and a reload is still signed in."""
    alice = visit()
    alice.sign_in(user)
    site.stack.advance(ACCESS_TOKEN_SECONDS + 1)
    before = alice.session_cookie()["value"]
    answers = []
    cost = site.cost(lambda: answers.extend(alice.page.evaluate(AT_ONCE)))
    assert answers == [[200, 2]] * PARALLEL
    assert cost.cognito == 1
    assert alice.session_cookie()["value"] != before
    alice.page.reload()
    alice.is_signed_in(user)
    assert alice.status() == 200


def test_a_reload_after_expiry(visit, site, user):
    """Hours later, with rotation on, a reload refreshes once and is served; the next one refreshes nothing."""
    alice = visit()
    alice.sign_in(user, "/profile")
    site.stack.advance(3 * 3600)
    assert site.cost(alice.page.reload).cognito == 1
    alice.is_signed_in(user)
    assert site.cost(alice.page.reload).cognito == 0


def test_the_profile_follows_the_token(visit, site, user):
    """When the token's life is over the page asks once, and shows the next token without being reloaded."""
    alice = visit()
    alice.page.clock.install()
    alice.sign_in(user, "/profile")
    token = alice.page.locator("#token").inner_text()
    site.stack.advance(ACCESS_TOKEN_SECONDS + 1)
    alice.page.clock.run_for((ACCESS_TOKEN_SECONDS + 1) * 1000)
    expect(alice.page.locator("#generation")).to_have_text("2")
    expect(alice.page.locator("#token")).not_to_have_text(token)
    expect(alice.page.get_by_role("log")).to_contain_text(f"Token {token} expired.")
    expect(alice.page.locator("#panel-live")).to_contain_text("/status")


def test_asking_keeps_no_session_alive(visit, site, user):
    """A tab that only asks whether the session is there does not move its idle end."""
    alice = visit()
    alice.sign_in(user)
    for _ in range(5):
        site.stack.advance(6 * 3600)
        last = alice.status()
    assert last == 401


def test_sign_out_is_noticed_in_the_other_tab(visit, user):
    """Without anybody touching it, the other tab says that one is signed out, and shows the way back in."""
    alice = visit()
    alice.managed(user, "/profile")
    second = alice.tab()
    alice.go("/devices", second)
    alice.sign_out()
    alert = second.get_by_role("alert")
    expect(alert).to_contain_text("You have been signed out.")
    alert.get_by_role("link").click()
    alice.is_at("/sign-in?return_to=/devices", second)


def test_another_user_is_noticed_in_the_other_tab(visit, site, user):
    """When somebody else signs in over the first one's session, a tab that shows the first one's page says so."""
    alice, other = visit(), site.somebody()
    alice.sign_in(user, "/profile")
    second = alice.tab()
    alice.go("/devices", second)
    alice.managed(other, "/profile")
    expect(second.get_by_role("alert")).to_contain_text("Another user is signed in now.")


def test_sign_out_ends_it_for_good(visit, user):
    """The cookie is gone from the browser, and put back by hand it is worth nothing."""
    alice = visit()
    alice.managed(user)
    kept = alice.session_cookie()
    alice.sign_out()
    assert alice.session_cookie() is None
    alice.context.add_cookies([kept])
    alice.is_signed_out()


def test_the_back_button_after_sign_out_shows_nothing(visit, user):
    """A page of the session is not to be had from the browser's memory."""
    alice = visit()
    alice.sign_in(user, "/profile")
    alice.sign_out()
    alice.page.go_back()
    alice.sees("Sign in")
    assert user.username not in alice.page.locator("body").inner_text()


def test_data_is_kept_with_the_session(visit, user):
    """A colour and a note survive a reload; markup in the note is text; the next session begins without them."""
    note = '<b>caucus</b> & "race" {brace} <!--panel-->'
    alice = visit()
    alice.sign_in(user, "/profile")
    alice.page.get_by_label("Plum").check()
    alice.fill(note=note)
    alice.press("Save")
    alice.reads("Saved with this session.")
    alice.page.reload()
    expect(alice.page.get_by_label("Note")).to_have_value(note)
    expect(alice.page.locator("html")).to_have_attribute("data-accent", "plum")
    alice.sign_out()
    alice.sign_in(user, "/profile")
    expect(alice.page.get_by_label("Note")).to_have_value("")


@pytest.mark.parametrize("operation", ["GetItem", "*"])
def test_an_outage_is_a_page_and_no_sign_out(visit, site, user, operation):
    """While DynamoDB does not answer there is a 503 in the site's look; afterwards one is signed in as before."""
    alice = visit()
    alice.sign_in(user)
    before = alice.session_cookie()
    site.stack.fault(operation, "error500", times=None)
    assert alice.go("/profile") == 503
    alice.sees("Try again in a moment")
    site.stack.clear_faults()
    assert alice.session_cookie() == before
    alice.page.reload()
    alice.sees("Profile")
    alice.is_signed_in(user)


def test_cognito_down_while_signing_in(visit, site, user):
    """An outage is no wrong password: a 503, no session, and a moment later the same form signs in."""
    alice = visit()
    alice.go("/sign-in")
    site.stack.fault("InitiateAuth", "error500", times=None)
    alice.fill(user_name=user.username, password=user.password)
    alice.press("Sign in")
    alice.sees("Try again in a moment")
    assert alice.session_cookie() is None
    site.stack.clear_faults()
    alice.page.reload()
    alice.sees(f"Hello, {user.username}")


def test_cognito_down_on_the_way_back(visit, site, user):
    """The token endpoint fails once: a 503 whose reload finishes the very same sign-in."""
    alice = visit()
    alice.begin_managed("/login?return_to=/devices")
    site.stack.fault("oauth2/token", "error500", times=None)
    alice.prove(user)
    alice.sees("Please try again")
    assert alice.session_cookie() is None
    site.stack.clear_faults()
    alice.page.reload()
    alice.is_at("/devices")
    alice.is_signed_in(user)
