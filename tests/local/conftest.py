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
    """A client of the stack like any other: its requests are logged, held by gates and affected by faults."""

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
    """A client of the stack."""
    return App(client)


CALLBACK = "https://app.example/callback"
SIGNED_OUT = "https://app.example/signed-out"


class Browser:
    """A browser at managed login: it keeps cookies and does not follow redirects."""

    def __init__(self, url: str) -> None:
        self.client = httpx.Client(base_url=url, trust_env=False, verify=False)

    def asked(self, pool: Pool, **more: str) -> dict[str, str]:
        """The parameters of an authorization request."""
        common = {"response_type": "code", "client_id": pool.client_id, "redirect_uri": CALLBACK, "scope": "openid email"}
        return {**common, "state": "st/1", **more}

    def authorize(self, pool: Pool, **more: str) -> httpx.Response:
        """GET /oauth2/authorize."""
        return self.client.get("/oauth2/authorize", params=self.asked(pool, **more))

    def sign_in(self, pool: Pool, username: str = "alice", password: str = "Password1!", **more: str) -> httpx.Response:
        """POST /login, as the form of the sign-in page does."""
        return self.client.post("/login", data={**self.asked(pool, **more), "username": username, "password": password})

    def log_out(self, pool: Pool, logout_uri: str = SIGNED_OUT) -> httpx.Response:
        """GET /logout."""
        return self.client.get("/logout", params={"client_id": pool.client_id, "logout_uri": logout_uri})

    def redeem(self, pool: Pool, code: str, **more: str) -> httpx.Response:
        """POST /oauth2/token."""
        form = {"grant_type": "authorization_code", "client_id": pool.client_id, "code": code, "redirect_uri": CALLBACK}
        return self.client.post("/oauth2/token", data={**form, **more})

    @property
    def cookie(self) -> str | None:
        """The value of managed login's cookie."""
        return self.client.cookies.get("cognito")


@pytest.fixture
def browser(stack):
    """A browser without cookies."""
    browser = Browser(stack.url)
    yield browser
    browser.client.close()


@pytest.fixture
def hosted(stack):
    """A pool with managed login, and alice in it."""
    pool = stack.create_pool(callback_urls=[CALLBACK], logout_urls=[SIGNED_OUT])
    stack.create_user(pool, "alice", "Password1!", email="alice@example.com")
    return pool
