"""authenticate.py: which keys a token is checked with, how long a token from Cognito waits for them, and what is reported."""

from __future__ import annotations

import pytest

from cognito_session.core.crypto.access_token import verify
from cognito_session.core.crypto.aead import SealKeyUnavailable
from cognito_session.core.crypto.credential import SealedCredential, TokenCredential
from cognito_session.core.crypto.key_set import KeySet
from cognito_session.core.errors import ConfigurationError, KeysUnavailable, UnknownKey
from cognito_session.core.policy import FUTURE_TOLERANCE_SECONDS
from cognito_session.core.protocol.authenticate import authenticate, identify, keys_for
from cognito_session.core.protocol.row_search import find_row
from cognito_session.core.protocol.sealing import open_secret, with_keyring
from cognito_session.core.protocol.session import Reason, Rejected
from cognito_session.core.protocol.steps import Keys, Load, LoadAll, Report, Sleep
from cognito_session.drivers.sync import run
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


@pytest.mark.parametrize("flow", [keys_for, authenticate], ids=lambda flow: flow.__name__)
def test_a_token_from_cognito_waits_for_its_key(flow):
    """Its key exists: it is asked for by its id, two pauses of a second apart, and nothing cancels the request meanwhile."""
    world = World()
    steps, found = asked(flow(world.context, world.token(), from_cognito=True), EMPTY, EMPTY, OURS)
    key, pause = {"missing_kid": ISSUER.kid, "from_cognito": True}, {"seconds": 1.0, "holding": True}
    assert [{name: getattr(step, name) for name in step.__slots__} for step in steps] == [key, pause, key, pause, key]
    assert found is OURS if flow is keys_for else found.sub == SUB


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


def test_a_key_set_fetched_for_this_question_has_the_last_word():
    """A key id that it lacks does not exist: it is not asked for again. An older key set is."""
    world = World()
    fresh = EMPTY._replace(fetched_at=world.clock.monotonic())
    assert [len(asked(keys_for(world.context, world.token()), first, EMPTY)[0]) for first in (fresh, EMPTY)] == [1, 2]


@pytest.mark.parametrize("claims", [{"iss": "https://other.example"}, {"iss": ...}, {"iss": 7}], ids=str)
def test_another_pool_s_token_is_not_waited_for(claims):
    """It came over TLS and is not ours: waiting for its key would turn a refusal into a 503."""
    world = World()
    steps, found = asked(authenticate(world.context, ISSUER.access_token(**claims), from_cognito=True), EMPTY)
    assert len(steps) == 1
    assert isinstance(found, UnknownKey)


def test_no_cookie_and_a_malformed_one_are_told_apart():
    """Without a cookie nothing is reported. A header that cannot be read is reported by its reason."""
    world = World()
    assert asked(identify(world.context, "other=1")) == ([], Rejected(Reason.NO_COOKIE))
    assert asked(identify(world.context, None)) == ([], Rejected(Reason.NO_COOKIE))
    (report,), found = asked(identify(world.context, "token=" + "a" * 20_000))
    assert found == Rejected(Reason.MALFORMED_COOKIE)
    assert (report.event, report.detail) == ("cookie_refused", "malformed_cookie")


@pytest.mark.parametrize("header", ["token={ours}", "token={ours}; token=junk", "token=junk; token={ours}"])
def test_an_outage_of_the_keys_denies_nobody(header):
    """Whether the cookie is authentic is not known: a 503, also beside another cookie of the name that is refused."""
    world = World()
    world.keys.down = True
    with pytest.raises(KeysUnavailable):
        run(identify(world.context, header.format(ours=world.token())), world.ports)


@pytest.mark.parametrize("one_row", [False, True])
def test_a_session_is_searched_for_by_its_token_alone(one_row):
    """The user's other rows are read for a token cookie in a table with a sort key, and for no other credential."""
    world = World(one_row=one_row)
    token = verify(world.token(), OURS, ISSUER.rules)
    steps, found = asked(find_row(world.context, TokenCredential(token)), None, [])
    assert ([type(step) for step in steps], found) == ([Load] if one_row else [Load, LoadAll], None)
    steps, found = asked(find_row(world.context, SealedCredential(SUB, "sid", 1)), None, [])
    assert ([type(step) for step in steps], found) == ([Load], None)


def test_a_newer_sealing_key_is_asked_for_once():
    """A value may be sealed with a key that this worker has not received: the keyring is read again before it is a 503."""

    def use(ring):
        if ring == "old":
            raise SealKeyUnavailable("newer")
        return ring

    for answers, outcome in ((("old", "new"), "new"), (("old", "old"), SealKeyUnavailable), (("new",), "new")):
        steps, found = asked(with_keyring(use), *answers)
        assert [step.newer for step in steps] == [False, True][: len(answers)]
        assert found == outcome or isinstance(found, outcome)


def test_a_sealed_secret_without_keys_names_its_attribute():
    """The operator reads which attribute needs SESSION_KEYS."""
    world = World()
    with pytest.raises(ConfigurationError, match="the attribute device_pending is sealed"):
        run(open_secret(world.context, "sealed.v1.1.x", sub=SUB, sid="sid", attribute="device_pending"), world.ports)
