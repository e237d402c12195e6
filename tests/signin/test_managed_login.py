"""Managed login: the whole way there and back, and every way it can go wrong."""

from __future__ import annotations

import hashlib
import re
from base64 import urlsafe_b64encode
from urllib.parse import urlencode

import pytest

from cognito_session import Active, ConfigurationError, Rejected, SessionPolicy
from cognito_session.core.protocol.session import Reason
from managed.scene import Reports, ring, session_rows
from signin.browser import BASE_URL, Site, location, own_path_of, query_of, with_query
from support.case_id import case_id
from support.clocks import OtherClock
from support.stack import done

COOKIE = "__Host-session"


# --- there and back


def test_a_sign_in_becomes_a_session(site):
    """Start, sign in at Cognito, callback: the session's cookie is set, the flow's is gone, the person is where they were."""
    user = site.app.user()
    response = site.callback(site.sign_in_at_cognito(site.start("/login?return_to=/orders%3Fpage%3D2"), user))
    assert (response.status, location(response)) == (303, "/orders?page=2")
    assert list(site.jar) == [COOKIE]
    outcome = site.resolve()
    assert isinstance(outcome, Active)
    assert outcome.session.sub == user.sub
    assert response.headers["Cache-Control"] == "no-store"
    (row,) = session_rows(site.app, user)
    assert row["device"] == "Firefox on Linux"


def test_with_a_strict_cookie_our_own_page_goes_on(app):
    """A redirect would go on with Cognito's navigation, which brings no Strict cookie; the flow's own cookie is Lax."""
    with Site(app, same_site="Strict") as site:
        response = site.callback(site.sign_in_at_cognito(site.start("/login?return_to=/orders"), site.app.user()))
        assert (response.status, response.headers["Refresh"]) == (200, "0; url=/orders")
        assert '<a href="/orders">' in response.body
        assert any(line.startswith(f"{COOKIE}=") and line.endswith("SameSite=Strict") for line in response.cookies)
        assert any(line.endswith("Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax") for line in response.cookies)
        assert isinstance(site.resolve(), Active)


def test_the_address_at_cognito_has_pkce_state_and_nonce(site):
    """S256 challenge, state and nonce of 128 bits, our callback, and no secret: the verifier stays in the sealed cookie."""
    address = site.start(sign_up=False, identity_provider=None, prompt="login", language="de", login_hint="alice@example.com")
    asked = query_of(address)
    assert address.startswith(f"{site.app.stack.url}/oauth2/authorize?")
    assert asked["response_type"] == "code"
    assert asked["redirect_uri"] == f"{BASE_URL}/auth/callback"
    assert asked["scope"].split()[0] == "openid"
    assert asked["code_challenge_method"] == "S256"
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", asked["code_challenge"])
    assert re.fullmatch(r"[0-9a-f]{32}", asked["state"])
    assert re.fullmatch(r"[0-9a-f]{32}", asked["nonce"])
    assert (asked["prompt"], asked["lang"], asked["login_hint"]) == ("login", "de", "alice@example.com")
    again = query_of(site.start())
    assert {asked[name] for name in ("state", "nonce", "code_challenge")}.isdisjoint(again.values())


def test_the_entry_is_passed_through(site):
    """Identity provider and sign-up page are Cognito's own parameters and path."""
    assert query_of(site.start(identity_provider="Google"))["identity_provider"] == "Google"
    assert site.start(sign_up=True).startswith(f"{site.app.stack.url}/signup?")


@pytest.mark.parametrize(
    "entry", [{"prompt": "evil"}, {"language": "de&x=y"}, {"identity_provider": "a\nb"}, {"login_hint": "x" * 257}]
)
def test_an_entry_that_cognito_would_not_understand_is_refused(site, entry):
    """A mistake of the application's is a 500 that is logged, and sends nobody anywhere."""
    response = site._run(site.login.start(site.request("GET", "/login"), **entry))
    assert response.status == 500
    assert response.cookies == ()


def test_the_flows_cookie_is_short_lived_sealed_and_lax(site):
    """Attributes that no other site or script gets round, and nothing readable inside."""
    site.start()
    (line,) = site.set_lines
    assert line.startswith(f"{COOKIE}-flow-")
    assert line.split("; ")[1:] == ["Max-Age=900", "Path=/", "HttpOnly", "Secure", "SameSite=Lax"]
    assert line.partition("=")[2].startswith("v1.1.")


@pytest.mark.parametrize("behind_seconds", [30, 240])
def test_a_machine_whose_clock_is_behind_signs_users_in(app, behind_seconds):
    """Cognito's tokens seem to come from the future: the sign-in that asked for them works all the same."""
    with Site(app, clock=OtherClock(app.stack.clock, -behind_seconds)) as site:
        assert site.sign_in(app.user()).status == 303
        assert isinstance(site.resolve(), Active)


def test_a_machine_whose_clock_is_ahead_names_its_clock(app, caplog):
    """Tokens that have expired on arrival are no forgery: a 500, the reason in the log, and no live token left behind."""
    events = Reports()
    with Site(app, clock=OtherClock(app.stack.clock, 700), on_event=events) as site:
        response = site.sign_in(app.user())
    assert (response.status, response.cookies, list(events)) == (500, (), [])
    assert "clock is about 70" in caplog.text
    assert done(app.stack)[-1] == "RevokeToken"


# --- several tabs


def test_two_tabs_may_sign_in_at_once(site):
    """Each flow has its own cookie; either order of coming back works."""
    user = site.app.user()
    first, second = site.start(return_to="/one"), site.start(return_to="/two")
    assert len(site.flows()) == 2
    back = site.sign_in_at_cognito(second, user)
    site.cognito.cookies.clear()
    assert location(site.callback(back)) == "/two"
    assert location(site.callback(site.sign_in_at_cognito(first, user))) == "/one"
    assert isinstance(site.resolve(), Active)
    assert site.flows() == []


def test_at_most_five_flows_are_kept_and_the_oldest_goes(site):
    """The sixth sign-in drops the first one's cookie, not another's."""
    states = []
    for _ in range(6):
        states.append(query_of(site.start())["state"])
        site.app.stack.advance(1)
    assert [name.rpartition("-")[2] for name in site.flows()] == states[1:]


def test_many_tabs_that_wake_at_once_all_arrive(site):
    """Twelve tabs begin before any has an answer: nothing pushes another out, and each comes back to its own page."""
    user, asleep = site.app.user(), dict(site.jar)
    addresses = []
    for number in range(12):
        request = site.request("GET", f"/login?return_to=/tab/{number}", jar=asleep)
        addresses.append(location(site.keep(site._run(site.login.start(request)))))
    assert sum(len(f"{name}={value}; ") for name, value in site.jar.items()) < 8_190  # gunicorn's limit of a header
    back = [site.sign_in_at_cognito(addresses[0], user)]
    back += [own_path_of(site.cognito.get(address).headers["location"]) for address in addresses[1:]]
    assert [location(site.callback(path)) for path in back] == [f"/tab/{number}" for number in range(12)]
    assert list(site.jar) == [COOKIE]
    assert isinstance(site.resolve(), Active)


def test_flows_that_are_over_make_room(site):
    """Cookies of flows past their time are deleted at the next start, whatever the browser thinks of their age."""
    site.start()
    site.app.stack.advance(901)
    state = query_of(site.start())["state"]
    assert [name.rpartition("-")[2] for name in site.flows()] == [state]


# --- the flow is gone


def test_back_button_after_a_sign_in_goes_on(site):
    """The callback again, its flow used: who is signed in goes on, and no code is redeemed."""
    back = site.sign_in_at_cognito(site.start(), site.app.user())
    site.callback(back)
    site.app.stack.clear_calls()
    response = site.callback(back)
    assert (response.status, location(response)) == (303, "/")
    assert "oauth2/token" not in done(site.app.stack)


def test_a_flow_that_is_gone_begins_anew_once(site):
    """Without the flow's cookie and without a session the sign-in begins anew by itself; the second time there is a page."""
    user = site.app.user()
    back = site.sign_in_at_cognito(site.start(return_to="/deep"), user)
    site.jar.clear()
    again = site.callback(back)
    assert again.status == 303
    assert location(again).startswith(f"{site.app.stack.url}/oauth2/authorize?")
    site.jar.clear()
    stopped = site.callback(with_query(back, state=query_of(location(again))["state"]))
    assert stopped.status == 400
    assert 'href="/login"' in stopped.body
    assert stopped.cookies == ()


def test_a_flow_past_its_time_begins_anew_and_still_knows_the_way(site):
    """Sealed and whole but too old: begun anew, and the person ends where they wanted to go."""
    user = site.app.user()
    back = site.sign_in_at_cognito(site.start(return_to="/deep"), user)
    site.app.stack.advance(901)
    again = site.callback(back)
    assert again.status == 303
    address = location(again)
    site.cognito.cookies.clear()
    assert location(site.callback(site.sign_in_at_cognito(address, user))) == "/deep"


def test_a_callback_in_another_browser_signs_nobody_in(site):
    """Login CSRF: an attacker's code and state, sent to a victim, redeem nothing (RFC 9700 4.7.1)."""
    back = site.sign_in_at_cognito(site.start(), site.app.user())
    site.app.stack.clear_calls()
    response = site.callback(back, jar={})
    assert location(response).startswith(f"{site.app.stack.url}/oauth2/authorize?")
    assert "oauth2/token" not in done(site.app.stack)
    assert session_rows(site.app) == []


# --- what comes back is wrong


@pytest.mark.parametrize("state", ["", "0" * 32, "r" + "0" * 32, "x" * 5000, "../evil", "0" * 31 + "\n"], ids=case_id)
def test_a_forged_state_redeems_nothing(site, state):
    """No flow of this browser has it: begun anew or stopped, no call, no session."""
    back = site.sign_in_at_cognito(site.start(), site.app.user())
    site.app.stack.clear_calls()
    response = site.callback(with_query(back, state=state))
    assert response.status in (303, 400)
    assert done(site.app.stack) == []
    assert COOKIE not in site.jar


def test_the_state_of_another_flow_does_not_open_this_ones_cookie(site):
    """A flow's cookie renamed to another state's is refused: the state is bound into the seal."""
    back = site.sign_in_at_cognito(site.start(), site.app.user())
    state = query_of(back)["state"]
    other = "f" * 32
    (name,) = site.flows()
    site.jar = {name.replace(state, other): site.jar[name]}
    site.app.stack.clear_calls()
    site.callback(with_query(back, state=other))
    assert "oauth2/token" not in done(site.app.stack)
    assert COOKIE not in site.jar


def test_a_flow_sealed_for_another_site_is_foreign(site):
    """Another app's flow, sealed with the same keys for another client, is none of ours."""
    back = site.sign_in_at_cognito(site.start(), site.app.user())
    site.manager.context = site.manager.context._replace(rules=site.manager.context.rules._replace(client_id="another"))
    response = site.callback(back)
    assert response.status == 303
    assert COOKIE not in site.jar


def test_a_code_is_redeemed_once(site):
    """The same callback with the flow's cookie put back: Cognito refuses, a page says so, nothing is stored."""
    user = site.app.user()
    back = site.sign_in_at_cognito(site.start(), user)
    flow = dict(site.jar)
    site.callback(back)
    site.jar = flow
    response = site.callback(back)
    assert response.status == 400
    assert COOKIE not in site.jar
    assert site.flows() == []
    assert len(session_rows(site.app, user)) == 1


def test_a_code_of_another_flow_is_refused(site):
    """Code injection: the attacker's code with the victim's own state fails at PKCE (RFC 9700 4.5.3)."""
    attacker, victim = site.app.user(), site.app.user()
    stolen = query_of(site.sign_in_at_cognito(site.start(), attacker))["code"]
    site.cognito.cookies.clear()
    back = site.sign_in_at_cognito(site.start(), victim)
    response = site.callback(with_query(back, code=stolen))
    assert response.status == 400
    assert session_rows(site.app) == []


def test_a_nonce_that_is_not_ours_makes_no_session(site):
    """The ID token is about another sign-in: nothing is kept, and what was issued is revoked."""
    user, reports = site.app.user(), Reports()
    site.manager.ports = site.manager.ports._replace(on_event=reports)
    address = site.start()
    back = site.sign_in_at_cognito(re.sub(r"nonce=[0-9a-f]{32}", "nonce=" + "0" * 32, address), user)
    site.app.stack.clear_calls()
    response = site.callback(back)
    assert response.status == 400
    assert COOKIE not in site.jar
    assert done(site.app.stack, keys=False) == ["oauth2/token", "RevokeToken"]
    assert session_rows(site.app, user) == []
    (report,) = reports.named("sign_in_forged")
    assert report.detail == "invalid_claim"


@pytest.mark.parametrize(
    "query",
    [
        "",
        "state={state}",
        "code={code}&state={state}&state={state}",
        "code={code}&code={code}&state={state}",
        "code={code}&state={state}&error=access_denied",
        "code=&state={state}",
        "code=" + "a" * 3000 + "&state={state}",
        "code={code}&error=access_denied",
        "code={code}&code={code}",
        "code=" + "a" * 3000,
        "&".join(["code={code}&state={state}", *["x=y"] * 200]),
    ],
    ids=range(11),
)
def test_missing_and_repeated_parameters(site, query):
    """Anything but one code or one error, with one state, is a page, whatever the flow's cookie says; no call."""
    back = query_of(site.sign_in_at_cognito(site.start(), site.app.user()))
    site.app.stack.clear_calls()
    response = site.callback("/auth/callback?" + query.format(**back))
    assert response.status == 400
    assert done(site.app.stack) == []
    assert COOKIE not in site.jar


def test_other_methods_than_get_are_refused(site):
    """A form post to the callback redeems nothing."""
    back = site.sign_in_at_cognito(site.start(), site.app.user())
    assert site.callback(back, method="POST").status == 405
    assert COOKIE not in site.jar


@pytest.mark.parametrize(
    ("error", "status"),
    [("access_denied", 403), ("server_error", 400), ("<script>alert(1)</script>", 400), ("x" * 5000, 400)],
    ids=["cancelled", "server", "script", "long"],
)
def test_errors_of_cognito_are_shown_in_our_words(site, error, status):
    """Nothing of what came with the request is on the page; the flow has ended."""
    state = query_of(site.start())["state"]
    response = site.callback(with_query("/auth/callback?state=x", state=state, error=error, error_description="<b>evil</b>"))
    assert response.status == status
    assert "evil" not in response.body
    assert "alert" not in response.body
    assert state not in response.body
    assert site.flows() == []


def test_a_silent_sign_in_that_would_need_the_person_goes_on_unsigned(site):
    """prompt=none where nobody is signed in at Cognito: back where they were, not signed in."""
    address = site.start(prompt="none", return_to="/read")
    page = site.cognito.get(address)
    assert page.status_code == 302
    response = site.callback(page.headers["location"].removeprefix(BASE_URL))
    assert (response.status, location(response)) == (303, "/read")
    assert isinstance(site.resolve(), Rejected)


def test_a_program_gets_json(site):
    """A callback that no person looks at is answered in JSON with a stable reason."""
    response = site.callback("/auth/callback", ("sec-fetch-mode", "cors"), jar={})
    assert response.status == 400
    request = site.request("GET", "/auth/callback")._replace(headers={})
    response = site._run(site.login.callback(request))
    assert response.body == '{"error": "sign_in", "reason": "sign_in_refused"}'


# --- a code that this browser did not ask for


def idp_initiated(site, user):
    """The callback's address after a SAML sign-in that the identity provider began."""
    asked = {"client_id": site.app.pool.client_id, "redirect_uri": f"{BASE_URL}/auth/callback", "response_type": "code"}
    relay = urlencode({"identity_provider": "Saml", **asked, "scope": "openid email profile"})
    posted = site.cognito.post("/saml2/idpresponse", data={"SAMLResponse": user.username, "RelayState": relay})
    assert posted.status_code == 302, posted.text
    return posted.headers["location"].removeprefix(BASE_URL)


def test_a_sign_in_that_the_identity_provider_began(site):
    """Its code is not redeemed; our own flow begins once and signs in silently by the cookie that Cognito has set."""
    user = site.app.user()
    back = idp_initiated(site, user)
    assert set(query_of(back)) == {"code"}
    site.app.stack.clear_calls()
    response = site.callback(back)
    assert "oauth2/token" not in done(site.app.stack)
    assert query_of(location(response))["state"].startswith("r")
    assert location(site.callback(site.cognito.get(location(response)).headers["location"].removeprefix(BASE_URL))) == "/"
    assert site.resolve().session.sub == user.sub


def test_a_code_without_state_leads_to_the_page_that_was_wanted(site):
    """A flow under way remembers where the person wanted to go; who is signed in goes there at once."""
    user = site.app.user()
    site.sign_in(user)
    assert location(site.callback(idp_initiated(site, user))) == "/"
    site.start(return_to="/orders")
    assert location(site.callback(idp_initiated(site, user))) == "/orders"


def test_a_strangers_code_without_state_is_no_login_csrf(site):
    """Who is signed in stays who they are; nobody is signed in by a code that came in a link."""
    attacker, victim = site.app.user(), site.app.user()
    stolen = idp_initiated(site, attacker)
    site.cognito.cookies.clear()
    response = site.callback(stolen)
    assert location(response).startswith(f"{site.app.stack.url}/oauth2/authorize?")
    site.jar.clear()
    site.sign_in(victim)
    site.callback(stolen)
    assert site.resolve().session.sub == victim.sub
    assert session_rows(site.app, attacker) == []


def test_a_code_without_state_does_not_go_round_in_circles(site):
    """A browser that keeps no cookies gets a page after one restart."""
    response = site.callback(idp_initiated(site, user := site.app.user()), jar={})
    site.jar.clear()
    back = site.cognito.get(location(response)).headers["location"].removeprefix(BASE_URL)
    assert site.callback(back, jar={}).status == 400
    assert session_rows(site.app, user) == []


# --- what the operator is told of a refusal


@pytest.mark.parametrize("state", [True, False], ids=["our flow", "no state"])
def test_the_operator_is_told_what_cognito_said(site, state):
    """The page is the same; `on_event` gets the code and Cognito's sentence."""
    reports = Reports()
    site.manager.ports = site.manager.ports._replace(on_event=reports)
    ours = {"state": query_of(site.start())["state"]} if state else {}
    said = {"error": "invalid_request", "error_description": "PreSignUp failed with error no such tenant."}
    response = site.callback(f"/auth/callback?{urlencode({**said, **ours})}")
    assert response.status == 400
    assert "tenant" not in response.body
    (report,) = reports.named("sign_in_refused")
    assert report.detail == 'invalid_request: "PreSignUp failed with error no such tenant."'


def test_a_silent_refusal_is_no_event(site):
    """prompt=none is answered with login_required whenever nobody is signed in: that is no fault."""
    reports = Reports()
    site.manager.ports = site.manager.ports._replace(on_event=reports)
    page = site.cognito.get(site.start(prompt="none"))
    site.callback(page.headers["location"].removeprefix(BASE_URL))
    assert reports.named("sign_in_refused") == []


# --- the pool signs with a new key


def test_a_new_signing_key_right_after_the_key_set_was_fetched(site):
    """A new key seconds after the last fetch: the sign-in works, and nothing is revoked."""
    user = site.app.user()
    site.sign_in(user)
    site.jar.clear()
    site.app.stack.advance(3)
    site.app.stack.rotate_keys(site.app.pool)
    site.app.stack.clear_calls()
    response = site.sign_in(user, prompt="login")
    assert (response.status, location(response)) == (303, "/")
    assert "RevokeToken" not in done(site.app.stack)
    assert isinstance(site.resolve(), Active)


def test_a_new_signing_key_that_cannot_be_fetched_revokes_nothing(site):
    """The key set is down when it is needed: a 503, nothing revoked and nothing kept."""
    user = site.app.user()
    site.manager.ports = site.manager.ports._replace(sleep=site.app.stack.advance, pause=site.pause)
    site.sign_in(user)
    site.jar.clear()
    site.app.stack.advance(3)
    site.app.stack.rotate_keys(site.app.pool)
    back = site.sign_in_at_cognito(site.start(prompt="login"), user)
    site.app.stack.clear_calls()
    site.app.stack.fault("jwks", "error500", times=None)
    assert site.callback(back).status == 503
    assert "RevokeToken" not in done(site.app.stack)


def test_a_key_set_that_answers_again_meanwhile(site):
    """A code is redeemed once, so the callback waits a little for the key set instead of losing the tokens."""
    user = site.app.user()
    site.manager.ports = site.manager.ports._replace(sleep=site.app.stack.advance, pause=site.pause)
    site.sign_in(user)
    site.jar.clear()
    site.app.stack.advance(3)
    site.app.stack.rotate_keys(site.app.pool)
    back = site.sign_in_at_cognito(site.start(prompt="login"), user)
    site.app.stack.fault("jwks", "error500")
    assert site.callback(back).status == 303
    assert isinstance(site.resolve(), Active)


def test_without_keys_the_code_stays_whole(site):
    """The first key fetch fails before the code is redeemed: a reload signs in."""
    back = site.sign_in_at_cognito(site.start(), site.app.user())
    site.app.stack.fault("jwks", "error500")
    assert site.callback(back).status == 503
    site.app.stack.advance(2)
    assert site.callback(back).status == 303
    assert isinstance(site.resolve(), Active)


# --- outages


@pytest.mark.parametrize("kind", ["throttle", "error500", "drop_before", "drop_after"])
def test_the_token_endpoint_is_down(site, kind):
    """A 503 page with Retry-After; no session; the flow is kept, so that a reload can work where the code is still whole."""
    user = site.app.user()
    back = site.sign_in_at_cognito(site.start(), user)
    site.app.stack.fault("oauth2/token", kind)
    response = site.callback(back)
    assert response.status == 503
    assert int(response.headers["Retry-After"]) > 0
    assert len(site.flows()) == 1
    assert COOKIE not in site.jar
    reloaded = site.callback(back)
    assert reloaded.status == (400 if kind == "drop_after" else 303)


@pytest.mark.parametrize("operation", ["TransactWriteItems", "GetItem"])
def test_dynamodb_is_down_at_the_callback(site, operation):
    """A 503 page and no cookie: nobody is signed in by a session that is not recorded."""
    back = site.sign_in_at_cognito(site.start(), site.app.user())
    site.app.stack.fault(operation, "error500", times=None)
    site.manager.ports = site.manager.ports._replace(sleep=site.app.stack.advance, pause=site.pause)
    response = site.callback(back)
    assert response.status == 503
    assert COOKIE not in site.jar


def test_the_key_set_cannot_be_fetched(site):
    """Without keys no ID token can be believed: a 503 page, no session."""
    back = site.sign_in_at_cognito(site.start(), site.app.user())
    site.app.stack.fault("jwks", "error500", times=None)
    response = site.callback(back)
    assert response.status == 503
    assert session_rows(site.app) == []


# --- settings


@pytest.mark.parametrize("app", [True], indirect=True)
def test_a_wrong_client_secret_is_the_operators_matter(app, caplog):
    """invalid_client is a 500 whose log names CLIENT_SECRET, not a refusal of the person; the secret is not in it."""
    reports = Reports()
    with Site(app, client_secret="wrong" * 10, on_event=reports) as site:
        response = site.callback(site.sign_in_at_cognito(site.start(), app.user()))
        assert response.status == 500
        assert COOKIE not in site.jar
        assert "CLIENT_SECRET" in caplog.text
        assert "wrong" * 10 not in caplog.text
    (report,) = reports.named("sign_in_misconfigured")
    assert "CLIENT_SECRET" in report.detail
    assert "wrong" * 10 not in report.detail


@pytest.mark.parametrize("error", ["invalid_grant", "invalid_request"])
def test_a_code_that_is_refused_is_reported(site, error):
    """The person sees that the sign-in was lost; the operator is told with which of OAuth's errors."""
    reports = Reports()
    site.manager.ports = site.manager.ports._replace(on_event=reports)
    back = site.sign_in_at_cognito(site.start(), site.app.user())
    site.app.stack.refuse("oauth2/token", error)
    assert site.callback(back).status == 400
    assert [(report.event, report.detail) for report in reports.named("sign_in_lost")] == [("sign_in_lost", error)]


@pytest.mark.parametrize(
    ("missing", "named"),
    [({"cognito_domain": None}, "COGNITO_DOMAIN"), ({"app_base_url": None}, "APP_BASE_URL")],
)
def test_what_is_not_set_is_named_at_start(app, missing, named):
    """A ConfigurationError when the application starts, not at the first sign-in."""
    keywords = {"cognito_domain": app.stack.url, "app_base_url": BASE_URL, **missing}
    manager = app.manager(cookie="sealed", cookie_name=None, session_keys=ring(1), **keywords)
    with pytest.raises(ConfigurationError, match=named):
        manager.managed_login()


def test_managed_login_needs_keys(app):
    """A token cookie without SESSION_KEYS cannot seal what a sign-in must remember."""
    manager = app.manager(cognito_domain=app.stack.url, app_base_url=BASE_URL)
    with pytest.raises(ConfigurationError, match="SESSION_KEYS"):
        manager.managed_login()


@pytest.mark.parametrize("base_url", ["http://app.example", "ftp://app.example", "app.example", "https://"])
def test_a_base_address_must_be_https_or_loopback(app, base_url):
    """The session's cookie is Secure and codes travel to it: plain http only on this machine."""
    with pytest.raises(ConfigurationError):
        app.manager(
            cookie="sealed", cookie_name=None, session_keys=ring(1), cognito_domain=app.stack.url, app_base_url=base_url
        ).managed_login()


@pytest.mark.parametrize("name", ["callback_path", "login_path", "after_sign_in", "after_sign_out"])
@pytest.mark.parametrize("path", ["", "login", "//evil.example", "https://evil.example"])
def test_paths_are_of_our_own_site(app, name, path):
    """A setting that would send people elsewhere is refused when the application starts."""
    manager = app.manager(
        cookie="sealed", cookie_name=None, session_keys=ring(1), cognito_domain=app.stack.url, app_base_url=BASE_URL
    )
    with pytest.raises(ConfigurationError, match=name):
        manager.managed_login(**{name: path})


def test_too_many_sessions_is_a_page(app):
    """The policy refuses one more: a 403 page, and what was issued is revoked."""
    user = app.user()
    with Site(app, policy=SessionPolicy(max_sessions=1, on_max_sessions="refuse")) as site:
        site.sign_in(user)
        site.jar.clear()
        site.cognito.cookies.clear()
        app.stack.clear_calls()
        response = site.sign_in(user)
        assert response.status == 403
        assert "RevokeToken" in done(app.stack)
        assert COOKIE not in site.jar


def test_a_row_that_the_store_denies_leaves_no_live_token(site):
    """A 500 page for what the operator has to repair; nobody has the tokens, so they are revoked."""
    back = site.sign_in_at_cognito(site.start(), site.app.user())
    site.app.stack.refuse("TransactWriteItems", "AccessDeniedException", "No.", times=None)
    assert site.callback(back).status == 500
    assert "RevokeToken" in done(site.app.stack)


def test_a_sign_in_ends_the_session_it_replaces(site):
    """The session that the browser brought along is ended: nothing planted before survives a sign-in."""
    user = site.app.user()
    site.sign_in(user)
    before = site.jar[COOKIE]
    site.sign_in(user, prompt="login")
    after = site.jar[COOKIE]
    site.jar = {COOKIE: before}
    assert site.resolve() == Rejected(Reason.SESSION_ENDED)
    site.jar = {COOKIE: after}
    assert isinstance(site.resolve(), Active)


def test_the_pkce_challenge_is_the_verifiers_hash(app):
    """S256 as RFC 7636 4.2 writes it, over a verifier of 43 unreserved characters."""
    from cognito_session.signin.transaction import Transaction

    manager = app.manager()
    begun = Transaction.begun(manager.context, "/")
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", begun.verifier)
    digest = hashlib.sha256(begun.verifier.encode()).digest()
    assert begun.challenge == urlsafe_b64encode(digest).rstrip(b"=").decode()
    for secret in (begun.state, begun.nonce, begun.verifier):
        assert secret not in repr(begun)
