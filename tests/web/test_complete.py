"""complete(): the one place that decides the cookies, Cache-Control and Vary of a response."""

from __future__ import annotations

from cognito_session.http.response import complete

OURS = "__Host-session=new; Path=/; HttpOnly; Secure"


def test_a_cookie_of_the_application_replaces_ours_and_is_not_cached():
    """The application's Set-Cookie of the name wins. The response still sets the cookie, so `private` is too weak."""
    needed = complete([("set-cookie", "__Host-session=own"), ("Cache-Control", "private")], [OURS])
    assert (needed.cookies, needed.cache_control, needed.vary) == ((), "no-store", "Cookie")


def test_without_a_cookie_a_private_response_stays_private():
    """The application's caching is kept where it is strict enough, and Vary gets Cookie once."""
    needed = complete([("cache-control", "private, max-age=5"), ("VARY", "Accept, cookie")], [])
    assert (needed.cookies, needed.cache_control, needed.vary) == ((), "private, max-age=5", "Accept, cookie")


def test_headers_that_overrule_cache_control_go():
    """CDN-Cache-Control and its kind are removed; other headers stay."""
    needed = complete([("CDN-Cache-Control", "max-age=60")], [OURS])
    assert [needed.removes(name) for name in ("CDN-Cache-Control", "Vary", "cache-control", "ETag")] == [
        True,
        True,
        True,
        False,
    ]
