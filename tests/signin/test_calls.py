"""docs/sign-in.md: the calls of every way of signing in and out are what the table says."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path

import pytest

from signin.browser import BASE_URL, Site, query_of, with_query
from signin.counter import Counter
from support.stack import PASSWORD, make_app

PAGE = Path(__file__).parents[2] / "docs" / "sign-in.md"
TABLE = PAGE.read_text(encoding="utf-8").partition("<!-- calls -->")[2].partition("<!-- /calls -->")[0]
ROWS = dict(re.findall(r"^\| ([^|]+?) \| ([^|]+?) \|", TABLE, re.MULTILINE)[2:])
NOT_OURS = ("jwks", "login", "oauth2/authorize", "logout")
"""The key set's fetch, and what the browser asks of Cognito."""


class Scene:
    """A pool with one user, a site with managed login, and one with pages of its own, in the same table."""

    def __init__(self, stack) -> None:
        self.stack = stack
        self.app = make_app(
            stack,
            sort_key="sid",
            mfa="OPTIONAL",
            callback_urls=(f"{BASE_URL}/auth/callback",),
            logout_urls=(f"{BASE_URL}/",),
        )
        self.user = self.app.user(email=f"user@{stack.region}.example")
        self.site, self.other = Site(self.app), Site(self.app)
        self.counter, self.second = Counter(self.app), Counter(self.app)
        self.site.sign_in(self.app.user())  # the key set is fetched, and whose session this is does not matter
        self.site.jar.clear()
        self.site.cognito.cookies.clear()
        self.counter.sign_in(self.app.user().username)
        self.counter.jar.clear()
        self.second.sign_in(self.app.user().username)
        self.second.jar.clear()

    def close(self) -> None:
        """Close the browsers."""
        self.site.cognito.close()
        self.other.cognito.close()

    def back(self):
        """Away to Cognito and on the way back."""
        return self.site.sign_in_at_cognito(self.site.start(), self.user)

    def both_signed_in(self):
        """The user on two devices, both of which have been seen."""
        self.other.sign_in(self.app.user())
        self.other.jar.clear()
        self.other.cognito.cookies.clear()
        self.other.sign_in(self.user)
        self.other.resolve()
        self.site.sign_in(self.user)


WAYS = {}


def way(name):
    """Register what prepares a way and returns what goes it."""
    return lambda prepare: WAYS.setdefault(name, prepare)


@way("managed login: start")
def _(scene):
    return scene.site.start


@way("managed login: callback")
def _(scene):
    back = scene.back()
    return lambda: scene.site.callback(back)


@way("managed login: callback, another session presented")
def _(scene):
    scene.site.sign_in(scene.user)
    back = scene.site.sign_in_at_cognito(scene.site.start(prompt="login"), scene.user)
    return lambda: scene.site.callback(back)


@way("managed login: cancelled at Cognito")
def _(scene):
    state = query_of(scene.site.start())["state"]
    return lambda: scene.site.callback(with_query("/auth/callback?state=x", state=state, error="access_denied"))


@way("managed login: nonce of another sign-in")
def _(scene):
    back = scene.site.sign_in_at_cognito(re.sub(r"nonce=[0-9a-f]{32}", "nonce=" + "0" * 32, scene.site.start()), scene.user)
    return lambda: scene.site.callback(back)


@way("password")
def _(scene):
    return lambda: scene.counter.sign_in(scene.user.username)


@way("password, wrong")
def _(scene):
    return lambda: scene.counter.sign_in(scene.user.username, "Wrong-Password1!")


@way("password and TOTP")
def _(scene):
    secret = scene.stack.enroll_totp(scene.app.pool, scene.user.username)

    def go():
        scene.counter.sign_in(scene.user.username)
        return scene.counter.answer(scene.stack.totp(secret))

    return go


@way("email code (choice-based)")
def _(scene):
    def go():
        scene.counter.start(scene.user.username, preferred="EMAIL_OTP")
        return scene.counter.answer(scene.stack.outbox(scene.user.username)[-1].code)

    return go


@way("register")
def _(scene):
    return lambda: scene.counter.do("register", f"new-{id(scene)}", PASSWORD, attributes={"email": "new@b.example"})


@way("confirm")
def _(scene):
    scene.counter.do("register", f"new-{id(scene)}", PASSWORD, attributes={"email": "new@b.example"})
    code = scene.stack.outbox(f"new-{id(scene)}")[-1].code
    return lambda: scene.counter.do("confirm", f"new-{id(scene)}", code)


@way("forgot password")
def _(scene):
    return lambda: scene.counter.do("forgot_password", scene.user.username)


@way("confirm forgot password, two devices")
def _(scene):
    scene.second.sign_in(scene.user.username)
    scene.counter.sign_in(scene.user.username)
    scene.counter.do("forgot_password", scene.user.username)
    code = scene.stack.outbox(scene.user.username)[-1].code
    return lambda: scene.counter.do("confirm_forgot_password", scene.user.username, code, "Another-Password2!")


@way("change password, two devices")
def _(scene):
    scene.second.sign_in(scene.user.username)
    me = scene.counter.arrived(scene.counter.sign_in(scene.user.username))
    return lambda: scene.counter.do("change_password", me, PASSWORD, "Another-Password2!")


@way("sign out here")
def _(scene):
    scene.site.sign_in(scene.user)
    return scene.site.sign_out


@way("sign out elsewhere, two devices")
def _(scene):
    scene.both_signed_in()
    return lambda: scene.site.sign_out(where="elsewhere")


@way("sign out everywhere, two devices")
def _(scene):
    scene.both_signed_in()
    return lambda: scene.site.sign_out(where="everywhere")


def test_the_table_and_the_tests_name_the_same_ways():
    """No row without a test, no test without a row."""
    assert list(ROWS) == list(WAYS)


@pytest.mark.parametrize("name", WAYS)
def test_the_calls_are_those_of_the_table(stack, name):
    """Done once and counted in the stack's log: these succeeded, in this order."""
    with closing(Scene(stack)) as scene:
        go = WAYS[name](scene)
        stack.clear_calls()
        go()
        seen = [call.operation for call in stack.calls() if call.status == 200 and call.operation not in NOT_OURS]
    assert (", ".join(seen) or "-") == ROWS[name]
