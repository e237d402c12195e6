"""The main path without scripts: every page and form works."""

from __future__ import annotations

import re

from playwright.sync_api import expect


def test_the_main_path(visit, site, user):
    """Sign-in, sign-out of a device, a saved color, a refresh and sign-out work without scripts."""
    alice, elsewhere = visit(java_script_enabled=False), visit()
    elsewhere.sign_in(user)
    alice.go("/")
    alice.press("Sign in on this site")
    alice.fill(user_name=user.username, password=user.password)
    alice.press("Sign in")
    alice.sees(f"Hello, {user.username}")
    alice.page.get_by_role("navigation").get_by_role("link", name="Devices").click()
    alice.page.get_by_role("button", name="Sign out Chrome").click()
    alice.reads("That session has ended")
    elsewhere.is_signed_out()
    alice.page.get_by_role("navigation").get_by_role("link", name="Profile").click()
    expect(alice.page.locator("#left")).to_have_text(re.compile("^[0-9]+ s$"))
    expect(alice.page.get_by_text("Without scripts: reload the page to see it.")).to_be_visible()
    alice.page.get_by_label("Amber").check()
    alice.fill(note="no scripts")
    alice.press("Save")
    alice.reads("Saved with this session.")
    site.stack.advance(3600)
    alice.page.reload()
    expect(alice.page.locator("#generation")).to_have_text("2")
    alice.sign_out()
    alice.go("/profile")
    alice.is_at("/sign-in?return_to=/profile")


def test_managed_login_too(visit, user):
    """Managed login works without scripts."""
    alice = visit(java_script_enabled=False)
    alice.managed(user, "/devices")
    alice.is_signed_in(user)


def test_the_script_is_one_small_file(visit):
    """The page has one script and one style sheet of this site, and nothing inline."""
    visitor = visit()
    asked = []
    visitor.page.on("request", lambda request: asked.append(request.url))
    for path in ("/", "/sign-in", "/sign-up"):
        visitor.go(path)
        assert visitor.page.locator("[style], script:not([src]), style").count() == 0
        assert visitor.page.evaluate(
            "[...document.querySelectorAll('*')].every((e) => ![...e.attributes].some((a) => /^on/.test(a.name)))"
        )
    assert {address.removeprefix(visitor.site.url).partition("?")[0] for address in asked} <= {
        *("/", "/sign-in", "/sign-up", "/app.css", "/app.js", "/icon.svg", "/favicon.ico")
    }
