"""Signing out: the row, Cognito's token, the cookie, managed login's own cookie; for one, for the others, for all."""

from __future__ import annotations

import json

import pytest

from cognito_session import Active, ConfigurationError, Rejected
from cognito_session.core.protocol.session import Reason
from managed.scene import session_rows
from signin.browser import BASE_URL, Site, location, query_of
from support.stack import done

COOKIE = "__Host-session"


def cookie_lines(response):
    """The Set-Cookie values of the session's cookie."""
    return [line for line in response.cookies if line.startswith(f"{COOKIE}=")]


def test_sign_out_ends_row_token_cookie_and_managed_login(site):
    """In this order: the row, then RevokeToken; the cookie goes with the attributes it came with; then Cognito's /logout."""
    user = site.app.user()
    site.sign_in(user)
    set_line = next(line for line in site.set_lines if line.startswith(f"{COOKIE}="))
    jar = dict(site.jar)
    site.app.stack.clear_calls()
    response = site.sign_out()
    assert done(site.app.stack) == ["GetItem", "UpdateItem", "RevokeToken"]
    assert response.status == 303
    assert location(response).startswith(f"{site.app.stack.url}/logout?")
    assert query_of(location(response)) == {"client_id": site.app.pool.client_id, "logout_uri": f"{BASE_URL}/"}
    (deleted,) = cookie_lines(response)
    assert deleted.split("; ")[1:] == ["Max-Age=0", *set_line.split("; ")[2:]]
    site.jar = jar
    assert site.resolve() == Rejected(Reason.SESSION_ENDED)


def test_the_redirect_ends_managed_logins_own_cookie(site):
    """After it Cognito asks for the password again; without it the next click would sign straight back in."""
    site.sign_in(site.app.user())
    assert site.cognito.get(site.start()).status_code == 302
    ended = site.cognito.get(location(site.sign_out()))
    assert ended.headers["location"] == f"{BASE_URL}/"
    assert site.cognito.get(site.start()).status_code == 200


def test_sign_ins_under_way_are_forgotten(site):
    """A sign-in that was begun and left leaves nothing behind on a shared computer."""
    site.sign_in(site.app.user())
    for _ in range(2):
        site.start()
    assert len(site.flows()) == 2
    site.sign_out()
    assert site.jar == {}


def test_signing_out_twice_is_harmless(site):
    """Who has no session any more is sent the same way, and the cookie is deleted again."""
    site.sign_in(site.app.user())
    jar = dict(site.jar)
    first = site.sign_out()
    for cookies in (jar, {}):
        site.jar = cookies
        again = site.sign_out()
        assert (again.status, location(again)) == (303, location(first))
        assert len(cookie_lines(again)) == 1


@pytest.mark.parametrize(
    "header", [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example"), ("x-nothing", "1")], ids=str
)
def test_another_site_cannot_sign_anybody_out(site, header):
    """The CSRF check: a 403, the session lives, the cookie stays."""
    site.sign_in(site.app.user())
    response = site.sign_out(header)
    assert response.status == 403
    assert response.cookies == ()
    assert isinstance(site.resolve(), Active)


def test_a_link_does_not_sign_out(site):
    """GET changes nothing: a 405 page."""
    site.sign_in(site.app.user())
    assert site.sign_out(method="GET").status == 405
    assert isinstance(site.resolve(), Active)


def test_the_other_devices(site):
    """All others end, this one goes on, nobody is sent to Cognito."""
    user = site.app.user()
    with Site(site.app) as other:
        other.sign_in(user)
        site.sign_in(user)
        response = site.sign_out(where="elsewhere", return_to="/devices")
        assert (response.status, location(response)) == (303, "/devices")
        assert isinstance(site.resolve(), Active)
        assert other.resolve() == Rejected(Reason.SESSION_ENDED)


def test_the_other_devices_need_a_session(site):
    """Without one there is nobody whose devices they could be: off to sign in is for GET, so this is a 401."""
    response = site.sign_out(where="elsewhere")
    assert response.status == 401
    assert response.cookies == ()


def test_everywhere(site):
    """Every session of the user ends, at Cognito too, and managed login's cookie with them."""
    user = site.app.user()
    with Site(site.app) as other:
        other.sign_in(user)
        site.sign_in(user)
        site.app.stack.clear_calls()
        response = site.sign_out(where="everywhere")
        operations = done(site.app.stack)
        assert operations.count("RevokeToken") == 2
        assert "AdminUserGlobalSignOut" in operations
        assert location(response).startswith(f"{site.app.stack.url}/logout?")
        assert other.resolve() == Rejected(Reason.SESSION_ENDED)
        assert {row["state"] for row in session_rows(site.app, user)} == {"ended"}
        assert COOKIE not in site.jar


def test_a_store_that_is_down_signs_this_browser_out_and_says_what_is_not_known(site):
    """A 503 page, but the cookie goes in any case: nobody may stay signed in on a shared computer."""
    site.sign_in(site.app.user())
    jar = dict(site.jar)
    site.app.stack.fault("UpdateItem", "error500", times=None)
    response = site.sign_out()
    assert response.status == 503
    assert int(response.headers["Retry-After"]) > 0
    assert COOKIE not in site.jar
    site.app.stack.clear_faults()
    site.jar = jar
    assert isinstance(site.resolve(), Active)


@pytest.mark.parametrize("code", ["AccessDeniedException", "KMSDisabledException", "ValidationException"])
@pytest.mark.parametrize("operation", ["GetItem", "UpdateItem"])
def test_a_store_that_refuses_signs_this_browser_out_as_well(site, operation, code):
    """What the operator has to repair is a 500 page, and the cookie goes all the same."""
    site.sign_in(site.app.user())
    site.app.stack.refuse(operation, code, "No.", times=None)
    response = site.sign_out()
    assert response.status == 500
    assert "Signed out in this browser" in response.body
    assert COOKIE not in site.jar


def test_a_sign_out_without_the_address_of_managed_login_deletes_the_cookie(site, monkeypatch):
    """The row has ended; an address that is set up wrong must not leave the cookie behind."""
    site.sign_in(site.app.user())
    monkeypatch.setattr(site.manager.ports.authorization_server, "_configured", None)
    assert site.sign_out().status == 500
    assert COOKIE not in site.jar


def test_everywhere_is_not_certain_while_the_store_is_down(site):
    """A 503 that keeps the cookie: the person must be able to press again."""
    site.sign_in(site.app.user())
    site.app.stack.fault("UpdateItem", "error500", times=None)
    response = site.sign_out(where="everywhere")
    assert response.status == 503
    site.app.stack.clear_faults()
    assert isinstance(site.resolve(), Active)


def test_a_revocation_that_fails_does_not_keep_the_session(site):
    """Cognito is down: the row has ended all the same, and the person is signed out."""
    site.sign_in(site.app.user())
    jar = dict(site.jar)
    site.app.stack.fault("RevokeToken", "error500", times=None)
    assert site.sign_out().status == 303
    site.jar = jar
    assert site.resolve() == Rejected(Reason.SESSION_ENDED)


def test_a_script_is_told_where_to_go(site):
    """A script could not follow a redirect to Cognito: JSON with the address, and the cookie deleted."""
    site.sign_in(site.app.user())
    request = site.request("POST", "/sign-out", ("sec-fetch-site", "same-origin"))
    request = request._replace(headers={**request.headers, "sec-fetch-mode": ("cors",)})
    response = site._run(site.login.sign_out(request))
    assert response.status == 200
    assert json.loads(response.body)["location"].startswith(f"{site.app.stack.url}/logout?")
    assert len(cookie_lines(response)) == 1


@pytest.mark.parametrize("evil", ["//evil.example", "/\\evil.example", "https:evil.example"])
def test_the_way_on_is_of_our_own_site(site, evil):
    """A return_to that leads elsewhere becomes the start page."""
    site.sign_in(site.app.user())
    assert location(site.sign_out(where="elsewhere", return_to=evil)) == "/"


@pytest.mark.parametrize("where", ["here", "everywhere"])
def test_the_browser_is_told_what_to_delete(site, where):
    """`clear_site_data` is on the answer that signs this browser out: the redirect, the script's JSON, the uncertain one."""
    site.login = site.manager.managed_login(clear_site_data=("cache", "storage"))
    site.sign_in(site.app.user())
    assert site.sign_out(where=where).headers["Clear-Site-Data"] == '"cache", "storage"'
    script = site.sign_out(("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "cors"))
    assert script.headers["Clear-Site-Data"] == '"cache", "storage"'
    site.cognito.cookies.clear()
    site.sign_in(site.app.user())
    site.app.stack.fault("UpdateItem", "error500", times=None)
    assert site.sign_out().headers["Clear-Site-Data"] == '"cache", "storage"'


def test_nothing_is_deleted_unasked(site):
    """Not without the setting, and not where this browser stays signed in."""
    site.sign_in(site.app.user())
    assert "Clear-Site-Data" not in site.sign_out(where="elsewhere").headers
    assert "Clear-Site-Data" not in site.sign_out().headers
    site.login = site.manager.managed_login(clear_site_data=["storage"])
    site.cognito.cookies.clear()
    site.sign_in(site.app.user())
    assert "Clear-Site-Data" not in site.sign_out(where="elsewhere").headers


@pytest.mark.parametrize("wrong", ["storage", ["everything"], ['"storage"'], None])
def test_what_a_browser_would_pass_over_is_refused(site, wrong):
    """A name that no browser knows deletes nothing: it is refused when the login is made."""
    with pytest.raises(ConfigurationError, match="clear_site_data: expected"):
        site.manager.managed_login(clear_site_data=wrong)
