"""`aud` of an access token that is bound to a resource (RFC 8707): accepted where a setting names it, or where none does."""

from __future__ import annotations

import pytest

from cognito_session import Active, ConfigurationError, Rejected, SessionManager, SessionPolicy
from cognito_session.core.crypto.access_token import TokenRules, parse, verify
from cognito_session.core.crypto.key_set import KeySet
from cognito_session.core.errors import InvalidClaim
from cognito_session.testing.clock import ManualClock
from cognito_session.testing.memory_store import MemoryStore
from support.case_id import case_id
from support.tokens import CLIENT_ID, ISSUED_AT, POOL_ID

OURS, THEIRS = "https://api.example", "https://billing.example"
WRONG_TYPES = [None, 7, True, "", {}, {"a": OURS}, [], [7], [""], [OURS, 7], [OURS, None], [[OURS]], "\ud800"]


def checked(issuer, audiences, **claims):
    """The claim `aud` of the verified token."""
    rules = TokenRules.of_pool(POOL_ID, CLIENT_ID, audiences)
    keys = KeySet.parse(issuer.jwks(), fetched_at=0.0)
    return verify(issuer.access_token(**claims), keys, rules).claims.get("aud")


@pytest.mark.parametrize("audiences", [None, [OURS], [THEIRS, OURS]])
def test_a_token_for_us_is_accepted(issuer, audiences):
    """One of the accepted values, alone or in a list."""
    assert checked(issuer, audiences, aud=OURS) == OURS
    assert checked(issuer, audiences, aud=[THEIRS, OURS]) == (THEIRS, OURS)


@pytest.mark.parametrize("audiences", [None, [OURS]])
def test_a_token_without_aud_is_accepted(issuer, audiences):
    """It is bound to no resource."""
    assert checked(issuer, audiences) is None


@pytest.mark.parametrize("aud", [THEIRS, [THEIRS], OURS + "/", OURS.upper(), OURS[:-1], f" {OURS}", [f"{OURS} {THEIRS}"]])
def test_a_token_for_another_resource_is_refused(issuer, aud):
    """Compared as written; without the setting any resource is accepted."""
    with pytest.raises(InvalidClaim, match="aud") as caught:
        checked(issuer, [OURS], aud=aud)
    assert THEIRS not in str(caught.value)
    checked(issuer, None, aud=aud)


@pytest.mark.parametrize("audiences", [None, [OURS]])
@pytest.mark.parametrize("aud", WRONG_TYPES, ids=case_id)
def test_a_wrong_type_is_refused(issuer, audiences, aud):
    """With and without the setting, verified or parsed."""
    with pytest.raises(InvalidClaim, match="aud"):
        checked(issuer, audiences, aud=aud)
    with pytest.raises(InvalidClaim, match="aud"):
        parse(issuer.access_token(aud=aud), TokenRules.of_pool(POOL_ID, CLIENT_ID, audiences))


@pytest.mark.parametrize("given", [(), [], "https://api.example", [""], [7], [" x"], {"a": 1}, 7, True])
def test_a_setting_that_accepts_nothing_is_refused(given):
    """A text would be taken for a list of characters."""
    with pytest.raises(ConfigurationError, match="audiences"):
        SessionPolicy(audiences=given)


def test_the_policy_s_audiences_reach_the_sessions(issuer):
    """A manager refuses a cookie and a sign-in for another resource, and serves its own."""

    class Keys:
        def keys(self, _missing_kid):
            return KeySet.parse(issuer.jwks(), fetched_at=0.0)

    manager = SessionManager.from_env(
        environ={"SESSION_TABLE": "sessions", "CLIENT_ID": CLIENT_ID, "USER_POOL_ID": POOL_ID},
        cookie="token",
        store=MemoryStore(),
        keys=Keys(),
        clock=ManualClock(now=ISSUED_AT + 1.0),
        policy=SessionPolicy(audiences=[OURS]),
    )
    tokens = {"AccessToken": issuer.access_token(aud=OURS), "RefreshToken": "r"}
    manager.establish(tokens)
    assert isinstance(manager.resolve(f"token={tokens['AccessToken']}"), Active)
    assert manager.resolve(f"token={issuer.access_token(aud=THEIRS)}") == Rejected("invalid_claim")
    with pytest.raises(ConfigurationError, match="invalid_claim"):
        manager.establish({**tokens, "AccessToken": issuer.access_token(aud=THEIRS)})
