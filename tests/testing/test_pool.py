"""The fake user pool: the library's own checks accept its tokens, and its refresh tokens behave like Cognito's."""

from __future__ import annotations

import pytest

from cognito_session.core.crypto.access_token import verify
from cognito_session.core.crypto.id_token import verify_id_token
from cognito_session.core.protocol.ports import PoolRefusal
from cognito_session.testing import FakePool, ManualClock, signing

CLAIMS = {
    *("sub", "cognito:groups", "iss", "client_id", "origin_jti", "event_id", "token_use", "scope", "auth_time", "exp", "iat"),
    *("jti", "username"),
}


@pytest.fixture
def pool(clock):
    """A pool with alice in it."""
    made = FakePool(user_pool_id="eu-west-1_Abc", client_id="client1", clock=clock)
    made.add("alice").groups = ("staff",)
    return made


def keys():
    return signing.key_set(fetched_at=0.0)


def code_of(answer):
    assert isinstance(answer, PoolRefusal)
    return answer.code


def refreshed(pool, token):
    answer = pool.refresh(token)
    assert not isinstance(answer, PoolRefusal)
    return answer


def test_an_access_token_has_the_claims_of_a_real_one(pool, clock):
    """Signature, issuer, client and every claim that Cognito's tokens have."""
    token = verify(pool.sign_in("alice")["AccessToken"], keys(), pool.rules)
    assert set(token.claims) == CLAIMS
    assert token.claims["iss"] == "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Abc"
    assert (token.username, token.groups, token.scopes) == ("alice", ("staff",), {"aws.cognito.signin.user.admin"})
    assert (token.issued_at, token.expires_at, token.auth_time) == (int(clock.now()), int(clock.now()) + 3600, int(clock.now()))


def test_an_id_token_of_a_code_has_nonce_and_at_hash(pool, clock):
    """The library's own check of ID tokens takes it, and no other nonce."""
    result = pool.sign_in("alice", scopes=["openid"], nonce="n-1")
    access = verify(result["AccessToken"], keys(), pool.rules)
    now = int(clock.now())
    claims = verify_id_token(result["IdToken"], keys(), pool.rules, access_token=access, nonce="n-1", now=now)
    assert (claims["cognito:username"], claims["email"], claims["aud"]) == ("alice", "alice@example.com", "client1")
    assert "at_hash" in claims
    assert access.claims["version"] == 2


def test_every_token_is_another(pool):
    """Jti and event_id differ, origin_jti is the sign-in's."""
    first = pool.sign_in("alice")
    tokens = [verify(each["AccessToken"], keys(), pool.rules) for each in (first, refreshed(pool, first["RefreshToken"]))]
    other = verify(pool.sign_in("alice")["AccessToken"], keys(), pool.rules)
    assert len({token.jti for token in (*tokens, other)}) == 3
    assert tokens[0].origin_jti == tokens[1].origin_jti != other.origin_jti


def test_without_rotation_a_token_is_used_again_and_again(pool):
    """No new refresh token comes, and the old one works."""
    token = pool.sign_in("alice")["RefreshToken"]
    assert all("RefreshToken" not in refreshed(pool, token) for _ in range(3))


def test_rotation_with_grace(pool, clock):
    """Within the grace, counted from the first use, the old token gives another new one each time, and all of them work."""
    pool.grace_seconds = 30
    old = pool.sign_in("alice")["RefreshToken"]
    first = refreshed(pool, old)["RefreshToken"]
    clock.advance(29)
    second = refreshed(pool, old)["RefreshToken"]
    assert len({old, first, second}) == 3
    clock.advance(1)
    assert code_of(pool.refresh(old)) == "RefreshTokenReuseException"
    assert all("RefreshToken" in refreshed(pool, token) for token in (first, second))


def test_rotation_without_grace(pool):
    """A second use is reuse at once."""
    pool.grace_seconds = 0
    old = pool.sign_in("alice")["RefreshToken"]
    new = refreshed(pool, old)["RefreshToken"]
    assert code_of(pool.refresh(old)) == "RefreshTokenReuseException"
    assert refreshed(pool, new)["RefreshToken"] != new


def test_revoking_reaches_all_that_came_of_a_sign_in(pool):
    """All tokens of one sign-in end together; those of another stay valid."""
    pool.grace_seconds = 60
    old, other = pool.sign_in("alice")["RefreshToken"], pool.sign_in("alice")["RefreshToken"]
    new = refreshed(pool, old)["RefreshToken"]
    pool.revoke(new)
    pool.revoke("unknown")
    assert [code_of(pool.refresh(token)) for token in (old, new)] == ["NotAuthorizedException"] * 2
    assert "AccessToken" in refreshed(pool, other)


def test_who_is_refused(pool, clock):
    """Unknown, disabled, gone, re-created under the same name, signed out everywhere, expired."""
    assert code_of(pool.refresh("unknown")) == "NotAuthorizedException"
    token = pool.sign_in("alice")["RefreshToken"]
    pool.account("alice").enabled = False
    assert pool.refresh(token) == PoolRefusal("NotAuthorizedException", "User is disabled.")
    pool.account("alice").enabled = True
    assert "AccessToken" in refreshed(pool, token)
    pool.sign_out_everywhere("alice")
    assert pool.refresh(token) == PoolRefusal("NotAuthorizedException", "Refresh Token has been revoked")
    token, old_sub = pool.sign_in("alice")["RefreshToken"], pool.account("alice").sub
    pool.delete("alice")
    assert code_of(pool.refresh(token)) == "UserNotFoundException"
    assert pool.add("alice").sub != old_sub
    assert code_of(pool.refresh(token)) == "UserNotFoundException"
    token = pool.sign_in("alice")["RefreshToken"]
    clock.advance(30 * 86_400)
    assert pool.refresh(token) == PoolRefusal("NotAuthorizedException", "Refresh Token has expired")


def test_a_refresh_does_not_prolong_the_sign_in(pool, clock):
    """A rotated token ends with the sign-in it came of."""
    pool.grace_seconds = 0
    token = pool.sign_in("alice")["RefreshToken"]
    for _ in range(3):
        clock.advance(10 * 86_400 - 1)
        token = refreshed(pool, token)["RefreshToken"]
    clock.advance(3)
    assert code_of(pool.refresh(token)) == "NotAuthorizedException"


def test_runs_are_alike():
    """The same steps give the same ids, so that a failing test fails again."""

    def ids():
        pool = FakePool(user_pool_id="eu-west-1_Abc", client_id="client1", clock=ManualClock())
        pool.add("alice")
        token = verify(pool.sign_in("alice")["AccessToken"], keys(), pool.rules)
        return token.sub, token.jti, token.origin_jti, *pool.state.tokens

    assert ids() == ids()


def test_names_are_taken_once(pool):
    """An existing user is not created again, and a missing one is an error."""
    with pytest.raises(ValueError, match="alice"):
        pool.add("alice")
    with pytest.raises(LookupError, match=r"cognito\.user\('bob'\)"):
        pool.account("bob")
