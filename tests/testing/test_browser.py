"""The kit's browser: cookies as browsers keep them, from answers as gateways deliver them."""

from __future__ import annotations

import pytest

from cognito_session.http.response import Response
from cognito_session.testing.browser import Browser
from cognito_session.testing.cookie_jar import CookieJar
from cognito_session.testing.set_cookie_lines import set_cookie_lines

A, B = "a=1; Path=/", "b=2; Path=/"


@pytest.fixture
def jar(clock):
    """An empty jar."""
    return CookieJar(clock)


def test_a_cookie_is_kept_and_replaced(jar):
    """One value a name and path; the last one counts."""
    for line in ("a=1", "b=x=y; Path=/; HttpOnly", "a=2; Secure"):
        jar.keep(line)
    assert jar.header() == "b=x=y; a=2"


@pytest.mark.parametrize("line", ["a=; Max-Age=0", "a=; Max-Age=-1; Path=/", "a=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT"])
def test_a_cookie_is_deleted(jar, line):
    """By an age or an instant that has passed."""
    jar.keep("a=1; Path=/")
    jar.keep(line)
    assert jar.header() == ""


def test_a_cookie_runs_out(jar, clock):
    """By the test's clock; Max-Age wins over Expires, and what cannot be read lasts as long as the browser."""
    jar.keep("a=1; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT")
    jar.keep("b=1; Max-Age=soon")
    jar.keep("c=1; Expires=Tue, 14 Nov 2023 22:14:20 GMT")
    clock.advance(59)
    assert jar.header() == "a=1; b=1; c=1"
    clock.advance(1)
    assert jar.header() == "b=1"


def test_paths(jar):
    """A cookie is sent only below its path, the longest path first."""
    for line in ("a=1; Path=/", "a=2; Path=/auth", "b=3; Path=/auth/"):
        jar.keep(line)
    assert jar.header("/auth/callback") == "b=3; a=2; a=1"
    assert jar.header("/authors") == "a=1"
    assert jar.header("/", without=["a"]) == ""


@pytest.mark.parametrize(
    "line",
    [
        "__Host-a=1; Path=/",
        "__Host-a=1; Secure",
        "__Host-a=1; Secure; Path=/x",
        "__Host-a=1; Secure; Path=/; Domain=app.example",
        "__host-a=1; Path=/",
        "__Secure-a=1; Path=/",
        "a=1; SameSite=None",
        f"a={'x' * 4096}",
        "=1",
    ],
)
def test_browsers_drop_what_breaks_its_promise(jar, line):
    """Without a word, as they do: prefixes, SameSite=None without Secure, and more than 4096 bytes."""
    jar.keep(line)
    assert jar.header() == ""


@pytest.mark.parametrize("line", ["__Host-a=1; Secure; Path=/", "__Secure-a=1; Secure; Path=/x", "a=1; SameSite=None; Secure"])
def test_and_keep_what_holds_it(jar, line):
    """The same cookies as they should be."""
    jar.keep(line)
    assert len(jar.contents()) == 1


ANSWERS = {
    "cookies": {"statusCode": 200, "cookies": [A, B]},
    "headers": {"statusCode": 200, "headers": {"Set-Cookie": A}},
    "two spellings": {"statusCode": 200, "headers": {"Set-Cookie": A, "set-cookie": B}},
    "multi": {"statusCode": 200, "multiValueHeaders": {"Set-Cookie": [A, B]}},
    "both": {"statusCode": 200, "headers": {"set-cookie": A}, "multiValueHeaders": {"Set-Cookie": [B]}},
    "bare": {"hello": "world", "cookies": [A]},
}
DELIVERED = {
    "http-v2": {"cookies": [A, B], "headers": [A], "two spellings": [A, B], "multi": [], "both": [A], "bare": []},
    "rest": {"cookies": [], "headers": [A], "two spellings": [A, B], "multi": [A, B], "both": [B], "bare": []},
    "alb": {"cookies": [], "headers": [A], "two spellings": [A, B], "multi": [], "both": [A], "bare": []},
    "alb-multi": {"cookies": [], "headers": [], "two spellings": [], "multi": [A, B], "both": [B], "bare": []},
}
DELIVERED["function-url"], DELIVERED["http-v1"] = DELIVERED["http-v2"], DELIVERED["rest"]


@pytest.mark.parametrize("form", DELIVERED)
@pytest.mark.parametrize("name", ANSWERS)
def test_a_gateway_delivers_its_own_forms_cookies(form, name):
    """A cookie in another form's place does not arrive, so that the test misses it before production does."""
    assert set_cookie_lines(ANSWERS[name], form) == DELIVERED[form][name]


def test_authorizers_and_handshakes_set_no_cookie():
    """Whatever they answer."""
    for form in ("authorizer-rest", "authorizer-http", "websocket-connect", "websocket-message"):
        assert set_cookie_lines(ANSWERS["headers"], form) == []


def test_other_answers():
    """A Response of ours, and texts as they are; nothing else is taken for an answer."""
    assert set_cookie_lines(Response(200, {}, "", (A, B))) == [A, B]
    assert set_cookie_lines((A,)) == [A]
    assert set_cookie_lines(ANSWERS["both"]) == [A, B]
    for wrong in (None, "a=1", 7):
        with pytest.raises(TypeError, match="keep"):
            set_cookie_lines(wrong)


def test_a_browser_remembers_its_last_form(clock):
    """keep() knows by itself whose answer it is given; `form` says otherwise."""
    browser = Browser(clock)
    browser.last_form = "alb"
    browser.keep(ANSWERS["multi"])
    assert browser.cookie_header == ""
    browser.keep(ANSWERS["multi"], form="rest")
    assert browser.cookie_header == "a=1; b=2"
