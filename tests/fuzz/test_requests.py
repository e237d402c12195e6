"""What is made of a request before anybody is looked up: may it change something, where may it be sent, what does it say."""

from __future__ import annotations

import json
import re
import string
from functools import lru_cache
from urllib.parse import unquote, urlsplit

from hypothesis import strategies as st

from cognito_session import SessionForbidden, SessionRequired, SessionUnavailable
from cognito_session.core.device_label import device_label
from cognito_session.core.errors import ConfigurationError
from cognito_session.http.csrf import Csrf, CsrfVerdict, origin_of
from cognito_session.http.error_response import refusal
from cognito_session.http.request import Request, headers_of
from cognito_session.http.url_escaping import MAX_RETURN_TO_CHARS, as_browsers_spell
from cognito_session.signin.return_to import safe_return_to
from cognito_session.web.request_session import RequestSession
from fuzz.harness import fuzz
from fuzz.kit import COOKIE, LOGIN, kit
from fuzz.shapes import TEXTS, damaged, one_in

# --- cross-site request forgery

TRUSTED = "https://admin.example"
ORIGINS = [
    *("https://app.example", TRUSTED, "https://app.example:443", "http://app.example", "https://app.example.evil.example"),
    *("https://evil.example", "null", "https://APP.example", "https://app.example/", "http://localhost:8000", "https://[::1]"),
]
SITES = one_in(6, TEXTS, st.sampled_from([None, None, "same-origin", "none", "same-site", "cross-site", "Same-Origin"]))
HOSTS = one_in(6, TEXTS, st.sampled_from(["app.example", "APP.example", "app.example:443", "localhost:8000", None]))
PATHS = one_in(
    3,
    damaged(st.just("/webhooks/stripe")),
    st.sampled_from(["/", "/webhooks/stripe", "/webhooks", "/webhooks/../account", "/webhooks/%2e%2e/account", "/account"]),
)


def asked(method, path, *headers):
    """A request with those headers that have a value."""
    return Request(method, path, "", headers_of((name, value) for name, value in headers if value is not None))


def hostname(host):
    """Of a Host header's value, without its port; None where Python's own reader has none."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:  # "[]"
        return None


def plain_verdict(csrf, request):
    """The rules of CSRF, written down once more, without patterns."""
    path, header = request.path, {name: ", ".join(values) for name, values in request.headers.items()}
    below = path.startswith("/webhooks/") and not any(mark in path for mark in ("..", "%", "\\"))
    if request.method in ("GET", "HEAD", "OPTIONS") or path == "/hook" or below:
        return CsrfVerdict.PASSES
    origin, site = header.get("origin"), header.get("sec-fetch-site")
    if site is None and origin is None:
        return CsrfVerdict.SILENT
    passes = origin == TRUSTED
    if site is not None:
        passes = passes or site in {"same-origin", "none"}
    elif csrf.own_origin is not None:
        passes = passes or origin == csrf.own_origin
    elif origin is not None and "host" in header:
        host = header["host"].lower()
        letters = set(string.ascii_lowercase + string.digits + "-.:[]")
        name = hostname(host) if set(host) <= letters else None
        passes = passes or (
            bool(name) and (origin == f"https://{host}" or (origin == f"http://{host}" and name == "localhost"))
        )
    return CsrfVerdict.PASSES if passes else CsrfVerdict.REFUSED


@fuzz(
    sees={"PASSES", "REFUSED"},
    rarely={"SILENT"},
    method=one_in(8, TEXTS, st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "get", "TRACE", "POST", "POST"])),
    path=PATHS,
    site=SITES,
    origin=one_in(4, damaged(st.sampled_from(ORIGINS)), st.sampled_from([None, *ORIGINS])),
    host=one_in(5, damaged(st.just("app.example")), HOSTS),
    own=st.sampled_from([None, None, "https://app.example"]),
)
def test_who_may_change_something(*, method, path, site, origin, host, own):
    """The verdict on any headers is the one that the rules, written down once more, come to."""
    csrf = Csrf([TRUSTED], ["/webhooks/*", "/hook"], header_token=True, own_origin=own)
    request = asked(method, path, ("sec-fetch-site", site), ("Origin", origin), ("HOST", host))
    found, expected = csrf.verdict(request), plain_verdict(csrf, request)
    assert found is expected
    return found.name


@lru_cache(maxsize=1)
def csrf_token() -> str:
    """One of the session's: each call to the manager makes another."""
    return kit().manager.csrf_token(kit().manager.resolve(f"{COOKIE}={kit().cookie}").session)


@st.composite
def _csrf_tokens(draw: st.DrawFn):
    """A token for X-CSRF-Token, and whether it is this session's own."""
    text = csrf_token()
    if draw(st.integers(1, 3)) == 1:
        return text, True
    return draw(one_in(3, TEXTS, damaged(st.just(text)).filter(lambda found: found.strip() != text))), False


@fuzz(
    sees={"passes", "refused"},
    rarely={"unavailable"},
    given=_csrf_tokens(),
    cookie=one_in(3, st.sampled_from(["", "x"]), st.just(None)),
)
def test_a_request_that_proves_itself_by_the_session_s_token(given, cookie):
    """Without Origin and Sec-Fetch-Site only the session's own token lets a change through, and only with its cookie."""
    token, own = given
    header = f"{COOKIE}={kit().cookie if cookie is None else cookie}"
    visit = RequestSession(kit().manager.engine, asked("POST", "/", ("cookie", header), ("x-csrf-token", token)))
    try:
        visit.check_csrf()
    except SessionForbidden:
        assert not own or cookie is not None
        return "refused"
    except SessionUnavailable:  # a key that this worker may not have received yet
        assert not own
        return "unavailable"
    assert own
    assert cookie is None
    return "passes"


@fuzz(
    sees={"an origin", "refused"},
    address=one_in(3, TEXTS, damaged(st.sampled_from([*ORIGINS, "https://app.example/x?y", "HTTPS://App.Example:443/"]))),
)
def test_the_origin_of_any_address(address):
    """An address has an origin that a browser could name, or is refused."""
    try:
        origin = origin_of(address)
    except ConfigurationError:
        return "refused"
    scheme, host, port = re.fullmatch(r"(https?)://([^/?#@:\s]+|\[[^\]/?#@\s]+\])(?::([0-9]+))?", origin).groups()
    assert origin == origin.lower()
    assert address.lower().startswith(f"{scheme}://{host}")
    assert port != {"http": "80", "https": "443"}[scheme]
    return "an origin"


# --- return_to

PIECES = [
    *("/", "//", "\\", "/\\", "%2f", "%2F", "%5c", "%252f", "%25", "%09", "\t", "\n", "\r", "%0d%0a", "%00", "\x7f", " ", "."),
    *(
        "evil.example",
        "https:",
        "http://",
        "javascript:",
        "@",
        ":",
        "?",
        "#",
        "orders",
        "a=b",
        "&",
        "..",
        "%E2%80%A8",
        "\u3002",
        "\uff0f",
    ),
]


def leaves(address: str) -> bool:
    """Whether a browser that reads this address on our page goes to another site (WHATWG URL, basic URL parser)."""
    stripped = address.strip("".join(map(chr, range(0x21))))
    plain = re.sub("[\t\n\r]", "", stripped).replace("\\", "/")
    return not plain.startswith("/") or plain.startswith("//")


@fuzz(
    sees={"kept", "replaced"},
    wanted=one_in(
        8,
        st.one_of(st.none(), st.integers(), TEXTS, *(st.just("/" + tail * MAX_RETURN_TO_CHARS) for tail in ("/", "a", "ø"))),
        st.lists(st.sampled_from(PIECES), max_size=6).map("".join).map(lambda rest: f"/{rest}"),
    ),
    bare=st.booleans(),
)
def test_return_to_stays_here(wanted, bare):
    """What is kept cannot leave the site for a browser, nor after being decoded as often as anybody likes."""
    if bare and isinstance(wanted, str):
        wanted = wanted.removeprefix("/")
    kept = safe_return_to(wanted, "/default")
    if kept == "/default":
        return "replaced"
    assert kept == as_browsers_spell(wanted)
    assert kept.isascii()
    assert not re.search(r"[\x00-\x20\x7f]", kept)
    decoded = kept
    for _ in range(12):
        assert not leaves(decoded)
        decoded = unquote(decoded, errors="replace")
    return "kept"


# --- refusals, parameters, labels

ERRORS = [SessionRequired(), SessionForbidden(), SessionUnavailable(retry_after=3), ConfigurationError("x")]
QUERIES = st.lists(
    st.sampled_from(["a=1", "a", "&", "a=%ff", "=", ";", "%61=2", "a=b=c", "code=x", "\ud800=\udfff", "+"]), max_size=8
)


@fuzz(
    sees={"303", "401", "403", "500", "503"},
    method=st.sampled_from(["GET", "HEAD", "POST", ""]),
    path=one_in(2, TEXTS, st.sampled_from(["/", "/orders/7", "//evil.example", "/\u00e4"])),
    query=QUERIES.map("&".join),
    headers=one_in(
        2,
        st.just([("sec-fetch-mode", "navigate")]),
        st.lists(
            st.tuples(
                st.sampled_from(["sec-fetch-mode", "accept", "x-requested-with"]),
                one_in(4, TEXTS, st.sampled_from(["navigate", "cors", "text/html,*/*", "XMLHttpRequest"])),
            ),
            max_size=3,
        ),
    ),
    error=one_in(2, st.sampled_from(ERRORS), st.just(SessionRequired())),
    login_path=one_in(3, st.none(), st.sampled_from([LOGIN, "/login?lang=de"])),
)
def test_any_request_can_be_refused(*, method, path, query, headers, error, login_path):
    """Whatever was asked for: the refusal is a redirect to our sign-in, a page or JSON, and repeats nothing of it elsewhere."""
    response = refusal(Request(method, path, query, headers_of(headers)), error, login_path=login_path)
    assert response.headers["Cache-Control"] == "no-store"
    assert all(value.isascii() and value.isprintable() for value in response.headers.values())
    if response.status == 303:
        where = response.headers["Location"]
        assert where.startswith(f"{login_path}{'&' if '?' in login_path else '?'}return_to=")
        assert not leaves(where)
        return "303"
    assert response.status == error.status
    assert (response.headers["Content-Type"] == "application/json") == response.body.startswith("{")
    return str(response.status)


@fuzz(sees={"some", "none"}, query=one_in(4, TEXTS, QUERIES.map("&".join)), name=st.sampled_from(["a", "code", "", "\ufffd"]))
def test_parameters_of_any_query(query, name):
    """A query of any text has texts as parameters."""
    found = Request("GET", "/", query, {}).parameters(name)
    assert all(type(value) is str for value in found)
    return "some" if found else "none"


@fuzz(
    sees={"a label", "none"},
    agent=one_in(3, st.one_of(st.none(), TEXTS), damaged(st.just("Mozilla/5.0 (X11; Linux) Gecko/2010 Firefox/140.0"))),
)
def test_the_label_of_any_device(agent):
    """A label is at most 60 characters that can be printed, and JSON."""
    label = device_label(agent)
    if label is None:
        return "none"
    assert 0 < len(label) <= 60
    assert label.isprintable()
    assert json.loads(json.dumps(label)) == label
    return "a label"
