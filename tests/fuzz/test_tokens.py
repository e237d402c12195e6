"""Tokens of any kind of damage: what is accepted has been signed, says what it must, and nothing else happens.

PyJWT, which shares no code with what checks signatures here, says for each accepted text whether it was signed.
"""

from __future__ import annotations

import json
from functools import lru_cache

import jwt
from hypothesis import strategies as st

from cognito_session.core.crypto import access_token as tokens
from cognito_session.core.crypto.id_token import at_hash, verify_id_token
from cognito_session.core.errors import ConfigurationError, ExpiredOnArrival, InvalidClaim, MalformedToken, TokenError
from fuzz.harness import fuzz
from fuzz.shapes import JSON, JSON_TEXTS, TEXTS, damaged, deep, one_in, replaced, spelled
from support.tokens import ISSUED_AT, Issuer, b64url

ISSUER = Issuer()
STRANGER = Issuer()
ACCESS, ID = ISSUER.claims(), {**ISSUER.claims(token_use="id", aud=ISSUER.client_id, nonce="n-1"), "cognito:username": "alice"}
CLAIMS = st.sampled_from([*ACCESS, "cognito:groups", "nbf", "auth_time", "scope", "aud", "nonce", "at_hash"])
PROPER = st.fixed_dictionaries(
    {},
    optional={
        "cognito:groups": st.lists(TEXTS, max_size=3),
        "nbf": st.integers(ISSUED_AT - 5, ISSUED_AT + 5),
        "scope": st.sampled_from(["", "a b", "orders/read  x"]),
        "custom": JSON,
    },
)
HEADERS = one_in(
    5,
    st.one_of(
        st.sampled_from(
            [{"alg": "none"}, {"alg": "HS256"}, {"kid": "key-2"}, {"kid": ""}, {"kid": 7}, {"crit": ["b64"], "b64": False}]
        ),
        st.dictionaries(st.sampled_from(["kid", "alg", "typ", "jku", "jwk", "x5c", "zip", "enc"]), JSON, max_size=2),
    ),
    st.just({"typ": "JWT"}),
).map(lambda found: spelled({"kid": "key-1", "alg": "RS256", **found}))


@lru_cache(maxsize=1)
def genuine():
    """A token of each kind; made once."""
    access = ISSUER.mint(ACCESS)
    return access, ISSUER.mint({**ID, "at_hash": at_hash(access)}), STRANGER.mint(ACCESS)


def _contents(claims):
    """What a signed token may hold: mostly claims of which one or two are not as they should be."""
    return st.one_of(
        st.builds(lambda more: {**claims, **more}, PROPER).map(spelled),
        st.builds(lambda name: {claim: value for claim, value in claims.items() if claim != name}, CLAIMS).map(spelled),
        st.builds(lambda name, value: {**claims, name: value}, CLAIMS, JSON).map(spelled),
        replaced(st.just(claims), CLAIMS).map(spelled),
        st.sampled_from([{**claims, "deep": deep(depth)} for depth in (30, 400, 900)]).map(spelled),
        one_in(2, JSON_TEXTS, st.just(spelled(claims))),
    )


@st.composite
def _texts(draw: st.DrawFn, claims) -> str:
    """A compact JWS: signed with strange contents, put together of parts of several, or with its text damaged."""
    kind = draw(st.integers(0, 9))
    if kind < 7:
        header = JSON_TEXTS if kind == 6 else HEADERS
        signer = STRANGER if kind == 5 else ISSUER
        return signer.sign(_part(draw(header)), _part(draw(_contents(claims)))[:12_300])
    if kind == 7:
        parts = [part for text in genuine() for part in text.split(".")] + [b64url(b"{}"), "", "e30="]
        return ".".join(draw(st.lists(st.sampled_from(parts), min_size=2, max_size=4)))
    return draw(one_in(5, TEXTS, damaged(st.sampled_from(genuine()))))


def _part(text: str) -> str:
    return b64url(text.encode("utf-8", "surrogatepass"))


def is_signed(text: str) -> bool:
    """PyJWT's word on the signature."""
    try:
        jwt.api_jws.PyJWS().decode(text, ISSUER.private_key.public_key(), algorithms=["RS256"])
    except jwt.InvalidTokenError:
        return False
    return True


def fits(token: tokens.AccessToken) -> bool:
    """Whether a token that came through has what is promised of it."""
    texts = (token.text, token.sub, token.jti, token.origin_jti, token.username, *token.groups, *token.scopes)
    instants = (token.issued_at, token.not_before, token.expires_at, *([] if token.auth_time is None else [token.auth_time]))
    said = json.loads(b64url_decoded(token.text.split(".")[1]))
    return (
        all(type(text) is str and text.encode() is not None for text in texts)
        and all(type(instant) is int for instant in instants)
        and 0 < token.issued_at < token.expires_at <= token.issued_at + 86_400
        and (token.sub, token.jti, token.claims["iss"]) == (said["sub"], said["jti"], ISSUER.url)
        and (said["client_id"], said["token_use"]) == (ISSUER.client_id, "access")
    )


def b64url_decoded(part: str) -> bytes:
    """A part's bytes."""
    return jwt.utils.base64url_decode(part)


@fuzz(sees={"kid", "MalformedToken"}, text=_texts(ACCESS))
def test_the_key_id_of_any_text(text):
    """Before any key is fetched a text names a key or is malformed."""
    try:
        kid = tokens.key_id(text)
    except MalformedToken:
        return "MalformedToken"
    assert 0 < len(kid) <= 256
    return "kid"


@fuzz(
    sees={"accepted", "MalformedToken", "InvalidSignature", "InvalidClaim"},
    rarely={"UnknownKey", "ConfigurationError"},
    text=_texts(ACCESS),
)
def test_verify_takes_what_was_signed_and_fits(text):
    """What verify lets through was signed with our key, by PyJWT's word too, and has the promised types."""
    try:
        token = tokens.verify(text, ISSUER.key_set(), ISSUER.rules)
    except ConfigurationError:  # only for an authentic token without origin_jti
        assert is_signed(text)
        return "ConfigurationError"
    except TokenError as error:
        return type(error).__name__
    assert is_signed(text)
    assert fits(token)
    return "accepted"


@fuzz(sees={"accepted", "MalformedToken", "InvalidClaim"}, rarely={"ConfigurationError"}, text=_texts(ACCESS))
def test_parse_takes_what_fits(text):
    """What parse lets through has the promised types, whoever signed it."""
    try:
        token = tokens.parse(text, ISSUER.rules)
    except ConfigurationError:
        return "ConfigurationError"
    except (MalformedToken, InvalidClaim) as error:
        return type(error).__name__
    assert fits(token)
    return "accepted"


@fuzz(
    sees={"accepted", "MalformedToken", "InvalidSignature", "InvalidClaim", "ExpiredOnArrival"},
    rarely={"UnknownKey"},
    text=_texts(ID),
    nonce=st.sampled_from(["n-1", "n-1", "n-1", "n-2", ""]),
    now=st.sampled_from([ISSUED_AT, ISSUED_AT, ISSUED_AT - 11, ISSUED_AT + 3600]),
)
def test_an_id_token_is_this_sign_in_s_own(text, nonce, now):
    """What is accepted was signed, is about the access token's user, for this client and this nonce, and has not expired.

    Its `iat` may lie ahead of this clock: a clock that is behind refuses nobody.
    """
    beside = tokens.verify(genuine()[0], ISSUER.key_set(), ISSUER.rules)
    try:
        claims = verify_id_token(text, ISSUER.key_set(), ISSUER.rules, access_token=beside, nonce=nonce, now=now)
    except (TokenError, ExpiredOnArrival) as error:
        return type(error).__name__
    assert is_signed(text)
    assert (claims["sub"], claims["aud"], claims["nonce"], claims["token_use"]) == (beside.sub, ISSUER.client_id, nonce, "id")
    assert type(claims["iat"]) is int
    assert now < claims["exp"]
    assert claims.get("at_hash", at_hash(beside.text)) == at_hash(beside.text)
    return "accepted"
