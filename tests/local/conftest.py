"""One stack for all tests of this folder; each test starts from an empty one."""

import json
from dataclasses import dataclass

import httpx
import pytest

from cognito_session.local.stack import LocalStack, Pool


@pytest.fixture(scope="session")
def running_stack():
    """The one child process."""
    with LocalStack.start() as stack:
        yield stack


@pytest.fixture
def stack(running_stack):
    """The stack, emptied after each test."""
    yield running_stack
    running_stack.reset()


@pytest.fixture(scope="session")
def client(running_stack):
    """Its connections; making an httpx client costs more than a request."""
    with httpx.Client(base_url=running_stack.url, trust_env=False, verify=False) as client:
        yield client


@dataclass
class App:
    """Somebody like any other who calls the stack: these requests are logged, held and harmed."""

    client: httpx.Client
    timeout: float = 10.0

    def cognito(self, operation: str, payload: dict, **headers: str) -> httpx.Response:
        named = {"x-amz-target": f"AWSCognitoIdentityProviderService.{operation}", **headers}
        return self._post(payload, {"content-type": "application/x-amz-json-1.1", **named})

    def dynamodb(self, operation: str, payload: dict, **headers: str) -> httpx.Response:
        credential = "AWS4-HMAC-SHA256 Credential=test/20200101/us-east-1/dynamodb/aws4_request"
        signed = {"authorization": f"{credential}, SignedHeaders=host, Signature=0"}
        named = {"x-amz-target": f"DynamoDB_20120810.{operation}", "content-type": "application/x-amz-json-1.0"}
        return self._post(payload, {**signed, **named, **headers})

    def refresh(self, pool: Pool, token: str, **more: str) -> httpx.Response:
        secret = {"ClientSecret": pool.client_secret} if pool.client_secret else {}
        payload = {"ClientId": pool.client_id, "RefreshToken": token, **secret, **more}
        return self.cognito("GetTokensFromRefreshToken", payload)

    def form(self, path: str, form: dict, auth: tuple[str, str] | None = None) -> httpx.Response:
        return self.client.post(path, data=form, auth=auth, timeout=self.timeout)

    def get(self, path: str, **query: str) -> httpx.Response:
        return self.client.get(path, params=query, timeout=self.timeout)

    def _post(self, payload: dict, headers: dict[str, str]) -> httpx.Response:
        return self.client.post("/", content=json.dumps(payload), headers=headers, timeout=self.timeout)


@pytest.fixture
def app(stack, client):
    """Somebody who calls the stack."""
    return App(client)
