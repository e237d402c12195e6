"""What the web side is told."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest

from cognito_session.core.errors import ConfigurationError
from cognito_session.core.outcome import Active, Reason, Refreshed, Rejected, Session
from cognito_session.core.token import verify


@pytest.fixture
def token(issuer):
    """A verified token with a group and a custom claim."""
    text = issuer.access_token(**{"cognito:groups": ["admin"], "custom:x": "hush-hush"})
    return verify(text, issuer.key_set(), issuer.rules)


def session_of(token, **more):
    """The session that the token serves."""
    return Session.of(token, **{"sid": "sid-1", "auth_time": 5, "expires_at": 9, **more})


def test_a_session_is_the_token_s_and_the_record_s(token):
    """Who and what for comes from the token; session id, time of sign-in and end from the record."""
    me = session_of(token)
    assert (me.sub, me.username, me.groups, me.scopes) == (token.sub, "alice", ("admin",), token.scopes)
    assert (me.access_token, me.token_expires_at) == (token.text, token.expires_at)
    assert (me.sid, me.auth_time, me.session_expires_at) == ("sid-1", 5, 9)
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
    me = replace(session_of(token), set_cookies=("token=cookie-secret",), responder=lambda *_: "responder-secret")
    for shown in (repr(me), str(me), repr(Active(me)), repr(Refreshed(me))):
        assert not any(secret in shown for secret in (token.text, "hush-hush", "cookie-secret", "responder-secret"))


def test_a_session_cannot_be_changed(token):
    """Neither its fields nor its claims can be assigned: a handler cannot promote its caller."""
    me = session_of(token)
    with pytest.raises(FrozenInstanceError):
        me.sub = "other"
    with pytest.raises(TypeError):
        me.claims["sub"] = "other"


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
    assert len(Reason) == 23
