"""authenticate.py: which keys a token is checked with, how long a token from Cognito waits for them, and what is reported."""

from __future__ import annotations

import pytest

from cognito_session.core.crypto.key_set import KeySet
from cognito_session.core.errors import KeysUnavailable, UnknownKey
from cognito_session.core.policy import FUTURE_TOLERANCE_SECONDS
from cognito_session.core.protocol.authenticate import authenticate, identify, keys_for
from cognito_session.core.protocol.session import Reason, Rejected
from cognito_session.core.protocol.steps import Keys, Report, Sleep
from core.test_flow import ISSUER, World
from support.tokens import SUB, Issuer

OURS = ISSUER.key_set()
EMPTY = KeySet.parse(Issuer(kid="another-key").jwks(), fetched_at=0.0)
"""The pool's key set before it holds the token's key."""


def asked(flow, *answers):
    """The steps of a flow that is answered in this order, and its result or error."""
    left, steps, answer = list(answers), [], None
    while True:
        try:
            steps.append(flow.send(answer))
        except StopIteration as stop:
            return steps, stop.value
        except Exception as error:
            return steps, error
        answer = None if isinstance(steps[-1], Sleep | Report) else left.pop(0)


@pytest.mark.parametrize("flow", [keys_for, authenticate], ids=lambda flow: flow.__name__)
def test_a_presented_token_never_shortens_the_cooldown_of_key_fetches(flow):
    """A browser's token may name any key id: that key is asked for once, without a pause, and not as Cognito's own."""
    world = World()
    world.clock.advance(1)
    steps, found = asked(flow(world.context, world.token()), EMPTY, EMPTY)
    assert [(type(step), step.missing_kid, step.from_cognito) for step in steps] == [
        (Keys, None, False),
        (Keys, ISSUER.kid, False),
    ]
    assert found is EMPTY if flow is keys_for else isinstance(found, UnknownKey)


def test_a_token_from_cognito_waits_for_its_key():
    """Its key exists: it is asked for by its id, two pauses of a second apart, and nothing cancels the request meanwhile."""
    world = World()
    flow = keys_for(world.context, world.token(), from_cognito=True)
    steps, found = asked(flow, EMPTY, EMPTY, OURS)
    key, pause = {"missing_kid": ISSUER.kid, "from_cognito": True}, {"seconds": 1.0, "holding": True}
    assert [{name: getattr(step, name) for name in step.__slots__} for step in steps] == [key, pause, key, pause, key]
    assert found is OURS


def test_a_token_from_cognito_that_may_not_wait_does_not():
    """A request that holds a lease answers 503 at once; another request asks again."""
    world = World()
    for flow in (keys_for, authenticate):
        steps, found = asked(flow(world.context, world.token(), from_cognito=True, waits=False), EMPTY)
        assert [type(step) for step in steps] == [Keys]
        assert isinstance(found, KeysUnavailable)


def test_a_token_of_the_future_is_reported_with_its_user():
    """The machine's clock is wrong: the operator is told whose token it was, of no session, and by how many seconds."""
    world = World()
    token = world.token(at=FUTURE_TOLERANCE_SECONDS + 1)
    steps, found = asked(identify(world.context, f"token={token}"), OURS)
    assert found == Rejected(Reason.NOT_YET_VALID)
    report = steps[-1]
    assert (report.event, report.sub, report.sid) == ("not_yet_valid", SUB, None)
    assert report.detail.startswith(f"this machine's clock is {FUTURE_TOLERANCE_SECONDS + 1} seconds behind Cognito's")
