"""Challenges that wait for an answer, each under a `Session` text: pure rules that take the time as an argument.

1. A session belongs to one challenge, one app client and one user. It lasts for the client's AuthSessionValidity.
2. It is used once: the next challenge has its own session. A used session and an unknown one have different refusals.
3. A wrong answer leaves the session usable. MAX_FAILURES wrong answers end it.
https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_RespondToAuthChallenge.html
"""

import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final, Literal

from cognito_session.local.devices import DeviceProof

__all__ = ["MAX_FAILURES", "MFA_ASSOCIATED", "MFA_VERIFIED", "Challenge", "ChallengeSessionError", "ChallengeSessions"]

MAX_FAILURES: Final = 3
MFA_ASSOCIATED: Final = "MFA_SETUP, secret given out"
MFA_VERIFIED: Final = "MFA_SETUP, code verified"
_SESSION_BYTES: Final = 360  # 480 characters: the API allows 20 to 2048, and so many cannot be guessed


class ChallengeSessionError(Exception):
    """The session cannot be used; `reason` says why."""

    def __init__(self, reason: Literal["unknown", "used", "expired"]) -> None:
        super().__init__(reason)
        self.reason: Final = reason


@dataclass(slots=True, eq=False)
class Challenge:
    """One challenge. `name` is Cognito's, or one of the two steps within MFA_SETUP.

    sub: None for the simulated challenge of an unknown user. first_factor: whether the answer replaces the password. expected:
    the code that was sent, the authenticator's secret or the passkey's challenge; None if no answer is correct. choices: those
    of a SELECT_... challenge. device_key: the device that the sign-in named. proof: the server's part of
    DEVICE_PASSWORD_VERIFIER.
    """

    name: str
    client_id: str
    username: str
    sub: str | None
    first_factor: bool = False
    expected: str | None = field(default=None, repr=False)
    choices: tuple[str, ...] = ()
    device_key: str | None = None
    proof: DeviceProof | None = field(default=None, repr=False)
    expires_at: float = 0
    failures: int = 0
    used: bool = False


class ChallengeSessions:
    """Every challenge that was issued."""

    def __init__(self) -> None:
        self._challenges: dict[str, Challenge] = {}

    def open(self, challenge: Challenge, *, now: float, seconds: float) -> str:
        """The session for a challenge, valid for `seconds`."""
        challenge.expires_at = now + seconds
        text = secrets.token_urlsafe(_SESSION_BYTES)
        self._challenges[text] = challenge
        return text

    def find(self, text: str, names: Collection[str], *, now: float, client_id: str | None = None) -> Challenge:
        """The challenge of a session, if it is one of `names` and can be answered. Raises ChallengeSessionError.

        client_id None: the operation does not name its client.
        """
        challenge = self._challenges.get(text)
        if challenge is None or challenge.name not in names or client_id not in (None, challenge.client_id):
            raise ChallengeSessionError("unknown")
        if challenge.used:
            raise ChallengeSessionError("used")
        if now >= challenge.expires_at:
            raise ChallengeSessionError("expired")
        if challenge.failures >= MAX_FAILURES:
            raise ChallengeSessionError("unknown")
        return challenge

    def of_device(self, name: str, device_key: str, block: str | None, client_id: str) -> str | None:
        """The session of a device challenge, for a client that answers without the Session.

        SECRET_BLOCK identifies DEVICE_PASSWORD_VERIFIER; the device key identifies DEVICE_SRP_AUTH.
        """
        for text, challenge in reversed(self._challenges.items()):
            same = (challenge.name, challenge.device_key, challenge.client_id) == (name, device_key, client_id)
            if same and not challenge.used and (block is None or (challenge.proof and challenge.proof.block == block)):
                return text
        return None

    def clear(self) -> None:
        """Forget every challenge."""
        self._challenges.clear()
