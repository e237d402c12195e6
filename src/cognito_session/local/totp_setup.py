"""Setup of an authenticator app during a sign-in: AssociateSoftwareToken and VerifySoftwareToken with a Session.

Each step takes the session of the previous step and returns a new one; the last one answers the MFA_SETUP challenge. With an
access token, ministack handles both operations.
https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-settings-mfa-totp.html
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cognito_session.local.challenge_issuer import ChallengeIssuer, invalid_session
from cognito_session.local.challenge_session import MFA_ASSOCIATED, MFA_VERIFIED, Challenge
from cognito_session.local.emulator import Emulator
from cognito_session.local.grants import Grants
from cognito_session.local.http_response import HttpResponse, api_error, json_response
from cognito_session.local.required_parameters import required
from cognito_session.local.totp import new_totp_secret, totp_matches
from cognito_session.testing.clock import SharedClock

__all__ = ["TotpSetup"]


class TotpSetup:
    """The steps within MFA_SETUP."""

    def __init__(self, emulator: Emulator, grants: Grants, issuer: ChallengeIssuer, clock: SharedClock) -> None:
        self._emulator = emulator
        self._grants = grants
        self._issuer = issuer
        self._clock = clock

    def answer(self, operation: str, payload: Mapping[str, Any]) -> HttpResponse:
        """AssociateSoftwareToken or VerifySoftwareToken. Raises OperationRefusedError."""
        return self._associated(payload) if operation == "AssociateSoftwareToken" else self._verified(payload)

    def _associated(self, payload: Mapping[str, Any]) -> HttpResponse:
        # A client that lost the secret can request another one.
        challenge = self._issuer.waiting(payload, {"MFA_SETUP", MFA_ASSOCIATED})
        secret = new_totp_secret()
        return json_response({"SecretCode": secret, "Session": self._step(challenge, MFA_ASSOCIATED, secret)})

    def _verified(self, payload: Mapping[str, Any]) -> HttpResponse:
        challenge = self._issuer.waiting(payload, {MFA_ASSOCIATED})
        client = self._grants.client(challenge.client_id)
        account = self._emulator.account(client.pool, challenge.username)
        if account is None or account.sub != challenge.sub or challenge.expected is None:
            raise invalid_session()
        if not totp_matches(challenge.expected, required(payload, "UserCode"), self._clock.now()):
            challenge.failures += 1
            return api_error("EnableSoftwareTokenMFAException", "Code mismatch")
        account.set_totp_secret(challenge.expected)
        return json_response({"Status": "SUCCESS", "Session": self._step(challenge, MFA_VERIFIED, None)})

    def _step(self, challenge: Challenge, name: str, secret: str | None) -> str:
        client = self._grants.client(challenge.client_id)
        challenge.used = True
        return self._issuer.session(client, replace(challenge, name=name, expected=secret, failures=0, used=False))
