"""What comes from AWS: any bytes under any status, for everything that reads them. The wire is ours, the reading is not."""

# ruff: noqa: PT017 - a refusal is one of a target's results, with claims of its own

from __future__ import annotations

import json
from functools import lru_cache

from hypothesis import strategies as st
from joserfc.jwk import RSAKey

from cognito_session.aws.attribute_value import from_attribute, to_attribute
from cognito_session.aws.client_secret import ClientSecret
from cognito_session.aws.dynamodb import DynamoDBStore
from cognito_session.aws.jwks import CognitoKeySource
from cognito_session.aws.stored_secret import StoredSecret
from cognito_session.aws.token_refresh import CognitoProvider
from cognito_session.aws.transport.answer import read_answer
from cognito_session.aws.transport.endpoint import check_address
from cognito_session.aws.transport.interface import ServiceError
from cognito_session.core.crypto.access_token import verified_claims
from cognito_session.core.crypto.key_set import KeySet
from cognito_session.core.errors import (
    ConfigurationError,
    InvalidSignature,
    KeysUnavailable,
    ProviderUnavailable,
    SessionUnavailable,
    StoreUnavailable,
    UnknownKey,
)
from cognito_session.core.protocol.conditions import Change, WriteKind, absent
from cognito_session.core.protocol.ports import NewTokens, RefreshDenied, RefreshRequest
from cognito_session.core.protocol.record import SessionKey
from cognito_session.core.secret import Secret
from cognito_session.testing.clock import ManualClock
from fuzz.harness import fuzz
from fuzz.shapes import JSON, JSON_TEXTS, TEXTS, damaged, json_bytes, one_in, replaced, spelled
from managed.scene import ring
from support.tokens import Issuer, b64url

ISSUER, OTHER = Issuer(), Issuer(kid="key-2")
STATUSES = st.sampled_from([200, 200, 400, 403, 413, 429, 500, 503, 302, 0])


class Wire:
    """Answers each call with the same status and bytes, read as a transport reads them; `then`: those from the second on."""

    def __init__(self, status: int, body: bytes, *, then: tuple[int, bytes] | None = None) -> None:
        self._status = status
        self._body = body
        self._then = then

    def __call__(self):
        """The wire, as it is opened at the first use."""
        return self

    def call(self, service, operation, payload, **_):
        """See aws.wire.Wire."""
        assert json.dumps(payload, default=Secret.reveal)
        status, body = self._status, self._body
        if self._then is not None:
            self._status, self._body = self._then
        return read_answer(service, operation, status, body)

    def get(self, _url, **_):
        """See aws.wire.Wire."""
        if self._status != 200:
            raise ServiceError("GET", f"HTTP{self._status}", self._status)
        return self._body


@st.composite
def answered(draw: st.DrawFn, *proper):
    """Status and bytes: mostly one of these documents under the status it comes with, or with something in it changed.

    `proper` are documents, or strategies for them.
    """
    found = draw(st.sampled_from(proper))
    document = draw(found) if isinstance(found, st.SearchStrategy) else found
    status = 400 if "__type" in document or "error" in document else 200
    match draw(st.integers(0, 5)):
        case 0:
            return draw(STATUSES), draw(json_bytes(JSON_TEXTS))
        case 1:
            return draw(STATUSES), spelled(document).encode()
        case 2 | 3:
            names = one_in(3, TEXTS, st.sampled_from([*document, "__type", "message", "error", "S"]))
            return status, spelled(draw(replaced(st.just(document), names))).encode()
    return status, spelled(document).encode()


ERRORS = [
    {"__type": "com.amazonaws.x#NotAuthorizedException", "message": "Refresh Token has been revoked"},
    {"__type": "NotAuthorizedException:http://x", "message": "Unable to verify secret hash for client"},
    {"__type": "UserNotFoundException"},
    {"__type": "ResourceNotFoundException", "Message": "x"},
    {"__type": "UnknownOperationException"},
    {"__type": "TooManyRequestsException"},
]


@fuzz(
    sees={"an answer", "an error", "HTTP"},
    service=st.sampled_from(["dynamodb", "cognito-idp", "secretsmanager"]),
    answer=answered({"Item": {}}, {"Items": [{}]}, *ERRORS),
)
def test_any_answer_is_a_document_or_a_service_error(service, answer):
    """A document only for a 200 of AWS's own, and one that can be written again; else an error with a plain name."""
    status, body = answer
    try:
        document = read_answer(service, "X", status, body)
    except ServiceError as error:
        assert error.code.replace(".", "").isalnum()
        assert error.code.isascii()
        assert error.status == status
        assert type(error.message) is str
        return "HTTP" if error.code.startswith("HTTP") else "an error"
    assert status == 200
    assert type(document) is dict
    assert document or not body or json.loads(body) == {}
    assert json.dumps(document, ensure_ascii=False).encode()
    return "an answer"


@fuzz(
    sees={"tokens", "dead", "unknown", "misconfigured", "unavailable"},
    answer=answered(
        {"AuthenticationResult": {"AccessToken": "x", "RefreshToken": "y"}},
        {"AuthenticationResult": {"AccessToken": "x"}},
        *ERRORS,
    ),
    control=answered({"AuthenticationResult": {"AccessToken": "x"}}, *ERRORS),
    device=st.sampled_from([None, "device"]),
)
def test_any_answer_to_a_refresh(answer, control, device):
    """Tokens are texts, a verdict is one of two, everything else is nobody's end; the control experiment may meet anything."""
    status, body = answer
    provider = CognitoProvider(
        Wire(status, body, then=control), client_id="c", client_secret=ClientSecret("s"), clock=ManualClock()
    )
    try:
        found = provider.refresh(RefreshRequest("r", "alice", device, 1e9))
    except ConfigurationError:
        return "misconfigured"
    except ProviderUnavailable:
        return "unavailable"
    if isinstance(found, RefreshDenied):
        assert status != 200
        return found.verdict
    assert isinstance(found, NewTokens)
    assert type(found.access_token) is str
    assert found.refresh_token is None or (type(found.refresh_token) is str and found.refresh_token)
    return "tokens"


@fuzz(sees={"done", "misconfigured", "unavailable"}, answer=answered({}, *ERRORS), everywhere=st.booleans())
def test_any_answer_to_a_revocation(answer, everywhere):
    """It is done, the operator's to mend, or not known."""
    provider = CognitoProvider(
        Wire(*answer), client_id="c", client_secret=ClientSecret("s"), clock=ManualClock(), user_pool_id="p"
    )
    try:
        provider.global_sign_out("alice") if everywhere else provider.revoke("r")
    except ConfigurationError:
        return "misconfigured"
    except ProviderUnavailable:
        return "unavailable"
    return "done"


# --- DynamoDB

ATTRIBUTES = st.recursive(
    st.one_of(
        TEXTS.map(lambda text: {"S": text}),
        one_in(2, TEXTS, st.one_of(st.integers().map(str), st.sampled_from(["1E+2", "0.5", "-0", "1e400", "NaN"]))).map(
            lambda n: {"N": n}
        ),
        st.sampled_from([{"BOOL": True}, {"NULL": True}, {"B": "AAAA"}, {"SS": ["a", "b"]}, {"NS": ["1"]}, {"BS": ["AAAA"]}]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2).map(lambda items: {"L": items}),
        st.dictionaries(TEXTS, inner, max_size=2).map(lambda m: {"M": m}),
    ),
    max_leaves=4,
)
ITEMS = st.dictionaries(one_in(3, TEXTS, st.sampled_from(["sub", "token", "gen"])), one_in(5, JSON, ATTRIBUTES), max_size=3)
PAGES = [
    ITEMS.map(lambda item: {"Item": item}),
    st.lists(ITEMS, max_size=2).map(lambda items: {"Items": items}),
    st.lists(ITEMS, max_size=2).map(lambda items: {"Items": items, "LastEvaluatedKey": {}}),
    ITEMS.map(lambda item: {"Attributes": item}),
    ITEMS.map(lambda item: {"__type": "ConditionalCheckFailedException", "Item": item}),
    st.sampled_from([{"Code": "ConditionalCheckFailed"}, {"Code": "None"}]).map(
        lambda reason: {"__type": "TransactionCanceledException", "CancellationReasons": [reason]}
    ),
    *({}, {"Item": None}, {"__type": "X"}, {"__type": "ResourceNotFoundException"}, {"__type": "ThrottlingException"}),
]
CHANGE = Change(WriteKind.MARK_SEEN, SessionKey("sub-1", "sid-1"), (absent("seen_at"),), put={"seen_at": 1})
ASKED = {
    "load": lambda store: [store.load(SessionKey("sub-1", "sid-1"))],
    "rows_of": lambda store: store.rows_of("sub-1"),
    "write": lambda store: [store.write(CHANGE).found],
    "write_all": lambda store: [None if store.write_all([CHANGE]) in (True, False) else "neither"],
}


@fuzz(
    sees={"nothing", "unavailable"},
    rarely={"rows", "misconfigured"},
    answer=answered(*PAGES),
    operation=st.sampled_from(sorted(ASKED)),
)
def test_any_answer_of_the_table(answer, operation):
    """Rows are maps with texts as names; what cannot be read is no missing row but an outage."""
    store = DynamoDBStore(Wire(*answer), table="t", partition_key="sub", sort_key="sid")
    try:
        rows = ASKED[operation](store)
    except StoreUnavailable:
        return "unavailable"
    except ConfigurationError:
        return "misconfigured"
    assert answer[0] == 200 or operation in ("write", "write_all")
    assert all(type(row) is dict and all(type(name) is str for name in row) for row in rows if row is not None)
    return "rows" if rows != [None] else "nothing"


@fuzz(
    sees={"same"},
    value=st.recursive(
        st.one_of(
            st.none(), st.booleans(), TEXTS, st.integers(-(10**38), 10**38), st.frozensets(TEXTS, min_size=1, max_size=3)
        ),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
        max_leaves=6,
    ),
)
def test_a_value_is_read_as_it_was_written(value):
    """Text, numbers, truth, sets of text, lists and maps survive DynamoDB's spelling."""
    assert from_attribute(json.loads(json.dumps(to_attribute(value)))) == value
    return "same"


# --- keys

NUMBERS = st.one_of(
    st.integers(0, 1 << 66),
    st.sampled_from([1 << 2047, (1 << 2047) + 1, (1 << 2048) - 1, (1 << 8192) - 1, 1 << 8192, (1 << 9000) + 1, 3, 65537]),
).map(lambda number: b64url(number.to_bytes(-(-max(number.bit_length(), 1) // 8), "big")))


@lru_cache(maxsize=1)
def published():
    """The keys of two pools, as they are published."""
    return [ISSUER.jwk(), OTHER.jwk()]


@st.composite
def _jwks(draw: st.DrawFn):
    entries = []
    for entry in draw(st.lists(st.sampled_from([0, 0, 1]), min_size=1, max_size=3)):
        key = dict(published()[entry])
        if draw(st.integers(0, 2)) == 0:
            key |= draw(st.dictionaries(st.sampled_from(["n", "e"]), one_in(3, TEXTS, NUMBERS), min_size=1))
        if draw(st.integers(0, 3)) == 0:
            key |= draw(
                st.dictionaries(st.sampled_from(["kty", "use", "alg", "kid", "key_ops", "n", "e", "x5c"]), JSON, min_size=1)
            )
        entries.append(key)
    return {"keys": entries}


@fuzz(
    sees={"verifies", "KeysUnavailable"},
    rarely={"no use"},
    status=st.sampled_from([200, 200, 200, 200, 404, 500]),
    body=one_in(
        6, json_bytes(JSON_TEXTS), one_in(4, replaced(_jwks()), _jwks()).map(lambda document: spelled(document).encode("utf-8"))
    ),
)
def test_any_key_set(status, body):
    """What is kept of a key set can be imported and asked: a token is then authentic, or refused as any other."""
    source = CognitoKeySource(Wire(status, body), url="https://x.example/jwks", clock=ManualClock())
    try:
        keys = source.keys(None)
    except KeysUnavailable:
        return "KeysUnavailable"
    assert 0 < len(keys.keys) <= 50
    for kid, key in keys.keys.items():
        assert kid == key.kid
        assert RSAKey.import_key({"kty": "RSA", "n": key.n, "e": key.e})
    try:
        claims = verified_claims(_token(), keys)
    except (UnknownKey, InvalidSignature):
        return "no use"
    assert (keys.keys["key-1"].n, claims["iss"]) == (published()[0]["n"], ISSUER.url)
    return "verifies"


@lru_cache(maxsize=1)
def _token() -> str:
    return ISSUER.access_token()


@fuzz(sees={"a key set", "KeysUnavailable"}, document=one_in(4, JSON, one_in(4, replaced(_jwks()), _jwks())))
def test_any_document_as_a_key_set(document):
    """KeySet.parse takes any JSON."""
    try:
        return "a key set" if KeySet.parse(document, fetched_at=0.0).keys else "none"
    except KeysUnavailable:
        return "KeysUnavailable"


SECRET_ERRORS = [{"__type": "AccessDeniedException"}, {"__type": "ThrottlingException"}]
SECRETS = one_in(
    3,
    JSON_TEXTS,
    st.one_of(TEXTS, st.just(ring(2, 1)), st.fixed_dictionaries({"SESSION_KEYS": one_in(2, JSON, TEXTS)}).map(spelled)),
)


@fuzz(
    sees={"text", "misconfigured", "unavailable"},
    answer=answered(
        SECRETS.map(lambda text: {"SecretString": text}), {"SecretString": ring(2, 1)}, {"SecretBinary": "AAAA"}, *SECRET_ERRORS
    ),
)
def test_any_secret(answer):
    """A secret has a text for SESSION_KEYS, and maybe the app client's; is the operator's to mend, or could not be had."""
    secret = StoredSecret(Wire(*answer), "arn:x")
    try:
        text = secret.keys()
    except ConfigurationError:
        return "misconfigured"
    except SessionUnavailable:
        return "unavailable"
    assert type(text) is str
    assert text
    assert type(secret.client_secret()) in (str, type(None))
    return "text"


@fuzz(
    sees={"an address", "refused"},
    address=one_in(
        4,
        TEXTS,
        damaged(st.sampled_from(["https://a.example:8443/x", "http://localhost:4566", "http://[::1]:1", "http://127.0.0.1"])),
    ),
)
def test_any_address_that_is_configured(address):
    """An address is https or leads to this very machine, and nothing in it is invisible."""
    try:
        found = check_address(address, "X")
    except ConfigurationError:
        return "refused"
    assert found == address
    assert address.isascii()
    assert address.isprintable()
    host = address.partition("://")[2].partition("/")[0]
    assert address.startswith("https://") or host.lower().startswith(("localhost", "127.", "[::1]"))
    assert "@" not in host
    return "an address"
