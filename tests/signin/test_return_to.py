"""return_to cannot leave the site, however it is written."""

from __future__ import annotations

import string
from urllib.parse import quote, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cognito_session.core.errors import ConfigurationError
from cognito_session.http.request import Request
from cognito_session.signin.return_to import own_path, safe_return_to, wanted_return_to
from support.case_id import case_id

OWN = [
    "/",
    "/orders",
    "/orders?page=2&sort=a-z",
    "/a/b/c#part",
    "/search?q=100%25",
    "/next?to=https%3A%2F%2Fother.example",
    "/~x/:y",
]

EVIL = [
    "",
    "orders",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\evil.example",
    "/\\/evil.example",
    "\\\\evil.example",
    "https:evil.example",
    "https://evil.example",
    "HTTPS://evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "/\tevil",
    "/\t/evil.example",
    "/\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    "/ok\r\nSet-Cookie: x=y",
    "/ok\x00",
    "/ok\x7f",
    "/\x0b/evil.example",
    "/%2Fevil.example",
    "/%2fevil.example",
    "/%5Cevil.example",
    "/%255Cevil.example",
    "/%252Fevil.example",
    "/%25252Fevil.example",
    "/%09/evil.example",
    "/%2509/evil.example",
    "%2F%2Fevil.example",
    "/%0d%0aLocation:x",
    "/ok%00",
    "/%" + "25" * 8 + "2Fevil.example",
    "/%" + "zz" + "%00",
    "/\uff0fevil.example",
    "/\uff052fevil.example",
    "/\ufe6a5cevil.example",
    "/%EF%BC%852fevil.example",
    "/\uff3cevil.example",
    "/%EF%BC%8Fevil.example",
    "/" + "a" * 2048,
    "/" + "ö" * 342,
    "//[::1",
]


@pytest.mark.parametrize("path", OWN)
def test_a_path_of_our_own_stays(path):
    """Paths, queries and fragments of this site come back letter by letter."""
    assert safe_return_to(path, "/default") == path


SPELLED = {
    "/søk": "/s%C3%B8k",
    "/files/my report.pdf": "/files/my%20report.pdf",
    '/s\u00f8k?q=ä b\'"<>&r=%C3%A4#på "x"': "/s%C3%B8k?q=%C3%A4%20b%27%22%3C%3E&r=%C3%A4#p%C3%A5%20%22x%22",
    "/a?b=c?d#e#f?g": "/a?b=c?d#e#f?g",
    "/{id}^`x": "/%7Bid%7D%5E%60x",
    "/a[1]|b~c!$&'()*+,;=:@": "/a[1]|b~c!$&'()*+,;=:@",
    "/100%": "/100%",
    "/\ud800x": "/%3Fx",
    "/\U0001f600": "/%F0%9F%98%80",
    "/" + "a" * 2047: "/" + "a" * 2047,
    "/" + "ö" * 341: "/" + "%C3%B6" * 341,
}


@pytest.mark.parametrize("path", SPELLED, ids=case_id)
def test_a_path_is_spelled_as_a_browser_sends_it(path):
    """Spaces, quotes and non-ASCII characters become escapes (WHATWG URL), escapes stay; at most 2,048 characters of that."""
    assert safe_return_to(path, "/default") == SPELLED[path]
    assert safe_return_to(SPELLED[path], "/default") == SPELLED[path]


ORIGIN = "https://app.example"
NEXT = {
    "next=/orders": "/orders",
    "return_to=/a&next=/b": "/a",
    "return_to=//evil.example&next=/b": "/default",
    "next=/a&next=/b": "/default",
    "next=https://app.example/orders?x=1": "/orders?x=1",
    "next=http://app.example/orders": "/orders",
    "next=https://app.example//evil.example": "/default",
    "next=https://app.example/%5Cevil.example": "/default",
    "next=https://app.example": "/default",
    "next=https://app.example.evil/": "/default",
    "next=https://app.example@evil.example/": "/default",
    "next=https://app.example:8443/": "/default",
    "next=//evil.example": "/default",
    "next=javascript:alert(1)": "/default",
    "next=": "/default",
    "to=/orders": "/default",
}


@pytest.mark.parametrize("query", NEXT)
def test_next_is_followed_under_the_same_rules(query):
    """Django's, Flask-Login's and Starlette's name of the parameter; a whole address counts only as this site's own."""
    assert safe_return_to(wanted_return_to(Request("GET", "/login", query, {}), ORIGIN), "/default") == NEXT[query]


@pytest.mark.parametrize("path", EVIL, ids=case_id)
def test_anything_else_becomes_the_default(path):
    """Not repaired but replaced: what a browser could read as another site, control characters, and their encodings."""
    assert safe_return_to(path, "/default") == "/default"


@pytest.mark.parametrize("value", [None, 5, b"/", ["/"]])
def test_what_is_no_text_becomes_the_default(value):
    """A missing or strange value is no reason to fail."""
    assert safe_return_to(value, "/default") == "/default"


def test_the_default_is_the_start_page():
    """Without a default of its own a refused path leads to "/"."""
    assert safe_return_to("//evil.example") == "/"


def test_an_escape_that_is_no_utf_8_stays_as_it_is():
    """The application may read it in another encoding; it leads nowhere else."""
    assert safe_return_to("/%ff", "/default") == "/%ff"


@pytest.mark.parametrize("path", ["", "/a b", "/é", "//evil.example", "orders", "/" + "a" * 2048], ids=case_id)
def test_a_path_of_a_setting_is_refused_as_it_stands(path):
    """A setting is not spelled again as a browser would: a blank or another alphabet in it is a mistake."""
    with pytest.raises(ConfigurationError, match=r"^login_path: expected a path of your site"):
        own_path(path, "login_path")


def as_browsers_do(path: str) -> str:
    """WHATWG URL: tabs and line ends are dropped, backslashes are slashes, blanks at the ends go."""
    kept = "".join(character for character in path.strip(" \x00\t\r\n") if character not in "\t\r\n")
    return kept.replace("\\", "/")


HOSTILE = st.text(alphabet="/\\%25Ff0aAdDtT9c:.@?#evil \t\r\n" + string.ascii_letters[:3], max_size=24)


@given(HOSTILE | st.text(max_size=40), st.integers(0, 3))
def test_whatever_is_let_through_leads_to_our_own_site(text, encodings):
    """Resolved as a browser resolves it, also after a proxy has decoded it once or more, the host is still ours."""
    for _ in range(encodings):
        text = quote(text, safe="/")
    path = safe_return_to(text, "/default")
    assert path.isascii()
    assert len(path) <= 2048
    for candidate in (path, *(_decoded(path, times) for times in (1, 2, 3))):
        assert urlsplit(urljoin("https://app.example/x", as_browsers_do(candidate))).netloc == "app.example"


def _decoded(text: str, times: int) -> str:
    from urllib.parse import unquote

    for _ in range(times):
        text = unquote(text)
    return text
