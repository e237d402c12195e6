"""Challenges in a real browser: what Cognito wants besides a password, or instead of one."""

from __future__ import annotations

import pytest

from browser.site import NEW_PASSWORD, PASSWORD


def test_an_authenticator_app(visit, site, user):
    """A wrong code is asked for again, the right one signs in; the address to return to survives it all."""
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
    """The code that was sent signs in, typed with a space in it; the page says, masked, where it went."""
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
    """It must be replaced before anything else; a weak one is refused, and the next attempt counts."""
    name = site.a_name()
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
    """With only a name given, Cognito says which ways there are, and each of them signs in."""
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
    """Who has two of them and prefers none is asked which."""
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
    """Who must have a second factor and has none sets one up: the key stays the same after a mistyped code."""
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
    """Chosen, asked of the browser, and its answer signs in; without a passkey the page says so and stays."""
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
    """Cognito's patience is over: the sign-in begins anew, and says why."""
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
    """The key is shown, a mistyped code costs nothing, and from then on the app is asked for."""
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
