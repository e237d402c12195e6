"""CognitoUserPool tells refusals, outages and configuration errors apart, and sends each call once."""

from __future__ import annotations

import json
import traceback

import boto3
import pytest

from aws.echo_server import EchoServer
from cognito_session.aws import user_pool
from cognito_session.aws.client_secret import ClientSecret, secret_hash
from cognito_session.aws.transport.open import open_wire
from cognito_session.aws.user_pool import CognitoUserPool
from cognito_session.core.errors import ConfigurationError, ProviderUnavailable
from cognito_session.core.protocol.ports import PoolRefusal
from support.stack import PASSWORD, closed_port, make_app

CANARY = "canary-of-cognitos-own-text"
PAYLOAD = {
    "ClientId": "client",
    "AuthFlow": "USER_PASSWORD_AUTH",
    "AuthParameters": {"USERNAME": "alice", "PASSWORD": "canary-of-the-password"},
}


@pytest.fixture
def server():
    """A server that answers as it is told."""
    server = EchoServer()
    yield server
    server.stop()


def pool_at(url, kind, **names):
    """A user pool behind the wire of this kind."""
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}
    session = boto3.Session("test", "test", region_name="us-east-1") if kind == "botocore" else None
    wire = open_wire(environ={**keys, "AWS_ENDPOINT_URL": url}, boto3_session=session)
    secret = ClientSecret(names.pop("client_secret", None))
    return CognitoUserPool(lambda: wire, client_secret=secret, **{"client_id": "client", **names})


@pytest.fixture(params=["curl", "botocore"])
def pool(server, request):
    """A user pool at that server, by each kind of wire."""
    return pool_at(server.url, request.param)


def says(code, message=CANARY, *, status=400, **headers):
    """The plan of one answer that names an error."""
    return (status, json.dumps({"__type": code, "message": message}).encode(), headers)


def shown(error):
    """Everything that a log could print of an error."""
    return "".join(traceback.format_exception(error)) + repr(error) + repr(error.args)


# --- answers and refusals


def test_an_answer_is_passed_on(pool, server):
    """A 200 is handed over as it is; the call went out once and unsigned: an app client needs no credentials."""
    assert pool.call("InitiateAuth", PAYLOAD) == {"Session": "answered"}
    (request,) = server.requests
    assert json.loads(request.body) == PAYLOAD
    assert "authorization" not in request.headers


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("NotAuthorizedException", "Incorrect username or password."),
        ("NotAuthorizedException", "Password attempts exceeded"),
        ("NotAuthorizedException", "Invalid session for the user."),
        ("UserNotFoundException", CANARY),
        ("UserNotConfirmedException", CANARY),
        ("CodeMismatchException", CANARY),
        ("InvalidPasswordException", CANARY),
        ("InvalidParameterException", "Missing required parameter USERNAME"),
        ("LimitExceededException", "Attempt limit exceeded, please try after some time."),
        ("TooManyFailedAttemptsException", CANARY),
        ("UserLambdaValidationException", CANARY),
        ("WhateverIsNewException", CANARY),
    ],
)
def test_what_is_not_known_to_be_more_is_a_refusal(pool, server, code, message):
    """Bad input and wrong secrets of people, known and unknown codes: a value with the code, whose repr hides the text."""
    server.plan.append(says(code, message))
    refusal = pool.call("InitiateAuth", PAYLOAD)
    assert refusal == PoolRefusal(code, message)
    assert message not in repr(refusal)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ForbiddenException", ProviderUnavailable),
        ("ThrottlingException", ProviderUnavailable),
        ("RequestTimeoutException", ProviderUnavailable),
        ("UnrecognizedClientException", ConfigurationError),
        ("MissingAuthenticationTokenException", ConfigurationError),
        ("SerializationException", ConfigurationError),
        ("AccessDeniedException", ConfigurationError),
    ],
)
def test_a_refused_request_is_no_refused_user(pool, server, code, kind):
    """A firewall, a proxy or a missing permission is never reported to the user as wrong credentials."""
    server.plan.append(says(code, CANARY if code != "AccessDeniedException" else "User: arn:x is not authorized"))
    with pytest.raises(kind, match=code) as caught:
        pool.call("InitiateAuth", PAYLOAD)
    assert "canary" not in shown(caught.value)


# --- outages


@pytest.mark.parametrize(
    ("answer", "sent"),
    [
        (says("TooManyRequestsException"), True),
        (says("InternalErrorException", status=500), True),
        (says("ServiceUnavailable", status=503), True),
        (says("UserNotFoundException", status=500), True),
        (says("UnexpectedLambdaException"), None),
        ((429, b"<html>slow down</html>", {}), True),
        ((403, b"<html>a proxy</html>", {}), True),
        ("drop", None),
        ("reset", None),
    ],
)
def test_an_outage_is_no_refusal(pool, server, answer, sent):
    """Throttling, 5xx, a crashed trigger, an answer that is not Cognito's, none at all: ProviderUnavailable, sent once."""
    server.plan.append(answer)
    with pytest.raises(ProviderUnavailable) as caught:
        pool.call("InitiateAuth", PAYLOAD)
    assert caught.value.sent is sent
    assert caught.value.retry_after >= 1
    assert "canary" not in shown(caught.value)
    assert len(server.requests) == 1


def test_retry_after_is_cognitos(pool, server):
    """How long to wait says Cognito, where it says it."""
    server.plan.append(says("TooManyRequestsException", **{"Retry-After": "7"}))
    with pytest.raises(ProviderUnavailable) as caught:
        pool.call("InitiateAuth", PAYLOAD)
    assert caught.value.retry_after == 7


@pytest.mark.parametrize("kind", ["curl", "botocore"])
def test_nobody_there(kind):
    """A refused connection has provably sent nothing."""
    with pytest.raises(ProviderUnavailable) as caught:
        pool_at(f"http://127.0.0.1:{closed_port()}", kind).call("InitiateAuth", PAYLOAD)
    assert caught.value.sent is False
    assert "canary" not in shown(caught.value)


def test_a_call_ends_in_time(pool, server, monkeypatch):
    """A call to a hanging endpoint ends at the limit; the operation may have been done."""
    monkeypatch.setattr(user_pool, "_TIMEOUT_SECONDS", 0.3)
    server.plan.append("hang")
    with pytest.raises(ProviderUnavailable) as caught:
        pool.call("InitiateAuth", PAYLOAD)
    assert caught.value.sent is None


# --- the operator's


@pytest.mark.parametrize(
    ("code", "message", "names"),
    [
        ("ResourceNotFoundException", CANARY, "CLIENT_ID"),
        ("InvalidUserPoolConfigurationException", CANARY, "user pool's settings"),
        ("OperationNotEnabledException", CANARY, "user pool's settings"),
        ("FeatureUnavailableInTierException", CANARY, "feature plan"),
        ("SoftwareTokenMFANotFoundException", CANARY, "authenticator apps"),
        ("WebAuthnNotEnabledException", CANARY, "passkeys"),
        ("WebAuthnConfigurationMissingException", CANARY, "relying party"),
        ("InvalidSmsRoleAccessPolicyException", CANARY, "SMS"),
        ("InvalidEmailRoleAccessPolicyException", CANARY, "email"),
        ("InvalidLambdaResponseException", CANARY, "Lambda trigger"),
        ("UnknownOperationException", CANARY, "InitiateAuth"),
        ("NotAuthorizedException", f"Unable to verify secret hash for client {CANARY}", "CLIENT_SECRET"),
        ("NotAuthorizedException", f"SecretHash does not match for the client: {CANARY}", "CLIENT_SECRET"),
        ("NotAuthorizedException", f"Client {CANARY} is configured for secret but secret was not received", "CLIENT_SECRET"),
        ("UnauthorizedException", "SECRET-HASH mismatch", "CLIENT_SECRET"),
        (
            "NotAuthorizedException",
            f"Client {CANARY} is configured with secret but SECRET_HASH was not received",
            "CLIENT_SECRET",
        ),
        (
            "InvalidParameterException",
            f"App client {CANARY} is not configured for secret but secret hash was received",
            "CLIENT_SECRET",
        ),
        ("InvalidParameterException", "USER_PASSWORD_AUTH flow not enabled for this client", "ALLOW_USER_PASSWORD_AUTH"),
        ("InvalidParameterException", "USER_AUTH is not enabled for the client.", "ALLOW_USER_AUTH"),
        ("NotAuthorizedException", "SignUp is not permitted for this user pool", "self-registration"),
        ("NotAuthorizedException", "A client attempted to write unauthorized attribute", "Attribute permissions"),
        ("InvalidParameterException", "Initiate Auth method not supported.", "ExplicitAuthFlows"),
        ("NotAuthorizedException", "Access Token does not have required scopes", "aws.cognito.signin.user.admin"),
    ],
)
def test_what_the_operator_must_mend(pool, server, code, message, names):
    """A ConfigurationError that names what to set, and repeats nothing of Cognito's text or of what was sent."""
    server.plan.append(says(code, message))
    with pytest.raises(ConfigurationError, match=names) as caught:
        pool.call("InitiateAuth", PAYLOAD)
    assert "canary" not in shown(caught.value)


def named(pool):
    """The names of a local pool's client."""
    return {"client_id": pool.client_id, "client_secret": pool.client_secret}


def attempt(pool, user):
    """One sign-in."""
    parameters = {"USERNAME": user.username, "PASSWORD": PASSWORD}
    payload = {"ClientId": pool.client_id, "AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": parameters}
    return pool.call("InitiateAuth", payload)


@pytest.mark.parametrize("kind", ["curl", "botocore"])
@pytest.mark.parametrize("confidential", [False, True])
def test_a_real_sign_in(stack, kind, confidential):
    """Against the stack: tokens for the right password, with and without a client secret, in one call."""
    app = make_app(stack, client_secret=confidential)
    user = app.user()
    stack.clear_calls()
    assert "AccessToken" in attempt(pool_at(stack.url, kind, **named(app.pool)), user)["AuthenticationResult"]
    assert [call.operation for call in stack.calls("cognito")] == ["InitiateAuth"]


@pytest.mark.parametrize(("confidential", "secret"), [(True, "0" * 40), (True, None), (False, "0" * 40)])
def test_a_wrong_secret_is_the_operators(stack, confidential, secret):
    """A wrong, missing or needless client secret names CLIENT_SECRET, shows it not, and is no wrong password."""
    app = make_app(stack, client_secret=confidential)
    user = app.user()
    with pytest.raises(ConfigurationError, match="CLIENT_SECRET") as caught:
        attempt(pool_at(stack.url, "curl", client_id=app.pool.client_id, client_secret=secret), user)
    assert str(app.pool.client_secret) not in shown(caught.value)
    assert "0" * 40 not in shown(caught.value)


def test_a_client_without_the_flow_is_the_operators(stack):
    """A client that does not allow passwords, and one that does not exist: each says what to set."""
    app = make_app(stack)
    user = app.user()
    made = stack.cognito(
        "CreateUserPoolClient",
        UserPoolId=app.pool.user_pool_id,
        ClientName="srp only",
        ExplicitAuthFlows=["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
    )
    with pytest.raises(ConfigurationError, match="ALLOW_USER_PASSWORD_AUTH"):
        attempt(pool_at(stack.url, "curl", client_id=made["UserPoolClient"]["ClientId"]), user)
    with pytest.raises(ConfigurationError, match="CLIENT_ID"):
        attempt(pool_at(stack.url, "curl", client_id="nobody"), user)


# --- what it shows of itself


def test_the_secret_hash_is_cognitos(stack):
    """Over the name and the client's id, keyed by the secret; none for a public client; the stack computes the same."""
    confidential = make_app(stack, client_secret=True).pool
    made = ClientSecret(confidential.client_secret)
    assert made.hash_for("älice", confidential.client_id) == confidential.secret_hash("älice")
    assert made.hash_for("a", confidential.client_id) == secret_hash("a", confidential.client_id, confidential.client_secret)
    assert ClientSecret(None).hash_for("a", "client") is None


@pytest.mark.parametrize(
    "payload",
    [
        {"Username": "alice", "ClientId": "client"},
        {"AuthParameters": {"USERNAME": "alice", "PASSWORD": "x"}, "ClientId": "client"},
        {"ChallengeResponses": {"USERNAME": "alice"}, "ChallengeName": "SMS_MFA"},
        {"AccessToken": "a", "UserCode": "1"},
    ],
    ids=["of a user", "sign-in", "challenge", "by access token"],
)
def test_the_hash_goes_beside_every_user_name(server, payload):
    """A confidential client's calls carry SECRET_HASH where a user name stands and nowhere else; a public client's never."""
    pool_at(server.url, "curl", client_secret="s").call("SignUp", payload)
    pool_at(server.url, "curl").call("SignUp", payload)
    proved, plain = (json.loads(request.body) for request in server.requests)
    made, shown = secret_hash("alice", "client", "s"), json.dumps(payload)
    assert plain == payload
    assert json.dumps(proved).count(made) == ("lice" in shown)
    assert proved.get("SecretHash", made if "Username" not in payload else None) == made
    assert json.loads(shown) == payload


def test_its_repr_shows_no_secret_and_opens_no_wire(stack):
    """Making one, naming its client and printing it asks for nothing."""
    made = CognitoUserPool(pytest.fail, client_id="client", client_secret=ClientSecret("canary-secret"))
    assert "canary" not in repr(made)
    assert made.client_id == "client"


def test_every_manager_has_one(stack):
    """A manager's ports hold the user pool of its app client, before anything is connected to."""
    app = make_app(stack, client_secret=True)
    for manager in (app.manager(), app.async_manager()):
        assert manager.ports.user_pool.client_id == app.pool.client_id
        assert manager.ports.user_pool._client_secret.read() == app.pool.client_secret
