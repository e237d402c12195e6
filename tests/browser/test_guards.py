"""Access rules in a real browser: groups, step-up, forms of other sites, frames."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from browser.site import NEW_PASSWORD, PASSWORD
from cognito_session.local.gateway import Gateway
from examples.demo.recent_sign_in import RECENT_SECONDS
from examples.demo.signed_in_routes import MAX_AGE_SECONDS

FORM = """<!doctype html><title>Elsewhere</title>
<form method="post" action="{action}">{fields}<button>Win a prize</button></form>
<iframe src="{site}/profile" title="framed"></iframe>"""
FORGED = {
    "/sign-out": {"where": "everywhere"},
    "/devices/sign-out": {"sid": "0" * 32},
    "/profile": {"accent": "plum", "note": "hacked"},
    "/transfer": {"marbles": "100", "to": "mallory"},
    "/password": {"previous": PASSWORD, "proposed": "Hacked-1865!"},
    "/authenticator/begin": {},
}


@pytest.fixture
def elsewhere(site):
    """Another site on another port, with a form that posts to the demo; returns the page's address for a host."""
    page = []

    def handler(_event, _context):
        return {"statusCode": 200, "headers": {"Content-Type": "text/html; charset=utf-8"}, "body": page[0]}

    with Gateway(handler) as gateway:

        def at(host, action, **fields):
            inputs = "".join(f'<input type="hidden" name="{name}" value="{value}">' for name, value in fields.items())
            page[:] = [FORM.format(action=site.url + action, fields=inputs, site=site.url)]
            return f"http://{host}:{gateway.port}/"

        yield at


def test_a_group_s_page(visit, site):
    """A member sees the page. Another user gets a 403 that names the group, and stays signed in."""
    alice, bob = visit(), visit()
    alice.sign_in(site.new_user("editors"))
    assert alice.go("/editors") == 200
    alice.reads("Drafts")
    bob.sign_in(site.new_user())
    assert bob.go("/editors") == 403
    bob.sees("For editors only")
    bob.reads("in no group")
    assert bob.go("/profile") == 200


def test_a_new_group_counts_at_the_next_refresh(visit, site, user):
    """The access token holds the groups, so a new group counts from the next refresh."""
    alice = visit()
    alice.sign_in(user)
    assert alice.go("/editors") == 403
    who = {"UserPoolId": site.deployment.pool.user_pool_id, "Username": user.username}
    site.stack.cognito("AdminAddUserToGroup", GroupName="editors", **who)
    site.stack.advance(3600)
    assert alice.go("/editors") == 200


def test_step_up(visit, site, user):
    """An old sign-in needs the password again, although Cognito still knows the browser; then the action works."""
    alice = visit()
    alice.managed(user)
    assert alice.go("/transfer") == 200
    site.stack.advance(MAX_AGE_SECONDS + 1)
    assert alice.go("/transfer") == 403
    alice.sees("Sign in again to continue")
    alice.press("Enter the password again")
    alice.prove(user)
    alice.is_at("/transfer")
    alice.fill(marbles="3", to="bob")
    alice.press("Send")
    alice.reads("3 marbles sent.")


def test_step_up_when_the_form_is_sent(visit, site, user):
    """A form that was open for too long is refused, and has no effect."""
    alice = visit()
    alice.sign_in(user, "/transfer")
    site.stack.advance(MAX_AGE_SECONDS + 1)
    alice.fill(marbles="3", to="bob")
    alice.press("Send")
    alice.sees("Sign in again to continue")


def test_a_password_changes_only_after_a_recent_sign_in(visit, site, user):
    """A password form that was open for too long changes nothing, and a new sign-in leads back to it."""
    alice = visit()
    alice.sign_in(user, "/password")
    site.stack.advance(RECENT_SECONDS + 1)
    alice.fill(current_password=PASSWORD, new_password=NEW_PASSWORD)
    alice.press("Change password")
    alice.sees("Sign in again to continue")
    alice.press("Enter the password again")
    alice.prove(user)
    alice.is_at("/password")


def test_others_end_only_after_a_recent_sign_in(visit, site, user):
    """The library's page leads to sign-in and back to the page with the button, which then works."""
    alice = visit()
    alice.managed(user)
    alice.go("/devices")
    site.stack.advance(RECENT_SECONDS + 1)
    alice.press("Sign out everywhere")
    alice.sees("Sign in again")
    alice.press("Sign in again")
    alice.prove(user)
    alice.is_at("/devices")
    alice.press("Sign out everywhere")
    alice.is_at("/")


def test_an_invalid_number_of_marbles(visit, user):
    """An invalid number of marbles shows a message and keeps the recipient's name."""
    alice = visit()
    alice.sign_in(user, "/transfer")
    for marbles in ("0", "101", "-3", "3.5", "many", "", "³"):
        alice.page.locator("main form").evaluate("(form) => { form.noValidate = true; }")
        alice.fill(marbles=marbles, to="bob")
        alice.press("Send")
        alice.reads("a whole number from 1 to 100")
        expect(alice.page.get_by_label("To")).to_have_value("bob")
        alice.go("/transfer")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_form_of_another_site_does_nothing(visit, user, elsewhere, host):
    """The response is a 403 for another site, and for another port of the same host, which gets the cookie."""
    alice = visit()
    alice.sign_in(user, "/profile")
    for action, fields in FORGED.items():
        alice.go(elsewhere(host, action, **fields))
        posted = alice.page.expect_response(lambda told: told.request.method == "POST")
        with posted as told:
            alice.page.get_by_role("button").click()
        assert (told.value.url, told.value.status) == (alice.site.url + action, 403)
    alice.go("/profile")
    alice.is_signed_in(user)
    expect(alice.page.get_by_label("Note")).to_have_value("")
    alice.faults.clear()  # the console reports the other site's frame and form


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_no_sign_in_from_another_site(visit, user, elsewhere, host):
    """A form of another site cannot sign a visitor in (login CSRF)."""
    victim = visit()
    victim.go(elsewhere(host, "/sign-in", username=user.username, password=user.password))
    victim.page.get_by_role("button").click()
    victim.sees("Request from another site")
    assert victim.session_cookie() is None
    victim.faults.clear()


def test_no_other_site_can_frame_it(visit, user, elsewhere):
    """A frame of another site, or of another port of the same host, does not show the page."""
    alice = visit()
    alice.sign_in(user)
    alice.go(elsewhere("localhost", "/sign-out"))
    framed = alice.page.frame_locator("iframe")
    expect(framed.locator("body")).not_to_contain_text(user.username)
    assert any("frame-ancestors" in fault for fault in alice.faults)
    alice.faults.clear()


def test_a_link_from_another_site_keeps_the_session(visit, user, elsewhere):
    """A user who follows a link from another site is signed in: the cookie is Lax, not Strict."""
    alice = visit()
    alice.sign_in(user)
    alice.go(elsewhere("127.0.0.1", "/sign-out"))
    alice.page.evaluate("(address) => { location.href = address; }", f"{alice.site.url}/profile")
    alice.sees("Profile")
    alice.is_signed_in(user)
    alice.faults.clear()


def test_without_a_session_a_form_is_a_401(visit, user):
    """A form sent after the end of the session saves nothing and shows the sign-in link."""
    alice = visit()
    alice.sign_in(user, "/profile")
    alice.context.clear_cookies(name="__Host-session")
    alice.press("Save")
    alice.sees("You are signed out")
    assert alice.go("/nothing") == 404
    alice.sees("Page not found")
