"""docs/costs.md, number by number, against the call log of DynamoDB and Cognito."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

from cognito_session import Active, Refreshed, Rejected, SessionPolicy
from managed.scene import NAME, sealed
from support.stack import cookie_of

DOCUMENT = Path(__file__).parents[2] / "docs" / "costs.md"
READS = {"GetItem", "Query"}
WRITES = {"PutItem", "UpdateItem", "TransactWriteItems"}
SEVERAL = 3
"""The n of the document, where a cell names one."""


class Cost(NamedTuple):
    """Calls of one operation."""

    reads: int
    writes: int
    cognito: int


def documented():
    """The table: operation and layout to what it costs."""
    row = r"^\| (.+?) \| (one row|two keys|both) \| (.+?) \| (.+?) \| (.+?) \|$"
    lines = re.findall(row, DOCUMENT.read_text(), re.MULTILINE)
    found = {}
    for operation, layout, *cells in lines:
        for each in ("one row", "two keys") if layout == "both" else (layout,):
            assert (operation, each) not in found
            found[operation, each] = Cost(*map(number, cells))
    return found


def number(cell):
    """The value of a cell such as "2", "n" or "1 + 2n"."""
    assert re.fullmatch(r"(\d+|\d*n)( \+ (\d+|\d*n))*", cell), cell
    return sum(_term(term) for term in cell.split(" + "))


def _term(term):
    return int(term[:-1] or 1) * SEVERAL if term.endswith("n") else int(term)


class Scene:
    """A user of an app, sessions of theirs, and a log that begins when the test says so."""

    def __init__(self, app, **keywords):
        self.app, self.user = app, app.user()
        self.manager = sealed(app, **keywords)
        self.manager.establish(app.sign_in(app.user()))  # the key set is fetched once for all

    def begin(self, *, seen=True):
        """A new session's cookie."""
        cookie = cookie_of(self.manager.establish(self.app.sign_in(self.user)))
        if seen:
            assert isinstance(self.manager.resolve(cookie), Active)
        return cookie

    def several(self):
        """So many sessions of the user's as the document's n."""
        return [self.begin() for _ in range(SEVERAL)]

    def spent(self, operation, expected=None):
        """What one operation costs; everything counts, the key set too."""
        self.app.stack.clear_calls()
        outcome = operation()
        calls = self.app.stack.calls()
        if expected is not None:
            assert type(outcome) is expected
        assert {call.status for call in calls} <= {200}
        named = Counter("cognito" if call.service == "cognito" else call.operation for call in calls)
        cognito = named.pop("cognito", 0)
        reads = sum(named.pop(name, 0) for name in READS)
        writes = sum(named.pop(name, 0) for name in WRITES)
        assert not named
        return Cost(reads, writes, cognito)


def ordinary(at):
    """A request with a token that is good for a while."""
    cookie = at.begin()
    return at.spent(lambda: at.manager.resolve(cookie), Active)


def first(at):
    """The first request with a new cookie."""
    cookie = at.begin(seen=False)
    return at.spent(lambda: at.manager.resolve(cookie), Active)


def sliding(at):
    """A request that moves the idle end."""
    cookie = at.begin()
    at.app.stack.advance(100)
    return at.spent(lambda: at.manager.resolve(cookie), Active)


def polling(at):
    """The same, asked not to."""
    cookie = at.begin()
    at.app.stack.advance(100)
    return at.spent(lambda: at.manager.resolve(cookie, extend=False), Active)


def refresh(at):
    """A request with an expired token."""
    cookie = at.begin()
    at.app.expire()
    return at.spent(lambda: at.manager.resolve(cookie), Refreshed)


def heal(at):
    """A request with the cookie before the last."""
    cookie = at.begin()
    at.app.expire()
    at.manager.resolve(cookie)
    return at.spent(lambda: at.manager.resolve(cookie), Active)


def sign_in(at):
    """A session begins."""
    at.begin()
    tokens = at.app.sign_in(at.user)
    return at.spent(lambda: at.manager.establish(tokens))


def sign_in_presenting(at):
    """A session begins in a browser that still has one."""
    old = at.begin()
    tokens = at.app.sign_in(at.user)
    return at.spent(lambda: at.manager.establish(tokens, cookie_header=old))


def sign_out(at):
    """A session ends."""
    cookie = at.begin()
    return at.spent(lambda: at.manager.sign_out(cookie))


def ended(at):
    """A request with a cookie of a session that has ended."""
    cookie = at.begin()
    at.manager.sign_out(cookie)
    at.app.expire()
    return at.spent(lambda: at.manager.resolve(cookie), Rejected)


def listing(at):
    """The user's sessions."""
    at.several()
    return at.spent(lambda: at.manager.sessions_of(at.user.sub))


def revoking(at):
    """One session ended by its id."""
    at.begin()
    (info,) = at.manager.sessions_of(at.user.sub)
    return at.spent(lambda: at.manager.revoke(at.user.sub, info.sid))


def revoking_nothing(at):
    """An id that is not there."""
    at.begin()
    return at.spent(lambda: at.manager.revoke(at.user.sub, "unknown"))


def revoking_all(at):
    """Signed out everywhere."""
    at.several()
    return at.spent(lambda: at.manager.revoke_all(at.user.sub))


def revoking_others(at):
    """Signed out everywhere else: n others."""
    keep = at.manager.resolve(at.begin()).session.sid
    if at.app.sort_key:
        at.several()
    return at.spent(lambda: at.manager.revoke_all(at.user.sub, keep=keep))


def saving(at):
    """Session data that changed."""
    me = at.manager.resolve(at.begin()).session
    return at.spent(lambda: at.manager.save_data(me, {"a": 1}))


def saving_nothing(at):
    """Session data that did not."""
    me = at.manager.resolve(at.begin()).session
    me = at.manager.save_data(me, {"a": 1})
    return at.spent(lambda: at.manager.save_data(me, {"a": 1}))


def forged(at):
    """A cookie that we did not make."""
    cookie = at.begin()
    return at.spent(lambda: at.manager.resolve(cookie[:-4]), Rejected)


def no_cookie(at):
    """No cookie at all."""
    return at.spent(lambda: at.manager.resolve(f"x{NAME}=y"), Rejected)


def full_house(at):
    """A sign-in where as many sessions as allowed are there."""
    at.several()
    tokens = at.app.sign_in(at.user)
    return at.spent(lambda: at.manager.establish(tokens))


MOST = {"max_sessions": SEVERAL}
OPERATIONS = {
    "ordinary request": (ordinary, {}),
    "first request with a new cookie": (first, {}),
    "request that slides the idle end": (sliding, {"idle_seconds": 900}),
    "the same with `extend=False`": (polling, {"idle_seconds": 900}),
    "expiry: refresh": (refresh, {}),
    "previous cookie healed": (heal, {}),
    "forged, foreign or altered cookie": (forged, {}),
    "no cookie": (no_cookie, {}),
    "cookie of an ended session": (ended, {}),
    "sign-in": (sign_in, {}),
    "sign-in, the oldest session evicted": (full_house, MOST),
    "sign-in with `max_sessions=None`": (sign_in, {"max_sessions": None}),
    "sign-in that ends the presented session": (sign_in_presenting, {}),
    "sign-out": (sign_out, {}),
    "`sessions_of`": (listing, {}),
    "`revoke`": (revoking, {}),
    "`revoke` of an unknown id": (revoking_nothing, {}),
    "`revoke_all` of n sessions": (revoking_all, {}),
    "`revoke_all(keep=...)`, n others": (revoking_others, {}),
    "`save_data`, changed": (saving, {}),
    "`save_data`, unchanged": (saving_nothing, {}),
}


def test_every_operation_is_documented():
    """The document's rows are the operations measured here, in either layout where it has them."""
    assert {operation for operation, _ in documented()} == set(OPERATIONS)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_it_costs(app, operation):
    """Reads, writes and calls to Cognito are exactly those in docs/costs.md."""
    work, settings = OPERATIONS[operation]
    expected = documented().get((operation, "two keys" if app.sort_key else "one row"))
    if expected is not None:
        assert work(Scene(app, policy=SessionPolicy(**settings))) == expected
