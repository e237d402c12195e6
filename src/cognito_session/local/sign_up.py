"""Managed login's `/signup`: a new user enters name, email and password, then the code, and is signed in.

The query is that of /oauth2/authorize and has the same checks. Both steps use operations of the API, with their rules, errors
and messages. Cancel reports `access_denied` to the app (RFC 6749 4.1.2.1).
https://docs.aws.amazon.com/cognito/latest/developerguide/managed-login-endpoints.html
"""

import json
import secrets
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from cognito_session.local.authorization_request import AuthorizationRequest, form_of
from cognito_session.local.cognito_api import CognitoApi
from cognito_session.local.emulator import Emulator
from cognito_session.local.grants import Grants
from cognito_session.local.http_response import HttpResponse, oauth_error
from cognito_session.local.managed_login import ManagedLogin
from cognito_session.local.ministack_records import AppClient
from cognito_session.local.pool import secret_hash
from cognito_session.local.sign_up_pages import confirmation_page, sign_up_page
from cognito_session.testing.clock import SharedClock

__all__ = ["SignUp"]

Scope = MutableMapping[str, Any]

_TARGET: Final = "AWSCognitoIdentityProviderService."
_DETAILS: Final = ("username", "email", "password")
_PENDING_SECONDS: Final = 3600


@dataclass(frozen=True, slots=True)
class _Pending:
    """A sign-up that waits for its code."""

    asked: AuthorizationRequest
    username: str
    expires_at: float


class SignUp:
    """The pages of a sign-up and the actions of their forms."""

    def __init__(self, emulator: Emulator, grants: Grants, clock: SharedClock, *, api: CognitoApi, login: ManagedLogin) -> None:
        self._emulator = emulator
        self._grants = grants
        self._clock = clock
        self._api = api
        self._login = login
        self._pending: dict[str, _Pending] = {}

    async def answer(self, scope: Scope, headers: Mapping[str, str], body: bytes) -> HttpResponse:
        """GET and POST /signup."""
        form = form_of(body) if scope["method"] == "POST" else {}
        if "signup_token" in form:
            return await self._confirmed(scope, headers, form)
        parameters = {name: value for name, value in form.items() if name not in _DETAILS} or form_of(scope["query_string"])
        asked = AuthorizationRequest.of(parameters)
        page = await self._emulator.answer(asked.scope(scope), b"")
        if page.status != 200:  # noqa: PLR2004 - ministack shows its page only for a valid request
            return page
        asked = asked.for_client(self._grants.client(asked.client_id))
        return await self._signed_up(scope, asked, form) if form else sign_up_page(asked.parameters, _cancel(asked))

    def clear(self) -> None:
        """Forget every sign-up that waits for its code."""
        self._pending.clear()

    async def _signed_up(self, scope: Scope, asked: AuthorizationRequest, form: Mapping[str, str]) -> HttpResponse:
        username, email, password = (form.get(name, "") for name in _DETAILS)
        if not (username and email and password):
            return sign_up_page(asked.parameters, _cancel(asked), error="Fill in every field", form=form)
        details = {"Password": password, "UserAttributes": [{"Name": "email", "Value": email}]}
        answer = await self._ask(scope, "SignUp", asked.client_id, {"Username": username, **details})
        if answer.error:
            return sign_up_page(asked.parameters, _cancel(asked), error=_message(answer), form=form)
        token = secrets.token_urlsafe(32)
        self._pending[token] = _Pending(asked, username, self._clock.now() + _PENDING_SECONDS)
        return confirmation_page(token, _cancel(asked))

    async def _confirmed(self, scope: Scope, headers: Mapping[str, str], form: Mapping[str, str]) -> HttpResponse:
        token = form["signup_token"]
        pending = self._pending.get(token)
        if pending is None or self._clock.now() >= pending.expires_at:
            return oauth_error("invalid_request")
        asked = pending.asked
        confirmation = {"Username": pending.username, "ConfirmationCode": form.get("code", "")}
        answer = await self._ask(scope, "ConfirmSignUp", asked.client_id, confirmation)
        if answer.error:
            return confirmation_page(token, _cancel(asked), error=_message(answer))
        del self._pending[token]
        client = self._grants.client(asked.client_id)
        account = self._emulator.account(client.pool, pending.username)
        if account is None:
            return oauth_error("invalid_request")
        now = int(self._clock.now())
        return self._login.signed_in(self._emulator.give_code(client, account, asked.parameters, auth_time=now), headers)

    async def _ask(self, scope: Scope, operation: str, client_id: str, payload: Mapping[str, Any]) -> HttpResponse:
        """Call an API operation as an app with the client's secret does."""
        proof = _proof(self._grants.client(client_id), payload["Username"])
        body = json.dumps({"ClientId": client_id, **payload, **proof}).encode()
        host = [pair for pair in scope["headers"] if pair[0] == b"host"]
        named = [(b"x-amz-target", f"{_TARGET}{operation}".encode()), (b"content-type", b"application/x-amz-json-1.1")]
        inner = {**scope, "method": "POST", "path": "/", "raw_path": b"/", "query_string": b"", "headers": [*host, *named]}
        return await self._api.answer(operation, body, partial(self._emulator.answer, inner, body))


def _proof(client: AppClient, username: str) -> dict[str, str]:
    return {"SecretHash": secret_hash(client.client_id, client.secret, username)} if client.secret else {}


def _cancel(asked: AuthorizationRequest) -> str:
    return asked.error("access_denied", "The user cancelled the sign-up")


def _message(answer: HttpResponse) -> str:
    return str(answer.json().get("message") or "This did not work")
