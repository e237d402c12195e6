"""return_to cannot leave the site, however it is written."""

from __future__ import annotations

import string
from urllib.parse import quote, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cognito_session.signin.return_to import safe_return_to

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
    "/ö",
    "/a b",
    "/" + "a" * 512,
    "//[::1",
]


@pytest.mark.parametrize("path", OWN)
def test_a_path_of_our_own_stays(path):
    """Paths, queries and fragments of this site come back letter by letter."""
    assert safe_return_to(path, "/default") == path


@pytest.mark.parametrize("path", EVIL, ids=ascii)
def test_anything_else_becomes_the_default(path):
    """Not repaired but replaced: what a browser could read as another site, control characters, and their encodings."""
    assert safe_return_to(path, "/default") == "/default"


@pytest.mark.parametrize("value", [None, 5, b"/", ["/"]])
def test_what_is_no_text_becomes_the_default(value):
    """A missing or strange value is no reason to fail."""
    assert safe_return_to(value, "/default") == "/default"


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
    for candidate in (path, *(_decoded(path, times) for times in (1, 2, 3))):
        assert urlsplit(urljoin("https://app.example/x", as_browsers_do(candidate))).netloc == "app.example"


def _decoded(text: str, times: int) -> str:
    from urllib.parse import unquote

    for _ in range(times):
        text = unquote(text)
    return text
