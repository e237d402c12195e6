"""What is not an access token of this pool and client, by cookie, through `session()`: refused without asking anybody.

The key set comes from a server of the test's own, so that a token can be really signed and still be wrong.
"""

from __future__ import annotations

import hmac
import json
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from aws.echo_server import EchoServer
from cognito_session import ConfigurationError, SessionError, session
from support.stack import COOKIE, done, event_v1, event_v2
from support.tokens import SUB, b64url

events = pytest.mark.parametrize("event", [event_v1, event_v2], ids=["v1", "v2"])


@pytest.fixture
def key_server(issuer):
    """A server that answers whatever it is asked with the issuer's key set, and remembers what it was asked."""
    server = EchoServer()
    server.plan += [(200, json.dumps(issuer.jwks()).encode(), {})] * 50
    yield server
    server.stop()


@pytest.fixture
def door(app, issuer, key_server, monkeypatch):
    """`session("token", event)` for the issuer's pool, a row of the seed's for its user, and the instant it is."""
    settings = {
        **app.environment,
        "USER_POOL_ID": issuer.pool_id,
        "CLIENT_ID": issuer.client_id,
        "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER": key_server.url,
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("cognito_session.assembly.SystemClock", lambda: app.stack.clock)
    app.stack.dynamodb().put_item(app.table, {"sub": SUB, "token": "refresh", "timestamp": 1})
    now = int(app.stack.clock.now())
    return SimpleNamespace(call=lambda event: session(COOKIE, event), now=now, stack=app.stack, keys=key_server)


def segment(value):
    """A part of a token that holds this JSON."""
    return b64url(json.dumps(value).encode())


def resigned(case, algorithm, signature):
    """The same claims under another algorithm, with this signature over them."""
    signed = f"{segment({'alg': algorithm, 'kid': case.issuer.kid})}.{segment(case.claims)}"
    return f"{signed}.{b64url(signature(signed.encode()))}"


def public_pem(case):
    """The issuer's public key as text: the secret of those who take it for one."""
    key = case.issuer.private_key.public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def mac(key, digest):
    """A signature by a shared secret."""
    return lambda signed: hmac.digest(key, signed, digest)


def header(**members):
    """A token that is signed, with something more in its header."""
    return lambda case: case.issuer.mint(case.claims, members)


def claim(**members):
    """A token that is signed, with other claims; `...` leaves one out."""
    return lambda case: case.issuer.mint(case.issuer.claims(**{"iat": case.iat, **members}))


def later(name, seconds):
    """A token one of whose instants lies ahead."""
    return lambda case: case.issuer.mint(case.issuer.claims(**{"iat": case.iat, name: case.now + seconds}))


def stitched(pattern):
    """The good token's parts put together in another way."""
    return lambda case: pattern.format(*case.good.split("."))


def payload(raw):
    """These very bytes as payload, signed."""
    return lambda case: case.issuer.mint(raw(case) if callable(raw) else raw)


def doubled(case):
    """A payload that names its user twice."""
    return json.dumps(case.claims).replace('"sub":', '"sub": "victim", "sub":', 1).encode()


FORGERIES = {
    # another key
    "a stranger's key under the same id": (lambda c: c.stranger.mint(c.claims), "invalid_signature"),
    "an unknown key": (header(kid="key-2"), "unknown_key"),
    "a key id that is a path": (header(kid="../../../dev/null"), "unknown_key"),
    "a key id that is a query": (header(kid="' OR 1=1 --"), "unknown_key"),
    "a key id of no length": (header(kid=""), "malformed_token"),
    "a key id that is a number": (header(kid=5), "malformed_token"),
    "no key id": (header(kid=...), "malformed_token"),
    "the key in the header": (lambda c: c.stranger.mint(c.claims, {"jwk": c.stranger.jwk()}), "malformed_token"),
    "the key at an address": (header(jku="https://evil.example/keys.json"), "malformed_token"),
    "the key in a certificate": (header(x5c=["MIIB"]), "malformed_token"),
    "a critical extension": (header(crit=["exp"]), "malformed_token"),
    "a payload that is not encoded": (header(b64=False, crit=["b64"]), "malformed_token"),
    "another type": (header(typ="dpop+jwt"), "malformed_token"),
    # another algorithm
    "no algorithm": (lambda c: f"{segment({'alg': 'none', 'kid': c.issuer.kid})}.{segment(c.claims)}.", "malformed_token"),
    "no algorithm and a signature": (lambda c: resigned(c, "none", lambda _: b"x" * 256), "malformed_token"),
    "no algorithm in capitals": (lambda c: resigned(c, "NONE", lambda _: b"x" * 256), "malformed_token"),
    "the public key as a secret": (lambda c: resigned(c, "HS256", mac(public_pem(c), "sha256")), "malformed_token"),
    "the same called RS256": (lambda c: resigned(c, "RS256", mac(public_pem(c), "sha256")), "invalid_signature"),
    "a longer digest": (header(alg="RS512"), "malformed_token"),
    "another padding": (header(alg="PS256"), "malformed_token"),
    "a curve": (header(alg="ES256"), "malformed_token"),
    "several algorithms": (header(alg=["RS256"]), "malformed_token"),
    # another addressee
    "an ID token": (lambda c: c.issuer.id_token(iat=c.iat), "wrong_token_use"),
    "no use": (claim(token_use=...), "wrong_token_use"),
    "another client": (claim(client_id="another"), "wrong_client"),
    "no client": (claim(client_id=...), "wrong_client"),
    "several clients": (claim(client_id=["7testclient0id"]), "wrong_client"),
    "another pool": (claim(iss="https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Another"), "wrong_issuer"),
    "another host": (
        claim(iss="https://cognito-idp.eu-central-1.amazonaws.com.evil.example/eu-central-1_TestPool1"),
        "wrong_issuer",
    ),
    "no issuer": (claim(iss=...), "wrong_issuer"),
    "several issuers": (claim(iss=["https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_TestPool1"]), "wrong_issuer"),
    # other times
    "issued in a minute": (lambda c: c.issuer.access_token(iat=c.now + 60), "not_yet_valid"),
    "not before next hour": (later("nbf", 1800), "not_yet_valid"),
    "never expires": (claim(exp=...), "invalid_claim"),
    "expires far away": (later("exp", 10 * 86_400), "invalid_claim"),
    "expires before it begins": (later("exp", -7200), "invalid_claim"),
    "expiry in words": (claim(exp="tomorrow"), "invalid_claim"),
    "expiry in fractions": (lambda c: claim(exp=c.now + 60.5)(c), "invalid_claim"),
    "expiry that is true": (claim(exp=True), "invalid_claim"),
    "expiry without end": (payload(lambda c: json.dumps({**c.claims, "exp": float("inf")}).encode()), "malformed_token"),
    # other persons
    "nobody": (claim(sub=...), "invalid_claim"),
    "an empty name": (claim(sub=""), "invalid_claim"),
    "a number": (claim(sub=5), "invalid_claim"),
    "an operator": (claim(sub={"$ne": ""}), "invalid_claim"),
    "a name with blanks": (claim(sub="a b"), "invalid_claim"),
    "a name that ends early": (claim(sub="a\x00b"), "invalid_claim"),
    "a long name": (claim(sub="a" * 129), "invalid_claim"),
    "no token id": (claim(jti=...), "invalid_claim"),
    "any token id": (claim(jti=["*"]), "invalid_claim"),
    "an origin that is a number": (claim(origin_jti=5), "invalid_claim"),
    "groups in one word": (claim(**{"cognito:groups": "admin"}), "invalid_claim"),
    "groups of numbers": (claim(**{"cognito:groups": [1]}), "invalid_claim"),
    "half a character": (payload(lambda c: json.dumps({**c.claims, "username": "\ud800"}).encode()), "invalid_claim"),
    # another form
    "five parts": (stitched("{0}.{1}.{2}.{1}.{2}"), "malformed_token"),
    "four parts": (stitched("{0}.{1}.{2}.{2}"), "malformed_token"),
    "two parts": (stitched("{0}.{1}"), "malformed_token"),
    "one part": (stitched("{1}"), "malformed_token"),
    "empty parts": (lambda _: "..", "malformed_token"),
    "no signature": (stitched("{0}.{1}."), "malformed_token"),
    "no payload": (stitched("{0}..{2}"), "malformed_token"),
    "two tokens": (stitched("{0}.{1}.{2}{0}.{1}.{2}"), "malformed_token"),
    "padded": (stitched("{0}=.{1}.{2}"), "malformed_cookie"),
    "quoted": (stitched('"{0}.{1}.{2}"'), "malformed_cookie"),
    "a member twice": (payload(doubled), "malformed_token"),
    "a list": (payload(b"[]"), "malformed_token"),
    "null": (payload(b"null"), "malformed_token"),
    "no JSON": (payload(b"{"), "malformed_token"),
    "no UTF-8": (payload(b'{"sub": "\xff"}'), "malformed_token"),
    "deep": (payload(b"[" * 2000), "malformed_token"),
    "a list for a header": (lambda c: c.issuer.sign(b64url(b"[]"), segment(c.claims)), "malformed_token"),
    "too long": (claim(data="x" * 4000), "malformed_cookie"),
}


@events
@pytest.mark.parametrize("expired", [False, True])
def test_every_forgery_is_refused_unseen(door, issuer, stranger, event, expired):
    """Each for its stable reason, a 401 without a cookie; no read, no write, no refresh, and hardly a key fetch.

    An unknown key right after a fetch is a 503: the pool may have a new one. It is not served either.
    """
    iat = door.now - (7200 if expired else 10)
    claims = issuer.claims(iat=iat)
    case = SimpleNamespace(issuer=issuer, stranger=stranger, now=door.now, iat=iat, claims=claims, good=issuer.mint(claims))
    wrong = {}
    for name, (forge, reason) in FORGERIES.items():
        with pytest.raises(SessionError) as caught:
            door.call(event(f"token={forge(case)}"))
        answer = caught.value.respond()
        assert "cookies" not in answer
        assert "multiValueHeaders" not in answer
        right = {(401, reason)} | ({(503, "keys_unavailable")} if reason == "unknown_key" else set())
        if (answer["statusCode"], caught.value.reason) not in right:
            wrong[name] = caught.value.reason
    assert wrong == {}
    assert door.stack.calls() == []
    assert {request.method for request in door.keys.requests} == {"GET"}
    assert len(door.keys.requests) <= 2


@events
def test_the_good_token_is_served(door, issuer, event):
    """The control: the token that the forgeries are made of is served, after one read."""
    me = door.call(event(f"token={issuer.access_token(iat=door.now - 10)}"))
    assert me.sub == SUB
    assert done(door.stack) == ["GetItem"]


@events
def test_a_clock_that_is_a_little_ahead_is_forgiven(door, issuer, event):
    """Cognito's clock may be some seconds before ours."""
    assert door.call(event(f"token={issuer.access_token(iat=door.now + 8)}")).sub == SUB


def test_cognitos_other_issuer_is_ours_too(door, issuer):
    """Cognito's second form of issuer names the same pool."""
    token = issuer.access_token(
        iat=door.now - 10, iss=f"https://issuer-cognito-idp.eu-central-1.amazonaws.com/{issuer.pool_id}"
    )
    assert door.call(event_v2(f"token={token}")).sub == SUB


@events
def test_a_client_without_revocation_is_the_operators(door, issuer, event):
    """An authentic token without origin_jti: a 500 that names EnableTokenRevocation, and nobody is asked anything."""
    with pytest.raises(ConfigurationError, match="EnableTokenRevocation"):
        door.call(event(f"token={issuer.access_token(iat=door.now - 10, origin_jti=...)}"))
    assert door.stack.calls() == []


def test_a_flood_of_unknown_keys_is_one_fetch(door, issuer):
    """500 tokens with key ids of their own cause one key fetch beyond the first, and reads of nothing.

    Only the one that was fetched for is a 401. Of the others nobody knows yet, since a key may be new: 503.
    """
    claims = issuer.claims(iat=door.now - 10)
    reasons = []
    for number in range(500):
        with pytest.raises(SessionError) as caught:
            door.call(event_v2(f"token={issuer.mint(claims, {'kid': f'key-{number}-of-many'})}"))
        reasons.append((caught.value.status, caught.value.reason))
    assert set(reasons) <= {(401, "unknown_key"), (503, "keys_unavailable")}
    assert reasons.count((401, "unknown_key")) <= 2
    assert len(door.keys.requests) <= 2
    assert door.stack.calls() == []
