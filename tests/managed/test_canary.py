"""Canary: a whole journey, errors included, says nothing secret: no log, report, repr, error or, when sealed, row.

In plain token mode the table holds `token` and `access_token` as they are, as the seed's does; everything else is held to
the same there. Cookies and tokens are looked for whole and by parts, because half of one is still a leak.
"""

from __future__ import annotations

import logging
import os
import traceback

import pytest

from cognito_session import Active, Refreshed, Rejected, SessionPolicy
from cognito_session.core.cookie import Cookie
from cognito_session.core.crypto.encoding import to_base64url
from cognito_session.core.crypto.keyring import Keyring
from cognito_session.core.protocol.establish import SignedIn
from managed.scene import Reports, rows, value_of
from support.stack import COOKIE, cookie_of, event_v2, make_app
from support.tokens import flipped

PART = 24
"""So many characters of a secret in a row are a leak; headers of tokens, which are public, are left out."""


class Journey:
    """A journey that remembers every secret it meets and everything that was said."""

    def __init__(self, app, kind, log):
        self.app, self.log = app, log
        self.secrets: set[str] = {app.pool.client_secret}
        self.said: list[str] = []
        self.dumps: list[str] = []
        self.reports = Reports()
        keywords = {"on_event": self.reports, "policy": SessionPolicy(max_sessions=3)}
        if kind == "sealed":
            self.keys = ",".join(f"{number}.{to_base64url(os.urandom(32))}" for number in (2, 1))
            self.secrets |= {entry.partition(".")[2] for entry in self.keys.split(",")}
            keywords |= {"cookie": "sealed", "cookie_name": None, "session_keys": self.keys}
        self.manager = app.manager(**keywords)
        self.see(self.manager, self.manager.configuration, self.manager.context, self.manager.ports, app.pool)
        self.see(self.manager.ports.store, self.manager.ports.provider, self.manager.ports.keys, self.manager.ports.keyrings)

    def see(self, *things):
        """Whatever a program could print of these."""
        for thing in things:
            self.said += [repr(thing), str(thing), f"{thing}"]
            if isinstance(thing, BaseException):
                self.said += traceback.format_exception(thing)
                self.said += [repr(thing.args), repr(getattr(thing, "public_body", dict)())]
            if isinstance(thing, Active):
                self.see(thing.session)
        self.dumps.append(str(rows(self.app)))

    def attempt(self, work):
        """The outcome, or the error with all that caused it."""
        try:
            outcome = work()
        except Exception as error:
            self.see(error)
            return error
        self.see(outcome)
        return outcome

    def sign_in(self, user, **more):
        """A session: its tokens and cookie become secrets."""
        tokens = self.app.sign_in(user)
        self.secrets |= {tokens["AccessToken"], tokens["RefreshToken"], tokens["IdToken"]}
        self.see(SignedIn.of(tokens))
        me = self.manager.establish(tokens, **more)
        return self.hold(me), me

    def hold(self, me):
        """The session's cookie, remembered."""
        cookie = cookie_of(me)
        self.secrets |= {value_of(cookie), me.access_token}
        self.see(me, Cookie(COOKIE).candidates(cookie))
        return cookie

    def request(self, cookie):
        """A request; the cookie to use from now on."""
        outcome = self.attempt(lambda: self.manager.resolve(cookie))
        if isinstance(outcome, Active) and outcome.session.set_cookies:
            return self.hold(outcome.session), outcome
        return cookie, outcome

    def leaks(self, texts):
        """Parts of secrets that stand in these texts."""
        parts = {part for secret in self.secrets for part in _parts(secret)}
        return sorted({text[:200] for text in texts for part in parts if part in text})


def _parts(secret):
    """Pieces of a secret that are its own; a JWT's header is not."""
    own = secret.split(".", 1)[1] if secret.startswith("eyJ") else secret
    bodies = [piece for piece in own.split(".") if len(piece) >= PART] or [own]
    return {body[at : at + PART] for body in bodies for at in (0, len(body) // 2, max(0, len(body) - PART))}


def travel(app, kind, log):
    """The journey: everything that an application and its users do, and much that goes wrong."""
    at = Journey(app, kind, log)
    stack, user = app.stack, app.user()
    cookie, me = at.sign_in(user, user_agent="Firefox/140 Windows")
    cookie, outcome = at.request(cookie)
    assert isinstance(outcome, Active)
    at.see(at.manager.save_data(me, {"a": 1}))
    at.see(*at.manager.sessions_of(user.sub, current=me.sid))
    app.expire()
    old = cookie
    cookie, outcome = at.request(cookie)
    assert isinstance(outcome, Refreshed)
    at.request(old)
    at.attempt(lambda: outcome.session.require(any_group=["admin"]))
    at.attempt(lambda: at.manager.save_data(me, {"a": float("nan")}))
    at.attempt(lambda: at.manager.save_data(me, {"a": 2}))
    at.attempt(lambda: at.manager.establish({"AccessToken": me.access_token}))
    at.attempt(lambda: at.manager.establish({"AccessToken": flipped(me.access_token, 400), "RefreshToken": "x"}))
    for wrong in (
        flipped(cookie, len(cookie) - 20),
        cookie + "=",
        cookie[:-9],
        f"{cookie}; {old}",
        cookie.replace("v1.2", "v1.9"),
    ):
        at.request(wrong)
    for operation, fault in (
        ("GetItem", "error500"),
        ("GetItem", "drop_before"),
        ("UpdateItem", "drop_after"),
        ("GetTokensFromRefreshToken", "throttle"),
        ("GetTokensFromRefreshToken", "error500"),
    ):
        app.expire()
        stack.fault(operation, fault, times=2)
        cookie, _ = at.request(cookie)
        stack.clear_faults()
        stack.advance(40)
        cookie, outcome = at.request(cookie)
        assert isinstance(outcome, Active)

    @at.manager.protect
    def handler(event, context, me):
        me.require(any_group=["admin"])

    for each in (cookie, cookie[:-5]):
        answer = handler(event_v2(each), None)
        at.said += [str({name: value for name, value in answer.items() if name != "cookies"})]
    stack.fault("RevokeToken", "error500", times=None)
    at.see(at.manager.sign_out(cookie))
    stack.clear_faults()
    assert at.request(cookie)[1] == Rejected("session_ended")
    cookie, me = at.sign_in(user)
    late = app.sign_in(user)
    at.secrets |= {late["AccessToken"], late["RefreshToken"]}
    stack.advance(1)
    at.see(at.manager.revoke_all(user.sub))
    at.attempt(lambda: at.manager.establish(late))
    app.stack.advance(3)
    cookie, _ = at.sign_in(user)
    stack.disable_user(app.pool, user.username)
    app.expire()
    assert at.request(cookie)[1] == Rejected("refresh_denied")
    at.see(*at.reports)
    return at


@pytest.mark.parametrize("kind", ["sealed", "token"])
@pytest.mark.parametrize("sort_key", [None, "sid"], ids=["one row", "two keys"])
def test_nothing_secret_is_said(stack, caplog, kind, sort_key):
    """Logs at DEBUG, reports, every object, outcome and error with its causes: no token, cookie, key or client secret in it."""
    caplog.set_level(logging.DEBUG)
    app = make_app(stack, sort_key=sort_key, client_secret=True, rotation_grace_seconds=60)
    at = travel(app, kind, caplog)
    assert len(at.secrets) > 15
    assert {"established", "ended"} <= {report.event for report in at.reports}
    assert at.leaks(at.said) == []
    assert at.leaks([record.getMessage() + str(record.exc_text) + str(record.args) for record in caplog.records]) == []
    if kind == "sealed":
        assert at.leaks(at.dumps) == []


def test_the_canary_sings(stack, caplog):
    """The control: plain token mode keeps `token` readable in the table, and the same search finds it there."""
    app = make_app(stack, client_secret=True, rotation_grace_seconds=60)
    at = travel(app, "token", caplog)
    assert at.leaks(at.dumps)
    assert at.leaks([next(iter(at.secrets))])


def test_keys_do_not_show(stack):
    """A keyring and its entries hide their keys, and what is wrong with a key is told by its position."""
    secret = to_base64url(os.urandom(32))
    keyring = Keyring.parse(f"1.{secret}")
    shown = [repr(keyring), str(keyring), repr(keyring.newest), f"{keyring.entries}"]
    with pytest.raises(ValueError, match="entry 2") as caught:
        Keyring.parse(f"1.{secret},2.{secret}")
    shown += traceback.format_exception(caught.value)
    assert not any(secret[:PART] in text or repr(keyring.newest.key)[4:20] in text for text in shown)
