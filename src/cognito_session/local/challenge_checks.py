"""The checks of answers to sign-in challenges, and the challenge that follows a correct answer.

A check returns the next challenge, or None when the user is signed in. A wrong answer raises `WrongAnswerError` and counts
against its challenge session. A malformed answer raises `OperationRefusedError` and does not count.
Source of the answer names (ChallengeResponses):
https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_RespondToAuthChallenge.html
"""

import hmac
from collections.abc import Callable, Mapping
from typing import Any, Final

from cognito_session.local.challenge_issuer import ChallengedUser, NextChallenge
from cognito_session.local.challenge_session import MFA_VERIFIED, Challenge
from cognito_session.local.devices import DeviceBook, DeviceProof
from cognito_session.local.emulator import Emulator
from cognito_session.local.grants import OperationRefusedError
from cognito_session.local.http_response import HttpResponse, api_error
from cognito_session.local.ministack_records import AppClient, UserRecord
from cognito_session.local.required_parameters import required
from cognito_session.local.second_factors import SecondFactors
from cognito_session.local.totp import totp_matches
from cognito_session.local.web_authn import credential_answers
from cognito_session.testing.clock import SharedClock

__all__ = ["CHECKED_CHALLENGES", "ChallengeChecks", "WrongAnswerError"]

Responses = Mapping[str, Any]
Check = Callable[[AppClient, ChallengedUser, Challenge, Responses], NextChallenge | None]

CHECKED_CHALLENGES: Final = {
    **{name: name for name in ("NEW_PASSWORD_REQUIRED", "SOFTWARE_TOKEN_MFA", "SMS_MFA", "EMAIL_OTP", "SMS_OTP")},
    **{name: name for name in ("SELECT_MFA_TYPE", "SELECT_CHALLENGE", "PASSWORD", "WEB_AUTHN")},
    **{name: name for name in ("PASSWORD_SRP", "DEVICE_SRP_AUTH", "DEVICE_PASSWORD_VERIFIER")},
    "MFA_SETUP": MFA_VERIFIED,
}
"""The challenges that are answered here, by the ChallengeName of the answer."""

_ATTRIBUTE: Final = "userAttributes."


class WrongAnswerError(Exception):
    """A well-formed but wrong answer; `answer` is the API's response."""

    def __init__(self, answer: HttpResponse) -> None:
        super().__init__(answer.error)
        self.answer = answer


class ChallengeChecks:
    """The check of each challenge."""

    def __init__(self, emulator: Emulator, clock: SharedClock, devices: DeviceBook) -> None:
        self._devices = devices
        self._emulator = emulator
        self._clock = clock
        self._checks: dict[str, Check] = {
            "NEW_PASSWORD_REQUIRED": self._new_password,
            "SOFTWARE_TOKEN_MFA": self._totp,
            "SMS_MFA": self._sent_code,
            "EMAIL_OTP": self._sent_code,
            "SMS_OTP": self._sent_code,
            "SELECT_MFA_TYPE": self._mfa_type,
            "SELECT_CHALLENGE": self._choice,
            "PASSWORD": self._password,
            "WEB_AUTHN": self._passkey,
            "PASSWORD_SRP": lambda _client, _subject, _challenge, responses: _proving(responses),
            "DEVICE_SRP_AUTH": self._device,
            "DEVICE_PASSWORD_VERIFIER": self._device_password,
            MFA_VERIFIED: lambda *_: None,
        }

    def check(
        self, client: AppClient, subject: ChallengedUser, challenge: Challenge, responses: Responses
    ) -> NextChallenge | None:
        """The next challenge after a correct answer, or None if the user is signed in.

        Raises WrongAnswerError and OperationRefusedError.
        """
        return self._checks[challenge.name](client, subject, challenge, responses)

    @staticmethod
    def after_password(client: AppClient, account: UserRecord) -> NextChallenge | None:
        """The challenge after a correct password, or None."""
        if account.status == "FORCE_CHANGE_PASSWORD":
            return NextChallenge("NEW_PASSWORD_REQUIRED")
        factor = SecondFactors.after_password(client, account)
        return NextChallenge(factor) if factor else None

    def first_factor(self, client: AppClient, subject: ChallengedUser, choice: str, given: Responses) -> NextChallenge | None:
        """The challenge of the chosen first factor, or the one after it if the request already has the password."""
        if choice == "PASSWORD" and given.get("PASSWORD"):
            return self._with_password(client, subject, given)
        if choice == "PASSWORD_SRP" and given.get("SRP_A"):
            return _proving(given)
        return NextChallenge(choice, first_factor=True)

    def _with_password(self, client: AppClient, subject: ChallengedUser, given: Responses) -> NextChallenge | None:
        error = self._emulator.password_error(client, subject.username, required(given, "PASSWORD"))
        if error and error.error == "NotAuthorizedException":
            raise WrongAnswerError(error)
        if error or subject.account is None:
            raise OperationRefusedError(error or _unauthorized())
        return self.after_password(client, subject.account)

    def _password(
        self, client: AppClient, subject: ChallengedUser, _challenge: Challenge, responses: Responses
    ) -> NextChallenge | None:
        return self._with_password(client, subject, responses)

    def _choice(
        self, client: AppClient, subject: ChallengedUser, challenge: Challenge, responses: Responses
    ) -> NextChallenge | None:
        choice = _chosen(challenge, responses)
        if choice == "PASSWORD":
            required(responses, "PASSWORD")
        if choice == "PASSWORD_SRP":
            required(responses, "SRP_A")
        return self.first_factor(client, subject, choice, responses)

    def _new_password(
        self, client: AppClient, subject: ChallengedUser, _challenge: Challenge, responses: Responses
    ) -> NextChallenge | None:
        account, password = _known(subject), required(responses, "NEW_PASSWORD")
        error = self._emulator.policy_error(client, password)
        if error:
            raise OperationRefusedError(error)
        named = {name: str(value) for name, value in responses.items() if name.startswith(_ATTRIBUTE)}
        account.set_attributes({name.removeprefix(_ATTRIBUTE): value for name, value in named.items()})
        account.set_password(password)
        return self.after_password(client, account)

    def _totp(
        self, _client: AppClient, subject: ChallengedUser, _challenge: Challenge, responses: Responses
    ) -> NextChallenge | None:
        secret = _known(subject).totp_secret
        if not secret or not totp_matches(secret, required(responses, "SOFTWARE_TOKEN_MFA_CODE"), self._clock.now()):
            raise WrongAnswerError(api_error("CodeMismatchException", "Invalid code received for user"))
        return None

    @staticmethod
    def _sent_code(
        _client: AppClient, subject: ChallengedUser, challenge: Challenge, responses: Responses
    ) -> NextChallenge | None:
        code = required(responses, f"{challenge.name}_CODE")
        right = subject.account and challenge.expected and hmac.compare_digest(code.encode(), challenge.expected.encode())
        if not right:
            raise WrongAnswerError(api_error("CodeMismatchException", "Invalid code or auth state for the user."))
        return None

    @staticmethod
    def _mfa_type(
        _client: AppClient, _subject: ChallengedUser, challenge: Challenge, responses: Responses
    ) -> NextChallenge | None:
        return NextChallenge(_chosen(challenge, responses))

    @staticmethod
    def _passkey(
        _client: AppClient, subject: ChallengedUser, challenge: Challenge, responses: Responses
    ) -> NextChallenge | None:
        credential = required(responses, "CREDENTIAL")
        if subject.account is None or not challenge.expected or not credential_answers(credential, challenge.expected):
            raise WrongAnswerError(_unauthorized())
        return None

    def _device(self, client: AppClient, subject: ChallengedUser, challenge: Challenge, responses: Responses) -> NextChallenge:
        account, key = _known(subject), required(responses, "DEVICE_KEY")
        device = self._devices.remembered(client, account.sub, key)
        if device is None or key != challenge.device_key:
            raise OperationRefusedError(api_error("ResourceNotFoundException", "Device does not exist."))
        public = DeviceProof.public_of(required(responses, "SRP_A"))
        if public is None:
            raise OperationRefusedError(
                api_error("InvalidParameterException", "SRP_A: a hexadecimal number other than 0 modulo the group")
            )
        return NextChallenge("DEVICE_PASSWORD_VERIFIER", proof=DeviceProof(device, public))

    @staticmethod
    def _device_password(_client: AppClient, _subject: ChallengedUser, challenge: Challenge, responses: Responses) -> None:
        names = ("PASSWORD_CLAIM_SECRET_BLOCK", "PASSWORD_CLAIM_SIGNATURE", "TIMESTAMP")
        block, signature, timestamp = (required(responses, name) for name in names)
        if required(responses, "DEVICE_KEY") != challenge.device_key:
            raise OperationRefusedError(api_error("ResourceNotFoundException", "Device does not exist."))
        if challenge.proof is None or not challenge.proof.holds(block, signature, timestamp):
            raise WrongAnswerError(_unauthorized())


def _proving(responses: Responses) -> NextChallenge:
    return NextChallenge("PASSWORD_VERIFIER", public=required(responses, "SRP_A"))


def _chosen(challenge: Challenge, responses: Responses) -> str:
    answer = required(responses, "ANSWER")
    choice = "EMAIL_OTP" if answer == "EMAIL_MFA" else answer  # AWS documents both names of the second factor
    if choice not in challenge.choices:
        raise OperationRefusedError(
            api_error("InvalidParameterException", f"ANSWER must be one of {', '.join(challenge.choices)}")
        )
    return choice


def _known(subject: ChallengedUser) -> UserRecord:
    if subject.account is None:
        raise OperationRefusedError(_unauthorized())
    return subject.account


def _unauthorized() -> HttpResponse:
    return api_error("NotAuthorizedException", "Incorrect username or password.")
