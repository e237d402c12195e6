"""What reaches a transport shows no secret: tokens, passwords, codes and the client secret are revealed by what sends them."""

from __future__ import annotations

import pytest

from cognito_session.aws.client_secret import ClientSecret
from cognito_session.aws.oauth import CognitoAuthorizationServer
from cognito_session.aws.token_refresh import CognitoProvider
from cognito_session.aws.transport.interface import AnswerLost, UnknownOperation
from cognito_session.aws.user_pool import CognitoUserPool
from cognito_session.core.errors import ProviderUnavailable
from cognito_session.core.protocol.ports import CodeGrant, DeviceConfirmation, RefreshRequest
from cognito_session.core.secret import Secret, plain
from cognito_session.testing.clock import ManualClock

CANARY = "canary-of-a-secret"


class Wire:
    """Loses every call, and writes down what it was given."""

    def __init__(self, knows=True):
        self.knows = knows
        self.shown, self.sent = "", ""

    def call(self, service, operation, payload, **_):
        if not self.knows and operation == "GetTokensFromRefreshToken":
            raise UnknownOperation("unknown")
        self._note(payload)

    def post_form(self, url, fields, *, basic=None, **_):
        self._note({**fields, "basic": list(basic)})

    def _note(self, payload):
        self.shown += repr(payload)
        self.sent += repr(plain(payload))
        raise AnswerLost("lost")


CALLS = {
    "refresh": lambda at: at.provider.refresh(RefreshRequest(CANARY, "alice", None, float("inf"))),
    "revoke": lambda at: at.provider.revoke(CANARY),
    "confirm a device": lambda at: at.provider.confirm_device(DeviceConfirmation(CANARY, "key", "salt", CANARY, "name")),
    "forget a device": lambda at: at.provider.forget_device(CANARY, "key"),
    "sign up": lambda at: at.pool.call("SignUp", {"Username": "alice", "Password": Secret(CANARY)}),
    "sign in": lambda at: at.pool.call("InitiateAuth", {"AuthParameters": {"USERNAME": "alice", "PASSWORD": Secret(CANARY)}}),
    "redeem a code": lambda at: at.server.exchange(CodeGrant(CANARY, CANARY, "https://app.example/cb")),
}


class At:
    """The three parts that talk to Cognito, on one wire."""

    def __init__(self, wire, client_secret):
        common = {"client_id": "client", "client_secret": ClientSecret(client_secret)}
        self.provider = CognitoProvider(lambda: wire, clock=ManualClock(now=1), **common)
        self.pool = CognitoUserPool(lambda: wire, **common)
        self.server = CognitoAuthorizationServer(lambda: wire, domain="login", region="eu-central-1", **common)


@pytest.mark.parametrize("knows", [True, False], ids=["GetTokensFromRefreshToken", "InitiateAuth"])
@pytest.mark.parametrize("client_secret", [CANARY, lambda: CANARY], ids=["given", "stored"])
@pytest.mark.parametrize("call", CALLS)
def test_a_payload_shows_no_secret(call, client_secret, knows):
    """The payload, form or credentials given to the transport show no secret, and hold it."""
    wire = Wire(knows)
    with pytest.raises(ProviderUnavailable) as caught:
        CALLS[call](At(wire, client_secret))
    assert CANARY in wire.sent
    assert CANARY not in wire.shown
    assert CANARY not in repr(caught.value.args)
