"""Through every front door: who is there, and what becomes of those who are not."""

from __future__ import annotations

from urllib.parse import parse_qsl, unquote

import pytest

from doors.doors import CANNOT, doors_that_can
from doors.visitor import PAGE, body_of, caching
from managed.scene import NAME
from support.stack import done

NOBODYS = (["no-store"], ["Cookie"])
"""The caching headers of an answer that depends on the cookie."""


def test_somebody_is_served(visitor):
    """One read, no write, no cookie; nobody else may be given the answer; current_session() agrees (see `page.say`)."""
    answer = visitor.sign_in().ask("/me")
    assert (answer.status, body_of(answer)) == (200, {"username": visitor.user.username})
    assert answer.values("content-type") == ["application/json"]
    assert (answer.cookies, caching(answer)) == ([], NOBODYS)
    assert done(visitor.app.stack) == ["GetItem"]


def test_a_public_page_asks_for_nobody(visitor):
    """No read, no cookie although one would be due, and the application's own word on caching stands alone, in any header."""
    answer = visitor.sign_in_long_ago().ask("/public")
    assert (answer.status, body_of(answer)) == (200, {"username": None})
    assert (answer.cookies, caching(answer)) == ([], (["public, max-age=60"], []))
    assert answer.values("cdn-cache-control") == ["max-age=600"]
    assert done(visitor.app.stack) == []


def test_an_optional_session(visitor):
    """Nobody is served as nobody without a read, somebody as somebody; both answers depend on the cookie."""
    answer = visitor.ask("/maybe")
    assert (answer.status, body_of(answer), caching(answer)) == (200, {"username": None}, NOBODYS)
    assert done(visitor.app.stack) == []
    answer = visitor.sign_in().ask("/maybe")
    assert (answer.status, body_of(answer), caching(answer)) == (200, {"username": visitor.user.username}, NOBODYS)


def test_a_script_without_a_session(visitor):
    """401 in JSON with the reason, and nothing to sign in at."""
    answer = visitor.ask("/me")
    assert (answer.status, body_of(answer)) == (401, {"error": "unauthorized", "reason": "no_cookie"})
    assert answer.values("content-type") == ["application/json"]
    assert (answer.cookies, answer.values("location"), caching(answer)) == ([], [], NOBODYS)


@pytest.mark.parametrize("says", [("Sec-Fetch-Mode", "cors"), ("X-Requested-With", "XMLHttpRequest")])
def test_a_script_that_accepts_pages_is_a_script(visitor, says):
    """Accept alone makes no person: by Sec-Fetch-Mode, or in an old browser by X-Requested-With."""
    answer = visitor.ask("/me", headers=(says, ("Accept", "text/html")))
    assert (answer.status, body_of(answer)) == (401, {"error": "unauthorized", "reason": "no_cookie"})


def test_a_person_without_a_session_is_sent_to_sign_in(visitor):
    """303 with the way back, path and query, also by HEAD."""
    for method in ("GET", "HEAD"):
        answer = visitor.ask("/me", method, headers=PAGE, query="page=2&sort=a-b")
        assert (answer.status, answer.values("location")) == (303, ["/login?return_to=/me%3Fpage%3D2%26sort%3Da-b"])
        assert (answer.body, answer.cookies, caching(answer)) == (b"", [], NOBODYS)


def test_the_way_back_means_what_was_asked_for(visitor):
    """Escapes in the query survive: some gateways decode it, so that it may be spelled otherwise but never reads otherwise."""
    answer = visitor.ask("/me", headers=PAGE, query="name=a%20%26%20b%3D%C3%A9&empty=")
    _, _, back = answer.values("location")[0].partition("?return_to=")
    path, _, query = unquote(back).partition("?")
    assert (path, parse_qsl(query, keep_blank_values=True)) == ("/me", [("name", "a & b=é"), ("empty", "")])


def test_a_posted_page_is_not_redirected(visitor):
    """What was posted would be lost: a 401 page, and nothing has changed."""
    answer = visitor.ask("/change", "POST", headers=PAGE, body=b"amount=5")
    assert answer.status == 401
    assert answer.values("content-type") == ["text/html; charset=utf-8"]
    assert b"<h1>Please sign in</h1>" in answer.body
    assert visitor.box.changes == []


def test_forged_cookies(visitor):
    """401 with the reason and nothing looked up; the cookie is not cleared, for it may be a late request's."""
    visitor.sign_in()
    _, _, real = visitor.cookies[0].partition("=")
    middle = len(real) // 2
    changed = real[:middle] + ("A" if real[middle] != "A" else "B") + real[middle + 1 :]
    expected = {
        changed: "invalid_seal",
        "v1.1." + "A" * 60: "invalid_seal",
        "x": "malformed_cookie",
        "v1.1.%41": "malformed_cookie",
        f'"{real}"': "malformed_cookie",
        "": "malformed_cookie",
    }
    found = {}
    for value in expected:
        visitor.cookies = (f"{NAME}={value}",)
        answer = visitor.ask("/me")
        assert (answer.status, answer.cookies, caching(answer)) == (401, [], NOBODYS)
        found[value] = body_of(answer)["reason"]
    assert found == expected
    assert done(visitor.app.stack) == []


def test_an_ended_session(visitor):
    """401 with the reason for a script, the way to sign in for a person, nobody where anybody is welcome; no cookie cleared."""
    me = visitor.sign_in().site.manager.resolve(visitor.cookies[0]).session
    assert visitor.site.manager.revoke(me.sub, me.sid)
    script, person, guest = visitor.ask("/me"), visitor.ask("/me", headers=PAGE), visitor.ask("/maybe")
    assert (script.status, body_of(script)) == (401, {"error": "unauthorized", "reason": "session_ended"})
    assert (person.status, person.values("location")) == (303, ["/login?return_to=/me"])
    assert (guest.status, body_of(guest)) == (200, {"username": None})
    assert script.cookies + person.cookies + guest.cookies == []


def test_the_cookie_among_others(visitor):
    """Found beside JSON values and other people's names, in one header."""
    visitor.sign_in()
    visitor.cookies = (f'x={{"a":1}}; {NAME}x=1; {visitor.cookies[0]}; y="q"; {NAME}2=z',)
    assert visitor.ask("/me").status == 200


@pytest.mark.parametrize("door", doors_that_can("take several Cookie headers"))
def test_the_cookie_in_one_of_several_headers(visitor):
    """HTTP/2 sends cookies in as many headers as it likes (RFC 9113 8.2.3): ours is found in any of them."""
    (ours,) = visitor.sign_in().cookies
    others = ("theme=dark", "a=1; b=2", "c=3")
    for place in range(len(others) + 1):
        visitor.cookies = (*others[:place], ours, *others[place:])
        assert visitor.ask("/me").status == 200


@pytest.mark.parametrize("door", CANNOT["take several Cookie headers"])
def test_of_several_headers_some_doors_are_given_the_last(visitor):
    """What they are left out for is so: the session is not seen in another, and is in the last."""
    (ours,) = visitor.sign_in().cookies
    visitor.cookies = (ours, "theme=dark")
    assert body_of(visitor.ask("/me"))["reason"] == "no_cookie"
    visitor.cookies = ("theme=dark", ours)
    assert visitor.ask("/me").status == 200


def test_head_is_answered_like_get(visitor):
    """The same status and headers without the body."""
    visitor.sign_in()
    for path, status in (("/me", 200), ("/public", 200), ("/redirect", 302), ("/missing", 404), ("/admins", 403)):
        get, head = visitor.ask(path), visitor.ask(path, "HEAD")
        assert (get.status, head.status, head.body) == (status, status, b"")
        assert (caching(head), head.cookies) == (caching(get), [])
        assert head.values("location") == get.values("location")
