"""The operations of the Cognito API that the stack answers itself, or completes after ministack.

Answered here: GetTokensFromRefreshToken, RevokeToken, the refresh flow of InitiateAuth and AdminInitiateAuth, and the device
operations (`device_api`). Completed: operations that sign a user in (`sign_in_challenges`, and the stack's own refresh token),
operations that send a code (`outbox`), and the two that configure an app client: ministack drops RefreshTokenRotation, and an
update without it keeps the earlier value.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from cognito_session.local.challenge_checks import ChallengeChecks
from cognito_session.local.challenge_issuer import ChallengeIssuer
from cognito_session.local.challenge_session import ChallengeSessions
from cognito_session.local.code_delivery import SENDING, CodeDelivery
from cognito_session.local.device_api import DEVICE_OPERATIONS, DeviceApi
from cognito_session.local.devices import DeviceBook
from cognito_session.local.emulator import Emulator
from cognito_session.local.grants import Grants, OperationRefusedError
from cognito_session.local.http_response import HttpResponse, api_error, json_response
from cognito_session.local.outbox import Outbox
from cognito_session.local.second_factors import SecondFactors
from cognito_session.local.sign_in_challenges import SignInChallenges
from cognito_session.local.totp_setup import TotpSetup
from cognito_session.testing.clock import SharedClock

__all__ = ["CognitoApi"]

Onward = Callable[[], Awaitable[HttpResponse]]

_INITIATE = frozenset({"InitiateAuth", "AdminInitiateAuth"})
_RESPOND = frozenset({"RespondToAuthChallenge", "AdminRespondToAuthChallenge"})
_TOTP = frozenset({"AssociateSoftwareToken", "VerifySoftwareToken"})
_PREFERENCE = frozenset({"SetUserMFAPreference", "AdminSetUserMFAPreference"})
_CLIENT_SETUP = frozenset({"CreateUserPoolClient", "UpdateUserPoolClient"})
_REFRESH_FLOWS = frozenset({"REFRESH_TOKEN_AUTH", "REFRESH_TOKEN"})
_MAX_GRACE_SECONDS = 60


class CognitoApi:
    """The rules of the Cognito API that ministack lacks."""

    def __init__(self, emulator: Emulator, grants: Grants, clock: SharedClock, outbox: Outbox, devices: DeviceBook) -> None:
        self._emulator = emulator
        self._grants = grants
        self._book = ChallengeSessions()
        issuer = ChallengeIssuer(self._book, outbox, clock)
        self._challenges = SignInChallenges(emulator, grants, issuer, ChallengeChecks(emulator, clock, devices), devices)
        self._device_api = DeviceApi(emulator, grants, devices, clock)
        self._totp_setup = TotpSetup(emulator, grants, issuer, clock)
        self._second_factors = SecondFactors(emulator)
        self._mailing = CodeDelivery(emulator, outbox, clock)

    def clear(self) -> None:
        """Forget every challenge."""
        self._book.clear()

    async def answer(self, operation: str, body: bytes, onward: Onward) -> HttpResponse:
        """The response to one operation; `onward` calls ministack."""
        try:
            payload = json.loads(body or b"{}")
        except ValueError:
            payload = None
        if not isinstance(payload, dict) or not _well_typed(payload):
            return api_error("SerializationException", "the body must be a JSON object of the operation's shape")
        payload = _without_nulls(payload)
        try:
            own = self._own(operation, payload)
            return own if own is not None else await self._completed(operation, payload, onward)
        except OperationRefusedError as denied:
            return denied.answer

    def _own(self, operation: str, payload: dict[str, Any]) -> HttpResponse | None:
        if operation == "GetTokensFromRefreshToken":
            return self._get_tokens(payload)
        if operation == "RevokeToken":
            return self._revoke(payload)
        if operation in DEVICE_OPERATIONS:
            return self._device_api.answer(operation, payload)
        if operation in _INITIATE and payload.get("AuthFlow") in _REFRESH_FLOWS:
            return self._refresh_flow(operation, payload)
        if operation in _TOTP and not payload.get("AccessToken"):
            return self._totp_setup.answer(operation, payload)
        return None

    async def _completed(self, operation: str, payload: dict[str, Any], onward: Onward) -> HttpResponse:
        if operation in _CLIENT_SETUP:
            return _invalid_rotation(payload) or self._client_set_up(payload, await onward())
        if operation in _INITIATE:
            return self._signed_in(await self._challenges.initiate(operation, payload, onward))
        if operation in _RESPOND:
            return self._signed_in(await self._challenges.respond(operation, payload, onward))
        if operation in _PREFERENCE:
            return await self._second_factors.set_preference(payload, onward)
        answer = await onward()
        if operation in SENDING:
            self._mailing.note(operation, payload, answer)
        if operation == "ConfirmSignUp":
            self._mailing.confirmed(payload, answer)
        return answer

    def _get_tokens(self, payload: dict[str, Any]) -> HttpResponse:
        for name in ("ClientId", "RefreshToken"):
            if not payload.get(name):
                return api_error("InvalidParameterException", f"Missing required parameter {name}")
        client = self._grants.client(payload["ClientId"])
        self._grants.check_secret(client, payload.get("ClientSecret"))
        result = self._grants.refresh(client, payload["RefreshToken"], payload.get("DeviceKey"))
        return json_response({"AuthenticationResult": result})

    def _revoke(self, payload: dict[str, Any]) -> HttpResponse:
        token = payload.get("Token")
        if not isinstance(token, str) or not token:
            return api_error("InvalidParameterException", "Missing required parameter Token")
        client = self._grants.client(payload.get("ClientId"))
        self._grants.check_secret(client, payload.get("ClientSecret"))
        if not client.settings.get("EnableTokenRevocation", True):
            return api_error("UnsupportedOperationException", "Token revocation is not enabled for this client")
        if self._emulator.claims(token):  # a readable JWT is not a refresh token
            return api_error("UnsupportedTokenTypeException", "Unsupported token type")
        self._grants.revoke(client, token)
        return json_response({})

    def _refresh_flow(self, operation: str, payload: dict[str, Any]) -> HttpResponse:
        client = self._grants.client(payload.get("ClientId"))
        if operation == "AdminInitiateAuth" and payload.get("UserPoolId") != client.pool_id:
            return api_error("ResourceNotFoundException", "User pool client does not exist.")
        flows = client.settings.get("ExplicitAuthFlows") or ["ALLOW_REFRESH_TOKEN_AUTH"]
        if client.grace_seconds is not None or not any(flow.endswith("REFRESH_TOKEN_AUTH") for flow in flows):
            # Rotation excludes this flow. AWS does not document the error code. This is the code for any flow that an
            # app client does not allow, and it does not mean that the token is invalid.
            return api_error("InvalidParameterException", "REFRESH_TOKEN_AUTH flow not enabled for this client")
        parameters = payload.get("AuthParameters") or {}
        family = self._grants.family(client, parameters.get("REFRESH_TOKEN"))
        inner = {**payload, "AuthParameters": {**parameters, "REFRESH_TOKEN": family.sign_in}}
        error = self._emulator.secret_hash_error(operation, inner)
        if error is not None and self._emulator.user_error(client, family.sign_in) is None:
            return error
        result = self._grants.refresh(client, parameters.get("REFRESH_TOKEN"), parameters.get("DEVICE_KEY"))
        return json_response({"AuthenticationResult": result})

    def _signed_in(self, answer: HttpResponse) -> HttpResponse:
        value = answer.json()
        result = value.get("AuthenticationResult")
        if not isinstance(result, dict) or "RefreshToken" not in result:
            return answer
        result["RefreshToken"], device = self._grants.adopt(result["RefreshToken"], result["AccessToken"], with_device=True)
        if device:
            result["NewDeviceMetadata"] = device
        return json_response(value)

    def _client_set_up(self, payload: dict[str, Any], answer: HttpResponse) -> HttpResponse:
        value = answer.json()
        shown = value.get("UserPoolClient")
        if not isinstance(shown, dict):
            return answer
        settings = self._grants.client(shown["ClientId"]).settings
        if "ClientSecret" in payload:
            settings["ClientSecret"] = shown["ClientSecret"] = payload["ClientSecret"]
        if "RefreshTokenRotation" in payload:
            settings["RefreshTokenRotation"] = dict(payload["RefreshTokenRotation"])
        if "RefreshTokenRotation" in settings:
            shown["RefreshTokenRotation"] = settings["RefreshTokenRotation"]
        return json_response(value)


def _without_nulls(payload: dict[str, Any]) -> dict[str, Any]:
    """The payload without nulls: a null means the same as an absent name."""
    return {name: value for name, value in payload.items() if value is not None}


def _well_typed(payload: dict[str, Any]) -> bool:
    given = _without_nulls(payload)
    texts = all(isinstance(given.get(name, ""), str) for name in ("AuthFlow", "ChallengeName", "Session", "AccessToken"))
    return texts and all(isinstance(given.get(name, {}), dict) for name in ("AuthParameters", "ChallengeResponses"))


def _invalid_rotation(payload: dict[str, Any]) -> HttpResponse | None:
    if "RefreshTokenRotation" not in payload:
        return None
    rotation = payload["RefreshTokenRotation"]
    if not isinstance(rotation, dict) or rotation.get("Feature") not in ("ENABLED", "DISABLED"):
        return api_error("InvalidParameterException", "RefreshTokenRotation.Feature must be ENABLED or DISABLED")
    grace = rotation.get("RetryGracePeriodSeconds", 0)
    if not isinstance(grace, int) or not 0 <= grace <= _MAX_GRACE_SECONDS:
        return api_error("InvalidParameterException", "RetryGracePeriodSeconds must be from 0 to 60")
    return None
