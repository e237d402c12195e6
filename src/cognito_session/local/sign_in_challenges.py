"""Sign-ins with challenges: the responses of InitiateAuth and RespondToAuthChallenge.

1. ministack checks passwords, SRP proofs and Lambda challenges. This file decides what follows a correct password, and
answers every challenge except PASSWORD_VERIFIER and those of Lambda, under a checked `Session`.
2. The order of checks is: client, SECRET_HASH over the USERNAME sent, session, user, answer. Nothing awaits between the
first check and the mark: of two answers to one challenge, one counts.
3. In choice-based sign-in (USER_AUTH), an unknown user gets the same response as a known one if the app client hides them.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from cognito_session.local.challenge_checks import CHECKED_CHALLENGES, ChallengeChecks, WrongAnswerError
from cognito_session.local.challenge_issuer import ChallengedUser, ChallengeIssuer, NextChallenge, invalid_session
from cognito_session.local.challenge_session import Challenge
from cognito_session.local.devices import DeviceBook
from cognito_session.local.emulator import Emulator
from cognito_session.local.grants import Grants, OperationRefusedError
from cognito_session.local.http_response import HttpResponse, api_error, json_response
from cognito_session.local.ministack_records import SECOND_FACTORS, AppClient, UserRecord
from cognito_session.local.required_parameters import required

__all__ = ["SignInChallenges"]

Onward = Callable[[], Awaitable[HttpResponse]]
Payload = Mapping[str, Any]

_PASSWORD_FLOWS: Final = frozenset({"USER_PASSWORD_AUTH", "ADMIN_USER_PASSWORD_AUTH", "ADMIN_NO_SRP_AUTH"})
_FOLLOWS_A_PASSWORD: Final = frozenset({"NEW_PASSWORD_REQUIRED", "SOFTWARE_TOKEN_MFA"})
_NAME: Final = "USER_ID_FOR_SRP"
_BOTH_PASSWORDS: Final = ("PASSWORD", "PASSWORD_SRP")
"""The two ways to show the password that AllowedFirstAuthFactors calls PASSWORD."""
_SECOND_STEPS: Final = frozenset({*SECOND_FACTORS, "SELECT_MFA_TYPE", "MFA_SETUP"})


class SignInChallenges:
    """Sign-ins with challenges. Tokens have ministack's own refresh token, which the caller replaces."""

    def __init__(
        self, emulator: Emulator, grants: Grants, issuer: ChallengeIssuer, checks: ChallengeChecks, devices: DeviceBook
    ) -> None:
        self._emulator = emulator
        self._grants = grants
        self._issuer = issuer
        self._challenge_checks = checks
        self._devices = devices

    async def initiate(self, operation: str, payload: Payload, onward: Onward) -> HttpResponse:
        """InitiateAuth and AdminInitiateAuth. Raises OperationRefusedError."""
        flow = payload.get("AuthFlow")
        self._check_device(payload)
        if flow == "USER_AUTH":
            return self._begun(operation, payload)
        answer = await onward()
        return self._after_password(payload, answer) if flow in _PASSWORD_FLOWS else answer

    async def respond(self, operation: str, payload: Payload, onward: Onward) -> HttpResponse:
        """RespondToAuthChallenge and AdminRespondToAuthChallenge. Raises OperationRefusedError."""
        name = payload.get("ChallengeName")
        if name in CHECKED_CHALLENGES:
            return self._answered(operation, payload)
        answer = await onward()
        return self._after_password(payload, answer) if name == "PASSWORD_VERIFIER" else answer

    def _after_password(self, payload: Payload, answer: HttpResponse) -> HttpResponse:
        """The response after ministack has accepted a password, whatever ministack answers."""
        value = answer.json()
        tokens = value.get("AuthenticationResult")
        if not tokens and value.get("ChallengeName") not in _FOLLOWS_A_PASSWORD:
            return answer
        client = self._grants.client(payload.get("ClientId"))
        name = self._emulator.claims(tokens["AccessToken"])["username"] if tokens else value["ChallengeParameters"][_NAME]
        account = self._emulator.account(client.pool, name)
        if account is None:
            raise OperationRefusedError(_gone(client))
        step = self._challenge_checks.after_password(client, account)
        following = self._next(client, ChallengedUser(account.username, account), step, _device_key(payload))
        return answer if tokens and "AuthenticationResult" in following.json() else following

    def _check_device(self, payload: Payload) -> None:
        """Refuse a sign-in that names an unknown device, before any other check."""
        key, given = _device_key(payload), payload.get("AuthParameters") or {}
        client = self._grants.client(payload.get("ClientId"))
        account = self._emulator.account(client.pool, given.get("USERNAME"))
        if key is None or account is None or not client.tracks_devices:
            return
        if self._devices.confirmed(client.pool_id, account.sub, key) is None:
            raise OperationRefusedError(api_error("ResourceNotFoundException", "Device does not exist."))

    def _begun(self, operation: str, payload: Payload) -> HttpResponse:
        client = self._client(operation, payload)
        if "ALLOW_USER_AUTH" not in client.settings.get("ExplicitAuthFlows", ()):
            raise OperationRefusedError(api_error("InvalidParameterException", "USER_AUTH is not enabled for the client."))
        given = payload.get("AuthParameters") or {}
        username = required(given, "USERNAME")
        account = self._emulator.account(client.pool, username)
        if account is None and not client.hides_unknown_users:
            raise OperationRefusedError(_gone(client))
        if account:
            _check_standing(account)
        subject = ChallengedUser(account.username if account else username, account)
        choices = _first_factors(client, account)
        key = _device_key(payload)
        if given.get("PREFERRED_CHALLENGE") not in choices:
            return self._next(client, subject, NextChallenge("SELECT_CHALLENGE", choices=choices), key)
        try:
            step = self._challenge_checks.first_factor(client, subject, given["PREFERRED_CHALLENGE"], given)
        except WrongAnswerError as wrong:
            return wrong.answer
        return self._next(client, subject, step, key)

    def _answered(self, operation: str, payload: Payload) -> HttpResponse:
        client = self._client(operation, payload)
        responses = payload.get("ChallengeResponses") or {}
        username = required(responses, "USERNAME")
        challenge = self._issuer.waiting(payload, {CHECKED_CHALLENGES[payload["ChallengeName"]]}, client_id=client.client_id)
        subject = self._subject(client, challenge, username)
        try:
            step = self._challenge_checks.check(client, subject, challenge, responses)
        except WrongAnswerError as wrong:
            challenge.failures += 1
            return wrong.answer
        challenge.used = True
        if challenge.name == "DEVICE_PASSWORD_VERIFIER":
            return self._tokens(client, subject, challenge.device_key)
        return self._next(client, subject, step, _device_key(payload) or challenge.device_key)

    def _next(
        self, client: AppClient, subject: ChallengedUser, step: NextChallenge | None, device_key: str | None = None
    ) -> HttpResponse:
        """The next challenge, or tokens. A remembered device proves itself last, and can replace a second factor."""
        account = subject.account
        device = self._devices.remembered(client, account.sub, device_key) if account else None
        if device and client.device_replaces_mfa and step and step.name in _SECOND_STEPS and not step.first_factor:
            step = None
        if step is None and device:
            step = NextChallenge("DEVICE_SRP_AUTH")
        if step and step.name == "PASSWORD_VERIFIER":
            return self._emulator.srp_challenge(client, subject.username, step.public)
        if step:
            return self._issuer.pose(client, subject, replace(step, device_key=device_key))
        return self._tokens(client, subject)

    def _tokens(self, client: AppClient, subject: ChallengedUser, device_key: str | None = None) -> HttpResponse:
        if subject.account is None:  # no answer of an unknown user is correct
            raise OperationRefusedError(_gone(client))
        with self._emulator.on_device(device_key):
            return json_response({"AuthenticationResult": self._emulator.sign_in(client, subject.account)})

    def _client(self, operation: str, payload: Payload) -> AppClient:
        client = self._grants.client(payload.get("ClientId"))
        if operation.startswith("Admin") and payload.get("UserPoolId") != client.pool_id:
            raise OperationRefusedError(api_error("ResourceNotFoundException", "User pool client does not exist."))
        error = self._emulator.secret_hash_error(operation, dict(payload))
        if error:
            raise OperationRefusedError(error)
        return client

    def _subject(self, client: AppClient, challenge: Challenge, username: str) -> ChallengedUser:
        """The user of the challenge, if USERNAME names the same one, by its user name or an alias."""
        if challenge.sub is None:
            if username != challenge.username:
                raise invalid_session()
            return ChallengedUser(challenge.username, None)
        owner = self._emulator.account(client.pool, challenge.username)
        if owner is None or owner.sub != challenge.sub:
            raise OperationRefusedError(_gone(client))
        sender = self._emulator.account(client.pool, username)
        if sender is None or sender.sub != owner.sub:
            raise invalid_session()
        _check_standing(owner)
        return ChallengedUser(owner.username, owner)


def _first_factors(client: AppClient, account: UserRecord | None) -> tuple[str, ...]:
    """The first factors of a user. An unknown user is treated like one with an email address.

    A user with a second factor, or with a password to replace, starts with the password.
    """
    if client.mfa == "ON" or (account and _needs_password(client, account)):
        return _BOTH_PASSWORDS
    attributes = account.attributes if account else {"email": ""}
    lacking = {"EMAIL_OTP": "email", "SMS_OTP": "phone_number"}
    factors = (factor for factor in client.first_factors if lacking.get(factor) in (None, *attributes))
    return tuple(each for factor in factors for each in (_BOTH_PASSWORDS if factor == "PASSWORD" else (factor,)))


def _needs_password(client: AppClient, account: UserRecord) -> bool:
    return account.status == "FORCE_CHANGE_PASSWORD" or (client.mfa != "OFF" and bool(account.factors))


def _check_standing(account: UserRecord) -> None:
    if not account.enabled:
        raise OperationRefusedError(api_error("NotAuthorizedException", "User is disabled."))
    if account.status == "UNCONFIRMED":
        raise OperationRefusedError(api_error("UserNotConfirmedException", "User is not confirmed."))


def _gone(client: AppClient) -> HttpResponse:
    if client.hides_unknown_users:
        return api_error("NotAuthorizedException", "Incorrect username or password.")
    return api_error("UserNotFoundException", "User does not exist.")


def _device_key(payload: Payload) -> str | None:
    """DEVICE_KEY of a sign-in's request."""
    given = payload.get("AuthParameters") or payload.get("ChallengeResponses") or {}
    key = given.get("DEVICE_KEY")
    return key if isinstance(key, str) and key else None
