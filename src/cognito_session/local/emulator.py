"""ministack in this process: the only file that imports it. Its records are in `ministack_records`.

1. ministack is pinned to one exact version, because this file uses its private functions.
2. `startup_checks` sets the environment before the import and decides whether the stack can start.
3. ministack uses the stack's clock: `time.time` is replaced before the import.
4. ministack's sign-in page asks for name and password, whatever else the app client allows in the API.
`token_signer` adds the claims that ministack's tokens lack; `signing_keys` adds the rotation of keys.
"""
# ruff: noqa: SLF001 - this file uses ministack's private functions

import base64
import importlib
import json
import secrets
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

from cognito_session.local.http_response import HttpResponse, api_error
from cognito_session.local.ministack_records import AppClient, UserRecord
from cognito_session.local.signing_keys import SigningKeys
from cognito_session.local.startup_checks import StartupError, configure, require_packages, verifies
from cognito_session.local.token_signer import TokenSigner
from cognito_session.testing.clock import SharedClock

__all__ = ["CodeGrant", "Emulator"]

_SECRET_CHARS = 51
_CODE_SECONDS = 300  # the lifetime of an authorization code in ministack
_CODE_PARAMETERS = ("redirect_uri", "scope", "nonce", "code_challenge", "code_challenge_method", "state")


@dataclass(frozen=True, slots=True)
class CodeGrant:
    """The sign-in behind an authorization code. auth_time: epoch seconds of the authentication."""

    pool_id: str
    username: str
    auth_time: int


class Emulator:
    """ministack in this process. One per process, because ministack keeps its state in modules."""

    def __init__(self, clock: SharedClock, state_dir: Path) -> None:
        configure(state_dir)
        time.time = clock.now  # noqa: TID251 - this process uses the stack's clock
        require_packages()
        self._app = _module("ministack.app")
        self._cognito = _module("ministack.services.cognito")
        self._sign = self._cognito._signed_jwt
        self._signer = TokenSigner(self._sign, self.client)
        self._cognito._signed_jwt = self._signer.signed
        self._cognito._now_epoch = clock.now
        self._cognito._authenticate_client = _client_of
        self._cognito._client_secret = _new_secret
        self._cognito._use_choice_based_ui = lambda _client: False
        self._keys = SigningKeys(self._cognito._pool_signing_key)
        self._cognito._pool_signing_key = self._keys.key
        self._require_signatures()

    async def answer(self, scope: dict[str, Any], body: bytes) -> HttpResponse:
        """Ministack's own response to a request."""
        started: dict[str, Any] = {}
        chunks: list[bytes] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                started.update(message)
            else:
                chunks.append(message.get("body", b""))

        await self._app.app(scope, receive, send)
        return HttpResponse(started["status"], tuple(started["headers"]), b"".join(chunks))

    def client(self, client_id: object) -> AppClient | None:
        """The app client of this id, in any pool. Later requests use its pool's region."""
        pool_id, pool, settings = self._cognito._find_pool_by_client_id(client_id)
        return AppClient(str(client_id), pool_id, pool, settings) if pool else None

    def account(self, pool: Mapping[str, Any], name: object) -> UserRecord | None:
        """The user with this name or alias in a pool."""
        user, _ = self._cognito._resolve_user(pool, name) if isinstance(name, str) and name else (None, None)
        return UserRecord(user) if user else None

    def pool(self, pool_id: object) -> dict[str, Any] | None:
        """Ministack's record of a pool. Later requests use its region."""
        pool: dict[str, Any] | None = self._cognito._get_pool_unscoped(pool_id)
        return pool

    def claims(self, token: str) -> dict[str, Any]:
        """The claims of a ministack token, refresh tokens included; {} for a text that is not a JWT."""
        claims: dict[str, Any] = self._cognito._token_claims(token)
        return claims

    def adopt(self, sign_in: str) -> dict[str, Any]:
        """Remove a refresh token from ministack and return its claims."""
        self._cognito._refresh_tokens.pop(sign_in, None)
        return self.claims(sign_in)

    def user_error(self, client: AppClient, sign_in: str) -> HttpResponse | None:
        """The reason why the user of this sign-in cannot refresh: deleted, disabled, signed out, or another client's."""
        if self._cognito._user_from_token(sign_in, client.pool) is None:
            return api_error("UserNotFoundException", "User does not exist.")
        _, error = self._cognito._refresh_auth_user(client.pool, client.pool_id, client.client_id, sign_in)
        return error and _as_answer(error)

    def token_owner(self, access_token: str) -> UserRecord | None:
        """The user of a valid access token; None for any other text."""
        user, _ = self._cognito._user_pool_for_access_token(access_token)
        return UserRecord(user) if user else None

    def srp_challenge(self, client: AppClient, username: str, srp_a: str) -> HttpResponse:
        """PASSWORD_VERIFIER for a password that the client proves by SRP within USER_AUTH, whatever flows the client allows."""
        settings = {**client.settings, "ExplicitAuthFlows": ["ALLOW_USER_SRP_AUTH"]}
        pool = {**client.pool, "_clients": {**client.pool["_clients"], client.client_id: settings}}
        given = {"USERNAME": username, "SRP_A": srp_a}
        return _as_answer(self._cognito._initiate_user_srp_auth(pool, client.pool_id, client.client_id, given))

    def on_device(self, device_key: str | None) -> AbstractContextManager[None]:
        """As TokenSigner.device."""
        return self._signer.device(device_key)

    def password_error(self, client: AppClient, username: str, password: str) -> HttpResponse | None:
        """The reason why a user cannot sign in with this password."""
        given = {"USERNAME": username, "PASSWORD": password}
        asked = {"ClientId": client.client_id, "AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": given}
        answer = _as_answer(self._cognito._initiate_auth(asked))
        return answer if answer.error else None

    def policy_error(self, client: AppClient, password: str) -> HttpResponse | None:
        """The reason why the pool does not allow a password."""
        error = self._cognito._validate_password(client.pool, password)
        return error and _as_answer(error)

    def sign_in(self, client: AppClient, account: UserRecord) -> dict[str, Any]:
        """A new sign-in as Cognito's AuthenticationResult, with ministack's own refresh token."""
        result: dict[str, Any] = self._cognito._build_auth_result(client.pool_id, client.client_id, account.record)
        return result

    def secret_hash_error(self, operation: str, payload: dict[str, Any]) -> HttpResponse | None:
        """The reason why a SECRET_HASH is refused. `payload` contains ministack's own refresh token."""
        error = self._cognito._validate_client_secret_hash(operation, payload)
        return error and _as_answer(error)

    def mint(
        self, client: AppClient, sign_in: str, *, auth_time: int, new_origin: bool, device_key: str | None = None
    ) -> dict[str, Any]:
        """New tokens of a sign-in as Cognito's AuthenticationResult, without a refresh token."""
        claims = self.claims(sign_in)
        user = self._cognito._user_from_token(sign_in, client.pool)
        with self._signer.refresh(auth_time, device_key):
            result: dict[str, Any] = self._cognito._build_auth_result(
                client.pool_id,
                client.client_id,
                user,
                trigger_source="TokenGeneration_RefreshTokens",
                origin_jti="" if new_origin else claims["origin_jti"],
                scope=claims.get("scope"),
            )
        del result["RefreshToken"]
        return result

    def give_code(self, client: AppClient, account: UserRecord, asked: Mapping[str, str], *, auth_time: int) -> HttpResponse:
        """The redirect with a new authorization code for a user, or the refusal of the request.

        `asked` holds the parameters of RFC 6749 4.1.1, RFC 7636 4.3 and the nonce.
        """
        values = {name: asked.get(name, "") for name in _CODE_PARAMETERS}
        answer = _as_answer(
            self._cognito._issue_auth_code_redirect(client.client_id, client.pool_id, username=account.username, **values)
        )
        code = answer.code
        if code:
            self._cognito._authorization_codes[code]["auth_time"] = auth_time
        return answer

    def code_grant(self, code: object) -> CodeGrant | None:
        """The sign-in behind an authorization code that was issued and not used."""
        entry = self._cognito._authorization_codes.get(code)
        if entry is None:
            return None
        return CodeGrant(entry["pool_id"], entry["username"], int(entry.get("auth_time", entry["expires_at"] - _CODE_SECONDS)))

    def signed_in_at(self, auth_time: int | None) -> AbstractContextManager[None]:
        """As TokenSigner.auth_time."""
        return self._signer.auth_time(auth_time)

    def grants_id_token(self, sign_in: str) -> bool:
        """Whether the OAuth scopes of a sign-in include an ID token."""
        return bool(self._cognito._id_token_granted(self.claims(sign_in).get("scope")))

    def oauth_client(self, headers: dict[str, str], form: dict[str, str]) -> tuple[str, str]:
        """The client id and secret of an OAuth request, from HTTP Basic or the form (RFC 6749 2.3.1)."""
        return _client_of(headers, form)

    def revoke(self, sign_in: str) -> None:
        """Make the access tokens of a sign-in invalid for Cognito's own operations."""
        self._cognito._revoke_token({"Token": sign_in})

    def reset(self) -> None:
        """Delete every pool, user and table."""
        self._app._reset_all_state()

    def rotate_keys(self, pool_id: str) -> None:
        """Sign with new keys from now on. The key set keeps the old ones, so that earlier tokens still verify."""
        self._keys.retire(pool_id)
        self._cognito._drop_pool_keys(pool_id)
        self._cognito._POOL_KEY_USES = self._keys.uses_after_rotation

    def withdraw_keys(self, pool_id: str) -> None:
        """Remove the keys of before the last rotation from the key set: tokens that they signed no longer verify."""
        self._keys.withdraw(pool_id)

    def _require_signatures(self) -> None:
        """Sign a token and check it against the published key set, as a relying party does."""
        pool_id = "us-east-1_startup"
        token = self._sign({"token_use": "access"}, pool_id, "access")
        key_set = json.loads(self._cognito.well_known_jwks(pool_id)[2])
        self._cognito._drop_pool_keys(pool_id)
        if self._app.AUTH is not True or not verifies(token, key_set):
            raise StartupError("ministack does not sign its tokens with its published keys; the stack cannot start")


def _client_of(headers: Mapping[str, str] | None, form: Mapping[str, str]) -> tuple[str, str]:
    """The client id and secret of a request. In HTTP Basic they are form-encoded: a plus is a space (RFC 6749 2.3.1, appendix
    B).
    """
    kind, _, encoded = (headers or {}).get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return form.get("client_id", ""), form.get("client_secret", "")
    try:
        pair = base64.b64decode(encoded).decode()
    except ValueError:
        return "", ""
    client_id, _, secret = pair.partition(":")
    return unquote_plus(client_id), unquote_plus(secret)


def _new_secret() -> str:
    """A secret like Cognito's: lower-case letters and digits, which HTTP Basic does not escape."""
    return "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(_SECRET_CHARS))


def _module(name: str) -> Any:
    return importlib.import_module(name)


def _as_answer(answer: tuple[int, Mapping[str, object], bytes]) -> HttpResponse:
    status, headers, body = answer
    return HttpResponse(status, tuple((name.lower().encode(), str(value).encode()) for name, value in headers.items()), body)
