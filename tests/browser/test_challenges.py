"""Challenges in a real browser: second factors, and ways to sign in without a password."""

from __future__ import annotations

import pytest

from browser.site import NEW_PASSWORD, PASSWORD


def test_an_authenticator_app(visit, site, user):
    """A wrong code shows the form again, and the right code leads to the page that the user asked for."""
    site.deployment.give_authenticator(user.username)
    alice = visit()
    alice.go("/devices")
    alice.fill(user_name=user.username, password=PASSWORD)
    alice.press("Sign in")
    alice.sees("Code from your authenticator app")
    alice.fill(code="000000" if alice.code() != "000000" else "111111")
    alice.press("Continue")
    alice.reads("The code is incorrect or has expired")
    alice.page.get_by_label("Code", exact=True).fill(site.deployment.authenticator(user.username))
    alice.press("Continue")
    alice.is_at("/devices")


def test_a_code_by_email(visit, site, user):
    """The page shows the masked address. The code signs in, also if the user types a space in it."""
    site.stack.set_mfa(site.deployment.pool, user.username, "EMAIL_OTP", preferred="EMAIL_OTP")
    alice = visit()
    alice.go("/sign-in")
    alice.fill(user_name=user.username, password=PASSWORD)
    alice.press("Sign in")
    alice.sees("Code from your email")
    alice.reads("We have sent a code to")
    code = alice.code()
    alice.page.reload()
    alice.fill(code=f"{code[:3]} {code[3:]}")
    alice.press("Continue")
    alice.sees(f"Hello, {user.username}")
    assert [cookie["name"] for cookie in alice.context.cookies(site.url) if "challenge" in cookie["name"]] == []


def test_a_temporary_password(visit, site):
    """A temporary password must be replaced. A weak password is refused, and the user can try again."""
    name = site.unused_name()
    site.stack.create_user(site.deployment.pool, name, temporary_password=PASSWORD, email=f"{name}@example.com")
    newcomer = visit()
    newcomer.go("/sign-in")
    newcomer.fill(user_name=name, password=PASSWORD)
    newcomer.press("Sign in")
    newcomer.sees("Choose a new password")
    newcomer.fill(new_password="simple")
    newcomer.press("Continue")
    newcomer.reads("This password does not meet the requirements.")
    newcomer.fill(new_password=NEW_PASSWORD)
    newcomer.press("Continue")
    newcomer.sees(f"Hello, {name}")


@pytest.mark.parametrize("way", ["With my password", "With a code by email"])
def test_choosing_a_way(visit, user, way):
    """With only a user name, the page shows the ways to sign in, and each of them works."""
    alice = visit()
    alice.go("/sign-in")
    alice.page.get_by_text("Without a password").click()
    alice.page.locator("#choose-username").fill(user.username)
    alice.press("Choose a way")
    alice.sees("How do you want to sign in?")
    alice.press(way)
    if "email" in way:
        alice.sees("Code from your email")
        alice.fill(code=alice.code())
    else:
        alice.sees("Your password")
        alice.fill(password=PASSWORD)
    alice.press("Continue")
    alice.sees(f"Hello, {user.username}")


def test_choosing_among_second_factors(visit, site, user):
    """A user with two factors and no preference chooses one."""
    site.deployment.give_authenticator(user.username)
    site.stack.set_mfa(site.deployment.pool, user.username, "EMAIL_OTP", "SOFTWARE_TOKEN_MFA")
    alice = visit()
    alice.go("/sign-in")
    alice.fill(user_name=user.username, password=PASSWORD)
    alice.press("Sign in")
    alice.sees("Choose a second factor")
    alice.press("With my authenticator app")
    alice.sees("Code from your authenticator app")
    alice.fill(code=alice.code())
    alice.press("Continue")
    alice.sees(f"Hello, {user.username}")


def test_an_authenticator_app_is_set_up_on_the_way_in(visit, user, second_factor_for_all):
    """A user without a required second factor sets one up. The key stays the same after a wrong code."""
    alice = visit()
    alice.go("/sign-in")
    alice.fill(user_name=user.username, password=PASSWORD)
    alice.press("Sign in")
    alice.sees("Set up an authenticator app")
    secret = alice.page.locator("[data-secret]").inner_text()
    alice.fill(code="12345x")
    alice.press("Continue")
    alice.reads("The code is incorrect or has expired")
    assert alice.page.locator("[data-secret]").inner_text() == secret
    alice.fill(code=alice.code())
    alice.press("Continue")
    alice.sees(f"Hello, {user.username}")


def test_a_passkey(visit, user):
    """A passkey signs in. If the browser has none, the page shows a message and stays open."""
    alice = visit()
    alice.go("/sign-in")
    alice.page.get_by_text("Without a password").click()
    alice.page.locator("#choose-username").fill(user.username)
    alice.press("Choose a way")
    alice.press("With a passkey")
    alice.sees("Use your passkey")
    authenticator = alice.authenticator()
    alice.press("Use the passkey")
    alice.reads("The browser returned no passkey.")
    authenticator.add_passkey("localhost")
    alice.press("Use the passkey")
    alice.sees(f"Hello, {user.username}")


def test_a_challenge_that_took_too_long(visit, site, user):
    """If the challenge expires at Cognito, the sign-in form appears with the reason."""
    site.deployment.give_authenticator(user.username)
    alice = visit()
    alice.go("/sign-in")
    alice.fill(user_name=user.username, password=PASSWORD)
    alice.press("Sign in")
    alice.sees("Code from your authenticator app")
    site.stack.advance(4 * 60)
    alice.fill(code=site.deployment.authenticator(user.username))
    alice.press("Continue")
    alice.reads("This sign-in expired or continued in another tab")
    assert alice.session_cookie() is None


def test_setting_up_an_authenticator_app(visit, site, user):
    """A wrong code shows the same key again. After the right code, each sign-in needs the app."""
    alice = visit()
    alice.sign_in(user)
    alice.go("/profile")
    alice.press("Set up an authenticator app")
    secret = alice.page.locator("[data-secret]").inner_text().replace(" ", "")
    link = alice.page.get_by_role("link", name="this link").get_attribute("href")
    assert link.startswith("otpauth://totp/")
    assert f"secret={secret}" in link
    alice.fill(code="12")
    alice.press("Turn on")
    alice.reads("The code is incorrect or has expired")
    alice.fill(code=site.stack.totp(secret))
    alice.press("Turn on")
    alice.reads("Each sign-in now asks for a code from your authenticator app.")
    alice.sign_out()
    alice.go("/sign-in")
    alice.fill(user_name=user.username, password=PASSWORD)
    alice.press("Sign in")
    alice.sees("Code from your authenticator app")
    site.stack.advance(30)
    alice.fill(code=site.stack.totp(secret))
    alice.press("Continue")
    alice.sees(f"Hello, {user.username}")
