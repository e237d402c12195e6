"""The OAuth endpoints that the stack answers itself, or completes after ministack.

Answered here: the refresh grant of `/oauth2/token` (RFC 6749 6) and `/oauth2/revoke` (RFC 7009). Completed: every other grant,
which gets the stack's own refresh token. A confidential client authenticates by HTTP Basic or in the form. Cognito answers a
failed client authentication with 400 at the token endpoint and 401 at the revocation endpoint.
"""

from collections.abc import Awaitable, Callable

from cognito_session.local.authorization_request import form_of
from cognito_session.local.emulator import Emulator
from cognito_session.local.grants import Grants, OperationRefusedError
from cognito_session.local.http_response import HttpResponse, json_response, oauth_error
from cognito_session.local.ministack_records import AppClient

__all__ = ["OAuthEndpoints", "with_revocation_endpoint"]


def with_revocation_endpoint(discovery: HttpResponse) -> HttpResponse:
    """The discovery document with revocation_endpoint (RFC 8414 2), which Cognito's has and ministack's lacks."""
    document = discovery.json()
    if "token_endpoint" not in document:
        return discovery
    endpoint = str(document["token_endpoint"]).removesuffix("/token") + "/revoke"
    return json_response({**document, "revocation_endpoint": endpoint}, kind=b"application/json")


class OAuthEndpoints:
    """The rules of the token and revocation endpoints that ministack lacks."""

    def __init__(self, emulator: Emulator, grants: Grants) -> None:
        self._emulator = emulator
        self._grants = grants

    async def token(self, headers: dict[str, str], body: bytes, onward: Callable[[], Awaitable[HttpResponse]]) -> HttpResponse:
        """POST /oauth2/token; `onward` calls ministack."""
        form = form_of(body)
        if form.get("grant_type") != "refresh_token":
            grant = self._emulator.code_grant(form.get("code"))
            with self._emulator.signed_in_at(grant.auth_time if grant else None):
                return self._signed_in(await onward())
        try:
            return self._refreshed(self._client(headers, form), form.get("refresh_token", ""))
        except OperationRefusedError as denied:
            return oauth_error(denied.oauth)

    def revoke(self, headers: dict[str, str], body: bytes) -> HttpResponse:
        """POST /oauth2/revoke: 200 with an empty body, also for an unknown token."""
        form = form_of(body)
        token = form.get("token")
        if not token:
            return oauth_error("invalid_request")
        try:
            client = self._client(headers, form)
        except OperationRefusedError as denied:
            return oauth_error(denied.oauth, 401)
        if not client.settings.get("EnableTokenRevocation", True):
            return oauth_error("invalid_request")
        if self._emulator.claims(token):  # a readable JWT is not a refresh token
            return oauth_error("unsupported_token_type")
        self._grants.revoke(client, token)
        return HttpResponse(200, ((b"content-length", b"0"),), b"")

    def _client(self, headers: dict[str, str], form: dict[str, str]) -> AppClient:
        client_id, secret = self._emulator.oauth_client(headers, form)
        client = self._grants.client(client_id)
        self._grants.check_secret(client, secret)
        return client

    def _refreshed(self, client: AppClient, refresh_token: str) -> HttpResponse:
        with_id_token = self._grants.gives_id_token(client, refresh_token)
        result = self._grants.refresh(client, refresh_token)
        value = {"access_token": result["AccessToken"], "expires_in": result["ExpiresIn"], "token_type": "Bearer"}
        if with_id_token:
            value["id_token"] = result["IdToken"]
        if "RefreshToken" in result:
            value["refresh_token"] = result["RefreshToken"]
        return json_response(value, kind=b"application/json")

    def _signed_in(self, answer: HttpResponse) -> HttpResponse:
        value = answer.json()
        if "refresh_token" not in value:
            return answer
        value["refresh_token"], _ = self._grants.adopt(value["refresh_token"], value["access_token"], with_device=False)
        return json_response(value, kind=b"application/json")
