"""No secret of a sign-in shows: not in a log, a repr, an address, a page; and the other layouts sign in as well."""

from __future__ import annotations

import logging
from urllib.parse import quote

import pytest

from cognito_session import Active
from cognito_session.core.protocol.ports import CodeGrant
from cognito_session.drivers.sync import run
from cognito_session.signin.transaction import find_transaction
from managed.scene import ring
from signin.browser import BASE_URL, Site, location, query_of
from support.stack import make_app

COOKIE = "__Host-session"


class Listening:
    """An authorization server that remembers what was redeemed and what came of it."""

    def __init__(self, server) -> None:
        self.domain = server.domain
        self.secrets: list[str] = []
        self._server = server

    def exchange(self, grant: CodeGrant):
        issued = self._server.exchange(grant)
        self.secrets += [grant.code, grant.verifier]
        if isinstance(issued, dict):
            self.secrets += [issued[name] for name in ("access_token", "id_token", "refresh_token")]
        assert not any(secret in repr(grant) for secret in self.secrets)
        return issued


@pytest.mark.parametrize("trouble", [None, "TransactWriteItems", "nonce"])
def test_no_secret_in_a_log_an_address_or_a_page(site, caplog, trouble):
    """Code, verifier and tokens appear in no log line, no Location and no page of ours, in success and in trouble."""
    caplog.set_level(logging.DEBUG)
    listening = Listening(site.manager.ports.authorization_server)
    site.manager.ports = site.manager.ports._replace(
        authorization_server=listening, sleep=site.app.stack.advance, pause=site.pause
    )
    address = site.start(return_to="/deep")
    if trouble == "nonce":
        address = address.replace(query_of(address)["nonce"], "0" * 32)
    back = site.sign_in_at_cognito(address, site.app.user())
    if trouble == "TransactWriteItems":
        site.app.stack.fault(trouble, "error500", times=None)
    caplog.clear()  # the browser's own client logs what a browser knows
    response = site.callback(back)
    assert response.status == {None: 303, "TransactWriteItems": 503, "nonce": 400}[trouble]
    assert len(listening.secrets) >= 5
    shown = "\n".join([caplog.text, str(response.headers), response.body, address, repr(site.login), repr(response)])
    assert not [secret for secret in listening.secrets if secret in shown or quote(secret) in shown]


def test_the_nonce_and_the_verifier_are_only_in_the_sealed_cookie(site):
    """What the browser holds of a flow opens with our keys alone, and the verifier is in no address."""
    address = site.start()
    state = query_of(address)["state"]
    manager = site.app.manager(cookie="sealed", cookie_name=None, session_keys=ring(1))
    ((name, value),) = site.jar.items()
    found = run(find_transaction(manager.context, state, (f"{name}={value}",)), manager.ports)
    assert found is not None
    assert found.verifier not in address
    assert found.verifier not in value
    assert found.nonce not in value
    assert repr(found).count("...") == 4  # state, nonce, verifier, and the entry, which may name the person


@pytest.mark.parametrize("sort_key", [None, "sid"], ids=["one row", "two keys"])
@pytest.mark.parametrize("cookie", ["token", "sealed"])
def test_every_layout_and_both_cookies(stack, sort_key, cookie):
    """A token cookie signs in through managed login too; its flow's cookie has the __Host- prefix all the same."""
    app = make_app(stack, sort_key=sort_key, callback_urls=(f"{BASE_URL}/auth/callback",), logout_urls=(f"{BASE_URL}/",))
    user = app.user(groups=())
    with Site(app, cookie=cookie) as site:
        name = site.manager.context.cookie.name
        site.start()
        assert site.flows()[0].startswith(f"__Host-{name.removeprefix('__Host-')}-flow-")
        assert location(site.sign_in(user)) == "/"
        outcome = site.resolve()
        assert isinstance(outcome, Active)
        assert outcome.session.sub == user.sub
        assert site.sign_out().status == 303
        assert name not in site.jar


@pytest.mark.parametrize("rotation", [None, 0, 60])
def test_a_session_from_managed_login_is_refreshed(stack, rotation):
    """The refresh token of the code grant refreshes as any other, with rotation on and off; groups survive."""
    app = make_app(
        stack,
        sort_key="sid",
        rotation_grace_seconds=rotation,
        groups=("editors",),
        callback_urls=(f"{BASE_URL}/auth/callback",),
        logout_urls=(f"{BASE_URL}/",),
    )
    user = app.user(groups=("editors",))
    with Site(app) as site:
        site.sign_in(user)
        app.expire()
        outcome = site.resolve()
        assert isinstance(outcome, Active)
        assert outcome.session.groups == ("editors",)
        assert outcome.session.set_cookies
