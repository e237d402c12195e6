"""What is reported about a failed sign-in or sign-out (event, user, session, detail, limit), and what the user gets."""

from __future__ import annotations

import json

import pytest

from cognito_session.core.errors import (
    ConfigurationError,
    KeysUnavailable,
    ProviderUnavailable,
    StoreUnavailable,
)
from cognito_session.core.protocol.ports import GrantRefused, PoolRefusal
from cognito_session.core.protocol.session import Active, Reason, Rejected, Session
from cognito_session.core.protocol.steps import Keys, Load, LoadAll, Revoke, Write
from cognito_session.http.request import Request, headers_of
from cognito_session.signin import sign_out as signing_out
from cognito_session.signin.callback import LoginCase, come_back
from cognito_session.signin.login_site import LoginSite
from cognito_session.signin.other_sessions import others_ended
from cognito_session.signin.outcome import CodeSent, Done, PasswordReset, Refusal, Refused
from cognito_session.signin.passwords import forgot_password, register, resend
from cognito_session.signin.reset import after_reset
from cognito_session.signin.sign_out import sign_out
from cognito_session.signin.step import Visitor, follow
from cognito_session.signin.transaction import Transaction, keep_transaction
from signin.flow_driver import FlowDriver, Pool, a_context, pool_context
from support.tokens import ISSUED_AT, SUB, Issuer

DOWN = ProviderUnavailable("down", sent=True)
DENIED = ConfigurationError("the store denies it")
ISSUER = Issuer()
OTHER_KEY = Issuer(kid="key-2")


class Server:
    """An authorization server that gives one answer to every code."""

    domain = "https://login.example"

    def __init__(self, answer=None):
        self.answer = answer

    def exchange(self, grant):
        assert grant.code == "code"
        return self.answer


def login(answer=None, *, base_url="https://app.example", **changes):
    """Managed login of a site with that server."""
    site = LoginSite(base_url, "client", ("openid",), "/auth/callback", "/login", "/home", "/")
    return LoginCase(a_context(**changes), site, Server(answer))


def asked(method, query="", *headers, cookies=()):
    """A navigation; with `sec-fetch-mode: cors` among the headers, a script's request."""
    held = [("cookie", "; ".join(cookies))] if cookies else []
    return Request(method, "/auth/callback", query, headers_of([*(headers or (("sec-fetch-mode", "navigate"),)), *held]))


def came_back(answer, **answers):
    """The callback's outcome for a code that the server answers with `answer`, and the driver."""
    case, driver = login(answer), FlowDriver({Keys: ISSUER.key_set(), Revoke: DOWN, **answers})
    flow = Transaction.begun(case.context, "/orders")
    pair = driver.run(keep_transaction(case.context, flow, ()))[0].partition(";")[0]
    try:
        outcome = driver.run(come_back(case, asked("GET", f"code=code&state={flow.state}", cookies=[pair])))
    except Exception as error:
        outcome = error
    return outcome, driver


# --- managed login's way back


def test_an_error_in_the_callbacks_address_is_told_as_a_strangers():
    """Any client can write that address: the report names no user and is limited."""
    driver = FlowDriver()
    assert driver.run(come_back(login(), asked("GET", "error=server_error&error_description=no"))).status == 400
    assert driver.told == [("sign_in_refused", "", None, 'server_error: "no"', True)]


def test_a_code_that_cognito_refuses_is_told_a_few_times_only():
    """Any client can send codes: the report is limited and gives the OAuth error code."""
    outcome, driver = came_back(GrantRefused("invalid_grant"))
    assert outcome.status == 400
    assert driver.told == [("sign_in_lost", "", None, "invalid_grant", True)]


def test_tokens_that_are_not_kept_and_cannot_be_revoked_are_told():
    """The forged answer and the failed revocation are both reported, each with its reason."""
    outcome, driver = came_back({"access_token": "x", "refresh_token": "rt", "id_token": "y"})
    assert outcome.status == 400
    assert driver.told == [
        ("sign_in_forged", "", None, "malformed_token", False),
        ("revoke_failed", "", None, "provider_unavailable", False),
    ]


def test_an_id_token_whose_key_is_not_published_yet_is_an_outage():
    """Cognito sent the token over TLS, so its key exists: the answer is an outage and not a forged sign-in."""
    issued = {"access_token": ISSUER.access_token(), "refresh_token": "rt", "id_token": OTHER_KEY.id_token()}
    outcome, driver = came_back(issued)
    assert isinstance(outcome, KeysUnavailable)
    assert driver.told == []


# --- steps of a sign-in on the site's own pages

TOKENS = {"AuthenticationResult": {"AccessToken": ISSUER.access_token(), "RefreshToken": "rt"}}


def test_a_sign_in_that_the_store_denies_is_taken_back_or_told():
    """If its refresh token cannot be revoked, the report gives the reason why there is no session."""
    driver = FlowDriver({Keys: ISSUER.key_set(), Load: DENIED, LoadAll: DENIED, Write: DENIED, Revoke: DOWN})
    with pytest.raises(ConfigurationError):
        driver.run(follow(pool_context(Pool()), Visitor("alice", "alice"), TOKENS))
    assert driver.told == [("revoke_failed", "", None, "configuration", False)]
    assert [step.refresh_token for step in driver.made if isinstance(step, Revoke)] == ["rt"]


def test_a_refused_first_call_is_no_expired_challenge():
    """Only a challenge has a session that can end: the same words about the first call are invalid input."""
    refusal = PoolRefusal("InvalidParameterException", "Invalid session for the user.")
    first = FlowDriver().run(follow(pool_context(Pool()), Visitor("alice", "alice"), refusal))
    assert first == Refused(Refusal.INVALID_INPUT)


def test_a_new_password_without_the_user_is_told():
    """A failed revocation of the tokens is reported, and also that the other sessions did not end."""
    pool = Pool({"AuthenticationResult": {"AccessToken": "x", "RefreshToken": "rt"}})
    driver = FlowDriver({Revoke: DOWN})
    assert driver.run(after_reset(pool_context(pool), "alice", "new", 1)) == PasswordReset()
    assert driver.told == [
        ("revoke_failed", "", None, "provider_unavailable", False),
        ("others_not_signed_out", "", None, "password reset: malformed_token", False),
    ]


def test_a_new_password_whose_sign_in_is_refused_is_told():
    """A reset cannot prove a device: the sign-in is refused, and the detail says so."""
    pool, driver = Pool({"ChallengeName": "DEVICE_SRP_AUTH"}), FlowDriver()
    assert driver.run(after_reset(pool_context(pool), "alice", "new", 1)) == PasswordReset()
    assert driver.told == [("others_not_signed_out", "", None, "password reset: refused", False)]


def test_sessions_that_were_not_ended_are_told_with_the_user_and_the_one_that_stays():
    """The report names the user and the session that stays, so that an operator can end the others."""
    driver = FlowDriver({LoadAll: StoreUnavailable("down")})
    assert driver.run(others_ended(a_context(), SUB, keep="sid-1")) is None
    assert driver.told == [("others_not_signed_out", SUB, "sid-1", "store_unavailable", False)]


@pytest.mark.parametrize(("flow", "operation"), [(forgot_password, "ForgotPassword"), (resend, "ResendConfirmationCode")])
def test_a_code_that_was_not_sent_is_reported_unless_the_user_is_unknown(flow, operation):
    """The user gets the same answer; a limit is reported, an unknown user is not."""
    driver = FlowDriver()
    pool = pool_context(Pool(PoolRefusal("LimitExceededException"), PoolRefusal("UserNotFoundException")))
    assert [driver.run(flow(pool, "alice")) for _ in range(2)] == [CodeSent()] * 2
    assert driver.told == [("code_not_sent", "", None, f"{operation}: LimitExceededException", True)]


def test_a_sign_up_is_confirmed_or_says_where_the_code_went():
    """UserConfirmed is Done; otherwise the outcome has Cognito's masked destination and the medium."""
    sent = {"CodeDeliveryDetails": {"Destination": "a***@e***", "DeliveryMedium": "EMAIL"}}
    pool = pool_context(Pool({"UserConfirmed": True}, {"UserConfirmed": False, **sent}))
    assert FlowDriver().run(register(pool, "alice", "Password-1", {})) == Done()
    assert FlowDriver().run(register(pool, "alice", "Password-1", {})) == CodeSent("a***@e***", "EMAIL")


# --- signing out

SCRIPT = ("sec-fetch-mode", "cors")


def stale(monkeypatch, outcome):
    """Make `outcome` the session of the request."""

    def resolve(_context, _headers):
        yield from ()
        return outcome

    monkeypatch.setattr(signing_out, "resolve", resolve)


def session(**changes):
    """A session whose sign-in is a day old."""
    claims = ISSUER.claims()
    given = {"auth_time": ISSUED_AT - 86_400, "set_cookies": ("a=b",), **changes}
    return Session(
        SUB, "sid-1", "alice", (), frozenset(), claims, access_token="", token_expires_at=0, session_expires_at=None, **given
    )


def test_a_link_to_sign_out_leads_home():
    """A GET signs out no one: its 405 page links to the application's first page."""
    answer = FlowDriver().run(sign_out(login(), asked("GET"), "here", "/"))
    assert answer.status == 405
    assert '<a href="/home">Home</a>' in answer.body


def test_a_denied_sign_out_is_told_by_its_name(monkeypatch):
    """The script gets the status and the reason; the report names the operation."""

    def denied(_context, _headers):
        yield from ()
        raise DENIED

    monkeypatch.setattr(signing_out, "log_out", denied)
    driver = FlowDriver()
    answer = driver.run(sign_out(login(), asked("POST", "", SCRIPT), "here", "/"))
    assert (answer.status, json.loads(answer.body)["reason"]) == (500, "configuration")
    assert driver.told == [("misconfigured", "", None, "sign_out: the store denies it", False)]


def test_signing_the_others_out_without_a_session_leads_to_sign_in(monkeypatch):
    """A page links to the sign-in; a script gets the reason why there is no session."""
    stale(monkeypatch, Rejected(Reason.SESSION_ENDED))
    page = FlowDriver().run(sign_out(login(), asked("POST"), "elsewhere", "/"))
    assert (page.status, '<a href="/login">' in page.body) == (401, True)
    told = FlowDriver().run(sign_out(login(), asked("POST", "", SCRIPT), "elsewhere", "/"))
    assert json.loads(told.body)["reason"] == "session_ended"


@pytest.mark.parametrize("where", ["elsewhere", "everywhere"])
def test_a_session_that_was_refreshed_before_it_was_found_stale_keeps_its_cookie(monkeypatch, where):
    """The page links to the site's own sign-in path, and its response sets the refreshed cookie."""
    stale(monkeypatch, Active(session()))
    case = login(base_url="https://app.example/shop")
    case = case._replace(site=case.site._replace(login_path="/shop/login"))
    answer = FlowDriver().run(sign_out(case, asked("POST"), where, "/"))
    assert (answer.status, answer.cookies) == (403, ("a=b",))
    assert 'href="/shop/login?prompt=login"' in answer.body
