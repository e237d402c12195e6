"""Cookie headers in and Set-Cookie lines out, each against a plain reading of its RFC that shares no code with ours."""

from __future__ import annotations

import re
import string

from hypothesis import strategies as st

from cognito_session.core.cookie import MAX_CANDIDATES, MAX_EXAMINED, MAX_HEADER_CHARS, Cookie
from cognito_session.core.errors import ConfigurationError
from fuzz.harness import fuzz
from fuzz.shapes import TEXTS, one_in

NAMES = ("__Host-session", "token", "a.b", "x*y+z")
OUR_LETTERS = frozenset(string.ascii_letters + string.digits + "._~-")
TOKEN_LETTERS = frozenset(string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~")
BLANKS = st.sampled_from(["", "", " ", "  ", "\t", " \t ", "\u00a0", "\x0b"])
VALUES = st.one_of(
    st.text("abcXYZ019._~-", max_size=12),
    st.sampled_from(["good", "good", '"good"', "go od", "a,b", "a=b", "%41", "{}", "x" * 4096, "x" * 4097]),
    TEXTS,
)


@st.composite
def _pairs(draw: st.DrawFn, wanted: str) -> str:
    """One pair of a Cookie header, mostly one of the wanted name, or nearly so."""
    if draw(st.booleans()):
        return f"{wanted}={draw(VALUES)}"
    name = draw(st.one_of(st.sampled_from([wanted, wanted.swapcase(), f"{wanted} ", f"x{wanted}", f"{wanted}x", '"']), TEXTS))
    equals = draw(st.sampled_from(["=", "=", "==", "", " =", "\t="]))
    return draw(BLANKS) + name + equals + draw(BLANKS) + draw(VALUES) + draw(BLANKS)


@st.composite
def _headers(draw: st.DrawFn, wanted: str) -> str:
    """A Cookie header, sometimes with its pairs many times over, and sometimes one over the limit of 64 kB."""
    header = draw(st.sampled_from([";", ";", "; ", "; ", ",", ";;"])).join(draw(st.lists(_pairs(wanted), max_size=5)))
    match draw(st.integers(0, 19)):
        case 0:
            return (header + ";") * min(80, MAX_HEADER_CHARS // (len(header) + 1))
        case 1:
            return (header + ";").ljust(draw(st.sampled_from([MAX_HEADER_CHARS, MAX_HEADER_CHARS + 1])), "x")
    return header


@st.composite
def _requests(draw: st.DrawFn):
    """The wanted name, and a request's Cookie header, several of them, none, or what is no header at all."""
    name = draw(st.sampled_from(NAMES))
    one = one_in(5, st.one_of(st.none(), st.integers()), _headers(name))
    return name, draw(one_in(3, st.one_of(st.none(), st.lists(one, max_size=3)), _headers(name)))


def plainly_read(name, headers):
    """RFC 6265 5.4 and our limits, by hand: the values, and whether a value was there that we never make."""
    values, malformed = [], False
    for header in [headers] if isinstance(headers, str) else headers or []:
        if not isinstance(header, str) or name not in header:
            continue
        if len(header) > MAX_HEADER_CHARS:
            malformed = True
            continue
        pairs = [part.lstrip(" \t").split("=", 1) for part in header.split(";")]
        ours = [pair[1].strip(" \t") for pair in pairs if len(pair) == 2 and pair[0] == name]
        for value in ours[:MAX_EXAMINED]:
            if set(value) <= OUR_LETTERS and 0 < len(value) <= 4096:
                values += [value] if value not in values else []
            else:
                malformed = True
            if len(values) == MAX_CANDIDATES:
                return values, malformed
    return values, malformed


@fuzz(sees={"found", "several", "malformed", "absent"}, request=_requests())
def test_a_cookie_header_is_read_as_the_rfc_says(request):
    """No Cookie header raises anything, and the values found are those that a plain reading finds."""
    name, headers = request
    found = Cookie(name).candidates(headers)
    assert (list(found.values), found.malformed) == plainly_read(name, headers)
    if found.values:
        return "found" if len(found.values) == 1 else "several"
    return "malformed" if found.malformed else "absent"


def kept_by_a_browser(line):
    """What a browser keeps of a Set-Cookie value by RFC 6265bis 5.6: name, value, attributes; None where it keeps nothing."""
    if re.search(r"[\x00-\x08\x0a-\x1f\x7f]", line):
        return None
    pair, *rest = line.split(";")
    name, equals, value = pair.partition("=")
    if not equals:
        name, value = "", pair
    name, value = name.strip(" \t"), value.strip(" \t")
    if not name + value or len((name + value).encode("utf-8", "surrogatepass")) > 4096:
        return None
    attributes = {}
    for part in rest:
        attribute, _, given = part.partition("=")
        if len(given.strip(" \t").encode()) <= 1024:
            attributes[attribute.strip(" \t").lower()] = given.strip(" \t")
    if name.lower().startswith("__host-") and ("secure" not in attributes or attributes.get("path") != "/"):
        return None
    return name, value, attributes


@fuzz(
    sees={"kept", "name refused", "value refused"},
    name=one_in(3, st.one_of(st.sampled_from(["n" * 256, "n" * 257, "a=b", "a;b", "n\u00e9"]), TEXTS), st.sampled_from(NAMES)),
    value=st.one_of(VALUES, st.integers(4070, 4100).map("v".__mul__)),
    seconds=st.one_of(st.integers(-5, 5), st.integers(), st.just(400 * 86_400 + 1)),
)
def test_a_set_cookie_line_says_exactly_what_was_put_in(name, value, seconds):
    """Whatever name and value: refused, or a browser keeps exactly both, with our attributes and no other."""
    try:
        cookie = Cookie(name)
    except ConfigurationError:
        assert not (0 < len(name) <= 256 and set(name) <= TOKEN_LETTERS)
        return "name refused"
    deleted = {"max-age": "0", "path": "/", "httponly": "", "secure": "", "samesite": "Lax"}
    assert kept_by_a_browser(cookie.delete_line()) == (name, "", deleted)
    try:
        line = cookie.set_line(value, max_age_seconds=seconds)
    except ConfigurationError:
        assert not (value and set(value) <= OUR_LETTERS and len(name) + len(value) <= 4096)
        return "value refused"
    age = str(max(0, min(seconds, 400 * 86_400)))
    assert kept_by_a_browser(line) == (name, value, {**deleted, "max-age": age})
    return "kept"
