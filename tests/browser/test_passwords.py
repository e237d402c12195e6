"""The site's own forms in a real browser: signing up, signing in, forgotten and changed passwords."""

from __future__ import annotations

from playwright.sync_api import expect

from browser.site import NEW_PASSWORD, PASSWORD

WRONG = "The user name or password is incorrect."


def test_signing_up_by_form(visit, site):
    """A new user enters name, address, password and the code, and can then sign in."""
    name = site.unused_name()
    newcomer = visit()
    newcomer.go("/sign-up")
    newcomer.fill(user_name=name, email_address=f"{name}@example.com", password=PASSWORD)
    newcomer.press("Sign up")
    newcomer.sees("Confirm your address")
    newcomer.fill(code="000000")
    newcomer.press("Confirm")
    newcomer.reads("The code is incorrect or has expired")
    newcomer.fill(code=newcomer.code())
    newcomer.press("Confirm")
    newcomer.reads("Your address is confirmed.")
    newcomer.fill(user_name=name, password=PASSWORD)
    newcomer.press("Sign in")
    newcomer.sees(f"Hello, {name}")


def test_an_unconfirmed_user_is_led_to_the_code(visit, site):
    """A user who signs in before the confirmation must enter the code, and can ask for another one."""
    name = site.unused_name()
    newcomer = visit()
    newcomer.go("/sign-up")
    newcomer.fill(user_name=name, email_address=f"{name}@example.com", password=PASSWORD)
    newcomer.press("Sign up")
    newcomer.go("/sign-in")
    newcomer.fill(user_name=name, password=PASSWORD)
    newcomer.press("Sign in")
    newcomer.sees("Confirm your address")
    newcomer.press("Send another code")
    newcomer.reads("another code is on its way")
    newcomer.fill(code=newcomer.code())
    newcomer.press("Confirm")
    newcomer.is_at("/sign-in?done=confirmed")


def test_a_taken_name_and_a_weak_password(visit, user):
    """The page reports both problems, and keeps the typed text except the password."""
    newcomer = visit()
    newcomer.go("/sign-up")
    newcomer.fill(user_name=user.username, email_address="a@example.com", password=PASSWORD)
    newcomer.press("Sign up")
    newcomer.reads("This user name is taken.")
    expect(newcomer.page.get_by_label("User name")).to_have_value(user.username)
    newcomer.fill(user_name=newcomer.site.unused_name(), password="simple")
    newcomer.press("Sign up")
    newcomer.reads("This password does not meet the requirements.")
    expect(newcomer.page.get_by_label("Password")).to_have_value("")


def test_wrong_passwords_and_unknown_users_look_alike(visit, user):
    """A wrong password and an unknown user name get the same page; then the right password signs in."""
    alice = visit()
    pages = []
    for name in (user.username, "unknown-user"):
        alice.go("/sign-in")
        alice.fill(user_name=name, password="Wrong-1865!")
        alice.press("Sign in")
        alice.reads(WRONG)
        pages.append(alice.page.locator("main").inner_html().replace(name, "NAME"))
    assert pages[0] == pages[1]
    assert alice.session_cookie() is None
    alice.fill(user_name=user.username, password=PASSWORD)
    alice.press("Sign in")
    alice.sees(f"Hello, {user.username}")


def test_the_sign_in_form_returns_to_the_requested_page(visit, user):
    """After sign-in the user sees the requested page."""
    alice = visit()
    alice.go("/devices")
    alice.reads("Sign in to continue.")
    alice.fill(user_name=user.username, password=PASSWORD)
    alice.press("Sign in")
    alice.is_at("/devices")


def test_a_forgotten_password(visit, user):
    """After the reset only the new password signs in. An unknown user name gets the same page."""
    alice = visit()
    alice.go("/sign-in")
    alice.press("Forgot your password?")
    alice.fill(user_name=user.username)
    alice.press("Send a code")
    alice.sees("New password")
    known = alice.page.locator("main .lead").inner_text()
    alice.fill(code=alice.code(), new_password=NEW_PASSWORD)
    alice.press("Set the password")
    alice.reads("Your password was changed, and all your sessions have ended.")
    alice.fill(user_name=user.username, password=PASSWORD)
    alice.press("Sign in")
    alice.reads(WRONG)
    alice.fill(user_name=user.username, password=NEW_PASSWORD)
    alice.press("Sign in")
    alice.sees(f"Hello, {user.username}")
    alice.go("/forgot")
    alice.fill(user_name="unknown-user")
    alice.press("Send a code")
    assert alice.page.locator("main .lead").inner_text() == known


def test_another_password_ends_the_other_sessions(visit, user):
    """A changed password keeps this session and ends the other one."""
    alice, elsewhere = visit(), visit()
    alice.sign_in(user)
    elsewhere.sign_in(user)
    alice.go("/password")
    alice.fill(current_password="Wrong-1865!", new_password=NEW_PASSWORD)
    alice.press("Change password")
    alice.reads("The current password is incorrect.")
    alice.fill(current_password=PASSWORD, new_password=NEW_PASSWORD)
    alice.press("Change password")
    alice.reads("all your other sessions have ended")
    elsewhere.is_signed_out()
