"""Managed login in a real browser: there and back, in every way that people come back."""

from __future__ import annotations

import re
from urllib.parse import quote

from playwright.sync_api import expect

from browser.site import NEW_PASSWORD, PASSWORD

EVIL = (
    *("//evil.example/", "/\\evil.example", "https:evil.example", "https://evil.example/"),
    *("/%2fevil.example", "/%252fevil.example", "/\t/evil.example", "javascript:evil()"),
)


def test_there_and_back(visit, user):
    """A page for those who are signed in leads to the form, from there to Cognito, and back to that very page."""
    alice = visit()
    alice.go("/profile")
    alice.sees("Sign in")
    alice.press("Sign in with managed login")
    alice.prove(user)
    alice.is_at("/profile")
    alice.is_signed_in(user)
    assert [cookie["name"] for cookie in alice.context.cookies(alice.site.url) if "flow" in cookie["name"]] == []


def test_a_wrong_password_stays_at_cognito(visit, user):
    """Cognito's page says so, nothing comes back to the site; the right one then works in the same flow."""
    alice = visit()
    alice.begin_managed()
    alice.prove(user, password="Wrong-1865!")
    expect(alice.page.locator(".error")).to_be_visible()
    assert alice.session_cookie() is None
    alice.prove(user)
    alice.is_at("/")
    alice.is_signed_in(user)


def test_signing_up_there(visit, site):
    """Sign-up at Cognito ends signed in here; the code is the one that was sent."""
    name = site.a_name()
    newcomer = visit()
    newcomer.begin_managed("/login/sign-up")
    newcomer.page.get_by_label("User name").fill(name)
    newcomer.page.get_by_label("Email").fill(f"{name}@example.com")
    newcomer.page.get_by_label("Password").fill(PASSWORD)
    newcomer.page.get_by_role("button", name="Sign up").click()
    newcomer.page.get_by_label("Confirmation code").fill(site.deployment.mail(name))
    newcomer.page.get_by_role("button", name="Confirm").click()
    newcomer.is_at("/")
    newcomer.sees(f"Hello, {name}")


def test_cancelling_is_a_clear_page(visit):
    """Who cancels at Cognito comes back to a page that says so, without a session, and can begin again."""
    visitor = visit()
    visitor.begin_managed("/login/sign-up")
    visitor.page.get_by_role("link", name="Cancel").click()
    visitor.sees("Sign-in was cancelled")
    assert visitor.session_cookie() is None
    visitor.page.get_by_role("link", name="Sign in").click()
    visitor.sees("Sign in")


def test_two_tabs_at_once(visit, user):
    """Two tabs begin before either is back; both end signed in, each where it wanted to go."""
    alice = visit()
    second = alice.tab()
    alice.begin_managed("/login?return_to=/profile")
    alice.begin_managed("/login?return_to=/devices", second)
    alice.prove(user)
    alice.is_at("/profile")
    alice.prove(user, second)
    alice.is_at("/devices", second)
    alice.is_signed_in(user, second)
    alice.page.reload()
    alice.is_signed_in(user)


def test_the_back_button_after_a_sign_in(visit, user):
    """Back at Cognito's page, the same form once more: nothing breaks, and the person is still signed in."""
    alice = visit()
    alice.managed(user, "/profile")
    alice.page.go_back()
    if alice.page.get_by_label("Password").count():
        alice.prove(user)
    expect(alice.page).to_have_url(re.compile("^" + re.escape(alice.site.url)))
    alice.is_signed_in(user)


def test_a_callback_that_is_loaded_again(visit, user):
    """The callback's address, opened a second time, leads a signed-in person on instead of to an error."""
    alice = visit()
    seen = []
    alice.page.on("request", lambda request: seen.append(request.url))
    alice.managed(user)
    (callback,) = [url for url in seen if "/auth/callback" in url]
    alice.go(callback)
    alice.is_at("/")
    alice.is_signed_in(user)


def test_an_expired_transaction_begins_anew(visit, site, user):
    """A quarter of an hour at Cognito's page is too long; the flow begins anew by itself and ends where it should."""
    alice = visit()
    alice.begin_managed("/login?return_to=/devices")
    site.stack.advance(16 * 60)
    alice.prove(user)
    alice.is_at("/devices")
    alice.is_signed_in(user)


def test_a_lost_transaction_begins_anew(visit, user):
    """Where the browser lost the flow's cookie, the flow begins anew by itself."""
    alice = visit()
    alice.begin_managed("/login?return_to=/devices")
    alice.context.clear_cookies(domain="localhost")
    alice.prove(user)
    alice.is_at("/")
    alice.is_signed_in(user)


def test_a_flow_begins_anew_only_once(visit):
    """A state that was begun anew already, and is not known, is a page that says what to do."""
    visitor = visit()
    assert visitor.go(f"/auth/callback?code=x&state=r{'0' * 32}") == 400
    visitor.sees("Sign-in did not finish")
    assert visitor.session_cookie() is None


def test_cognito_remembers_until_sign_out(visit, user):
    """Who lost only our cookie is signed in again without a password; after signing out Cognito asks for it."""
    alice = visit()
    alice.managed(user)
    alice.context.clear_cookies(domain="localhost")
    alice.go("/login")
    alice.is_at("/")
    alice.is_signed_in(user)
    alice.sign_out()
    alice.begin_managed()
    expect(alice.page.get_by_label("Password")).to_be_visible()


def test_no_way_out_of_the_site(visit, user):
    """A return address that is another site's, however it is spelled, ends at the start of this one, by every way in."""
    alice = visit()
    for evil in EVIL:
        alice.go(f"/login?return_to={quote(evil)}")
        if alice.page.url.startswith(alice.site.cognito):
            alice.prove(user)
        alice.is_at("/")
        alice.context.clear_cookies(domain="localhost")
        alice.go(f"/sign-in?return_to={quote(evil)}")
        assert "evil" not in alice.page.content()
    alice.page.locator("input[name=return_to]").first.evaluate("(field) => { field.value = '//evil.example/'; }")
    alice.fill(user_name=user.username, password=user.password)
    alice.press("Sign in")
    alice.is_at("/")
    alice.is_signed_in(user)


def test_a_changed_password_counts_there_too(visit, site, user):
    """After a change on our page managed login takes the new password and no longer the old one."""
    alice = visit()
    alice.managed(user, "/password")
    alice.fill(current_password=PASSWORD, new_password=NEW_PASSWORD)
    alice.press("Change password")
    alice.is_at("/profile?done=password")
    site.stack.advance(3)  # within the clock tolerance of signing out the others, a sign-in counts as one from before
    alice.sign_out()
    alice.begin_managed()
    alice.prove(user)
    expect(alice.page.locator(".error")).to_be_visible()
    alice.prove(user, password=NEW_PASSWORD)
    alice.is_at("/")
