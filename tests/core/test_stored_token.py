"""authenticate.py: stored_token checks each claim that ties an access token to its row."""

from __future__ import annotations

import pytest

from cognito_session.core.crypto.keyring import Keyring
from cognito_session.core.errors import KeysUnavailable, StoreUnavailable
from cognito_session.core.protocol.authenticate import stored_token
from cognito_session.core.protocol.record import SEALED_COOKIE, SessionKey, SessionRecord, session_id
from cognito_session.core.protocol.sealing import seal_secret
from cognito_session.drivers.sync import run
from core.test_flow import ISSUER, World
from support.sealing_keys import ring
from support.tokens import ISSUED_AT, SUB, Issuer

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
    ("claims", "said"),
    [
        ({"sub": "another-user"}, "sub: expected the user of the row"),
        ({"origin_jti": "origin-2"}, "origin_jti: expected the sign-in of the row"),
        ({"jti": "jti-2"}, "jti: expected the token that the row holds as jti_cur"),
        ({"exp": ISSUED_AT + 3601}, "exp: expected the instant that the row holds as access_exp"),
        ({"client_id": "anotherclient"}, "client_id: expected the configured app client"),
        (
            {"iss": "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Other"},
            "iss: expected the configured user pool's issuer",
        ),
        ({"token_use": "id"}, "token_use: expected an access token, not an ID token"),
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["token", SEALED_COOKIE])
def test_a_token_that_differs_in_one_claim_is_not_served(kind, claims, said):
    """User, sign-in, generation, end, client, pool and use: signed by the pool, and still not the row's. The error names it."""
    with pytest.raises(StoreUnavailable) as caught:
        stored(kind=kind, **claims)
    assert caught.value.reason == "tampered_record"
    assert str(caught.value).endswith(said)


class Ring:
    """A keyring that never changes."""

    def keyring(self, *, newer):
        del newer
        return Keyring.parse(ring(1))


def sealed(text, *, unverified):
    """A row with this access token sealed, and the flow that reads it in a worker with keys."""
    world = World()
    context = world.context._replace(seals=True)
    sid = session_id(SEALED_COOKIE, "origin-1")
    ports = world.ports._replace(keyrings=Ring())
    stored_text = run(seal_secret(context, text, sub=SUB, sid=sid, attribute="access_token"), ports)
    row = {"jti_cur": "jti-1", "access_exp": ISSUED_AT + 3600, "access_token": stored_text, "unverified": unverified}
    record = SessionRecord.from_row(SessionKey(SUB, sid), {"sid": sid, "cookie_kind": SEALED_COOKIE, **row})
    return world, ports, stored_token(context, record)


def test_a_sealed_token_that_was_not_verified_is_verified_before_it_is_served():
    """It was stored while the keys were away. A signature by another key does not hold, although the seal does."""
    _, ports, flow = sealed(Issuer().access_token(**OWN), unverified=True)
    with pytest.raises(StoreUnavailable) as caught:
        run(flow, ports)
    assert caught.value.reason == "tampered_record"
    _, ports, flow = sealed(ISSUER.access_token(**OWN), unverified=True)
    assert run(flow, ports).jti == "jti-1"


def test_a_sealed_token_that_was_verified_needs_no_keys():
    """An outage of the key set does not reach a session whose token was verified before it was sealed."""
    world, ports, flow = sealed(ISSUER.access_token(**OWN), unverified=False)
    world.keys.down = True
    assert run(flow, ports).jti == "jti-1"


def test_a_token_whose_keys_are_away_is_not_waited_for():
    """A request that reads the row answers 503 at once: waiting is for the request that has just called Cognito."""
    world, ports, flow = sealed(ISSUER.access_token(**OWN), unverified=True)
    world.keys.down = True
    before = world.clock.monotonic()
    with pytest.raises(KeysUnavailable):
        run(flow, ports)
    assert world.clock.monotonic() == before
