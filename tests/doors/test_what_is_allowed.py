"""Through every front door: requests that change something, guards, and sessions begun and ended."""

from __future__ import annotations

from doors.page import ADMINS, MAX_AGE, TRUSTED
from doors.visitor import PAGE, attributes, body_of, caching, session_lines
from managed.scene import NAME
from support.stack import done
from web.gateways import HOST

NOBODYS = (["no-store"], ["Cookie"])
OURS = f"https://{HOST}"

# (Sec-Fetch-Site, Origin) -> whether it comes from a page of ours, or of a trusted origin
FROM = {
    ("same-origin", None): True,
    ("same-origin", OURS): True,
    ("none", None): True,
    ("same-site", None): False,
    ("same-site", TRUSTED): True,
    ("cross-site", None): False,
    ("cross-site", OURS): False,
    ("cross-site", TRUSTED): True,
    ("unheard-of", None): False,
    (None, OURS): True,
    (None, TRUSTED): True,
    (None, f"http://{HOST}"): False,
    (None, "https://evil.example"): False,
    (None, "null"): False,
    (None, None): False,
}


def test_what_changes_something_comes_from_our_own_pages(visitor):
    """The same decision at every door: what passes changes something, what does not reads and changes nothing."""
    visitor.sign_in()
    statuses = {}
    for (site, origin), passes in FROM.items():
        headers = [pair for pair in (("Sec-Fetch-Site", site), ("Origin", origin)) if pair[1] is not None]
        answer = visitor.ask("/change", "POST", headers=headers, body=b"amount=5")
        statuses[site, origin] = answer.status
        assert done(visitor.app.stack) == (["GetItem"] if passes else [])
        if not passes:
            assert body_of(answer) == {"error": "forbidden", "reason": "cross_site"}
            assert answer.cookies == []
    assert statuses == {of: 200 if passes else 403 for of, passes in FROM.items()}
    assert visitor.box.changes == ["amount=5"] * sum(FROM.values())


def test_what_only_reads_may_come_from_anywhere(visitor):
    """A GET from another site is served: the check is for what changes something."""
    assert visitor.sign_in().ask("/me", headers=(("Sec-Fetch-Site", "cross-site"),)).status == 200


def test_a_person_s_cross_site_request_is_answered_by_a_page(visitor):
    """403 in HTML, with a token that has expired as well: nothing is refreshed for it."""
    headers = (*PAGE[:1], ("Sec-Fetch-Site", "cross-site"))
    answer = visitor.sign_in_long_ago().ask("/change", "POST", headers=headers)
    assert (answer.status, answer.values("content-type"), answer.cookies) == (403, ["text/html; charset=utf-8"], [])
    assert (visitor.box.changes, done(visitor.app.stack)) == ([], [])


def test_a_sign_in_form_can_be_forged_too(visitor):
    """Routes that need no session are checked alike: nobody is signed in or out from another site."""
    before = visitor.sign_in().cookies
    visitor.box.tokens = visitor.app.sign_in(visitor.user)
    visitor.app.stack.clear_calls()
    for path in ("/sign-in", "/sign-out"):
        answer = visitor.ask(path, "POST", headers=(("Sec-Fetch-Site", "cross-site"),))
        assert (answer.status, answer.cookies) == (403, [])
    assert done(visitor.app.stack) == []
    visitor.cookies = before
    assert visitor.ask("/me").status == 200


def test_a_guard_of_groups(visitor):
    """403 with the reason for who lacks the group, in the asker's own form; 200 for who has it."""
    visitor.sign_in()
    script, person = visitor.ask("/admins"), visitor.ask("/admins", headers=PAGE)
    assert (script.status, body_of(script)) == (403, {"error": "forbidden", "reason": "group_required"})
    assert (person.status, person.values("content-type")) == (403, ["text/html; charset=utf-8"])
    assert (caching(script), caching(person)) == (NOBODYS, NOBODYS)
    assert visitor.sign_in(ADMINS).ask("/admins").status == 200


def test_a_guard_of_age(visitor):
    """200 for a fresh sign-in; later 403 with the reason, while the session itself goes on."""
    visitor.sign_in()
    assert visitor.ask("/recent").status == 200
    visitor.app.stack.advance(MAX_AGE + 1)
    answer = visitor.ask("/recent")
    assert (answer.status, body_of(answer)) == (403, {"error": "forbidden", "reason": "stale_sign_in"})
    assert visitor.ask("/me").status == 200


def test_guards_let_nobody_in(visitor):
    """Without a session a guarded page is 401, not 403, and a person is sent to sign in."""
    for path in ("/admins", "/recent"):
        assert (visitor.ask(path).status, visitor.ask(path, headers=PAGE).status) == (401, 303)


def test_an_error_of_the_application_is_answered(visitor):
    """A SessionForbidden that a view raises is the 403 it stands for, with the view's reason."""
    answer = visitor.sign_in().ask("/boom")
    assert (answer.status, body_of(answer)) == (403, {"error": "forbidden", "reason": "not_today"})
    assert (answer.cookies, caching(answer)) == ([], NOBODYS)


def test_a_first_sign_in(visitor):
    """Who comes without a cookie goes with one, which is served."""
    visitor.user = visitor.app.user()
    visitor.box.tokens = visitor.app.sign_in(visitor.user)
    answer = visitor.keep(visitor.ask("/sign-in", "POST"))
    assert (answer.status, len(answer.cookies), caching(answer)) == (200, 1, NOBODYS)
    assert body_of(visitor.ask("/me")) == {"username": visitor.user.username}


def test_a_sign_in_beats_the_old_cookie_and_ends_its_session(visitor):
    """Over an expired session: one Set-Cookie, the new session's; the presented session has ended, though it was refreshed."""
    (old,) = visitor.sign_in_long_ago().cookies
    visitor.user = visitor.app.user()
    visitor.box.tokens = visitor.app.sign_in(visitor.user)
    answer = visitor.ask("/sign-in", "POST")
    assert (answer.status, caching(answer)) == (200, NOBODYS)
    (line,) = answer.cookies
    assert [part for part in attributes(line) if not part.startswith("max-age=")] == [
        "httponly",
        "path=/",
        "samesite=lax",
        "secure",
    ]
    visitor.keep(answer)
    assert body_of(visitor.ask("/me")) == {"username": visitor.user.username}
    visitor.cookies = (old,)
    assert body_of(visitor.ask("/me"))["reason"] == "session_ended"


def test_a_sign_out_deletes_the_cookie_and_ends_the_session(visitor):
    """Deleted with the attributes that it was set with; the old cookie stands for nothing. To repeat it is harmless."""
    (old,) = visitor.sign_in().cookies
    for _ in range(2):
        visitor.cookies = (old,)
        answer = visitor.keep(visitor.ask("/sign-out", "POST"))
        assert (answer.status, caching(answer)) == (200, NOBODYS)
        (line,) = session_lines(answer)
        assert line.partition(";")[0] in (f"{NAME}=", f'{NAME}=""')  # Django writes an empty value in quotes
        assert attributes(line) == ["httponly", "max-age=0", "path=/", "samesite=lax", "secure"]
        assert visitor.cookies == ()
    assert body_of(visitor.ask("/me"))["reason"] == "no_cookie"
    visitor.cookies = (old,)
    assert body_of(visitor.ask("/me"))["reason"] == "session_ended"
