"""Rows that anybody may have written: read alone, and met by every operation of the protocol."""

# ruff: noqa: PT017 - a refusal is one of a target's results, with claims of its own

from __future__ import annotations

from copy import deepcopy
from functools import lru_cache
from typing import Any, NamedTuple

from hypothesis import strategies as st

from cognito_session import SessionError, SessionManager, SessionPolicy
from cognito_session.core.errors import ConfigurationError, SessionUnavailable, StoreUnavailable
from cognito_session.core.protocol.record import USER_SID, SessionKey, SessionRecord
from cognito_session.core.protocol.session import Active, Refreshed
from cognito_session.sqlite.row import from_text, to_text
from cognito_session.testing.cognito import Cognito
from cognito_session.testing.memory_store import MemoryStore
from fuzz.harness import fuzz
from fuzz.kit import ENVIRONMENT
from fuzz.shapes import JSON, JSON_TEXTS, TEXTS, one_in, spelled

NOW = 1_700_000_000
"""Where the kit's clock stands."""

OURS = [*(name for name in SessionRecord._fields if name not in ("key", "lease_until_ms")), "lease_until", "sign_ins"]
SETS = st.frozensets(TEXTS, max_size=3)
INSTANTS = st.sampled_from([NOW - 100_000, NOW - 61, NOW - 1, NOW, NOW + 1, NOW + 8, NOW + 1000, NOW * 1000, 0, -1, 10**40])
VALUES = one_in(
    3, st.one_of(JSON, SETS, st.sampled_from([{"B": "AAAA"}, {"NS": ["1"]}, float("inf")])), one_in(4, TEXTS, INSTANTS)
)
TEXTS_OF = {
    "data": JSON_TEXTS,
    "state": st.sampled_from(["active", "ended", ""]),
    "jti_prev": one_in(3, st.just(frozenset({"*"})), SETS),
    "jti_old": SETS,
    "unverified": st.booleans(),
}


@st.composite
def _strange(draw: st.DrawFn) -> dict[str, Any]:
    """One to four attributes that are not as we write them; `...` stands for one that is gone."""
    names = draw(st.lists(one_in(10, TEXTS, st.sampled_from(OURS)), min_size=1, max_size=4, unique=True))
    return {name: draw(one_in(6, st.just(...), one_in(2, VALUES, TEXTS_OF.get(name, VALUES)))) for name in names}


BASES = [{}, {"sid": "sid-1"}, {"sid": "sid-1", "state": "ended"}]


@fuzz(sees={"foreign", "ended", "whole", "unreadable"}, row=_strange(), base=st.sampled_from(BASES))
def test_any_row_is_a_record_or_unreadable(row, base):
    """Every attribute of ours has its type in the record, or the row is unreadable: never absent, never guessed."""
    row = {name: value for name, value in {**base, **row}.items() if value is not ...}
    try:
        record = SessionRecord.from_row(SessionKey("sub-1", "sid-1"), row)
    except StoreUnavailable:
        return "unreadable"
    for name in set(OURS) & set(row) - {"lease_until", "unverified", "sign_ins"}:
        expected = row[name] if row[name] is not None or name in ("lease_n", "data_version") else getattr(record, name)
        assert getattr(record, name) in (expected, expected or 0)
    assert all(type(value) in (str, int, bool, frozenset, type(None), SessionKey) for value in record)
    assert record.lease_is_live(NOW) in (True, False)
    assert "hidden" not in repr(record)
    return "foreign" if record.foreign_token else "ended" if record.ended else "whole"


class Scene(NamedTuple):
    """A manager in the kit with two sessions of one user; `header` is the first one's Cookie header."""

    cognito: Cognito
    manager: SessionManager
    store: MemoryStore
    header: str
    sub: str
    sid: str
    tokens: dict[str, Any]
    go_back: Any


@lru_cache(maxsize=8)
def scene(cookie: str, sort_key: str, surplus: str) -> Scene:
    """The scene of this kind of cookie, this layout, and what becomes of a third session."""
    cognito = Cognito()
    name = "__Host-session" if cookie == "sealed" else "token"
    environ, policy = {**ENVIRONMENT, "SORT_KEY": sort_key}, SessionPolicy(max_sessions=3, on_max_sessions=surplus)
    manager = cognito.attach(SessionManager.from_env(environ=environ, cookie=cookie, cookie_name=name, policy=policy))
    me = manager.establish(cognito.tokens("alice"))
    if sort_key:
        manager.establish(cognito.tokens("alice"))
        manager.revoke_all(me.sub, keep=me.sid)
        cognito.advance(3)  # beyond the clock tolerance of a sign-out
        manager.establish(cognito.tokens("alice"))
    store = next(iter(cognito._state._stores.values()))
    header = me.set_cookies[0].partition(";")[0]
    manager.resolve(header)
    return Scene(cognito, manager, store, header, me.sub, me.sid, cognito.tokens("alice"), cognito._state.mark())


def _resolve(here):
    return here.manager.resolve(here.header)


OPERATIONS = {
    "resolve": _resolve,
    "sign_out": lambda here: here.manager.sign_out(here.header),
    "sessions_of": lambda here: here.manager.sessions_of(here.sub, current=here.sid),
    "revoke": lambda here: here.manager.revoke(here.sub, here.sid),
    "revoke_all": lambda here: here.manager.revoke_all(here.sub),
    "establish": lambda here: here.manager.establish(here.tokens, cookie_header=here.header),
    "save_data": lambda here: here.manager.save_data(_resolve(here).session, {"a": 1}),
}


@fuzz(
    sees={"Active", "Refreshed", "Rejected", "unavailable", "done"},
    rarely={"refused"},
    cookie=st.sampled_from(["sealed", "token"]),
    sort_key=st.sampled_from(["sid", ""]),
    surplus=st.sampled_from(["evict", "refuse"]),
    which=one_in(4, st.sampled_from(["user", "other"]), st.just("own")),
    strange=_strange(),
    operation=one_in(2, st.sampled_from(sorted(OPERATIONS)), st.just("resolve")),
    later=st.sampled_from([0, 0, 3500, 3700, 90_000]),
)
def test_any_row_in_the_protocol(*, cookie, sort_key, surplus, which, strange, operation, later):
    """Whatever stands in a row: an operation ends in time, with an outcome, a denial or "could not find out"."""
    here = scene(cookie, sort_key, surplus)
    here.go_back()
    for (_, sid), row in here.store.rows.items():
        own = {"user": sid == USER_SID, "own": not sort_key or sid == here.sid, "other": sid not in (USER_SID, here.sid)}
        if own[which]:
            row.update(deepcopy(strange))
            for name in [name for name, value in row.items() if value is ...]:
                del row[name]
            row.update({"sub": here.sub, **({"sid": sid} if sort_key else {})})
    here.cognito.advance(later)
    began = here.cognito.clock.monotonic()
    try:
        found = OPERATIONS[operation](here)
    except SessionUnavailable:
        return "unavailable"
    except (SessionError, AttributeError) as error:  # save_data has no session to begin with where it is denied
        assert operation != "resolve" or isinstance(error, ConfigurationError)
        assert isinstance(error, SessionError) or "Rejected" in str(error)
        return "refused"
    finally:
        assert here.cognito.clock.monotonic() - began < 30
    if operation != "resolve":
        return "done"
    if isinstance(found, Active):
        assert found.session.sub == here.sub
        assert found.session.token_expires_at > here.cognito.clock.now()
    return "Refreshed" if isinstance(found, Refreshed) else type(found).__name__


ATTRIBUTES = st.dictionaries(
    TEXTS, st.one_of(JSON, SETS, st.lists(SETS, max_size=2), st.dictionaries(TEXTS, SETS, max_size=2)), max_size=4
)
MARKED = st.recursive(
    JSON,
    lambda inner: st.one_of(
        st.fixed_dictionaries({"$set": inner}), st.fixed_dictionaries({"$map": inner}), st.lists(inner, max_size=2)
    ),
    max_leaves=4,
)


@fuzz(
    sees={"a row", "unreadable"},
    text=st.one_of(
        JSON_TEXTS,
        st.dictionaries(TEXTS, MARKED, max_size=3).map(spelled),
        ATTRIBUTES.map(to_text),
        st.none(),
        st.binary(max_size=3),
    ),
)
def test_any_stored_text_is_a_row_or_unreadable(text):
    """A file's text is attributes, which are written as they were read, or unreadable."""
    try:
        row = from_text(text)
    except StoreUnavailable:
        return "unreadable"
    try:
        written = to_text(row)
    except TypeError:  # numbers where a stranger's set has no texts
        return "a row"
    assert from_text(written) == row or "NaN" in written
    return "a row"


@fuzz(sees={"same"}, row=ATTRIBUTES)
def test_a_row_is_read_as_it_was_written(row):
    """Whatever attributes: the text holds them, in value and type."""
    assert from_text(to_text(row)) == row
    return "same"
