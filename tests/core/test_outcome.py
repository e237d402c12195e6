"""What the web side is told."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import FrozenInstanceError, asdict, fields, replace

import pytest

from cognito_session.core.crypto.access_token import verify
from cognito_session.core.errors import ConfigurationError, SessionForbidden, SessionRequired, StaleSignIn
from cognito_session.core.protocol.session import Active, Reason, Refreshed, Rejected, Session, session_or_raise

MADE_OF = {"sid": "sid-1", "auth_time": 5, "expires_at": 9, "now": 1_000, "data": {"theme": "dark"}, "data_version": 3}


@pytest.fixture
def token(issuer):
    """A verified token with a group and a custom claim."""
    text = issuer.access_token(**{"cognito:groups": ["admin"], "custom:x": "hush-hush", "deep": {"a": [{"b": 1}]}})
    return verify(text, issuer.key_set(), issuer.rules)


def session_of(token, **more):
    """The session that the token serves."""
    return Session.of(token, **{**MADE_OF, **more})


def test_a_session_is_the_token_s_and_the_record_s(token):
    """Who and what for comes from the token; session id, time of sign-in and end from the record."""
    me = session_of(token)
    assert (me.sub, me.username, me.groups, me.scopes) == (token.sub, "alice", ("admin",), token.scopes)
    assert (me.access_token, me.token_expires_at) == (token.text, token.expires_at)
    assert (me.sid, me.auth_time, me.session_expires_at) == ("sid-1", 5, 9)
    assert (me.served_at, me.data, me.data_version) == (1_000, {"theme": "dark"}, 3)
    assert me.claims == token.claims
    assert me.set_cookies == ()


@pytest.mark.parametrize(("recorded", "told"), [(5, 5), (0, 0), (None, 1_700_000_000)])
def test_the_time_of_sign_in_is_the_record_s(token, recorded, told):
    """A refresh may reset the claim, so the record's instant wins, even zero; without one the claim counts."""
    assert session_of(token, auth_time=recorded).auth_time == told


def test_cognito_is_none_while_the_browser_s_cookie_is_right(token):
    """No new cookie, no new token for the caller to send."""
    assert session_of(token).cognito is None


def test_cognito_holds_the_new_token_exactly_with_a_new_cookie(token):
    """With a cookie to set the answer has the shape of Cognito's own, holding the token that serves."""
    me = replace(session_of(token), set_cookies=("token=x",))
    assert me.cognito == {"AuthenticationResult": {"AccessToken": token.text}}


def test_repr_shows_no_secret(token):
    """A session, alone or in an outcome, prints without token, claims and cookies."""
    me = replace(session_of(token, data={"a": "data-secret"}), set_cookies=("token=cookie-secret",))
    for shown in (repr(me), str(me), repr(Active(me)), repr(Refreshed(me))):
        assert not any(secret in shown for secret in (token.text, "hush-hush", "cookie-secret", "data-secret"))


def test_a_session_cannot_be_changed(token):
    """Neither its fields nor its claims can be assigned: a handler cannot promote its caller."""
    me = session_of(token)
    with pytest.raises(FrozenInstanceError):
        me.sub = "other"
    for mapping in (me.claims, me.data):
        with pytest.raises(TypeError):
            mapping["sub"] = "other"


def guarded(*groups: str, scopes: str = "a/read b/write", auth_time: int | None = 5, now: int = 1_000) -> Session:
    """A session with these groups and scopes, signed in at `auth_time` and served at `now`."""
    return Session(
        sub="user-1",
        sid="sid-1",
        username="alice",
        groups=groups,
        scopes=frozenset(scopes.split()),
        claims={},
        auth_time=auth_time,
        access_token="text",
        token_expires_at=9_999,
        session_expires_at=None,
        served_at=now,
    )


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"any_group": ["admin"]},
        {"any_group": ("nobody", "admin")},
        {"any_group": {"staff"}},
        {"all_groups": ["admin", "staff"]},
        {"scopes": ["a/read"]},
        {"scopes": ["a/read", "b/write"]},
        {"max_age": 995},
        {"any_group": ["staff"], "all_groups": ["admin"], "scopes": ["b/write"], "max_age": 10_000},
    ],
    ids=repr,
)
def test_a_guard_lets_those_pass_who_have_what_it_asks_for(wanted):
    """One of any_group, all of all_groups, all scopes, and a sign-in as recent as asked: exactly at the limit too."""
    assert guarded("admin", "staff").require(**wanted) is None


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ({"any_group": ["nobody"]}, "group_required"),
        ({"any_group": ["Admin"]}, "group_required"),
        ({"any_group": ["admin "]}, "group_required"),
        ({"any_group": ["adm"]}, "group_required"),
        ({"any_group": [""]}, "group_required"),
        ({"all_groups": ["admin", "nobody"]}, "group_required"),
        ({"scopes": ["a/write"]}, "scope_required"),
        ({"scopes": ["a/read", "c"]}, "scope_required"),
        ({"scopes": ["a/read b/write"]}, "scope_required"),
        ({"scopes": ["A/READ"]}, "scope_required"),
        ({"max_age": 994}, "stale_sign_in"),
        ({"max_age": 0}, "stale_sign_in"),
        ({"any_group": ["admin"], "scopes": ["c"]}, "scope_required"),
        ({"scopes": ["a/read"], "max_age": 1}, "stale_sign_in"),
    ],
    ids=repr,
)
def test_a_guard_stops_everybody_else(wanted, reason):
    """Names are compared exactly and every demand counts: 403 with a reason that tells groups, scopes and age apart."""
    with pytest.raises(SessionForbidden) as caught:
        guarded("admin", "staff").require(**wanted)
    assert (caught.value.status, caught.value.reason) == (403, reason)
    said = {
        "group_required": f"not in {'any' if 'any_group' in wanted else 'all'} of the required groups",
        "scope_required": "the access token lacks a required scope",
    }
    assert str(caught.value) == said.get(reason, str(StaleSignIn(wanted.get("max_age", 0))))


def test_a_sign_in_of_unknown_age_is_too_old():
    """Where nobody knows when the user signed in, no recent sign-in is proved."""
    with pytest.raises(SessionForbidden) as caught:
        guarded("admin", auth_time=None).require(max_age=10**9)
    assert caught.value.reason == "stale_sign_in"


@pytest.mark.parametrize("name", ["any_group", "all_groups", "scopes"])
def test_a_guard_takes_no_single_text(name):
    """A text is a collection of its letters: given instead of a list it is a mistake, and said to be one."""
    with pytest.raises(ConfigurationError, match="require"):
        guarded("a", "d").require(**{name: "ad"})


def test_respond_needs_an_event(token):
    """A session that came from no event says where to take one from."""
    with pytest.raises(ConfigurationError, match="event"):
        session_of(token).respond(200, {})


def test_respond_answers_in_the_event_s_form(token):
    """With a responder, respond hands it session, status and body; status 200 unless said."""
    me = session_of(token).answering(lambda own, status, body: (own.sub, status, body))
    assert me.respond() == (token.sub, 200, None)
    assert me.respond(201, {"a": 1}) == (token.sub, 201, {"a": 1})


def test_answering_changes_nothing_else(token):
    """The answering session equals the one it was made of."""
    me = session_of(token)
    assert me.answering(lambda *_: None) == me
    assert me.responder is None


def test_a_refreshed_session_is_an_active_one(token):
    """`case Active(session=me)` takes both; Rejected is neither."""
    match Refreshed(session_of(token)):
        case Active(session=me):
            assert me.sub == token.sub
        case _:
            pytest.fail("Refreshed is no Active")
    assert not isinstance(Rejected(Reason.REUSE), Active)


def test_reasons_are_stable_words():
    """Reasons are texts that applications compare with, equal to their value and spelled like one."""
    assert Reason.IDLE_TIMEOUT == "idle_timeout"
    assert f"{Reason.NO_COOKIE}" == "no_cookie"
    assert {reason.name.lower() for reason in Reason} == set(Reason)


@pytest.mark.parametrize("carried", [copy.deepcopy, *(lambda me, n=n: pickle.loads(pickle.dumps(me, n)) for n in range(6))])
def test_a_session_is_carried_elsewhere_without_its_tokens(token, carried):
    """A pickle of every protocol and a deep copy keep who is asking and leave out token, cookies and responder."""
    me = replace(session_of(token), set_cookies=("token=cookie-secret",), responder=lambda *_: None)
    found = carried(me)
    assert (found.access_token, found.set_cookies, found.responder, found.cognito) == ("", (), None, None)
    same = {each.name for each in fields(me)} - {"access_token", "set_cookies", "responder"}
    assert {name: getattr(found, name) for name in same} == {name: getattr(me, name) for name in same}
    with pytest.raises(TypeError):
        found.claims["sub"] = "another"


@pytest.mark.parametrize("protocol", range(6))
def test_the_bytes_of_a_pickle_hold_no_secret(token, protocol):
    """Neither the token nor a cookie is anywhere in the pickle, also inside an outcome or a list."""
    me = replace(session_of(token), set_cookies=("token=cookie-secret",))
    for value in (me, Active(me), [me]):
        written = pickle.dumps(value, protocol)
        assert token.text.encode() not in written
        assert b"cookie-secret" not in written


def test_a_pickle_of_a_later_version_is_read(token):
    """Names that this version does not know are passed over: a queue outlives a deployment."""
    restore, (kept,) = session_of(token).__reduce__()
    assert restore({**kept, "later": 1}).sub == token.sub


@pytest.mark.parametrize("missing", ["data", "claims", "data_version"])
def test_a_pickle_of_an_earlier_version_is_read(token, missing):
    """A name that the earlier version did not write is empty."""
    restore, (kept,) = session_of(token).__reduce__()
    again = restore({name: value for name, value in kept.items() if name != missing})
    assert again.sub == token.sub
    assert getattr(again, missing) == ({} if missing != "data_version" else 0)


def test_a_session_of_no_instant_is_not_recent(token):
    """Without the instant at which it is served, the age of its sign-in is not known: a step-up is refused."""
    me = Session.of(token, sid="sid-1", auth_time=None, expires_at=None)
    assert me.served_at == 0
    with pytest.raises(StaleSignIn):
        me.require(max_age=10**9)


def test_a_shallow_copy_is_the_session_itself(token):
    """It is immutable, so a copy within the request keeps its token."""
    me = session_of(token)
    assert copy.copy(me) is me


def test_the_facts_are_json_and_hold_no_secret(token):
    """facts() holds names, groups, scopes and instants as JSON types, and neither token nor cookie nor claims nor data."""
    me = replace(session_of(token, data={"a": "data-secret"}), set_cookies=("token=cookie-secret",))
    assert me.facts() == {
        "sub": token.sub,
        "sid": "sid-1",
        "username": "alice",
        "groups": ["admin"],
        "scopes": sorted(token.scopes),
        "auth_time": 5,
        "token_expires_at": token.expires_at,
        "session_expires_at": 9,
    }
    shown = json.dumps(me.facts())
    assert not any(secret in shown for secret in (token.text, "hush-hush", "cookie-secret", "data-secret"))


def test_asdict_does_not_give_the_token_away(token):
    """dataclasses.asdict, which encoders apply to what a view returns, finds the facts alone."""
    me = session_of(token)
    found = asdict(me)
    assert found.keys() == me.facts().keys()
    assert me.access_token not in repr(found)


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (Reason.SIGN_IN_EXPIRED, "access token has expired"),
        (Reason.SIGNED_OUT, "signed out everywhere"),
        (Reason.SESSION_ENDED, "has ended"),
    ],
)
def test_a_sign_in_that_begins_no_session_says_why(reason, said):
    """An expired token is not called an ended session, nor the other way round."""
    with pytest.raises(SessionRequired, match=said) as caught:
        session_or_raise(Rejected(reason))
    assert caught.value.reason == reason
