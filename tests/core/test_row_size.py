"""A row with tokens of the sizes that Cognito issues fits into one read unit of DynamoDB: 4,096 bytes.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
"""

from __future__ import annotations

from typing import Any

import pytest

from cognito_session.core.policy import SessionPolicy
from cognito_session.core.protocol.establish import SignedIn, establish
from cognito_session.core.protocol.ports import NewTokens
from cognito_session.drivers.sync import run
from core.test_several_sessions import LIFE, World, cookie_of
from managed.scene import ring
from support.tokens import ISSUED_AT, SUB, Issuer, b64url

ISSUER = Issuer(kid="k" * 44)
READ_UNIT = 4_096
UUID = "11111111-2222-4333-8444-555555555555"


def refresh_token(chars: int) -> str:
    """A text of the form of Cognito's refresh tokens: a JWE of five parts, of so many characters or a few less."""
    head = b'{"cty":"JWT","enc":"A256GCM","alg":"RSA-OAEP"}'
    others = [head, b"k" * 256, b"n" * 12, b"t" * 16]
    used = sum(len(b64url(part)) for part in others) + 4
    return ".".join(map(b64url, [*others[:3], b"c" * ((chars - used) * 3 // 4), others[3]]))


def access_token(at: int, jti: str, groups: int) -> str:
    """The claims that Cognito's access tokens have."""
    claims: dict[str, Any] = {"event_id": UUID, "version": 2, "username": UUID, "scope": "aws.cognito.signin.user.admin"}
    if groups:
        claims["cognito:groups"] = [f"a-group-of-users-{number}" for number in range(groups)]
    return ISSUER.access_token(sub=SUB, jti=jti, origin_jti=UUID, iat=at, auth_time=at, exp=at + LIFE, **claims)


def bytes_of(row: dict[str, Any]) -> int:
    """The size by DynamoDB's rules: names and texts in UTF-8, numbers by two digits a byte and one or two more."""
    return sum(len(name) + _bytes(value) for name, value in row.items())


def _bytes(value: Any) -> int:
    if isinstance(value, bool):
        return 1
    if isinstance(value, int):
        return len(str(value)) // 2 + 2
    if isinstance(value, frozenset):
        return 3 + sum(1 + len(each.encode()) for each in value)
    return len(value.encode())


@pytest.mark.parametrize("groups", [0, 5])
@pytest.mark.parametrize("chars", [1_700, 1_800, 1_900])
def test_a_sealed_row_fits_into_one_read_unit(monkeypatch, groups, chars):
    """New, seen, refreshed twice, with a device, a label, all marks and some data."""
    from core import test_several_sessions

    monkeypatch.setattr(test_several_sessions.ISSUER, "key_set", ISSUER.key_set)
    world = World()
    worker = world.worker(keys=ring(1), policy=SessionPolicy(max_sessions=20))
    monkeypatch.setattr(worker, "confirm_device", lambda confirmation: None, raising=False)
    token = access_token(ISSUED_AT, UUID, groups)
    signed_in = SignedIn(token, refresh_token(chars), device_key=f"us-east-1_{UUID}", device_known=True)
    cookie = cookie_of(run(establish(worker.context, signed_in, device="Firefox 128 on Linux"), worker.ports))
    for number in range(3):
        (row,) = (row for key, row in world.store.rows.items() if key[1] != "#user")
        assert row["token"].startswith("sealed.")
        assert bytes_of(row) <= READ_UNIT
        world.clock.advance(LIFE - 1)
        at = int(world.clock.now())
        new = NewTokens(access_token(at, f"{number}{UUID[1:]}", groups), refresh_token(chars))
        monkeypatch.setattr(worker, "refresh", lambda request, new=new: new)
        worker.resolve(cookie)
        world.clock.advance(2)
        cookie = cookie_of(worker.resolve(cookie).session) if number == 0 else cookie
