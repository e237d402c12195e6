"""Managed login: whatever brings a browser back, it goes on on our own site, to Cognito's domain, or gets a page of ours.

The token endpoint's answers are read by the real reader, proper or not; the form is encoded as the transports do it.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

from hypothesis import strategies as st

from cognito_session import SessionManager
from cognito_session.aws.oauth import _read
from cognito_session.core.cookie import Cookie
from cognito_session.core.errors import ConfigurationError, ProviderUnavailable
from cognito_session.core.protocol.ports import GrantRefused
from cognito_session.drivers.sync import run
from cognito_session.http.request import Request, headers_of
from cognito_session.signin.transaction import TRANSACTION_SECONDS, Transaction, find_transaction, keep_transaction
from cognito_session.testing.cognito import Cognito
from fuzz.harness import fuzz
from fuzz.kit import COOKIE, ENVIRONMENT, kit
from fuzz.shapes import JSON, JSON_TEXTS, TEXTS, damaged, json_bytes, one_in, spelled
from fuzz.test_answers import answered
from fuzz.test_cookies import kept_by_a_browser, plainly_read
from fuzz.test_requests import leaves

DOMAIN = ENVIRONMENT["COGNITO_DOMAIN"]
FLOW = f"{COOKIE}-flow-"
OWN = ["/", "/orders/7?a=b#c", "/x%2fy"]


class Page:
    """The kit's managed login, whose token endpoint answers what an example wants: `answers` makes it of the proper answer."""

    domain = DOMAIN

    def __init__(self, page, answers) -> None:
        self._page = page
        self._answers = answers

    def exchange(self, grant):
        """As CognitoAuthorizationServer: the form is encoded, the answer's bytes are read."""
        urlencode({"code": grant.code, "code_verifier": grant.verifier, "redirect_uri": grant.redirect_uri})
        proper = self._page.exchange(grant)
        status, document = (400, {"error": proper.error}) if isinstance(proper, GrantRefused) else (200, proper)
        return _read(*self._answers(status, document))


class Site(NamedTuple):
    """An application, its one user, and the jar of a browser."""

    manager: SessionManager
    cognito: Cognito
    login: object
    authorize: object
    jar: dict


def site(answers=lambda status, document: (status, json.dumps(document).encode())) -> Site:
    """A new one: nobody has signed in, nothing is stored."""
    cognito = Cognito()
    manager = cognito.attach(SessionManager.from_env(environ=ENVIRONMENT))
    page = _page_of(cognito)
    manager.ports = manager.ports._replace(authorization_server=Page(page, answers))
    cognito.user("alice")
    return Site(manager, cognito, manager.managed_login(), page.authorize, {})


def _page_of(cognito):
    return cognito._attachments[0].authorization_server


def asked(method, path, query, jar, *headers) -> Request:
    """A request of the browser's."""
    sent = [("cookie", "; ".join(f"{name}={value}" for name, value in jar.items()))] if jar else []
    return Request(method, path, query, headers_of([("sec-fetch-mode", "navigate"), *headers, *sent]))


def keep(jar, response) -> None:
    """What a browser does with Set-Cookie; each line must be one of ours and whole."""
    for line in response.cookies:
        name, value, attributes = kept_by_a_browser(line)
        assert name == COOKIE or name.startswith((FLOW, f"{COOKIE}-challenge"))
        assert attributes.keys() == {"max-age", "path", "httponly", "secure", "samesite"}
        if attributes["max-age"] == "0":
            jar.pop(name, None)
        else:
            jar[name] = value


def check(response, *secrets) -> None:
    """A status that is known, a way that does not leave, and no secret in what is shown."""
    assert response.status in (200, 303, 400, 401, 403, 405, 500, 503)
    location = response.headers.get("Location")
    assert (location is not None) == (response.status == 303)
    if location is not None:
        assert location.startswith((f"{DOMAIN}/oauth2/authorize?", f"{DOMAIN}/signup?", f"{DOMAIN}/logout?")) or not leaves(
            location
        )
    assert all(value.isascii() and value.isprintable() for value in response.headers.values())
    assert not [secret for secret in secrets if len(secret) > 8 and secret in response.body]


@st.composite
def _queries(draw: st.DrawFn, proper: str, others: list[str]):
    """The callback's query, and whether it is as Cognito made it."""
    fields = dict(parse_qsl(proper))
    match draw(st.integers(0, 9)):
        case 0 | 1 | 2 | 3:
            return proper, True
        case 4:
            return urlencode({**fields, "state": draw(st.sampled_from([*others, "0" * 32, "r" + "0" * 32]))}), False
        case 5:
            codes = one_in(2, TEXTS, st.sampled_from(["c" * 2048, "c" * 2049, "c" * 50, "\ud800code", "a b"]))
            return urlencode({**fields, "code": draw(codes)}, errors="surrogatepass"), False
        case 6:
            errors = st.sampled_from(["access_denied", "login_required", "server_error", "<script>", ""])
            return urlencode({"error": draw(errors), "state": fields["state"], "error_description": "<b>x</b>"}), False
        case 7:
            return f"{proper}&{draw(st.sampled_from(['code=x', 'state=x', 'error=x', proper]))}", False
        case 8:
            return draw(
                st.sampled_from([f"code=\ud800\udfff&state={fields['state']}", f"code=%00%ff&state={fields['state']}"])
            ), False
    return draw(one_in(3, TEXTS, damaged(st.just(proper)))), False


ANSWERS = {
    "access_token": JSON,
    "id_token": one_in(2, JSON, st.just("eyJhbGciOiJub25lIn0.e30.")),
    "refresh_token": one_in(2, JSON, TEXTS),
}


@st.composite
def _endpoints(draw: st.DrawFn):
    """What the token endpoint makes of its proper answer, and whether it stays proper."""
    match draw(st.integers(0, 7)):
        case 0:
            status, body = draw(st.sampled_from([200, 400, 401, 500, 302])), draw(json_bytes(JSON_TEXTS))
            return lambda _status, _document: (status, body), False
        case 1:
            name = draw(st.sampled_from(sorted(ANSWERS)))
            value = draw(ANSWERS[name])
            return lambda status, document: (status, spelled({**document, name: value}).encode()), False
        case 2:
            name = draw(st.sampled_from(sorted(ANSWERS)))
            return lambda status, document: (status, spelled({k: v for k, v in document.items() if k != name}).encode()), False
        case 3:
            error = draw(st.one_of(st.sampled_from(["invalid_grant", "invalid_client", "x"]), JSON))
            return lambda _status, _document: (400, spelled({"error": error}).encode()), False
    return lambda status, document: (status, json.dumps(document).encode()), True


@fuzz(
    sees={"signed in", "began anew", "page 400", "page 405"},
    rarely={"went on", "page 403", "page 500", "page 503"},
    data=st.data(),
    begun=st.lists(st.sampled_from(OWN), min_size=1, max_size=3),
    endpoint=_endpoints(),
    later=one_in(4, st.sampled_from([TRANSACTION_SECONDS - 1, TRANSACTION_SECONDS, 100_000]), st.just(5)),
    method=one_in(12, st.sampled_from(["POST", "HEAD", ""]), st.just("GET")),
    agent=one_in(4, TEXTS, st.just("Firefox/140.0 (X11; Linux)")),
)
def test_whatever_comes_back_from_managed_login(*, data, begun, endpoint, later, method, agent):
    """The callback answers with a redirect that stays or a page; a session begins exactly where all was as Cognito made it."""
    answers, proper_endpoint = endpoint
    here = site(answers)
    addresses = []
    for return_to in begun:
        response = here.login.start(asked("GET", "/login", urlencode({"return_to": return_to}), here.jar))
        keep(here.jar, response)
        addresses.append(response.headers["Location"])
    back = [urlsplit(here.authorize(address, "alice")).query for address in addresses]
    states = [dict(parse_qsl(query))["state"] for query in back]
    query, proper_query = data.draw(_queries(back[0], states[1:]), "query")
    jar, proper_cookie = data.draw(_jars(here.jar, f"{FLOW}{states[0]}"), "jar")
    here.cognito.advance(later)
    answer = here.login.callback(asked(method, "/auth/callback", query, jar, ("user-agent", agent)))
    check(answer, *states, *dict(parse_qsl(back[0])).values())
    keep(jar, answer)
    signed_in = any(line.startswith(f"{COOKIE}=v") for line in answer.cookies)
    proper = proper_query and proper_cookie and proper_endpoint and method == "GET"
    assert signed_in or not (proper and later < 300)
    if signed_in:
        assert proper_cookie
        assert method == "GET"
        assert later < TRANSACTION_SECONDS
        assert answer.headers["Location"] == begun[0]
        return "signed in"
    if answer.status == 303:
        return "began anew" if answer.headers["Location"].startswith(DOMAIN) else "went on"
    return f"page {answer.status}"


@st.composite
def _jars(draw: st.DrawFn, jar: dict, name: str):
    """The browser's cookies at the callback, and whether the flow's own is there as it was."""
    match draw(st.integers(0, 9)):
        case 0:
            return {n: v for n, v in jar.items() if n != name}, False
        case 1:
            value = draw(damaged(st.just(jar[name])))
            return {**jar, name: value}, jar[name] in plainly_read(name, f"{name}={value}")[0]
        case 2:
            return {**jar, name: draw(st.sampled_from([v for n, v in jar.items() if n != name] or ["x"]))}, False
        case 3:
            return {**jar, draw(TEXTS).replace(";", ""): draw(TEXTS).replace(";", "")}, True
    return dict(jar), True


@fuzz(
    sees={"at Cognito", "page 500"},
    wanted=one_in(3, TEXTS, damaged(st.sampled_from(OWN))),
    more=st.fixed_dictionaries(
        {},
        optional={
            "identity_provider": one_in(2, TEXTS, st.just("Google")),
            "prompt": one_in(2, TEXTS, st.sampled_from(["login", "none", "login consent"])),
            "language": one_in(2, TEXTS, st.just("de")),
            "login_hint": TEXTS,
            "sign_up": st.booleans(),
        },
    ),
)
def test_a_sign_in_begins_at_cognito_s_domain_whatever_is_passed_through(wanted, more):
    """The address is managed login's with exactly what was passed through, or the setting is refused by name."""
    manager = kit().manager
    query = urlencode({"return_to": wanted}, errors="surrogatepass")
    response = manager.managed_login().start(asked("GET", "/login", query, {}), **more)
    check(response)
    if response.status == 500:
        return "page 500"
    address = urlsplit(response.headers["Location"])
    fields = dict(parse_qsl(address.query, strict_parsing=True))
    assert f"{address.scheme}://{address.netloc}" == DOMAIN
    assert address.path == ("/signup" if more.get("sign_up") else "/oauth2/authorize")
    for ours, theirs in (("identity_provider", "identity_provider"), ("language", "lang"), ("login_hint", "login_hint")):
        assert fields.get(theirs) == more.get(ours)
    keep({}, response)
    return "at Cognito"


@lru_cache(maxsize=1)
def sealed_flows() -> dict[str, tuple[str, Transaction]]:
    """Cookies of flows by name: six that go on and two that are over."""
    manager = kit().manager
    found = {}
    for number in range(8):
        transaction = Transaction.begun(manager.context, "/")
        transaction = transaction._replace(began_at=transaction.began_at - (number if number < 6 else 10_000))
        line = run(keep_transaction(manager.context, transaction, ()), manager.ports)[0]
        found[line.partition("=")[0]] = line.partition("=")[2].partition(";")[0], transaction
    return found


@st.composite
def _flow_headers(draw: st.DrawFn):
    pairs = [f"{name}={value}" for name, (value, _) in sealed_flows().items()]
    names = one_in(3, TEXTS, damaged(st.sampled_from(sorted(sealed_flows()))))
    strange = st.builds(lambda name, value: f"{name}={value}", names, one_in(2, TEXTS, st.just("v1.2.x")))
    many = draw(st.lists(one_in(4, strange, st.sampled_from(pairs)), max_size=9))
    return draw(st.sampled_from(["; ", ";", " ;\t"])).join(many) * draw(st.sampled_from([1, 1, 1, 40]))


def _age(name: str) -> int:
    return -sealed_flows()[name][1].began_at


@fuzz(sees={"none", "some", "five", "surplus"}, headers=st.lists(_flow_headers(), max_size=2))
def test_the_flows_of_a_browser_are_five_at_most(headers):
    """Whatever cookies come along: a new flow is kept, of the others the newest four that go on, and the rest is deleted."""
    manager, now = kit().manager, int(kit().cognito.clock.now())
    fresh = Transaction.begun(manager.context, "/")
    lines = run(keep_transaction(manager.context, fresh, headers), manager.ports)
    parts = [part.strip(" \t").partition("=")[0] for header in headers for part in header.split(";")]
    named = {name for name in parts if name in sealed_flows()}
    whole = {name for name in named if sealed_flows()[name][0] in Cookie(name).candidates(headers).values}
    ages = {name: attributes["max-age"] for name, _, attributes in map(kept_by_a_browser, lines)}
    gone = {name for name, age in ages.items() if age == "0"}
    assert ages.keys() - gone == {f"{FLOW}{fresh.state}"}
    alive = sorted((name for name in whole if not sealed_flows()[name][1].is_over(now)), key=_age)
    if len(parts) < 20 and max(map(len, headers), default=0) <= 65_536:  # beyond that not all are looked at
        assert gone & named == (named - set(alive)) | set(alive[4:])
        for name in whole:
            found = run(find_transaction(manager.context, name.removeprefix(FLOW), headers), manager.ports)
            assert found == sealed_flows()[name][1]
    left = len(named - gone) + 1
    if len(alive) > 4:
        return "surplus"
    return {1: "none", 5: "five"}.get(left, "some")


@fuzz(
    sees={"redeemed", "refused", "misconfigured", "unknown"},
    answer=answered({"access_token": "x", "id_token": "y"}, {"error": "invalid_grant"}, {"error": "invalid_client"}),
)
def test_any_answer_of_the_token_endpoint(answer):
    """Any bytes are tokens, a refusal of the code, the operator's to mend, or an outage."""
    status, body = answer
    try:
        found = _read(status, body)
    except ConfigurationError:
        return "misconfigured"
    except ProviderUnavailable:
        return "unknown"
    if isinstance(found, GrantRefused):
        assert status != 200
        return "refused"
    assert status == 200
    assert type(found["access_token"]) is str
    return "redeemed"
