"""Managed login: the way back is kept whatever its characters and length, and a prefetch begins nothing."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from signin.browser import location, query_of

LONGEST = "/" + "a" * 2047
BROWSERS_MAX_COOKIE_BYTES = 4096
"""Name, value and attributes (rfc6265bis 5.6)."""


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("return_to=" + quote("/søk?q=blåbær og rømme#på", safe=""), "/s%C3%B8k?q=bl%C3%A5b%C3%A6r%20og%20r%C3%B8mme#p%C3%A5"),
        ("next=%2Forders%3Fpage%3D2", "/orders?page=2"),
        ("next=https%3A%2F%2Fapp.example%2Forders", "/orders"),
        ("next=https%3A%2F%2Fevil.example%2F", "/"),
        ("return_to=" + LONGEST, LONGEST),
        ("return_to=" + LONGEST + "a", "/"),
    ],
    ids=["non-ASCII", "next", "whole address", "another site's", "longest", "too long"],
)
def test_the_person_is_back_where_they_were(site, query, found):
    """Spelled as a browser would, kept up to 2,048 characters, and never another site's."""
    answer = site.callback(site.sign_in_at_cognito(site.start(f"/login?{query}"), site.app.user()))
    assert (answer.status, location(answer)) == (303, found)


def test_the_longest_way_back_fits_into_a_cookie(site):
    """Name, value and attributes stay below what browsers take, also below a base path."""
    site.start(return_to=LONGEST)
    (line,) = site.set_lines
    assert len(line) <= BROWSERS_MAX_COOKIE_BYTES - 512, len(line)


def test_flows_do_not_fill_the_cookie_header(site):
    """Long ways back drop the oldest flows before a server refuses the header; short ones are kept as before."""
    states = []
    for _ in range(4):
        states.append(query_of(site.start(return_to=LONGEST))["state"])
        site.app.stack.advance(1)
    assert [name.rpartition("-")[2] for name in site.flows()] == states[-1:]
    short = []
    for _ in range(4):
        short.append(query_of(site.start(return_to="/a"))["state"])
        site.app.stack.advance(1)
    assert [name.rpartition("-")[2] for name in site.flows()] == [states[-1], *short]
    assert sum(len(f"{name}={value}; ") for name, value in site.jar.items()) < 6_000


PREFETCHES = [
    ("sec-purpose", "prefetch"),
    ("sec-purpose", "prefetch;prerender"),
    ("sec-purpose", "prefetch;anonymous-client-ip"),
    ("purpose", "prefetch"),
    ("x-purpose", "preview"),
    ("x-moz", "prefetch"),
]


@pytest.mark.parametrize("header", PREFETCHES, ids=": ".join)
def test_a_prefetch_begins_no_flow(site, header):
    """It is answered 503 and not kept, sets no cookie and pushes no real flow out; the navigation that follows signs in."""
    real = site.start(return_to="/orders")
    before = dict(site.jar)
    for _ in range(6):
        answer = site.keep(site._run(site.login.start(site.request("GET", "/login", header))))
        assert (answer.status, answer.cookies) == (503, ())
        assert answer.headers["Cache-Control"] == "no-store"
    assert site.jar == before
    assert location(site.callback(site.sign_in_at_cognito(real, site.app.user()))) == "/orders"


def test_a_prefetched_callback_redeems_nothing(site):
    """The code is still good when the person navigates."""
    back = site.sign_in_at_cognito(site.start(return_to="/orders"), site.app.user())
    assert site.callback(back, ("sec-purpose", "prefetch")).status == 503
    answer = site.callback(back)
    assert (answer.status, location(answer)) == (303, "/orders")
