"""The ID token beside a code: authentic, ours, of this user, of this sign-in, in time; each check bites."""

from __future__ import annotations

import hashlib

import pytest

from cognito_session.core.crypto.access_token import verify
from cognito_session.core.crypto.id_token import verify_id_token
from cognito_session.core.errors import ExpiredOnArrival, InvalidClaim, InvalidSignature, TokenError, UnknownKey
from support.tokens import ISSUED_AT, LIFE_SECONDS, b64url, flipped

NONCE = "0123456789abcdef0123456789abcdef"
NOW = ISSUED_AT + 5


@pytest.fixture
def access(issuer):
    """The access token that came with it."""
    return verify(issuer.access_token(), issuer.key_set(), issuer.rules)


@pytest.fixture
def check(issuer, access):
    """Verify an ID token as the callback does."""

    def run(text, *, nonce=NONCE, now=NOW, keys=None):
        return verify_id_token(text, keys or issuer.key_set(), issuer.rules, access_token=access, nonce=nonce, now=now)

    return run


def hash_of(text: str) -> str:
    """OIDC Core 3.1.3.6, written out again."""
    digest = hashlib.sha256(text.encode("ascii")).digest()
    return b64url(digest[: len(digest) // 2])


def test_a_good_one_gives_its_claims(issuer, access, check):
    """Nonce and at_hash right: the claims come back."""
    text = issuer.id_token(nonce=NONCE, at_hash=hash_of(access.text))
    assert check(text)["email"] == "alice@example.com"


def test_at_hash_may_be_absent(issuer, check):
    """OIDC makes it optional in the code flow."""
    assert check(issuer.id_token(nonce=NONCE))["nonce"] == NONCE


NONCE_SAYS = "claim nonce: expected the nonce that this sign-in was begun with"
HASH_SAYS = "claim at_hash: expected the hash of the access token beside it"
WRONG = {
    "no nonce": {},
    "another nonce": {"nonce": "f" * 32},
    "nonce of another type": {"nonce": 5},
    "nonce as list": {"nonce": [NONCE]},
    "another hash": {"nonce": NONCE, "at_hash": "A" * 22},
    "hash of another type": {"nonce": NONCE, "at_hash": None},
    "another user": {"nonce": NONCE, "sub": "99999999-2222-4333-8444-555555555555"},
    "another issuer": {"nonce": NONCE, "iss": "https://evil.example/pool"},
    "no issuer": {"nonce": NONCE, "iss": ...},
    "expiry as text": {"nonce": NONCE, "exp": str(NOW + 99)},
    "expiry is true": {"nonce": NONCE, "exp": True},
    "instant of issue as text": {"nonce": NONCE, "iat": str(NOW), "exp": NOW + 60},
}


SAYS = {
    "no nonce": NONCE_SAYS,
    "another nonce": NONCE_SAYS,
    "nonce of another type": NONCE_SAYS,
    "nonce as list": NONCE_SAYS,
    "another hash": HASH_SAYS,
    "hash of another type": HASH_SAYS,
    "another user": "claim sub: expected the access token's user",
    "another issuer": "claim iss: expected the configured user pool's issuer, the access token's own",
    "no issuer": "claim iss: expected the configured user pool's issuer, the access token's own",
    "expiry as text": "claim exp: expected an instant",
    "expiry is true": "claim exp: expected an instant",
    "instant of issue as text": "claim iat: expected an instant",
}


@pytest.mark.parametrize("which", WRONG)
def test_a_wrong_claim_is_refused(issuer, check, which):
    """Each claim alone is enough to refuse, and the error names it."""
    with pytest.raises(InvalidClaim) as caught:
        check(issuer.id_token(**WRONG[which]))
    assert str(caught.value) == SAYS[which]
    assert SAYS[which].startswith(f"claim {caught.value.claim}: ")


def test_the_other_form_of_the_issuer_is_not_the_access_token_s(issuer, check):
    """Both forms are the pool's, but the two tokens of one sign-in have one."""
    other = issuer.url.replace("cognito-idp.", "issuer-cognito-idp.")
    assert other in issuer.rules.issuers
    with pytest.raises(InvalidClaim, match="iss"):
        check(issuer.id_token(nonce=NONCE, iss=other))


@pytest.mark.parametrize("audience", ["another", ["7testclient0id"], ["7testclient0id", "another"], None])
def test_another_audience_is_refused(issuer, check, audience):
    """Only for this app client, and for it alone."""
    claims = {**issuer.claims(nonce=NONCE, token_use="id", client_id=...), "aud": audience}
    with pytest.raises(InvalidClaim) as caught:
        check(issuer.mint(claims))
    assert str(caught.value) == "claim aud: expected the configured app client, alone"


def test_an_access_token_is_no_id_token(issuer, check):
    """token_use keeps the two apart."""
    with pytest.raises(InvalidClaim) as caught:
        check(issuer.access_token(nonce=NONCE, aud=issuer.client_id))
    assert str(caught.value) == "claim token_use: expected an ID token"


def test_a_tampered_signature_is_refused(issuer, check):
    """One character of the signature."""
    with pytest.raises(InvalidSignature):
        check(flipped(issuer.id_token(nonce=NONCE), -10))


def test_a_strangers_key_is_refused(issuer, stranger, check):
    """Signed by another key under the same id, or under an unknown one."""
    with pytest.raises(InvalidSignature):
        check(stranger.id_token(nonce=NONCE))
    with pytest.raises(UnknownKey):
        check(issuer.mint(issuer.claims(token_use="id", aud=issuer.client_id, nonce=NONCE), {"kid": "other"}))


@pytest.mark.parametrize("text", ["", "a.b.c", "x" * 20_000, "a.b"])
def test_what_is_no_token_is_refused(check, text):
    """Malformed text is a refusal, nothing else."""
    with pytest.raises(TokenError):
        check(text)


def test_it_is_good_until_its_last_second(issuer, check):
    """Exp itself is too late, the second before is not; the error names the clock, since the token has just been issued."""
    text = issuer.id_token(nonce=NONCE)
    assert check(text, now=ISSUED_AT + LIFE_SECONDS - 1)
    with pytest.raises(ExpiredOnArrival, match=f"{LIFE_SECONDS} seconds ahead"):
        check(text, now=ISSUED_AT + LIFE_SECONDS)


def test_an_expired_token_of_another_sign_in_says_nothing_of_the_clock(issuer, check):
    """The nonce decides first: a token that was kept for later is no new one."""
    with pytest.raises(InvalidClaim, match="nonce"):
        check(issuer.id_token(nonce="f" * 32), now=ISSUED_AT + LIFE_SECONDS)


@pytest.mark.parametrize("seconds", [11, 3600])
def test_a_clock_that_is_behind_refuses_no_sign_in(issuer, check, seconds):
    """The nonce proves that the token is new, whatever this machine's clock says."""
    assert check(issuer.id_token(nonce=NONCE), now=ISSUED_AT - seconds)["nonce"] == NONCE
