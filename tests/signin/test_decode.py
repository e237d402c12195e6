"""decode_token: what a JWT says, from anybody, and an error that says nothing of it."""

from __future__ import annotations

import base64
import json
import traceback

import pytest

from cognito_session import ConfigurationError, decode_token
from cognito_session.core.errors import SessionError
from support.stack import make_app
from support.tokens import flipped


def part(value):
    """A part of a token."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def token(payload, header=None):
    """A token with these claims, signed by nobody."""
    return f"{part(header or {'alg': 'none'})}.{part(payload)}.{part(b'no signature')}"


def test_cognitos_tokens_say_what_they_say(stack):
    """Access and ID token of a sign-in: their claims, as a plain dict."""
    app = make_app(stack)
    user = app.user(email="a@b.example")
    tokens = app.sign_in(user)
    access, identity = decode_token(tokens["AccessToken"]), decode_token(tokens["IdToken"])
    assert (access["sub"], access["token_use"]) == (user.sub, "access")
    assert (identity["sub"], identity["email"]) == (user.sub, "a@b.example")


def test_it_proves_nothing(stack):
    """A token with a broken signature, an expired one and one that anybody wrote are read as gladly."""
    app = make_app(stack)
    text = app.sign_in(app.user())["AccessToken"]
    assert decode_token(flipped(text, len(text) - 20)) == decode_token(text)
    app.expire()
    assert decode_token(text)["exp"] < app.stack.clock.now()
    assert decode_token(token({"sub": "anybody", "cognito:groups": ["admin"]}))["cognito:groups"] == ["admin"]
    assert "proves nothing" in " ".join(decode_token.__doc__.split())
    assert "SessionManager.resolve" in decode_token.__doc__


CANARY = "canary-in-the-token"
SAYS = part({"c": CANARY})


@pytest.mark.parametrize(
    "text",
    [
        None,
        7,
        b"a.b.c",
        "",
        CANARY,
        f"{CANARY}.{SAYS}",
        f"a.{SAYS}.b.{CANARY}",
        f"a.{SAYS}.",
        f".{SAYS}.a",
        f"a.{SAYS}=.b1",
        f"a.{SAYS}\n.b1",
        f"é.{SAYS}.b1",
        token([CANARY]),
        token(CANARY),
        token(f'{{"a": 1, "a": "{CANARY}"}}'.encode()),
        token(f'{{"a": NaN, "b": "{CANARY}"}}'.encode()),
        token(b'{"a": "\xff' + CANARY.encode() + b'"}'),
        token(b"[" * 9_000),
        token({"c": CANARY * 10_000}),
    ],
)
def test_what_is_no_jwt_is_a_value_error(text):
    """A ValueError of its own kind, no error of a session; nothing printable of it holds anything of the token."""
    with pytest.raises(ValueError, match="token") as caught:
        decode_token(text)
    assert not isinstance(caught.value, SessionError | ConfigurationError)
    printed = "".join(traceback.format_exception(caught.value)) + repr(caught.value.args)
    assert CANARY not in printed
    assert SAYS not in printed
    assert caught.value.__cause__ is None
