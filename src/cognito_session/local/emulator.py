"""ministack, tamed: the only file that imports it and knows its insides (it is pinned to one exact version).

1. It is configured by the environment at import, so `Emulator` sets that first: real signatures, checked credentials,
   no listener of its own, no trace outside `state_dir`.
2. It lives by our clock: `time.time` is replaced before ministack is imported.
3. No start without real signatures: ministack without `cryptography` signs with random bytes and accepts anything.
Tokens get what real ones carry and ministack's lack: `event_id`, an `auth_time` that a refresh keeps, and no
`origin_jti` and `jti` where the app client has token revocation off.
"""
# ruff: noqa: SLF001 - the one file where ministack's insides are known

import base64
import importlib
import json
import os
import time
import uuid
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cognito_session.local.answer import Answer, api_error
from cognito_session.testing.clock import SharedClock

__all__ = ["AppClient", "Emulator", "UnfitError"]

_refreshed_auth_time: ContextVar[int | None] = ContextVar("refreshed_auth_time", default=None)


class UnfitError(RuntimeError):
    """The stack must not start like this; the message says what to do."""


@dataclass(frozen=True, slots=True)
class AppClient:
    """An app client: `pool` and `settings` are ministack's own live records of the pool and of the client."""

    client_id: str
    pool_id: str
    pool: dict[str, Any] = field(repr=False)
    settings: dict[str, Any] = field(repr=False)

    @property
    def secret(self) -> str | None:
        """The client secret; None for a public client."""
        return self.settings.get("ClientSecret")

    @property
    def grace_seconds(self) -> int | None:
        """RetryGracePeriodSeconds, 0 when it was left out (AWS does not say); None where rotation is off."""
        rotation = self.settings.get("RefreshTokenRotation") or {}
        return int(rotation.get("RetryGracePeriodSeconds") or 0) if rotation.get("Feature") == "ENABLED" else None


class Emulator:
    """ministack in this process. One per process: it keeps its state in modules."""

    def __init__(self, clock: SharedClock, state_dir: Path) -> None:
        _configure(state_dir)
        time.time = clock.now  # noqa: TID251 - from here on, this process lives by the stack's clock
        _require_cryptography()
        self._app = _module("ministack.app")
        self._cognito = _module("ministack.services.cognito")
        self._sign = self._cognito._signed_jwt
        self._cognito._signed_jwt = self._signed
        self._cognito._now_epoch = clock.now
        self._require_signatures()

    async def answer(self, scope: dict[str, Any], body: bytes) -> Answer:
        """What ministack itself answers to a request."""
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
        return Answer(started["status"], tuple(started["headers"]), b"".join(chunks))

    def client(self, client_id: object) -> AppClient | None:
        """The app client of this id, in whichever pool; requests that follow belong to its pool's region."""
        pool_id, pool, settings = self._cognito._find_pool_by_client_id(client_id)
        return AppClient(str(client_id), pool_id, pool, settings) if pool else None

    def claims(self, token: str) -> dict[str, Any]:
        """What a token of ministack says, its own refresh tokens included; {} for a text that is no JWT."""
        claims: dict[str, Any] = self._cognito._token_claims(token)
        return claims

    def adopt(self, sign_in: str) -> dict[str, Any]:
        """Take a refresh token of ministack into our care; its claims."""
        self._cognito._refresh_tokens.pop(sign_in, None)
        return self.claims(sign_in)

    def user_error(self, client: AppClient, sign_in: str) -> Answer | None:
        """Why the user of this sign-in may not refresh: deleted, disabled, signed out or another client's."""
        if self._cognito._user_from_token(sign_in, client.pool) is None:
            return api_error("UserNotFoundException", "User does not exist.")
        _, error = self._cognito._refresh_auth_user(client.pool, client.pool_id, client.client_id, sign_in)
        return error and _as_answer(error)

    def secret_hash_error(self, operation: str, payload: dict[str, Any]) -> Answer | None:
        """Why a SECRET_HASH is refused. `payload` carries ministack's own refresh token."""
        error = self._cognito._validate_client_secret_hash(operation, payload)
        return error and _as_answer(error)

    def mint(self, client: AppClient, sign_in: str, *, auth_time: int, new_origin: bool) -> dict[str, Any]:
        """New tokens of a sign-in as Cognito's AuthenticationResult, without a refresh token."""
        claims = self.claims(sign_in)
        user = self._cognito._user_from_token(sign_in, client.pool)
        remembered = _refreshed_auth_time.set(auth_time)
        try:
            result: dict[str, Any] = self._cognito._build_auth_result(
                client.pool_id,
                client.client_id,
                user,
                trigger_source="TokenGeneration_RefreshTokens",
                origin_jti="" if new_origin else claims["origin_jti"],
                scope=claims.get("scope"),
            )
        finally:
            _refreshed_auth_time.reset(remembered)
        del result["RefreshToken"]
        return result

    def grants_id_token(self, sign_in: str) -> bool:
        """Whether the OAuth scopes of a sign-in bring an id token."""
        return bool(self._cognito._id_token_granted(self.claims(sign_in).get("scope")))

    def oauth_client(self, headers: dict[str, str], form: dict[str, str]) -> tuple[str, str]:
        """The client id and secret of an OAuth request, from HTTP Basic or the form (RFC 6749 2.3.1)."""
        client_id, secret = self._cognito._authenticate_client(headers, form)
        return str(client_id), str(secret)

    def revoke(self, sign_in: str) -> None:
        """Make the access tokens of a sign-in invalid for Cognito's own operations too."""
        self._cognito._revoke_token({"Token": sign_in})

    def reset(self) -> None:
        """Forget every pool, user and table."""
        self._app._reset_all_state()

    def _signed(self, claims: dict[str, Any], pool_id: str = "", use: str = "") -> str:
        if claims.get("token_use") == "refresh" and _refreshed_auth_time.get() is not None:
            return ""  # a refresh gives out none of ministack's own, so why sign one
        return str(self._sign(self._completed(claims, pool_id), pool_id, use))

    def _completed(self, claims: dict[str, Any], pool_id: str) -> dict[str, Any]:
        if claims.get("token_use") not in ("access", "id"):
            return claims
        whole = {**claims, "event_id": str(uuid.uuid4())}
        auth_time = _refreshed_auth_time.get()
        if auth_time is not None:
            whole["auth_time"] = auth_time
        client = self.client(claims.get("client_id") or claims.get("aud"))
        if client and client.pool_id == pool_id and not client.settings.get("EnableTokenRevocation", True):
            whole.pop("origin_jti", None)
            whole.pop("jti", None)
        return whole

    def _require_signatures(self) -> None:
        """Mint a token and check it against the published key set, as any relying party would."""
        pool_id = "us-east-1_startup"
        token = self._sign({"token_use": "access"}, pool_id, "access")
        key_set = json.loads(self._cognito.well_known_jwks(pool_id)[2])
        self._cognito._drop_pool_keys(pool_id)
        if self._app.AUTH is not True or not _verifies(token, key_set):
            raise UnfitError("ministack does not sign its tokens with its published keys; the stack refuses to start")


def _configure(state_dir: Path) -> None:
    folder = str(state_dir)
    os.environ.update(
        AUTH="true",
        SERVICES="cognito-idp,dynamodb",
        BIND_HOST="127.0.0.1",
        IOT_MTLS_ENABLED="0",
        SFTP_ENABLED="0",
        PERSIST_STATE="0",
        STATE_DIR=folder,
        S3_DATA_DIR=folder,
        TMPDIR=folder,
        LOG_LEVEL="WARNING",
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",  # noqa: S106 - ministack's root user, known to nobody outside this machine
        MINISTACK_REGION="us-east-1",
    )


def _module(name: str) -> Any:
    return importlib.import_module(name)


def _as_answer(error: tuple[int, object, bytes]) -> Answer:
    return Answer(error[0], ((b"content-type", b"application/x-amz-json-1.1"),), error[2])


def _require_cryptography() -> None:
    try:
        importlib.import_module("cryptography.hazmat.primitives.asymmetric.rsa")
    except ImportError as error:
        raise UnfitError(
            "the local stack needs the `cryptography` package: without it ministack's signatures are random bytes. "
            "Install cognito-session[local]"
        ) from error


def _verifies(token: str, key_set: dict[str, Any]) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    header, _, signature = token.split(".")
    kid = json.loads(_decoded(header)).get("kid")
    key = next((key for key in key_set["keys"] if key["kid"] == kid), None)
    if key is None:
        return False
    numbers = rsa.RSAPublicNumbers(e=int.from_bytes(_decoded(key["e"])), n=int.from_bytes(_decoded(key["n"])))
    signed = token.rpartition(".")[0].encode()
    try:
        numbers.public_key().verify(_decoded(signature), signed, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
