"""Through every front door: an expired token is refreshed, and what that takes along with whatever answer follows."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from doors.doors import doors_that_can
from doors.page import CACHED, PARTS
from doors.visitor import PAGE, attributes, body_of, caching, session_lines
from managed.scene import NAME
from support.stack import done

NOBODYS = (["no-store"], ["Cookie"])
READ, REFRESH = "GetItem", "GetTokensFromRefreshToken"


def assert_one_new_cookie(visitor, answer):
    """After one refresh, exactly one Set-Cookie of ours, with its attributes and the session's rest as its age.

    The browser that stores it is served as it is.
    """
    assert done(visitor.app.stack).count(REFRESH) == 1
    (line,) = session_lines(answer)
    found = attributes(line)
    (age,) = [int(part.removeprefix("max-age=")) for part in found if part.startswith("max-age=")]
    assert found == ["httponly", f"max-age={age}", "path=/", "samesite=lax", "secure"]
    visitor.keep(answer)
    rest = visitor.site.manager.resolve(visitor.cookies[0]).session.session_expires_at - visitor.app.stack.clock.now()
    assert abs(age - rest) < 30
    again = visitor.ask("/me")
    assert (again.status, again.cookies) == (200, [])
    assert REFRESH not in done(visitor.app.stack)


def test_a_refreshed_cookie_goes_with_every_answer(visitor):
    """With JSON, a redirect, a 404, an error, a guard's refusal and the application's own: one cookie, one refresh."""
    visitor.sign_in()
    statuses = {"/me": 200, "/maybe": 200, "/redirect": 302, "/missing": 404, "/admins": 403, "/boom": 403, "/failed": 500}
    for path, status in statuses.items():
        visitor.app.expire()
        answer = visitor.ask(path)
        assert (path, answer.status, caching(answer), len(answer.cookies)) == (path, status, NOBODYS, 1)
        assert answer.values("location") == (["/elsewhere"] if path == "/redirect" else [])
        assert_one_new_cookie(visitor, answer)


@pytest.mark.parametrize("door", doors_that_can("stream"))
def test_a_refreshed_cookie_goes_with_a_stream(visitor):
    """It is in the headers before the first part, and the stream is whole."""
    answer = visitor.sign_in_long_ago().ask("/stream")
    assert (answer.status, answer.body, caching(answer)) == (200, "".join(PARTS).encode(), NOBODYS)
    assert_one_new_cookie(visitor, answer)


def test_a_refreshed_cookie_goes_with_head(visitor):
    """HEAD is a request like any other."""
    answer = visitor.sign_in_long_ago().ask("/me", "HEAD")
    assert (answer.status, caching(answer)) == (200, NOBODYS)
    assert_one_new_cookie(visitor, answer)


def test_a_person_is_refreshed_as_well(visitor):
    """A page navigation with an expired token is no reason to sign in."""
    answer = visitor.sign_in_long_ago().ask("/me", headers=PAGE)
    assert answer.status == 200
    assert_one_new_cookie(visitor, answer)


def test_no_header_lets_a_shared_cache_keep_what_depends_on_the_session(visitor):
    """Not for another user, and not for longer: headers that caches follow in place of Cache-Control are taken out."""
    answer = visitor.sign_in().ask("/cached")
    assert (answer.status, caching(answer)) == (200, NOBODYS)
    assert [name for name in CACHED if name != "Cache-Control" and answer.values(name.lower())] == []


def test_the_applications_own_cookie_survives(visitor):
    """Alone where none of ours is due, beside ours where one is: each a Set-Cookie of its own."""
    own = ("theme=dark", ["path=/"])
    answer = visitor.sign_in().ask("/own-cookie")
    assert [(line.partition(";")[0], attributes(line)) for line in answer.cookies] == [own]
    visitor.app.expire()
    answer = visitor.ask("/own-cookie")
    others = [line for line in answer.cookies if not line.startswith(f"{NAME}=")]
    assert [(line.partition(";")[0], attributes(line)) for line in others] == [own]
    assert_one_new_cookie(visitor, answer)


def test_what_the_application_says_of_caching_stays_where_it_is_as_strict(visitor):
    """`private` stays without a new cookie and not with one; a Vary of its own gets Cookie beside it."""
    answer = visitor.sign_in().ask("/private")
    assert caching(answer) == (["private, max-age=60"], ["Accept-Encoding, Cookie"])
    visitor.app.expire()
    answer = visitor.ask("/private")
    assert caching(answer) == (["no-store"], ["Accept-Encoding, Cookie"])


def test_parallel_requests_refresh_once(visitor):
    """Two that have both read the expired row: both are served with a cookie that is good, after one call to Cognito."""
    visitor.sign_in_long_ago()
    with ThreadPoolExecutor(2) as threads, visitor.app.stack.gate(READ, times=2) as gate:
        asked = [threads.submit(visitor.ask, "/me") for _ in range(2)]
        gate.wait_for(2)
        gate.release()
        answers = [each.result(timeout=20) for each in asked]
    assert [answer.status for answer in answers] == [200, 200]
    assert done(visitor.app.stack).count(REFRESH) == 1
    for answer in answers:
        visitor.keep(answer)
        assert visitor.ask("/me").cookies == []


def test_an_outage_is_a_503_and_touches_no_cookie(visitor):
    """Retry-After, no Set-Cookie, also where a guest is welcome; a public page is served; then the same cookie is good."""
    visitor.sign_in()
    visitor.app.stack.fault(READ, "error500", times=None)
    for path in ("/me", "/maybe", "/admins"):
        answer = visitor.ask(path)
        assert (answer.status, body_of(answer)) == (503, {"error": "unavailable", "reason": "store_unavailable"})
        assert (answer.values("retry-after"), answer.cookies, caching(answer)) == (["1"], [], NOBODYS)
    page = visitor.ask("/me", headers=PAGE)
    assert (page.status, page.values("content-type")) == (503, ["text/html; charset=utf-8"])
    assert (page.values("retry-after"), page.cookies, caching(page)) == (["1"], [], NOBODYS)
    public = visitor.ask("/public")
    assert (public.status, caching(public)) == (200, (["public, max-age=60"], []))
    visitor.app.stack.clear_faults()
    assert visitor.ask("/me").status == 200


def test_an_outage_of_cognito_is_a_503_and_ends_nothing(visitor):
    """A token that cannot be refreshed just now is no denial: the same cookie is served a little later."""
    visitor.sign_in_long_ago()
    visitor.app.stack.fault(REFRESH, "throttle", times=1)
    answer = visitor.ask("/me")
    assert (answer.status, body_of(answer)["reason"], answer.cookies) == (503, "provider_unavailable", [])
    assert len(answer.values("retry-after")) == 1
    visitor.app.stack.advance(60)
    assert visitor.ask("/me").status == 200
