"""The key set: which published keys are kept, and when an unknown one may cause a fetch."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from cognito_session.core.crypto.key_set import REFETCH_COOLDOWN_SECONDS, KeySet, SigningKey
from cognito_session.core.errors import KeysUnavailable
from support.tokens import Issuer, b64url


def number(value: int) -> str:
    """An integer as JWK members spell it (RFC 7518 2)."""
    return b64url(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def parse(*entries: object) -> KeySet:
    """A document of these entries, fetched at 100."""
    return KeySet.parse({"keys": list(entries)}, fetched_at=100.0)


def test_a_published_key_is_kept_by_its_kid(issuer):
    """The key of a Cognito document is found under its kid with n and e as published, and under no other."""
    keys = parse(issuer.jwk())
    assert keys.find("key-1") == SigningKey("key-1", issuer.jwk()["n"], issuer.jwk()["e"])
    assert keys.find("key-2") is None
    assert keys.find("") is None
    assert keys.fetched_at == 100.0


ACCEPTED = {
    "as published": {},
    "no use": {"use": None},
    "no alg": {"alg": None},
    "key_ops verify": {"key_ops": ["verify"]},
    "unknown members": {"x5t": "x", "ext": True},
    "kid of 256 characters": {"kid": "k" * 256},
    "e of 3": {"e": number(3)},
}


@pytest.mark.parametrize("members", ACCEPTED.values(), ids=ACCEPTED)
def test_a_usable_key_is_kept(issuer, members):
    """What RFC 7517 leaves optional may be missing, and members we do not know change nothing."""
    key = issuer.jwk(**members)
    assert parse(key).find(key["kid"]) == SigningKey(key["kid"], key["n"], key["e"])


PASSED_OVER = {
    "use enc": {"use": "enc"},
    "use of another type": {"use": ["sig"]},
    "use empty": {"use": ""},
    "alg RS512": {"alg": "RS512"},
    "alg PS256": {"alg": "PS256"},
    "alg HS256": {"alg": "HS256"},
    "alg none": {"alg": "none"},
    "alg rs256": {"alg": "rs256"},
    "alg of another type": {"alg": ["RS256"]},
    "kty EC": {"kty": "EC"},
    "kty oct": {"kty": "oct"},
    "kty missing": {"kty": None},
    "kty rsa": {"kty": "rsa"},
    "key_ops sign": {"key_ops": ["sign"]},
    "key_ops empty": {"key_ops": []},
    "key_ops verify and encrypt": {"key_ops": ["verify", "encrypt"]},
    "key_ops text": {"key_ops": "verify"},
    "kid missing": {"kid": None},
    "kid empty": {"kid": ""},
    "kid a number": {"kid": 1},
    "kid a list": {"kid": ["key-1"]},
    "kid too long": {"kid": "k" * 257},
    "n missing": {"n": None},
    "n empty": {"n": ""},
    "n a number": {"n": 7},
    "n not base64": {"n": "\u00e9" * 400},
    "n of impossible length": {"n": "A" * 341},
    "e missing": {"e": None},
    "e empty": {"e": ""},
    "e a number": {"e": 65537},
    "e zero": {"e": "AA"},
    "e one": {"e": number(1)},
    "e two": {"e": number(2)},
    "e even": {"e": number(65536)},
    "e of 65 bits": {"e": number((1 << 64) | 1)},
    "e over n": {"e": number((1 << 2100) | 1)},
    "8200-bit n": {"n": number((1 << 8199) | 1)},
}


@pytest.mark.parametrize("members", PASSED_OVER.values(), ids=PASSED_OVER)
def test_an_unusable_key_is_passed_over(issuer, stranger, members):
    """A key for another purpose, or one that is none, is not kept; a good one beside it is."""
    good = stranger.jwk(kid="good")
    assert set(parse(issuer.jwk(**members), good).keys) == {"good"}


@pytest.mark.parametrize("members", PASSED_OVER.values(), ids=PASSED_OVER)
def test_a_document_without_a_usable_key_is_an_outage(issuer, members):
    """Nothing usable in the document means that nothing can be found out: 503, never a refusal."""
    with pytest.raises(KeysUnavailable, match="no RSA signing key"):
        parse(issuer.jwk(**members))


@pytest.mark.parametrize(
    ("bits", "kept"), [(1024, False), (2047, False), (2048, True), (3072, True), (8192, True), (8193, False)]
)
def test_only_moduli_of_2048_to_8192_bits_are_kept(issuer, bits, kept):
    """A short key could be factored, an endless one would make every check expensive."""
    document = {"keys": [issuer.jwk(n=number((1 << (bits - 1)) | 1)), issuer.jwk(kid="good")]}
    assert ("key-1" in KeySet.parse(document, fetched_at=0.0).keys) is kept


def test_a_real_key_of_1024_bits_is_passed_over():
    """A key that really signs, but is too short, verifies nothing."""
    weak = Issuer(key=generate_private_key(public_exponent=65537, key_size=1024))
    with pytest.raises(KeysUnavailable):
        weak.key_set()


@pytest.mark.parametrize("member", ["n", "e"])
@pytest.mark.parametrize(
    "respelled",
    [
        lambda t: f"{t[:2]}!!!!{t[2:]}",
        lambda t: t + "=" * (-len(t) % 4 or 4),
        lambda t: f"{t}\n\n\n\n",
        lambda t: f"++++{t}",
        lambda t: f" {t}   ",
    ],
    ids=["junk within", "padding", "line feeds", "standard alphabet", "blanks"],
)
def test_a_key_in_another_spelling_is_passed_over(issuer, member, respelled):
    """A member that a lenient decoder would read, but not the one that imports the key, is refused with the document."""
    entry = issuer.jwk()
    with pytest.raises(KeysUnavailable):
        parse({**entry, member: respelled(entry[member])})


GARBAGE = {
    "none": None,
    "text": "keys",
    "list": [],
    "number": 7,
    "empty object": {},
    "keys null": {"keys": None},
    "keys an object": {"keys": {"key-1": {}}},
    "keys text": {"keys": "abc"},
    "no entry": {"keys": []},
    "entries of other types": {"keys": [None, 7, "RSA", ["kty", "RSA"], True, {}]},
    "error page": {"message": "Not Found"},
}


@pytest.mark.parametrize("document", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_an_outage(document):
    """A document that is no key set is KeysUnavailable, whatever its type: a 503 and no session's end."""
    with pytest.raises(KeysUnavailable) as caught:
        KeySet.parse(document, fetched_at=0.0)
    assert (caught.value.status, caught.value.reason, caught.value.retry_after) == (503, "keys_unavailable", 1)


@pytest.mark.parametrize("order", [1, -1], ids=["ours first", "theirs first"])
def test_two_keys_of_one_kid_are_an_outage(issuer, stranger, order):
    """Which of two different keys a kid means cannot be known, so neither is used, in whatever order they stand."""
    with pytest.raises(KeysUnavailable, match="share one kid"):
        parse(*[issuer.jwk(), stranger.jwk()][::order])


def test_the_same_key_twice_is_one_key(issuer):
    """A document that repeats a key says nothing contradictory."""
    assert set(parse(issuer.jwk(), issuer.jwk()).keys) == {"key-1"}


def test_an_unusable_namesake_contradicts_nothing(issuer, stranger):
    """An encryption key under the same kid is passed over before kids are compared."""
    assert parse(stranger.jwk(use="enc"), issuer.jwk()).find("key-1").n == issuer.jwk()["n"]


def test_a_flood_of_entries_is_cut(issuer):
    """At most fifty entries are looked at."""
    assert len(parse(*[issuer.jwk(kid=f"k{n}") for n in range(60)]).keys) == 50


def test_the_snapshot_keeps_nothing_of_the_document(issuer):
    """Changing the parsed document afterwards does not change the keys."""
    document = issuer.jwks()
    keys = KeySet.parse(document, fetched_at=0.0)
    document["keys"][0]["n"] = "AAAA"
    assert keys.find("key-1").n == issuer.jwk()["n"]


@pytest.mark.parametrize(
    ("since", "allowed"),
    [(-5.0, False), (0.0, False), (REFETCH_COOLDOWN_SECONDS - 0.001, False), (REFETCH_COOLDOWN_SECONDS, True), (3600.0, True)],
)
def test_an_unknown_kid_may_cause_one_fetch_per_cooldown(issuer, since, allowed):
    """From exactly ten seconds after the last fetch another one is allowed, and not a moment before."""
    assert parse(issuer.jwk()).may_refetch(100.0 + since) is allowed
    assert REFETCH_COOLDOWN_SECONDS == 10
