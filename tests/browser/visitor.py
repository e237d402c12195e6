"""A visitor: one user with one browser, and the user's actions on the site.

It presses buttons by name and fills in fields by label, so a page without them fails. It collects script errors, violations
of the content security policy and failed loads. A response of 4xx or 503 is no failure.
"""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import BrowserContext, Page, expect

from browser.authenticator import Authenticator
from browser.chromium import ACTION_SECONDS

__all__ = ["COOKIE", "Visitor"]

COOKIE = "__Host-session"
expect.set_options(timeout=ACTION_SECONDS * 1000)
_REFUSED = re.compile(r"Failed to load resource: the server responded with a status of (4\d\d|503)")


class Visitor:
    """`page` is the active tab; `tab()` opens another one."""

    def __init__(self, site: Any, context: BrowserContext) -> None:
        self.site = site
        self.context = context
        self.faults: list[str] = []
        context.set_default_timeout(ACTION_SECONDS * 1000)
        self.page = self.tab()

    def tab(self) -> Page:
        """Opens a new tab of the same browser."""
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.faults.append(f"{page.url}: {error}"))
        page.on("console", lambda message: self._note(page, message.type, message.text))
        return page

    def _note(self, page: Page, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not _REFUSED.match(text):
            self.faults.append(f"{page.url}: {text}")

    def leave(self) -> None:
        """Closes the browser."""
        self.context.close()

    def go(self, path: str, page: Page | None = None) -> int:
        """Opens an address of the site; returns the status of the last response."""
        response = (page or self.page).goto(path if path.startswith("http") else self.site.url + path)
        assert response is not None
        return response.status

    def fill(self, page: Page | None = None, **fields: str) -> None:
        """Fills in fields by label; "_" in a name is a space."""
        for label, value in fields.items():
            text = label.replace("_", " ")
            (page or self.page).get_by_label(re.compile(rf"^{text}$", re.IGNORECASE)).first.fill(value)

    def press(self, name: str, page: Page | None = None) -> None:
        """Presses the button, or follows the link, of this name in the page's main part."""
        role = re.compile(rf"^{re.escape(name)}$")
        main = (page or self.page).locator("main")
        main.get_by_role("button", name=role).or_(main.get_by_role("link", name=role)).first.click()

    def sign_in(self, user: Any, return_to: str = "/") -> None:
        """Signs in by the site's own form."""
        self.go(f"/sign-in?return_to={return_to}")
        self.fill(user_name=user.username, password=user.password)
        self.press("Sign in")
        self.is_at(return_to)

    def begin_managed(self, path: str = "/login", page: Page | None = None) -> None:
        """Opens Cognito's page."""
        self.go(path, page)
        expect(page or self.page).to_have_url(re.compile("^" + re.escape(self.site.cognito)))

    def prove(self, user: Any, page: Page | None = None, password: str | None = None) -> None:
        """Enters user name and password on Cognito's page."""
        page = page or self.page
        page.get_by_label("Username").fill(user.username)
        page.get_by_label("Password").fill(password or user.password)
        page.get_by_role("button", name="Sign in").click()

    def managed(self, user: Any, return_to: str = "/") -> None:
        """Signs in by managed login."""
        self.begin_managed(f"/login?return_to={return_to}")
        self.prove(user)
        self.is_at(return_to)

    def sign_out(self, page: Page | None = None) -> None:
        """Signs out by the button at the top of the page."""
        (page or self.page).get_by_role("banner").get_by_role("button", name="Sign out").click()
        self.is_at("/", page)

    def is_at(self, path: str, page: Page | None = None) -> None:
        """Waits for this address; slashes in the query may be percent-encoded."""
        bare, mark, query = path.partition("?")
        pattern = re.escape(self.site.url + bare + mark) + re.escape(query).replace("/", "(?:/|%2F)")
        expect(page or self.page).to_have_url(re.compile(f"^{pattern}$"))

    def sees(self, heading: str, page: Page | None = None) -> None:
        """Waits until the page has this heading."""
        expect((page or self.page).get_by_role("heading", level=1)).to_have_text(heading)

    def reads(self, text: str, page: Page | None = None) -> None:
        """Waits until the page's main part contains this text."""
        expect((page or self.page).locator("main")).to_contain_text(text)

    def is_signed_in(self, user: Any, page: Page | None = None) -> None:
        """Checks that the top of the page names the user."""
        expect((page or self.page).get_by_role("banner")).to_contain_text(user.username)

    def is_signed_out(self, page: Page | None = None) -> None:
        """Checks that a page for signed-in users redirects to the sign-in form."""
        self.go("/profile", page)
        self.is_at("/sign-in?return_to=/profile", page)
        assert self.session_cookie() is None or self.status() == 401

    def status(self, page: Page | None = None) -> int:
        """The status that a script gets when it asks for the session."""
        return int((page or self.page).evaluate("async () => (await fetch('/status')).status"))

    def session_cookie(self) -> Any:
        """The session's cookie in the browser, or None."""
        found = [cookie for cookie in self.context.cookies(self.site.url) if cookie["name"] == COOKIE]
        assert len(found) < 2
        return found[0] if found else None

    def authenticator(self) -> Authenticator:
        """Adds an authenticator without passkeys to the active tab."""
        return Authenticator(self.context.new_cdp_session(self.page))

    def code(self) -> str:
        """The code that the demo shows."""
        return self.page.locator("[data-code]").inner_text()
