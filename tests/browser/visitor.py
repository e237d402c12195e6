"""A visitor: one person in front of one browser of their own, and what they do on the site.

It clicks what a person would click and fills in fields by their labels, so that a page without them fails. Script errors,
broken rules of the content security policy and failed loads are collected; refusals (4xx, 503) are no failures.
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
    """`page` is the tab in front; `tab()` opens another."""

    def __init__(self, site: Any, context: BrowserContext) -> None:
        self.site = site
        self.context = context
        self.faults: list[str] = []
        context.set_default_timeout(ACTION_SECONDS * 1000)
        self.page = self.tab()

    def tab(self) -> Page:
        """A new tab of the same browser."""
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.faults.append(f"{page.url}: {error}"))
        page.on("console", lambda message: self._note(page, message.type, message.text))
        return page

    def _note(self, page: Page, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not _REFUSED.match(text):
            self.faults.append(f"{page.url}: {text}")

    def leave(self) -> None:
        """Close the browser."""
        self.context.close()

    def go(self, path: str, page: Page | None = None) -> int:
        """Type in an address of the site; the status of what came in the end."""
        response = (page or self.page).goto(path if path.startswith("http") else self.site.url + path)
        assert response is not None
        return response.status

    def fill(self, page: Page | None = None, **fields: str) -> None:
        """Fill in fields by label, "_" standing for a space."""
        for label, value in fields.items():
            text = label.replace("_", " ")
            (page or self.page).get_by_label(re.compile(rf"^{text}$", re.IGNORECASE)).first.fill(value)

    def press(self, name: str, page: Page | None = None) -> None:
        """Press the button, or follow the link, of this name in the page's main part."""
        role = re.compile(rf"^{re.escape(name)}$")
        main = (page or self.page).locator("main")
        main.get_by_role("button", name=role).or_(main.get_by_role("link", name=role)).first.click()

    def sign_in(self, person: Any, return_to: str = "/") -> None:
        """By the site's own form."""
        self.go(f"/sign-in?return_to={return_to}")
        self.fill(user_name=person.username, password=person.password)
        self.press("Sign in")
        self.is_at(return_to)

    def begin_managed(self, path: str = "/login", page: Page | None = None) -> None:
        """Off to Cognito's page."""
        self.go(path, page)
        expect(page or self.page).to_have_url(re.compile("^" + re.escape(self.site.cognito)))

    def prove(self, person: Any, page: Page | None = None, password: str | None = None) -> None:
        """Name and password at Cognito's page."""
        page = page or self.page
        page.get_by_label("Username").fill(person.username)
        page.get_by_label("Password").fill(password or person.password)
        page.get_by_role("button", name="Sign in").click()

    def managed(self, person: Any, return_to: str = "/") -> None:
        """By managed login, there and back."""
        self.begin_managed(f"/login?return_to={return_to}")
        self.prove(person)
        self.is_at(return_to)

    def sign_out(self, page: Page | None = None) -> None:
        """By the button at the top of each page."""
        (page or self.page).get_by_role("banner").get_by_role("button", name="Sign out").click()
        self.is_at("/", page)

    def is_at(self, path: str, page: Page | None = None) -> None:
        """Wait until this is the address, whatever of it is percent-encoded."""
        bare, mark, query = path.partition("?")
        pattern = re.escape(self.site.url + bare + mark) + re.escape(query).replace("/", "(?:/|%2F)")
        expect(page or self.page).to_have_url(re.compile(f"^{pattern}$"))

    def sees(self, heading: str, page: Page | None = None) -> None:
        """Wait until this is the page's one heading."""
        expect((page or self.page).get_by_role("heading", level=1)).to_have_text(heading)

    def reads(self, text: str, page: Page | None = None) -> None:
        """Wait until this stands somewhere in the page's main part."""
        expect((page or self.page).locator("main")).to_contain_text(text)

    def is_signed_in(self, person: Any, page: Page | None = None) -> None:
        """The top of the page names the person."""
        expect((page or self.page).get_by_role("banner")).to_contain_text(person.username)

    def is_signed_out(self, page: Page | None = None) -> None:
        """The site knows nobody here: a page for those who are signed in leads to the form."""
        self.go("/profile", page)
        self.is_at("/sign-in?return_to=/profile", page)
        assert self.session_cookie() is None or self.status() == 401

    def status(self, page: Page | None = None) -> int:
        """What the site says to a script that asks whether the session is there."""
        return int((page or self.page).evaluate("async () => (await fetch('/status')).status"))

    def session_cookie(self) -> Any:
        """The session's cookie, as the browser holds it."""
        found = [cookie for cookie in self.context.cookies(self.site.url) if cookie["name"] == COOKIE]
        assert len(found) < 2
        return found[0] if found else None

    def authenticator(self) -> Authenticator:
        """An authenticator for passkeys, without any, in the tab in front."""
        return Authenticator(self.context.new_cdp_session(self.page))

    def code(self) -> str:
        """The code in the demo's box."""
        return self.page.locator("[data-code]").inner_text()
