"""The test's HTTP client for the stack: one connection per request, always with a timeout, never through a proxy.

Requests carry `x-test-control`, so that the stack does not log, hold or fail them. ministack needs a credential but does not
check the root user's signature, so the signature is a constant.
"""

import http.client
import json
from typing import Any

__all__ = ["CallRefusedError", "StackClient"]

_TARGETS = {
    "cognito-idp": "AWSCognitoIdentityProviderService",
    "dynamodb": "DynamoDB_20120810",
    "secretsmanager": "secretsmanager",
}
_CREDENTIAL = "AWS4-HMAC-SHA256 Credential=test/20200101/{region}/{service}/aws4_request, SignedHeaders=host, Signature=0"


class CallRefusedError(Exception):
    """The stack refused an operation: `code` is AWS's error code."""

    def __init__(self, operation: str, status: int, code: str, message: str) -> None:
        super().__init__(f"{operation}: {status} {code}: {message}")
        self.operation: str = operation
        self.status: int = status
        self.code: str = code
        self.message: str = message


class StackClient:
    """A client for the stack's port."""

    def __init__(self, port: int, region: str, timeout: float = 30.0) -> None:
        self.url: str = f"http://127.0.0.1:{port}"
        self.region = region
        self._port = port
        self._timeout = timeout

    def api(self, service: str, operation: str, payload: dict[str, Any]) -> dict[str, Any]:
        """One operation of "cognito-idp", "dynamodb" or "secretsmanager". Raises CallRefusedError."""
        headers = {
            "content-type": "application/x-amz-json-1.1",
            "x-amz-target": f"{_TARGETS[service]}.{operation}",
            "authorization": _CREDENTIAL.format(region=self.region, service=service),
        }
        return self._post(operation, "/", payload, headers, self._timeout)

    def control(self, verb: str, *, timeout: float | None = None, **arguments: Any) -> dict[str, Any]:
        """Call one of the control endpoints. Raises CallRefusedError."""
        headers = {"content-type": "application/json"}
        return self._post(verb, f"/_test/{verb}", arguments, headers, timeout or self._timeout)

    def _post(self, name: str, path: str, payload: dict[str, Any], headers: dict[str, str], timeout: float) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=timeout)
        try:
            connection.request("POST", path, json.dumps(payload), {**headers, "x-test-control": "1"})
            response = connection.getresponse()
            value: dict[str, Any] = json.loads(response.read() or b"{}")
        finally:
            connection.close()
        if response.status >= 400:  # noqa: PLR2004 - where HTTP errors begin
            code = str(value.get("__type", "")).rsplit("#", 1)[-1]
            raise CallRefusedError(name, response.status, code, str(value.get("message") or value.get("Message") or ""))
        return value
