"""Sign-ins and their refresh tokens: the one place that takes over, refreshes and revokes them.

The API operations and the OAuth endpoints both use it, and differ only in the formats of requests and responses.
1. Every refresh token that the stack issues is an opaque text of realistic size; ministack's own stays inside.
2. A refresh checks the client's secret, the token and the user, in this order, and only then uses the token.
3. Nothing awaits between the check and the mark, and the book locks: no two uses interleave.
The message texts are the ones observed from AWS, if known.
"""

import secrets
from dataclasses import dataclass, field
from typing import Any

from cognito_session.local.devices import DeviceBook
from cognito_session.local.emulator import Emulator
from cognito_session.local.http_response import HttpResponse, api_error
from cognito_session.local.ministack_records import AppClient
from cognito_session.testing.clock import SharedClock
from cognito_session.testing.rotation import REFUSALS, Reason, RefreshTokenRefusedError, RotationRules, TokenBook

__all__ = ["Grants", "OperationRefusedError"]

# A real refresh token is a JWE with encrypted content: this header and four more parts, about 1,750 characters.
_HEADER = "eyJjdHkiOiJKV1QiLCJlbmMiOiJBMjU2R0NNIiwiYWxnIjoiUlNBLU9BRVAifQ"
_PART_BYTES = (256, 12, 960, 16)


class OperationRefusedError(Exception):
    """A refused operation: `answer` is the API's response, `oauth` the OAuth error code."""

    def __init__(self, answer: HttpResponse, oauth: str = "invalid_grant") -> None:
        super().__init__(answer.error)
        self.answer = answer
        self.oauth = oauth


@dataclass(slots=True, eq=False)
class SignInFamily:
    """A `TokenFamily`. `sign_in`: ministack's own refresh token of the sign-in, which no client ever receives."""

    sign_in: str = field(repr=False)
    client_id: str
    expires_at: float
    auth_time: int = 0
    sub: str = ""
    device_key: str | None = None
    revoked: bool = False


class Grants:
    """Sign-ins and their refresh tokens."""

    def __init__(self, emulator: Emulator, clock: SharedClock, devices: DeviceBook) -> None:
        self._emulator = emulator
        self._clock = clock
        self._devices = devices
        self._book: TokenBook[SignInFamily] = TokenBook(_opaque_text)
        self.rules: RotationRules = RotationRules()

    def client(self, client_id: object) -> AppClient:
        """The app client with this id. Raises OperationRefusedError."""
        client = self._emulator.client(client_id) if isinstance(client_id, str) and client_id else None
        if client is None:
            raise OperationRefusedError(
                api_error("ResourceNotFoundException", "User pool client does not exist."), "invalid_client"
            )
        return client

    def check_secret(self, client: AppClient, secret: object) -> None:
        """Check the secret of a confidential client. Raises OperationRefusedError."""
        shown = secret.encode() if isinstance(secret, str) else b""
        if client.secret and not secrets.compare_digest(shown, client.secret.encode()):
            # AWS documents only the code; this is its message for a SECRET_HASH.
            message = f"Unable to verify secret hash for client {client.client_id}"
            raise OperationRefusedError(api_error("NotAuthorizedException", message), "invalid_client")

    def adopt(self, sign_in: str, access_token: str, *, with_device: bool) -> tuple[str, dict[str, str] | None]:
        """Take over a new sign-in: the refresh token to issue, and the NewDeviceMetadata of a new device.

        with_device: whether the response has a field for it; managed login names the key only in the access token.
        """
        claims, access = self._emulator.adopt(sign_in), self._emulator.claims(access_token)
        client = self.client(claims["client_id"])
        family = SignInFamily(sign_in, client.client_id, float(claims["exp"]))
        # From the access token, because ministack reads the time for each token and the sign-in can be a second older.
        family.auth_time = int(access["auth_time"])
        metadata = None
        if "device_key" in access:
            family.sub, family.device_key = access["sub"], access["device_key"]
            known = self._devices.confirmed(client.pool_id, family.sub, family.device_key)
            if known is None:
                device = self._devices.issue(client.pool_id, family.sub, access["device_key"], self._clock.now())
                metadata = {"DeviceKey": device.key, "DeviceGroupKey": device.group} if with_device else None
            else:
                known.authenticated_at = self._clock.now()
        return self._book.issue(family), metadata

    def family(self, client: AppClient, refresh_token: object) -> SignInFamily:
        """The family of a token, if it belongs to this client. Raises OperationRefusedError."""
        family = self._book.find(refresh_token) if isinstance(refresh_token, str) else None
        if family is None or family.client_id != client.client_id:
            raise self._refusal("unknown")
        return family

    def refresh(self, client: AppClient, refresh_token: object, device_key: object = None) -> dict[str, Any]:
        """Use a refresh token: an AuthenticationResult, with a RefreshToken if rotation is on.

        Raises OperationRefusedError.
        """
        family = self.family(client, refresh_token)
        if family.device_key is not None and client.tracks_devices:
            confirmed = self._devices.confirmed(client.pool_id, family.sub, family.device_key)
            if device_key != family.device_key or confirmed is None:
                raise self._refusal("unknown")  # AWS gives the same error for a missing, unconfirmed or forgotten device
        error = self._emulator.user_error(client, family.sign_in)
        if error is not None:
            raise OperationRefusedError(self._worded(error))
        now = self._clock.now()
        try:
            use = self._book.use(str(refresh_token), now=now, grace_seconds=client.grace_seconds, rules=self.rules)
        except RefreshTokenRefusedError as refused:
            raise self._refusal(refused.reason) from None
        new_origin = self.rules.origin_jti_changes
        result = self._emulator.mint(
            client, family.sign_in, auth_time=family.auth_time, new_origin=new_origin, device_key=family.device_key
        )
        return result if use.refresh_token is None else {**result, "RefreshToken": use.refresh_token}

    def gives_id_token(self, client: AppClient, refresh_token: object) -> bool:
        """Whether the scopes of this sign-in include an ID token. Raises OperationRefusedError."""
        return self._emulator.grants_id_token(self.family(client, refresh_token).sign_in)

    def revoke(self, client: AppClient, refresh_token: str) -> None:
        """Revoke a token of this client; an unknown token changes nothing (RFC 7009 2.2). Raises OperationRefusedError."""
        family = self._book.find(refresh_token)
        if family is None or family.client_id != client.client_id:
            return
        self._book.revoke(refresh_token, self.rules)
        if family.revoked:
            self._emulator.revoke(family.sign_in)

    def _worded(self, error: HttpResponse) -> HttpResponse:
        """Ministack's refusal of a revoked sign-in, with the message of the rules."""
        said = error.json().get("message")
        reason = next((reason for reason, (_, usual) in REFUSALS.items() if usual == said), None)
        return error if reason is None else self._refusal(reason).answer

    def _refusal(self, reason: Reason) -> OperationRefusedError:
        code, usual = REFUSALS[reason]
        return OperationRefusedError(api_error(code, self.rules.words.get(reason, usual)))

    def reset(self) -> None:
        """Forget every sign-in and restore the default rules."""
        self._book.clear()
        self._devices.clear()
        self.rules = RotationRules()


def _opaque_text() -> str:
    return ".".join((_HEADER, *(secrets.token_urlsafe(size) for size in _PART_BYTES)))
