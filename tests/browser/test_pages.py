"""Accessibility checks and screenshots of every page, in light and dark, wide and narrow.

The screenshots are in build/screenshots: one file for each page, scheme and width.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from browser.looks import faults_in
from examples.demo.pages import ACCENTS
from examples.demo.signed_in_routes import MAX_AGE_SECONDS

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
SCHEMES = ("light", "dark")
WIDTHS = (1280, 360)


def faults_of(visitor, name):
    """The faults of the current page in every scheme and width, each with its place."""
    page, found = visitor.page, []
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for scheme in SCHEMES:
        for width in WIDTHS:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.set_viewport_size({"width": width, "height": 800})
            found += [f"{name}, {scheme}, {width}: {fault}" for fault in faults_in(page)]
            page.screenshot(path=SCREENSHOTS / f"{name}-{scheme}-{width}.png", full_page=True)
    return found


def password_form(visitor, user, password=None):
    """Fills in and sends the sign-in form."""
    visitor.go("/sign-in")
    visitor.fill(user_name=user.username, password=password or user.password)
    visitor.press("Sign in")


@pytest.mark.parametrize("name", ["home", "sign-in", "sign-up", "forgot", "confirm", "reset", "nothing"])
def test_pages_before_sign_in(visit, site, name):
    """The start page, every form before sign-in, and a page that does not exist."""
    visitor = visit()
    visitor.go({"home": "/", "confirm": "/confirm?username=dave", "reset": "/reset?username=dave"}.get(name, f"/{name}"))
    assert faults_of(visitor, {"nothing": "404"}.get(name, name)) == []


def test_the_sign_in_form_after_a_wrong_password(visit, user):
    """The message describes the fields, and the title starts with it."""
    visitor = visit()
    password_form(visitor, user, "Wrong-1865!")
    visitor.reads("The user name or password is incorrect.")
    said = visitor.page.locator("#problem").inner_text()
    for label in ("User name", "Password"):
        expect(visitor.page.get_by_label(label).first).to_have_accessible_description(said)
    assert visitor.page.title().startswith("Error")
    assert faults_of(visitor, "sign-in-wrong") == []


def test_pages_of_challenges(visit, site):
    """The pages of an authenticator app, a code by email, a new password, and the choice of a way."""
    found = []
    for index, name in enumerate(("totp", "email", "new-password", "choose")):
        visitor = visit()
        user = site.deployment.users[2 + index] if name != "choose" else site.new_user()
        if name == "choose":
            visitor.go("/sign-in")
            visitor.page.get_by_text("Without a password").click()
            visitor.page.locator("#choose-username").fill(user.username)
            visitor.press("Choose a way")
        else:
            password_form(visitor, user)
        visitor.page.wait_for_url("**/challenge?**")
        found += faults_of(visitor, f"challenge-{name}")
    assert found == []


def test_the_page_that_sets_up_a_second_factor(visit, user, second_factor_for_all):
    """The page shows the key as text and as a link, also after a wrong code."""
    visitor = visit()
    password_form(visitor, user)
    visitor.sees("Set up an authenticator app")
    found = faults_of(visitor, "challenge-set-up")
    visitor.fill(code="12345x")
    visitor.press("Continue")
    visitor.reads("The code is incorrect or has expired")
    assert found + faults_of(visitor, "challenge-set-up-wrong") == []


def test_pages_of_a_session(visit, site):
    """Every page of a signed-in user, with a second device in the list."""
    alice, elsewhere, user = visit(), visit(), site.new_user("editors")
    elsewhere.sign_in(user)
    alice.managed(user)
    found = faults_of(alice, "home-signed-in")
    for name in ("profile", "devices", "editors", "transfer", "password"):
        assert alice.go(f"/{name}") == 200
        found += faults_of(alice, name)
    alice.go("/profile")
    alice.press("Set up an authenticator app")
    alice.sees("Set up an authenticator app")
    found += faults_of(alice, "authenticator")
    assert found == []


def test_pages_of_refusals(visit, site, user):
    """The pages of 401, 503, both kinds of 403, and a tab after sign-out elsewhere."""
    alice = visit()
    alice.sign_in(user)
    alice.go("/editors")
    found = faults_of(alice, "403-group")
    site.stack.advance(MAX_AGE_SECONDS + 1)
    alice.go("/transfer")
    found += faults_of(alice, "403-step-up")
    site.stack.fault("GetItem", "error500", times=None)
    alice.go("/profile")
    found += faults_of(alice, "503")
    site.stack.clear_faults()
    alice.go("/profile")
    alice.context.clear_cookies(name="__Host-session")
    alice.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(alice.page.get_by_role("alert")).to_contain_text("You have been signed out.")
    found += faults_of(alice, "signed-out-elsewhere")
    alice.press("Save")
    alice.sees("You are signed out")
    found += faults_of(alice, "401")
    assert found == []


def test_every_color_has_enough_contrast(visit, user):
    """Each color that a user can choose has enough contrast in both schemes."""
    alice, found = visit(), []
    alice.sign_in(user, "/profile")
    for accent in ACCENTS:
        alice.page.get_by_label(accent.capitalize()).check()
        alice.press("Save")
        alice.page.wait_for_url("**/profile?done=saved")
        for scheme in SCHEMES:
            alice.page.emulate_media(color_scheme=scheme)
            found += [f"{accent}, {scheme}: {fault}" for fault in faults_in(alice.page)]
    assert found == []


def test_the_keyboard_finds_the_content(visit, user):
    """The first tab stop is a link past the navigation, and every stop has a visible outline."""
    alice = visit()
    alice.sign_in(user)
    alice.page.keyboard.press("Tab")
    expect(alice.page.get_by_text("Skip to the content")).to_be_focused()
    expect(alice.page.get_by_text("Skip to the content")).to_be_in_viewport()
    alice.page.keyboard.press("Enter")
    expect(alice.page.get_by_role("main")).to_be_focused()
    alice.page.keyboard.press("Tab")
    outline = alice.page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
    assert int(outline.removesuffix("px")) >= 2


def test_reduced_motion(visit, user):
    """With prefers-reduced-motion the page has no transitions."""
    alice = visit(reduced_motion="reduce")
    alice.sign_in(user)
    moving = "[...document.querySelectorAll('*')].filter((e) => getComputedStyle(e).transitionDuration !== '0s').length"
    assert alice.page.evaluate(moving) == 0
