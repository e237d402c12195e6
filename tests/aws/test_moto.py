"""In-process moto (`mock_aws`): the whole of a session, with nothing on the network, the key set included."""

from __future__ import annotations

import boto3
import pytest
from moto import mock_aws

from cognito_session import Active, Rejected, SessionManager

REGION = "eu-central-1"
PASSWORD = "Password1!"


@pytest.fixture
def session(monkeypatch):
    """A boto3 session inside mock_aws."""
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")  # whatever went to the network would fail
    with mock_aws():
        yield boto3.Session(region_name=REGION)


@pytest.fixture
def signed_in(session):
    """The environment of an application, and the tokens of a user of it."""
    cognito = session.client("cognito-idp")
    pool = cognito.create_user_pool(PoolName="pool")["UserPool"]["Id"]
    flows = ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
    app = cognito.create_user_pool_client(UserPoolId=pool, ClientName="app", ExplicitAuthFlows=flows)
    client = app["UserPoolClient"]["ClientId"]
    cognito.admin_create_user(UserPoolId=pool, Username="alice")
    cognito.admin_set_user_password(UserPoolId=pool, Username="alice", Password=PASSWORD, Permanent=True)
    keys = {"sub": "HASH", "sid": "RANGE"}
    session.client("dynamodb").create_table(
        TableName="sessions",
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
        BillingMode="PAY_PER_REQUEST",
    )
    given = {"USERNAME": "alice", "PASSWORD": PASSWORD}
    tokens = cognito.initiate_auth(ClientId=client, AuthFlow="USER_PASSWORD_AUTH", AuthParameters=given)
    environ = {"SESSION_TABLE": "sessions", "SORT_KEY": "sid", "CLIENT_ID": client, "USER_POOL_ID": pool, "AWS_REGION": REGION}
    return environ, tokens["AuthenticationResult"]


@pytest.mark.filterwarnings("ignore:datetime")
@pytest.mark.parametrize("given", ["session", "clients"])
def test_a_session_under_moto(session, signed_in, given):
    """Begun, served and ended with an injected session or injected clients: moto answers every call."""
    environ, tokens = signed_in
    passed = {"session": {"boto3_session": session}, "clients": {"clients": clients_of(session)}}[given]
    sessions = SessionManager.from_env(environ=environ, cookie="token", cookie_name="token", **passed)
    me = sessions.establish(tokens)
    assert me.username == "alice"
    cookie = f"token={me.access_token}"
    assert isinstance(sessions.resolve(cookie), Active)
    assert [each.sid for each in sessions.sessions_of(me.sub)] == [me.sid]
    sessions.sign_out(cookie)
    assert isinstance(sessions.resolve(cookie), Rejected)


def clients_of(session):
    """Its clients, by service."""
    return {name: session.client(name) for name in ("dynamodb", "cognito-idp")}
