"""Access tokens: what is authentic, and every way of being anything else."""

from __future__ import annotations

import hashlib
import hmac
import json
import traceback

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA256, SHA512
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwe, jws
from joserfc.jwk import OctKey, RSAKey

from cognito_session.core.crypto.access_token import (
    MAX_TOKEN_CHARS,
    TokenRules,
    key_id,
    parse,
    unverified_claims,
    verify,
)
from cognito_session.core.crypto.key_set import KeySet
from cognito_session.core.errors import (
    ConfigurationError,
    InvalidClaim,
    InvalidSignature,
    MalformedToken,
    TokenError,
    UnknownKey,
)
from support.case_id import case_id
from support.tokens import CLIENT_ID, ISSUED_AT, LIFE_SECONDS, POOL_ID, SUB, Issuer, b64url, flipped

DAY = 86_400


def check(issuer: Issuer, text: object):
    """`text` verified by this issuer's keys and rules."""
    return verify(text, issuer.key_set(), issuer.rules)


def refusal(issuer: Issuer, text: object) -> TokenError:
    """The TokenError that `text` is refused with."""
    with pytest.raises(TokenError) as caught:
        check(issuer, text)
    return caught.value


def payload_of(text: str) -> dict:
    """The claims of a token, unchecked."""
    return jwt.decode(text, options={"verify_signature": False})


# --- what is authentic


def test_an_access_token_says_who_and_until_when(issuer):
    """Every field of a verified token is the claim it is named after."""
    text = issuer.access_token(scope="a/read b/write", **{"cognito:groups": ["admin", "staff"]})
    token = check(issuer, text)
    assert token.text == text
    assert (token.sub, token.jti, token.origin_jti) == (SUB, "jti-1", "origin-1")
    assert (token.issued_at, token.not_before, token.expires_at) == (ISSUED_AT, ISSUED_AT, ISSUED_AT + LIFE_SECONDS)
    assert (token.auth_time, token.username) == (ISSUED_AT, "alice")
    assert (token.groups, token.scopes) == (("admin", "staff"), frozenset({"a/read", "b/write"}))
    assert {**token.claims, "cognito:groups": list(token.claims["cognito:groups"])} == payload_of(text)


def test_what_a_token_may_lack(issuer):
    """Without them: no auth_time, no groups, no scopes, and the user is called by sub."""
    token = check(issuer, issuer.access_token(auth_time=..., scope=..., username=...))
    assert (token.auth_time, token.groups, token.scopes, token.username) == (None, (), frozenset(), SUB)


@pytest.mark.parametrize("library", ["PyJWT", "joserfc"])
def test_tokens_of_other_libraries_verify(issuer, library):
    """What two independent JOSE libraries sign is authentic: our reading of RFC 7515 is not a private one."""
    claims, headers = issuer.claims(), {"kid": issuer.kid, "alg": "RS256"}
    if library == "PyJWT":
        text = jwt.encode(claims, issuer.private_key, algorithm="RS256", headers=headers)
    else:
        key = RSAKey.import_key(_pem(issuer, private=True))
        text = jws.serialize_compact(headers, json.dumps(claims), key)
    assert check(issuer, text).sub == SUB


@pytest.mark.parametrize("age", [0, LIFE_SECONDS, 400 * DAY], ids=["new", "just expired", "long expired"])
def test_an_expired_token_verifies(issuer, age):
    """Authenticity does not age: an expired token is still a proof of who signed in."""
    assert check(issuer, issuer.access_token(iat=ISSUED_AT - age)).expires_at == ISSUED_AT - age + LIFE_SECONDS


@pytest.mark.parametrize("host", ["cognito-idp", "issuer-cognito-idp"])
def test_both_forms_of_issuer_are_ours(issuer, host):
    """Cognito has two spellings of one pool's issuer; both are accepted."""
    iss = f"https://{host}.eu-central-1.amazonaws.com/{POOL_ID}"
    assert check(issuer, issuer.access_token(iss=iss)).sub == SUB


def test_issuers_in_china_have_another_domain():
    """A pool of a Chinese region is issued under amazonaws.com.cn and nowhere else."""
    assert TokenRules.of_pool("cn-north-1_AbC", "c").issuers == {
        "https://cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_AbC",
        "https://issuer-cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_AbC",
    }


@pytest.mark.parametrize("typ", ["JWT", "at+jwt", ...])
def test_the_type_may_be_missing_or_an_access_token_s(issuer, typ):
    """Cognito sends no typ; JWT and at+jwt are what others would."""
    assert check(issuer, issuer.mint(issuer.claims(), {"typ": typ})).sub == SUB


@pytest.mark.parametrize("life", [1, DAY])
def test_a_token_lives_up_to_a_day(issuer, life):
    """The shortest and the longest life of a token are accepted."""
    assert check(issuer, issuer.access_token(exp=ISSUED_AT + life)).expires_at == ISSUED_AT + life


@pytest.mark.parametrize(("nbf", "begins"), [(ISSUED_AT - 60, ISSUED_AT), (ISSUED_AT + 60, ISSUED_AT + 60)])
def test_a_token_begins_at_the_later_of_iat_and_nbf(issuer, nbf, begins):
    """not_before is never earlier than the instant of issue, and follows a later nbf."""
    assert check(issuer, issuer.access_token(nbf=nbf)).not_before == begins


@pytest.mark.parametrize("name", ["sub", "jti", "origin_jti"])
@pytest.mark.parametrize("value", ["a", "a" * 128, "!~{}:/", "user@example.com"])
def test_names_are_1_to_128_visible_ascii_characters(issuer, name, value):
    """Each identifier of that form is taken as it is."""
    assert getattr(check(issuer, issuer.access_token(**{name: value})), name) == value


def test_other_claims_may_hold_anything_json_can(issuer):
    """Claims that we do not read do not matter: custom ones come through unchanged."""
    custom = {"custom:x": [1, None, {"a": "\u00fc"}], "big": 10**30, "float": 1.5}
    claims = check(issuer, issuer.access_token(**custom)).claims
    assert claims["custom:x"] == (1, None, {"a": "\u00fc"})
    assert (claims["big"], claims["float"]) == (10**30, 1.5)


# --- the text

NOT_TEXT = {"none": None, "bytes": b"a.b.c", "number": 7, "list": ["a", "b", "c"], "mapping": {"payload": "x"}, "true": True}


@pytest.mark.parametrize("text", NOT_TEXT.values(), ids=NOT_TEXT)
def test_what_is_no_text_is_no_token(issuer, text):
    """A value of another type is malformed, not a crash."""
    assert refusal(issuer, text).reason == "malformed_token"


def test_a_token_up_to_the_limits_is_read(issuer):
    """Cognito's own limits make the longest token: 100 groups with names of 128 characters, each of four bytes."""
    groups = [f"{number:03}" + "\U00010348" * 125 for number in range(100)]
    text = issuer.access_token(**{"cognito:groups": groups})
    assert 60_000 < len(text) <= MAX_TOKEN_CHARS
    assert check(issuer, text).groups == tuple(groups)


def test_an_oversized_part_is_refused_though_authentic(issuer):
    """A header over its limit is malformed even where the whole is within the token's."""
    assert refusal(issuer, issuer.mint(issuer.claims(), {"x": "x" * 9_200})).reason == "malformed_token"


def test_an_oversized_token_is_refused_though_authentic(issuer):
    """Parts within their limits that together exceed the token's are malformed, before any key is looked for."""
    text = issuer.mint(issuer.claims(filler="x" * 170_000), {"x": "x" * 6_000})
    assert max(map(len, text.split("."))) < MAX_TOKEN_CHARS
    assert len(text) > MAX_TOKEN_CHARS
    assert refusal(issuer, text).reason == "malformed_token"
    with pytest.raises(MalformedToken):
        key_id(text)


@pytest.mark.parametrize("dots", [0, 1, 3, 4])
def test_the_number_of_parts_is_checked_before_any_key_is_fetched(issuer, dots):
    """A JWE, or anything else that is not of three parts, tells no kid although its header would."""
    header = issuer.access_token().partition(".")[0]
    with pytest.raises(MalformedToken):
        key_id(header + ".e30" * dots)


def _malformed_texts(issuer: Issuer) -> dict[str, str]:
    good = issuer.access_token()
    header, payload, signature = good.split(".")
    std_header = json.dumps({"kid": issuer.kid, "alg": "RS256"})
    return {
        "empty": "",
        "blank": " ",
        "two dots": "..",
        "one part": header,
        "two parts": f"{header}.{payload}",
        "four parts": f"{good}.{signature}",
        "trailing dot": f"{good}.",
        "leading dot": f".{good}",
        "no header": f".{payload}.{signature}",
        "no payload": f"{header}..{signature}",
        "no signature": f"{header}.{payload}.",
        "truncated in the header": good[:10],
        "blank before": f" {good}",
        "blank after": f"{good} ",
        "line feed after": f"{good}\n",
        "line feed within": f"{header}.{payload[:9]}\n{payload[9:]}.{signature}",
        "Bearer before": f"Bearer {good}",
        "quoted": f'"{good}"',
        "non-ASCII header": f"\u00e9{good}",
        "non-ASCII payload": f"{header}.\u00e9{payload}.{signature}",
        "non-ASCII signature": f"{header}.{payload}.{signature}\u00e9",
        "fullwidth dots": good.replace(".", "\uff0e"),
        "lone surrogate": f"{header}.{payload}\ud800.{signature}",
        "NUL": f"{good}\x00",
        "five parts": f"{header}.{payload}.{signature}.{payload}.{signature}",
        "padded header": issuer.sign(b64url(std_header.encode().ljust(62)) + "=", payload),
        "padded payload": issuer.sign(header, f"{payload}=="),
        "padded signature": f"{good}==",
        "standard alphabet in the payload": issuer.sign(header, b64url(json.dumps({"a": "\u00bf?>"}).encode()) + "+/+/"),
        "junk in the header": issuer.sign(f"{header[:4]}!!!!{header[4:]}", payload),
        "junk in the signature": f"{header}.{payload}.{signature[:4]}!!!!{signature[4:]}",
        "impossible length": issuer.sign(header, "A" * 5),
        "payload no JSON": issuer.mint(b"sub=1"),
        "payload empty object's half": issuer.mint(b"{"),
        "payload a list": issuer.mint(b"[1]"),
        "payload a text": issuer.mint(b'"sub"'),
        "payload a number": issuer.mint(b"7"),
        "payload null": issuer.mint(b"null"),
        "payload with more after it": issuer.mint(json.dumps(issuer.claims()).encode() + b"{}"),
        "payload in UTF-16": issuer.mint(json.dumps(issuer.claims()).encode("utf-16")),
        "payload in Latin-1": issuer.mint(b'{"sub":"\xe9"}'),
        "payload with a byte order mark": issuer.mint(b"\xef\xbb\xbf" + json.dumps(issuer.claims()).encode()),
        "payload with overlong UTF-8": issuer.mint(b'{"sub":"\xc0\xae"}'),
        "payload with UTF-8 surrogates": issuer.mint(b'{"sub":"\xed\xa0\x80"}'),
        "payload with a control character": issuer.mint(b'{"sub":"\n"}'),
        "payload with NaN": issuer.mint(json.dumps(issuer.claims(x=float("nan"))).encode()),
        "payload with Infinity": issuer.mint(json.dumps(issuer.claims(x=float("inf"))).encode()),
        "payload with -Infinity": issuer.mint(json.dumps(issuer.claims(x=float("-inf"))).encode()),
        "payload with a duplicate claim": issuer.mint(b'{"sub":"x",' + json.dumps(issuer.claims()).encode()[1:]),
        "payload with a duplicate below": issuer.mint(b'{"x":{"a":1,"a":2},' + json.dumps(issuer.claims()).encode()[1:]),
        "payload with an escaped duplicate": issuer.mint(b'{"\\u0073ub":"x",' + json.dumps(issuer.claims()).encode()[1:]),
        "payload with an endless number": issuer.mint(b'{"a":' + b"9" * 5_000 + b"}"),
        "header no JSON": issuer.mint(issuer.claims(), b"RS256"),
        "header a list": issuer.mint(issuer.claims(), b'["RS256"]'),
        "header in UTF-16": issuer.mint(issuer.claims(), std_header.encode("utf-16")),
        "header with a duplicate alg": issuer.mint(issuer.claims(), b'{"alg":"none",' + std_header.encode()[1:]),
        "header with a duplicate kid": issuer.mint(issuer.claims(), b'{"kid":"x",' + std_header.encode()[1:]),
        "header with NaN": issuer.mint(issuer.claims(), b'{"x":NaN,' + std_header.encode()[1:]),
        "JSON serialization": json.dumps({"payload": payload, "protected": header, "signature": signature}),
        "flattened JSON with dots": json.dumps({"payload": good}),
        "JWE in five parts": _encrypted(issuer),
    }


def _encrypted(issuer: Issuer) -> str:
    key = RSAKey.import_key(_pem(issuer))
    registry = jwe.JWERegistry(algorithms=["RSA-OAEP-256", "A256GCM"])
    header = {"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": issuer.kid}
    return jwe.encrypt_compact(header, json.dumps(issuer.claims()), key, registry=registry)


def test_every_malformed_text_is_refused_as_malformed(issuer):
    """Whatever is not the one spelling of a compact JWS of strict JSON is malformed, even where its signature is good."""
    texts = _malformed_texts(issuer)
    reasons = {name: refusal(issuer, text).reason for name, text in texts.items()}
    assert reasons == dict.fromkeys(texts, "malformed_token")


@pytest.mark.parametrize(
    "nest", [b"[" * 4_500 + b"]" * 4_500, b'{"a":' * 1_500 + b"1" + b"}" * 1_500], ids=["lists", "objects"]
)
def test_deep_nesting_is_no_crash(issuer, nest):
    """Nesting as deep as the size limit allows ends as a TokenError: no RecursionError leaves the core."""
    assert refusal(issuer, issuer.mint(b'{"a":' + nest + b"}")).status == 401
    assert refusal(issuer, issuer.mint(b"{}", b'{"kid":"key-1","alg":"RS256","x":' + nest + b"}")).status == 401


def test_every_unused_bit_must_be_zero(issuer):
    """A part whose last character differs only in bits that no byte holds is another spelling, and refused."""
    header, payload, signature = issuer.access_token().split(".")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    assert len(signature) == 342  # 256 bytes: the last character carries four unused bits
    for other in range(1, 16):
        last = alphabet[alphabet.index(signature[-1]) ^ other]
        assert refusal(issuer, f"{header}.{payload}.{signature[:-1]}{last}").reason == "malformed_token"
    for filler in ("", "x", "xx"):
        text = json.dumps(issuer.claims(filler=filler)).encode()
        if len(text) % 3:
            spelled = b64url(text)
            other = spelled[:-1] + alphabet[alphabet.index(spelled[-1]) ^ 1]
            assert refusal(issuer, issuer.sign(header, other)).reason == "malformed_token"


# --- the header


def _pem(issuer: Issuer, *, private: bool = False) -> bytes:
    if private:
        none = serialization.NoEncryption()
        return issuer.private_key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, none)
    public = issuer.private_key.public_key()
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _hmac_signed(issuer: Issuer, secret: bytes, alg: str) -> str:
    signed = f"{b64url(json.dumps({'alg': alg, 'kid': issuer.kid}).encode())}.{b64url(json.dumps(issuer.claims()).encode())}"
    return f"{signed}.{b64url(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


@pytest.mark.parametrize("alg", ["HS256", "hs256", "RS256"])
def test_the_public_key_is_no_secret(issuer, alg):
    """A MAC made with our published key, in any of its spellings and under any alg, proves nothing."""
    public = issuer.private_key.public_key()
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    pem = _pem(issuer)
    jwk = issuer.jwk()
    secrets = [
        pem,
        pem.strip(),
        der,
        json.dumps(jwk).encode(),
        json.dumps(jwk, separators=(",", ":")).encode(),
        jwk["n"].encode(),
    ]
    secrets += [b"", b"\x00", issuer.kid.encode()]
    expected = "invalid_signature" if alg == "RS256" else "malformed_token"
    assert {refusal(issuer, _hmac_signed(issuer, secret, alg)).reason for secret in secrets} == {expected}


ALGORITHMS = ["none", "None", "NONE", "NoNe", "noNE", "", "HS256", "HS384", "HS512", "RS384", "RS512", "PS256", "PS512"]
ALGORITHMS += ["ES256", "EdDSA", "rs256", "Rs256", "RS256 ", " RS256", "RS256\x00", "RSA1_5", "dir"]
ALGORITHMS += [None, 256, True, ["RS256"], {"alg": "RS256"}, ...]


@pytest.mark.parametrize("alg", ALGORITHMS, ids=case_id)
def test_only_rs256_is_an_algorithm(issuer, alg):
    """Under any other alg, in any case or type, a token is malformed although its RS256 signature is right."""
    text = issuer.mint(issuer.claims(), {"alg": alg})
    assert refusal(issuer, text).reason == "malformed_token"
    unsigned = text.rpartition(".")[0]
    assert {refusal(issuer, f"{unsigned}.{end}").reason for end in ("", "AA")} == {"malformed_token"}


@pytest.mark.parametrize(
    ("name", "scheme", "digest"),
    [
        ("RS512", padding.PKCS1v15(), SHA512()),
        ("PS256", padding.PSS(padding.MGF1(SHA256()), 32), SHA256()),
        ("PS512", padding.PSS(padding.MGF1(SHA512()), 64), SHA512()),
    ],
)
def test_other_schemes_of_the_same_key_do_not_pass(issuer, name, scheme, digest):
    """What our key signed by another scheme is refused under that scheme's name and under RS256."""
    for alg, reason in ((name, "malformed_token"), ("RS256", "invalid_signature")):
        signed = issuer.mint(issuer.claims(), {"alg": alg}).rpartition(".")[0]
        signature = issuer.private_key.sign(signed.encode(), scheme, digest)
        assert refusal(issuer, f"{signed}.{b64url(signature)}").reason == reason


def test_a_key_that_the_token_brings_is_ignored(issuer, stranger):
    """A token that embeds the key which signed it is malformed: keys come from the pool's set only."""
    jwk = {**stranger.jwk(), "kid": issuer.kid}
    assert refusal(issuer, stranger.mint(issuer.claims(), {"jwk": jwk})).reason == "malformed_token"
    assert refusal(issuer, stranger.mint(issuer.claims(), {"jwk": jwk, "kid": "none-of-ours"})).reason == "malformed_token"


HOSTILE = {
    "crit": ["exp"],
    "b64": False,
    "jku": "https://evil.example/jwks.json",
    "jwk": {"kty": "oct", "k": "AA"},
    "x5u": "https://evil.example/cert.pem",
    "x5c": ["MIIB"],
    "zip": "DEF",
    "enc": "A256GCM",
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("empty", [False, True], ids=["filled", "null"])
def test_headers_that_change_how_a_token_is_read_are_refused(issuer, name, empty):
    """Each of them, with a value or with null, makes even a correctly signed token malformed."""
    text = issuer.mint(issuer.claims(), {name: None if empty else HOSTILE[name]})
    assert refusal(issuer, text).reason == "malformed_token"


@pytest.mark.parametrize(
    "typ", ["JOSE", "JWE", "jwt", "at+JWT", "id+jwt", "dpop+jwt", "logout+jwt", "", None, 7, ["JWT"], {"JWT": 1}]
)
def test_tokens_of_another_type_are_refused(issuer, typ):
    """A typ that names another kind of token, or is no text, is malformed."""
    assert refusal(issuer, issuer.mint(issuer.claims(), {"typ": typ})).reason == "malformed_token"


@pytest.mark.parametrize("kid", [..., None, "", 7, 1.5, True, ["key-1"], {"kid": "key-1"}, "k" * 257], ids=case_id)
def test_a_kid_is_a_text_of_1_to_256_characters(issuer, kid):
    """A token that names its key in any other way is malformed, before any key is asked for."""
    text = issuer.mint(issuer.claims(), {"kid": kid})
    assert refusal(issuer, text).reason == "malformed_token"
    with pytest.raises(MalformedToken):
        key_id(text)


@pytest.mark.parametrize("kid", ["key-2", "KEY-1", "key-1 ", "../key-1", "' OR 1=1", "\ud800", "k" * 256])
def test_a_kid_that_the_set_lacks_is_an_unknown_key(issuer, kid):
    """A well-formed kid that is not in the set says so: only that may cause a fetch."""
    text = issuer.mint(issuer.claims(), {"kid": kid})
    assert key_id(text) == kid
    error = refusal(issuer, text)
    assert type(error) is UnknownKey
    assert error.reason == "unknown_key"


def test_the_kid_is_told_before_the_rest_is_read(issuer):
    """key_id reads the header only, so that a fetch can be decided on before payload and signature are looked at."""
    header = issuer.access_token().partition(".")[0]
    assert key_id(f"{header}.!!.!!") == "key-1"


# --- the signature


def test_every_bit_of_the_signature_counts(issuer):
    """A token with any one character of its signature exchanged is refused."""
    text = issuer.access_token()
    start = text.rindex(".") + 1
    reasons = {refusal(issuer, flipped(text, index)).reason for index in range(start, len(text))}
    assert reasons <= {"invalid_signature", "malformed_token"}
    assert refusal(issuer, flipped(text, start)).reason == "invalid_signature"


def test_every_bit_of_what_is_signed_counts(issuer):
    """A token with any one character of header or payload exchanged is refused."""
    text = issuer.access_token()
    for index in (index for index in range(text.rindex(".")) if text[index] != "."):
        assert refusal(issuer, flipped(text, index)).status == 401


def test_a_changed_claim_under_the_old_signature_is_refused(issuer):
    """Another sub, or a later expiry, in an otherwise untouched token does not verify."""
    header, payload, signature = issuer.access_token().split(".")
    for change in ({"sub": "22222222-2222-4333-8444-555555555555"}, {"exp": ISSUED_AT + DAY}, {"cognito:groups": ["admin"]}):
        other = b64url(json.dumps(issuer.claims(**change), separators=(",", ":")).encode())
        assert other != payload
        assert refusal(issuer, f"{header}.{other}.{signature}").reason == "invalid_signature"


@pytest.mark.parametrize(
    "signature", [b"\x00", b"\x00" * 256, b"\x01" * 256, b"\xff" * 256, b"\x00" * 255, b"\x00" * 257, b"\x00" * 9000],
    ids=["one byte", "zeros", "ones", "over the modulus", "too short", "too long", "huge"],
)  # fmt: skip
def test_numbers_that_are_no_signature_are_refused(issuer, signature):
    """Zero, one, numbers above the modulus and those of another length are refused, not a crash."""
    signed = issuer.access_token().rpartition(".")[0]
    assert refusal(issuer, f"{signed}.{b64url(signature)}").reason == "invalid_signature"


def test_a_stranger_s_key_under_our_kid_is_refused(issuer, stranger):
    """The right names signed by another key: the signature decides."""
    assert stranger.kid == issuer.kid
    assert refusal(issuer, stranger.access_token()).reason == "invalid_signature"


def test_a_signature_of_one_token_does_not_serve_another(issuer):
    """Parts of two authentic tokens make no third."""
    one, two = issuer.access_token(jti="one"), issuer.access_token(jti="two")
    mixed = f"{one.rpartition('.')[0]}.{two.rpartition('.')[2]}"
    assert refusal(issuer, mixed).reason == "invalid_signature"


def test_a_good_signature_is_checked_before_any_claim(issuer, stranger):
    """What a forged token claims is never commented on: its signature is what is wrong."""
    for claims in ({"iss": "x"}, {"sub": 7}, {"origin_jti": ...}, {"exp": "x"}):
        assert refusal(issuer, stranger.access_token(**claims)).reason == "invalid_signature"


# --- the claims

HUGE = [2**63, 10**30, 32_503_680_000]
INSTANTS = [..., None, "", str(ISSUED_AT), float(ISSUED_AT), 1.5, True, False, 0, -1, -ISSUED_AT, [ISSUED_AT], {}, *HUGE]
NAMES = [..., None, "", 7, True, ["x"], {"S": "x"}, "a" * 129, "a b", " a", "a ", "a\tb", "a\n", "a\x00", "\x7f", "\u00e9",
         "\u2028", "\ud800", "\U0001f600"]  # fmt: skip
TEXTS = [None, 7, True, ["x"], {}, "\ud800", "a\udfffb"]
WRONG = {
    "iss": ("wrong_issuer", [
        ..., None, "", 7, ["https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_TestPool1"],
        "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_TestPool2",
        "https://cognito-idp.eu-west-1.amazonaws.com/eu-central-1_TestPool1",
        "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_TestPool1/",
        "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_testpool1",
        "http://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_TestPool1",
        "https://cognito-idp.eu-central-1.amazonaws.com.evil.example/eu-central-1_TestPool1",
        "https://evil.example/eu-central-1_TestPool1",
        "https://cognito-idp.eu-central-1.amazonaws.com.cn/eu-central-1_TestPool1",
    ]),
    "client_id": ("wrong_client", [..., None, "", 7, [CLIENT_ID], CLIENT_ID.upper(), CLIENT_ID + "x", "another"]),
    "token_use": ("wrong_token_use", [..., None, "", "id", "refresh", "Access", ["access"], True]),
    "iat": ("invalid_claim", INSTANTS),
    "exp": ("invalid_claim", [*INSTANTS, ISSUED_AT, ISSUED_AT - 1, ISSUED_AT + DAY + 1, ISSUED_AT + 400 * DAY]),
    "nbf": ("invalid_claim", INSTANTS[1:]),
    "auth_time": ("invalid_claim", INSTANTS[1:]),
    "sub": ("invalid_claim", NAMES),
    "jti": ("invalid_claim", NAMES),
    "origin_jti": ("invalid_claim", NAMES[1:]),
    "username": ("invalid_claim", TEXTS),
    "scope": ("invalid_claim", TEXTS),
    "cognito:groups": ("invalid_claim", [None, "admin", 7, True, {"admin": 1}, ["admin", 7], [None], [["admin"]], ["\ud800"]]),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_every_wrong_claim_is_refused_by_its_name(issuer, name):
    """A correctly signed token whose claim is missing, mistyped or somebody else's is an InvalidClaim that names it."""
    reason, values = WRONG[name]
    for value in values:
        claims = issuer.claims()
        claims[name] = value
        text = issuer.mint({claim: found for claim, found in claims.items() if found is not ...})
        error = refusal(issuer, text)
        assert type(error) is InvalidClaim, value
        assert (error.reason, error.claim) == (reason, name.removeprefix("cognito:")), value


@pytest.mark.parametrize("number", [b"1e400", b"1e3", b"1.0", b"1700003600.0", b"-0", b"1E9"])
def test_an_instant_is_spelled_as_a_whole_number(issuer, number):
    """An exp that JSON spells as a fraction, with an exponent or beyond every float is refused."""
    text = json.dumps(issuer.claims(exp=0)).encode().replace(b'"exp": 0', b'"exp": ' + number)
    error = refusal(issuer, issuer.mint(text))
    assert (error.reason, error.claim) == ("invalid_claim", "exp")


def test_an_id_token_is_none_of_ours(issuer):
    """The same user's ID token, signed by the same key, opens nothing."""
    assert refusal(issuer, issuer.id_token()).reason == "wrong_token_use"


def test_a_neighbour_pool_s_token_is_refused(issuer):
    """Another pool's token is an unknown key, and a wrong issuer even where the key were shared."""
    other = Issuer(pool_id="eu-central-1_Other", key=issuer.private_key, kid="other-key")
    assert refusal(issuer, other.access_token()).reason == "unknown_key"
    shared = Issuer(pool_id="eu-central-1_Other", key=issuer.private_key)
    assert refusal(issuer, shared.access_token()).reason == "wrong_issuer"


def test_a_neighbour_client_s_token_is_refused(issuer):
    """Another app client of the same pool signs with the same key, and its tokens are not for us."""
    other = Issuer(client_id="another0client", key=issuer.private_key)
    assert refusal(issuer, other.access_token()).reason == "wrong_client"


def test_without_origin_jti_the_app_client_is_set_up_wrong(issuer):
    """An authentic token without origin_jti is nobody's attack: the operator is told which setting to turn on."""
    with pytest.raises(ConfigurationError, match="EnableTokenRevocation"):
        check(issuer, issuer.access_token(origin_jti=...))


def test_the_prototype_of_no_object_is_touched(issuer):
    """Claims with names that mean something to other languages or to Python are data."""
    token = check(issuer, issuer.access_token(__proto__={"admin": True}, __class__="x", constructor=1))
    assert token.groups == ()


# --- what is remembered


def test_a_repeated_token_is_not_checked_again(issuer):
    """The same text under the same key and rules is answered from memory."""
    text = issuer.access_token(jti="repeated")
    assert check(issuer, text) is check(issuer, text)


def test_memory_does_not_outlive_the_key(issuer, stranger):
    """A key removed from the set, or replaced under its kid, refuses a token it once verified."""
    text = issuer.access_token(jti="rotated")
    check(issuer, text)
    without = KeySet.parse({"keys": [issuer.jwk(kid="key-2")]}, fetched_at=1.0)
    with pytest.raises(UnknownKey):
        verify(text, without, issuer.rules)
    with pytest.raises(InvalidSignature):
        verify(text, stranger.key_set(), issuer.rules)
    check(issuer, text)


def test_memory_is_not_shared_between_rules(issuer):
    """A token verified for one client or pool is refused by the rules of another one that trusts the same key."""
    text = issuer.access_token(jti="shared")
    check(issuer, text)
    for rules in (TokenRules.of_pool(POOL_ID, "another"), TokenRules.of_pool("eu-central-1_Other", CLIENT_ID)):
        with pytest.raises(InvalidClaim):
            verify(text, issuer.key_set(), rules)


def test_a_refusal_is_not_remembered_as_anything_else(issuer, stranger):
    """A forgery stays one however often it is tried, and does not spoil the key's good tokens."""
    forged = stranger.access_token(jti="again")
    assert [refusal(issuer, forged).reason for _ in range(3)] == ["invalid_signature"] * 3
    assert verify(forged, stranger.key_set(), stranger.rules).jti == "again"
    assert refusal(issuer, forged).reason == "invalid_signature"


# --- parse: for one use only


def test_parse_reads_claims_and_no_signature(issuer, stranger):
    """Parse takes a token that a stranger signed: whoever calls it must have another proof."""
    assert parse(stranger.access_token(jti="word"), issuer.rules).jti == "word"


@pytest.mark.parametrize(
    ("claims", "reason"),
    [({"iss": "x"}, "wrong_issuer"), ({"client_id": "x"}, "wrong_client"), ({"token_use": "id"}, "wrong_token_use"),
     ({"exp": "x"}, "invalid_claim"), ({"sub": "a b"}, "invalid_claim")],
    ids=["iss", "client_id", "token_use", "exp", "sub"],
)  # fmt: skip
def test_parse_checks_every_claim(issuer, claims, reason):
    """Without its signature a token must still be well-formed and meant for us."""
    with pytest.raises(TokenError) as caught:
        parse(issuer.access_token(**claims), issuer.rules)
    assert caught.value.reason == reason


def test_parse_refuses_malformed_texts_as_verify_does(issuer):
    """Parse is no way around the strict reading, header included."""
    for text in [*_malformed_texts(issuer).values(), issuer.mint(issuer.claims(), {"alg": "none"})]:
        with pytest.raises(MalformedToken):
            parse(text, issuer.rules)


EXPECTED = [
    ({"iss": "x"}, "claim iss: expected the configured user pool's issuer"),
    ({"token_use": "id"}, "claim token_use: expected an access token, not an ID token"),
    ({"client_id": "x"}, "claim client_id: expected the configured app client"),
    ({"aud": 7}, "claim aud: expected a text or a list of texts"),
    ({"aud": "https://other.example"}, "claim aud: expected one of the policy's audiences"),
    ({"iat": "x", "exp": 1}, "claim iat: expected a whole number of seconds since 1970"),
    ({"nbf": 1.5}, "claim nbf: expected a whole number of seconds since 1970"),
    ({"exp": ISSUED_AT + DAY + 1}, "claim exp: expected an instant up to one day after iat"),
    ({"sub": "a b"}, "claim sub: expected 1 to 128 visible ASCII characters"),
    ({"username": 7}, "claim username: expected text"),
    ({"scope": ["a"]}, "claim scope: expected text"),
    ({"cognito:groups": "admin"}, "claim groups: expected a list of texts in cognito:groups"),
]


@pytest.mark.parametrize(("claims", "said"), EXPECTED, ids=[said.partition(":")[0] for _, said in EXPECTED])
def test_a_refused_claim_is_named_with_what_it_should_hold(issuer, claims, said):
    """An operator reads in the log which setting of the user pool or app client does not fit."""
    rules = TokenRules.of_pool(POOL_ID, CLIENT_ID, ["https://api.example"])
    with pytest.raises(InvalidClaim) as caught:
        verify(issuer.access_token(**claims), issuer.key_set(), rules)
    assert str(caught.value) == said


@pytest.mark.parametrize(
    "text",
    [
        *("\u00fc.e30.AAAA", "e30.e30.\u00fcAAA", "e30.\u00fc30.AAAA"),
        *("a" * MAX_TOKEN_CHARS + ".e30.AAAA", "\u00fc" * MAX_TOKEN_CHARS + ".e30.AAAA"),
        *(None, b"e30.e30.AAAA", 7),
    ],
    ids=case_id,
)
def test_a_description_of_a_malformed_token_is_refused(text):
    """Other characters than ASCII, too many of them, and other types: each alone is a MalformedToken."""
    with pytest.raises(MalformedToken):
        unverified_claims(text)
    assert unverified_claims("e30.e30.AAAA") == {}


# --- what is never shown


def test_repr_shows_no_token(issuer):
    """A token in a log shows neither its text nor its claims, the custom ones included."""
    text = issuer.access_token(**{"custom:secret": "hush-hush"})
    shown = f"{check(issuer, text)!r} {check(issuer, text)!s}"
    assert all(part not in shown for part in (*text.split("."), "hush-hush"))


def test_no_error_shows_the_token_or_a_claim(issuer, stranger):
    """Messages, arguments and printed tracebacks of refusals hold no part of the token and no claim's value."""
    texts = [
        stranger.access_token(),
        issuer.access_token(sub="very private"),
        issuer.access_token(client_id="very private"),
        issuer.access_token(exp="very private"),
        issuer.mint(issuer.claims(), {"kid": "very private"}),
        issuer.mint(issuer.claims(), {"alg": "very private"}),
        issuer.mint(b'{"sub":"very private"'),
    ]
    for text in texts:
        error = refusal(issuer, text)
        shown = "".join(traceback.format_exception(error)) + repr(error.args) + json.dumps(error.respond())
        assert "very private" not in shown
        assert all(part not in shown for part in text.split("."))


PIECES = st.sampled_from(["eyJhbGciOiJSUzI1NiIsImtpZCI6ImtleS0xIn0", ".", "e30", "AA", "=", "\u00e9", "-_"])
PARTS = st.lists(st.binary(max_size=40).map(b64url), min_size=3, max_size=3)
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=9)
)
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3), max_leaves=5
)
CLAIMS = st.sampled_from(["sub", "jti", "origin_jti", "iss", "exp", "iat", "nbf", "username", "scope", "cognito:groups"])


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80) | st.lists(PIECES, max_size=9).map("".join) | PARTS.map(".".join))
def test_no_text_is_authentic_by_accident(issuer, text):
    """Any text that our key did not sign is a TokenError with one of the stable reasons, and nothing else happens."""
    assert refusal(issuer, text).reason in {"malformed_token", "unknown_key", "invalid_signature"}


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(CLAIMS, JSON, min_size=1, max_size=3))
def test_signed_claims_of_any_type_either_fit_or_are_refused(issuer, claims):
    """Whatever JSON an authentic token claims, it comes out with the promised types or or is refused."""
    text = issuer.mint({**issuer.claims(), **claims})
    try:
        token = check(issuer, text)
    except (InvalidClaim, MalformedToken):
        return
    assert {type(token.issued_at), type(token.expires_at), type(token.not_before)} == {int}
    assert all(type(text) is str for text in (token.sub, token.jti, token.origin_jti, token.username, *token.groups))


def test_symmetric_keys_never_enter():
    """A document of secrets, as another library would take it for, yields no key at all."""
    from cognito_session.core.errors import KeysUnavailable

    with pytest.raises(KeysUnavailable):
        KeySet.parse({"keys": [OctKey.generate_key(256).as_dict(kid="key-1", alg="RS256", use="sig")]}, fetched_at=0.0)
