"""encoding.py: a text that is not JSON raises NotJson, and the error holds nothing of the text."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from cognito_session.core.crypto.access_token import key_id, parse
from cognito_session.core.crypto.aead import AT_REST, STORED_PREFIX, open_cookie, open_secret, seal
from cognito_session.core.crypto.encoding import NotJson, read_json
from cognito_session.core.crypto.keyring import Keyring
from cognito_session.core.errors import SessionError
from cognito_session.core.protocol.data import data_of
from cognito_session.core.protocol.record import SessionKey, SessionRecord
from cognito_session.sqlite.row import from_text
from support.carried import carried
from support.sealing_keys import ring
from support.tokens import b64url

SECRET = "hunter-two"
RING = Keyring.parse(ring(1))
COOKIE_OF = {"pool": "p", "client_id": "c", "cookie_name": "n"}
ROW_OF = {"pool": "p", "client_id": "c", "sub": "s", "sid": "i", "attribute": "token"}
WITHOUT_KEYS = SimpleNamespace(seals=False, takes_plain=True, rules=SimpleNamespace(user_pool_id="p", client_id="c"))
BROKEN = [
    b'{"a": "hunter-two',
    b'"hunter-two" "',
    b'"hunter-two\xff"',
    b"[" * 100_000 + b'"hunter-two"',
    b'{"hunter-two": 1e999x}',
]


@pytest.mark.parametrize("raw", [BROKEN[0], BROKEN[2]])
def test_the_helper_sees_what_python_s_errors_carry(raw):
    """It would find the text in an error that is raised `from` json's or the decoder's own."""
    with pytest.raises(ValueError) as caught:
        json.loads(raw.decode("utf-8"))
    error = SessionError("x")
    error.__cause__ = caught.value
    assert SECRET in carried(error)


@pytest.mark.parametrize("raw", BROKEN)
def test_what_is_no_json_is_chained_to_nothing(raw):
    """Bytes and text alike."""
    for text in (raw, raw.decode("latin-1") if b"\xff" not in raw else raw):
        with pytest.raises(NotJson) as caught:
            read_json(text)
        assert caught.value.__context__ is None
        assert SECRET not in carried(caught.value)


def test_hooks_are_json_s_own():
    """Their ValueError is NotJson as well, and what they return is taken."""

    def refuse(text):
        raise ValueError(f"no {text}")

    assert read_json('{"a": 1}', object_pairs_hook=list) == [("a", 1)]
    with pytest.raises(NotJson) as caught:
        read_json("NaN", parse_constant=refuse)
    assert "NaN" not in carried(caught.value)


@pytest.mark.parametrize("raw", BROKEN)
def test_a_token_s_claims_stay_out_of_errors(raw):
    """Header and payload."""
    header = b64url(b'{"alg":"RS256","kid":"k"}')
    for text in (f"{header}.{b64url(raw)}.AAAA", f"{b64url(raw)}.e30.AAAA", f"{header}.{SECRET}\u00e9.AAAA"):
        with pytest.raises(SessionError) as caught:
            parse.__wrapped__(text, None)
        assert SECRET not in carried(caught.value)


def test_a_key_id_stays_out_of_errors():
    """A header that is not ASCII."""
    with pytest.raises(SessionError) as caught:
        key_id(f"{SECRET}\u00e9.e30.AAAA")
    assert SECRET not in carried(caught.value)


@pytest.mark.parametrize("raw", BROKEN)
def test_an_opened_cookie_stays_out_of_errors(raw):
    """What our own key has sealed, by another version or by hand."""
    if len(raw) > 20_000:
        raw = raw[:10_000] + raw[-12:]
    text = seal(RING, raw, purpose="cookie", bound_to=tuple(COOKIE_OF.values()), nonce=bytes(12))
    with pytest.raises(SessionError) as caught:
        open_cookie(RING, text, **COOKIE_OF)
    assert SECRET not in carried(caught.value)


def test_an_opened_secret_stays_out_of_errors():
    """What is no text."""
    text = STORED_PREFIX + seal(RING, b"hunter-two\xff", purpose=AT_REST, bound_to=tuple(ROW_OF.values()), nonce=bytes(12))
    with pytest.raises(SessionError) as caught:
        open_secret(RING, text, **ROW_OF)
    assert SECRET not in carried(caught.value)


@pytest.mark.parametrize("raw", [raw for raw in BROKEN if b"\xff" not in raw])
def test_a_row_and_its_data_stay_out_of_errors(raw):
    """The application's own data, and a file's row."""
    record = SessionRecord.from_row(SessionKey("s", "i"), {"sid": "i", "data": raw.decode()})
    for read in (
        lambda: list(data_of(WITHOUT_KEYS, record)),
        lambda: from_text(raw.decode()),
        lambda: from_text('["hunter-two"]'),
    ):
        with pytest.raises(SessionError) as caught:
            read()
        assert SECRET not in carried(caught.value)
