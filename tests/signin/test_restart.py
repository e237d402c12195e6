"""A sign-in at managed login that has to begin again: after "sign out everywhere", too late, or with a code of nobody's."""

from __future__ import annotations

import json
import re
from urllib.parse import urlencode

import pytest

from cognito_session import Active, Rejected
from cognito_session.signin.entry import Entry
from cognito_session.signin.outcome import PasswordChanged
from cognito_session.signin.transaction import TRANSACTION_SECONDS, Transaction
from managed.scene import ring
from signin.browser import location, own_path_of, query_of
from signin.counter import Counter
from support.stack import PASSWORD


def everywhere(site, user):
    """Another device signs the user out everywhere, a while after their sign-in."""
    site.app.stack.advance(60)
    site._run(site.manager.revoke_all(user.sub))
    site.app.stack.advance(5)


def test_managed_logins_own_cookie_does_not_end_in_a_circle(site):
    """After "everywhere" Cognito's cookie signs in as of before: one restart with prompt=login, and the password works."""
    user = site.app.user()
    site.sign_in(user)
    everywhere(site, user)
    silent = site.cognito.get(site.start(return_to="/deep"))
    response = site.callback(own_path_of(silent.headers["location"]))
    asked = query_of(location(response))
    assert (response.status, asked["prompt"], asked["state"][0]) == (303, "login", "p")
    assert [name.rpartition("-")[2] for name in site.flows()] == [asked["state"]]
    assert location(site.callback(site.sign_in_at_cognito(location(response), user))) == "/deep"
    assert isinstance(site.resolve(), Active)


ASKED = {"identity_provider": "COGNITO", "language": "de", "login_hint": "älice@example.com"}
"""What the application asks of managed login at the start. The stack signs in with its own page for COGNITO."""
AT_COGNITO = {"identity_provider": "COGNITO", "lang": "de", "login_hint": "älice@example.com"}


def silently(site, **asked):
    """Managed login's own cookie signs the browser in: the callback's answer."""
    return site.callback(own_path_of(site.cognito.get(site.start(**asked)).headers["location"]))


def test_the_restart_asks_for_what_the_application_asked_for(site):
    """Identity provider, language and login hint of the start are those of the restart with prompt=login, and it works."""
    user = site.app.user()
    site.sign_in(user)
    everywhere(site, user)
    address = location(silently(site, return_to="/deep", **ASKED))
    assert query_of(address).items() >= {**AT_COGNITO, "prompt": "login"}.items()
    assert location(site.callback(site.sign_in_at_cognito(address, user))) == "/deep"
    assert isinstance(site.resolve(), Active)


@pytest.mark.parametrize(("asked", "prompt"), [("consent", "login"), ("consent login", "consent login")])
def test_the_restart_asks_for_the_password_whatever_was_asked(site, asked, prompt):
    """Another prompt gives way to `login`; one that has it stays."""
    user = site.app.user()
    site.sign_in(user)
    everywhere(site, user)
    address = site.start(prompt=asked)
    without = re.sub("prompt=[^&]*&?", "", address).rstrip("&")  # a page that knows no prompt
    again = site.callback(own_path_of(site.cognito.get(without).headers["location"]))
    assert query_of(location(again))["prompt"] == prompt


def test_the_restart_is_on_the_sign_in_page(site):
    """A person who went by the sign-up page and has been signed out since has an account: the restart asks for its password."""
    user = site.app.user()
    site.sign_in(user)
    everywhere(site, user)
    address = site.start(sign_up=True).replace("/signup?", "/oauth2/authorize?")  # the page's link for who has an account
    again = site.callback(own_path_of(site.cognito.get(address).headers["location"]))
    assert location(again).startswith(f"{site.app.stack.url}/oauth2/authorize?")
    assert query_of(location(again))["prompt"] == "login"


def test_a_silent_sign_in_after_everywhere_shows_nothing(site):
    """prompt=none must show no page: the person goes on where they were, not signed in."""
    user = site.app.user()
    site.sign_in(user)
    everywhere(site, user)
    response = silently(site, prompt="none", return_to="/read")
    assert (response.status, location(response), site.flows()) == (303, "/read", [])
    assert isinstance(site.resolve(), Rejected)


def test_a_page_and_a_hint_that_fill_the_cookie(site):
    """The longest page with the longest hint: both reach Cognito, and the browser keeps the cookie, which has no hint."""
    page, hint = "/" + "x" * 2_047, "\N{GRINNING FACE}" * 256
    address = site.start(return_to=page, **{**ASKED, "login_hint": hint})
    assert query_of(address)["login_hint"] == hint
    assert max(len(line.partition(";")[0]) for line in site.set_lines) <= 4_096
    site.app.stack.advance(TRANSACTION_SECONDS)
    response = site.callback(f"/auth/callback?{urlencode({'state': query_of(address)['state'], 'code': 'x'})}")
    asked = query_of(location(response))
    assert (asked["identity_provider"], asked["lang"], "login_hint" in asked) == ("COGNITO", "de", False)


def test_a_flow_that_the_version_before_began(app):
    """A sign-in under way while a new version is installed: its cookie has no entry, and opens."""
    begun = Transaction.begun(
        app.manager(cookie="sealed", cookie_name=None, session_keys=ring(1)).context, "/orders", Entry(language="de")
    )
    assert Transaction.of_text(json.dumps(begun[:5]).encode()) == begun._replace(entry=Entry())
    assert Transaction.of_text(json.dumps((*begun[:5], {"language": "de", "theme": "dark"})).encode()) == begun
    assert Transaction.of_text(begun.text.encode()) == begun


def test_a_changed_password_elsewhere_is_the_same(site):
    """Cognito's cookie signs in with the old password of before: this browser is asked for the new one, once."""
    user, new = site.app.user(), "Another-Password2!"
    site.sign_in(user)
    site.app.stack.advance(60)
    counter = Counter(site.app)
    me = counter.arrived(counter.sign_in(user.username), user)
    assert counter.do("change_password", me, PASSWORD, new) == PasswordChanged(1)
    site.app.stack.advance(5)
    response = site.callback(own_path_of(site.cognito.get(site.start()).headers["location"]))
    assert query_of(location(response))["prompt"] == "login"


def test_a_page_that_knows_no_prompt_ends_at_a_page(site):
    """Where prompt=login is ignored too, there is no second restart: a page whose link ends Cognito's own cookie."""
    user = site.app.user()
    site.sign_in(user)
    everywhere(site, user)
    again = site.callback(own_path_of(site.cognito.get(site.start()).headers["location"]))
    ignored = site.cognito.get(re.sub("prompt=login&?", "", location(again)).rstrip("&"))
    stopped = site.callback(own_path_of(ignored.headers["location"]))
    assert (stopped.status, site.flows()) == (401, [])
    assert f'href="{site.app.stack.url}/logout?' in stopped.body
    assert isinstance(site.resolve(), Rejected)


def test_a_restarted_flow_may_still_ask_for_the_password(site):
    """The flow's cookie was gone and the user signed out everywhere: two restarts for two reasons, then it works."""
    user = site.app.user()
    site.sign_in(user)
    everywhere(site, user)
    back = own_path_of(site.cognito.get(site.start()).headers["location"])
    site.jar.clear()
    first = site.callback(back)
    second = site.callback(own_path_of(site.cognito.get(location(first)).headers["location"]))
    assert query_of(location(second))["prompt"] == "login"
    assert site.callback(site.sign_in_at_cognito(location(second), user)).status == 303
    assert isinstance(site.resolve(), Active)


@pytest.mark.parametrize("gone", ["too late", "without a state"])
def test_a_restart_asks_again_for_what_the_application_asked_for(site, gone):
    """A flow that is over, and a code without a state: the new flow has the prompt and everything else of the old one."""
    user = site.app.user()
    state = query_of(site.start(return_to="/transfer", prompt="login", **ASKED))["state"]
    if gone == "too late":
        site.app.stack.advance(TRANSACTION_SECONDS)
    known = {"state": state} if gone == "too late" else {}
    address = location(site.callback(f"/auth/callback?{urlencode({**known, 'code': 'x'})}"))
    assert query_of(address).items() >= {**AT_COGNITO, "prompt": "login"}.items()
    assert location(site.callback(site.sign_in_at_cognito(address, user))) == "/transfer"


def test_a_restart_goes_to_the_sign_up_page_again(site):
    """A sign-up that took too long begins again as a sign-up."""
    state = query_of(site.start(sign_up=True))["state"]
    site.app.stack.advance(TRANSACTION_SECONDS)
    assert "/signup?" in location(site.callback(f"/auth/callback?{urlencode({'state': state, 'code': 'x'})}"))
