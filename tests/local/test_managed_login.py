"""Managed login's own cookie: what it brings, how long, for whom, and how it ends."""

import base64
import hashlib
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest

VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
PKCE = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}


def told(answer):
    """What a redirect to the app tells it."""
    assert answer.status_code == 302, answer.text
    address = urlsplit(answer.headers["location"])
    assert (address.netloc, address.path) == ("app.example", "/callback")
    return {name: value for name, [value] in parse_qs(address.query).items()}


def claims(token):
    """What a token says, unverified."""
    return jwt.decode(token, options={"verify_signature": False})


def is_sign_in_page(answer):
    """Whether the user is asked for name and password."""
    return answer.status_code == 200 and 'name="password"' in answer.text and 'name="username"' in answer.text


def test_a_sign_in_leaves_a_cookie(browser, hosted):
    """POST /login answers with the code and one cookie: opaque, HttpOnly, Lax, for the whole host."""
    answer = browser.sign_in(hosted)
    assert set(told(answer)) == {"code", "state"}
    pair, *attributes = answer.headers["set-cookie"].split("; ")
    assert attributes == ["Path=/", "HttpOnly", "SameSite=Lax"]
    assert len(pair) > len("cognito=") + 40
    assert "alice" not in pair


def test_a_wrong_password_leaves_none(browser, hosted):
    """A failed sign-in brings the page again and no cookie."""
    answer = browser.sign_in(hosted, password="Wrong1!")
    assert is_sign_in_page(answer)
    assert "set-cookie" not in answer.headers


def test_the_cookie_signs_in_at_once(browser, hosted):
    """With the cookie /oauth2/authorize answers with a code and the state, redeemable with PKCE and nonce."""
    browser.sign_in(hosted)
    answer = told(browser.authorize(hosted, nonce="n-1", **PKCE))
    assert answer["state"] == "st/1"
    assert browser.redeem(hosted, answer["code"]).json()["error"] == "invalid_grant"
    tokens = browser.redeem(hosted, answer["code"], code_verifier=VERIFIER).json()
    assert claims(tokens["id_token"])["nonce"] == "n-1"
    assert claims(tokens["access_token"])["username"] == "alice"
    assert browser.redeem(hosted, answer["code"], code_verifier=VERIFIER).json()["error"] == "invalid_grant"


def test_without_the_cookie_the_page_comes(browser, hosted):
    """A browser that is not remembered, or holds a made-up cookie, is asked for a password."""
    assert is_sign_in_page(browser.authorize(hosted))
    browser.client.cookies.set("cognito", "x" * 43)
    assert is_sign_in_page(browser.authorize(hosted))


@pytest.mark.parametrize("prompt", ["login", "select_account", "login consent"])
def test_a_prompt_asks_for_the_password_anew(browser, hosted, prompt):
    """prompt=login and select_account show the page in spite of the cookie."""
    browser.sign_in(hosted)
    assert is_sign_in_page(browser.authorize(hosted, prompt=prompt))


def test_prompt_none_never_shows_a_page(browser, hosted):
    """prompt=none: login_required with the state without the cookie, a code with it."""
    refused = told(browser.authorize(hosted, prompt="none"))
    assert refused == {"error": "login_required", "state": "st/1"}
    browser.sign_in(hosted)
    assert "code" in told(browser.authorize(hosted, prompt="none"))


def test_prompt_none_tells_nobody_who_is_not_registered(browser, hosted):
    """An unregistered redirect_uri is no place for an error either."""
    answer = browser.authorize(hosted, prompt="none", redirect_uri="https://evil.example/")
    assert answer.status_code == 400
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"client_id": "nobody"}, 400),
        ({"redirect_uri": "https://evil.example/"}, 400),
        ({"response_type": "token"}, 400),
        ({"scope": "openid admin"}, "invalid_request"),
        ({"code_challenge": CHALLENGE, "code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": CHALLENGE}, "invalid_request"),
    ],
)
def test_the_cookie_helps_no_wrong_request(browser, hosted, wrong, expected):
    """Client, redirect_uri, response_type, scope and PKCE are checked before the cookie is looked at."""
    browser.sign_in(hosted)
    answer = browser.authorize(hosted, **wrong)
    if expected == 400:
        assert answer.status_code == 400
        assert "location" not in answer.headers
    else:
        assert told(answer)["error"] == expected


def test_the_cookie_lives_an_hour(stack, browser, hosted):
    """It counts for an hour from the sign-in by the stack's clock, and its use does not renew it."""
    browser.sign_in(hosted)
    stack.advance(3500)
    assert "code" in told(browser.authorize(hosted))
    stack.advance(101)
    assert is_sign_in_page(browser.authorize(hosted))


def test_the_cookie_is_of_one_pool(stack, browser, hosted):
    """Another client of the pool gets a code, a client of another pool does not, though a user has the same name."""
    browser.sign_in(hosted)
    urls = {"callback_urls": ["https://app.example/callback"], "logout_urls": ["https://app.example/signed-out"]}
    assert "code" in told(browser.authorize(stack.create_client(hosted, **urls)))
    stranger = stack.create_pool(**urls)
    stack.create_user(stranger, "alice", "Password1!")
    assert is_sign_in_page(browser.authorize(stranger))
    assert "set-cookie" not in browser.log_out(stranger).headers
    assert "code" in told(browser.authorize(hosted))


@pytest.mark.parametrize("act", ["disable_user", "delete_user"])
def test_the_cookie_of_a_user_who_is_gone_is_worth_nothing(stack, browser, hosted, act):
    """A disabled or deleted user's browser sees the page; a new user of the same name does not inherit the cookie."""
    browser.sign_in(hosted)
    getattr(stack, act)(hosted, "alice")
    assert is_sign_in_page(browser.authorize(hosted))
    if act == "delete_user":
        stack.create_user(hosted, "alice", "Password1!")
        assert is_sign_in_page(browser.authorize(hosted))


def test_a_global_sign_out_leaves_the_cookie(stack, browser, hosted):
    """AdminUserGlobalSignOut does not clear managed login's session, as AWS documents."""
    browser.sign_in(hosted)
    stack.sign_out_user(hosted, "alice")
    assert "code" in told(browser.authorize(hosted))


def test_logout_ends_the_cookie(stack, browser, hosted):
    """GET /logout redirects, deletes the cookie with the attributes it was set with, and forgets what it stood for."""
    browser.sign_in(hosted)
    kept = browser.cookie
    answer = browser.log_out(hosted)
    assert (answer.status_code, answer.headers["location"]) == (302, "https://app.example/signed-out")
    assert answer.headers["set-cookie"] == "cognito=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"
    assert browser.cookie is None
    browser.client.cookies.set("cognito", kept)
    assert is_sign_in_page(browser.authorize(hosted))


def test_logout_to_nowhere_registered_is_refused(stack, browser, hosted):
    """An unregistered logout_uri is a 400, also where none is registered, and the cookie lives on."""
    browser.sign_in(hosted)
    bare = stack.create_client(hosted, callback_urls=["https://app.example/callback"])
    for pool in (hosted, bare):
        answer = browser.log_out(pool, "https://evil.example/")
        assert answer.status_code == 400
        assert not {"location", "set-cookie"} & set(answer.headers)
    assert "code" in told(browser.authorize(hosted))


def test_a_new_sign_in_replaces_the_cookie(stack, browser, hosted):
    """Signing in again gives a new cookie, and the old one is forgotten."""
    browser.sign_in(hosted)
    old = browser.cookie
    stack.create_user(hosted, "bob", "Password1!")
    browser.sign_in(hosted, "bob")
    assert browser.cookie not in (None, old)
    tokens = browser.redeem(hosted, told(browser.authorize(hosted))["code"]).json()
    assert claims(tokens["access_token"])["username"] == "bob"
    browser.client.cookies.clear()
    browser.client.cookies.set("cognito", old)
    assert is_sign_in_page(browser.authorize(hosted))


def test_auth_time_is_the_sign_in(stack, browser, hosted):
    """A code that the cookie brought says when the password was shown; one after prompt=login says a new time."""
    first = claims(browser.redeem(hosted, told(browser.sign_in(hosted))["code"]).json()["id_token"])
    stack.advance(600)
    again = browser.redeem(hosted, told(browser.authorize(hosted))["code"]).json()
    assert claims(again["id_token"])["auth_time"] == claims(again["access_token"])["auth_time"] == first["auth_time"]
    assert claims(again["id_token"])["iat"] >= first["iat"] + 600
    again = claims(browser.redeem(hosted, told(browser.sign_in(hosted, prompt="login"))["code"]).json()["id_token"])
    assert again["auth_time"] >= first["auth_time"] + 600


def test_the_default_redirect_uri_is_used(stack, browser, hosted):
    """A request without redirect_uri ends at the client's DefaultRedirectURI, code and error alike."""
    who = {"UserPoolId": hosted.user_pool_id, "ClientId": hosted.client_id}
    stack.cognito("UpdateUserPoolClient", **who, DefaultRedirectURI="https://app.example/callback")
    assert told(browser.authorize(hosted, redirect_uri="", prompt="none"))["error"] == "login_required"
    browser.sign_in(hosted)
    assert "code" in told(browser.authorize(hosted, redirect_uri=""))


def test_the_pool_itself_may_be_named_as_provider(browser, hosted):
    """identity_provider=COGNITO is the pool's own sign-in; any other that is not there is refused."""
    assert is_sign_in_page(browser.authorize(hosted, identity_provider="COGNITO"))
    assert browser.authorize(hosted, identity_provider="Nobody").status_code == 400


def test_a_reset_forgets_the_browsers(stack, browser, hosted):
    """After a reset no cookie is known."""
    browser.sign_in(hosted)
    stack.reset()
    pool = stack.create_pool(callback_urls=["https://app.example/callback"])
    assert is_sign_in_page(browser.authorize(pool))


def test_id_tokens_of_the_code_grant_carry_at_hash(stack, browser, hosted):
    """at_hash is the left half of SHA-256 of the access token that came with it; tokens of the API have none."""
    tokens = browser.redeem(hosted, told(browser.sign_in(hosted))["code"]).json()
    half = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
    assert claims(tokens["id_token"])["at_hash"] == base64.urlsafe_b64encode(half).decode().rstrip("=")
    assert "at_hash" not in claims(tokens["access_token"])
    assert "at_hash" not in claims(stack.sign_in(hosted, "alice", "Password1!")["IdToken"])


def test_at_hash_follows_a_refresh(browser, hosted):
    """The id token of a refresh names the access token it came with, not the first one."""
    first = browser.redeem(hosted, told(browser.sign_in(hosted))["code"]).json()
    form = {"grant_type": "refresh_token", "client_id": hosted.client_id, "refresh_token": first["refresh_token"]}
    again = browser.client.post("/oauth2/token", data=form).json()
    half = hashlib.sha256(again["access_token"].encode()).digest()[:16]
    assert claims(again["id_token"])["at_hash"] == base64.urlsafe_b64encode(half).decode().rstrip("=")


def test_a_client_without_revocation_has_at_hash_too(stack, browser):
    """at_hash does not depend on origin_jti, which such a client's tokens lack."""
    pool = stack.create_pool(callback_urls=["https://app.example/callback"], token_revocation=False)
    stack.create_user(pool, "alice", "Password1!")
    identity = claims(browser.redeem(pool, told(browser.sign_in(pool))["code"]).json()["id_token"])
    assert "at_hash" in identity
    assert "origin_jti" not in identity


@pytest.mark.parametrize("path", ["oauth2/authorize", "login", "logout"])
@pytest.mark.parametrize("kind", ["throttle", "error500", "drop_before"])
def test_every_page_can_be_harmed(stack, browser, hosted, path, kind):
    """Faults apply to managed login's pages by their paths, and a failed logout keeps the cookie."""
    status = {"throttle": 429, "error500": 500}.get(kind)
    browser.sign_in(hosted)
    stack.fault(path, kind)
    ask = {"oauth2/authorize": browser.authorize, "login": browser.sign_in, "logout": browser.log_out}[path]
    if status is None:
        with pytest.raises(httpx.TransportError):
            ask(hosted)
    else:
        answer = ask(hosted)
        assert answer.status_code == status
        assert "set-cookie" not in answer.headers
    assert "code" in told(browser.authorize(hosted))
    assert [call.service for call in stack.calls() if call.operation == path][-1] == "oauth2"
