"""Cross-site requests: the whole table of what is refused, exemptions, trusted origins, tokens, and that each check matters."""

from __future__ import annotations

import asyncio
import inspect
import json
import textwrap
from itertools import product

import pytest

from cognito_session import ConfigurationError
from cognito_session.http import csrf as csrf_module
from cognito_session.http.csrf import Csrf, CsrfVerdict, origin_of
from cognito_session.http.request import Request, headers_of
from managed.scene import ring, sealed
from support.stack import cookie_of, done, make_app, shared_stack
from web.gateways import GATEWAYS, HOST, Call, RestApi

OURS = f"https://{HOST}"
SITES = ["same-origin", "same-site", "cross-site", "none", None]
ORIGINS = {
    "absent": None,
    "null": "null",
    "equal": OURS,
    "suffix": f"{OURS}.evil.test",
    "other port": f"{OURS}:8443",
    "other case": OURS.upper().replace("HTTPS", "https"),
}
SAFE = ["GET", "HEAD", "OPTIONS"]
UNSAFE = ["POST", "PUT", "PATCH", "DELETE"]

# Of the unsafe methods' 120 rows these pass, by name; every other is refused. Rows: Sec-Fetch-Site; columns: Origin.
#                   absent null equal suffix port case
PASSES = {
    "same-origin": [True] * 6,
    "same-site": [False] * 6,
    "cross-site": [False] * 6,
    "none": [True] * 6,
    None: [False, False, True, False, False, False],
}
TABLE = [
    (site, origin, method, True if method in SAFE else PASSES[site][list(ORIGINS).index(origin)])
    for site, origin, method in product(SITES, ORIGINS, [*SAFE, *UNSAFE])
]


def call(method="POST", *, site=None, origin=None, path="/", cookie=None, more=()):
    """A request as a browser with these headers sends it."""
    named = (("Sec-Fetch-Site", site), ("Origin", origin), *more)
    return Call(
        method=method,
        path=path,
        headers=tuple((name, value) for name, value in named if value is not None),
        cookies=(cookie,) if cookie else (),
    )


def request(method="POST", *, site=None, origin=None, path="/", host=HOST):
    """The same without any gateway."""
    named = (("host", host), ("sec-fetch-site", site), ("origin", origin))
    return Request(method, path, "", headers_of((name, value) for name, value in named if value is not None))


def test_the_table_is_whole():
    """210 rows, of which the safe methods' 90 and 52 others pass: the numbers are those of the rule, counted by hand."""
    assert len({row[:3] for row in TABLE}) == len(TABLE) == 210
    assert sum(passes for *_, method, passes in TABLE if method in SAFE) == 90
    assert sum(passes for *_, method, passes in TABLE if method in UNSAFE) == (6 + 6 + 1) * 4


@pytest.fixture(scope="module")
def protected(request):
    """A handler and the cookie of a live session, and whom the handler has served."""
    app = make_app(shared_stack(request.config), sort_key="sid")
    manager = app.manager()
    served = []

    def handler(event, context, me):
        served.append(me)
        return {"statusCode": 200, "body": me.sub}

    return manager.protect(handler), cookie_of(manager.establish(app.sign_in(app.user()))), served


@pytest.mark.parametrize(("site", "origin", "method", "passes"), TABLE)
def test_each_row_of_the_table(protected, site, origin, method, passes):
    """210 of 210, through the whole front door: 200 with the session, or 403 without the handler being called."""
    handler, cookie, served = protected
    rest = RestApi()
    served.clear()
    event = rest.event(call(method, site=site, origin=ORIGINS[origin], cookie=cookie))
    reply = rest.answer(handler(event, None))
    assert reply.status == (200 if passes else 403)
    assert len(served) == passes
    assert passes or json.loads(reply.body) == {"error": "forbidden", "reason": "cross_site"}
    assert (Csrf().verdict(request(method, site=site, origin=ORIGINS[origin])) is CsrfVerdict.PASSES) == passes


@pytest.mark.parametrize("value", ["SAME-ORIGIN", " same-origin", "same-origin, none", "same-origin, same-origin", "", "x"])
def test_a_value_that_no_browser_sends_is_refused(value):
    """Sec-Fetch-Site is compared to the letter: twice, or none of the four, is no pass, whatever Origin says."""
    assert Csrf().verdict(request(site=value, origin=OURS)) is CsrfVerdict.REFUSED


def test_an_event_without_a_method_is_checked():
    """What does not say its method may change something."""
    assert Csrf().verdict(request("")) is CsrfVerdict.SILENT
    assert Csrf().verdict(request("TRACE", site="cross-site")) is CsrfVerdict.REFUSED


# --- Origin, where Sec-Fetch-Site is not there

ODD_ORIGINS = [
    f"http://{HOST}",
    f"https://{HOST}/",
    f"https://{HOST}:443",
    f"https://x.{HOST}",
    f"https://x@{HOST}",
    f"https://{HOST}@evil.test",
    f"https://{HOST} ",
    f"https://{HOST}, https://{HOST}",
    f"https://{HOST}\t",
    HOST,
    "https://",
    "",
    "file://",
    "https://app.example.test\u2024evil.test",
]


@pytest.mark.parametrize("origin", ODD_ORIGINS)
def test_an_origin_is_compared_to_the_letter(origin):
    """Scheme, host and port: neither more nor less, in no other spelling."""
    assert Csrf().verdict(request(origin=origin)) is CsrfVerdict.REFUSED


@pytest.mark.parametrize(
    ("origin", "host", "passes"),
    [
        ("http://localhost:8000", "localhost:8000", True),
        ("http://127.0.0.1:8000", "127.0.0.1:8000", True),
        ("http://[::1]:8000", "[::1]:8000", True),
        ("http://app.localhost", "app.localhost", True),
        ("http://localhost:8000", "localhost:8001", False),
        ("http://localhost.evil.test", "localhost.evil.test", False),
        ("http://127.0.0.1.evil.test", "127.0.0.1.evil.test", False),
        ("https://app.example.test", "APP.example.test", True),
        ("https://app.example.test", None, False),
        ("https://a.test, https://b.test", "a.test, https://b.test", False),
    ],
)
def test_an_origin_against_the_host(origin, host, passes):
    """An https origin always, plain http on this machine only; without a Host nothing is ours."""
    assert (Csrf().verdict(request(origin=origin, host=host)) is CsrfVerdict.PASSES) == passes


def test_the_site_s_address_is_known_better_than_by_host(app):
    """With APP_BASE_URL, Host (which a proxy may have changed) decides nothing any more."""
    manager = app.manager(app_base_url="https://Public.Example.test:443/app")
    assert manager.engine.csrf.own_origin == "https://public.example.test"
    assert manager.engine.csrf.verdict(request(origin="https://public.example.test", host="inner")) is CsrfVerdict.PASSES
    assert manager.engine.csrf.verdict(request(origin=OURS)) is CsrfVerdict.REFUSED


@pytest.mark.parametrize(
    "address", ["app.example", "ftp://app.example", "https://", "https:///x", "//app.example", "https://ä.test"]
)
def test_an_address_that_is_none_is_refused_at_once(address):
    """A wrong setting is found when the manager is made, not by the first user's POST."""
    with pytest.raises(ConfigurationError, match=r"^APP_BASE_URL: expected an address"):
        origin_of(address)


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("http://localhost:8000/app", "http://localhost:8000"),
        ("http://localhost:80", "http://localhost"),
        ("http://localhost:443", "http://localhost:443"),
        ("https://app.example:443/", "https://app.example"),
        ("https://app.example:80", "https://app.example:80"),
    ],
)
def test_an_origin_has_no_port_that_is_its_scheme_s_own(address, origin):
    """Browsers leave it out of the Origin header, and it is compared as a text."""
    assert origin_of(address) == origin


# --- exemptions and trusted origins


@pytest.mark.parametrize(
    ("path", "passes"),
    [
        ("/webhooks/stripe", True),
        ("/webhooks/", True),
        ("/hook", True),
        ("/hook/", False),
        ("/hooks", False),
        ("/webhooks", False),
        ("/x/webhooks/a", False),
        ("/webhooks/../admin", False),
        ("/webhooks/%2e%2e/admin", False),
        ("/webhooks/..\\admin", False),
        ("/webhooks/a%2fb", False),
        ("/Webhooks/a", False),
        ("/webhooks/my%20report", True),
        ("/webhooks/M%c3%bcller", True),
        ("/s%C3%B8k/a", True),
        ("/webhooks/a%2525", False),
        ("/webhooks/a%5c..%5cadmin", False),
        ("/webhooks/%EF%BC%8E%EF%BC%8E/admin", False),  # wide dots
        ("/webhooks/%E2%80%A5/admin", False),  # a two dot leader
        ("/webhooks/a%EF%BC%8Fb", False),  # a wide slash
        ("/webhooks/%C0%AE%C0%AE/admin", False),  # overlong dots
        ("/webhooks/%2E/admin", False),
        ("/webhooks/a%3f", False),
        ("/webhooks/a%00", False),
        ("/webhooks/%", False),
    ],
)
@pytest.mark.parametrize("form", ["rest", "function-url", "alb", "alb-multi"])
def test_exempt_paths_and_no_others(app, path, passes, form):
    """An exact path, or everything below one; a path that a router may read as another one is not below it."""
    csrf = Csrf(exempt=["/webhooks/*", "/hook", "/søk/*"])
    handler = app.manager(csrf=csrf).protect(lambda *_: {"statusCode": 200}, optional=True)
    event = GATEWAYS[form].event(call(site="cross-site", path=path))
    assert handler(event, None)["statusCode"] == (200 if passes else 403)


@pytest.mark.parametrize(
    ("path", "passes"),
    [
        ("/webhooks/my%20report", True),
        ("/webhooks/M%C3%BCller", True),
        ("/s%C3%B8k/a", True),
        ("/webhooks/%2e%2e/admin", False),
        ("/webhooks/%252e%252e/admin", False),
        ("/webhooks/..%5cadmin", False),
        ("/webhooks/100%25", False),
    ],
)
@pytest.mark.parametrize("form", ["http-v1", "http-v2"])
def test_exempt_paths_that_the_gateway_has_decoded(app, path, passes, form):
    """HTTP APIs deliver the path decoded: the same exemptions hold, but for `%2F`, which the API itself has made a slash."""
    csrf = Csrf(exempt=["/webhooks/*", "/søk/*"])
    handler = app.manager(csrf=csrf).protect(lambda *_: {"statusCode": 200}, optional=True)
    event = GATEWAYS[form].event(call(site="cross-site", path=path))
    assert handler(event, None)["statusCode"] == (200 if passes else 403)


@pytest.mark.parametrize(
    ("site", "origin", "passes"),
    [
        ("same-site", "https://admin.example.test", True),
        ("cross-site", "https://admin.example.test", True),
        (None, "https://admin.example.test", True),
        ("same-site", "https://admin.example.test.evil.test", False),
        ("same-site", "http://admin.example.test", False),
        ("cross-site", None, False),
        (None, None, False),
    ],
)
def test_trusted_origins(site, origin, passes):
    """Pages of a trusted origin may send requests, exactly of that origin and only where Origin says so."""
    csrf = Csrf(trusted_origins=["https://admin.example.test"])
    assert (csrf.verdict(request(site=site, origin=origin)) is CsrfVerdict.PASSES) == passes


@pytest.mark.parametrize(
    "settings",
    [
        {"trusted_origins": "https://a.test"},
        {"exempt": "/webhooks"},
        {"trusted_origins": ["a.test"]},
        {"trusted_origins": ["https://a.test/"]},
        {"trusted_origins": ["https://A.test"]},
        {"trusted_origins": ["*"]},
        {"trusted_origins": ["null"]},
        {"own_origin": "https://a.test/app"},
        {"exempt": ["webhooks"]},
        {"exempt": ["/a/*/b"]},
        {"exempt": ["*"]},
    ],
)
def test_settings_that_would_open_more_than_they_say_are_refused(settings):
    """A text for a list, a wildcard, a path in an origin: told at once."""
    with pytest.raises(ConfigurationError, match="csrf"):
        Csrf(**settings)


# --- the session's token in a header


@pytest.fixture
def tokens(app):
    """A manager that takes tokens, two sessions of one user and one of another, with their cookies."""
    manager = sealed(app, csrf=Csrf(header_token=True))
    user = app.user()
    sessions = [manager.establish(app.sign_in(who)) for who in (user, user, app.user())]
    return manager, [(me, cookie_of(me)) for me in sessions]


def status_of(manager, **of):
    """What becomes of a POST that says no more than this."""
    handler = manager.protect(lambda *_: {"statusCode": 200})
    token = of.pop("token", None)
    event = RestApi().event(call(**of, more=(("X-CSRF-Token", token),)))
    return handler(event, None)["statusCode"]


def test_a_token_speaks_for_its_session_only(tokens):
    """It is another text each time and passes with its own session's cookie; with any other session's, or none, it does not."""
    manager, [(me, mine), (_, my_other), (_, theirs)] = tokens
    first, second = manager.csrf_token(me), manager.csrf_token(me)
    assert first != second
    assert [status_of(manager, cookie=mine, token=token) for token in (first, second)] == [200, 200]
    assert status_of(manager, cookie=my_other, token=first) == 403
    assert status_of(manager, cookie=theirs, token=first) == 403
    assert status_of(manager, token=first) == 403


@pytest.mark.parametrize("change", [lambda t: "", lambda t: "x", lambda t: t[:-2], lambda t: t + "A", lambda t: f"{t}, {t}"])
def test_a_wrong_token_is_refused(tokens, change):
    """Missing, cut, longer, twice: 403."""
    manager, [(me, mine), *_] = tokens
    assert status_of(manager, cookie=mine, token=change(manager.csrf_token(me))) == 403


def test_what_is_no_token_is_none(tokens, app):
    """The cookie's own value, a token of another manager's keys and one of another app are refused."""
    manager, [(me, mine), *_] = tokens
    other_keys = sealed(app, ring(1, of="other"), csrf=Csrf(header_token=True))
    assert status_of(manager, cookie=mine, token=mine.partition("=")[2]) == 403
    assert status_of(manager, cookie=mine, token=other_keys.csrf_token(me)) == 403


def test_a_token_does_not_outweigh_what_the_browser_says(tokens):
    """A browser that says "cross-site" or a foreign Origin is believed: the token speaks only where both are missing."""
    manager, [(me, mine), *_] = tokens
    token = manager.csrf_token(me)
    assert status_of(manager, cookie=mine, token=token, site="cross-site") == 403
    assert status_of(manager, cookie=mine, token=token, origin="https://evil.test") == 403
    assert status_of(manager, cookie=mine, token=token, origin="null") == 403


def test_tokens_count_only_where_they_are_asked_for(tokens, app):
    """Without header_token a good token changes nothing; with it, one refused request does not read the table twice."""
    manager, [(me, mine), *_] = tokens
    assert status_of(sealed(app), cookie=mine, token=manager.csrf_token(me)) == 403
    app.stack.clear_calls()
    assert status_of(manager, cookie=mine, token=manager.csrf_token(me)) == 200
    assert done(app.stack).count("GetItem") == 1


def test_a_token_outlives_a_refresh_and_not_the_session(tokens, app):
    """A page that has been open for long can still send; after sign-out it cannot."""
    manager, [(me, mine), *_] = tokens
    token = manager.csrf_token(me)
    app.expire()
    assert status_of(manager, cookie=mine, token=token) == 200
    manager.sign_out(mine)
    assert status_of(manager, cookie=mine, token=token) == 403


async def test_a_coroutine_s_token_is_checked_alike(tokens):
    """The asynchronous check knows right from wrong as well."""
    manager, [(me, mine), (_, my_other), _] = tokens

    async def coroutine(event, context, me):
        await asyncio.sleep(0)
        return {"statusCode": 200}

    handler, token = manager.protect(coroutine), manager.csrf_token(me)
    for cookie, status in ((mine, 200), (my_other, 403)):
        event = RestApi().event(call(cookie=cookie, more=(("X-CSRF-Token", token),)))
        assert (await handler.aio(event, None))["statusCode"] == status


def test_without_keys_there_is_no_token(app):
    """A token cookie's manager without SESSION_KEYS says what is missing."""
    manager = app.manager(csrf=Csrf(header_token=True))
    me = manager.establish(app.sign_in(app.user()))
    with pytest.raises(ConfigurationError, match="SESSION_KEYS"):
        manager.csrf_token(me)


# --- each check matters


class Open(Csrf):
    """A Csrf that lets everything pass."""

    def verdict(self, request):
        return CsrfVerdict.PASSES


def test_the_check_is_what_refuses(app):
    """With a Csrf that says yes to everything the same cross-site request reaches the handler: nothing else stops it."""
    event = RestApi().event(call(site="cross-site"))
    for csrf, status in ((Csrf(), 403), (Open(), 200)):
        handler = app.manager(csrf=csrf).protect(lambda *_: {"statusCode": 200}, optional=True)
        assert handler(event, None)["statusCode"] == status


MUTANTS = {
    "safe methods are checked as well": ("verdict", "request.is_safe or ", ""),
    "every method is safe": ("verdict", "request.is_safe or ", "True or "),
    "exemptions are forgotten": ("verdict", " or self._is_exempt(request.path)", ""),
    "Sec-Fetch-Site is not asked": ("verdict", "if site is not None:", "if False:"),
    "Sec-Fetch-Site passes whatever it says": ("verdict", 'site in ("same-origin", "none")', "site"),
    "same-site passes": ("verdict", '("same-origin", "none")', '("same-origin", "none", "same-site")'),
    "a person's own doing is refused": ("verdict", '("same-origin", "none")', '("same-origin",)'),
    "Origin is not asked": ("verdict", "if origin is not None:", "if False:"),
    "any Origin passes": ("verdict", "self._is_own(origin, request)", "True"),
    "trusted origins are forgotten": ("verdict", "origin in self.trusted_origins", "False"),
    "neither header passes": ("verdict", "CsrfVerdict.SILENT", "CsrfVerdict.PASSES"),
    "our origin and more": ("_is_own", 'origin == f"https://{host}"', 'origin.startswith(f"https://{host}")'),
    "plain http": ("_is_own", "_LOOPBACK.fullmatch(host) is not None", "True"),
    "what an origin may be": ("_is_own", "not _ORIGIN.fullmatch(origin)", "False"),
    "the named origin is not ours": ("_is_own", "origin == self.own_origin", "False"),
    "any origin instead of the named one": ("_is_own", "origin == self.own_origin", "True"),
    "dots in exempt paths": ("_is_exempt", '".." not in path', "True"),
    "escapes in exempt paths": ("_is_exempt", "not _OTHER_PATHS.search(path)", "True"),
    "other forms of dots in exempt paths": ("_is_exempt", "not _reads_otherwise(path)", "True"),
    "another spelling of the request's path": ("_is_exempt", "path = _spelled(path)", "pass"),
    "another spelling of the setting": ("_is_exempt", "map(_spelled, self.exempt)", "self.exempt"),
    "exempt by prefix, star or not": ("_is_exempt", 'known.endswith("*")', "True"),
}


def mutant(name, old, new):
    """Csrf with one part of one method's text replaced."""
    text = textwrap.dedent(inspect.getsource(getattr(Csrf, name)))
    assert text.count(old) == 1
    scope = {}
    exec(text.replace(old, new), vars(csrf_module), scope)
    return type("Mutant", (Csrf,), scope)


def verdicts(kind):
    """What a Csrf of this class says to the table and to what stands around it."""
    plain, named = kind(), kind(own_origin="https://named.test")
    open_to = kind(trusted_origins=["https://admin.test"], exempt=["/a/*", "/hook/b", "/søk/*"])
    said = [plain.verdict(request(method, site=site, origin=ORIGINS[origin])) for site, origin, method, _ in TABLE]
    said += [plain.verdict(request(origin=origin)) for origin in ODD_ORIGINS]
    said += [plain.verdict(request(origin="https://a.test, https://b.test", host="a.test, https://b.test"))]
    said += [named.verdict(request(origin=origin)) for origin in ("https://named.test", OURS)]
    said += [open_to.verdict(request(site=site, origin="https://admin.test")) for site in SITES]
    paths = (
        "/a/b",
        "/a/../b",
        "/a/%2e",
        "/a/%EF%BC%8E%EF%BC%8E/b",
        "/a/..\\b",
        "/a/\\b",
        "/a/%",
        "/hook/b",
        "/hook/",
        "/hook/c",
        "/hoo%6b/b",
        "/s%c3%b8k/a",
    )
    return said + [open_to.verdict(request(path=path)) for path in paths]


@pytest.mark.parametrize(("name", "old", "new"), MUTANTS.values(), ids=MUTANTS)
def test_each_check_matters(name, old, new):
    """With any one check taken out or loosened some request is judged otherwise: none of them is idle."""
    assert verdicts(mutant(name, old, new)) != verdicts(Csrf)


def handshake(*, site=None, origin=None, method="GET", path="/chat", **more):
    """The request that opens a WebSocket."""
    headers = {"host": (HOST,)}
    headers |= {} if site is None else {"sec-fetch-site": (site,)}
    headers |= {} if origin is None else {"origin": (origin,)}
    return Request(method, path, "", headers, **more)


@pytest.mark.parametrize(
    ("site", "origin", "opened"),
    [
        (None, None, True),
        (None, OURS, True),
        (None, "https://evil.test", False),
        (None, "null", False),
        ("same-origin", OURS, True),
        ("same-origin", None, True),
        ("same-origin", "https://evil.test", False),
        ("none", "https://evil.test", False),
        ("cross-site", OURS, False),
        ("cross-site", None, False),
        ("same-site", None, False),
    ],
)
def test_a_handshake_needs_both_headers_to_be_fine(site, origin, opened):
    """Where they are there: a GET that any page can send is judged as a request that changes something."""
    assert Csrf().admits_handshake(handshake(site=site, origin=origin)) is opened


def test_a_handshake_of_a_trusted_origin_is_admitted():
    """With the header that says so, and not by the site alone."""
    policy = Csrf(trusted_origins=["https://admin.example"])
    assert policy.admits_handshake(handshake(site="cross-site", origin="https://admin.example"))
    assert not policy.admits_handshake(handshake(site="cross-site"))


def test_a_refusal_says_what_to_do():
    """403 with its reason, and the setting that a proxy needs."""
    refusal = csrf_module.csrf_refusal()
    assert (refusal.status, refusal.reason) == (403, "cross_site")
    assert str(refusal).endswith(
        "neither Sec-Fetch-Site nor Origin said so. Behind a proxy that changes Host, set APP_BASE_URL"
    )


@pytest.mark.parametrize(
    ("ambiguous", "origin", "passes"),
    [(True, "https://evil.test", False), (True, OURS, True), (True, None, True), (False, "https://evil.test", True)],
)
def test_a_site_that_a_script_may_have_sent_is_held_against_the_origin(ambiguous, origin, passes):
    """Where header names could not be told apart, an Origin of another site outweighs Sec-Fetch-Site."""
    request = handshake(site="same-origin", origin=origin, method="POST", names_ambiguous=ambiguous)
    assert (Csrf().verdict(request) is CsrfVerdict.PASSES) is passes


def test_our_own_origin_is_the_setting_where_there_is_one():
    """The Host header is then no word in it."""
    policy = Csrf(own_origin="https://app.example")
    assert policy.verdict(handshake(origin="https://app.example", method="POST")) is CsrfVerdict.PASSES
    assert policy.verdict(handshake(origin=OURS, method="POST")) is CsrfVerdict.REFUSED
    assert Csrf().verdict(handshake(origin="https://app.example", method="POST")) is CsrfVerdict.REFUSED


@pytest.mark.parametrize("path", ["/hooks/u", "/hooks/%75", "/hooks/~", "/hooks/%7E", "/hooks/%7e"])
def test_an_escape_that_no_browser_writes_is_the_character(path):
    """An exempt path has one spelling, whichever a client sends."""
    policy = Csrf(exempt=["/hooks/u", "/hooks/~"])
    assert policy.verdict(handshake(path=path, origin="https://evil.test", method="POST")) is CsrfVerdict.PASSES
    assert policy.verdict(handshake(path=f"{path}x", origin="https://evil.test", method="POST")) is CsrfVerdict.REFUSED
