"""lookup.py: the access token of a row is the row's own, in each respect by itself."""

from __future__ import annotations

import pytest

from cognito_session.core.errors import StoreUnavailable
from cognito_session.core.protocol.lookup import stored_token
from cognito_session.core.protocol.record import SEALED_COOKIE, SessionKey, SessionRecord, session_id
from cognito_session.drivers.sync import run
from core.test_flow import ISSUER, World
from support.tokens import ISSUED_AT, SUB

OWN = {"jti": "jti-1", "origin_jti": "origin-1", "iat": ISSUED_AT, "exp": ISSUED_AT + 3600}


def stored(*, kind="token", origin=None, **claims):
    """The token of a plain row of SUB's session of the sign-in origin-1, its claims altered."""
    world = World()
    row = {"jti_cur": "jti-1", "access_exp": ISSUED_AT + 3600, "access_token": ISSUER.access_token(**{**OWN, **claims})}
    sid = session_id(kind, "origin-1")
    record = SessionRecord.from_row(SessionKey(SUB, sid), {"sid": sid, "cookie_kind": kind, "token_origin": origin, **row})
    return run(stored_token(world.context, record), world.ports), world


@pytest.mark.parametrize("kind", ["token", SEALED_COOKIE])
def test_the_row_s_own_token_is_served(kind):
    """Of either kind of cookie."""
    token, _ = stored(kind=kind)
    assert (token.sub, token.jti) == (SUB, "jti-1")


def test_a_changed_origin_is_the_one_the_row_names():
    """Where Cognito changed it at a refresh."""
    assert stored(origin="origin-2", origin_jti="origin-2")[0].origin_jti == "origin-2"
    with pytest.raises(StoreUnavailable):
        stored(origin="origin-2")


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "another-user"},
        {"origin_jti": "origin-2"},
        {"jti": "jti-2"},
        {"exp": ISSUED_AT + 3601},
        {"client_id": "anotherclient"},
        {"iss": "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Other"},
        {"token_use": "id"},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["token", SEALED_COOKIE])
def test_a_token_that_differs_in_one_claim_is_not_served(kind, claims):
    """User, sign-in, generation, end, client, pool and use: signed by the pool, and still not the row's."""
    with pytest.raises(StoreUnavailable) as caught:
        stored(kind=kind, **claims)
    assert caught.value.reason == "tampered_record"
