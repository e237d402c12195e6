"""Issues challenges and finds them again: sends the code, opens and checks the session, returns the parameters.

If the app client hides unknown users, an unknown user gets the same challenges as a known one. No code is sent then, and no
answer is correct. Source of the parameter names:
https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-authentication-flow-methods.html
"""

import json
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cognito_session.local.challenge_session import Challenge, ChallengeSessionError, ChallengeSessions
from cognito_session.local.devices import DeviceProof
from cognito_session.local.grants import OperationRefusedError
from cognito_session.local.http_response import HttpResponse, api_error, json_response
from cognito_session.local.ministack_records import AppClient, UserRecord
from cognito_session.local.outbox import Medium, Outbox, Purpose, SentMessage
from cognito_session.local.required_parameters import required
from cognito_session.local.web_authn import new_challenge, request_options
from cognito_session.testing.clock import SharedClock

__all__ = ["ChallengeIssuer", "ChallengedUser", "NextChallenge", "invalid_session"]

_MEDIA: Final[dict[str, Medium]] = {"SMS_MFA": "SMS", "SMS_OTP": "SMS", "EMAIL_OTP": "EMAIL"}
_REFUSALS: Final = {
    "unknown": "Invalid session for the user.",
    "used": "Invalid session for the user, session can only be used once.",
    "expired": "Invalid session for the user, session is expired.",
}
_ATTRIBUTES: Final = {"SMS": "phone_number", "EMAIL": "email"}


@dataclass(frozen=True, slots=True)
class ChallengedUser:
    """The user who signs in, or a name that no user has (`account` is None)."""

    username: str
    account: UserRecord | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class NextChallenge:
    """A challenge to issue. first_factor: its answer replaces the password. choices: those of SELECT_CHALLENGE.

    public: the client's SRP_A. device_key: the device that the sign-in named. proof: for DEVICE_PASSWORD_VERIFIER.
    """

    name: str
    first_factor: bool = False
    choices: tuple[str, ...] = ()
    public: str = ""
    device_key: str | None = None
    proof: DeviceProof | None = None


class ChallengeIssuer:
    """Issues the challenges of all sign-ins."""

    def __init__(self, book: ChallengeSessions, outbox: Outbox, clock: SharedClock) -> None:
        self._book = book
        self._outbox = outbox
        self._clock = clock

    def pose(self, client: AppClient, subject: ChallengedUser, step: NextChallenge) -> HttpResponse:
        """Issue a challenge."""
        sub = subject.account.sub if subject.account else None
        challenge = Challenge(
            step.name, client.client_id, subject.username, sub, first_factor=step.first_factor, choices=step.choices
        )
        challenge.device_key, challenge.proof = step.device_key, step.proof
        parameters = {**self._parameters(client, subject, challenge), "USER_ID_FOR_SRP": subject.username}
        more = {"AvailableChallenges": list(step.choices)} if step.name == "SELECT_CHALLENGE" else {}
        session = self.session(client, challenge)
        return json_response({"ChallengeName": step.name, "Session": session, "ChallengeParameters": parameters, **more})

    def session(self, client: AppClient, challenge: Challenge) -> str:
        """The session of a challenge. It lasts as long as the client allows an answer."""
        return self._book.open(challenge, now=self._clock.now(), seconds=client.session_seconds)

    def waiting(self, payload: Mapping[str, Any], names: Collection[str], *, client_id: str | None = None) -> Challenge:
        """The challenge of a request's Session, if it is one of `names`. Raises OperationRefusedError."""
        session = self._device_session(payload, client_id) or required(payload, "Session")
        try:
            return self._book.find(session, names, now=self._clock.now(), client_id=client_id)
        except ChallengeSessionError as refused:
            raise invalid_session(refused.reason) from None

    def _device_session(self, payload: Mapping[str, Any], client_id: str | None) -> str | None:
        """The session of a device challenge: clients answer these without a Session, and the proof of a password too."""
        name, given = str(payload.get("ChallengeName")), payload.get("ChallengeResponses") or {}
        if payload.get("Session") or name not in ("DEVICE_SRP_AUTH", "DEVICE_PASSWORD_VERIFIER"):
            return None
        block = required(given, "PASSWORD_CLAIM_SECRET_BLOCK") if name == "DEVICE_PASSWORD_VERIFIER" else None
        return self._book.of_device(name, required(given, "DEVICE_KEY"), block, str(client_id))

    def _parameters(self, client: AppClient, subject: ChallengedUser, challenge: Challenge) -> dict[str, str]:
        match challenge.name:
            case "NEW_PASSWORD_REQUIRED":
                return {"requiredAttributes": "[]", "userAttributes": _shown_attributes(subject.account)}
            case "SOFTWARE_TOKEN_MFA":
                challenge.expected = subject.account.totp_secret if subject.account else None
                return {"FRIENDLY_DEVICE_NAME": "TOTP device"}
            case "MFA_SETUP":
                return {"MFAS_CAN_SETUP": json.dumps(_can_set_up(client.pool))}
            case "SELECT_MFA_TYPE":
                challenge.choices = subject.account.factors if subject.account else ()
                return {"MFAS_CAN_CHOOSE": json.dumps(challenge.choices)}
            case "WEB_AUTHN":
                challenge.expected = new_challenge()
                return {"CREDENTIAL_REQUEST_OPTIONS": request_options(challenge.expected, _relying_party(client.pool))}
            case "DEVICE_PASSWORD_VERIFIER" if challenge.proof:
                return {**challenge.proof.parameters(), "USERNAME": subject.username}
            case name if name in _MEDIA:
                return self._code_sent(client, subject, challenge)
        return {}

    def _code_sent(self, client: AppClient, subject: ChallengedUser, challenge: Challenge) -> dict[str, str]:
        medium = _MEDIA[challenge.name]
        address = subject.account.attributes.get(_ATTRIBUTES[medium]) if subject.account else None
        if address:
            challenge.expected = f"{secrets.randbelow(1_000_000):06}"
            purpose: Purpose = "sign_in" if challenge.first_factor else "mfa"
            self._outbox.send(
                SentMessage(subject.username, medium, purpose, challenge.expected, client.pool_id, self._clock.now())
            )
        return {
            "CODE_DELIVERY_DELIVERY_MEDIUM": medium,
            "CODE_DELIVERY_DESTINATION": _masked(address or subject.username, medium),
        }


def invalid_session(reason: str = "unknown") -> OperationRefusedError:
    """The refusal of a session; `reason` as in ChallengeSessionError."""
    return OperationRefusedError(api_error("NotAuthorizedException", _REFUSALS[reason]))


def _shown_attributes(account: UserRecord | None) -> str:
    return json.dumps({name: value for name, value in account.attributes.items() if name != "sub"} if account else {})


def _can_set_up(pool: dict[str, Any]) -> list[str]:
    # Users set up SMS and email by an attribute and a new sign-in, not in this challenge.
    return ["SOFTWARE_TOKEN_MFA"] if (pool.get("SoftwareTokenMfaConfiguration") or {}).get("Enabled") else []


def _relying_party(pool: dict[str, Any]) -> str:
    return str((pool.get("WebAuthnConfiguration") or {}).get("RelyingPartyId") or "localhost")


def _masked(address: str, medium: Medium) -> str:
    """The address as Cognito shows it: `a***@e***`, `+*******1234`. A user name without an address is masked too."""
    if medium == "SMS":
        return f"+*******{address[-4:] if address[-4:].isdigit() else '0000'}"
    name, _, host = address.partition("@")
    return f"{name[:1]}***@{(host or 'e')[:1]}***"
