"""ports.py and partition.py: what a request, an answer or a refusal shows of itself in a log, and which host a service has."""

from __future__ import annotations

import pytest

from cognito_session.core.partition import service_host
from cognito_session.core.protocol.ports import CodeGrant, DeviceConfirmation, NewTokens, PoolRefusal, RefreshRequest


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (
            RefreshRequest("canary-rt", "alice", "canary-device", 1.5),
            "RefreshRequest(refresh_token=..., username='alice', device_key=..., send_before=1.5)",
        ),
        (
            RefreshRequest("canary-rt", None, None, 1.5),
            "RefreshRequest(refresh_token=..., username=None, device_key=None, send_before=1.5)",
        ),
        (NewTokens("canary-at", "canary-rt"), "NewTokens(access_token=..., refresh_token=...)"),
        (NewTokens("canary-at"), "NewTokens(access_token=..., refresh_token=None)"),
        (PoolRefusal("UserNotFoundException", "canary"), "PoolRefusal(code='UserNotFoundException', message=...)"),
        (
            CodeGrant("canary-code", "canary-verifier", "https://app.example/callback"),
            "CodeGrant(code=..., verifier=..., redirect_uri='https://app.example/callback')",
        ),
        (
            DeviceConfirmation("canary-at", "canary-device", "canary-salt", "canary-verifier", "Firefox"),
            "DeviceConfirmation(access_token=..., device_key=..., salt=..., verifier=..., name='Firefox')",
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_no_secret_shows(value, shown):
    """Error trackers show local variables: tokens, codes, verifiers, devices and Cognito's messages are redacted."""
    assert repr(value) == shown


@pytest.mark.parametrize(
    ("flags", "host"),
    [
        ({}, "dynamodb.us-east-1.amazonaws.com"),
        ({"fips": True}, "dynamodb-fips.us-east-1.amazonaws.com"),
        ({"dual_stack": True}, "dynamodb.us-east-1.api.aws"),
    ],
    ids=str,
)
def test_a_service_has_its_ordinary_host_unless_another_is_wanted(flags, host):
    """FIPS and dual-stack endpoints are used only where the environment asks for them."""
    assert service_host("dynamodb", "us-east-1", **flags) == host
