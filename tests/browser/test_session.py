"""A session in a real browser: its cookie, its refreshes, its end, and outages that do not end it."""

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


def test_the_session_cookie(visit, user):
    """The cookie is HttpOnly, Secure and Lax for the host and all paths. Scripts see no cookie, and the value is sealed."""
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


def test_cookies_of_an_unfinished_sign_in(visit, site, user):
    """The cookies of an unfinished sign-in are HttpOnly, Secure and Lax too."""
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
    """A page needs one read, no write and no call to Cognito, and its panel shows this."""
    alice = visit()
    alice.sign_in(user)
    alice.go("/editors")
    cost = site.cost(lambda: alice.go("/"))
    assert cost[:3] == (1, 0, 0)
    expect(alice.page.get_by_role("complementary")).to_contain_text("1 read, 0 writes, 0 calls to Cognito")


def test_the_panel_shows_redirects(visit, user):
    """The page after a sign-in shows the requests before it with their calls, without query, code or state."""
    alice = visit()
    alice.managed(user, "/profile")
    panel = alice.page.get_by_role("complementary")
    expect(panel.locator(".requests > li")).to_have_count(3)
    expect(panel).to_contain_text("/auth/callback")
    expect(panel).to_contain_text("oauth2/token")
    expect(panel).to_contain_text("TransactWriteItems")
    assert re.search(r"code=|state=|\?", panel.inner_text()) is None


def test_parallel_fetches_after_expiry(visit, site, user):
    """20 parallel requests with an expired token are all served with one refresh call, and a reload is signed in."""
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
    """Hours later a reload refreshes the token once; the next reload does not."""
    alice = visit()
    alice.sign_in(user, "/profile")
    site.stack.advance(3 * 3600)
    assert site.cost(alice.page.reload).cognito == 1
    alice.is_signed_in(user)
    assert site.cost(alice.page.reload).cognito == 0


def test_the_profile_follows_the_token(visit, site, user):
    """When the token expires, the page asks once and shows the new token without a reload."""
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


def test_polling_does_not_extend_the_session(visit, site, user):
    """A tab that only polls the session does not extend its idle timeout."""
    alice = visit()
    alice.sign_in(user)
    for _ in range(5):
        site.stack.advance(6 * 3600)
        last = alice.status()
    assert last == 401


def test_sign_out_shows_in_the_other_tab(visit, user):
    """The other tab shows without user input that the user is signed out, with a link to sign in."""
    alice = visit()
    alice.managed(user, "/profile")
    second = alice.tab()
    alice.go("/devices", second)
    alice.sign_out()
    alert = second.get_by_role("alert")
    expect(alert).to_contain_text("You have been signed out.")
    alert.get_by_role("link").click()
    alice.is_at("/sign-in?return_to=/devices", second)


def test_another_user_shows_in_the_other_tab(visit, site, user):
    """When another user signs in, a tab with a page of the first user shows it."""
    alice, other = visit(), site.new_user()
    alice.sign_in(user, "/profile")
    second = alice.tab()
    alice.go("/devices", second)
    alice.managed(other, "/profile")
    expect(second.get_by_role("alert")).to_contain_text("Another user is signed in now.")


def test_sign_out_ends_the_session(visit, user):
    """The browser deletes the cookie, and a restored copy of it is refused."""
    alice = visit()
    alice.managed(user)
    kept = alice.session_cookie()
    alice.sign_out()
    assert alice.session_cookie() is None
    alice.context.add_cookies([kept])
    alice.is_signed_out()


def test_the_back_button_after_sign_out_shows_nothing(visit, user):
    """The browser does not show a page of the session from its cache."""
    alice = visit()
    alice.sign_in(user, "/profile")
    alice.sign_out()
    alice.page.go_back()
    alice.sees("Sign in")
    assert user.username not in alice.page.locator("body").inner_text()


def test_data_is_kept_with_the_session(visit, user):
    """A color and a note survive a reload, markup in the note is text, and the next session starts without them."""
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
def test_an_outage_does_not_sign_out(visit, site, user, operation):
    """While DynamoDB fails, the page is a 503 in the site's look; afterwards the user is still signed in."""
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
    """An outage is a 503 without a session, not a wrong password; later the same form signs in."""
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


def test_cognito_down_at_the_callback(visit, site, user):
    """If the token endpoint fails, the callback is a 503, and its reload finishes the same sign-in."""
    alice = visit()
    alice.begin_managed("/login?return_to=/devices")
    site.stack.fault("oauth2/token", "error500", times=None)
    alice.prove(user)
    alice.sees("Temporarily unavailable")
    assert alice.session_cookie() is None
    site.stack.clear_faults()
    alice.page.reload()
    alice.is_at("/devices")
    alice.is_signed_in(user)
