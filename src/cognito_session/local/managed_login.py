"""Managed login's own session: the cookie that signs a browser in again without a password.

1. The cookie is opaque and identifies one user of one pool for an hour after the sign-in. It is never renewed.
2. It works while the user exists and is enabled. Neither a global sign-out nor a new password ends it:
https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_AdminUserGlobalSignOut.html
3. A code from the cookie has the `auth_time` of the original sign-in, because the user did not authenticate again.
4. A SAML sign-in that starts at the identity provider returns a code without state, nonce and PKCE challenge:
https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-SAML-session-initiation.html
5. All pools of a stack share one host and therefore one cookie; the cookie of another pool is neither used nor ended.
"""

import secrets
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

from cognito_session.core.cookie import Cookie
from cognito_session.local.authorization_request import AuthorizationRequest, form_of
from cognito_session.local.emulator import Emulator
from cognito_session.local.grants import Grants
from cognito_session.local.http_response import HttpResponse, oauth_error
from cognito_session.local.ministack_records import AppClient, UserRecord
from cognito_session.testing.clock import SharedClock

__all__ = ["ManagedLogin"]

_COOKIE: Final = Cookie("cognito")
# Not Secure, unlike Cognito's cookie, because the stack uses plain http.
_ATTRIBUTES: Final = "Path=/; HttpOnly; SameSite=Lax"
_SESSION_SECONDS: Final = 3600
_ASKS_ANEW: Final = frozenset({"login", "select_account"})


@dataclass(frozen=True, slots=True)
class _Remembered:
    """A browser's sign-in. It has the `sub`, because another user can have the same name later or in another pool."""

    pool_id: str
    username: str
    sub: str
    signed_in_at: int


class ManagedLogin:
    """The sign-in endpoints of a user pool's domain, with the cookie that ministack lacks."""

    def __init__(self, emulator: Emulator, grants: Grants, clock: SharedClock) -> None:
        self._emulator = emulator
        self._grants = grants
        self._clock = clock
        self._browsers: dict[str, _Remembered] = {}

    async def authorize(self, scope: MutableMapping[str, Any], headers: Mapping[str, str]) -> HttpResponse:
        """GET /oauth2/authorize: a code at once for a browser with the cookie, otherwise ministack's page."""
        asked = AuthorizationRequest.of(form_of(scope["query_string"]))
        page = await self._emulator.answer(asked.scope(scope), b"")
        if page.status != 200:  # noqa: PLR2004 - any other response is a refusal or another provider's redirect
            return page
        client = self._grants.client(asked.client_id)
        asked = asked.for_client(client)
        if asked.prompts & _ASKS_ANEW:
            return page
        remembered = self._remembered(headers)
        account = remembered and self._account(remembered, client)
        if remembered and account:
            return self._emulator.give_code(client, account, asked.parameters, auth_time=remembered.signed_in_at)
        return asked.refused("login_required", "") if "none" in asked.prompts else page

    async def login(self, scope: MutableMapping[str, Any], headers: Mapping[str, str], body: bytes) -> HttpResponse:
        """POST /login: ministack's response, with the cookie if it signs the user in."""
        return self.signed_in(await self._emulator.answer(dict(scope), body), headers)

    def idp_initiated(self, headers: Mapping[str, str], body: bytes) -> HttpResponse:
        """POST /saml2/idpresponse without an authorization request. `RelayState` names client, address and scopes.

        The stack has no identity provider: `SAMLResponse` is the user's name, and nothing checks it.
        """
        form = form_of(body)
        asked = form_of(form.get("RelayState", "").encode())
        client = self._grants.client(asked.get("client_id", ""))
        account = self._emulator.account(client.pool, form.get("SAMLResponse", ""))
        if account is None or asked.get("redirect_uri") not in client.settings.get("CallbackURLs", ()):
            return oauth_error("invalid_request")
        bound = {name: asked.get(name, "") for name in ("redirect_uri", "scope")}
        now = int(self._clock.now())
        return self.signed_in(self._emulator.give_code(client, account, bound, auth_time=now), headers)

    async def logout(self, scope: MutableMapping[str, Any], headers: Mapping[str, str]) -> HttpResponse:
        """GET /logout: ends the cookie and redirects to a registered logout_uri."""
        answer = await self._emulator.answer(dict(scope), b"")
        asked = form_of(scope["query_string"])
        if not answer.location:
            return answer
        client = self._grants.client(asked["client_id"])
        if asked["logout_uri"] not in client.settings.get(
            "LogoutURLs", ()
        ):  # ministack accepts every logout_uri if none is registered
            return oauth_error("invalid_request")
        if any(self._browsers[value].pool_id != client.pool_id for value in self._known(headers)):
            return answer
        self._forget(headers)
        return answer.with_cookie(f"{_COOKIE.name}=; {_ATTRIBUTES}; Max-Age=0")

    def signed_in(self, answer: HttpResponse, headers: Mapping[str, str]) -> HttpResponse:
        """A response that brings a code, with a new cookie; any other response unchanged."""
        grant = self._emulator.code_grant(answer.code)
        pool = grant and self._emulator.pool(grant.pool_id)
        account = grant and pool and self._emulator.account(pool, grant.username)
        if not grant or not account:
            return answer
        self._forget(headers)
        value = secrets.token_urlsafe(32)
        self._browsers[value] = _Remembered(grant.pool_id, account.username, account.sub, grant.auth_time)
        return answer.with_cookie(f"{_COOKIE.name}={value}; {_ATTRIBUTES}")

    def clear(self) -> None:
        """Forget every browser."""
        self._browsers.clear()

    def _known(self, headers: Mapping[str, str]) -> list[str]:
        return [value for value in _COOKIE.candidates(headers.get("cookie")).values if value in self._browsers]

    def _forget(self, headers: Mapping[str, str]) -> None:
        for value in self._known(headers):
            del self._browsers[value]

    def _remembered(self, headers: Mapping[str, str]) -> _Remembered | None:
        sign_ins = (self._browsers[value] for value in self._known(headers))
        too_old = self._clock.now() - _SESSION_SECONDS
        return next((each for each in sign_ins if each.signed_in_at > too_old), None)

    def _account(self, remembered: _Remembered, client: AppClient) -> UserRecord | None:
        account = self._emulator.account(client.pool, remembered.username)
        return account if account and account.sub == remembered.sub and account.enabled else None
