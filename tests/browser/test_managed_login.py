"""Managed login in a real browser, and every way that users return from it."""

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
    """A page for signed-in users leads to the form, from there to Cognito, and back to the same page."""
    alice = visit()
    alice.go("/profile")
    alice.sees("Sign in")
    alice.press("Sign in with managed login")
    alice.prove(user)
    alice.is_at("/profile")
    alice.is_signed_in(user)
    assert [cookie["name"] for cookie in alice.context.cookies(alice.site.url) if "flow" in cookie["name"]] == []


def test_a_wrong_password_stays_at_cognito(visit, user):
    """Cognito's page reports a wrong password and does not return. The right password works in the same flow."""
    alice = visit()
    alice.begin_managed()
    alice.prove(user, password="Wrong-1865!")
    expect(alice.page.locator(".error")).to_be_visible()
    assert alice.session_cookie() is None
    alice.prove(user)
    alice.is_at("/")
    alice.is_signed_in(user)


def test_signing_up_there(visit, site):
    """A user who signs up at Cognito with the code from the message is signed in here."""
    name = site.unused_name()
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
    """A user who cancels at Cognito gets a page without a session, and can start again."""
    visitor = visit()
    visitor.begin_managed("/login/sign-up")
    visitor.page.get_by_role("link", name="Cancel").click()
    visitor.sees("Sign-in was cancelled")
    assert visitor.session_cookie() is None
    visitor.page.get_by_role("link", name="Sign in").click()
    visitor.sees("Sign in")


def test_two_tabs_at_once(visit, user):
    """Two tabs start a sign-in at the same time; both are signed in and reach their own pages."""
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
    """A user who goes back to Cognito's page and sends the form again is still signed in."""
    alice = visit()
    alice.managed(user, "/profile")
    alice.page.go_back()
    if alice.page.get_by_label("Password").count():
        alice.prove(user)
    expect(alice.page).to_have_url(re.compile("^" + re.escape(alice.site.url)))
    alice.is_signed_in(user)


def test_a_callback_that_is_loaded_again(visit, user):
    """A signed-in user who opens the callback's address again is redirected and sees no error."""
    alice = visit()
    seen = []
    alice.page.on("request", lambda request: seen.append(request.url))
    alice.managed(user)
    (callback,) = [url for url in seen if "/auth/callback" in url]
    alice.go(callback)
    alice.is_at("/")
    alice.is_signed_in(user)


def test_an_expired_transaction_restarts(visit, site, user):
    """After 16 minutes at Cognito's page the flow restarts by itself and reaches the right page."""
    alice = visit()
    alice.begin_managed("/login?return_to=/devices")
    site.stack.advance(16 * 60)
    alice.prove(user)
    alice.is_at("/devices")
    alice.is_signed_in(user)


def test_a_lost_transaction_restarts(visit, user):
    """If the browser lost the flow's cookie, the flow restarts by itself."""
    alice = visit()
    alice.begin_managed("/login?return_to=/devices")
    alice.context.clear_cookies(domain="localhost")
    alice.prove(user)
    alice.is_at("/")
    alice.is_signed_in(user)


def test_a_flow_restarts_only_once(visit):
    """An unknown state of a restarted flow gets a page with instructions, not another restart."""
    visitor = visit()
    assert visitor.go(f"/auth/callback?code=x&state=r{'0' * 32}") == 400
    visitor.sees("Sign-in was not completed")
    assert visitor.session_cookie() is None


def test_cognito_remembers_until_sign_out(visit, user):
    """A user who lost only this site's cookie needs no password. After sign-out, Cognito asks for it."""
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
    """A return address of another site, in any spelling, leads to this site's start page."""
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
    """After a change on this site, managed login accepts the new password and refuses the old one."""
    alice = visit()
    alice.managed(user, "/password")
    alice.fill(current_password=PASSWORD, new_password=NEW_PASSWORD)
    alice.press("Change password")
    alice.is_at("/profile?done=password")
    site.stack.advance(3)  # a sign-in within the clock tolerance of the change counts as an earlier one, and ends
    alice.sign_out()
    alice.begin_managed()
    alice.prove(user)
    expect(alice.page.locator(".error")).to_be_visible()
    alice.prove(user, password=NEW_PASSWORD)
    alice.is_at("/")
