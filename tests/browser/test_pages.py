"""Every page, light and dark, wide and narrow: looked at for what accessibility can be measured by, and photographed.

The pictures are in build/screenshots, one file for each page, scheme and width.
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


def looked_at(visitor, name):
    """Every look of the page in front: the faults, each with where it was found."""
    page, found = visitor.page, []
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for scheme in SCHEMES:
        for width in WIDTHS:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.set_viewport_size({"width": width, "height": 800})
            found += [f"{name}, {scheme}, {width}: {fault}" for fault in faults_in(page)]
            page.screenshot(path=SCREENSHOTS / f"{name}-{scheme}-{width}.png", full_page=True)
    return found


def password_form(visitor, person, password=None):
    """The sign-in form, filled in and sent."""
    visitor.go("/sign-in")
    visitor.fill(user_name=person.username, password=password or person.password)
    visitor.press("Sign in")


@pytest.mark.parametrize("name", ["home", "sign-in", "sign-up", "forgot", "confirm", "reset", "nothing"])
def test_pages_for_everybody(visit, site, name):
    """The start, every form on the way in, and a page that is not there."""
    visitor = visit()
    visitor.go({"home": "/", "confirm": "/confirm?username=dave", "reset": "/reset?username=dave"}.get(name, f"/{name}"))
    assert looked_at(visitor, {"nothing": "404"}.get(name, name)) == []


def test_the_sign_in_form_after_a_wrong_password(visit, user):
    """What is wrong is announced, tied to the fields, and the title says so first."""
    visitor = visit()
    password_form(visitor, user, "Wrong-1865!")
    visitor.reads("The user name or password is incorrect.")
    said = visitor.page.locator("#problem").inner_text()
    for label in ("User name", "Password"):
        expect(visitor.page.get_by_label(label).first).to_have_accessible_description(said)
    assert visitor.page.title().startswith("Error")
    assert looked_at(visitor, "sign-in-wrong") == []


def test_pages_of_challenges(visit, site):
    """An authenticator app, a code by email, a new password, the choice among ways."""
    found = []
    for index, name in enumerate(("totp", "email", "new-password", "choose")):
        visitor = visit()
        person = site.deployment.users[2 + index] if name != "choose" else site.somebody()
        if name == "choose":
            visitor.go("/sign-in")
            visitor.page.get_by_text("Without a password").click()
            visitor.page.locator("#choose-username").fill(person.username)
            visitor.press("Choose a way")
        else:
            password_form(visitor, person)
        visitor.page.wait_for_url("**/challenge?**")
        found += looked_at(visitor, f"challenge-{name}")
    assert found == []


def test_the_page_that_sets_up_a_second_factor(visit, user, second_factor_for_all):
    """The key as text and as a link, and a field for the first code; the same after a wrong one."""
    visitor = visit()
    password_form(visitor, user)
    visitor.sees("Set up an authenticator app")
    found = looked_at(visitor, "challenge-set-up")
    visitor.fill(code="12345x")
    visitor.press("Continue")
    visitor.reads("The code is incorrect or has expired")
    assert found + looked_at(visitor, "challenge-set-up-wrong") == []


def test_pages_of_a_session(visit, site):
    """All that one has when signed in, with a second device in the list."""
    alice, elsewhere, person = visit(), visit(), site.somebody("editors")
    elsewhere.sign_in(person)
    alice.managed(person)
    found = looked_at(alice, "home-signed-in")
    for name in ("profile", "devices", "editors", "transfer", "password"):
        assert alice.go(f"/{name}") == 200
        found += looked_at(alice, name)
    alice.go("/profile")
    alice.press("Set up an authenticator app")
    alice.sees("Set up an authenticator app")
    found += looked_at(alice, "authenticator")
    assert found == []


def test_pages_that_say_no(visit, site, user):
    """401, 403 in both kinds, 503, and a tab in which one has been signed out."""
    alice = visit()
    alice.sign_in(user)
    alice.go("/editors")
    found = looked_at(alice, "403-group")
    site.stack.advance(MAX_AGE_SECONDS + 1)
    alice.go("/transfer")
    found += looked_at(alice, "403-step-up")
    site.stack.fault("GetItem", "error500", times=None)
    alice.go("/profile")
    found += looked_at(alice, "503")
    site.stack.clear_faults()
    alice.go("/profile")
    alice.context.clear_cookies(name="__Host-session")
    alice.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(alice.page.get_by_role("alert")).to_contain_text("You have been signed out.")
    found += looked_at(alice, "signed-out-elsewhere")
    alice.press("Save")
    alice.sees("You are signed out")
    found += looked_at(alice, "401")
    assert found == []


def test_every_colour_can_be_read(visit, user):
    """Each of the colours that one can choose has enough contrast in both schemes."""
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
    """The first stop is a link that leads past the navigation, and each stop can be seen."""
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


def test_who_wants_no_motion_gets_none(visit, user):
    """With prefers-reduced-motion nothing moves by itself."""
    alice = visit(reduced_motion="reduce")
    alice.sign_in(user)
    moving = "[...document.querySelectorAll('*')].filter((e) => getComputedStyle(e).transitionDuration !== '0s').length"
    assert alice.page.evaluate(moving) == 0
