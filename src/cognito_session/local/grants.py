"""What a refresh token is worth: the one place where sign-ins are taken over, refreshed and revoked.

The API operations and the OAuth endpoints both come through here and differ only in how they ask and answer.
1. Every refresh token that leaves the stack is an opaque text of realistic size; ministack's own never does.
2. A refresh checks, in this order: the client's secret, the token, the user; only then is the token spent.
3. From the first look to the mark nothing awaits, and the book locks: no two uses interleave.
Message texts are the ones seen of AWS where such are known.
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

# A real one is a JWE with encrypted content: five parts, the first of which is this header, 1,750 characters or so.
_HEADER = "eyJjdHkiOiJKV1QiLCJlbmMiOiJBMjU2R0NNIiwiYWxnIjoiUlNBLU9BRVAifQ"
_PART_BYTES = (256, 12, 960, 16)


class OperationRefusedError(Exception):
    """A refusal: `answer` is how the API says it, `oauth` the OAuth error code."""

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
        self.rules = RotationRules()

    def client(self, client_id: object) -> AppClient:
        """The app client of this id. Raises OperationRefusedError."""
        client = self._emulator.client(client_id) if isinstance(client_id, str) and client_id else None
        if client is None:
            raise OperationRefusedError(
                api_error("ResourceNotFoundException", "User pool client does not exist."), "invalid_client"
            )
        return client

    def check_secret(self, client: AppClient, secret: object) -> None:
        """A confidential client must show its secret. Raises OperationRefusedError."""
        shown = secret.encode() if isinstance(secret, str) else b""
        if client.secret and not secrets.compare_digest(shown, client.secret.encode()):
            # AWS documents the code only; the text is the one that it uses for a SECRET_HASH.
            message = f"Unable to verify secret hash for client {client.client_id}"
            raise OperationRefusedError(api_error("NotAuthorizedException", message), "invalid_client")

    def adopt(self, sign_in: str, access_token: str, *, with_device: bool) -> tuple[str, dict[str, str] | None]:
        """Take over a fresh sign-in: the refresh token to give out, and the NewDeviceMetadata of a new device.

        with_device: whether the answer has a place for it; managed login tells the key by the access token alone.
        """
        claims, access = self._emulator.adopt(sign_in), self._emulator.claims(access_token)
        client = self.client(claims["client_id"])
        family = SignInFamily(sign_in, client.client_id, float(claims["exp"]))
        # Not of the sign-in: ministack reads the time for each token anew, which may be a second later.
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
        """Whose token this is, if it is this client's. Raises OperationRefusedError."""
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
                raise self._refusal("unknown")  # AWS says nothing more telling of a missing, unconfirmed or forgotten device
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
        """Whether the scopes of this sign-in bring an id token. Raises OperationRefusedError."""
        return self._emulator.grants_id_token(self.family(client, refresh_token).sign_in)

    def revoke(self, client: AppClient, refresh_token: str) -> None:
        """Revoke a token of this client; one that is unknown stays so, as RFC 7009 2.2 asks. Raises OperationRefusedError."""
        family = self._book.find(refresh_token)
        if family is None or family.client_id != client.client_id:
            return
        self._book.revoke(refresh_token, self.rules)
        if family.revoked:
            self._emulator.revoke(family.sign_in)

    def _worded(self, error: HttpResponse) -> HttpResponse:
        """What ministack says of a revoked sign-in, in the words of the rules."""
        said = error.json().get("message")
        reason = next((reason for reason, (_, usual) in REFUSALS.items() if usual == said), None)
        return error if reason is None else self._refusal(reason).answer

    def _refusal(self, reason: Reason) -> OperationRefusedError:
        code, usual = REFUSALS[reason]
        return OperationRefusedError(api_error(code, self.rules.words.get(reason, usual)))

    def reset(self) -> None:
        """Forget every sign-in and go back to the default rules."""
        self._book.clear()
        self._devices.clear()
        self.rules = RotationRules()


def _opaque_text() -> str:
    return ".".join((_HEADER, *(secrets.token_urlsafe(size) for size in _PART_BYTES)))
