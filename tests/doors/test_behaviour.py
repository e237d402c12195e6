"""One suite through every front door: the same outcomes, cookies and headers, whatever the request came through."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from doors.visitor import NAME, PAGE, SCRIPT, attributes, body_of, caching, session_lines
from support.stack import done

OURS = ["httponly", "path=/", "samesite=lax", "secure"]
NOBODYS = (["no-store"], ["Cookie"])
"""The caching headers of an answer that depends on the cookie."""
REFRESH = "GetTokensFromRefreshToken"


# --- who is there


def test_somebody_is_served(visitor):
    """One read, no write, no cookie; nobody else may be given the answer."""
    answer = visitor.sign_in().ask("/me")
    assert answer.status == 200
    assert body_of(answer) == {"username": visitor.user.username}
    assert answer.cookies == []
    assert caching(answer) == NOBODYS
    assert done(visitor.app.stack) == ["GetItem"]


def test_a_public_page_asks_for_nobody(visitor):
    """No read, and the application's own word on caching stays alone."""
    answer = visitor.sign_in().ask("/public")
    assert answer.status == 200
    assert caching(answer) == (["public, max-age=60"], [])
    assert done(visitor.app.stack) == []


def test_an_optional_session(visitor):
    """Nobody is served as nobody, somebody as somebody; both answers depend on the cookie."""
    answer = visitor.ask("/maybe")
    assert (answer.status, body_of(answer), caching(answer)) == (200, {"username": None}, NOBODYS)
    answer = visitor.sign_in().ask("/maybe")
    assert (answer.status, body_of(answer), caching(answer)) == (200, {"username": visitor.user.username}, NOBODYS)


def test_a_script_without_a_session(visitor):
    """401 in JSON with the reason."""
    answer = visitor.ask("/me")
    assert answer.status == 401
    assert body_of(answer) == {"error": "unauthorized", "reason": "no_cookie"}
    assert caching(answer) == NOBODYS
    assert answer.values("content-type") == ["application/json"]


def test_a_person_without_a_session_is_sent_to_sign_in(visitor):
    """303 with the way back, path and query."""
    answer = visitor.ask("/me", headers=PAGE, query="page=2&sort=a-b")
    assert answer.status == 303
    assert answer.values("location") == ["/login?return_to=/me%3Fpage%3D2%26sort%3Da-b"]
    assert caching(answer) == NOBODYS


def test_a_posted_page_is_not_redirected(visitor):
    """What was posted would be lost: a 401 page."""
    answer = visitor.ask("/change", "POST", headers=PAGE)
    assert answer.status == 401
    assert answer.values("content-type") == ["text/html; charset=utf-8"]


FORGED = {
    "v1.1." + "A" * 60: "invalid_seal",
    "x": "malformed_cookie",
    "v1.1.%41": "malformed_cookie",
    '"quoted"': "malformed_cookie",
}


@pytest.mark.parametrize(("value", "reason"), FORGED.items())
def test_forged_cookies(visitor, value, reason):
    """401 with the reason and nothing looked up; the cookie is not cleared."""
    visitor.cookies = (f"{NAME}={value}",)
    answer = visitor.ask("/me")
    assert (answer.status, body_of(answer)["reason"]) == (401, reason)
    assert answer.cookies == []
    assert done(visitor.app.stack) == []


def test_the_cookie_among_others(visitor):
    """Beside JSON values and other people's names, in one header."""
    visitor.sign_in()
    visitor.cookies = (f'x={{"a":1}}; {NAME}x=1; {visitor.cookies[0]}; y="q"; __Host-session2=z',)
    assert visitor.ask("/me").status == 200


# --- what goes with an answer


@pytest.mark.parametrize(
    ("path", "status", "groups"),
    [
        ("/me", 200, ()),
        ("/redirect", 302, ()),
        ("/missing", 404, ()),
        ("/admins", 403, ()),
        ("/boom", 403, ()),
        ("/maybe", 200, ()),
    ],
)
def test_a_refreshed_cookie_goes_with_every_answer(visitor, path, status, groups):
    """One Set-Cookie with the right attributes: on JSON, redirects, the door's own 404 and refusals alike; one refresh."""
    visitor.sign_in()
    visitor.app.expire()
    answer = visitor.ask(path)
    assert answer.status == status
    (line,) = session_lines(answer)
    assert attributes(line) == OURS
    assert caching(answer) == NOBODYS
    assert done(visitor.app.stack).count(REFRESH) == 1
    visitor.keep(answer)
    assert session_lines(visitor.ask("/me")) == []


def test_a_person_is_refreshed_as_well(visitor):
    """A page navigation with an expired token is no way to sign in."""
    visitor.sign_in()
    visitor.app.expire()
    answer = visitor.ask("/me", headers=PAGE)
    assert (answer.status, len(session_lines(answer))) == (200, 1)


def test_the_applications_own_cookie_survives(visitor):
    """Beside ours, each a header of its own."""
    visitor.sign_in()
    visitor.app.expire()
    answer = visitor.ask("/own-cookie")
    assert len(answer.cookies) == 2
    assert len(session_lines(answer)) == 1
    assert any(line.startswith("theme=dark") for line in answer.cookies)


def test_what_the_application_says_of_caching_stays_where_it_is_as_strict(visitor):
    """`private` without a new cookie, and a Vary that gets Cookie beside its own."""
    answer = visitor.sign_in().ask("/private")
    assert caching(answer) == (["private, max-age=60"], ["Accept-Encoding, Cookie"])
    visitor.app.expire()
    answer = visitor.ask("/private")
    assert caching(answer) == (["no-store"], ["Accept-Encoding, Cookie"])


def test_parallel_requests_refresh_once(visitor):
    """Four at once on an expired token: all served, one call to Cognito."""
    visitor.sign_in()
    visitor.app.expire()
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: visitor.ask("/me"), range(4)))
    assert [answer.status for answer in answers] == [200] * 4
    assert done(visitor.app.stack).count(REFRESH) == 1


# --- outages


def test_an_outage_is_a_503_and_touches_no_cookie(visitor):
    """Retry-After, no Set-Cookie, also where the session is optional; a public page is served; then all is well again."""
    visitor.sign_in()
    visitor.app.stack.fault("GetItem", "error500", times=None)
    for path in ("/me", "/maybe"):
        answer = visitor.ask(path)
        assert (answer.status, body_of(answer)["reason"]) == (503, "store_unavailable")
        assert answer.values("retry-after") == ["1"]
        assert answer.cookies == []
        assert caching(answer) == NOBODYS
    assert visitor.ask("/public").status == 200
    visitor.app.stack.clear_faults()
    assert visitor.ask("/me").status == 200


def test_a_person_gets_a_page_in_an_outage(visitor):
    """HTML with Retry-After."""
    visitor.sign_in()
    visitor.app.stack.fault("GetItem", "error500", times=None)
    answer = visitor.ask("/me", headers=PAGE)
    assert answer.status == 503
    assert answer.values("content-type") == ["text/html; charset=utf-8"]
    assert answer.values("retry-after") == ["1"]


# --- requests that change something

FROM = {
    "own page": ((("Sec-Fetch-Site", "same-origin"),), 200),
    "by hand": ((("Sec-Fetch-Site", "none"),), 200),
    "same site": ((("Sec-Fetch-Site", "same-site"),), 403),
    "other site": ((("Sec-Fetch-Site", "cross-site"),), 403),
    "old browser, own page": ((("Origin", "https://app.example.test"),), 200),
    "old browser, other page": ((("Origin", "https://evil.example"),), 403),
    "old browser, nowhere": ((("Origin", "null"),), 403),
    "a program": ((), 403),
}


@pytest.mark.parametrize(("headers", "status"), FROM.values(), ids=FROM)
def test_csrf(visitor, headers, status):
    """The same decision at every door, with the reason; a refused request reads nothing."""
    answer = visitor.sign_in().ask("/change", "POST", headers=headers)
    assert answer.status == status
    if status == 403:
        assert body_of(answer) == {"error": "forbidden", "reason": "cross_site"}
        assert done(visitor.app.stack) == []


@pytest.mark.parametrize(("path", "groups", "reason"), [("/admins", (), "group_required"), ("/recent", (), "stale_sign_in")])
def test_guards(visitor, path, groups, reason):
    """403 with the reason; with what is wanted, 200."""
    visitor.sign_in("admins")
    assert visitor.ask(path).status == 200
    visitor.sign_in(*groups)
    visitor.app.stack.advance(3001)
    answer = visitor.ask(path)
    assert (answer.status, body_of(answer)["reason"]) == (403, reason)


def test_an_error_of_the_application_is_answered(visitor):
    """A SessionForbidden that a view raises is the 403 it stands for."""
    answer = visitor.sign_in().ask("/boom")
    assert (answer.status, body_of(answer)) == (403, {"error": "forbidden", "reason": "forbidden"})


# --- in and out


def test_a_sign_in_beats_the_old_cookie_and_ends_its_session(visitor):
    """One Set-Cookie, the new session's; the presented session has ended."""
    visitor.sign_in()
    old = visitor.cookies
    visitor.app.expire()
    visitor.box.tokens = visitor.app.sign_in(visitor.user)
    answer = visitor.ask("/sign-in", "POST")
    assert answer.status == 200
    (line,) = session_lines(answer)
    assert attributes(line) == OURS
    assert caching(answer) == NOBODYS
    visitor.keep(answer)
    assert visitor.ask("/me").status == 200
    visitor.cookies = old
    assert body_of(visitor.ask("/me"))["reason"] == "session_ended"


def test_a_sign_out_deletes_the_cookie_and_ends_the_session(visitor):
    """Deleted with the attributes that it was set with; the old cookie stands for nothing."""
    visitor.sign_in()
    old = visitor.cookies
    answer = visitor.keep(visitor.ask("/sign-out", "POST"))
    assert answer.status == 200
    (line,) = session_lines(answer)
    assert "max-age=0" in line.lower().split("; ")
    assert line.partition(";")[0] in (f"{NAME}=", f'{NAME}=""')
    assert attributes(line) == OURS
    assert visitor.cookies == ()
    visitor.cookies = old
    assert (visitor.ask("/me").status, body_of(visitor.ask("/me"))["reason"]) == (401, "session_ended")


# --- all doors side by side


def seen(visitor):
    """What one visitor meets on a walk, without what must differ: names, values of cookies, lengths."""
    walk = [visitor.ask("/me"), visitor.ask("/me", headers=PAGE), visitor.ask("/change", "POST", headers=())]
    visitor.sign_in()
    walk += [visitor.ask("/me"), visitor.ask("/admins"), visitor.ask("/redirect")]
    visitor.app.expire()
    walk += [visitor.ask("/me"), visitor.ask("/change", "POST", headers=SCRIPT)]
    kept = ("location", "cache-control", "vary", "retry-after", "www-authenticate")
    return [
        (
            answer.status,
            sorted((name.lower(), value) for name, value in answer.headers if name.lower() in kept),
            [attributes(line) for line in session_lines(answer)],
            answer.body.replace(visitor.user.username.encode(), b"NAME") if visitor.user else answer.body,
        )
        for answer in walk
    ]


def test_every_door_is_the_same_door(everywhere):
    """Statuses, headers, cookies and bodies of one walk, collected at all doors, are one."""
    walks = {visitor.door: seen(visitor) for visitor in everywhere}
    assert len(walks) > 20
    first = next(iter(walks.values()))
    assert {door: walk for door, walk in walks.items() if walk != first} == {}
