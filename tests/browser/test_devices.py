"""Devices in two real browsers: the list, sign-out from another device, and how each page reacts."""

from __future__ import annotations

from playwright.sync_api import expect


def devices(visitor):
    """The entries of the list."""
    return visitor.page.locator("ul.devices > li")


def test_the_current_session_is_marked(visit, user):
    """The list marks the session of the browser that shows it, and no other."""
    alice, elsewhere = (
        visit(),
        visit(user_agent="Mozilla/5.0 (iPhone; CPU iPhone OS 18_0) Version/18.0 Mobile/15E148 Safari/604.1"),
    )
    alice.sign_in(user)
    elsewhere.managed(user)
    for visitor, here in ((alice, "Chrome on Linux"), (elsewhere, "Safari on iPhone")):
        visitor.go("/devices")
        expect(devices(visitor)).to_have_count(2)
        marked = devices(visitor).filter(has_text="this device")
        expect(marked).to_have_count(1)
        expect(marked).to_contain_text(here)


def test_sign_out_of_another_device(visit, user):
    """A button ends the other session. That browser shows it when its tab becomes visible, and must sign in."""
    alice, elsewhere = visit(), visit()
    alice.sign_in(user)
    elsewhere.managed(user, "/profile")
    alice.go("/devices")
    alice.page.get_by_role("button", name="Sign out Chrome").click()
    alice.reads("That session has ended")
    expect(devices(alice)).to_have_count(1)
    elsewhere.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(elsewhere.page.get_by_role("alert")).to_contain_text("You have been signed out.")
    elsewhere.is_signed_out()
    alice.page.reload()
    alice.is_signed_in(user)


def test_an_open_page_shows_the_end_of_the_session(visit, user):
    """An open page without user input shows that the session has ended."""
    alice, elsewhere = visit(), visit()
    alice.sign_in(user)
    elsewhere.page.clock.install()
    elsewhere.sign_in(user, "/devices")
    alice.go("/devices")
    alice.press("Sign out all others")
    alice.reads("All your other sessions have ended.")
    elsewhere.page.clock.run_for(11_000)
    expect(elsewhere.page.get_by_role("alert")).to_contain_text("You have been signed out.")


def test_sign_out_of_all_others(visit, user):
    """All other sessions end, and this one continues."""
    alice, others = visit(), [visit(), visit()]
    for visitor in (*others, alice):
        visitor.sign_in(user)
    alice.go("/devices")
    alice.press("Sign out all others")
    alice.is_at("/devices?done=others")
    expect(devices(alice)).to_have_count(1)
    for visitor in others:
        visitor.is_signed_out()


def test_sign_out_everywhere(visit, user):
    """All sessions end, including this one, and Cognito asks for the password again."""
    alice, elsewhere = visit(), visit()
    alice.managed(user)
    elsewhere.sign_in(user)
    alice.go("/devices")
    alice.press("Sign out everywhere")
    alice.is_at("/")
    assert alice.session_cookie() is None
    elsewhere.is_signed_out()
    alice.begin_managed()
    expect(alice.page.get_by_label("Password")).to_be_visible()


def test_the_session_of_another_user(visit, site, user):
    """The id of another user's session in the form ends no session."""
    alice, bob, other = visit(), visit(), site.new_user()
    alice.sign_in(user)
    bob.sign_in(other)
    third = visit()
    third.sign_in(other)
    third.go("/devices")
    theirs = third.page.locator("input[name=sid]").first.get_attribute("value")
    second = visit()
    second.sign_in(user)
    alice.go("/devices")
    alice.page.locator("input[name=sid]").first.evaluate("(field, value) => { field.value = value; }", theirs)
    alice.page.get_by_role("button", name="Sign out Chrome").click()
    alice.reads("That session had already ended.")
    bob.go("/profile")
    bob.is_signed_in(other)
