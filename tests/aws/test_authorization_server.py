"""CognitoAuthorizationServer: the client's secret at the token endpoint, at an independent OpenID provider and at the stack."""

from __future__ import annotations

import json
import secrets
import urllib.parse
import urllib.request
import warnings
from base64 import urlsafe_b64encode
from hashlib import sha256
from types import SimpleNamespace

import boto3
import httpx
import pytest

from aws.echo_server import EchoServer
from cognito_session.aws.client_secret import ClientSecret
from cognito_session.aws.oauth import CognitoAuthorizationServer
from cognito_session.aws.transport.open import open_wire
from cognito_session.core.errors import ConfigurationError, ProviderUnavailable
from cognito_session.core.protocol.ports import CodeGrant, GrantRefused
from support.stack import PASSWORD

CALLBACK = "https://app.example/auth/callback"
VERIFIER = "v" * 43
SECRETS = ("plain", "a+b", "a%2Bb", "100%", "a:b:c", "a/b?c#d", "a&b=c", "a b ", "ü€\U0001f36a", "+%:/&= ü\"'\\")


@pytest.fixture(params=["curl", "botocore"])
def wire(request):
    """A wire of each kind."""
    environ = {"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    session = boto3.Session("test", "test", region_name="us-east-1") if request.param == "botocore" else None
    return open_wire(environ=environ, boto3_session=session)


@pytest.fixture(scope="module")
def provider():
    """An OpenID provider that is not ours, as its address."""
    with warnings.catch_warnings(record=True):  # a library that it uses deprecates its own modules when it is imported
        import oidc_provider_mock
    with oidc_provider_mock.run_server_in_thread(require_client_registration=True) as server:
        yield f"http://localhost:{server.server_port}"


def registered(provider, monkeypatch, secret):
    """The id of a client that has this secret."""
    monkeypatch.setattr("oidc_provider_mock._app.secrets", SimpleNamespace(token_urlsafe=lambda _: secret))
    body = json.dumps({"redirect_uris": [CALLBACK]}).encode()
    request = urllib.request.Request(f"{provider}/oauth2/clients", body, {"content-type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        made = json.load(answer)
    monkeypatch.setattr("oidc_provider_mock._app.secrets", secrets)
    assert made["client_secret"] == secret
    return made["client_id"]


def challenge():
    """The PKCE challenge of VERIFIER."""
    return urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


def code_of(provider, client_id):
    """A code, as a browser that signs in brings it back."""
    query = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": CALLBACK,
        "scope": "openid",
        "state": "s",
        "code_challenge": challenge(),
        "code_challenge_method": "S256",
    }
    answer = httpx.post(f"{provider}/oauth2/authorize", params=query, data={"sub": "alice"}, trust_env=False)
    return urllib.parse.parse_qs(urllib.parse.urlsplit(answer.headers["location"]).query)["code"][0]


def server_at(wire, address, client_id, secret):
    """The client of a token endpoint."""
    return CognitoAuthorizationServer(
        lambda: wire, domain=address, region="us-east-1", client_id=client_id, client_secret=ClientSecret(secret)
    )


of_the_provider = pytest.mark.filterwarnings("ignore:get_jwt_config:DeprecationWarning")
"""What its own library says of it, in its thread, while it answers."""


@of_the_provider
@pytest.mark.parametrize("secret", SECRETS)
def test_an_independent_provider_takes_any_secret(provider, wire, monkeypatch, secret):
    """RFC 6749 2.3.1: whatever characters a secret has, another implementation reads it as it is."""
    client_id = registered(provider, monkeypatch, secret)
    issued = server_at(wire, provider, client_id, secret).exchange(CodeGrant(code_of(provider, client_id), VERIFIER, CALLBACK))
    assert not isinstance(issued, GrantRefused)
    assert issued["access_token"]


@of_the_provider
def test_an_independent_provider_refuses_another_secret(provider, wire, monkeypatch):
    """Its invalid_client is the operator's error."""
    client_id = registered(provider, monkeypatch, "a+b")
    grant = CodeGrant(code_of(provider, client_id), VERIFIER, CALLBACK)
    with pytest.raises(ConfigurationError, match="CLIENT_SECRET"):
        server_at(wire, provider, client_id, "a b").exchange(grant)


def test_the_stack_decodes_as_a_real_server_does(stack, wire):
    """A secret with plus signs, as Cognito allows them, signs in; sent as it is, each plus sign would be a space."""
    secret = "a+b+c_" + "0" * 30
    pool = stack.create_pool(client_secret=secret, callback_urls=[CALLBACK])
    assert pool.client_secret == secret
    stack.create_user(pool, "alice", PASSWORD)
    grants = [CodeGrant(stack_code(stack, pool), VERIFIER, CALLBACK) for _ in range(2)]
    issued = server_at(wire, stack.url, pool.client_id, secret).exchange(grants[0])
    assert not isinstance(issued, GrantRefused)
    assert issued["refresh_token"]
    form = {"grant_type": "authorization_code", "code": grants[1].code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
    bare = httpx.post(f"{stack.url}/oauth2/token", data=form, auth=(pool.client_id, secret), trust_env=False)
    assert bare.json()["error"] == "invalid_client"


def stack_code(stack, pool):
    """A code of the stack's managed login."""
    query = {
        "response_type": "code",
        "client_id": pool.client_id,
        "redirect_uri": CALLBACK,
        "scope": "openid",
        "state": "s",
        "code_challenge": challenge(),
        "code_challenge_method": "S256",
    }
    form = {**query, "username": "alice", "password": PASSWORD}
    answer = httpx.post(f"{stack.url}/login", data=form, trust_env=False)
    return urllib.parse.parse_qs(urllib.parse.urlsplit(answer.headers["location"]).query)["code"][0]


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, b'{"error":"invalid_client"}', ConfigurationError),
        (401, b'{"error":"invalid_client"}', ConfigurationError),
        (400, b'{"error":"unauthorized_client"}', ConfigurationError),
        (401, b"<html>", ProviderUnavailable),
        (403, b"<html>a proxy</html>", ProviderUnavailable),
        (404, b"<html>", ProviderUnavailable),
        (407, b"<html>", ProviderUnavailable),
        (429, b"", ProviderUnavailable),
        (500, b'{"error":"invalid_client"}', ProviderUnavailable),
        (503, b"", ProviderUnavailable),
        (302, b"", ProviderUnavailable),
        (400, b'{"error":"something_new"}', ProviderUnavailable),
        (400, b"Bad Request", ProviderUnavailable),
    ],
)
def test_what_the_token_endpoint_answers(wire, status, body, kind):
    """The client's own fault is the operator's; what says nothing of the client is an outage; nothing is about the person."""
    server = EchoServer()
    server.plan.append((status, body, {}))
    with pytest.raises(kind) as caught:
        server_at(wire, server.url, "client", "very-secret").exchange(CodeGrant("the-code", VERIFIER, CALLBACK))
    server.stop()
    assert "secret" not in str(caught.value).replace("CLIENT_SECRET", "")
    assert "the-code" not in str(caught.value)
    assert str(status) in str(caught.value) or "invalid_client" in str(caught.value) or "unauthorized" in str(caught.value)


@pytest.mark.parametrize("error", ["invalid_grant", "invalid_request"])
def test_a_refusal_that_speaks_of_the_client_secret_is_not_about_the_code(wire, error):
    """The operator's, whichever code the endpoint chooses for it; the same codes without such a sentence are the person's."""
    server = EchoServer()
    body = f'{{"error":"{error}","error_description":"invalid_client_secret"}}'
    server.plan += [(400, body.encode(), {}), (400, body.replace("_client_secret", "").encode(), {})]
    asked = server_at(wire, server.url, "client", "very-secret")
    with pytest.raises(ConfigurationError, match="CLIENT_SECRET"):
        asked.exchange(CodeGrant("the-code", VERIFIER, CALLBACK))
    assert asked.exchange(CodeGrant("the-code", VERIFIER, CALLBACK)) == GrantRefused(error)
    server.stop()
